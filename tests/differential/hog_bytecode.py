"""
From the tree of PostHog's parser to the bytecode of PostHog's machine, which runs nothing else.

PostHog does this step in its Python backend, which is not published as a package; so the tests have to do it
themselves. Bytecode is a flat list: a number for each operation, followed by its operands. Operands of binary
operators are pushed from right to left, those of everything else from left to right.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final

Tree = dict[str, Any]
Code = list[Any]


class Op(IntEnum):
    """Operations of the machine."""

    GET_GLOBAL = 1
    CALL_GLOBAL = 2
    AND = 3
    OR = 4
    NOT = 5
    TRUE = 29
    FALSE = 30
    NULL = 31
    STRING = 32
    INTEGER = 33
    FLOAT = 34
    POP = 35
    GET_LOCAL = 36
    RETURN = 38
    JUMP = 39
    JUMP_IF_FALSE = 40
    OBJECT = 42
    LIST = 43
    TUPLE = 44
    GET_PROPERTY = 45
    JUMP_IF_NOT_NULL = 47
    GET_PROPERTY_OR_NULL = 48
    CALLABLE = 52
    CLOSURE = 53
    CALL_VALUE = 54
    GET_CAPTURED = 55


_SIGNS: Final = (
    "+", "-", "*", "/", "%", "==", "!=", ">", ">=", "<", "<=", "like", "ilike", "not_like", "not_ilike", "in", "not_in",
    "=~", "!~", "=~*", "!~*",
)  # fmt: skip
BINARY: Final = {sign: code for code, sign in enumerate(_SIGNS, start=6)}


class Unsupported(Exception):
    """PostHog's compiler refuses what its parser accepts; the message is the compiler's, or the kind of node."""


def compile_tree(tree: Tree) -> Code:
    """
    Write the bytecode of an expression.

    Raises:
        Unsupported: PostHog's compiler would refuse it too.
    """
    return ["_H", 1, *_Scope((), None).code(tree)]


class _Scope:
    """What one lambda, or the whole expression, knows: its parameters, and what it takes from the scope around it."""

    def __init__(self, parameters: Iterable[str], outer: "_Scope | None") -> None:
        self.parameters = list(parameters)
        self.outer = outer
        self.captured: list[tuple[bool, int]] = []
        """Per captured value: whether it is a parameter of the scope right around, and its number there."""

    def code(self, node: Tree) -> Code:
        write = getattr(self, f"write_{node['node']}", None)
        if write is None:
            raise Unsupported(node["node"])
        code: Code = write(node)
        return code

    def all(self, nodes: Iterable[Tree]) -> Code:
        return [part for node in nodes for part in self.code(node)]

    # ---- values ------------------------------------------------------------------------------------

    def write_Constant(self, node: Tree) -> Code:  # noqa: N802 (the parser's own names)
        value = node["value"]
        if node.get("value_type") == "number":
            # What JSON cannot hold comes as text, and goes so too: the machine is told by `number` below.
            return [Op.STRING, value, Op.CALL_GLOBAL, "toFloat", 1] if value != "NaN" else _nan()
        if value is None or value is True or value is False:
            return [{None: Op.NULL, True: Op.TRUE, False: Op.FALSE}[value]]
        if isinstance(value, str):
            return [Op.STRING, value]
        return [Op.INTEGER if isinstance(value, int) else Op.FLOAT, value]

    def write_Array(self, node: Tree) -> Code:  # noqa: N802
        return [*self.all(node["exprs"]), Op.LIST, len(node["exprs"])]

    def write_Tuple(self, node: Tree) -> Code:  # noqa: N802
        return [*self.all(node["exprs"]), Op.TUPLE, len(node["exprs"])]

    def write_Dict(self, node: Tree) -> Code:  # noqa: N802
        return [*self.all(part for item in node["items"] for part in item), Op.OBJECT, len(node["items"])]

    def write_Placeholder(self, _: Tree) -> Code:  # noqa: N802
        raise Unsupported("Placeholders are not allowed in this context")

    # ---- names and steps ---------------------------------------------------------------------------

    def write_Field(self, node: Tree) -> Code:  # noqa: N802
        first, *rest = node["chain"]
        code = self.local(first)
        if code is None:
            return [
                *(part for name in reversed(node["chain"]) for part in (Op.STRING, name)),
                Op.GET_GLOBAL,
                1 + len(rest),
            ]
        return [*code, *(part for name in rest for part in (Op.STRING, name, Op.GET_PROPERTY))]

    def local(self, name: str) -> Code | None:
        if name in self.parameters:
            return [Op.GET_LOCAL, _last(self.parameters, name)]
        captured = self.capture(name)
        return None if captured is None else [Op.GET_CAPTURED, captured]

    def capture(self, name: str) -> int | None:
        if self.outer is None:
            return None
        if name in self.outer.parameters:
            found = (True, _last(self.outer.parameters, name))
        elif (further := self.outer.capture(name)) is not None:
            found = (False, further)
        else:
            return None
        if found not in self.captured:
            self.captured.append(found)
        return self.captured.index(found)

    def write_TupleAccess(self, node: Tree) -> Code:  # noqa: N802
        return [*self.code(node["tuple"]), Op.INTEGER, node["index"], _step(node)]

    def write_ArrayAccess(self, node: Tree) -> Code:  # noqa: N802
        key = node["property"]
        if key["node"] == "Constant" and type(key["value"]) is int and key["value"] == 0:
            raise Unsupported("Array access starts from 1")
        return [*self.code(node["array"]), *self.code(key), _step(node)]

    # ---- operators ---------------------------------------------------------------------------------

    def write_And(self, node: Tree) -> Code:  # noqa: N802
        return [*self.all(node["exprs"]), Op.AND, len(node["exprs"])]

    def write_Or(self, node: Tree) -> Code:  # noqa: N802
        return [*self.all(node["exprs"]), Op.OR, len(node["exprs"])]

    def write_Not(self, node: Tree) -> Code:  # noqa: N802
        return [*self.code(node["expr"]), Op.NOT]

    def write_CompareOperation(self, node: Tree) -> Code:  # noqa: N802
        return self.binary(node["op"].replace(" ", "_"), node["left"], node["right"])

    def write_ArithmeticOperation(self, node: Tree) -> Code:  # noqa: N802
        return self.binary(node["op"], node["left"], node["right"])

    def binary(self, sign: str, left: Tree, right: Tree) -> Code:
        if sign not in BINARY:
            raise Unsupported(sign)
        return [*self.code(right), *self.code(left), BINARY[sign]]

    def write_BetweenExpr(self, node: Tree) -> Code:  # noqa: N802
        low, high, joined = ("<", ">", Op.OR) if node["negated"] else (">=", "<=", Op.AND)
        value = node["expr"]
        return [*self.binary(low, value, node["low"]), *self.binary(high, value, node["high"]), joined, 2]

    # ---- choices and calls -------------------------------------------------------------------------

    def write_Lambda(self, node: Tree) -> Code:  # noqa: N802
        inner = _Scope(node["args"], self)
        body = [*inner.code(node["expr"]), Op.RETURN]
        taken = [part for local, number in inner.captured for part in (local, number)]
        count = len(inner.captured)
        return [Op.CALLABLE, "lambda", len(node["args"]), count, len(body), *body, Op.CLOSURE, count, *taken]

    def write_ExprCall(self, node: Tree) -> Code:  # noqa: N802
        return [*self.all(node["args"]), *self.code(node["expr"]), Op.CALL_VALUE, len(node["args"])]

    def write_Call(self, node: Tree) -> Code:  # noqa: N802
        name, arguments = node["name"], node["args"]
        if node.get("params") is not None:  # f(a)(b)
            first = self.call(name, node["params"])
            return [*self.all(arguments), *first, Op.CALL_VALUE, len(arguments)]
        match name, len(arguments):
            case "not", 1:
                return self.write_Not({"expr": arguments[0]})
            case "and", count if count > 1:
                return self.write_And({"exprs": arguments})
            case "or", count if count > 1:
                return self.write_Or({"exprs": arguments})
            case "ifNull", 2:
                otherwise = self.code(arguments[1])
                return [*self.code(arguments[0]), Op.JUMP_IF_NOT_NULL, len(otherwise) + 1, Op.POP, *otherwise]
            case "if", 2 | 3:
                return self.choose(arguments)
            case "multiIf", count if count > 1:
                return self.choose(arguments)
        return self.call(name, arguments)

    def call(self, name: str, arguments: list[Tree]) -> Code:
        function = self.local(name)
        how = [Op.CALL_GLOBAL, name] if function is None else [*function, Op.CALL_VALUE]
        return [*self.all(arguments), *how, len(arguments)]

    def choose(self, arguments: list[Tree]) -> Code:
        """Write test, value, test, value … and the value after the last test, if there is one."""
        if len(arguments) < 2:
            return self.all(arguments)
        test, value = self.code(arguments[0]), self.code(arguments[1])
        rest = self.choose(arguments[2:])
        over = [Op.JUMP, len(rest)] if rest else []
        return [*test, Op.JUMP_IF_FALSE, len(value) + len(over), *value, *over, *rest]


def _step(node: Tree) -> Op:
    return Op.GET_PROPERTY_OR_NULL if node.get("nullish") else Op.GET_PROPERTY


def _last(names: list[str], name: str) -> int:
    return len(names) - 1 - names[::-1].index(name)


def _nan() -> Code:
    return [Op.INTEGER, 0, Op.INTEGER, 0, BINARY["/"]]

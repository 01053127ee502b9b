"""
The compiler: a tree becomes the source of one Python function, which Python compiles once.

What the function looks like, for `Hi {event.properties.name ?? 'you'}`:

    def template(g, now):
      try:
        try:
            t2 = g['event']['properties']; t1 = t2.get('name')
        except LOOKUP:
            t2 = None; t1 = chain(g, ('event', 'properties', 'name'))
        t3 = t1
        if t3 is None:
            t3 = 'you'
        t4 = t3 if type(t3) is str else number_text(t3) if type(t3) in NUMBERS else to_text(t3)
        t5 = 'Hi ' f'{t4}'
        if len(t5) > 1048579: raise memory_error(MAX_TEXT, len(t5) - 3)
        return t5
      except TOO_DEEP as error:
        raise fault(TOO_DEEP_TEXT) from error

Each node is written as statements that leave its value in a variable, so the nesting of the source never
becomes nesting of Python's expressions. The way to what a name belongs to is walked once: `t2` serves all
names behind `event.properties`. Safety: no text of the user becomes a name or code in the
function, only literals through `repr`; all names are `NAMES` below and numbered variables; the
built-in names of Python are absent; and the only attribute ever read is `get` of what JSON made.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from smspipe.hog import operations
from smspipe.hog.library import FUNCTIONS, Function
from smspipe.hog.limits import MAX_ARGUMENTS, Run
from smspipe.hog.paths import static_chain
from smspipe.hog.tree import (
    Between,
    Binary,
    Call,
    Conditional,
    Constant,
    DictOf,
    Fallback,
    IsNull,
    Lambda,
    ListOf,
    Logic,
    Member,
    Name,
    Node,
    Not,
    Operator,
    Text,
)
from smspipe.hog.values import (
    MAX_TEXT,
    Closure,
    HogError,
    check_size,
    memory_error,
    number_text,
    to_text,
    truthy,
)
from smspipe.model.errors import Invalid

Compiled = Callable[[Mapping[str, Any], datetime], Any]

MAX_BLOCKS: Final = 60
"""Conditionals and lambdas within each other; Python allows 100 levels of indentation."""
HOLES_PER_CHECK: Final = 8
"""After so many holes the length of the text is checked, before more is printed. The last of them are joined first:
a text is at most so many values longer than it may be, and one look is enough for most."""

NAMES: Final[dict[str, Any]] = {
    "__builtins__": {},
    "type": type,
    "str": str,
    "dict": dict,
    "bool": bool,
    "len": len,
    "LOOKUP": (KeyError, TypeError, AttributeError),
    "FAILED": HogError,
    "TOO_DEEP": RecursionError,
    "TOO_DEEP_TEXT": "Execution is nested too deeply.",
    "INF": float("inf"),
    "NAN": float("nan"),
    "MAX_TEXT": MAX_TEXT,
    "Run": Run,
    "Closure": Closure,
    "NUMBERS": frozenset({int, float}),
    "number_text": number_text,
    "to_text": to_text,
    "truthy": truthy,
    "memory_error": memory_error,
    "check_size": check_size,
    "root": operations.root,
    "chain": operations.chain,
    "step": operations.step,
    "dict_of": operations.dict_of,
    "add": operations.add,
    "subtract": operations.subtract,
    "multiply": operations.multiply,
    "divide": operations.divide,
    "modulo": operations.modulo,
    "equal": operations.equal,
    "less": operations.less,
    "less_or_equal": operations.less_or_equal,
    "greater": operations.greater,
    "greater_or_equal": operations.greater_or_equal,
    "like": operations.like,
    "ilike": operations.ilike,
    "contained": operations.contained,
    "matches": operations.matches,
    "matches_any_case": operations.matches_any_case,
}
"""Everything that a compiled function can reach, besides the functions of the library it calls."""

_OPERATIONS: Final[dict[Operator, str]] = {
    Operator.ADD: "add",
    Operator.SUBTRACT: "subtract",
    Operator.MULTIPLY: "multiply",
    Operator.DIVIDE: "divide",
    Operator.MODULO: "modulo",
    Operator.EQUAL: "equal",
    Operator.UNEQUAL: "not equal",
    Operator.LESS: "less",
    Operator.LESS_OR_EQUAL: "less_or_equal",
    Operator.GREATER: "greater",
    Operator.GREATER_OR_EQUAL: "greater_or_equal",
    Operator.LIKE: "like",
    Operator.ILIKE: "ilike",
    Operator.IN: "contained",
    Operator.MATCHES: "matches",
    Operator.MATCHES_ANY_CASE: "matches_any_case",
}


def compile_tree(tree: Node, unknown_function: str, fault: Callable[[str], Exception] = HogError) -> Compiled:
    """
    Compile a tree to a function of the globals and the instant it takes for now.

    Args:
        tree: what `parse_template` or `parse_expression` returned.
        unknown_function: how to word the refusal of a function that does not exist; `{}` is its name.
        fault: makes what the function raises, of the sentence that says what went wrong.

    Raises:
        Invalid: a call that cannot work: unknown function, too few or too many arguments; or
            conditionals too deep within each other.
    """
    return _Compiler(unknown_function, fault).compile(tree)


class _Compiler:
    """Writes the function of one tree: `lines` of Python, and the `names` they use."""

    def __init__(self, unknown_function: str, fault: Callable[[str], Exception]) -> None:
        self.unknown_function = unknown_function
        self.lines: list[str] = []
        self.names = NAMES | {"fault": fault}
        self.depth = 2
        self.variables = 0
        self.parameters: dict[str, str] = {}
        """Parameters of the lambdas around the current node → their Python variables."""
        self.owners: list[dict[tuple[str, ...], str]] = [{}]
        """For each block around the current node: the chains of names walked in it → the variables that keep them."""
        self.uses_run = False
        self.shares = False
        """Whether there are lambdas, which can make values with shared parts."""

    def compile(self, tree: Node) -> Compiled:
        result = self.text(tree, top=True) if isinstance(tree, Text) else self.value(tree)
        if self.shares:
            self.write(f"check_size({result})")
        head = ["def template(g, now):"]
        if self.uses_run:
            head.append(" r = Run(g, now)")
        self.write(f"return {result}")
        tail = [" except TOO_DEEP as error:", "  raise fault(TOO_DEEP_TEXT) from error", ""]
        if self.names["fault"] is not HogError:
            tail[:0] = [" except FAILED as error:", "  raise fault(str(error)) from error"]
        source = "\n".join([*head, " try:", *self.lines, *tail])
        exec(compile(source, "<hog>", "exec"), self.names)  # noqa: S102 (the module's docstring says why it is safe)
        compiled: Compiled = self.names["template"]
        return compiled

    # ---- writing -----------------------------------------------------------------------------------

    def write(self, line: str) -> None:
        self.lines.append(" " * self.depth + line)

    def variable(self) -> str:
        self.variables += 1
        return f"t{self.variables}"

    def keep(self, expression: str) -> str:
        """Write `expression` to a new variable."""
        variable = self.variable()
        self.write(f"{variable} = {expression}")
        return variable

    def named(self, node: Node) -> str:
        """Compute `node` into a variable, a literal too: `5.get` and `5 is None` are no Python."""
        value = self.value(node)
        return self.keep(value) if isinstance(node, Constant) else value

    def run(self) -> str:
        self.uses_run = True
        return "r"

    def open_block(self, line: str, at: int) -> None:
        if self.depth > MAX_BLOCKS:
            raise Invalid(f"More than {MAX_BLOCKS} conditions or lambdas within each other.", position=at)
        self.write(line)
        self.depth += 1
        self.owners.append({})

    def close_block(self) -> None:
        self.depth -= 1
        self.owners.pop()

    # ---- nodes -------------------------------------------------------------------------------------

    def value(self, node: Node) -> str:
        """Write the statements that compute `node`; what is returned is a variable or a literal."""
        match node:
            case Constant():
                return self.constant(node.value)
            case Name() | Member():
                return self.access(node)
            case Text():
                return self.text(node, top=False)
            case Call():
                return self.call(node)
            case Lambda():
                return self.lambda_(node)
            case Conditional():
                return self.choose(((node.test, node.yes),), node.no)
            case Fallback():
                return self.fallback(node.value, node.otherwise)
            case Logic():
                return self.logic(node.parts, every=node.every)
            case Not():
                return self.keep(f"not {self.condition(node.part)}")
            case Binary():
                return self.binary(node)
            case IsNull():
                return self.keep(f"{self.named(node.value)} is None")
            case Between():
                return self.between(node)
            case ListOf():
                return self.list_of(node)
            case DictOf():
                pairs = [f"({self.value(key)}, {self.value(item)})" for key, item in node.entries]
                return self.keep(f"dict_of({self.run()}, ({''.join(pair + ', ' for pair in pairs)}))")
        raise TypeError(type(node))

    def constant(self, value: str | int | float | bool | None) -> str:
        if isinstance(value, float) and not math.isfinite(value):
            return "NAN" if math.isnan(value) else "INF" if value > 0 else "(-INF)"
        return f"({value!r})" if isinstance(value, int | float) and value < 0 else repr(value)

    def access(self, node: Name | Member) -> str:
        path = static_chain(node)
        if path is not None and path[0] not in self.parameters:
            return self.global_chain(path)
        if isinstance(node, Name):
            return self.parameters[node.name]
        owner = self.named(node.owner)
        key = self.value(node.key)
        if isinstance(node.key, Constant) and type(node.key.value) is str:
            return self.keep(f"{owner}.get({key}) if type({owner}) is dict else step({owner}, {key})")
        return self.keep(f"step({owner}, {key})")

    def global_chain(self, path: tuple[str, ...]) -> str:
        variable = self.variable()
        last = path[-1]
        if len(path) == 1:
            self.attempt(f"{variable} = g[{last!r}]", f"{variable} = root(g, {last!r})")
            return variable
        owner, walk = self.owner(path[:-1])
        fast, slow = f"{variable} = {owner}.get({last!r})", f"{variable} = chain(g, {path!r})"
        if walk:
            fast, slow = f"{walk}; {fast}", f"{owner} = None; {slow}"
        self.attempt(fast, slow)
        return variable

    def owner(self, path: tuple[str, ...]) -> tuple[str, str]:
        """
        Find the variable of what the names stand in, and the statement that fills it, empty if one before has.

        It is unset when the walk failed, and no object when it has no `get`: so where the walk is attempted the slow
        way sets it to None, and the next name is asked of `chain` too.
        """
        for known in self.owners:
            if path in known:
                return known[path], ""
        variable = self.owners[-1][path] = self.variable()
        return variable, f"{variable} = g" + "".join(f"[{name!r}]" for name in path)

    def attempt(self, fast: str, slow: str) -> None:
        """Write the way for values that are as expected, and the one for all others."""
        self.write("try:")
        self.write(f" {fast}")
        self.write("except LOOKUP:")
        self.write(f" {slow}")

    def text(self, node: Text, *, top: bool) -> str:
        """Join literal parts and holes. What is nothing but one hole has the value of the hole, whatever its type."""
        if len(node.parts) == 1:
            return self.value(node.parts[0])
        read = self.read_together(node)
        pieces: list[str] = []
        unchecked: list[str] = []
        total = ""
        literal = 0
        for part in node.parts:
            if len(unchecked) == HOLES_PER_CHECK and not isinstance(part, Constant):
                total = self.check_length(unchecked, total)
                unchecked = []
            if not isinstance(part, Constant):
                piece = read.get(part.at) or self.value(part)
                number = f"number_text({piece}) if type({piece}) in NUMBERS"
                piece = f"{piece} if type({piece}) is str else {number} else to_text({piece})"
                piece = f"f'{{{piece if read else self.keep(piece)}}}'"
                unchecked.append(f"len({piece})")
            else:
                printed = to_text(part.value)
                literal += len(printed)
                piece = repr(printed)
            pieces.append(piece)
        if total:
            joined = self.keep(f"''.join(({''.join(piece + ', ' for piece in pieces)}))")
        else:
            # Literals and f-strings side by side are one text to Python, made in one go: faster than a call of `join`.
            joined = self.keep(" ".join(pieces) or "''")
        if unchecked:
            made = f"len({joined}) - {literal}" if literal else f"len({joined})"
            self.write(f"if len({joined}) > {MAX_TEXT + literal}: raise memory_error(MAX_TEXT, {made})")
        if not top:
            self.write(f"{self.run()}.printed({joined})")
        return joined

    def read_together(self, node: Text) -> dict[int, str]:
        """
        Read all holes in one attempt when each is but a name in an object, as in most texts; else none.

        What is returned are the variables, by where the holes stand. Names that stand so, without anything for when
        they are missing, are seldom missing: when one is, all are read the slow way, with the same result.
        """
        holes = [part for part in node.parts if not isinstance(part, Constant)]
        paths = [path for hole in holes if (path := static_chain(hole)) is not None]
        if len(paths) < len(holes) or not 0 < len(holes) <= HOLES_PER_CHECK:
            return {}
        if any(len(path) == 1 or path[0] in self.parameters for path in paths):
            return {}
        fast: list[str] = []
        slow: list[str] = []
        found: dict[int, str] = {}
        for hole, path in zip(holes, paths, strict=True):
            found[hole.at] = self.variable()
            owner, walk = self.owner(path[:-1])
            if walk:
                fast.append(walk)
                slow.append(f"{owner} = None")
            fast.append(f"{found[hole.at]} = {owner}[{path[-1]!r}]")
            slow.append(f"{found[hole.at]} = chain(g, {path!r})")
        self.attempt("; ".join(fast), "; ".join(slow))
        return found

    def check_length(self, lengths: list[str], total: str) -> str:
        total = self.keep(" + ".join([total, *lengths] if total else lengths))
        self.write(f"if {total} > MAX_TEXT: raise memory_error(MAX_TEXT, {total})")
        return total

    def condition(self, node: Node) -> str:
        """Write what computes `node` and return a Python expression that is True or False."""
        value = self.named(node)
        if isinstance(node, Logic | Not | IsNull | Between):
            return value
        return f"(({value}) if type({value}) is bool else truthy({value}))"

    def choose(self, choices: tuple[tuple[Node, Node], ...], otherwise: Node | None) -> str:
        """Evaluate tests one after the other until one holds; only its value, or `otherwise`, is evaluated."""
        variable = self.variable()
        opened = 0
        for test, value in choices:
            self.open_block(f"if {self.condition(test)}:", test.at)
            self.write(f"{variable} = {self.value(value)}")
            self.close_block()
            self.open_block("else:", test.at)
            opened += 1
        self.write(f"{variable} = {'None' if otherwise is None else self.value(otherwise)}")
        for _ in range(opened):
            self.close_block()
        return variable

    def fallback(self, value: Node, otherwise: Node) -> str:
        variable = self.keep(self.value(value))
        self.open_block(f"if {variable} is None:", otherwise.at)
        self.write(f"{variable} = {self.value(otherwise)}")
        self.close_block()
        return variable

    def logic(self, parts: tuple[Node, ...], *, every: bool) -> str:
        """PostHog evaluates all parts first, so a fault in a later one is never hidden by an earlier one."""
        conditions = [self.keep(self.condition(part)) for part in parts]
        return self.keep((" and " if every else " or ").join(conditions))

    def binary(self, node: Binary) -> str:
        left, right = self.value(node.left), self.value(node.right)
        return self.keep(f"{_OPERATIONS[node.operator]}({self.run()}, {left}, {right})")

    def between(self, node: Between) -> str:
        value, low, high = self.value(node.value), self.value(node.low), self.value(node.high)
        run = self.run()
        if node.negated:
            return self.keep(f"less({run}, {value}, {low}) or greater({run}, {value}, {high})")
        return self.keep(f"greater_or_equal({run}, {value}, {low}) and less_or_equal({run}, {value}, {high})")

    def list_of(self, node: ListOf) -> str:
        items = "".join(self.value(item) + ", " for item in node.items)
        self.write(f"{self.run()}.allocate({8 * len(node.items) + 8})")
        return self.keep(f"({items})" if node.fixed else f"[{items}]")

    # ---- calls -------------------------------------------------------------------------------------

    def call(self, node: Call) -> str:
        if len(node.arguments) > MAX_ARGUMENTS:
            raise Invalid("Too many arguments", position=node.at, hint=f"{MAX_ARGUMENTS} are the most.")
        if isinstance(node.function, Name) and node.function.name not in self.parameters:
            return self.library_call(node, node.function)
        function = self.value(node.function)
        arguments = [self.value(argument) for argument in node.arguments]
        return self.keep(f"{self.run()}.call({', '.join([function, *arguments])})")

    def library_call(self, node: Call, name: Name) -> str:
        function = FUNCTIONS.get(name.name)
        if function is None:
            raise Invalid(self.unknown_function.format(name.name), position=name.at, hint=operations.nearest(name.name))
        operations.check_arity(function, len(node.arguments), node.at)
        if lazy := self.lazy_call(function, node.arguments):
            return lazy
        arguments = [self.value(argument) for argument in node.arguments]
        self.names[f"f_{function.name}"] = function.run
        self.write(f"{self.run()}.work(10)")
        return self.keep(f"f_{function.name}({', '.join(['r', *arguments])})")

    def lazy_call(self, function: Function, arguments: tuple[Node, ...]) -> str | None:
        """Write those functions that evaluate only what they need, and the forms of operators; None for all others."""
        match function.name:
            case "if":
                return self.choose(((arguments[0], arguments[1]),), arguments[2] if len(arguments) > 2 else None)
            case "multiIf":
                pairs = tuple(zip(arguments[0::2], arguments[1::2], strict=False))
                return self.choose(pairs, arguments[-1] if len(arguments) % 2 else None)
            case "ifNull":
                return self.fallback(arguments[0], arguments[1])
            case "and" | "or":
                return self.logic(arguments, every=function.name == "and")
        return None

    def lambda_(self, node: Lambda) -> str:
        self.shares = True
        outer = self.parameters
        own = {name: self.variable() for name in node.parameters}
        self.parameters = outer | own
        function = self.variable()
        self.open_block(f"def {function}(r, {', '.join(own.values())}):", node.at)
        self.run()
        self.write(f"return {self.value(node.body)}")
        self.close_block()
        self.parameters = outer
        count = len(node.parameters)
        return self.keep(f"Closure('lambda', {function}, {count}, {count})")

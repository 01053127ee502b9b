"""
One shape for two trees: what smspipe's parser builds and what PostHog's does, so that they can be compared.

A shape is nested tuples. Where PostHog's tree has one form for two spellings (`a ?? b` is a call of `ifNull`),
so has the shape.
"""

from typing import Any, Final

from smspipe.hog import tree as ours

Shape = tuple[Any, ...]

_NEGATED: Final = {"not in": "in", "not like": "like", "not ilike": "ilike", "!~": "=~", "!~*": "=~*"}


def constant(value: Any) -> Shape:
    """Shape a literal; all numbers are doubles, and a negative zero is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ("number", repr(float(value) + 0.0))
    return ("constant", value)


def call(name: str, *arguments: Shape) -> Shape:
    """Shape a call of a function by its name."""
    if name == "not" and len(arguments) == 1:
        return ("not", *arguments)
    return ("call", ("name", name), *arguments)


def shape_of(node: ours.Node) -> Shape:
    """Shape a tree of ours."""
    match node:
        case ours.Constant():
            return constant(node.value)
        case ours.Name():
            return ("name", node.name)
        case ours.Member():
            return ("member", shape_of(node.owner), shape_of(node.key))
        case ours.Call():
            return ("call", shape_of(node.function), *map(shape_of, node.arguments))
        case ours.Lambda():
            return ("lambda", node.parameters, shape_of(node.body))
        case ours.Conditional():
            return call("if", shape_of(node.test), shape_of(node.yes), shape_of(node.no))
        case ours.Fallback():
            return call("ifNull", shape_of(node.value), shape_of(node.otherwise))
        case ours.Logic():
            return ("and" if node.every else "or", *map(shape_of, node.parts))
        case ours.Not():
            return ("not", shape_of(node.part))
        case ours.Binary():
            return ("binary", node.operator.value, shape_of(node.left), shape_of(node.right))
        case ours.IsNull():
            return ("binary", "==", shape_of(node.value), constant(None))
        case ours.Between():
            return ("between", node.negated, shape_of(node.value), shape_of(node.low), shape_of(node.high))
        case ours.Text():
            if len(node.parts) < 2:
                return shape_of(node.parts[0]) if node.parts else constant("")
            return call("concat", *map(shape_of, node.parts))
        case ours.ListOf():
            return ("tuple" if node.fixed else "list", *map(shape_of, node.items))
        case ours.DictOf():
            return ("object", *((shape_of(key), shape_of(item)) for key, item in node.entries))
    raise TypeError(type(node))


def shape_of_posthog(node: dict[str, Any]) -> Shape:
    """
    Shape a tree of PostHog's parser.

    Raises:
        LookupError: a kind of node that no expression of a template has.
    """
    shaped = shape_of_posthog
    match node["node"]:
        case "Constant":
            return constant(float(node["value"]) if node.get("value_type") == "number" else node["value"])
        case "Field":
            shape: Shape = ("name", node["chain"][0])
            for name in node["chain"][1:]:
                shape = ("member", shape, constant(name))
            return shape
        case "TupleAccess":
            return ("member", shaped(node["tuple"]), constant(node["index"]))
        case "ArrayAccess":
            return ("member", shaped(node["array"]), shaped(node["property"]))
        case "Call":
            function = call(node["name"], *map(shaped, node["args"]))
            if node.get("params") is not None:
                function = call(node["name"], *map(shaped, node["params"]))
                return ("call", function, *map(shaped, node["args"]))
            return function
        case "ExprCall":
            return ("call", shaped(node["expr"]), *map(shaped, node["args"]))
        case "Lambda":
            return ("lambda", tuple(node["args"]), shaped(node["expr"]))
        case "And" | "Or" as word:
            return (word.lower(), *map(shaped, node["exprs"]))
        case "Not":
            return ("not", shaped(node["expr"]))
        case "CompareOperation":
            sign = node["op"]
            if sign == "!=" and node.get("is_null_comparison_style"):
                return ("not", ("binary", "==", shaped(node["left"]), constant(None)))
            binary = ("binary", _NEGATED.get(sign, sign), shaped(node["left"]), shaped(node["right"]))
            return ("not", binary) if sign in _NEGATED else binary
        case "ArithmeticOperation":
            return ("binary", node["op"], shaped(node["left"]), shaped(node["right"]))
        case "BetweenExpr":
            return ("between", node["negated"], shaped(node["expr"]), shaped(node["low"]), shaped(node["high"]))
        case "Array" | "Tuple" as kind:
            return ({"Array": "list", "Tuple": "tuple"}[kind], *map(shaped, node["exprs"]))
        case "Dict":
            return ("object", *((shaped(key), shaped(item)) for key, item in node["items"]))
    raise LookupError(node["node"])

"""
The typed tree of a Hog expression: what the parser builds and the compiler reads.

Every node knows `at`, the offset (code points, from 0) in the source where it begins. Nodes are values:
frozen, compared by content, without behaviour.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec


class Operator(StrEnum):
    """What a `Binary` does; the value is the operator as a person writes it."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    LIKE = "like"
    ILIKE = "ilike"
    IN = "in"
    MATCHES = "=~"
    MATCHES_ANY_CASE = "=~*"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Any node; `at` is where it begins in the source."""

    at: int


class Constant(Node, frozen=True, kw_only=True):
    """A literal: text, a number, true, false or null."""

    value: str | int | float | bool | None


class Name(Node, frozen=True, kw_only=True):
    """A parameter of a lambda around it, else a global, else a function of the library."""

    name: str


class Member(Node, frozen=True, kw_only=True):
    """One step into a value: `.a`, `['a']`, `.1`, `[1]`, `[expression]`; all are null-safe, written so or not."""

    owner: Node
    key: Node


class Call(Node, frozen=True, kw_only=True):
    """A call: of a function by its name, or of whatever an expression yields."""

    function: Node
    arguments: tuple[Node, ...]


class Lambda(Node, frozen=True, kw_only=True):
    """`x -> body` or `(x, y) -> body`."""

    parameters: tuple[str, ...]
    body: Node


class Conditional(Node, frozen=True, kw_only=True):
    """`test ? yes : no`; only one of the two is evaluated."""

    test: Node
    yes: Node
    no: Node


class Fallback(Node, frozen=True, kw_only=True):
    """`value ?? otherwise`; the second is evaluated only when the first is null."""

    value: Node
    otherwise: Node


class Logic(Node, frozen=True, kw_only=True):
    """`and` (`every`) or `or` (not `every`) of all parts, which are all evaluated; the result is true or false."""

    every: bool
    parts: tuple[Node, ...]


class Not(Node, frozen=True, kw_only=True):
    """`not part`."""

    part: Node


class Binary(Node, frozen=True, kw_only=True):
    """Arithmetic, comparison, patterns and membership; `sign` is where the operator stands."""

    operator: Operator
    sign: int
    left: Node
    right: Node


class IsNull(Node, frozen=True, kw_only=True):
    """`value is null`."""

    value: Node


class Between(Node, frozen=True, kw_only=True):
    """`value between low and high`, both ends included; `negated`: below low or above high."""

    value: Node
    low: Node
    high: Node
    negated: bool = False


class Text(Node, frozen=True, kw_only=True):
    """
    Text with holes: literal parts are `Constant`s, null parts are empty, and the result is a string.

    A single part keeps its own value and type: `{event.properties.amount}` alone is a number.
    """

    parts: tuple[Node, ...]


class ListOf(Node, frozen=True, kw_only=True):
    """`[a, b]`, or the tuple `(a, b)` when `fixed`."""

    items: tuple[Node, ...]
    fixed: bool = False


class DictOf(Node, frozen=True, kw_only=True):
    """`{'a': 1}`; keys are expressions."""

    entries: tuple[tuple[Node, Node], ...]


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes right below `node`, in the order of the source."""
    for field in node.__struct_fields__:
        value = getattr(node, field)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            for part in value:
                if isinstance(part, Node):
                    yield part
                elif isinstance(part, tuple):
                    yield from (piece for piece in part if isinstance(piece, Node))

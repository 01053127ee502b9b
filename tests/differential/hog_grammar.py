"""
Sources of Hog, drawn at random: whole expressions, templates, and slightly broken ones.

Operands are joined without parentheses as often as with, so that precedence is drawn too. Hypothesis draws one string
of bytes a source, each byte a choice: a hundred times cheaper than a strategy per word, and zeros are the simplest.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

Choice = TypeVar("Choice")
_BYTES: Final = 96


class Choices:
    """Turns bytes into choices; when they are used up, the first of everything is chosen."""

    def __init__(self, drawn: bytes) -> None:
        self._rest = iter(drawn)

    def number(self, most: int) -> int:
        """Choose a number from 0 to `most`, at most 255."""
        return next(self._rest, 0) % (most + 1)

    def of(self, choices: Sequence[Choice]) -> Choice:
        """Choose one of up to 256."""
        return choices[self.number(len(choices) - 1)]


GLOBALS: Final[dict[str, Any]] = {
    "event": {
        "event": "order shipped",
        "uuid": "0199b0c4-0000-7000-8000-000000000001",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "properties": {
            "n": 5, "half": 1.5, "negative": -3, "zero": 0, "huge": 12345678901234567890, "yes": True, "no": False,
            "name": "Ada", "empty": "", "blank": " 7 ", "digits": "42", "word": "true", "nothing": None,
            "emoji": "h\u00e9\U0001f600x", "quote": "it's \\ \n", "day": "2026-03-04", "junk": "2026-13-45",
            "list": [1, "a", None, 2.5], "numbers": [3, 1, 10], "deep": {"k": {"x": [1, {"y": "z"}]}},
            "json": '{"a": [1, {"b": "c"}], "d": null}', "phone-number": "+15005550009", "in": "keyword",
            "url": "a b&c=\u00e9/?", "version": "v1.10.2-beta",
        },
    },
    "person": None,
    "group": {"company": {"properties": {"tier": "gold"}}},
}  # fmt: skip
"""What generated expressions read."""

_PROPERTIES: Final = sorted(name for name in GLOBALS["event"]["properties"] if name.isalpha())
_PATHS: Final = (
    *(f"event.properties.{name}" for name in _PROPERTIES), "event.event", "event.uuid", "event.timestamp", "person",
    "person.properties.phone", "person?.properties?.phone", "event.properties['phone-number']", "event?.properties.n",
    "event.properties.list[1]", "event.properties.list.2", "event.properties.list[-1]", "event.properties?.['name']",
    "event.properties.deep.k.x[2].y", "event.properties.deep['k']", "event.properties.nope.nope", "event.`event`",
    '"event".properties.n', "group.company.properties.tier", "event.properties.deep?.k?.x?.1", "event.properties.in",
)  # fmt: skip
_INTEGERS: Final = (
    "0",
    "1",
    "2",
    "3",
    "7",
    "10",
    "007",
    "0x1F",
    "0b101",
    "9007199254740993",
    "1e2",
    "12345678901234567890",
)
_FRACTIONS: Final = ("0.5", ".5", "5.", "1.50", "1e-7", "2.5e3", "1e21", "1e400", "0.1", "inf", "nan", "1 . 5", "0x1p3")
_STRINGS: Final = (
    "''", "'a'", "'Ada'", "'it''s'", r"'it\'s'", r"'\\ \n\t\a\0\x41'", "'5'", "' 5 '", "'5px'", "'0x1F'", "'1e3'",
    "'true'", "'h\u00e9\U0001f600'", "'a{b}c'", "'%'", "'A_a'", "'-- /* no comment */'", "'2026-01-02'",
    "'2026-01-02T03:04:05Z'", '\'"\'',
)  # fmt: skip
_WORDS: Final = ("true", "False", "null", "NULL", "TRUE")
OPERATORS: Final = (
    "+", "-", "*", "/", "%", "||", "=", "==", "!=", "<>", "<", "<=", ">", ">=", "like", "ilike", "not like",
    "NOT ILIKE", "in", "not in", "and", "or", "AND", "??", "=~", "!~", "=~*", "!~*", "~", "~*",
)  # fmt: skip
_GAPS: Final = (" ", " ", " ", " ", "  ", "\n", " /* note */ ", "\t", "\u00a0", " -- note\n", " // note }'\n")

_LITERALS: Final = _INTEGERS + _FRACTIONS + _STRINGS + _WORDS


def write_expression(choices: Choices, depth: int, names: tuple[str, ...] = ()) -> str:
    """Write an expression with at most `depth` levels; `names` are the parameters of the lambdas around it."""
    kind = choices.number(23) if depth > 0 else choices.number(3)
    gap = choices.of(_GAPS) if kind > 3 else " "

    def inner(names: tuple[str, ...] = names) -> str:
        return write_expression(choices, depth - 1, names)

    match kind:
        case 0 | 1:
            return choices.of(_LITERALS)
        case 2 | 3:
            return choices.of(names) if names and kind == 2 else choices.of(_PATHS)
        case 4 | 5 | 6 | 7 | 8:
            return f"{inner()}{gap}{choices.of(OPERATORS)}{gap}{inner()}"
        case 9:
            return f"{inner()} ?{gap}{inner()} : {inner()}"
        case 10:
            return f"({gap}{inner()}{gap})"
        case 11:
            operand = inner()
            # `NOT (` is a call of a function NOT, which does not exist.
            signs = ("not ", "- ", "-") if operand.startswith("(") else ("not ", "- ", "-", "NOT ")
            return f"{choices.of(signs)}{operand}"
        case 12:
            return f"{inner()} is {choices.of(('', 'not '))}null"
        case 13:
            return f"{inner()} {choices.of(('', 'not '))}between {inner()} and {inner()}"
        case 14:
            items = ", ".join(inner() for _ in range(choices.number(3)))
            return choices.of((f"[{items}]", f"[{items},]" if items else "[]"))
        case 15:
            return f"({inner()}, {inner()}{choices.of((')', ',)'))}"
        case 16:
            keys = (f"'{key}': {inner()}" for key in choices.of(("", "a", "ab")))
            return f"{{{gap}{', '.join(keys)}}}"
        case 17:
            return f"f'{choices.of(_TEXTS)}{{{inner()}}}{choices.of(_TEXTS)}'"
        case 18:
            key = choices.of(("[1]", "[-1]", ".a", ".1", "?.a", "?.[2]", "['a']", "?.2", ".`b c`", ".in"))
            return f"({inner()}){key}"
        case 19:
            name = choices.of(("x", "y", "event"))
            shape = choices.of((f"{name} -> ", f"({name}) -> ", f"({name}, z) -> ", "() -> "))
            return f"({shape}{inner((*names, name))})({inner()})"
        case 20:
            function = choices.of(("arrayMap", "arrayFilter", "arrayExists", "arrayCount"))
            return f"{function}(x -> {inner((*names, 'x'))}, {choices.of(_LISTS)})"
        case 21:
            return f"arrayReduce((x, y) -> {inner((*names, 'x', 'y'))}, {choices.of(_LISTS)}, {inner()})"
        case 22:
            return f"case when {inner()} then {inner()} else {inner()} end"
    function, count = choices.of(_FUNCTIONS)
    return f"{function}({', '.join(inner() for _ in range(count))})"


_LISTS: Final = ("event.properties.list", "event.properties.numbers", "[1, 2]", "('a', 'b')", "[]")
_FUNCTIONS: Final = (
    ("concat", 2), ("concat", 3), ("toString", 1), ("typeof", 1), ("ifNull", 2), ("coalesce", 3), ("if", 3),
    ("multiIf", 5), ("isNull", 1), ("empty", 1), ("notEmpty", 1), ("toInt", 1), ("toFloat", 1), ("jsonStringify", 1),
    ("tuple", 2), ("and", 2), ("equals", 2), ("plus", 2), ("not", 1), ("has", 2), ("indexOf", 2), ("or", 3),
)  # fmt: skip

_TEXTS: Final = (
    "",
    "a",
    " Hi ",
    "\\n",
    "\\\\",
    "\\{x",
    "h\u00e9\U0001f600",
    "%s",
    "}",
    '"',
    "--",
    "/*",
    "\\t",
    "''",
    "\\'",
)
_FREE_TEXTS: Final = (*_TEXTS, "'", "\\q", "\\u0041", "\\\\\\{x}", "\\}", "100 %", "\n", "\\0", "f'")


def write_template(choices: Choices, depth: int) -> str:
    """Write text with expressions in braces."""
    pieces = []
    for _ in range(1 + choices.number(3)):
        pieces.append(choices.of(_FREE_TEXTS))
        if choices.number(1):
            # A brace right after a backslash is text.
            blank = " " if pieces[-1].endswith("\\") else ""
            pieces.append(f"{blank}{{{write_expression(choices, depth)}}}")
    return "".join(pieces)


_PIECES: Final = (
    "(", ")", "[", "]", "{", "}", ",", ".", "?", ":", "->", "?.", "??", "'", '"', "`", "f'", "\\", "and", "not",
    "between", "is", "null", "in", "=", "==", "!", "&", "|", "+", "-", "*", "/", "//", "--", "/*", "*/", "1", "0",
    "1.", ".5", "x", "\u201c", "\u00e9", ";", "@", "#", "%", "~", "case", "when", "true.a", "x, y -> x", "0x", "01",
    "1e5", "not (x)", "''", "[1]", ".0", " ",
)  # fmt: skip


def write_broken(choices: Choices, source: str) -> str:
    """Put a piece into a source, or take some characters out; often, not always, it is broken then."""
    for _ in range(1 + choices.number(1)):
        at = min(len(source), choices.number(255))
        until = min(len(source), at + choices.number(4))
        source = source[:at] + choices.of(("", *_PIECES)) + source[until:]
    return source


_drawn = st.binary(min_size=_BYTES, max_size=_BYTES).map(Choices)

shallow_expressions: Final = _drawn.map(lambda choices: write_expression(choices, 1 + choices.number(1)))
expressions: Final = _drawn.map(lambda choices: write_expression(choices, 3))
templates: Final = _drawn.map(lambda choices: write_template(choices, 2))
broken_expressions: Final = _drawn.map(lambda choices: write_broken(choices, write_expression(choices, 2)))
broken_templates: Final = _drawn.map(lambda choices: write_broken(choices, write_template(choices, 1)))

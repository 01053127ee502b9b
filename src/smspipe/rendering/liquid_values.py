"""
Liquid's values, which are JavaScript's: how they print, count as numbers, compare and are written as JSON.

JSON's values are Python's own. What is missing is `UNDEFINED`, which null is not. The engine's own values (`empty`,
`forloop`) are `Drop`s. Whatever walks through a value pays for each step to the run, so that a list that contains
itself many times over ends in a fault and not in a day's work.

Source: the ECMAScript specification (type conversion), and trials of LiquidJS 10.30.1.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from smspipe.hog import to_text

SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript's `\\s` and `trim` take for white space, as a class of a regular expression."""
_TRIMMED: Final = "".join(chr(code) for code in range(0x10000) if re.match(f"[{SPACE}]", chr(code)))
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_OTHER_BASE = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_LARGEST_INDEX: Final = 2**32 - 2
_CHARACTERS_PER_STEP: Final = 100
"""What reading or comparing a text costs."""
_MOST_DIGITS: Final = 2_000
"""Digits beyond these change no double; reading them all would take long."""


class Undefined:
    """The one value `UNDEFINED`: there is nothing, not even null."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


class Purse(Protocol):
    """What is paid from: a run."""

    def step(self, count: int) -> None:
        """Pay for so many steps; raises where the run has none left."""

    def use(self, count: float) -> None:
        """Pay for so many characters or items."""


class Drop:
    """A value of the engine itself: `value` is what it counts as, `fields` what JSON shows of it."""

    __slots__ = ()

    def value(self) -> Any:
        """Give what the value counts as where it is printed or compared."""
        raise NotImplementedError

    def get(self, name: str) -> Any:
        """Look up a property."""
        return self.fields().get(name, UNDEFINED)

    def fields(self) -> dict[str, Any]:
        """Give what JSON shows."""
        return {}


class Nil(Drop):
    """The word `nil`: equal to null and to what is missing."""

    __slots__ = ()

    def value(self) -> None:
        """Count as null."""
        return

    def equals(self, other: Any) -> bool:
        """Tell whether a value is null or missing."""
        return is_nil(to_value(other))


class Empty(Drop):
    """The word `empty`: equal to text, lists and objects that hold nothing."""

    __slots__ = ()

    def value(self) -> str:
        """Count as empty text."""
        return ""

    def equals(self, other: Any) -> bool:
        """Tell whether a value holds nothing."""
        if isinstance(other, Empty):
            return False
        other = to_value(other)
        if isinstance(other, str | list | tuple | Mapping):
            return len(other) == 0
        return isinstance(other, datetime)  # an object without properties, to JavaScript


class Blank(Empty):
    """The word `blank`: also equal to null, false and text of white space."""

    __slots__ = ()

    def equals(self, other: Any) -> bool:
        """Tell whether a value is blank."""
        if other is False or is_nil(to_value(other)):
            return True
        return not other.strip(_TRIMMED) if isinstance(other, str) else super().equals(other)


class Loop(Drop):
    """`forloop`, and, with columns, `tablerowloop`."""

    __slots__ = ("_width", "cols", "i", "length", "name")

    def __init__(self, name: str, length: int, cols: Any = UNDEFINED, width: float = 0) -> None:
        """Begin a loop; `width` is the number that `cols`, which a template may set to anything, counts as."""
        self.name = name
        self.length = length
        self.cols = cols
        self.i = 0
        self._width = width

    def value(self) -> str:
        """Count as the JSON of the fields."""
        return json.dumps(_plain_fields(self.fields()), ensure_ascii=False, separators=(",", ":"))

    def fields(self) -> dict[str, Any]:
        """Give what is kept; the rest is computed from it."""
        kept = {"i": self.i, "length": self.length, "name": self.name}
        return kept if self.cols is UNDEFINED else {**kept, "cols": self.cols}

    def get(self, name: str) -> Any:
        """Look up a property; those of a table's columns only exist in tables."""
        found = {**self.fields(), **_LOOP_FIELDS(self.i, self.length)}
        if self.cols is not UNDEFINED:
            found |= self._columns()
        return found.get(name, UNDEFINED)

    def _columns(self) -> dict[str, Any]:
        column = remainder(self.i, self._width)
        row = divided(self.i, self._width)
        return {
            "row": math.floor(row) + 1 if math.isfinite(row) else row,
            "col0": column,
            "col": column + 1,
            "col_first": column == 0,
            "col_last": is_number(self.cols) and column + 1 == self.cols,
        }


def _LOOP_FIELDS(i: int, length: int) -> dict[str, Any]:  # noqa: N802 (reads as the table that it is)
    return {
        "index0": i,
        "index": i + 1,
        "first": i == 0,
        "last": i == length - 1,
        "rindex": length - i,
        "rindex0": length - i - 1,
    }


def _plain_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: int(value) if is_number(value) and value == int(value) else value for key, value in fields.items()}


NIL: Final = Nil()
EMPTY: Final = Empty()
BLANK: Final = Blank()


# ---- kinds ---------------------------------------------------------------------------------------------------


def to_value(value: Any) -> Any:
    """Give what a value of the engine counts as; all others as they are."""
    return value.value() if isinstance(value, Drop) else value


def is_nil(value: Any) -> bool:
    """Tell whether there is nothing: null, or missing."""
    return value is None or value is UNDEFINED


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_list(value: Any) -> bool:
    """Tell whether a value is a list."""
    return isinstance(value, list | tuple)


def truthy(value: Any) -> bool:
    """Tell whether Liquid takes a value for true: all but false, null and what is missing."""
    value = to_value(value)
    return not (value is False or value is None or value is UNDEFINED)


def js_truthy(value: Any) -> bool:
    """Tell whether JavaScript takes a value for true: zero, NaN and empty text are false, too."""
    if is_list(value) or isinstance(value, Mapping | Drop):
        return True
    return bool(value) and value == value


def double(value: Any) -> float:
    """Give a number as the double that it is in JavaScript."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def remainder(left: float, right: float) -> float:
    """Give the rest of a division with the sign of what is divided; NaN where there is none."""
    if right == 0 or math.isinf(left) or left != left or right != right:
        return math.nan
    return math.fmod(left, right)


def divided(left: float, right: float) -> float:
    """Divide; by zero it is infinity, or NaN where there is nothing to divide."""
    if right != 0:
        return left / right
    unsigned = math.nan if left == 0 or left != left else math.inf
    return math.copysign(1, left) * math.copysign(1, right) * unsigned


def units(text: str, purse: Purse) -> int:
    """Count the UTF-16 units of a text, which is how long JavaScript takes it to be."""
    purse.step(len(text) // _CHARACTERS_PER_STEP)
    return len(text) if text.isascii() else len(text) + sum(map("\uffff".__lt__, text))


def entries(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Give the properties of an object in JavaScript's order: those that are whole numbers first, by size."""
    found = list(value.items())
    whole = [entry for entry in found if _INDEX.fullmatch(entry[0]) and int(entry[0]) <= _LARGEST_INDEX]
    if not whole:
        return found
    names = {name for name, _ in whole}
    return sorted(whole, key=lambda entry: int(entry[0])) + [entry for entry in found if entry[0] not in names]


# ---- text ----------------------------------------------------------------------------------------------------


def printed(value: Any, purse: Purse) -> str:
    """Print a value: null and missing as nothing, lists joined without anything between."""
    if type(value) is str:
        return value
    value = to_value(value)
    if value is None or value is UNDEFINED:
        return ""
    if is_list(value):
        parts: list[str] = []
        _print_list(value, parts, purse)
        return "".join(parts)
    return _scalar(value)


def _print_list(value: Any, parts: list[str], purse: Purse) -> None:
    purse.step(1 + len(value))
    for item in value:
        item = to_value(item)
        if is_list(item):
            _print_list(item, parts, purse)
        elif not is_nil(item):
            parts.append(_scalar(item))
            purse.use(len(parts[-1]))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return to_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
    return "[object Object]"


def js_text(value: Any, purse: Purse) -> str:
    """Turn a value to text as JavaScript's `String`: null is a word then, and lists have commas."""
    if value is None:
        return "null"
    if value is UNDEFINED:
        return "undefined"
    return joined(value, ",", purse) if is_list(value) else _scalar(value)


def joined(value: Any, separator: str, purse: Purse) -> str:
    """Join a list as JavaScript does: null is nothing, and lists inside have commas."""
    purse.step(1 + len(value))
    parts: list[str] = []
    for item in value:
        parts.append("" if is_nil(item) else js_text(item, purse))
        purse.use(len(parts[-1]) + len(separator))
    return separator.join(parts)


def trimmed(text: str) -> str:
    """Take JavaScript's white space from both ends."""
    return text.strip(_TRIMMED)


def trimmed_start(text: str) -> str:
    """Take JavaScript's white space from the start."""
    return text.lstrip(_TRIMMED)


def trimmed_end(text: str) -> str:
    """Take JavaScript's white space from the end."""
    return text.rstrip(_TRIMMED)


# ---- numbers -------------------------------------------------------------------------------------------------


def primitive(value: Any, purse: Purse) -> Any:
    """Give what JavaScript compares and counts with: a number, text, a boolean, null or UNDEFINED."""
    value = to_value(value)
    if isinstance(value, datetime):
        return milliseconds(value)
    if is_list(value) or isinstance(value, Mapping):
        return js_text(value, purse)
    return value


def to_number(value: Any, purse: Purse) -> float:
    """Count a value as JavaScript's `Number` does; NaN for what is none."""
    if type(value) is float:
        return value
    value = primitive(value, purse)
    if isinstance(value, str):
        purse.step(len(value) // _CHARACTERS_PER_STEP)
        return _read_number(value)
    if value is None:
        return 0.0
    return math.nan if value is UNDEFINED else double(value)


def _read_number(text: str) -> float:
    text = trimmed(text)
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text) if len(text) < _MOST_DIGITS else _read_long(text)
    if text in ("Infinity", "+Infinity", "-Infinity"):
        return float(text)
    if _OTHER_BASE.fullmatch(text) and len(text) < _MOST_DIGITS:
        return double(int(text, 0))
    return math.nan


def _read_long(text: str) -> float:
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    kept = fraction[:_MOST_DIGITS] if len(whole) < _MOST_DIGITS else ""
    cut = max(len(whole) - _MOST_DIGITS, 0)
    power = int(exponent[:9] or 0) + cut
    return float(f"{whole[: len(whole) - cut]}.{kept}e{power}")


def number_or_zero(value: Any, purse: Purse) -> float:
    """Count a value as the filters for numbers do: what is no number is 0."""
    number = to_number(value, purse)
    return number if number == number else 0.0


def to_whole(value: Any, purse: Purse) -> float:
    """Cut a number to a whole one for a place in a list: NaN is 0, and infinity stays."""
    number = to_number(value, purse)
    if number != number:
        return 0.0
    return number if math.isinf(number) else float(math.trunc(number))


def added(left: Any, right: Any, purse: Purse) -> Any:
    """Add as JavaScript's `+`: where one side is text, both are joined."""
    left, right = primitive(left, purse), primitive(right, purse)
    if isinstance(left, str) or isinstance(right, str):
        return js_text(left, purse) + js_text(right, purse)
    return to_number(left, purse) + to_number(right, purse)


def cut(items: Any, start: Any, stop: Any, purse: Purse) -> Any:
    """Cut out of a list as JavaScript's `slice`; UNDEFINED as `stop` is the end."""
    size = len(items)
    first = _place(to_whole(start, purse), size)
    last = size if stop is UNDEFINED else _place(to_whole(stop, purse), size)
    return items[first : max(first, last)]


def _place(index: float, size: int) -> int:
    return int(max(size + index, 0)) if index < 0 else int(min(index, size))


def milliseconds(at: datetime) -> float:
    """Count the milliseconds since 1970."""
    return float(math.floor(at.timestamp() * 1000 + 0.0005))


# ---- comparing -----------------------------------------------------------------------------------------------


def equals(left: Any, right: Any, purse: Purse) -> bool:
    """Tell whether two values are equal: lists by their items, objects only to themselves, nothing converted."""
    if isinstance(left, Nil | Empty):
        return left.equals(right)
    if isinstance(right, Nil | Empty):
        return right.equals(left)
    left, right = to_value(left), to_value(right)
    if isinstance(left, str):
        purse.step(len(left) // (10 * _CHARACTERS_PER_STEP))
    if is_list(left):
        if not is_list(right) or len(left) != len(right):
            return False
        purse.step(1 + len(left))
        return all(equals(one, other, purse) for one, other in zip(left, right, strict=True))
    return _same(left, right)


def _same(left: Any, right: Any) -> bool:
    if is_number(left) and is_number(right):
        return double(left) == double(right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return left is right


def includes(items: Any, wanted: Any, purse: Purse) -> bool:
    """Tell whether a list has an item equal to a value."""
    purse.step(1 + len(items))
    return any(equals(item, wanted, purse) for item in items)


def identity(value: Any) -> tuple[str, Any]:
    """Give a key that two values share if JavaScript's `Set` takes them for one."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        number = double(value)
        return "number", number if number == number else None
    return ("text", value) if isinstance(value, str) else ("object", id(value))


def less(left: Any, right: Any, purse: Purse) -> bool | None:
    """Tell whether a value is less than another; None where they have no order."""
    left, right = primitive(left, purse), primitive(right, purse)
    if isinstance(left, str) and isinstance(right, str):
        purse.step((len(left) + len(right)) // _CHARACTERS_PER_STEP)
        if left.isascii() and right.isascii():
            return left < right
        return left.encode("utf-16-be", "surrogatepass") < right.encode("utf-16-be", "surrogatepass")
    one, other = to_number(left, purse), to_number(right, purse)
    return None if one != one or other != other else one < other


# ---- JSON ----------------------------------------------------------------------------------------------------


def to_json(value: Any, space: Any, purse: Purse) -> Any:
    """Write JSON as JavaScript's `JSON.stringify`; UNDEFINED stays what it is."""
    if value is UNDEFINED:
        return UNDEFINED
    if is_number(space):
        gap = " " * int(min(max(to_whole(space, purse), 0), 10))
    else:
        gap = space[:10] if isinstance(space, str) else ""
    parts: list[str] = []
    _write(value, parts, gap, "\n" if gap else "", purse)
    return "".join(parts)


def _write(value: Any, parts: list[str], gap: str, line: str, purse: Purse) -> None:
    purse.step(3)
    if isinstance(value, Drop):
        value = value.fields()
    if isinstance(value, str):
        purse.use(len(value))
        parts.append(json.dumps(value, ensure_ascii=False))
    elif is_nil(value):
        parts.append("null")
    elif is_number(value):
        parts.append(to_text(value) if math.isfinite(double(value)) else "null")
    elif isinstance(value, datetime):
        parts.append(f'"{value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")}Z"')
    elif is_list(value):
        _write_all([("", item) for item in value], "[]", parts, gap, line, purse)
    elif isinstance(value, Mapping):
        named = [(key, item) for key, item in entries(value) if item is not UNDEFINED]
        colon = ": " if gap else ":"
        _write_all(
            [(json.dumps(key, ensure_ascii=False) + colon, item) for key, item in named], "{}", parts, gap, line, purse
        )
    else:
        parts.append(_scalar(value))


def _write_all(items: list[tuple[str, Any]], around: str, parts: list[str], gap: str, line: str, purse: Purse) -> None:
    inner = line + gap
    purse.use(2 + (1 + len(inner)) * len(items))
    parts.append(around[0])
    for index, (name, item) in enumerate(items):
        parts.append(("," if index else "") + inner + name)
        _write(item, parts, gap, inner, purse)
    parts.append((line if items else "") + around[1])

"""
Hog's values: what they are in Python, how they convert, print and compare.

    null      None                  list      list
    boolean   bool                  tuple     tuple
    number    int, float            object    dict
    string    str                   date      datetime.date, or InvalidDate
    error     ErrorValue            datetime  aware datetime.datetime, or InvalidDate
    function  Closure               interval  Interval

Hog runs on JavaScript, so numbers convert, print and compare as JavaScript's do: there is one type of
number, a double; int is a shorthand for a whole one. A date that could not be read is a value of its
own, `InvalidDate`, which is neither before nor after nor equal to anything.
"""

import functools
import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

import msgspec

from smspipe.hog.dates import epoch_seconds, iso_text, zone_name
from smspipe.model.errors import Fault

MAX_TEXT: Final = 1024 * 1024
"""Characters of the longest text a template may print."""
MAX_PRINT_DEPTH: Final = 200
"""Levels of lists and objects that are printed; JSON from a request has fewer, a run-away template more."""
MAX_EXACT_INTEGER: Final = 2**53
"""The last whole number up to which a double holds every whole number."""


class HogError(Fault):
    """A template or an expression failed while it ran; `str()` of it is one sentence."""


class ErrorValue(msgspec.Struct, frozen=True):
    """What `Error('message')` yields: a value, not yet thrown."""

    type: str
    message: str
    payload: Any = None


class Interval(msgspec.Struct, frozen=True):
    """A span of time for `dateAdd`'s kin: `value` times `unit` (second, minute, hour, day, month)."""

    value: float
    unit: str


class InvalidDate(msgspec.Struct, frozen=True):
    """What reading a date from unreadable text yields; `clock` tells a datetime from a date."""

    clock: bool


class Closure(msgspec.Struct, frozen=True, eq=False):
    """A function as a value: a lambda, or a function of the library. `least` and `most` arguments; None: any number."""

    name: str
    run: Callable[..., Any]
    least: int
    most: int | None


def truthy(value: Any) -> bool:
    """Tell whether `value` counts as true: all but null, false, 0, NaN and the empty string."""
    if value is None or value is False or value == "":
        return False
    kind = type(value)
    if kind is int or kind is float:
        return bool(value == value and value != 0)  # NaN alone differs from itself
    return True


def index_by_text(items: list[Any] | tuple[Any, ...], key: str) -> int | None:
    """Find the place of an item by a text key, which JavaScript counts from 0: `['a', 'b']['1']` is 'b'."""
    if key.isascii() and key.isdigit() and len(key) <= 9 and str(int(key)) == key and int(key) < len(items):
        return int(key)
    return None


# ---- numbers ---------------------------------------------------------------------------------------

_JS_NUMBER: Final = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\Z")
_JS_RADIX: Final = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)\Z")
_RADIX: Final = {"x": 16, "o": 8, "b": 2}
_LEADING_HEX: Final = re.compile(r"[+-]?0[xX][0-9a-fA-F]{1,300}")
_LEADING_INT: Final = re.compile(r"[+-]?[0-9]+")
_LEADING_FLOAT: Final = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_WIDE_SPACES: Final = "".join(map(chr, range(0x2000, 0x200B)))
JS_SPACE: Final = f"\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff{_WIDE_SPACES}"
"""What JavaScript trims and skips."""


def to_number(value: Any) -> int | float:
    """Convert as JavaScript's `Number()`: text by its digits (blank is 0, anything else NaN), null 0, true 1."""
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]  # the line above says which
    if kind is str:
        return text_to_number(value)
    if value is None:
        return 0
    if kind is bool:
        return 1 if value else 0
    if kind in (list, tuple):
        return 0 if not value else to_number(js_text(value)) if len(value) == 1 else math.nan
    return math.nan


def text_to_number(text: str) -> int | float:
    """Convert text as JavaScript's `Number()` does: trimmed, decimal, exponent or 0x, 0o, 0b; "" is 0; else NaN."""
    text = text.strip(JS_SPACE)
    if not text:
        return 0
    if _JS_NUMBER.match(text):
        return float(text)
    if _JS_RADIX.match(text):
        return double(int(text[2:], _RADIX[text[1].lower()]))
    return math.nan


def double(value: int | float) -> int | float:
    """Bring a number of any size back to what a double can hold; whole numbers stay int as long as they are exact."""
    if type(value) is int and not -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def whole(value: float) -> int | float:
    """Write a float without a fraction as an int, which is how Hog's types see it."""
    return int(value) if abs(value) <= MAX_EXACT_INTEGER and value == int(value) else value


def leading_number(value: Any, *, fraction: bool) -> int | float | None:
    """Read the number a text begins with, as `parseFloat` (`fraction`) and `parseInt` do; None if there is none."""
    text = js_text(value).lstrip(JS_SPACE)
    if not fraction and (match := _LEADING_HEX.match(text)):
        return double(int(match[0], 16))
    match = (_LEADING_FLOAT if fraction else _LEADING_INT).match(text)
    return None if match is None else whole(float(match[0]))


@functools.lru_cache(maxsize=4096)
def number_text(value: int | float) -> str:
    """
    Print a number as JavaScript does: shortest digits that read back, an exponent below 1e-6 and from 1e21 on.

    Remembered: printing a fraction takes a microsecond, and amounts come again and again. Numbers that are equal share
    an entry (1 and 1.0, 0.0 and -0.0), as they share their text.
    """
    if type(value) is int:
        if -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER:
            return str(value)
        value = double(value)
    if value != value:  # only NaN differs from itself
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(float(value))).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    # The number is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


# ---- printing --------------------------------------------------------------------------------------

_QUOTED: Final = str.maketrans(
    {
        "\b": "\\b",
        "\f": "\\f",
        "\r": "\\r",
        "\n": "\\n",
        "\t": "\\t",
        "\0": "\\0",
        "\v": "\\v",
        "\\": "\\\\",
        "'": "\\'",
    }
)


def to_text(value: Any) -> str:
    """
    Print a value inside text, as `Hi {value}` does: null and a datetime that could not be read are
    empty, all else as `to_string`.

    Raises:
        HogError: the value is nested too deeply, or its text would be too long.
    """
    if value is None or (type(value) is InvalidDate and value.clock):
        return ""
    return to_string(value)


def to_string(value: Any) -> str:
    """
    Print a value as Hog's `toString`: strings as they are, null as `null`, datetimes in ISO 8601, the rest as literals.

    Raises:
        HogError: the value is nested too deeply, or its text would be too long.
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]  # the line above says so
    if kind is int or kind is float:
        return number_text(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is datetime:
        return iso_text(value)
    if kind is date:
        return str(value)
    if kind is InvalidDate:
        return "null" if value.clock else "NaN-NaN-NaN"
    pieces: list[str] = []
    _print(value, pieces, [0], 0)
    return "".join(pieces)


def _print(value: Any, pieces: list[str], size: list[int], depth: int) -> None:
    """Print a value as a literal into `pieces`; `size` counts the characters."""
    if depth > MAX_PRINT_DEPTH:
        raise HogError(f"A value nested more than {MAX_PRINT_DEPTH} levels deep cannot be printed.")
    kind = type(value)
    if kind in (list, tuple):
        opening, closing = ("[", "]") if kind is list else ("tuple(" if len(value) < 2 else "(", ")")
        pieces.append(opening)
        for index, item in enumerate(value):
            if index:
                pieces.append(", ")
            _print(item, pieces, size, depth + 1)
        pieces.append(closing)
        size[0] += 2 * len(value) + 2
    elif kind is dict:
        pieces.append("{")
        for index, (key, item) in enumerate(value.items()):
            if index:
                pieces.append(", ")
            _print(key, pieces, size, depth + 1)
            pieces.append(": ")
            _print(item, pieces, size, depth + 1)
        pieces.append("}")
        size[0] += 4 * len(value) + 2
    else:
        piece = _literal(value, kind)
        pieces.append(piece)
        size[0] += len(piece)
    if size[0] > MAX_TEXT:
        raise memory_error(MAX_TEXT, size[0])


def _literal(value: Any, kind: type) -> str:
    """Print what has no parts as a literal."""
    if kind is str:
        return f"'{value.translate(_QUOTED)}'"
    if kind is datetime:
        return f"DateTime({float(epoch_seconds(value))!r}, '{zone_name(value)}')"
    if kind is date:
        return f"Date({value.year}, {value.month}, {value.day})"
    if kind is InvalidDate:
        return "DateTime(NaN, 'UTC')" if value.clock else "Date(NaN, NaN, NaN)"
    if kind is ErrorValue:
        payload = "" if value.payload is None else f", {to_string(value.payload)}"
        return f"{value.type}({_literal(value.message, str)}{payload})"
    if kind is Closure:
        return f"fn<{value.name}({value.least})>"
    if kind is Interval:
        return f"{{'__hogInterval__': true, 'value': {number_text(value.value)}, 'unit': '{value.unit}'}}"
    return to_string(value)


def memory_error(limit: int, wanted: int) -> HogError:
    """Word the refusal to make a larger value."""
    return HogError(f"Memory limit of {limit} bytes exceeded. Tried to allocate {wanted} bytes.")


def js_text(value: Any) -> str:
    """
    Convert as JavaScript's `String()`: lists joined with commas, null in them empty, objects `[object Map]`.

    Raises:
        HogError: the value is nested too deeply, or its text would be too long.
    """
    if type(value) is str:
        return value
    if type(value) not in (list, tuple):
        return _js_plain(value)
    pieces: list[str] = []
    _js_join(value, pieces, [0], 0)
    return "".join(pieces)


def _js_plain(value: Any) -> str:
    if type(value) is dict:
        return "[object Map]"
    return to_string(value) if value is None or type(value) in (str, int, float, bool) else "[object Object]"


def _js_join(items: Any, pieces: list[str], size: list[int], depth: int) -> None:
    if depth > MAX_PRINT_DEPTH:
        raise HogError(f"A value nested more than {MAX_PRINT_DEPTH} levels deep cannot be printed.")
    for index, item in enumerate(items):
        if index:
            pieces.append(",")
        if type(item) in (list, tuple):
            _js_join(item, pieces, size, depth + 1)
        elif item is not None:
            pieces.append(_js_plain(item))
            size[0] += len(pieces[-1])
        size[0] += 1
        if size[0] > MAX_TEXT:
            raise memory_error(MAX_TEXT, size[0])


_PART_SIZE: Final = 8


def check_size(value: Any) -> None:
    """
    Refuse a value that is too large to be handed out.

    Lambdas can build in a few steps what is huge once written down, because its parts are shared.

    Raises:
        HogError: it is nested too deeply, or would be too long.
    """
    pending = [(value, 0)]
    size = 0
    while pending:
        part, depth = pending.pop()
        size += len(part) + _PART_SIZE if type(part) is str else _PART_SIZE
        if size > MAX_TEXT:
            raise memory_error(MAX_TEXT, size)
        if depth > MAX_PRINT_DEPTH:
            raise HogError(f"A value nested more than {MAX_PRINT_DEPTH} levels deep cannot be handed out.")
        if type(part) in (list, tuple):
            size += len(part)
            pending.extend((item, depth + 1) for item in part)
        elif type(part) is dict:
            size += sum(len(key) if type(key) is str else 1 for key in part)
            pending.extend((item, depth + 1) for item in part.values())

"""
Liquid's values: how they print and count as numbers, and the guard around every filter.

Source: https://liquidjs.com/tutorials/differences.html and trials of LiquidJS 10.30.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import wraps
from typing import Any, Final

from liquid.undefined import Undefined

from smspipe.hog import to_text
from smspipe.model.clock import to_iso
from smspipe.model.errors import Fault

MAX_CHARACTERS: Final = 1_000_000
"""Characters of one value: a property of an event may be as long, before a filter cuts it down."""
MAX_ITEMS: Final = 10_000
"""Items of a list that a filter makes, or goes through as a range."""

_LARGEST_WHOLE: Final = 10**21
"""From here on JavaScript prints an exponent."""

Filter = Callable[..., Any]

_TAKE_TEXT: Final = frozenset(
    [
        "append",
        "base64_decode",
        "base64_encode",
        "base64_url_safe_decode",
        "base64_url_safe_encode",
        "capitalize",
        "cgi_escape",
        "downcase",
        "escape",
        "escape_once",
        "hmac_sha256",
        "lstrip",
        "newline_to_br",
        "normalize_whitespace",
        "number_of_words",
        "prepend",
        "remove",
        "remove_first",
        "remove_last",
        "replace",
        "replace_first",
        "replace_last",
        "rstrip",
        "sha256",
        "slugify",
        "split",
        "squish",
        "strip",
        "strip_html",
        "strip_newlines",
        "truncate",
        "truncatewords",
        "upcase",
        "uri_escape",
        "url_decode",
        "url_encode",
        "xml_escape",
    ]
)


class FilterFault(Fault):
    """A filter cannot do what it is told; `str()` of it is one sentence without data."""


def print_value(value: Any) -> str:
    """Print a value as LiquidJS does: null and missing as nothing, numbers as JavaScript, lists joined."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return to_text(value)
    if isinstance(value, Decimal):
        return to_text(float(value))
    if isinstance(value, datetime):
        return to_iso(value)
    if isinstance(value, list | tuple):
        return "".join(map(print_value, value))
    if isinstance(value, range):
        return "".join(map(str, _bounded(value)))
    if isinstance(value, Mapping):
        return "[object Object]"
    return str(value)


def guarded(name: str, function: Filter) -> Filter:
    """Wrap a filter: values go in as LiquidJS would pass them, and none comes out that is too large."""
    takes_text = name in _TAKE_TEXT

    @wraps(function)  # carries python-liquid's marks (`with_context`) along
    def guard(left: Any, *arguments: Any, **options: Any) -> Any:
        left = print_value(left) if takes_text else _bounded(number(left))
        arguments = tuple(map(_text_argument if takes_text else _argument, arguments))
        _refuse_growth(name, left, arguments)
        result = number(function(left, *arguments, **options))
        if isinstance(result, str):
            if len(result) > MAX_CHARACTERS:
                raise _too_large(name)
            # `escape` gives a kind of string that would escape what is joined to it later.
            return str.__str__(result)
        return _bounded(result)

    return guard


def _bounded(value: Any) -> Any:
    if isinstance(value, range | list) and len(value) > MAX_ITEMS:
        raise FilterFault(f"The Liquid template made a list of more than {MAX_ITEMS} items.")
    return value


def number(value: Any) -> Any:
    """Give numbers as JavaScript knows them: one kind, so 2.0 is 2, and no whole number of a million digits."""
    if isinstance(value, Decimal) or (type(value) is int and abs(value) > _LARGEST_WHOLE):
        try:
            value = float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        return int(value)
    return value


def _argument(value: Any) -> Any:
    return print_value(value) if isinstance(value, bool | datetime) else number(value)


def _text_argument(value: Any) -> Any:
    """Give an argument of a filter for texts: numbers stay, as some are lengths; all else is printed."""
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else print_value(value)


def _refuse_growth(name: str, left: Any, arguments: tuple[Any, ...]) -> None:
    """Refuse beforehand what two or three short values would make a text of many gigabytes."""
    if name == "replace" and arguments:
        old = print_value(arguments[0])
        new = print_value(arguments[1]) if len(arguments) > 1 else ""
        found = left.count(old) if old else len(left) + 1
        if len(left) + found * len(new) > MAX_CHARACTERS:
            raise _too_large(name)
    elif name == "join" and isinstance(left, list | range):
        separator = print_value(arguments[0]) if arguments else " "
        if sum(map(len, map(print_value, left))) + len(left) * len(separator) > MAX_CHARACTERS:
            raise _too_large(name)


def _too_large(name: str) -> FilterFault:
    return FilterFault(f"The Liquid filter {name} made a text of more than {MAX_CHARACTERS} characters.")


def as_number(value: Any) -> float:
    """Read a number as a filter for numbers does: missing and blank are 0; FilterFault for text that is none."""
    if isinstance(value, int | float):
        return value
    try:
        return float(print_value(value) or 0)
    except ValueError:
        raise FilterFault("A Liquid filter for numbers got a text that is none.") from None

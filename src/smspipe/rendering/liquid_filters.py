"""
The filters of Liquid that python-liquid lacks or does another way than LiquidJS, and the guard around all of them.

Source: https://liquidjs.com/filters/overview.html
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import wraps
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from liquid import RenderContext
from liquid.builtin.filters import string as string_filters
from liquid.filter import with_context
from liquid.undefined import Undefined

from smspipe.hog import to_text
from smspipe.model.clock import to_iso
from smspipe.model.errors import Fault
from smspipe.rendering.globals import encode_component

MAX_CHARACTERS: Final = 1_000_000
"""Characters of one value: a property of an event may be as long, before a filter cuts it down."""
MAX_ITEMS: Final = 10_000
"""Items of a list that a filter makes, or goes through as a range."""

Filter = Callable[..., Any]


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
    takes_text = getattr(string_filters, name, None) is not None or name in _TAKES_TEXT

    @wraps(function)  # carries python-liquid's marks (`with_context`) along
    def guard(left: Any, *arguments: Any, **options: Any) -> Any:
        left = print_value(left) if takes_text and left is not None else _bounded(_number(left))
        arguments = tuple(map(_argument, arguments))
        _refuse_growth(name, left, arguments)
        result = _number(function(left, *arguments, **options))
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


def _number(value: Any) -> Any:
    """Give numbers as JavaScript knows them: there is one kind, so 2.0 is 2."""
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def _argument(value: Any) -> Any:
    return print_value(value) if isinstance(value, bool | datetime) else _number(value)


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


# ---- numbers and dates -------------------------------------------------------------------------------------


def _divided_by(left: Any, right: Any, integer: Any = False) -> Any:
    try:
        quotient = _as_number(left) / _as_number(right)
    except ZeroDivisionError:
        raise FilterFault("The Liquid filter divided_by was told to divide by zero.") from None
    return quotient // 1 if integer == "true" else quotient


def _as_number(value: Any) -> float:
    if isinstance(value, int | float):
        return value
    try:
        return float(print_value(value) or 0)
    except ValueError:
        raise FilterFault("A Liquid filter for numbers got a text that is none.") from None


def _to_integer(value: Any) -> int:
    return int(_as_number(value))


_DATE_FORMAT: Final = "%A, %B %-e, %Y at %-l:%M %P %z"
# Python's strftime knows no milliseconds and no ordinals, and takes epoch seconds in the machine's zone.
_DATE_EXTRA = re.compile("%(%|[sLNq])")


@with_context
def _date(value: Any, form: Any = None, zone: Any = None, *, context: RenderContext) -> Any:
    """
    Format a time: ISO 8601 text, seconds since 1970, or `now`. Anything else comes out as it went in.

    python-liquid's own reads the machine's clock and zone, and guesses at text with the help of today's date.
    """
    at = context.globals["now"] if value in ("now", "today") else _to_datetime(value)
    if not isinstance(at, datetime):
        return value
    try:
        at = at.astimezone(ZoneInfo(zone) if isinstance(zone, str) else UTC)
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        raise FilterFault("The Liquid filter date got a time zone that does not exist.") from None
    extra = {
        "%": "%%",
        "s": str(int(at.timestamp())),
        "L": f"{at.microsecond // 1000:03d}",
        "N": f"{at.microsecond * 1000:09d}",
        "q": "th" if 10 < at.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(at.day % 10, "th"),
    }
    form = print_value(form) or _DATE_FORMAT
    if len(form) > _LONGEST_FORMAT:
        raise FilterFault("The Liquid filter date got a format that is too long.")
    return at.strftime(_DATE_EXTRA.sub(lambda part: extra[part[1]], form))


_LONGEST_FORMAT: Final = 200


def _to_datetime(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and not value.isdigit():
            at = datetime.fromisoformat(value.strip())
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


# ---- texts and lists ---------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Give a value as JSON knows it."""
    if isinstance(value, Undefined):
        return None
    if isinstance(value, Mapping):
        return {print_value(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return to_iso(value)
    return _number(value)


def _json(value: Any, indent: Any = 0) -> str:
    if isinstance(value, Undefined):
        return ""
    encoded = msgspec.json.encode(_plain(value))
    if isinstance(indent, int) and indent > 0:
        encoded = msgspec.json.format(encoded, indent=min(indent, 10))
    return encoded.decode()


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | range) else []


def _sentence(value: Any, connector: Any = "and") -> str:
    words = [print_value(item) for item in _list(value)]
    if len(words) < 3:
        return f" {connector} ".join(words)
    return f"{', '.join(words[:-1])}, {connector} {words[-1]}"


def _xml_escape(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(character, entity)
    return text


def _slugify(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text).strip("-").lower()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _hmac_sha256(text: str, key: Any) -> str:
    return hmac.new(print_value(key).encode(), text.encode("utf-8", "replace"), "sha256").hexdigest()


_TAKES_TEXT: Final = frozenset(
    {"cgi_escape", "hmac_sha256", "normalize_whitespace", "number_of_words", "sha256", "slugify", "uri_escape"}
    | {"xml_escape"}
)

FILTERS: Final[Mapping[str, Filter]] = {
    "array_to_sentence_string": _sentence,
    "cgi_escape": lambda text: encode_component(text).replace("%20", "+"),
    "date": _date,
    "divided_by": _divided_by,
    "hmac_sha256": _hmac_sha256,
    "inspect": _json,
    "json": _json,
    "jsonify": _json,
    "normalize_whitespace": lambda text: re.sub(r"\s+", " ", text),
    "number_of_words": lambda text: len(text.split()),
    "pop": lambda value: _list(value)[:-1],
    "push": lambda value, item: [*_list(value), item],
    "raw": lambda value: value,
    "sha256": _sha256,
    "shift": lambda value: _list(value)[1:],
    "slugify": _slugify,
    "to_integer": _to_integer,
    "unshift": lambda value, item: [item, *_list(value)],
    "uri_escape": encode_component,
    "xml_escape": _xml_escape,
}

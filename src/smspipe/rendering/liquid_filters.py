"""
The filters of Liquid that python-liquid lacks or does another way than LiquidJS.

Source: https://liquidjs.com/filters/overview.html
"""

import hashlib
import hmac
import math
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cmp_to_key
from typing import Any, Final
from urllib.parse import quote

import msgspec
from liquid.undefined import Undefined

from smspipe.model.clock import to_iso
from smspipe.rendering.globals import encode_component
from smspipe.rendering.liquid_dates import date, date_in
from smspipe.rendering.liquid_values import Filter, FilterFault, as_number, number, print_value


def _divided_by(left: Any, right: Any, integer: Any = False) -> Any:
    try:
        quotient = as_number(left) / as_number(right)
    except ZeroDivisionError:
        raise FilterFault("The Liquid filter divided_by was told to divide by zero.") from None
    return quotient // 1 if integer == "true" else quotient


def _round(value: Any, digits: Any = 0) -> float:
    """Round half away from zero; Python rounds half to even."""
    amount = as_number(value)
    if not abs(amount) < 1e15:
        return amount
    scale = 10.0 ** min(max(int(as_number(digits)), 0), 15)
    return math.copysign(math.floor(abs(amount) * scale + 0.5) / scale, amount)


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
    return number(value)


def _json(value: Any, indent: Any = 0) -> str:
    if isinstance(value, Undefined):
        return ""
    encoded = msgspec.json.encode(_plain(value))
    if isinstance(indent, int) and indent > 0:
        encoded = msgspec.json.format(encoded, indent=min(indent, 10))
    return encoded.decode()


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | range) else []


def _property(item: Any, path: Any) -> Any:
    """Look up `a.b` in an object; None where there is none."""
    for key in print_value(path).split("."):
        item = item.get(key) if isinstance(item, Mapping) and not isinstance(item, Undefined) else None
    return item


def _meets(item: Any, path: Any, *wanted: Any) -> bool:
    """Tell whether a property is what is wanted, or, when nothing is said, neither null nor false."""
    found = _property(item, path)
    if not wanted:
        return found is not None and found is not False
    return bool(number(found) == wanted[0]) and isinstance(found, bool) == isinstance(wanted[0], bool)


def _where(value: Any, *meant: Any) -> list[Any]:
    return [item for item in _list(value) if _meets(item, *meant)]


def _reject(value: Any, *meant: Any) -> list[Any]:
    return [item for item in _list(value) if not _meets(item, *meant)]


def _find_index(value: Any, *meant: Any) -> int | None:
    return next((index for index, item in enumerate(_list(value)) if _meets(item, *meant)), None)


def _map(value: Any, path: Any) -> list[Any]:
    return [_property(item, path) for item in _list(value)]


def _group_by(value: Any, path: Any) -> list[Any]:
    groups: dict[str, tuple[Any, list[Any]]] = {}
    for item in _list(value):
        name = _property(item, path)
        groups.setdefault(print_value(name), (name, []))[1].append(item)
    return [{"name": name, "items": items} for name, items in groups.values()]


def _sort(value: Any, path: Any = None) -> list[Any]:
    """Sort; what has no order, like a number and a word, stays in place, and null comes last."""

    def key(item: Any) -> Any:
        return item if path is None else _property(item, path)

    def order(left: Any, right: Any) -> int:
        try:
            return int(left > right) - int(left < right)
        except TypeError:
            return 0

    items = _list(value)
    there = [item for item in items if key(item) is not None]
    there.sort(key=cmp_to_key(lambda left, right: order(key(left), key(right))))
    return there + [item for item in items if key(item) is None]


def _join(value: Any, separator: Any = " ") -> str:
    return print_value(separator).join(map(print_value, value if isinstance(value, list | tuple | range) else [value]))


def _end(index: int) -> Filter:
    def filter_(value: Any) -> Any:
        return value[index] if isinstance(value, str | list | range) and value else None

    return filter_


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | range) else 0


def _sentence(value: Any, connector: Any = "and") -> str:
    words = [print_value(item) for item in _list(value)]
    if len(words) < 3:
        return f" {connector} ".join(words)
    return f"{', '.join(words[:-1])}, {connector} {words[-1]}"


_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
_ENTITY = re.compile(r"&(?:amp|lt|gt|#34|#39);")
_ESCAPED: Final = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&#34;": '"', "&#39;": "'"}


def escape_html(text: str) -> str:
    """Write the five characters that mean something in HTML as it names them."""
    return text.translate(_MARKUP)


def _escape_once(text: str) -> str:
    return escape_html(_ENTITY.sub(lambda entity: _ESCAPED[entity[0]], text))


def _slugify(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text).strip("-").lower()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _hmac_sha256(text: str, key: Any) -> str:
    return hmac.new(print_value(key).encode(), text.encode("utf-8", "replace"), "sha256").hexdigest()


FILTERS: Final[Mapping[str, Filter]] = {
    "array_to_sentence_string": _sentence,
    "cgi_escape": lambda text: encode_component(text).replace("%20", "+"),
    "date": date,
    "date_to_long_string": date_in("%d %B %Y"),
    "date_to_rfc822": date_in("%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": date_in("%d %b %Y"),
    "date_to_xmlschema": date_in("%Y-%m-%dT%H:%M:%S+00:00"),
    "divided_by": _divided_by,
    "escape": escape_html,
    "escape_once": _escape_once,
    "find": lambda value, *meant: next(iter(_where(value, *meant)), None),
    "find_index": _find_index,
    "first": _end(0),
    "group_by": _group_by,
    "has": lambda value, *meant: bool(_where(value, *meant)),
    "hmac_sha256": _hmac_sha256,
    "inspect": _json,
    "join": _join,
    "json": _json,
    "jsonify": _json,
    "last": _end(-1),
    "map": _map,
    "normalize_whitespace": lambda text: re.sub(r"\s+", " ", text),
    "number_of_words": lambda text: len(text.split()),
    "pop": lambda value: _list(value)[:-1],
    "push": lambda value, item: [*_list(value), item],
    "raw": lambda value: value,
    "reject": _reject,
    "round": _round,
    "sha256": _sha256,
    "shift": lambda value: _list(value)[1:],
    "size": _size,
    "slugify": _slugify,
    "sort": _sort,
    "to_integer": as_number,
    "unshift": lambda value, item: [item, *_list(value)],
    "uri_escape": lambda text: quote(text, safe=";,/?:@&=+$-_.!~*'()#[]", errors="replace"),
    "where": _where,
    "xml_escape": escape_html,
}

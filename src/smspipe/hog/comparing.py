"""
How Hog compares, matches and looks for values: JavaScript's rules, with PostHog's additions.

    number and text      the text is read as a number; "" is 0, junk is NaN, which equals nothing
    boolean and text     the text is true only when it is exactly "true"
    boolean and number   1 and 0
    text and text        by UTF-16 code units
    null                 equals only null; ordered, it is 0 against numbers
    dates                by the second they begin, also against text that reads as a date
    lists of numbers     item by item, then by length; other lists and objects equal only themselves

Membership (`in`, `has`) is strict: no conversion at all.
"""

import functools
import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final

import re2

from smspipe.hog.dates import epoch_seconds, parse_date
from smspipe.hog.values import HogError, InvalidDate, js_text, text_to_number, to_number, to_string, truthy

_DATES: Final = frozenset({datetime, date, InvalidDate})
_NUMBERS: Final = frozenset({int, float})
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_LISTS: Final = frozenset({list, tuple})
_WILDCARDS: Final = {"%": ".*", "_": "."}
MAX_PATTERN: Final = 10_000
"""Characters of the longest regular expression or LIKE pattern."""


def hog_equals(left: Any, right: Any) -> bool:
    """Tell whether `left == right` in Hog."""
    kind = type(left)
    if kind is str and type(right) is str:
        return bool(left == right)
    if left is None or right is None:
        return left is right
    left, right = _unify(left, right)
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return bool(left == right)
    if type(left) in _LISTS and type(right) in _LISTS and _all_numbers(left) and _all_numbers(right):
        return list(left) == list(right)
    if type(left) in (str, bool) and type(left) is type(right):
        return bool(left == right)
    return left is right


def hog_less(left: Any, right: Any) -> bool:
    """Tell whether `left < right` in Hog."""
    order = _order(left, right)
    return order is not None and order < 0


def hog_less_or_equal(left: Any, right: Any) -> bool:
    """Tell whether `left <= right` in Hog."""
    order = _order(left, right)
    return order is not None and order <= 0


def hog_greater(left: Any, right: Any) -> bool:
    """Tell whether `left > right` in Hog."""
    order = _order(left, right)
    return order is not None and order > 0


def hog_greater_or_equal(left: Any, right: Any) -> bool:
    """Tell whether `left >= right` in Hog."""
    order = _order(left, right)
    return order is not None and order >= 0


def strictly_equal(left: Any, right: Any) -> bool:
    """Tell whether two values are the same without any conversion, as JavaScript's `===` does; two dates never are."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return bool(left == right)
    if type(left) is type(right) and type(left) in (str, bool):
        return bool(left == right)
    return left is right


def index_in(items: list[Any] | tuple[Any, ...], wanted: Any) -> int:
    """Find `wanted` in a list without any conversion; -1 if it is not there."""
    if type(wanted) is str:
        # Only str equals str, so the loop can be left to the list itself.
        return items.index(wanted) if wanted in items else -1
    for index, item in enumerate(items):
        if strictly_equal(item, wanted):
            return index
    return -1


def includes(items: list[Any] | tuple[Any, ...], wanted: Any) -> bool:
    """Tell whether `wanted` is in a list without any conversion; here alone NaN is found as itself."""
    if type(wanted) is float and math.isnan(wanted):
        return any(type(item) is float and math.isnan(item) for item in items)
    return index_in(items, wanted) >= 0


def hog_in(wanted: Any, container: Any) -> bool:
    """
    Tell whether `wanted in container`: an item of a list, compared strictly, or a part of a text.

    Raises:
        HogError: `container` is null, or neither a list nor text.
    """
    if type(container) in _LISTS:
        return includes(container, wanted)
    if type(container) is str:
        return type(wanted) in _PLAIN and to_string(wanted) in container
    kind = "null" if container is None else "a value that is neither a list nor text"
    raise HogError(f"Cannot look for something in {kind}.")


def _order(left: Any, right: Any) -> int | None:
    """Order two values: below 0, 0 or above 0; None when neither is before the other (NaN, unreadable dates)."""
    left, right = _unify(left, right)
    if type(left) in _LISTS and type(right) in _LISTS and _all_numbers(left) and _all_numbers(right):
        return _sign(list(left), list(right))
    if type(left) in _DATES or type(right) in _DATES:
        return None  # a date and what is none: JavaScript would compare "[object Object]"
    return plain_order(left, right)


def plain_order(left: Any, right: Any) -> int | None:
    """Order two values as JavaScript alone does, without PostHog's additions; None when neither is before the other."""
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
        left, right = _primitive(left), _primitive(right)
        if type(left) is str and type(right) is str:
            if not (left.isascii() and right.isascii()):
                # Code units, not code points: an emoji sorts before U+FF5E.
                left, right = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
            return _sign(left, right)
        left, right = to_number(left), to_number(right)
    if left != left or right != right:  # only NaN differs from itself
        return None
    return _sign(left, right)


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _primitive(value: Any) -> Any:
    """Turn what is not a plain value into the text JavaScript compares instead."""
    return value if value is None or type(value) in (str, int, float, bool) else js_text(value)


def _unify(left: Any, right: Any) -> tuple[Any, Any]:
    """Bring two values of different types to one, where the table above says how."""
    one, other = type(left), type(right)
    if one is other and one is not datetime and one is not date and one is not InvalidDate:
        return left, right
    if one in _DATES or other in _DATES:
        first, second = _seconds(left), _seconds(right)
        return (left, right) if first is None or second is None else (first, second)
    if one in _NUMBERS and other is str:
        return left, text_to_number(right)
    if one is str and other in _NUMBERS:
        return text_to_number(left), right
    if one is bool:
        if other is str:
            return left, right == "true"
        return (int(left), right) if other in _NUMBERS else (left, right)
    if other is bool:
        if one is str:
            return left == "true", right
        return (left, int(right)) if one in _NUMBERS else (left, right)
    return left, right


def _seconds(value: Any) -> int | float | None:
    """Place a date in time; NaN when it was unreadable, None when the value is no date at all."""
    kind = type(value)
    if kind is datetime or kind is date:
        return epoch_seconds(value)
    if kind is InvalidDate:
        return math.nan
    if kind is str:
        read = parse_date(value, UTC)
        return None if read is None else epoch_seconds(read)
    return None


def _all_numbers(items: Iterable[Any]) -> bool:
    return all(type(item) in _NUMBERS and math.isfinite(item) for item in items)


# ---- patterns --------------------------------------------------------------------------------------


def like(value: Any, pattern: Any, case_insensitive: bool = False) -> bool:
    """
    Tell whether `value like pattern`: `%` stands for any characters, `_` for one, neither for a line break.

    PostHog does not anchor the pattern: `'abc' like 'b'` holds. Null is like nothing.

    Raises:
        HogError: the pattern is too long.
    """
    if value is None or pattern is None:
        return False
    text = value if type(value) is str else js_text(value)
    pattern = pattern if type(pattern) is str else js_text(pattern)
    core = pattern.strip("%")  # at either end a wildcard adds nothing to a pattern that is not anchored
    if "%" not in core and "_" not in core:
        if not case_insensitive:
            return core in text
        if core.isascii() and text.isascii():
            return core.lower() in text.lower()
    expression = "".join(_WILDCARDS.get(character) or re2.escape(character) for character in core)
    return search(f"(?i){expression}" if case_insensitive else expression, text) is not None


def matches(value: Any, expression: Any, case_insensitive: bool = False) -> bool:
    """
    Tell whether the regular expression (RE2) is found in `value`.

    What does not count as true, such as null, "" and 0, never matches; and nothing matches such an expression, except
    that with `case_insensitive` it is read as text first.

    Raises:
        HogError: the expression is not valid RE2, or too long.
    """
    if not truthy(value) or not (case_insensitive or truthy(expression)):
        return False
    expression, text = js_text(expression), js_text(value)
    return search(f"(?i){expression}" if case_insensitive else expression, text) is not None


def search(expression: str, text: str) -> Any:
    """
    Find the first match of a regular expression, in time linear in the length of `text`.

    Raises:
        HogError: the expression is not valid RE2, or too long.
    """
    compiled = _compiled(expression)
    try:
        return compiled.search(text)
    except UnicodeEncodeError:  # half of a surrogate pair: RE2 reads UTF-8 only
        return compiled.search(text.encode("utf-8", "replace").decode())


@functools.lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    if len(expression) > MAX_PATTERN:
        raise HogError(f"A pattern has {len(expression)} characters; {MAX_PATTERN} is the most.")
    options = re2.Options()
    options.log_errors = False  # RE2 would write to standard error
    options.max_mem = 8 << 20
    try:
        return re2.compile(expression, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise HogError("A regular expression is not valid RE2.") from error

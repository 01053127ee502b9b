"""Operators that put a value before or after another: numbers and text, between, dates, versions."""

import math
import operator as python_operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from smspipe.hog import hog_greater, hog_greater_or_equal, hog_less, hog_less_or_equal, to_number, to_string
from smspipe.hog.dates import parse_date
from smspipe.matching.dates import read_relative_date
from smspipe.matching.probe import Built, Probe, SingleBuilder
from smspipe.matching.semver import Version, read_version, version_range
from smspipe.matching.sentences import show
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode

EXACT_LIMIT: Final = 2**53
"""Below it a double holds every whole number, so Python and Hog compare alike."""
_HOG_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": hog_greater,
    "gte": hog_greater_or_equal,
    "lt": hog_less,
    "lte": hog_less_or_equal,
}
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": python_operator.gt,
    "gte": python_operator.ge,
    "lt": python_operator.lt,
    "lte": python_operator.le,
}


def _ordered(name: str, value: Any, mode: Mode) -> Probe:
    compare, plain, sane = _HOG_ORDER[name], _ORDER[name], mode is Mode.SANE
    if type(value) in (int, float) and abs(value) < EXACT_LIMIT:

        def ordered(x: Any, _now: datetime) -> bool:
            if type(x) is int or type(x) is float:
                return plain(x, value)
            return not (sane and x is None) and compare(x, value)

        return ordered
    if sane:
        return lambda x, _now: x is not None and compare(x, value)
    return lambda x, _now: compare(x, value)


def ordering(name: str) -> SingleBuilder:
    """Make the builder for gt, gte, lt or lte; it raises Invalid for a value that is none for it."""

    def build(value: Any, mode: Mode, field: str) -> Probe:
        if type(value) not in (int, float, str, bool):
            raise Invalid("This cannot be put in order.", field=field, hint="Write a number or a text.")
        return _ordered(name, value, mode)

    return build


def compile_between(value: Any, mode: Mode, field: str) -> Built:
    """
    Compile between: both bounds are in.

    Raises:
        Invalid: the value is no pair of numbers, the lower first.
    """
    low, high = _bounds(value, field)
    at_least, at_most = _ordered("gte", low, mode), _ordered("lte", high, mode)
    text = f"between {show(low)} and {show(high)}"
    return (lambda x, now: at_least(x, now) and at_most(x, now)), f"is not {text}", f"be {text}"


def compile_not_between(value: Any, mode: Mode, field: str) -> Built:
    """
    Compile not_between: below the one or above the other bound.

    Raises:
        Invalid: the value is no pair of numbers, the lower first.
    """
    # Not the opposite of between: junk is neither between two numbers nor outside of them.
    low, high = _bounds(value, field)
    below, above = _ordered("lt", low, mode), _ordered("gt", high, mode)
    text = f"below {show(low)} or above {show(high)}"
    return (lambda x, now: below(x, now) or above(x, now)), f"is not {text}", f"be {text}"


def _bounds(value: Any, field: str) -> tuple[Any, Any]:
    """Check the two bounds of between."""
    hint = "Write the lower and the upper number, such as [1, 10]."
    if not isinstance(value, list) or len(value) != 2:
        raise Invalid("Between needs two numbers.", field=field, hint=hint)
    low, high = (to_number(each) if type(each) in (int, float, str) and each != "" else math.nan for each in value)
    if math.isnan(low) or math.isnan(high):
        raise Invalid("Between needs two numbers.", field=field, hint=hint)
    if low > high:
        raise Invalid("The lower bound is above the upper one.", field=field, hint=hint)
    return value[0], value[1]


def dated(compare: Callable[[datetime, datetime], bool]) -> SingleBuilder:
    """Make the builder for a comparison of dates, of which the value may be relative to now.

    The builder raises Invalid for a value that is none for it.
    """

    def build(value: Any, mode: Mode, field: str) -> Probe:
        fixed = parse_date(value, UTC) if isinstance(value, str) else None
        moving = read_relative_date(value) if isinstance(value, str) else None
        if fixed is None and moving is None:
            if mode is Mode.POSTHOG and isinstance(value, str):
                return lambda _x, _now: False  # to PostHog not a number (NaN), and nothing compares with that
            raise Invalid(
                "This is not a date.",
                field=field,
                hint="Write 2026-01-31, 2026-01-31T12:00:00Z or, for a week ago, -7d.",
            )

        def dated(x: Any, now: datetime) -> bool:
            at = None if x is None else parse_date(to_string(x), UTC)
            if at is None:
                return False
            if fixed is not None:
                return compare(at, fixed)
            # Hog's dates are exact to the millisecond, so the moment that moves with the clock is cut to it.
            moment = moving(now)  # type: ignore[misc]  # one of the two is given, or the value was refused
            return compare(at, moment.replace(microsecond=moment.microsecond // 1000 * 1000))

        return dated

    return build


def versioned(compare: Callable[[Version, Version], bool], orders: bool) -> SingleBuilder:
    """Make the builder for a comparison of versions; `orders` is false for (un)equality.

    The builder raises Invalid for a value that is none for it.
    """

    def build(value: Any, mode: Mode, field: str) -> Probe:
        wanted = read_version(value)
        if mode is Mode.POSTHOG:
            return lambda x, _now: compare(read_version(x), wanted)
        if not wanted:
            raise Invalid("This is not a version number.", field=field, hint="Write a version such as 1.2.3.")
        if not orders:
            return lambda x, _now: compare(read_version(x), wanted)

        def ordered(x: Any, _now: datetime) -> bool:
            version = read_version(x)
            return version != () and compare(version, wanted)

        return ordered

    return build


def ranged(name: str) -> SingleBuilder:
    """Make the builder for one of the ranges of versions; it raises Invalid for a value that is none for it."""

    def build(value: Any, _mode: Mode, field: str) -> Probe:
        first, past = version_range(name, value, field)
        return lambda x, _now: first <= read_version(x) < past

    return build

"""
The operators of property conditions: each compiled, with its value, to a question about one property's value.

Comparing is Hog's (`5 == "5.0"`, text by code units, missing values as null), with these rules on top:

    one value            as it stands; a list of one is that one
    several values       exact, in: a member, compared strictly; all others: any of them
    negative operators   not_… is the opposite of …, so of several values none may hold
    no value, []         no condition at all, so always true (see `conditions`)

`Mode.SANE` differs from PostHog in three places: a missing value is neither less nor greater than anything,
"null" is not found in a missing value, and a member may be the same number written as text (or the other way).
"""

import functools
import math
import operator as python_operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from smspipe.hog import (
    HogError,
    hog_equals,
    hog_greater,
    hog_greater_or_equal,
    hog_in,
    hog_less,
    hog_less_or_equal,
    like,
    to_number,
    to_string,
)
from smspipe.hog.dates import parse_date
from smspipe.matching.dates import read_relative_date
from smspipe.matching.patterns import compile_pattern
from smspipe.matching.semver import Version, read_version, version_range
from smspipe.matching.sentences import show, show_list
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode

Probe = Callable[[Any, datetime], bool]
"""Answers the question for a property's value (None when missing), given what time it is."""

EXACT_LIMIT: Final = 2**53
"""Below it a double holds every whole number, so Python and Hog compare alike."""
_LONGEST_PART: Final = 2000
"""Characters to look for within a text, before they grow by escaping past what Hog takes for a pattern."""
_ALIASES: Final = {"min": "gte", "max": "lte", "is_cleaned_path_exact": "exact"}
# Without a project's path cleaning rules, which only PostHog's own reports have, a cleaned path is the path.
_NEGATIVE: Final = {
    "is_not": "exact",
    "is_not_set": "is_set",
    "not_icontains": "icontains",
    "not_icontains_multi": "icontains_multi",
    "not_regex": "regex",
    "not_in": "in",
}


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """
    One operator with its value.

    The condition holds when `probe` answers `wanted`. For sentences: `does_not` follows "which", `do` follows "must".
    """

    probe: Probe
    does_not: str
    do: str
    wanted: bool = True


def needs_value(operator: str | None) -> bool:
    """Tell whether a condition with this operator is incomplete without a value."""
    return operator not in ("is_set", "is_not_set")


def compile_test(operator: str | None, value: Any, mode: Mode, field: str) -> Test:
    """
    Compile an operator (None: exact) and its value.

    Raises:
        Invalid: the operator is unknown, or the value is none for it.
    """
    name = operator or "exact"
    name = _ALIASES.get(name, name)
    wanted = name not in _NEGATIVE
    name = _NEGATIVE.get(name, name)
    if name not in _WHOLE and name not in _SINGLE:
        known = sorted({*_WHOLE, *_SINGLE, *_ALIASES, *_NEGATIVE})
        raise Invalid(
            f"The operator {show(name)} is not known.",
            field=f"{field}__operator",
            hint=f"Use one of {', '.join(known)}.",
        )
    try:
        build = _WHOLE.get(name) or functools.partial(_any_of, name)
        probe, does_not, do = build(value, mode, f"{field}__value")
    except HogError as error:  # a list too deep to be written as text
        raise Invalid(f"This value cannot be compared: {error}", field=f"{field}__value") from error
    return Test(probe=probe, does_not=does_not, do=do, wanted=wanted)


Built = tuple[Probe, str, str]
Builder = Callable[[Any, Mode, str], Built]


def _any_of(name: str, value: Any, mode: Mode, field: str) -> Built:
    """Build an operator that takes one value; of several, any may hold."""
    values = value if isinstance(value, list) else [value]
    builder, words = _SINGLE[name], _WORDS[name]
    listed = show_list(values)
    does_not, do = (part.format(listed) for part in words)
    if len(values) == 1:
        return builder(values[0], mode, field), does_not, do
    probes = [builder(each, mode, f"{field}__{index}") for index, each in enumerate(values)]
    return (lambda x, now: any(probe(x, now) for probe in probes)), does_not, do


# ---- operators that take their value whole -----------------------------------------------------------


def _exact(value: Any, mode: Mode, _field: str) -> Built:
    if isinstance(value, list) and len(value) > 1:
        return _member(value, mode), f"is none of {show_list(value)}", f"be {show_list(value)}"
    wanted = value[0] if isinstance(value, list) else value
    return _equals(wanted), f"is not {show(wanted)}", f"be {show(wanted)}"


def _equals(wanted: Any) -> Probe:
    if type(wanted) is str:
        return lambda x, _now: x == wanted if type(x) is str else hog_equals(x, wanted)
    return lambda x, _now: hog_equals(x, wanted)


def _in(value: Any, mode: Mode, _field: str) -> Built:
    values = value if isinstance(value, list) else [value]
    return _member(values, mode), f"is not in {show_list(values)}", f"be in {show_list(values)}"


def _member(values: list[Any], mode: Mode) -> Probe:
    texts = frozenset(each for each in values if type(each) is str)
    if mode is Mode.POSTHOG:
        return lambda x, _now: x in texts if type(x) is str else x is not None and hog_in(x, values)
    numbers = [each for each in values if type(each) in (int, float)]
    # What text says as a number; blank text would say 0 and is left out, as nobody means it.
    spoken = [to_number(each) for each in values if type(each) is str and each.strip()]

    def found(x: Any, _now: datetime) -> bool:
        if type(x) is str:
            return x in texts or (x.strip() != "" and any(hog_equals(x, number) for number in numbers))
        if type(x) is bool:
            return hog_in(x, values) or ("true" if x else "false") in texts
        return x is not None and (hog_in(x, values) or any(type(x) in (int, float) and x == each for each in spoken))

    return found


def _is_set(_value: Any, _mode: Mode, _field: str) -> Built:
    return (lambda x, _now: x is not None), "is not set", "be set"


def _icontains(value: Any, mode: Mode, field: str) -> Built:
    if isinstance(value, list) and len(value) > 1:
        return _icontains_multi(value, mode, field)
    wanted = to_string(value[0] if isinstance(value, list) else value)
    if len(wanted) > _LONGEST_PART or not _whole(wanted):
        raise Invalid(f"This is no text of at most {_LONGEST_PART} characters.", field=field)
    words = f"does not contain {show(wanted)}", f"contain {show(wanted)}"
    pattern = f"%{wanted}%"
    if "%" in wanted or "_" in wanted or not wanted.isascii():
        return _of_text(lambda text: like(text, pattern, case_insensitive=True), mode), *words
    folded = wanted.lower()

    def found(text: str) -> bool:
        return folded in text.lower() if text.isascii() else like(text, pattern, case_insensitive=True)

    return _of_text(found, mode), *words


def _whole(text: str) -> bool:
    """Tell whether `text` has no half of a character (a lone surrogate)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _icontains_multi(value: Any, mode: Mode, _field: str) -> Built:
    values = value if isinstance(value, list) else [value]
    needles = [to_string(each).lower() for each in values]

    def found(text: str) -> bool:
        folded = text.lower()
        return any(needle in folded for needle in needles)

    return _of_text(found, mode), f"does not contain {show_list(values)}", f"contain {show_list(values)}"


def _of_text(found: Callable[[str], bool], mode: Mode) -> Probe:
    """Ask about a value's text. To PostHog a missing value reads `null`; a person finds nothing in it."""
    if mode is Mode.POSTHOG:
        return lambda x, _now: found(x if type(x) is str else to_string(x))
    return lambda x, _now: found(x) if type(x) is str else x is not None and found(to_string(x))


def _between(value: Any, mode: Mode, field: str) -> Built:
    low, high = _bounds(value, field)
    at_least, at_most = _ordered("gte", low, mode), _ordered("lte", high, mode)
    text = f"between {show(low)} and {show(high)}"
    return (lambda x, now: at_least(x, now) and at_most(x, now)), f"is not {text}", f"be {text}"


def _not_between(value: Any, mode: Mode, field: str) -> Built:
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


# ---- operators that take one value -------------------------------------------------------------------

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


def _ordering(name: str) -> Callable[[Any, Mode, str], Probe]:
    def build(value: Any, mode: Mode, field: str) -> Probe:
        if type(value) not in (int, float, str, bool):
            raise Invalid("This cannot be put in order.", field=field, hint="Write a number or a text.")
        return _ordered(name, value, mode)

    return build


def _regex(value: Any, mode: Mode, field: str) -> Probe:
    return _of_text(compile_pattern(value, field), mode)


def _dated(compare: Callable[[datetime, datetime], bool]) -> Callable[[Any, Mode, str], Probe]:
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


def _versioned(compare: Callable[[Version, Version], bool], orders: bool) -> Callable[[Any, Mode, str], Probe]:
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


def _ranged(name: str) -> Callable[[Any, Mode, str], Probe]:
    def build(value: Any, _mode: Mode, field: str) -> Probe:
        first, past = version_range(name, value, field)
        return lambda x, _now: first <= read_version(x) < past

    return build


_WHOLE: Final[Mapping[str, Builder]] = {
    "exact": _exact,
    "in": _in,
    "is_set": _is_set,
    "icontains": _icontains,
    "icontains_multi": _icontains_multi,
    "between": _between,
    "not_between": _not_between,
}
_SINGLE: Final[Mapping[str, Callable[[Any, Mode, str], Probe]]] = {
    **{name: _ordering(name) for name in _ORDER},
    "regex": _regex,
    "is_date_exact": _dated(python_operator.eq),
    "is_date_before": _dated(python_operator.lt),
    "is_date_after": _dated(python_operator.gt),
    "semver_eq": _versioned(python_operator.eq, orders=False),
    "semver_neq": _versioned(python_operator.ne, orders=False),
    "semver_gt": _versioned(python_operator.gt, orders=True),
    "semver_gte": _versioned(python_operator.ge, orders=True),
    "semver_lt": _versioned(python_operator.lt, orders=True),
    "semver_lte": _versioned(python_operator.le, orders=True),
    **{name: _ranged(name) for name in ("semver_tilde", "semver_caret", "semver_wildcard")},
}
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "gt": ("is not greater than {}", "be greater than {}"),
    "gte": ("is not at least {}", "be at least {}"),
    "lt": ("is not less than {}", "be less than {}"),
    "lte": ("is not at most {}", "be at most {}"),
    "regex": ("does not match the pattern {}", "match the pattern {}"),
    "is_date_exact": ("is not the date {}", "be the date {}"),
    "is_date_before": ("is not a date before {}", "be a date before {}"),
    "is_date_after": ("is not a date after {}", "be a date after {}"),
    "semver_eq": ("is not version {}", "be version {}"),
    "semver_neq": ("is not another version than {}", "be another version than {}"),
    "semver_gt": ("is not a version above {}", "be a version above {}"),
    "semver_gte": ("is not version {} or above", "be version {} or above"),
    "semver_lt": ("is not a version below {}", "be a version below {}"),
    "semver_lte": ("is not version {} or below", "be version {} or below"),
    "semver_tilde": ("is not a version like ~{}", "be a version like ~{}"),
    "semver_caret": ("is not a version like ^{}", "be a version like ^{}"),
    "semver_wildcard": ("is not a version like {}", "be a version like {}"),
}
OF_VALUES: Final = frozenset({None, *_WHOLE, *_SINGLE, *_ALIASES, *_NEGATIVE}) - {
    *("is_set", "is_not_set", "between", "not_between")
}
"""The operators that take any number of values, none included."""

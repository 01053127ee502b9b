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
import operator as python_operator
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from smspipe.hog import HogError
from smspipe.matching.containing import compile_icontains, compile_icontains_multi, compile_regex
from smspipe.matching.equality import compile_exact, compile_in, compile_is_set
from smspipe.matching.ordering import compile_between, compile_not_between, dated, ordering, ranged, versioned
from smspipe.matching.probe import Builder, Built, Probe, SingleBuilder
from smspipe.matching.sentences import show, show_list
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode

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


_WHOLE: Final[Mapping[str, Builder]] = {
    "exact": compile_exact,
    "in": compile_in,
    "is_set": compile_is_set,
    "icontains": compile_icontains,
    "icontains_multi": compile_icontains_multi,
    "between": compile_between,
    "not_between": compile_not_between,
}
_SINGLE: Final[Mapping[str, SingleBuilder]] = {
    **{name: ordering(name) for name in ("gt", "gte", "lt", "lte")},
    "regex": compile_regex,
    "is_date_exact": dated(python_operator.eq),
    "is_date_before": dated(python_operator.lt),
    "is_date_after": dated(python_operator.gt),
    "semver_eq": versioned(python_operator.eq, orders=False),
    "semver_neq": versioned(python_operator.ne, orders=False),
    "semver_gt": versioned(python_operator.gt, orders=True),
    "semver_gte": versioned(python_operator.ge, orders=True),
    "semver_lt": versioned(python_operator.lt, orders=True),
    "semver_lte": versioned(python_operator.le, orders=True),
    **{name: ranged(name) for name in ("semver_tilde", "semver_caret", "semver_wildcard")},
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

"""Each operator, in both modes: the table of PostHog's semantics, row by row."""

from datetime import UTC, datetime
from typing import Any

import pytest

from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode
from tests.matching.conftest import MISSING, NOW, Holds, decide, make_event, make_matcher

BOTH = [
    # exact: as Hog compares one value
    (None, "pro", "pro", True),
    ("exact", "pro", "pro", True),
    ("exact", "Pro", "pro", False),
    ("exact", 5, "5", True),
    ("exact", 5, "5.0", True),
    ("exact", 5, " 5 ", True),
    ("exact", 5, "5px", False),
    ("exact", "5", 5, True),
    ("exact", 0, "", True),
    ("exact", True, "true", True),
    ("exact", "true", True, True),
    ("exact", "1", True, False),
    ("exact", "True", True, False),
    ("exact", "no", False, True),
    ("exact", 1, True, True),
    ("exact", "", "", True),
    ("exact", MISSING, "", False),
    ("exact", None, "null", False),
    ("exact", ["a"], ["a"], False),
    ("exact", {"a": 1}, "a", False),
    ("exact", "pro", ["pro"], True),
    ("exact", 5, ["5"], True),
    ("exact", "pro", ["free", "pro"], True),
    ("exact", "team", ["free", "pro"], False),
    ("exact", True, ["pro", True], True),
    ("exact", 1, ["pro", True], False),
    ("exact", MISSING, ["free", "pro"], False),
    ("exact", "anything", [], True),
    ("gt", MISSING, [], True),
    ("is_set", MISSING, [], False),
    ("is_cleaned_path_exact", "/a", "/a", True),
    ("is_cleaned_path_exact", "/b", "/a", False),
    # is_not: a missing value is not the wanted one either
    ("is_not", "pro", "pro", False),
    ("is_not", "free", "pro", True),
    ("is_not", 5, "5", False),
    ("is_not", MISSING, "pro", True),
    ("is_not", None, "pro", True),
    ("is_not", "pro", ["free", "pro"], False),
    ("is_not", "team", ["free", "pro"], True),
    ("is_not", MISSING, ["free", "pro"], True),
    ("is_not", "anything", [], True),
    # is_set: the empty text is set
    ("is_set", "x", "is_set", True),
    ("is_set", "", None, True),
    ("is_set", False, None, True),
    ("is_set", MISSING, None, False),
    ("is_set", None, "is_set", False),
    ("is_not_set", MISSING, None, True),
    ("is_not_set", None, "is_not_set", True),
    ("is_not_set", "", None, False),
    # icontains: blind to case, in a value's text, % and _ are wildcards in a single value
    ("icontains", "West Berlin", "berlin", True),
    ("icontains", "Köln", "KÖLN", True),
    ("icontains", "Munich", "berlin", False),
    ("icontains", 12345, "234", True),
    ("icontains", True, "TRUE", True),
    ("icontains", ["a", "b"], "'b'", True),
    ("icontains", "a--b", "a%b", True),
    ("icontains", "a-b", "a_b", True),
    ("icontains", "a--b", "a_b", False),
    ("icontains", "a%b", "a%b", True),
    ("icontains", "West Berlin", ["paris", "berlin"], True),
    ("icontains", "Munich", ["paris", "berlin"], False),
    ("icontains", "a--b", ["a%b", "zz"], False),
    ("icontains", "Berlin", ["berlin"], True),
    ("icontains", MISSING, "x", False),
    ("not_icontains", "West Berlin", "berlin", False),
    ("not_icontains", "Munich", "berlin", True),
    ("not_icontains", "Munich", ["paris", "berlin"], True),
    ("not_icontains", "Paris", ["paris", "berlin"], False),
    ("not_icontains", MISSING, "x", True),
    ("icontains_multi", "West Berlin", ["berlin"], True),
    ("icontains_multi", "West Berlin", "BERLIN", True),
    ("icontains_multi", "a--b", ["a%b"], False),
    ("not_icontains_multi", "West Berlin", ["berlin", "paris"], False),
    ("not_icontains_multi", "Munich", ["berlin", "paris"], True),
    # regex: RE2, anywhere, case-sensitive
    ("regex", "order-17", "[0-9]+$", True),
    ("regex", "order-17", "^[0-9]+", False),
    ("regex", "ORDER", "order", False),
    ("regex", "ORDER", "(?i)order", True),
    ("regex", 17, "^17$", True),
    ("regex", "x", "", False),
    ("regex", "", ".*", False),
    ("regex", "b", ["^a", "^b"], True),
    ("regex", MISSING, "^x", False),
    ("not_regex", "order-17", "[0-9]+$", False),
    ("not_regex", "order", "[0-9]+$", True),
    ("not_regex", "b", ["^a", "^b"], False),
    ("not_regex", "c", ["^a", "^b"], True),
    ("not_regex", MISSING, "^x", True),
    # ordering
    ("gt", 101, 100, True),
    ("gt", 100, 100, False),
    ("gt", "101", 100, True),
    ("gt", 101, "100", True),
    ("gt", "20", "100", True),
    ("gt", "junk", 100, False),
    ("gt", True, 0, True),
    ("gte", 100, 100, True),
    ("gte", 99.5, 100, False),
    ("min", 100, 100, True),
    ("lt", 99, 100, True),
    ("lt", 100, 100, False),
    ("lt", "junk", 100, False),
    ("lte", 100, 100, True),
    ("max", 101, 100, False),
    ("max", 100, 100, True),
    ("gt", 5, [10, 3], True),
    ("gt", 2, [10, 3], False),
    ("gt", [1, 9], 1, False),
    # between: both ends are in; junk is neither between nor outside
    ("between", 5, [1, 5], True),
    ("between", 1, ["1", "5"], True),
    ("between", 6, [1, 5], False),
    ("between", "3", [1, 5], True),
    ("between", "junk", [1, 5], False),
    ("not_between", 6, [1, 5], True),
    ("not_between", 0, [1, 5], True),
    ("not_between", 5, [1, 5], False),
    ("not_between", "junk", [1, 5], False),
    # membership
    ("in", "a", ["a", "b"], True),
    ("in", "c", ["a", "b"], False),
    ("in", "a", "a", True),
    ("in", MISSING, ["a", "b"], False),
    ("not_in", "a", ["a", "b"], False),
    ("not_in", "c", ["a", "b"], True),
    ("not_in", MISSING, ["a", "b"], True),
    # dates
    ("is_date_exact", "2026-01-31", "2026-01-31T00:00:00Z", True),
    ("is_date_exact", "2026-01-31T01:00:00+01:00", "2026-01-31", True),
    ("is_date_exact", "2026-01-30", "2026-01-31", False),
    ("is_date_before", "2026-01-30 23:59:59", "2026-01-31", True),
    ("is_date_before", "2026-01-31", "2026-01-31", False),
    ("is_date_before", "soon", "2026-01-31", False),
    ("is_date_before", MISSING, "2026-01-31", False),
    ("is_date_before", 20260101, "2026-01-31", False),
    ("is_date_after", "2026-02-01", "2026-01-31", True),
    ("is_date_after", "2026-02-01", ["2026-03-01", "2026-01-31"], True),
    ("is_date_after", "2026-01-01", ["2026-03-01", "2026-01-31"], False),
    ("is_date_after", "soon", "2026-01-31", False),
    ("is_date_exact", MISSING, "2026-01-31", False),
    # versions: the first dotted digits in the text
    ("semver_eq", "v1.20.3-beta", "1.20.3", True),
    ("semver_eq", "1.20", "1.20.0", False),
    ("semver_neq", "1.20.4", "1.20.3", True),
    ("semver_neq", MISSING, "1.20.3", True),
    ("semver_neq", "1.0.0", ["1.0.0", "2.0.0"], True),
    ("semver_gt", "1.10.0", "1.9.0", True),
    ("semver_gt", "1.9.0", "1.9.0", False),
    ("semver_gt", MISSING, "0.0.1", False),
    ("semver_gte", "1.9.0", "1.9.0", True),
    ("semver_gte", "beta", "0.0.1", False),
    ("semver_lt", "1.9.0", "1.10.0", True),
    ("semver_lt", "1.10.0", "1.9.0", False),
    ("semver_lte", "1.9.0", "1.9.0", True),
    ("semver_tilde", "1.2.9", "1.2.3", True),
    ("semver_tilde", "1.3.0", "1.2.3", False),
    ("semver_tilde", "1.2.2", "1.2.3", False),
    ("semver_tilde", "1.2.0", "1.2", True),
    ("semver_caret", "1.2.2", "1.2.3", False),
    ("semver_tilde", "1.9.0", "1", True),
    ("semver_tilde", MISSING, "1.2.3", False),
    ("semver_caret", "1.9.0", "1.2.3", True),
    ("semver_caret", "2.0.0", "1.2.3", False),
    ("semver_caret", "0.2.9", "0.2.3", True),
    ("semver_caret", "0.3.0", "0.2.3", False),
    ("semver_caret", "0.0.3", "0.0.3", True),
    ("semver_caret", "0.0.4", "0.0.3", False),
    ("semver_wildcard", "1.9.9", "1.*", True),
    ("semver_wildcard", "2.0.0", "1.*", False),
    ("semver_wildcard", "1.2.9", "1.2.*", True),
    ("semver_wildcard", "1.3.0", "1.2.*", False),
    ("semver_wildcard", "1.2.3.7", "1.2.3.*", True),
    ("semver_wildcard", MISSING, "1.*", False),
]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(("operator", "value", "wanted", "expected"), BOTH)
def test_an_operator_means_the_same_in_both_modes(
    holds: Holds, operator: str | None, value: Any, wanted: Any, expected: bool, mode: Mode
) -> None:
    assert holds(value, operator, wanted, mode) is expected


APART = [
    # a missing value is 0 to PostHog, and nothing at all to a person
    ("lt", MISSING, 1, True, False),
    ("lt", None, 1, True, False),
    ("lte", MISSING, 0, True, False),
    ("gte", MISSING, 0, True, False),
    ("gt", MISSING, -1, True, False),
    ("gt", MISSING, "-1", True, False),
    ("between", MISSING, [-1, 1], True, False),
    ("not_between", MISSING, [1, 5], True, False),
    ("semver_lt", MISSING, "1.2.3", True, False),
    ("semver_lte", "beta", "1.2.3", True, False),
    # its text is "null" to PostHog
    ("icontains", MISSING, "nul", True, False),
    ("not_icontains", MISSING, "NUL", False, True),
    ("icontains", None, ["nul", "x"], True, False),
    ("icontains_multi", MISSING, ["null"], True, False),
    ("not_icontains_multi", MISSING, ["null"], False, True),
    ("regex", MISSING, "^null$", True, False),
    ("not_regex", MISSING, ".", False, True),
    # members are compared strictly by PostHog
    ("exact", 5, ["5", "6"], False, True),
    ("exact", "5", [5, 6], False, True),
    ("exact", "5.0", [5, 6], False, True),
    ("exact", True, ["true", "maybe"], False, True),
    ("is_not", 5, ["5", "6"], True, False),
    ("in", 5, ["5", "6"], False, True),
    ("not_in", 5, ["5", "6"], True, False),
    ("in", 5, ["5"], False, True),
    # a missing value is null, so null among the members finds it
    ("in", MISSING, ["a", None], True, False),
    ("exact", None, ["a", None], True, False),
    ("not_in", MISSING, ["a", None], False, True),
]


@pytest.mark.parametrize(("operator", "value", "wanted", "posthog", "sane"), APART)
def test_the_modes_part_where_posthog_surprises(
    holds: Holds, operator: str, value: Any, wanted: Any, posthog: bool, sane: bool
) -> None:
    assert (holds(value, operator, wanted, Mode.POSTHOG), holds(value, operator, wanted, Mode.SANE)) == (posthog, sane)


@pytest.mark.parametrize(("value", "others"), [(False, ["pro", "team"]), ("", [0, 1]), (0, ["", " "])])
def test_a_member_is_never_found_by_a_conversion_that_nobody_means(holds: Holds, value: Any, others: list[Any]) -> None:
    """`false == "pro"` and `0 == ""` hold in Hog; as members of a list they do not."""
    assert holds(value, "exact", others[0])
    assert not holds(value, "exact", others)


@pytest.mark.parametrize(
    ("operator", "wanted", "place"),
    [
        ("is_exactly", "x", "operator"),
        ("regex", "(", "value"),
        ("regex", "(?=x)", "value"),
        ("regex", 5, "value"),
        ("regex", ["a", "("], "value__1"),
        ("between", [1], "value"),
        ("between", 5, "value"),
        ("between", [5, 1], "value"),
        ("between", ["a", "b"], "value"),
        ("between", [], "value"),
        ("not_between", [None, 1], "value"),
        ("gt", {"a": 1}, "value"),
        ("is_date_before", 5, "value"),
        ("semver_tilde", "x", "value"),
        ("semver_caret", 1, "value"),
        ("semver_wildcard", "*", "value"),
        ("icontains", "x" * 3000, "value"),
    ],
)
@pytest.mark.parametrize("mode", Mode)
def test_an_operator_refuses_a_value_that_is_none_for_it(operator: str, wanted: Any, place: str, mode: Mode) -> None:
    with pytest.raises(Invalid) as refused:
        make_matcher({"properties": [{"key": "x", "operator": operator, "value": wanted}]}, mode)
    assert refused.value.field == f"filters__properties__0__{place}"


@pytest.mark.parametrize(("operator", "wanted"), [("is_date_after", "soon"), ("semver_gt", "five")])
def test_a_date_or_version_that_cannot_be_read_is_refused_unless_posthog_would_take_it(
    holds: Holds, operator: str, wanted: str
) -> None:
    assert not holds("2026-01-01", "is_date_after", "soon", Mode.POSTHOG)
    with pytest.raises(Invalid):
        holds("2026-01-01", operator, wanted, Mode.SANE)


@pytest.mark.parametrize(
    ("relative", "start"),
    [
        ("-7d", "2026-03-08T12:30:45.678Z"),
        ("7d", "2026-03-08T12:30:45.678Z"),
        ("-2w", "2026-03-01T12:30:45.678Z"),
        ("-24h", "2026-03-14T12:30:45.678Z"),
        ("-30M", "2026-03-15T12:00:45.678Z"),
        ("-45s", "2026-03-15T12:30:00.678Z"),
        ("-1m", "2026-02-15T12:30:45.678Z"),
        ("-1q", "2025-12-15T12:30:45.678Z"),
        ("-1y", "2025-03-15T12:30:45.678Z"),
        ("dStart", "2026-03-15"),
        ("-1dStart", "2026-03-14"),
        ("hStart", "2026-03-15T12:00:00Z"),
        ("MStart", "2026-03-15T12:30:00Z"),
        ("wStart", "2026-03-09"),
        ("mStart", "2026-03-01"),
        ("-1qStart", "2025-10-01"),
        ("yStart", "2026-01-01"),
        ("-1mEnd", "2026-02-28T23:59:59.999Z"),
        ("-1yEnd", "2025-12-31T23:59:59.999Z"),
        ("-9999y", "0001-01-01"),
    ],
)
def test_a_relative_date_counts_from_the_moment_of_the_event(holds: Holds, relative: str, start: str) -> None:
    assert holds(start, "is_date_exact", relative)


def test_a_relative_date_moves_with_the_clock() -> None:
    matcher = make_matcher({"properties": [{"key": "x", "operator": "is_date_after", "value": "-7d"}]})
    event = make_event(x="2026-03-10")
    assert decide(matcher, event, now=NOW)
    assert not decide(matcher, event, now=datetime(2026, 4, 1, tzinfo=UTC))


def test_a_month_back_from_the_last_day_is_the_last_day(holds: Holds) -> None:
    matcher = make_matcher({"properties": [{"key": "x", "operator": "is_date_exact", "value": "-1m"}]})
    assert decide(matcher, make_event(x="2026-02-28"), now=datetime(2026, 3, 31, tzinfo=UTC))


@pytest.mark.parametrize(
    ("operator", "value", "wanted"),
    [("exact", "pro", "pro"), ("is_not", "free", "pro"), ("gt", 2, 1), ("is_set", 1, None), ("lt", 1, 5)],
)
@pytest.mark.parametrize("mode", Mode)
def test_negation_turns_a_condition_around(holds: Holds, operator: str, value: Any, wanted: Any, mode: Mode) -> None:
    assert holds(value, operator, wanted, mode)
    assert not holds(value, operator, wanted, mode, negation=True)
    assert holds(value, operator, wanted, mode, negation=False)


@pytest.mark.parametrize(
    "junk", ["\ud800", "x\udfff", 10**400, -(10**400), float("nan"), float("inf"), [[[]]], {"a": {}}]
)
@pytest.mark.parametrize(
    ("operator", "wanted"),
    [("exact", 5), ("gt", 5), ("lte", "5"), ("regex", "."), ("icontains", "ä"), ("icontains", "a_b"), ("in", ["5", 5])],
)
@pytest.mark.parametrize("mode", Mode)
def test_no_value_is_too_strange_to_be_compared(
    holds: Holds, junk: Any, operator: str, wanted: Any, mode: Mode
) -> None:
    assert holds(junk, operator, wanted, mode) in (True, False)

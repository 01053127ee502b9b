"""Values: how they print inside text, and how numbers and text convert."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.hog import HogError, compile_template, like, to_number, to_string, to_text, truthy
from smspipe.hog.values import ErrorValue, InvalidDate, number_text

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("text", "text"),
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (123456789012345680000.0, "123456789012345680000"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.23e-7, "1.23e-7"),
        (-1e-7, "-1e-7"),
        (5e-324, "5e-324"),
        (2**53 + 1, "9007199254740992"),
        (12345678901234567890, "12345678901234567000"),
        (10**400, "Infinity"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        (True, "true"),
        (False, "false"),
        ([1, "a", None], "[1, 'a', null]"),
        ({"a": 1}, "{'a': 1}"),
        ((1, 2), "(1, 2)"),
        ((1,), "tuple(1)"),
        ((), "tuple()"),
        ([], "[]"),
        ({}, "{}"),
        (["it's", "a\\b\n"], r"['it\'s', 'a\\b\n']"),
        (AT, "2026-01-02T03:04:05.678Z"),
        (AT.astimezone(ZoneInfo("America/New_York")), "2026-01-01T22:04:05.678-05:00"),
        (AT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-01-02T08:34:05.678+05:30"),
        (date(2026, 1, 2), "2026-01-02"),
        ([AT], "[DateTime(1767323045.678, 'UTC')]"),
        ([AT.replace(microsecond=0)], "[DateTime(1767323045.0, 'UTC')]"),
        ([date(2026, 1, 2)], "[Date(2026, 1, 2)]"),
        (InvalidDate(clock=False), "NaN-NaN-NaN"),
        (ErrorValue("Error", "msg"), "Error('msg')"),
    ],
)
def test_a_value_prints_inside_text(value: object, text: str) -> None:
    assert to_text(value) == text
    assert compile_template("<{value}>")({"value": value}, AT) == f"<{text}>"


def test_null_prints_as_a_word_only_on_its_own() -> None:
    assert to_string(None) == "null"
    assert compile_template("{toString(null)}")({}, AT) == "null"
    assert compile_template("{concat(null, 'a')}")({}, AT) == "a"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_back_as_itself(value: float) -> None:
    assert to_number(number_text(value)) == value


@pytest.mark.parametrize(
    ("value", "number"),
    [("", 0), (" 12 ", 12), ("1e3", 1000), ("0b101", 5), ("0o17", 15), (".5", 0.5), ("5.", 5), ("-1", -1),
     ("Infinity", math.inf), ("\ufeff7", 7), (None, 0), (True, 1), ([], 0), ([5], 5), (["5"], 5)],
)  # fmt: skip
def test_a_value_counts_as_a_number(value: object, number: float) -> None:
    assert to_number(value) == number


@pytest.mark.parametrize("value", ["1_000", "1,5", "٣", "0x", "--1", "1e", "infinity", "nan", {}, [1, 2], AT, "-0x1F"])
def test_what_python_would_read_as_a_number_but_javascript_not_is_nan(value: object) -> None:
    assert math.isnan(to_number(value))


def test_a_value_nested_too_deeply_is_refused_in_one_sentence() -> None:
    value: Any = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(HogError, match="nested more than 200 levels"):
        to_text(value)


def test_nan_is_not_true() -> None:
    assert not truthy(math.nan)
    assert truthy([])


@pytest.mark.parametrize(
    ("value", "pattern", "any_case", "holds"),
    [("abc", "%b%", False, True), ("a\nc", "a%c", False, False), ("(a)", "(_)", False, True), ("ABC", "b", True, True),
     ("x", "", False, True), (55, "6_", False, False), (555, "5_5", False, True)],
)  # fmt: skip
def test_like_knows_two_wildcards_and_is_not_anchored(value: object, pattern: str, any_case: bool, holds: bool) -> None:
    assert like(value, pattern, any_case) is holds

"""Expressions: operators, truth, comparison and what is missing, by JavaScript's rules."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from smspipe.hog import HogError, compile_expression, hog_equals, hog_less
from smspipe.model.errors import Fault

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GLOBALS: dict[str, Any] = {"event": {"event": "signup", "list": [1, "a"], "five": 5}, "person": None, "nan": math.nan}


def evaluate(source: str, **more: Any) -> Any:
    return compile_expression(source)(GLOBALS | more, NOW)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + '2'", 3),
        ("null + 1", 1),
        ("true + true", 2),
        ("7 / 2", 3.5),
        ("6 / 2", 3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("1 - 2 - 3", -4),
        ("2 * 3 + 4 * 5 % 3", 8),
        ("1 + - 2", -1),
        ("2 - -2", 4),
        ("0x1F + 1e3 + .5 + 5.", 1036.5),
        ("0.1 + 0.2", 0.30000000000000004),
        ("'a' || null || 1", "a1"),
    ],
)
def test_arithmetic_is_numeric(source: str, value: object) -> None:
    assert evaluate(source) == value


@pytest.mark.parametrize("source", ["'a' + 1", "0 / 0", "7 % 0", "{} + 1", "[1, 2] * 2", "inf - inf"])
def test_what_is_no_number_is_nan(source: str) -> None:
    assert math.isnan(evaluate(source))


@pytest.mark.parametrize(
    ("value", "counts"),
    [("null", False), ("''", False), ("0", False), ("0 / 0", False), ("false", False), ("'0'", True), ("[]", True),
     ("{}", True), ("-1", True), ("0.0", False)],
)  # fmt: skip
def test_truth_is_javascripts(value: str, counts: bool) -> None:
    assert evaluate(f"not ({value})") is not counts
    assert evaluate(f"({value}) and true") is counts
    assert evaluate(f"({value}) or false") is counts
    assert evaluate(f"({value}) ? 'y' : 'n'") == ("y" if counts else "n")


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("5 == '5'", True),
        ("5 = '5.0'", True),
        ("5 == ' 5 '", True),
        ("0 == ''", True),
        ("5 == '5px'", False),
        ("31 == '0x1F'", True),
        ("1000 == '1e3'", True),
        ("true == 'true'", True),
        ("'1' == true", False),
        ("'True' == true", False),
        ("'no' == false", True),
        ("true == 1", True),
        ("true == 2", False),
        ("'10' > '9'", False),
        ("null == null", True),
        ("null == ''", False),
        ("null == 0", False),
        ("null < 1", True),
        ("null >= 0", True),
        ("null > -1", True),
        ("null > 'a'", False),
        ("null < 'a'", False),
        ("[1, 9] < [1, 10]", True),
        ("[1] < [1, 0]", True),
        ("[1, 2] == [1, 2]", True),
        ("['a'] == ['a']", False),
        ("{} == {}", False),
        ("nan == nan", False),
        ("nan != nan", True),
        ("nan <= nan", False),
        ("5 in ('5', '6')", False),
        ("'5' in ('5', '6')", True),
        ("5 not in [5]", False),
        ("true in [1]", False),
        ("'b' in 'abc'", True),
        ("toDateTime('2026-01-02') > '2026-01-01'", True),
        ("toDate('2026-01-02') == toDateTime('2026-01-02')", True),
        ("'2026-01-02T00:00:00Z' == toDate('2026-01-02')", True),
        ("toDate('2026-01-02') < 'junk'", False),
        ("toDateTime('junk') == toDateTime('junk')", False),
        ("1 between 0 and 2", True),
        ("3 between 0 and 2", False),
        ("3 not between 0 and 2", True),
        ("'a' not between 0 and 2", False),
        ("null is null", True),
        ("event.nope is null", True),
        ("0 is not null", True),
        ("'abc' like 'b'", True),
        ("'abc' like 'a_c'", True),
        ("'abc' like '%B%'", False),
        ("'abc' ilike '%B%'", True),
        ("'abc' like 'a.c'", False),
        ("'a%c' not like 'a%c'", False),
        ("'ÄB' ilike 'äb'", True),
        ("null like '%'", False),
        ("'abc' =~ '^a'", True),
        ("'ABC' =~ '^a'", False),
        ("'ABC' =~* '^a'", True),
        ("'abc' !~ 'b'", False),
        ("'abc' !~* 'B'", False),
        ("'' =~ 'a'", False),
        ("'a' =~ ''", False),
        ("null =~ 'a'", False),
        ("1 < 2 and not 1 > 2 or false", True),
        ("1 = 1 = true", True),
        ("and(true, 1) AND Not fAlse", True),
    ],
)  # fmt: skip
def test_a_comparison(source: str, holds: bool) -> None:
    assert evaluate(source) is holds


def test_emoji_sort_by_their_code_units() -> None:
    assert hog_less("\U0001f600", "\uff5e")


def test_equality_of_json_values_needs_no_run() -> None:
    assert hog_equals("a", "a")
    assert not hog_equals("a", "b")
    assert hog_equals(1, 1.0)
    assert not hog_equals(None, False)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nope", "Global variable not found: nope"),
        ("nope.a['b']", "Global variable not found: nope.a.b"),
        ("1 in null", "Cannot look for something in null."),
        ("event.list[1 - 1]", "Hog arrays start from index 1"),
        ("'a' =~ '('", "A regular expression is not valid RE2."),
        ("(x -> x)(1, 2)", "Too many arguments. Passed 2, expected 1"),
        ("arrayMap(substring, [1])", "Function substring requires at least 2 arguments"),
        ("arrayReduce(upper, [1], 2)", "Function upper requires at most 1 arguments"),
        ("(1)(2)", "Cannot call a value that is not a function."),
        ("(f -> f(f))(f -> f(f))", "Call stack exceeded maximum length of 100"),
        ("assumeNotNull(null)", "Value is null in assumeNotNull"),
    ],
)
def test_a_fault_at_run_time_says_what_went_wrong(source: str, message: str) -> None:
    with pytest.raises(HogError) as fault:
        evaluate(source)
    assert str(fault.value) == message
    assert isinstance(fault.value, Fault)


@pytest.mark.parametrize(
    "source",
    ["event.a.b.c", "event.event.length", "person.properties.x", "event.five.x", "event.list.x", "event.list[1.5]",
     "event.list['1x']", "event['']", "event.list[-3]", "event.list[1 / 0]", "event[null]", "event[event]"],
)  # fmt: skip
def test_what_is_missing_below_a_global_is_null(source: str) -> None:
    assert evaluate(source) is None


def test_and_and_or_evaluate_both_sides() -> None:
    with pytest.raises(HogError):
        evaluate("false and nope")
    with pytest.raises(HogError):
        evaluate("true or nope")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("true ? 1 : nope", 1),
        ("false ? nope : 2", 2),
        ("1 ?? nope", 1),
        ("if(true, 1, nope)", 1),
        ("multiIf(false, nope, true, 2, nope)", 2),
        ("multiIf(false, nope, false, nope, 3)", 3),
        ("ifNull(1, nope)", 1),
        ("null ?? null ?? 3", 3),
        ("1 < 2 ? 'a' : 1 < 3 ? 'b' : 'c'", "a"),
        ("1 ?? 2 == 3", 1),
    ],
)
def test_choices_evaluate_only_what_they_choose(source: str, value: object) -> None:
    assert evaluate(source) == value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("arrayMap(x -> x * 2, [1, 2])", [2, 4]),
        ("arrayMap(x -> arrayMap(y -> x + y, [1, 2]), [10, 20])", [[11, 12], [21, 22]]),
        ("arrayMap(upper, ['a'])", ["A"]),
        ("arrayMap((a, b) -> b, [1])", [None]),
        ("arrayMap(event -> event, [1])", [1]),
        ("(() -> 1)()", 1),
        ("((a, b) -> a + b)(1, 2)", 3),
        ("(x -> y -> x + y)(1)(2)", 3),
        ("{'a': {'b': [1, 2]}}.a.b.2", 2),
        ("{1: 2}[1]", 2),
        ("[1, 2, 3,].1", 1),
        ("(1, 2).2", 2),
        ("event.list.length", 2),
    ],
)
def test_lambdas_and_containers(source: str, value: object) -> None:
    assert evaluate(source) == value

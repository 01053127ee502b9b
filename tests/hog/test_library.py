"""The library: each function's results and what it does with null, and the number of arguments it takes."""

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest

from smspipe.hog import HogError, compile_expression, to_string
from smspipe.hog.library import FUNCTIONS
from smspipe.model.errors import Invalid

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
GLOBALS: dict[str, Any] = {"event": {"uuid": "0190"}, "emoji": "h\u00e9\U0001f600x"}


def evaluate(source: str) -> Any:
    return compile_expression(source)(GLOBALS, NOW)


TEXT = [
    ("concat('a', null, 1, 1.5, true, [1], {'a': 1})", "a11.5true[1]{'a': 1}"),
    ("lower('ABC')", "abc"),
    ("upper('abc')", "ABC"),
    ("reverse('abc')", "cba"),
    ("trim('  a ')", "a"),
    ("trim('xxaxx', 'x')", "a"),
    ("trim('xxaxx', 'xx')", ""),
    ("trim('aaa', 'a')", ""),
    ("trimLeft('  a ')", "a "),
    ("trimRight('  a ')", "  a"),
    ("replaceOne('aXbX', 'X', 'y')", "aybX"),
    ("replaceAll('aXbX', 'X', 'y')", "ayby"),
    ("replaceAll('aXb', 'X', '[$&]')", "a[X]b"),
    ("replaceAll('aXb', 'X', '$$')", "a$b"),
    ("replaceAll('aXb', 'X', '$`')", "aab"),
    ("replaceAll('aXb', 'X', '$\\'')", "abb"),
    ("replaceAll('aXb', 'X', '$1')", "a$1b"),
    ("replaceAll('ab', '', '-')", "-a-b-"),
    ("replaceAll('ab', '', '$&-')", "-a-b-"),
    ("replaceOne('ab', '', '-')", "-ab"),
    ("replaceAll('a.b', '.', '-')", "a-b"),
    ("substring('hello', 2, 3)", "ell"),
    ("substring('hello', 2)", "ello"),
    ("substring('hello', 0, 3)", ""),
    ("substring('hello', 20)", ""),
    ("substring('hello', 2, -1)", ""),
    ("substring(5, 1)", ""),
    ("substring(emoji, 3, 2)", "\U0001f600"),
    ("substring(emoji, 1, 3)", "h\u00e9\ufffd"),
    ("position('hello', 'l')", 3),
    ("position('hello', 'z')", 0),
    ("position(emoji, 'x')", 5),
    ("positionCaseInsensitive('hello', 'L')", 3),
    ("startsWith('hello', 'he')", True),
    ("splitByString(',', 'a,b,c')", ["a", "b", "c"]),
    ("splitByString(',', 'a,b,c', 2)", ["a", "b"]),
    ("splitByString('', 'abc')", ["a", "b", "c"]),
    ("length('abc')", 3),
    ("length(emoji)", 5),
    ("length([1, 2])", 2),
    ("match('abc', 'b')", True),
    ("match('abc', '')", False),
    ("extractRegex('abc123', '([0-9])[0-9]+')", "1"),
    ("extractRegex('abc123', '[0-9]+')", "123"),
    ("extractRegex('abc', '[0-9]')", ""),
    ("like('abc', 'b')", True),
    ("ilike('abc', 'B')", True),
    ("notLike('abc', 'b')", False),
    ("notILike('abc', 'B')", False),
    ("multiSearchAnyCaseInsensitive('Hello', ['x', 'ELL'])", 1),
    ("multiSearchAnyCaseInsensitive('Hello', ['x'])", 0),
    ("toString(1.0)", "1"),
    ("toUUID('x')", "x"),
    ("print('a')", None),
]
ENCODING = [
    ("encodeURLComponent('a b&é!~*\\'()')", "a%20b%26%C3%A9!~*'()"),
    ("encodeURLComponent(null)", "null"),
    ("decodeURLComponent('a%20b%C3%A9')", "a bé"),
    ("tryDecodeURLComponent('a%2')", None),
    ("tryDecodeURLComponent('%ff')", None),
    ("base64Encode('héllo')", "aMOpbGxv"),
    ("base64Decode('aMOpbGxv')", "héllo"),
    ("base64Decode('aMOpbGx')", "héll"),
    ("tryBase64Decode('***')", ""),
    ("md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("md5Hex('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("sha1('a')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ("sha256('a', 'base64')", "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="),
    ("sha256('a', 'base64url')", "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs"),
    (
        "sha256HmacChainHex(['Jefe', 'what do ya want for nothing?'])",  # RFC 4231, test case 2
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    ("sha1HmacChainHex(['k', 'm']) = sha1HmacChain(['k', 'm'], 'hex')", True),
    ("isIPAddressInRange('192.168.1.1', '192.168.0.0/16')", True),
    ("isIPAddressInRange('192.169.1.1', '192.168.0.0/16')", False),
    ("isIPAddressInRange('::1', '::/64')", True),
    ("isIPAddressInRange('x', 'y')", False),
]
LOGIC = [
    ("toInt('12abc')", 12),
    ("toInt('abc')", None),
    ("toInt('0x1F')", 31),
    ("toInt(' -7.9 ')", -7),
    ("toInt(3.9)", 3),
    ("toInt(null)", None),
    ("toFloat('1.5e3x')", 1500),
    ("toFloat('x')", None),
    ("ifNull(null, 3)", 3),
    ("coalesce(null, null, 4)", 4),
    ("assumeNotNull(1)", 1),
    ("isNull(null)", True),
    ("isNotNull(null)", False),
    ("empty('')", True),
    ("empty(null)", True),
    ("empty([])", True),
    ("empty({})", True),
    ("empty(0)", False),
    ("empty(false)", False),
    ("notEmpty('x')", True),
    ("typeof(null)", "null"),
    ("typeof(1.0)", "integer"),
    ("typeof(1.5)", "float"),
    ("typeof(1 / 0)", "float"),
    ("typeof('a')", "string"),
    ("typeof(true)", "boolean"),
    ("typeof([])", "array"),
    ("typeof((1, 2))", "tuple"),
    ("typeof({})", "object"),
    ("typeof(now())", "datetime"),
    ("typeof(today())", "date"),
    ("typeof(Error('x'))", "error"),
    ("typeof(x -> x)", "function"),
    ("typeof(upper)", "function"),
    ("equals(1, '1')", False),
    ("notEquals(1, '1')", True),
    ("greater(2, 1)", True),
    ("greaterOrEquals(2, 2)", True),
    ("less('10', '9')", True),
    ("lessOrEquals('a', 'b')", True),
    ("plus('a', 'b')", "ab"),
    ("plus(1, 2)", 3),
    ("plus('a', 1)", "a1"),
    ("minus('5', '2')", 3),
    ("min2(1, 2)", 1),
    ("not(1)", False),
    ("and(1, 'a')", True),
    ("and(0)", False),
    ("or(0, '')", False),
    ("floor(1.7)", 1),
    ("floor(-1.2)", -2),
    ("round(1.5)", 2),
    ("round(2.5)", 3),
    ("round(-1.5)", -1),
    ("round(1.234, 2)", 1),
    ("Error('m').message", "m"),
    ("HogError('T', 'm').type", "T"),
    ("RetryError().message", "An error occurred"),
    ("NotImplementedError('m', {'a': 1}).payload.a", 1),
]
LISTS = [
    ("keys({'a': 1, 'b': 2})", ["a", "b"]),
    ("keys([5, 6])", [0, 1]),
    ("values({'a': 1})", [1]),
    ("has([1, 'a'], 'a')", True),
    ("has([1], '1')", False),
    ("has([0 / 0], 0 / 0)", True),
    ("indexOf(['a', 'b'], 'b')", 2),
    ("indexOf(['a'], 'c')", 0),
    ("in(1, [1, 2])", True),
    ("arrayPushBack([1], 2)", [1, 2]),
    ("arrayPushFront([1], 2)", [2, 1]),
    ("arrayPopBack([1, 2])", [1]),
    ("arrayPopFront([1, 2])", [2]),
    ("arraySort([10, 9, 1])", [1, 10, 9]),
    ("arraySort(['b', null, 'a', true])", ["a", "b", None, True]),
    ("arrayReverseSort([10, 9, 1])", [9, 10, 1]),
    ("arrayReverse([1, 2])", [2, 1]),
    ("arrayStringConcat([1, null, 'a', [2, 3]])", "1a2,3"),
    ("arrayStringConcat([1, 2], ', ')", "1, 2"),
    ("range(3)", [0, 1, 2]),
    ("range(2, 4)", [2, 3]),
    ("range(5, 2)", []),
    ("tuple(1, 2)", (1, 2)),
    ("arrayMap(x -> x + 1, [1])", [2]),
    ("arrayFilter(x -> x > 1, [1, 2])", [2]),
    ("arrayExists(x -> x > 1, [1, 2])", True),
    ("arrayCount(x -> x > 1, [1, 2])", 1),
    ("arrayReduce((a, b) -> a + b, [1, 2], 0)", 3),
    ("sortableSemver('v1.2.10-beta')", [1, 2, 10]),
    ("sortableSemver('x')", []),
    ("sortableSemver('1.10.0') > sortableSemver('1.9')", True),
]
JSON = [
    ('jsonParse(\'{"a":[1,2.5,"x",null,true]}\')', {"a": [1, 2.5, "x", None, True]}),
    ("jsonParse('1e400')", math.inf),
    ("jsonStringify({'a': [1.0, null, 'x\"é', true]})", '{"a":[1,null,"x\\"é",true]}'),
    ("jsonStringify({'a': [1, {}]}, 2)", '{\n  "a": [\n    1,\n    {}\n  ]\n}'),
    ("jsonStringify(1 / 0)", "null"),
    ("jsonStringify(toDate('2026-01-02'))", '{"__hogDate__":true,"year":2026,"month":1,"day":2}'),
    ("isValidJSON('{}')", True),
    ("isValidJSON('NaN')", False),
    ("JSONExtract('{\"a\":{\"b\":5}}', 'a', 'b', 'Int')", 5),
    ("JSONExtractString('{\"a\":[1,2]}', 'a')", "1,2"),
    ("JSONExtractString('nope', 'a')", None),
    ("JSONExtractInt('{\"a\":\"12x\"}', 'a')", 12),
    ("JSONExtractInt('[1,2,3]', -1)", 3),
    ("JSONExtractFloat('{\"a\":\"1.5x\"}', 'a')", 1.5),
    ("JSONExtractBool('{\"a\":true}', 'a')", True),
    ("JSONExtractArrayRaw('{\"a\":[1]}', 'a')", [1]),
    ("JSONHas('{\"a\":[1,{\"b\":null}]}', 'a', 2, 'b')", True),
    ("JSONHas('{\"a\":[1]}', 'a', 2)", False),
    ("JSONLength('{\"a\":[1,2]}', 'a')", 2),
    ("JSONLength('5')", 0),
]
DATES = [
    ("now()", NOW),
    ("now('Europe/Paris')", NOW),
    ("today()", date(2026, 1, 2)),
    ("toDate('2026-01-02T23:00:00-05:00')", date(2026, 1, 3)),
    ("toDate(0)", date(1970, 1, 1)),
    ("toString(toDate('junk'))", "NaN-NaN-NaN"),
    ("toString(toDateTime(' 2026-01-02 03:04 '))", "2026-01-02T03:04:00.000Z"),
    ("toString(toDateTime('2026-01-02T03:04:05,6789+02'))", "2026-01-02T01:04:05.678Z"),
    ("toString(toDateTime('2026-01-02T03:04:05', 'America/New_York'))", "2026-01-02T03:04:05.000-05:00"),
    ("toString(toTimeZone(now(), 'America/New_York'))", "2026-01-01T22:04:05.678-05:00"),
    ("typeof(toDateTime('20260102'))", "datetime"),
    ("formatDateTime(now(), '%Y-%m-%d %H:%i:%S.%f %e %k %I %p')", "2026-01-02 03:04:05.678 2 03 03 AM"),
    ("formatDateTime(now(), '%M %b %a %W %u %w %j %V %Q %y %c')", "January Jan Fri Friday 5 5 002 01 1 26 01"),
    ("formatDateTime(now(), '%T %R %r %D %F%n%t%%%x')", "03:04:05 03:04 03:04 AM 01/02/26 2026-01-02\n\t%"),
    ("formatDateTime(now(), '%H %z', 'America/New_York')", "22 -0500"),
    ("formatDateTime(now(), 'o\\'clock')", "o'clock"),
    ("toUnixTimestamp(now())", 1767323045.678),
    ("toUnixTimestamp('2026-01-02')", 1767312000),
    ("toUnixTimestampMilli(now())", 1767323045678),
    ("fromUnixTimestampMilli(1767323045678)", NOW),
    ("fromUnixTimestamp(1767323045.678)", NOW),
    ("toInt(toDate('2026-01-02'))", 20455),
    ("toInt(now())", 1767323045),
    ("dateAdd('month', 1, toDate('2026-01-31'))", date(2026, 2, 28)),
    ("dateAdd('year', 1, toDate('2024-02-29'))", date(2025, 2, 28)),
    ("dateAdd('week', -1, toDate('2026-01-08'))", date(2026, 1, 1)),
    ("dateAdd('hour', 25, toDate('2026-01-31'))", date(2026, 2, 1)),
    ("toString(dateAdd('hour', 2, now()))", "2026-01-02T05:04:05.678Z"),
    ("toString(dateAdd('day', 1e9, now()))", None),
    ("addDays(toDate('2026-01-31'), 1)", date(2026, 2, 1)),
    ("dateDiff('day', '2026-01-01', '2026-01-03')", 2),
    ("dateDiff('month', '2026-01-31', '2026-03-01')", 2),
    ("dateDiff('year', '2025-12-31', '2026-01-01')", 1),
    ("dateDiff('minute', '2026-01-01', '2025-12-31')", -1440),
    ("toString(dateTrunc('month', now()))", "2026-01-01T00:00:00.000Z"),
    ("toString(dateTrunc('hour', toTimeZone(now(), 'Asia/Kolkata')))", "2026-01-02T08:00:00.000+05:30"),
    ("toYear('2026-01-02')", 2026),
    ("toMonth(today())", 1),
    ("toYYYYMM(today())", 202601),
    ("extract('minute', now())", 4),
    ("toString(toStartOfHour(now()))", "2026-01-02T03:00:00.000Z"),
    ("toString(toStartOfDay(today()))", "2026-01-02T00:00:00.000Z"),
    ("toString(toStartOfWeek(now()))", "2025-12-29T00:00:00.000Z"),
    ("toString(toStartOfMonth(now()))", "2026-01-01T00:00:00.000Z"),
    ("typeof(toIntervalDay(3))", "object"),
]


@pytest.mark.parametrize(("source", "value"), [*TEXT, *ENCODING, *LOGIC, *LISTS, *JSON, *DATES])
def test_a_function_returns(source: str, value: object) -> None:
    result = evaluate(source)
    assert result == value
    assert type(result) is type(value) or isinstance(value, int | float)


def test_every_function_is_shown_by_an_example() -> None:
    shown = " ".join(source for source, _ in [*TEXT, *ENCODING, *LOGIC, *LISTS, *JSON, *DATES])
    elsewhere = {"if", "multiIf", "fetch", "sleep", "inCohort", "notInCohort", "generateUUIDv4", "randomFloat",
                 "toIntervalMinute", "toIntervalHour", "toIntervalMonth", "sha1Hex", "sha256Hex",
                 "sha256HmacChain"}  # fmt: skip
    assert {name for name in FUNCTIONS if f"{name}(" not in shown and f"{name})" not in shown} == elsewhere


@pytest.mark.parametrize(
    ("source", "value"),
    [("upper(null)", None), ("lower(null)", None), ("reverse(null)", None), ("trim(null)", None), ("length(null)", 0),
     ("replaceAll(null, 'a', 'b')", None), ("base64Encode(null)", None), ("md5(null)", None), ("keys(null)", []),
     ("values(null)", []), ("substring(null, 1)", ""), ("splitByString(',', null)", []), ("position(null, 'a')", 0),
     ("startsWith(null, 'a')", False), ("arrayMap(x -> x, null)", []), ("arraySort(null)", []), ("has(null, 1)", False),
     ("jsonParse(null)", None), ("toDateTime(null)", None), ("formatDateTime(null, '%Y')", None),
     ("dateAdd('day', 1, null)", None), ("dateDiff('day', null, today())", None), ("toYear(null)", None),
     ("extractRegex(null, 'a')", ""), ("match(null, 'a')", False), ("toTimeZone(null, 'UTC')", None)],
)  # fmt: skip
def test_null_costs_a_word_and_not_the_text(source: str, value: object) -> None:
    assert evaluate(source) == value


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_refuses_too_few_and_too_many_arguments(name: str) -> None:
    function = FUNCTIONS[name]
    if function.least:
        arguments = ", ".join(["1"] * (function.least - 1))
        with pytest.raises(Invalid, match=f"^Function {name} requires (at least|exactly) {function.least} arguments$"):
            compile_expression(f"`{name}`({arguments})")
    if function.most is not None:
        arguments = ", ".join(["1"] * (function.most + 1))
        with pytest.raises(Invalid, match=f"^Function {name} requires (at most|exactly) {function.most} arguments$"):
            compile_expression(f"`{name}`({arguments})")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("jsonParse('nope')", "The text given to jsonParse is not valid JSON."),
        ("decodeURLComponent('%')", "The text given to decodeURLComponent is malformed."),
        ("formatDateTime('2026-01-02', '%Y')", "Expected a DateTime"),
        ("formatDateTime(today(), '%Y')", "Expected a DateTime"),
        ("toTimeZone(now(), '../etc/passwd')", "Unknown time zone; use a name such as Europe/Paris."),
        ("toTimeZone(now(), 'America')", "Unknown time zone; use a name such as Europe/Paris."),
        (
            "dateTrunc('eon', now())",
            "Unsupported unit for dateTrunc; use year, quarter, month, week, day, hour or minute.",
        ),
        ("sha256HmacChain(['k'])", "Data array must contain at least two elements."),
        ("fetch('http://x')", "Exceeded maximum number of async steps: 0"),
        ("inCohort(1)", "Cohort membership can't be evaluated in real time; use person properties instead."),
    ],
)
def test_a_function_that_cannot_answer_says_why(source: str, message: str) -> None:
    with pytest.raises(HogError) as fault:
        evaluate(source)
    assert str(fault.value) == message


def test_random_values_are_the_same_for_the_same_event_and_instant_only() -> None:
    expression = compile_expression("[generateUUIDv4(), generateUUIDv4(), toString(randomFloat() < 1)]")
    first = expression({"event": {"uuid": "a"}}, NOW)
    assert first == expression({"event": {"uuid": "a"}}, NOW)
    assert first[0] != first[1]
    assert first[:2] != expression({"event": {"uuid": "b"}}, NOW)[:2]
    assert first[2] == "true"


def test_a_day_keeps_its_time_when_the_clocks_change_but_hours_pass_as_they_do() -> None:
    moment = "toDateTime('2026-03-28T12:00:00', 'Europe/Paris')"
    assert to_string(evaluate(f"dateAdd('day', 1, {moment})")) == "2026-03-29T12:00:00.000+02:00"
    assert to_string(evaluate(f"dateAdd('hour', 24, {moment})")) == "2026-03-29T13:00:00.000+02:00"

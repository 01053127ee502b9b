"""Templates are user input: whatever one says, it reaches nothing of Python, ends soon, and fails in one known way."""

import json
import time
import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.hog import HogError, compile_expression, compile_template
from smspipe.hog.compile import NAMES
from smspipe.model.errors import Invalid

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BIG = "x" * 1_000_000
LONG = [1] * 100_000


@pytest.mark.parametrize(
    "source",
    [
        "{''.__class__}", "{event.__class__.__mro__}", "{event['__class__']}", "{[].__class__}", "{{}.get}",
        "{{}.items}",
        "{(x -> x).run}", "{(x -> x).__globals__}", "{now().__class__}", "{now().tzinfo}", "{Error('x').__init__}",
        "{event.get}", "{person.__dict__}", "{toIntervalDay(1).unit}",
    ],
)  # fmt: skip
def test_no_attribute_of_python_can_be_read(source: str) -> None:
    assert compile_template(source)({"event": {}, "person": None}, NOW) is None


@pytest.mark.parametrize(
    "name",
    ["__import__", "eval", "open", "type", "len", "str", "g", "r", "t1", "Run", "NAMES", "__builtins__", "template"],
)
def test_no_name_of_python_or_of_the_compiled_function_can_be_read(name: str) -> None:
    with pytest.raises(HogError, match=r"^Global variable not found"):
        compile_template(f"{{{name}}}")({}, NOW)
    with pytest.raises(Invalid, match=r"^Unsupported function call"):
        compile_template(f"{{{name}('os')}}")
    with pytest.raises(Invalid, match=r"^Unsupported function call"):
        compile_template(f"{{`{name}`('os')}}")


def test_the_builtins_are_absent_from_compiled_code() -> None:
    assert NAMES["__builtins__"] == {}


@pytest.mark.parametrize(
    "text", ["'); import os; ('", "\n    import os", "{0.__class__}", "%s %(a)s", "\\", "\x00", "\"\"\"'''"]
)
def test_text_stays_text(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("{", "\\{")
    assert compile_template(escaped + " {a}")({"a": "!"}, NOW) == text + " !"
    name = text.replace("\\", "\\\\").replace("`", "``")
    assert compile_template(f"{{a.`{name}`}}")({"a": {text: 1}}, NOW) == 1


def test_what_a_property_says_is_never_evaluated() -> None:
    assert compile_template("Hi {name}!")({"name": "{person.phone} {{x}} \\n"}, NOW) == "Hi {person.phone} {{x}} \\n!"


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "{" * 50_000, "{" + "(" * 30_000, "{" + "[" * 30_000 + "]" * 30_000 + "}", "{" + "1+" * 30_000 + "1}",
        "{" + "1?1:" * 20_000 + "1}", "{" + "not " * 20_000 + "1}", "{" + "-" * 3 + "1}", "{" + "x->" * 90 + "x}",
        "{a" + ".b" * 30_000 + "}", "{a" + "[1]" * 200 + "}", "{a" + "(1)" * 200 + "}", "{f'" * 30_000,
        "{a" + " ?? 1" * 200 + "}", "{" + "{1:" * 20_000 + "1}", "{a}" * 30_000, "é" * 60_000,
    ],
    ids=range(16),
)  # fmt: skip
def test_a_monstrous_source_is_refused(source: str) -> None:
    with pytest.raises(Invalid):
        compile_template(source)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "range(1e9)", "range(0, 1 / 0)", "arrayMap(x -> arrayMap(y -> y, range(1000)), range(1000))",
        "arrayReduce((a, x) -> concat(a, a), range(100), 'aaaaaaaa')", "arrayReduce((a, x) -> [a, a], range(90), 1)",
        "arrayReduce((a, x) -> [a], range(5000), 1)", "toString(arrayReduce((a, x) -> [a, a], range(90), 1))",
        "jsonStringify(arrayReduce((a, x) -> {'a': a, 'b': a}, range(90), 1))",
        "arraySort([arrayReduce((a, x) -> [a, a], range(90), 1)])",
        "arrayReduce((a, x) -> [a, a], range(90), 1) < 'x'", "arrayReduce((a, x) -> f'{a}{a}', range(90), 'aaaa')",
        "arrayReduce((a, x) -> replaceAll(a, 'a', 'aaaaaaaa'), range(100), 'a')",
        "arrayReduce((a, x) -> replaceAll(a, 'a', 'a$`'), range(100), 'aa')",
        "arrayMap(x -> splitByString('', big), range(100000))", "arrayMap(x -> match(big, '(x+x+)+y'), range(100000))",
        "arrayMap(x -> big like '%y%z', range(100000))", "arrayMap(x -> 'y' in big, range(100000))",
        "arrayMap(x -> big == concat(big, ''), range(100000))",
        "arrayMap(x -> long == arrayReverse(long), range(9000))",
        "arrayMap(x -> big + 1, range(90000))", "arrayMap(x -> sha256(big), range(90000))",
        "arrayMap(x -> has(long, 2), range(90000))", "(f -> f(f))(f -> arrayMap(f, [f]))",
        "(f -> f(f))(f -> concat(f(f), f(f)))",
    ],
)  # fmt: skip
def test_a_greedy_expression_is_stopped(source: str) -> None:
    with pytest.raises(HogError):
        compile_expression(source)({"big": BIG, "long": LONG}, NOW)


BOMBS = [
    "arrayMap(x -> arrayMap(y -> arrayMap(z -> concat(x, y, z), range(1000)), range(1000)), range(1000))",
    "arrayReduce((a, x) -> arrayPushBack(a, a), range(100000), [])",
    "arrayReduce((a, x) -> concat(a, a), range(10000), 'x')",
    "arrayReduce((a, x) -> a || a || a, range(10000), 'x')",
    "arrayReduce((a, x) -> jsonStringify([a, a]), range(1000), 'x')",
    "arrayReduce((a, x) -> base64Encode(a), range(10000), big)",
    "arrayReduce((a, x) -> splitByString('', jsonStringify(a)), range(100), ['x'])",
    "jsonParse(concat(replaceAll(big, 'x', '['), '1'))",
    "JSONLength(replaceAll(big, 'x', '[{\"a\":'))",
    "replaceAll(replaceAll(big, 'x', 'xxxxxxxxxx'), 'x', 'xxxxxxxxxx')",
    "arrayStringConcat(long, big)",
    "range(-1e308, 1e308)",
    "range(9007199254740991)",
    "formatDateTime(now(), replaceAll(big, 'x', '%F%T%M%W'))",
    "arrayMap(x -> formatDateTime(now(), '%M %W %F %T %r %D'), range(1000000))",
    "arrayMap(x -> toDateTime(big), arrayMap(y -> big, range(100000)))",
    "arrayMap(x -> arraySort(long), range(1000))",
    "arrayMap(x -> match(big, concat('(a|b|ab){1,', toString(x), '}$')), range(1, 1000))",
    "arrayReduce((f, x) -> (y -> f(f(y))), range(90), x -> x)(1)",
    "(f -> f(f))(f -> f(f) || f(f))",
    "arrayMap(x -> big ilike concat('%', big, '%'), range(100000))",
    "arrayMap(x -> sha256HmacChain([big, big]), range(9000))",
    "arrayMap(x -> dateAdd('month', 1e308, now()), range(1000000))",
    "arrayMap(x -> upper(big), range(1000))",
    "arrayMap(x -> reverse(big), range(1000))",
    "arrayMap(x -> toInt(big), range(100000))",
    "arrayMap(x -> jsonParse(concat('\"', big, '\"')), range(1000))",
    "arrayMap(x -> lower(big) = big, range(1000))",
]
"""Each would take hours, or all of the memory, if nothing counted."""


@pytest.mark.slow
@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_is_stopped_in_little_time_and_memory(source: str) -> None:
    program = compile_expression(source)
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(HogError):
            program({"big": BIG, "long": LONG}, NOW)
        took, (_, most_bytes) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Counting what is allocated makes Python several times slower; what is bounded here is the order.
    assert took < 30
    assert most_bytes < 256 * 1024 * 1024


@pytest.mark.parametrize(
    "source",
    ["1" * 5000, "1e999999999", "0x" + "f" * 5000, "9" * 400 + "." + "9" * 400, "-" + "9" * 5000, "0b" + "1" * 5000],
)
def test_a_number_of_thousands_of_digits_is_a_double(source: str) -> None:
    value = compile_expression(source)({}, NOW)
    assert type(value) in (int, float)
    assert compile_template("<{" + source + "}>")({}, NOW).strip("<>-") in ("Infinity", "1e+400") or abs(value) > 1e300


@pytest.mark.slow
def test_a_text_that_grows_too_long_is_stopped_before_it_is_made() -> None:
    with pytest.raises(HogError, match=r"^Memory limit of"):
        compile_template("{big}" * 1000)({"big": BIG}, NOW)


def test_a_regular_expression_takes_linear_time() -> None:
    assert compile_expression("big =~ '^(x+)+$' and not big =~ '^(x|x)*y$'")({"big": BIG[:50_000]}, NOW) is True


@pytest.mark.slow
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_compiles_or_is_refused(source: str) -> None:
    for compile_source in (compile_template, compile_expression):
        try:
            compile_source(source)
        except Invalid as refusal:
            position = refusal.position
        else:
            continue
        assert position is not None
        assert 0 <= position <= len(source)


_PIECES = st.sampled_from(
    ["{", "}", "(", ")", "[", "]", "event", ".", "?.", "??", "?", ":", ",", "'a'", "'", "f'", "\\", "1", "0", "1.5",
     " ",
     "+", "-", "*", "/", "%", "==", "<", "=~", "->", "and ", "or ", "not ", " in ", " is null", " like ", "null",
     "true",
     "x", "x -> ", "arrayMap(", "concat(", "toDateTime(", "range(", "now()", "--", "/*", "*/", "`", '"', " between "]
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@given(st.lists(_PIECES, max_size=14).map("".join), _JSON)
def test_pieces_of_the_language_in_any_order_fail_only_in_the_known_ways(body: str, value: Any) -> None:
    for source in (body, "{" + body + "}"):
        try:
            template = compile_template(source)
        except Invalid:
            continue
        with suppress(HogError):
            template({"event": value, "x": value}, NOW)


_CALLS = [
    "upper", "length", "trim", "toInt", "toFloat", "toDateTime", "toDate", "keys", "arraySort", "arrayStringConcat",
    "jsonStringify", "jsonParse", "JSONLength", "base64Encode", "base64Decode", "encodeURLComponent", "floor",
    "round", "md5", "typeof", "empty", "range", "fromUnixTimestamp", "toYear", "fromUnixTimestampMilli",
    "toStartOfWeek", "toUnixTimestamp", "sortableSemver", "reverse", "tryDecodeURLComponent", "toIntervalDay",
    "isValidJSON",
]  # fmt: skip


@pytest.mark.slow
@given(st.sampled_from(_CALLS), _JSON)
def test_a_function_of_any_value_fails_only_in_the_known_way(name: str, value: Any) -> None:
    with suppress(HogError):
        compile_template(f"<{{{name}(value)}}>")({"value": value}, NOW)


@pytest.mark.slow
@given(
    st.sampled_from(["+", "-", "*", "/", "%", "==", "<", ">=", "like", "ilike", "in", "=~", "and", "??", "||"]),
    _JSON,
    _JSON,
)
def test_an_operator_on_any_values_fails_only_in_the_known_way(operator: str, left: Any, right: Any) -> None:
    with suppress(HogError):
        compile_template(f"<{{a {operator} b}}>")({"a": left, "b": right}, NOW)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    ["dateAdd(u, v, now())", "dateAdd(u, v, today())", "substring('abc', v, v)", "splitByString(',', 'a', v)",
     "arrayPushBack(v, v)", "replaceAll('aXb', v, v)", "JSONExtract(v, v, v)", "JSONHas(v, v)", "position('a', v)",
     "formatDateTime(now(), v)", "toTimeZone(now(), v)", "toDateTime('2026-01-02', v)", "isIPAddressInRange(v, v)",
     "v[v]", "{v: 1}", "sha256('a', v)", "sha256HmacChain(v)", "dateDiff(u, v, v)", "dateTrunc(u, v)", "range(v, v)",
     "arrayReduce(v, v, v)", "plus(v, v)", "min2(v, 1)", "extract(u, v)", "multiSearchAnyCaseInsensitive('a', v)",
     "HogError(v, v, v)", "jsonStringify(v, v)", "now()[v]", "arrayMap(x -> x + v, [v])", "v between v and 1"],
)  # fmt: skip
@given(value=_JSON, unit=st.sampled_from(["day", "month", "second", "week", "year", "x"]))
def test_any_value_in_any_place_fails_only_in_the_known_way(source: str, value: Any, unit: str) -> None:
    with suppress(HogError):
        compile_template(f"<{{{source}}}>")({"v": value, "u": unit}, NOW)


def test_a_native_value_is_plain_json() -> None:
    value = compile_template("{{'a': [1, event.x, null], 'b': f'{event.x}!'}}")({"event": {"x": "y"}}, NOW)
    assert json.loads(json.dumps(value)) == {"a": [1, "y", None], "b": "y!"}

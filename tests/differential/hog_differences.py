"""
Where smspipe's Hog differs from PostHog's on purpose: one named entry each, with an example of both sides.

The names and reasons stand in docs/reference/hog-differences.md, which a test compares with this table. What a
generated source answers differently must be covered by an entry's `covers`; anything else is a bug of ours.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from smspipe.hog import HogError, compile_expression, compile_template
from smspipe.model.errors import Invalid
from tests.differential.hog_bytecode import Unsupported
from tests.differential.hog_grammar import GLOBALS
from tests.differential.hog_oracle import NOW, Failed, Oracle, Refused, tagged

Answer = tuple[str, Any]
"""("value", tagged), ("fails", message) when it runs, or ("refused", message) before."""


def ask_posthog(oracle: Oracle, source: str, *, template: bool = False) -> Answer:
    """Answer with PostHog's own code."""
    try:
        return "value", _settled(oracle.evaluate(source, GLOBALS, template=template))
    except (Refused, Unsupported) as refusal:
        return "refused", str(refusal)
    except Failed as failure:
        return "fails", str(failure)


def ask_us(source: str, *, template: bool = False) -> Answer:
    """Answer with ours."""
    try:
        program = compile_template(source) if template else compile_expression(source)
        return "value", tagged(program(GLOBALS, NOW))
    except Invalid as refusal:
        return "refused", str(refusal)
    except HogError as failure:
        return "fails", str(failure)


def _settled(value: Any) -> Any:
    """Forget the zone of a datetime that could not be read; nothing ever shows it."""
    if not isinstance(value, list):
        return value
    if value[:2] == ["datetime", "NaN"]:
        return ["datetime", "NaN", "UTC"]
    return [_settled(part) for part in value]


class Case(msgspec.Struct, frozen=True):
    """One source that both sides answered; of a call of a function also its name and arguments."""

    source: str
    theirs: Answer
    ours: Answer
    function: str = ""
    arguments: tuple[str, ...] = ()

    def failed(self, *beginnings: str) -> bool:
        """Tell whether PostHog's side failed with one of these messages."""
        return self.theirs[0] == "fails" and any(beginning in self.theirs[1] for beginning in beginnings)

    def has(self, *arguments: str) -> bool:
        """Tell whether the function is given one of these."""
        return any(argument in self.arguments for argument in arguments)


class Difference(msgspec.Struct, frozen=True):
    """One deliberate difference: an example with the answers of both sides, and what else it covers."""

    name: str
    source: str
    theirs: Answer
    ours: Answer
    covers: Callable[[Case], bool]


def _text(value: str) -> Answer:
    return "value", ["string", value]


def _number(value: str) -> Answer:
    return "value", ["number", value]


def _never(_: Case) -> bool:
    return False


def _of(*functions: str) -> Callable[[Case], bool]:
    return lambda case: case.function in functions


_DATE_READERS: Final = (
    "extract", "toYear", "toMonth", "toYYYYMM", "dateDiff", "toUnixTimestamp", "toUnixTimestampMilli",
)  # fmt: skip
_DATE_MOVERS: Final = (
    "addDays", "dateAdd", "dateTrunc", "toStartOfDay", "toStartOfHour", "toStartOfWeek", "toStartOfMonth", "toTimeZone",
)  # fmt: skip
_IS_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?$")
_LONE_SURROGATE: Final = re.compile(r"\\ud[89a-f]")
"""As `repr` shows it."""
_NULL: Final = ("value", ["null"])


def _nothing(answer: Answer) -> bool:
    """Tell whether an answer says that there is no value."""
    return answer[0] == "value" and answer[1] in (
        ["null"], ["number", "NaN"], ["number", "0"], ["boolean", False], ["list"], ["string", ""], ["string", "null"],
        ["datetime", "NaN", "UTC"], ["date", "NaN", "NaN", "NaN"],
    )  # fmt: skip


DIFFERENCES: Final = (
    Difference(
        "null-propagates", "upper(null)", ("fails", "Cannot read properties of null (reading 'toUpperCase')"), _NULL,
        lambda case: case.failed("of null", "of undefined", "undefined or null", "Received null", "in null")
        or (case.has("null") and _nothing(case.ours)),
    ),
    Difference(
        "values-are-printed", "upper(5)", ("fails", "args[0].toUpperCase is not a function"), _text("5"),
        lambda case: case.failed("is not a function", "must be of type string", "Cannot use 'in'"),
    ),
    Difference(
        "nested-lambdas", "arrayMap(x -> arrayMap(y -> x + y, [1]), [10, 20])",
        ("value", ["list", ["list", ["number", "11"]], ["list", ["number", "11"]]]),
        ("value", ["list", ["list", ["number", "11"]], ["list", ["number", "21"]]]),
        _never,
    ),
    Difference(
        "place-zero-in-json", "JSONExtractString('[1]', 0)", ("fails", "Hog arrays start from index 1"), _NULL,
        lambda case: case.function.startswith("JSON") and case.failed("Hog arrays start from index 1"),
    ),
    Difference(
        "place-zero", "event.properties.list.0", ("fails", "Hog arrays start from index 1"),
        ("refused", "Array access starts from 1."),
        lambda case: case.ours == ("refused", "Array access starts from 1."),
    ),
    Difference(
        "whole-characters", "reverse('\U0001f600')", _text("\ude00\ud83d"), _text("\U0001f600"),
        lambda case: case.theirs[0] == "value" and bool(_LONE_SURROGATE.search(repr(case.theirs[1]))),
    ),
    Difference(
        "object-key-order", "jsonStringify(jsonParse('{\"b\": 1, \"1\": 2}'))",
        _text('{"1":2,"b":1}'), _text('{"b":1,"1":2}'), _never,
    ),
    Difference(
        "object-keys", "{[1]: 2}", ("value", ["object", [["list", ["number", "1"]], ["number", "2"]]]),
        ("fails", "A key of an object must be text or a number."),
        lambda case: case.ours == ("fails", "A key of an object must be text or a number."),
    ),
    Difference(
        "length-of-objects", "length({'a': 1})", _NULL, _number("1"),
        lambda case: case.function == "length" and case.theirs == _NULL,
    ),
    Difference(
        "whole-dates", "toYear('2026')", _number("2026"), _number("NaN"),
        lambda case: case.function in _DATE_READERS
        and case.has("'2026'", "'12'", "' 2026-01-02 '", "'2026-01-02 03:04'"),
    ),
    Difference(
        "dates-in-text", "addDays('2026-03-01', 1)", ("value", ["date", "2026", "1", "3"]),
        ("value", ["datetime", "1772409600", "UTC"]),
        lambda case: case.function in _DATE_MOVERS
        and (case.failed("Expected a DateTime")
            or any(each[0] in "'-0123456789tfe" and each[:2] != "to" for each in case.arguments[-2:])),
    ),
    Difference(
        "numbers-are-seconds", "toYear(0)", _number("NaN"), _number("1970"),
        lambda case: case.function in _DATE_READERS and any(map(_IS_NUMBER.match, case.arguments)),
    ),
    Difference(
        "exact-spans", "dateDiff('hour', '2026-01-01', '2026-03-01')", _number("1440"), _number("1416"),
        lambda case: case.function == "dateDiff" and case.arguments[0] in ("'hour'", "'minute'", "'second'", "'week'"),
    ),
    Difference(
        "unknown-zones", "toTimeZone(now(), 'Mars/Base')",
        ("value", ["datetime", "1767323045.678", "Mars/Base"]),
        ("fails", "Unknown time zone; use a name such as Europe/Paris."),
        lambda case: case.ours == ("fails", "Unknown time zone; use a name such as Europe/Paris.")
        or (case.function == "toTimeZone" and case.arguments[1] == "null"),
    ),
    Difference(
        "milliseconds", "fromUnixTimestampMilli(1.5)", ("value", ["datetime", "0.0015", "UTC"]),
        ("value", ["datetime", "0.002", "UTC"]), _of("fromUnixTimestamp", "fromUnixTimestampMilli", "toDateTime"),
    ),
    Difference(
        "more-units", "dateTrunc('week', now())", ("fails", "Unsupported unit for dateTrunc: week"),
        ("value", ["datetime", "1766966400", "UTC"]),
        lambda case: case.failed("Unsupported unit", "Unsupported interval"),
    ),
    Difference(
        "invalid-dates", "toYear(toDate('junk'))", ("fails", "Invalid unit value NaN"), _number("NaN"),
        lambda case: case.failed("Invalid unit value") or (case.function == "dateAdd" and _nothing(case.ours)),
    ),
    Difference(
        "apostrophes-in-formats", "formatDateTime(now(), 'it''s %Y')", _text("it5 yyyy"), _text("it's 2026"), _never,
    ),
    Difference(
        "digests-are-text", "length(md5('a', null))", _number("16"), _number("32"),
        lambda case: case.function in ("md5", "sha1", "sha256", "sha1HmacChain", "sha256HmacChain")
        and case.theirs[0] == "value" and case.theirs[1][0] == "object",
    ),
    Difference(
        "signatures-need-a-list", "sha1HmacChain('ab')", _text("6657855686823986c874362731139752014cb60b"),
        ("fails", "Data array must contain at least two elements."),
        lambda case: case.ours == ("fails", "Data array must contain at least two elements."),
    ),
    Difference(
        "dates-of-datetimes", "toDate(now())", ("value", ["date", "NaN", "NaN", "NaN"]),
        ("value", ["date", "2026", "1", "2"]),
        _of("toDate"),
    ),
    Difference(
        "objects-as-text", "JSONExtractString('{}')", _text("[object Object]"), _text("[object Map]"),
        lambda case: "[object Map]" in repr(case.ours) and "[object Object]" in repr(case.theirs),
    ),
    Difference(
        "complete-choices", "if(true, 1)", _number("1"), ("refused", "Function if requires at least 3 arguments"),
        lambda case: case.ours[0] == "refused"
            and case.ours[1].startswith(("Function if requires", "Function multiIf requires")),
    ),
    Difference(
        "json-of-null", "JSONHas(null, 5)", ("value", ["boolean", True]), ("value", ["boolean", False]),
        lambda case: case.function == "JSONHas",
    ),
    Difference(
        "refused-when-saved", "upper()", ("fails", "Function upper requires at least 1 arguments"),
        ("refused", "Function upper requires at least 1 arguments"),
        lambda case: case.theirs[0] == "fails" and case.ours[0] == "refused"
        and (case.theirs[1] == case.ours[1] or case.failed("Unsupported function call")),
    ),
    Difference(
        "no-waiting", "sleep(1)", _NULL, ("fails", "Exceeded maximum number of async steps: 0"), _never,
    ),
    Difference(
        "no-cohorts", "inCohort(1, [2])", ("value", ["boolean", False]),
        ("fails", "Cohort membership can't be evaluated in real time; use person properties instead."), _never,
    ),
    Difference(
        "same-again", "randomFloat() = randomFloat()", ("value", ["boolean", False]), ("value", ["boolean", False]),
        _never,
    ),
    Difference(
        "sql-is-refused", "count(distinct event)", ("fails", "Unsupported function call: count"),
        ("refused", "Expected ',' or ')' after 'distinct', but found 'event'."), _never,
    ),
    Difference(
        "no-tags", "1 <event> 2", ("refused", "mismatched input"), ("value", ["boolean", False]), _never,
    ),
    Difference(
        "hyphens-in-names", "event.properties.n-event", ("value", ["number", "NaN"]),
        ("refused", "The hyphen in 'n-event' means subtraction."),
        lambda case: case.ours[0] == "refused" and case.ours[1].startswith("The hyphen in"),
    ),
    Difference(
        "counted-limits", "(f -> f(f, 150))((f, n) -> n = 0 ? 'end' : f(f, n - 1))", _text("end"),
        ("fails", "Call stack exceeded maximum length of 100"),
        lambda case: case.ours[0] == "refused" and "levels deep" in case.ours[1],
    ),
    Difference(
        "patterns-and-null", "null like '%'", ("value", ["boolean", True]), ("value", ["boolean", False]),
        lambda case: "like" in case.source.lower() and case.ours[0] == "value" and case.ours[1][0] == "boolean",
    ),
    Difference(
        "unordered-dates", "now() < 'junk'", ("value", ["boolean", True]), ("value", ["boolean", False]),
        lambda case: "now()" in case.source and case.ours == ("value", ["boolean", False]),
    ),
    Difference(
        "properties-of-text", "event.event.length", _number("13"), _NULL, _never,
    ),
    Difference(
        "own-words", "jsonParse('nope')", ("fails", "Unexpected token 'o', \"nope\" is not valid JSON"),
        ("fails", "The text given to jsonParse is not valid JSON."),
        lambda case: case.theirs[0] == case.ours[0] != "value",
    ),
)  # fmt: skip
"""All of them, by name."""

SAME_WORDS: Final = re.compile(
    r"Global variable not found: |Function \w+ requires |Hog arrays start from index 1|Too many arguments\. "
    r"|Value is null in assumeNotNull|Expected a DateTime$"
)
"""Messages that users see and search for: where PostHog fails with one of these, we say the same."""


def difference_of(case: Case) -> str | None:
    """Name the deliberate difference that a case shows; None when it is a bug."""
    return next((each.name for each in DIFFERENCES if each.covers(case)), None)

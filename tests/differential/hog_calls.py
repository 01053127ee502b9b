"""Calls of every function of the library, drawn at random: arguments that suit it, and arguments that do not."""

from typing import Final

from hypothesis import strategies as st

from smspipe.hog.library import FUNCTIONS
from tests.differential.hog_grammar import Choices

ANYTHING: Final = (
    "null", "true", "false", "0", "1", "-1", "2", "3", "1.5", "-2.5", "1e21", "1e-7", "1 / 0", "0 / 0", "''", "'a'",
    "'abc'", "'5'", "' 5 '", "'12abc'", "'-7.9'", "'0x1F'", "'true'", "'héé😀x'", "event.properties.json",
)  # fmt: skip
_CONTAINERS: Final = (
    "[]", "[1, 2]", "['b', 'a', null]", "[3, 10, 1]", "(1, 'a')", "{}", "{'a': 1, 'b': [1]}",
    "event.properties.list", "now()", "today()", "toDateTime('junk')", "toDate('junk')", "Error('no')", "x -> x",
    "event.properties.deep",
)  # fmt: skip
_ALL: Final = ANYTHING + _CONTAINERS
_TEXTS: Final = (
    "''", "'a'", "'abc'", "'aXbXc'", "'X'", "' a '", "'xxaxx'", "'x'", "'Hello'", "'ELL'", "','", "'a,b,,c'",
    "'héé😀x'", "'.'", "'a.b'", "'$&'", "'$$-'", "'[$`]'", "'$1'", "'%'", "'_b%'", "'é'", "'ABC'", "'hex'",
    "'base64'", "'base64url'", "event.properties.emoji", "event.properties.quote", "'it''s'", "'a b&c=d/é?'",
)  # fmt: skip
_PATTERNS: Final = ("'b'", "'^a'", "'[0-9]+'", "'([0-9])[0-9]+'", "'x|b'", "'(?i)ABC'", "'a.c'", "''")
_NUMBERS: Final = (
    "0",
    "1",
    "2",
    "3",
    "-1",
    "10",
    "1.5",
    "2.5",
    "-2.5",
    "0.5",
    "'3'",
    "1e300",
    "1 / 0",
    "null",
    "'x'",
)
_LISTS: Final = (
    "[]", "[1, 2]", "['b', 'a']", "[3, 10, 1]", "[1, 'a', null, 2.5]", "(1, 2)", "[[2], [1, 2]]",
    "[true, 'true', 1]", "['key', 'message']", "['k', 'm', 'n']", "event.properties.numbers", "['x', 'ELL']",
    "[now()]", "[{'a': 1}]", "['é', '😀', '～']",
)  # fmt: skip
_JSON: Final = (
    "event.properties.json", "'{\"a\":{\"b\":[1,2,\"3x\"]}}'", "'[1,[2,3]]'", "'nope'", "'null'", "'\"text\"'",
    "' 12 '", "''", "{'a': {'b': [1, 2]}}", "[1, [2, 3]]", "'{\"a\": 1.50, \"a\": true}'",
    "'[1e400, -0, 12345678901234567890]'", "'NaN'", "'01'",
)  # fmt: skip
_STEPS: Final = ("'a'", "'b'", "1", "2", "-1", "0", "'1'", "5", "null", "'d'")
_DATES: Final = (
    "now()", "today()", "toDateTime('2026-01-31 23:30:00')", "toDate('2024-02-29')", "'2026-01-02'",
    "'2026-01-02T03:04:05Z'", "toDateTime('2026-03-29 01:30:00', 'Europe/Berlin')",
    "toTimeZone(now(), 'America/New_York')", "toDateTime(1767323045.678)", "'2026-01-02 03:04'", "' 2026-01-02 '",
    "'2026-13-01'", "'junk'", "1767323045", "null", "toDateTime('junk')", "toDate('junk')",
    "'2026-01-02T03:04:05.678+05:30'", "toDateTime('1969-12-31T23:59:59Z')", "fromUnixTimestamp(0)",
    "'2026-01-02T03:04:05+02'", "toTimeZone(toDateTime('2026-12-31 23:59:59'), 'Asia/Kolkata')", "'2026'", "'12'",
)  # fmt: skip
_UNITS: Final = (
    "'second'",
    "'minute'",
    "'hour'",
    "'day'",
    "'week'",
    "'month'",
    "'quarter'",
    "'year'",
    "'days'",
    "null",
)
_ZONES: Final = ("'UTC'", "'America/New_York'", "'Europe/Berlin'", "'Asia/Kolkata'", "'Australia/Lord_Howe'")
_FORMATS: Final = (
    "'%Y-%m-%d %H:%i:%S'", "'%y %c %e %d %j'", "'%k:%h %I %l %p'", "'%M %b %a %W %u %w %V %Q'",
    "'%s %f %T %R %r %D %F'", "'%z%n%t%%'", "'%é %o %'", "'at %H'", "''", "'plain text'",
)  # fmt: skip
_FUNCTIONS: Final = (
    "x -> x", "x -> x + 1", "x -> x > 1", "(x, y) -> concat(x, y)", "(x, y) -> x + y", "upper", "toString",
    "() -> 1", "x -> null", "x -> x = 'a'", "isNotNull", "(x, y, z) -> z",
)  # fmt: skip
_ADDRESSES: Final = (
    "'192.168.1.1'", "'10.0.0.256'", "'::1'", "'fe80::1'", "'junk'", "'1.2.3'", "'::ffff:10.0.0.1'", "' 10.0.0.1'",
)  # fmt: skip
_NETWORKS: Final = (
    "'192.168.0.0/16'", "'10.0.0.0/8'", "'::/64'", "'0.0.0.0/0'", "'192.168.1.1/33'", "'10.0.0.1'", "'junk/8'",
    "'10.0.0.0/x'", "'192.168.1.7/24'", "'fe80::/10'",
)  # fmt: skip
_ENCODED: Final = (
    "'a%20b'", "'%C3%A9'", "'a%2'", "'%ff'", "'%'", "'YWJj'", "'YWJ'", "'_-8='", "'***'", "'aMOpbGxv'", "'Y W\\nJj'",
    "'+'",
)  # fmt: skip
_VERSIONS: Final = ("'1.2.3'", "'v1.10.2-beta'", "'2'", "'1.2.3.4'", "'x'", "1.2", "null", "'01.02'")

_SUITABLE: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    **dict.fromkeys(("arrayMap", "arrayFilter", "arrayExists", "arrayCount"), (_FUNCTIONS, _LISTS)),
    **dict.fromkeys(("JSONHas", "JSONLength", "JSONExtract", "JSONExtractString", "JSONExtractInt"), (_JSON, _STEPS)),
    **dict.fromkeys(("JSONExtractFloat", "JSONExtractBool", "JSONExtractArrayRaw"), (_JSON, _STEPS)),
    **dict.fromkeys(("jsonParse", "isValidJSON"), (_JSON,)),
    **dict.fromkeys(("match", "extractRegex"), (_TEXTS, _PATTERNS)),
    **dict.fromkeys(("arraySort", "arrayReverseSort", "arrayReverse", "arrayPopBack", "arrayPopFront"), (_LISTS,)),
    **dict.fromkeys(("keys", "values", "length"), (_LISTS,)),
    **dict.fromkeys(("has", "indexOf", "arrayPushBack", "arrayPushFront"), (_LISTS, _ALL)),
    **dict.fromkeys(("toYear", "toMonth", "toYYYYMM", "toStartOfHour", "toStartOfMonth", "toDate"), (_DATES,)),
    **dict.fromkeys(("toDateTime", "toTimeZone", "toStartOfDay", "toUnixTimestamp"), (_DATES, _ZONES)),
    **dict.fromkeys(("toUnixTimestampMilli",), (_DATES, _ZONES)),
    **dict.fromkeys(("toStartOfWeek",), (_DATES, _NUMBERS)),
    **dict.fromkeys(
        ("sha1HmacChain", "sha256HmacChain", "sha1HmacChainHex", "sha256HmacChainHex"),
        (_LISTS, _TEXTS[-7:-4]),
    ),
    **dict.fromkeys(
        ("md5", "sha1", "sha256"),
        (_TEXTS, ("'hex'", "'base64'", "'base64url'", "'binary'", "null", "'junk'")),
    ),
    **dict.fromkeys(("decodeURLComponent", "tryDecodeURLComponent", "base64Decode", "tryBase64Decode"), (_ENCODED,)),
    **dict.fromkeys(
        ("floor", "round", "toInt", "toFloat", "fromUnixTimestamp", "fromUnixTimestampMilli"),
        (_NUMBERS, _NUMBERS),
    ),
    **dict.fromkeys(
        ("typeof", "toString", "toUUID", "isNull", "isNotNull", "empty", "notEmpty", "concat", "if"),
        (_ALL,),
    ),
    **dict.fromkeys(("coalesce", "ifNull", "assumeNotNull", "tuple", "multiIf", "and", "or", "not"), (_ALL,)),
    **dict.fromkeys(("equals", "notEquals", "greater", "greaterOrEquals", "less", "lessOrEquals", "min2"), (ANYTHING,)),
    **dict.fromkeys(("plus", "minus"), (ANYTHING,)),
    **dict.fromkeys(("toIntervalDay", "toIntervalHour", "toIntervalMinute", "toIntervalMonth"), (("1", "-2", "1.5"),)),
    "in": (ANYTHING, _LISTS),
    "arrayReduce": (_FUNCTIONS, _LISTS, ANYTHING),
    "arrayStringConcat": (_LISTS, _TEXTS),
    "range": (("0", "1", "2", "3", "-1", "1.5", "null"), ("0", "4", "5", "-2", "'5'", "2.5", "null")),
    "substring": (_TEXTS, _NUMBERS, _NUMBERS),
    "position": (_TEXTS, _TEXTS),
    "splitByString": (("','", "''", "'X'", "'.'"), _TEXTS, _NUMBERS),
    "multiSearchAnyCaseInsensitive": (_TEXTS, _LISTS),
    "formatDateTime": (_DATES, _FORMATS, _ZONES),
    "dateAdd": (_UNITS, _NUMBERS, _DATES),
    "addDays": (_DATES, _NUMBERS),
    "dateDiff": (_UNITS, _DATES, _DATES),
    "dateTrunc": (_UNITS, _DATES, _ZONES),
    "extract": (("'year'", "'month'", "'day'", "'hour'", "'minute'", "'second'", "'week'"), _DATES),
    "isIPAddressInRange": (_ADDRESSES, _NETWORKS),
    "sortableSemver": (_VERSIONS,),
    "jsonStringify": (_ALL, ("2", "0", "20", "null", "'--'", "-1", "1.5")),
}  # fmt: skip
"""What suits each argument of a function, the last for all further ones; of a function not named here, text."""

RANDOM: Final = frozenset({"generateUUIDv4", "randomFloat"})
"""Different on purpose each time in PostHog, and the same each time here."""
OUTSIDE: Final = frozenset({"sleep", "fetch", "print", "inCohort", "notInCohort"})
"""Need something outside of the expression."""
PICKY: Final = frozenset(
    {
        "HogError",
        "Error",
        "RetryError",
        "NotImplementedError",
        "range",
        "formatDateTime",
        "base64Decode",
        "tryBase64Decode",
    }
    | {name for name in FUNCTIONS if name.startswith("toInterval")}
)
"""With arguments that do not suit them these return things of JavaScript's that no one can use."""
NAMES: Final = tuple(sorted(FUNCTIONS.keys() - RANDOM - OUTSIDE))


def write_call(choices: Choices, name: str | None = None) -> tuple[str, ...]:
    """Draw a call, its name and its arguments, which suit it, or, once in four, one or more of which do not."""
    name = choices.of(NAMES) if name is None else name
    function = FUNCTIONS[name]
    most = function.least + 2 if function.most is None else function.most
    count = function.least + choices.number(most - function.least)
    suitable = _SUITABLE.get(name, (_TEXTS,))
    unsuitable = choices.number(3) == 0 and name not in PICKY
    arguments = []
    for index in range(count):
        pool = suitable[min(index, len(suitable) - 1)]
        arguments.append(choices.of(ANYTHING if unsuitable and choices.number(1) else pool))
    return (name, *arguments)


calls: Final = st.binary(min_size=16, max_size=16).map(lambda drawn: write_call(Choices(drawn)))

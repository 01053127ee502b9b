"""Which requests are refused, with which status and in which words; and that the words hold nothing of the body."""

import json
from typing import Any

import pytest

from smspipe.capture import overloaded
from smspipe.model.event import Door
from tests.capture.asking import TOKEN, V1_HEADERS, accept, refusal, request, signup, v1_batch, v1_event

BARE = signup(api_key=...)
DEEP = 100_000


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        pytest.param(b"", 400, "request missing data payload", id="no body"),
        pytest.param([], 400, "request holds no event", id="empty list"),
        pytest.param({"api_key": TOKEN, "batch": []}, 400, "request holds no event", id="empty batch"),
        pytest.param(
            signup(event=...),
            400,
            "failed to hydrate events from request: non-engage request missing event name attribute",
            id="no name",
        ),
        pytest.param(signup(event=""), 400, "event submitted with an empty event name", id="empty name"),
        pytest.param(signup(distinct_id=...), 400, "event submitted without a distinct_id", id="no distinct_id"),
        pytest.param(signup(distinct_id=""), 400, "event submitted without a distinct_id", id="empty distinct_id"),
        pytest.param(signup(distinct_id=" \t"), 400, "event submitted without a distinct_id", id="blank distinct_id"),
        pytest.param(
            signup(distinct_id="", properties={"distinct_id": "u-3"}),
            400,
            "event submitted without a distinct_id",
            id="empty distinct_id hides that of the properties",
        ),
        pytest.param(
            signup(properties={"$cookieless_mode": "yes"}),
            400,
            "event submitted with invalid cookieless mode",
            id="cookieless mode",
        ),
        pytest.param(
            signup(event="$performance_event"),
            400,
            "payload empty after filtering invalid event types",
            id="only a performance event",
        ),
        pytest.param(BARE, 401, "event submitted without an api_key", id="no token"),
        pytest.param([BARE, BARE], 401, "event submitted without an api_key", id="no token in a list"),
        pytest.param(
            signup(api_key=..., properties={"token": 5}), 401, "event submitted without an api_key", id="token no text"
        ),
        pytest.param(
            [signup(), signup(api_key="phc_other")],
            401,
            "batch submitted with inconsistent api_key values",
            id="two tokens",
        ),
        pytest.param(signup(api_key=""), 401, "API key is not valid: empty", id="empty token"),
        pytest.param(signup(api_key=" \n"), 401, "API key is not valid: empty", id="blank token"),
        pytest.param(signup(api_key="x" * 65), 401, "API key is not valid: too_long", id="long token"),
        pytest.param(signup(api_key="phc_é"), 401, "API key is not valid: not_ascii", id="token not ascii"),
        pytest.param(signup(api_key="phx_1"), 401, "API key is not valid: personal_api_key", id="personal key"),
        pytest.param(signup(api_key="phc_\0"), 401, "API key is not valid: null_byte", id="NUL in token"),
        pytest.param(signup(api_key="phc_other"), 401, "API key is not valid: unknown", id="another project"),
    ],
)
def test_a_broken_rule_is_named_in_posthogs_words(body: Any, status: int, text: str) -> None:
    refused = refusal(body)
    assert (refused.status, refused.text, str(refused)) == (status, text, text)
    assert (refused.body, refused.content_type) == (text.encode(), "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"\xff\xfe{}", "failed to parse request: ", id="no JSON"),
        pytest.param(b"{", "failed to parse request: ", id="cut off"),
        pytest.param(b'{"event":"\xff"}', "failed to decode request: invalid UTF8", id="bad UTF-8"),
        pytest.param(b'{"event": NaN}', "failed to parse request: ", id="NaN"),
        pytest.param(b'{"properties": {"x": Infinity}}', "failed to parse request: ", id="Infinity"),
        pytest.param(b'{"properties": {"x": 1e400}}', "failed to parse request: ", id="no float"),
        pytest.param(b'{"properties": {"x": -%b}}' % (b"9" * 400), "failed to parse request: number", id="huge"),
        pytest.param(
            b'{"properties": {"q": "\\"\\\\", "x": [%b]}}' % (b"9" * 309),
            "failed to parse request: number",
            id="huge after",
        ),
        pytest.param(b'{"properties": {"x": "\\ud800"}}', "failed to parse request: ", id="lone high surrogate"),
        pytest.param(b'{"properties": {"x": "\\udc00"}}', "failed to parse request: ", id="lone low surrogate"),
        pytest.param(b'{"event": "a\nb"}', "failed to parse request: ", id="raw control character"),
        pytest.param(b"5", "failed to parse request: ", id="number"),
        pytest.param(b'"text"', "failed to parse request: ", id="text"),
        pytest.param(b"[5]", "failed to parse request: ", id="list of numbers"),
        pytest.param(signup(event=5), "failed to parse request: ", id="name no text"),
        pytest.param(signup(uuid=5), "failed to parse request: ", id="uuid no text"),
        pytest.param(signup(properties=[]), "failed to parse request: ", id="properties no object"),
        pytest.param(signup(api_key=5), "failed to parse request: ", id="token no text"),
        pytest.param(signup(timestamp={}), "failed to parse request: ", id="timestamp an object"),
        pytest.param(signup(offset="5"), "failed to parse request: ", id="offset a text"),
        pytest.param(signup(**{"$set": []}), "failed to parse request: ", id="$set no object"),
        pytest.param({"batch": {}, "api_key": TOKEN}, "failed to parse request: ", id="batch no list"),
        pytest.param({"batch": [[]], "api_key": TOKEN}, "failed to parse request: ", id="batch of lists"),
        pytest.param(
            {"batch": [BARE], "api_key": TOKEN, "historical_migration": "yes"},
            "failed to parse request: ",
            id="historical_migration no truth value",
        ),
        pytest.param(b"[" * DEEP, "failed to parse request: ", id="deep and cut off"),
        pytest.param(b'{"properties":{"x":' + b"[" * DEEP, "failed to parse request: recursion", id="deep inside"),
        pytest.param(
            b'{"properties":{"x":' + b"[" * DEEP + b"]" * DEEP + b"}}", "failed to parse request: recursion", id="deep"
        ),
        pytest.param(b'{"other":' + b"[" * DEEP, "failed to parse request: recursion", id="deep in what is not read"),
    ],
)
def test_what_is_no_event_is_refused_with_400(body: Any, text: str) -> None:
    refused = refusal(body)
    assert refused.status == 400
    assert refused.text.startswith(text)


def nested(depth: int, filling: str = "1", before: str = "") -> bytes:
    """A body nested `depth` deep, its own two levels included."""
    inside = "[" * (depth - 2) + filling + "]" * (depth - 2)
    return (json.dumps(signup())[:-1] + f', "properties": {{{before}"x": {inside}}}}}').encode()


@pytest.mark.parametrize(
    "before",
    ["", '"y": "]]]]]}}}}}", ', '"y": "\\"]]]]]\\\\", ', '"y": [[], {}, [{}, "[["]], ', '"y": "", "z": "{{{{[[[[", '],
)
def test_a_body_may_be_nested_as_deep_as_posthog_takes_it(before: str) -> None:
    assert len(accept(nested(128, before=before)).events) == 1
    assert refusal(nested(129, before=before)).text == "failed to parse request: recursion limit exceeded"


def test_many_shallow_values_are_not_deep() -> None:
    events = [signup(properties={"a": [{"b": [[]]}], "c": "[{" * 9}) for _ in range(200)]
    assert len(accept(events).events) == 200


def test_one_deep_event_is_found_among_many_shallow_ones() -> None:
    deep = b"[" * 130 + b"]" * 130
    body = json.dumps([signup(properties={"x": "here"}) for _ in range(300)]).encode()
    assert refusal(body.replace(b'"here"', deep, 1)).status == 400


def test_depth_counts_in_parts_that_are_not_read() -> None:
    body = json.dumps(signup())[:-1].encode() + b', "other": ' + b"[" * 500 + b"]" * 500 + b"}"
    assert refusal(body).text == "failed to parse request: recursion limit exceeded"


@pytest.mark.parametrize(
    "digits", ["9" * 308, "0." + "3" * 400, "1" + "0" * 20, '"' + "7" * 5000 + '"', '"\\"' + "7" * 500 + '"']
)
def test_a_long_number_that_a_float_can_hold_is_taken(digits: str) -> None:
    body = json.dumps(signup())[:-1] + f', "properties": {{"x": {digits}}}}}'
    assert len(accept(body.encode()).events) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
@pytest.mark.parametrize("door", list(Door))
def test_other_methods_are_refused(method: str, door: Door) -> None:
    assert refusal(signup(), door, method=method).status == 405


@pytest.mark.parametrize("door", [Door.V1, Door.HOOK])
def test_v1_and_the_hook_take_no_get(door: Door) -> None:
    assert refusal(signup(), door, method="GET").status == 405


SECRET = "+15005550009"


@pytest.mark.parametrize(
    "body",
    [
        signup(event={"x": SECRET}),
        signup(properties=[SECRET]),
        signup(properties=SECRET),
        signup(uuid=SECRET),
        signup(timestamp=[SECRET]),
        signup(api_key=SECRET),
        signup(**{"$set": SECRET}),
        {"batch": [{SECRET: SECRET, "properties": {SECRET: [SECRET]}, "uuid": {SECRET: 1}}], "api_key": TOKEN},
        f'{{"{SECRET}": {SECRET}'.encode(),
        f'{{"properties": {{"{SECRET}": NaN}}}}'.encode(),
        f'{{"properties": {{"{SECRET}": 1e999}}}}'.encode(),
        f"data={SECRET}".encode(),
        SECRET.encode(),
    ],
)
def test_no_refusal_repeats_a_value_of_the_body(body: Any) -> None:
    assert "5005550009" not in refusal(body).text


@pytest.mark.parametrize(
    ("parts", "event"),
    [
        ({"request_id": SECRET}, {}),
        ({"attempt": SECRET}, {}),
        ({"request_timestamp": SECRET}, {}),
        ({"authorization": f"Bearer {SECRET}"}, {}),
        ({"authorization": SECRET}, {}),
        ({"content_type": SECRET}, {}),
        ({"content_encoding": SECRET}, {}),
        ({}, {"uuid": SECRET}),
        ({}, {"event": [SECRET]}),
    ],
)
def test_no_refusal_of_v1_repeats_a_value_of_the_request(parts: dict[str, Any], event: dict[str, Any]) -> None:
    refused = refusal(v1_batch(v1_event(**event)), Door.V1, **V1_HEADERS | parts)
    assert b"5005550009" not in refused.body


def test_what_cannot_be_kept_now_is_to_be_sent_again() -> None:
    refused = overloaded(Door.BATCH, retry_after_seconds=3)
    assert (refused.status, refused.text) == (503, "transient error, please retry")
    assert refused.answer.headers == (("Retry-After", "3"),)
    assert json.loads(overloaded(Door.V1).body)["error"] == "service_unavailable"


def test_a_token_is_compared_whole() -> None:
    for wrong in (TOKEN[:-1], TOKEN + "x", TOKEN.upper()):
        assert refusal(signup(api_key=wrong)).text == "API key is not valid: unknown"


def test_a_request_stays_as_it_was() -> None:
    asked = request(signup())
    assert asked.body == json.dumps(signup()).encode()

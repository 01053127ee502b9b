"""What holds for any bytes: an answer or a refusal, and the same events again from the log."""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smspipe.capture import CaptureRequest, Refused, events_of, read
from smspipe.capture.decode import depth_of
from smspipe.model.event import Door, Payload
from smspipe.model.ids import event_uuid_for
from tests.capture.asking import NOW, SEED, TOKEN, UUID, V1_HEADERS, accept, request, signup, v1_batch, v1_event

doors = st.sampled_from(Door)
texts = st.text(max_size=12)


def values_of(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    """JSON values, nested a little."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    )


plain_values = values_of(st.floats(allow_nan=False, allow_infinity=False))
plain_properties = st.dictionaries(
    texts | st.sampled_from(["$set", "$set_once", "$unset", "$ip", "token"]), plain_values
)
plain_events = st.fixed_dictionaries(
    {
        "event": st.text(min_size=1).filter(lambda name: name != "$performance_event"),
        "distinct_id": st.text(min_size=1).filter(str.strip) | st.integers() | st.lists(plain_values),
    },
    optional={
        "uuid": st.sampled_from([UUID, UUID.upper(), "", None]) | st.uuids().map(str),
        "properties": plain_properties,
        "timestamp": st.datetimes().map(str) | texts | st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        "offset": st.integers() | st.none(),
        "$set": st.dictionaries(texts, plain_values) | st.none(),
        "$set_once": st.dictionaries(texts, plain_values),
        "$unset": st.lists(plain_values) | st.dictionaries(texts, plain_values),
    },
)
plain_envelopes = st.fixed_dictionaries(
    {"api_key": st.just(TOKEN), "batch": st.lists(plain_events, min_size=1, max_size=4)},
    optional={"sent_at": st.datetimes().map(str) | plain_values, "historical_migration": st.booleans() | st.none()},
)

values = values_of(st.floats())
odd_events = st.fixed_dictionaries(
    {"api_key": st.sampled_from([TOKEN, TOKEN, "phc_other", None])},
    optional={
        "event": texts | values,
        "distinct_id": values,
        "$distinct_id": values,
        "uuid": texts | values,
        "properties": st.dictionaries(texts | st.sampled_from(["$cookieless_mode", "$ignore_sent_at"]), values)
        | values,
        "timestamp": values,
        "offset": values,
        "$set": values,
        "$unset": values,
        "batch": values,
    },
)
bodies = st.one_of(
    values,
    odd_events,
    st.lists(odd_events, max_size=4),
    st.fixed_dictionaries({"event": plain_events | odd_events}, optional={"person": values, "groups": values}),
    st.builds(lambda batch: v1_batch(*batch), st.lists(st.builds(v1_event, uuid=st.uuids().map(str)) | odd_events)),
)
WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "json": bytes,
    "gzip": gzip.compress,
    "base64": base64.b64encode,
    "form": lambda data: b"data=" + base64.b64encode(data),
    "cut gzip": lambda data: gzip.compress(data)[:-9],
    "twice gzip": lambda data: gzip.compress(gzip.compress(data)),
    "base64 of gzip": lambda data: base64.b64encode(gzip.compress(data)),
}
hints: dict[str, Any] = {
    "content_type": st.sampled_from([None, "application/json", "text/plain", "application/x-www-form-urlencoded"]),
    "content_encoding": st.sampled_from([None, "gzip", "deflate", "br", "zstd", "lz64", "base64"]),
    "query": st.sampled_from([b"", b"compression=lz64", b"compression=gzip-js&_=1767261600000", b"beacon=1&a=%zz&=;"]),
}

OUTCOMES = {"accepted", *(f"refused with {status}" for status in (400, 401, 413, 415))}


def outcome(asked: CaptureRequest, door: Door) -> str:
    """Read it: anything but events or a refusal fails the test, and so does any difference from the log."""
    try:
        accepted = read(asked, door, NOW, SEED, TOKEN)
    except Refused as refused:
        return f"refused with {refused.answer.status}"
    assert events_of(accepted.payload) == accepted.events
    for event in accepted.events:
        assert event.event
        assert event.distinct_id.strip()
        assert len(event.distinct_id) <= 200
        assert event.timestamp.utcoffset() == NOW.utcoffset()
        assert event.uuid == event.uuid.lower()
        assert len(event.uuid) == 36
    return "accepted"


@pytest.mark.slow
@given(bodies, doors, st.sampled_from(sorted(WRAPPINGS)), st.fixed_dictionaries({}, optional=hints))
def test_any_body_is_taken_and_found_again_in_the_log_or_refused(
    body: Any, door: Door, wrapping: str, given_hints: dict[str, Any]
) -> None:
    data = WRAPPINGS[wrapping](json.dumps(body).encode())
    assert outcome(request(data, **(V1_HEADERS if door is Door.V1 else {}) | given_hints), door) in OUTCOMES


@given(st.binary(max_size=300), doors, st.fixed_dictionaries({}, optional=hints))
def test_any_bytes_are_taken_or_refused(data: bytes, door: Door, given_hints: dict[str, Any]) -> None:
    assert outcome(request(data, **(V1_HEADERS if door is Door.V1 else {}) | given_hints), door) in OUTCOMES


@given(
    st.sampled_from([signup(properties={"a": [{"b": "c\0"}], "$set": {}}), [signup()] * 3, v1_batch(v1_event())]),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4)), min_size=1, max_size=4),
    st.sampled_from(sorted(WRAPPINGS)),
    doors,
)
def test_a_damaged_body_is_taken_or_refused(
    body: Any, damage: list[tuple[int, bytes]], wrapping: str, door: Door
) -> None:
    data = bytearray(WRAPPINGS[wrapping](json.dumps(body).encode()))
    for place, piece in damage:
        data[place : place + len(piece)] = piece
    assert outcome(request(bytes(data), **(V1_HEADERS if door is Door.V1 else {})), door) in OUTCOMES


@given(st.binary(max_size=200))
def test_any_query_is_taken_or_refused(query: bytes) -> None:
    assert outcome(request(signup(), query=query), Door.CAPTURE) in OUTCOMES


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(V1_HEADERS.keys() - {"path"}, st.none() | texts)))
def test_any_header_of_v1_is_taken_or_refused(headers: dict[str, Any]) -> None:
    assert outcome(request(v1_batch(v1_event()), **V1_HEADERS | headers), Door.V1) in OUTCOMES


@pytest.mark.slow
@settings(max_examples=40)
@given(plain_envelopes, st.sampled_from([Door.CAPTURE, Door.BATCH, Door.ENGAGE]))
def test_whatever_an_sdk_may_well_send_is_taken(body: dict[str, Any], door: Door) -> None:
    assert outcome(request(body, ip="203.0.113.7"), door) == "accepted"
    assert len(accept(body, door).events) == len(body["batch"])


@pytest.mark.parametrize("door", [Door.CAPTURE, Door.BATCH])
def test_an_event_without_a_uuid_has_the_one_of_its_place_in_its_request(door: Door) -> None:
    body = [signup(event="$performance_event"), signup(), signup(uuid=UUID), signup()]
    accepted = accept(body, door)
    assert [event.uuid for event in accepted.events] == [
        event_uuid_for(NOW, SEED, 1),
        UUID,
        event_uuid_for(NOW, SEED, 3),
    ]
    assert events_of(accepted.payload) == accepted.events


@pytest.mark.parametrize("door", list(Door))
def test_a_payload_survives_being_stored(door: Door) -> None:
    body = {
        Door.V1: v1_batch(v1_event(), v1_event(uuid=UUID[:-1] + "c", event="")),
        Door.HOOK: {"event": signup(), "person": {"properties": {"phone": "x"}}},
    }.get(door, signup(properties={"a": "b\0"}, timestamp="2026-01-01T10:00:00+03"))
    parts = {"ip": "203.0.113.7", "query": b"_=1767323055000"} | (V1_HEADERS if door is Door.V1 else {})
    accepted = accept(gzip.compress(json.dumps(body).encode()), door, **parts)
    kept = accepted.payload
    again = Payload(
        door=Door(str(kept.door)),
        body=bytes(kept.body),
        received_at=kept.received_at,
        seed=kept.seed,
        sent_at=kept.sent_at,
        ip=kept.ip,
    )
    assert json.loads(again.body)
    assert events_of(again) == accepted.events != []


brackets = st.text('[]{}"\\,a', max_size=8)


@given(st.recursive(brackets | st.none(), lambda inner: st.lists(inner) | st.dictionaries(brackets, inner)))
def test_depth_is_measured_past_whatever_stands_in_strings(value: Any) -> None:
    assert depth_of(json.dumps(value).encode()) == depth_of_value(value)


def depth_of_value(value: Any) -> int:
    """Count it the plain way."""
    if isinstance(value, list | dict):
        return 1 + max(map(depth_of_value, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def test_events_are_found_again_from_deep_within_the_stack() -> None:
    inside = b"[" * 120 + b"]" * 120
    payload = accept(json.dumps(signup(properties={"x": "here"})).encode().replace(b'"here"', inside)).payload

    def deeper(levels: int) -> int:
        return deeper(levels - 1) if levels else len(events_of(payload))

    assert deeper(600) == 1

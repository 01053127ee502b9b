"""Which shapes a body may have, and what becomes of each part of an event."""

import json
from typing import Any

import pytest

from smspipe.capture import BODY_LIMITS, door_of
from smspipe.model.event import Door
from tests.capture.asking import NOW, TOKEN, UUID, accept, only_event, refusal, signup

MIB = 1024 * 1024
BARE = signup(api_key=...)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/e", Door.CAPTURE),
        ("/capture", Door.CAPTURE),
        ("/track", Door.CAPTURE),
        ("/i/v0/e", Door.CAPTURE),
        ("/batch", Door.BATCH),
        ("/i/v0/ai/batch", Door.BATCH),
        ("/engage", Door.ENGAGE),
        ("/i/v1/analytics/events", Door.V1),
        ("/hooks/posthog", Door.HOOK),
    ],
)
def test_every_route_leads_to_its_door_with_and_without_a_slash(path: str, slash: str, door: Door) -> None:
    assert door_of(path + slash) is door


@pytest.mark.parametrize("path", ["", "/", "/e//", "/E/", "/s/", "/flags/", "/api/projects/1/"])
def test_other_paths_lead_to_no_door(path: str) -> None:
    assert door_of(path) is None


def test_a_batch_door_takes_twenty_mebibytes_and_a_single_one_two() -> None:
    assert BODY_LIMITS[Door.BATCH] == BODY_LIMITS[Door.V1] == 20 * MIB
    assert BODY_LIMITS[Door.CAPTURE] == BODY_LIMITS[Door.ENGAGE] == 2 * MIB


@pytest.mark.parametrize("door", [Door.CAPTURE, Door.BATCH, Door.ENGAGE])
@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param(signup(), ["signup"], id="single object"),
        pytest.param([signup(), signup(event="b")], ["signup", "b"], id="bare list"),
        pytest.param({"api_key": TOKEN, "batch": [BARE, BARE | {"event": "b"}]}, ["signup", "b"], id="batch"),
        pytest.param({"batch": [signup(), BARE]}, ["signup", "signup"], id="batch whose events carry the token"),
        pytest.param(signup(batch=None), ["signup"], id="single object with an empty word for batch"),
        pytest.param([signup(event="$performance_event"), signup()], ["signup"], id="dropped beside a kept one"),
    ],
)
def test_each_shape_of_body_is_taken_at_each_public_door(body: Any, names: list[str], door: Door) -> None:
    events = accept(body, door).events
    assert [event.event for event in events] == names
    assert {event.door for event in events} == {door}
    assert {event.received_at for event in events} == {NOW}


@pytest.mark.parametrize("padding", [b" ", b"\n\t ", b"\r\n"])
@pytest.mark.parametrize("body", [signup(), [signup()]])
def test_white_space_around_json_is_nothing(body: Any, padding: bytes) -> None:
    assert only_event(padding + json.dumps(body).encode() + padding).event == "signup"


def test_a_byte_order_mark_is_nothing() -> None:
    assert only_event(b"\xef\xbb\xbf" + json.dumps(signup()).encode()).event == "signup"


@pytest.mark.parametrize("name", [..., None, ""])
def test_an_engage_object_without_a_name_is_an_identify(name: Any) -> None:
    event = only_event({"token": TOKEN, "$distinct_id": "u-1", "$set": {"plan": "pro"}} | (
        {} if name is ... else {"event": name}
    ), Door.ENGAGE)  # fmt: skip
    assert (event.event, event.distinct_id, event.properties["$set"]) == ("$identify", "u-1", {"plan": "pro"})


def test_an_event_keeps_its_properties_as_they_came() -> None:
    properties = {"plan": "pro", "n": [1, 2.5, None, {"deep": True}], "big": 2**64, "": "empty key", "ünï": "😀"}
    assert only_event(signup(properties=properties)).properties == properties


def test_an_event_without_properties_has_none() -> None:
    assert only_event(signup()).properties == only_event(signup(properties=None)).properties == {}


def test_a_name_over_two_hundred_characters_is_cut() -> None:
    assert only_event(signup(event="é" * 201)).event == "é" * 200


@pytest.mark.parametrize("key", ["token", "api_key", "$token"])
def test_a_token_may_have_three_names(key: str) -> None:
    assert only_event(signup(api_key=...) | {key: TOKEN}).event == "signup"
    assert len(accept({key: TOKEN, "batch": [BARE, BARE]}).events) == 2


def test_a_token_may_stand_in_the_properties() -> None:
    assert only_event(signup(api_key=..., properties={"token": TOKEN})).event == "signup"
    assert len(accept([BARE | {"properties": {"token": TOKEN}}] * 2).events) == 2


def test_the_envelopes_token_comes_before_those_of_its_events() -> None:
    assert len(accept({"api_key": TOKEN, "batch": [signup(api_key="phc_other")]}).events) == 1


@pytest.mark.parametrize("padded", [f" {TOKEN}\n", f"\t{TOKEN}"])
def test_a_token_is_trimmed(padded: str) -> None:
    assert only_event(signup(api_key=padded)).event == "signup"


@pytest.mark.parametrize(
    ("parts", "distinct_id"),
    [
        ({"distinct_id": "u-1"}, "u-1"),
        ({"distinct_id": ..., "$distinct_id": "u-2"}, "u-2"),
        ({"distinct_id": ..., "properties": {"distinct_id": "u-3"}}, "u-3"),
        ({"distinct_id": None, "properties": {"distinct_id": "u-3"}}, "u-3"),
        ({"distinct_id": "u-1", "$distinct_id": "u-2", "properties": {"distinct_id": "u-3"}}, "u-1"),
        ({"distinct_id": 23, "properties": {"distinct_id": "u-3"}}, "23"),
        ({"distinct_id": 0}, "0"),
        ({"distinct_id": 23.5}, "23.5"),
        ({"distinct_id": True}, "true"),
        ({"distinct_id": ["a", "b"]}, '["a","b"]'),
        ({"distinct_id": {"b": 1, "a": "x"}}, '{"a":"x","b":1}'),
        ({"distinct_id": "  u-1 "}, "  u-1 "),
        ({"distinct_id": "a\0b"}, "a\ufffdb"),
        ({"distinct_id": "\0"}, "\ufffd"),
        ({"distinct_id": "é" * 201}, "é" * 200),
        ({"distinct_id": "x" * 200}, "x" * 200),
    ],
)
def test_a_distinct_id_is_found_and_written_as_text(parts: dict[str, Any], distinct_id: str) -> None:
    assert only_event(signup(**parts)).distinct_id == distinct_id


@pytest.mark.parametrize(
    "uuid",
    [
        UUID,
        UUID.upper(),
        UUID.replace("-", ""),
        "{" + UUID + "}",
        "urn:uuid:" + UUID,
    ],
)
def test_a_uuid_becomes_lower_case_text_with_hyphens(uuid: str) -> None:
    assert only_event(signup(uuid=uuid)).uuid == UUID


@pytest.mark.parametrize("uuid", [..., None, ""])
def test_an_event_without_a_uuid_gets_its_own(uuid: Any) -> None:
    first, second = accept([signup(uuid=uuid), signup(uuid=uuid)]).events
    assert first.uuid != second.uuid
    assert first.uuid[14] == second.uuid[14] == "7"


@pytest.mark.parametrize(
    "uuid", ["x", "not-a-uuid", UUID[:-1], UUID + "0", " " + UUID, "0_930000" + UUID[8:], "{" + UUID, "१" * 32]
)
def test_a_malformed_uuid_refuses_the_whole_request(uuid: str) -> None:
    refused = refusal([signup(), signup(uuid=uuid)])
    assert (refused.status, refused.text) == (400, "failed to parse request: invalid uuid")


def test_one_invalid_event_refuses_the_whole_batch() -> None:
    assert refusal({"api_key": TOKEN, "batch": [BARE, BARE | {"distinct_id": None}]}).status == 400


@pytest.mark.parametrize(
    ("outside", "inside", "merged"),
    [
        ({"$set": {"a": 1}}, {}, {"$set": {"a": 1}}),
        ({}, {"$set": {"a": 1}}, {"$set": {"a": 1}}),
        ({"$set": {"a": 1}}, {"$set": {"a": 2, "b": 3}}, {"$set": {"a": 1, "b": 3}}),
        ({"$set_once": {"a": 1}}, {"$set_once": {"a": 2, "b": 3}}, {"$set_once": {"a": 1, "b": 3}}),
        ({"$set": {"a": 1}}, {"$set": "nonsense"}, {"$set": {"a": 1}}),
        ({"$unset": ["a"]}, {"$unset": ["b", "a"]}, {"$unset": ["b", "a"]}),
        ({"$unset": {"a": ""}}, {}, {"$unset": ["a"]}),
        ({"$unset": ["a", 1, None]}, {"$unset": 5}, {"$unset": ["a"]}),
        ({"$set": None}, {"$set": {"a": 1}}, {"$set": {"a": 1}}),
    ],
)
def test_what_the_root_sets_comes_before_what_the_properties_set(
    outside: dict[str, Any], inside: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert only_event(signup(properties=inside) | outside).properties == merged


def test_the_address_is_added_unless_the_sdk_sent_one() -> None:
    assert only_event(signup(), ip="203.0.113.7").properties == {"$ip": "203.0.113.7"}
    assert only_event(signup(properties={"$ip": None}), ip="203.0.113.7").properties == {"$ip": None}
    assert only_event(signup()).properties == {}


@pytest.mark.parametrize(("flag", "historical"), [(True, True), (False, False), (None, False), (..., False)])
def test_a_historical_batch_makes_historical_events(flag: Any, historical: bool) -> None:
    body = {"api_key": TOKEN, "batch": [BARE]} | ({} if flag is ... else {"historical_migration": flag})
    assert only_event(body, Door.BATCH).historical is historical


def test_nul_is_replaced_at_every_level_and_a_written_escape_is_not() -> None:
    event = only_event(signup(event="a\0", properties={"k\0": ["\0", {"x": "y\0"}], "n": 1, "t": "\\u0000"}))
    assert event.event == "a\ufffd"
    assert event.properties == {"k\ufffd": ["\ufffd", {"x": "y\ufffd"}], "n": 1, "t": "\\u0000"}


@pytest.mark.parametrize("mode", [True, False, None])
def test_a_cookieless_mode_may_be_a_truth_value(mode: Any) -> None:
    assert only_event(signup(properties={"$cookieless_mode": mode})).properties == {"$cookieless_mode": mode}

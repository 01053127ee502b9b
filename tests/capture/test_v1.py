"""Capture v1: its headers, its body, its answer per event."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import brotli
import pytest
import zstandard

from smspipe.capture import Accepted, Refused, success
from smspipe.model.event import Door, Event
from tests.capture.asking import NOW, TOKEN, UUID, V1_HEADERS, accept, refusal, v1_batch, v1_event

OTHER_UUID = UUID[:-1] + "c"
LIBRARY = {"$lib": "posthog-python", "$lib_version": "7.91.1"}


def taken(body: Any, **headers: Any) -> Accepted:
    return accept(body, Door.V1, **V1_HEADERS | headers)


def refused(body: Any, **headers: Any) -> Refused:
    return refusal(body, Door.V1, **V1_HEADERS | headers)


def event_of(**parts: Any) -> Event:
    (event,) = taken(v1_batch(v1_event(**parts))).events
    return event


def result_of(**parts: Any) -> dict[str, Any]:
    """What the answer says of the one event sent."""
    answer = success(taken(v1_batch(v1_event(**parts))))
    results: dict[str, dict[str, Any]] = json.loads(answer.body)["results"]
    (result,) = results.values()
    return result


def test_an_event_is_taken_and_answered_by_its_uuid() -> None:
    accepted = taken(v1_batch(v1_event(), v1_event(uuid=OTHER_UUID.upper())), ip="203.0.113.7")
    first, second = accepted.events
    assert (first.event, first.distinct_id, first.uuid, first.door) == ("signup", "u-1", UUID, Door.V1)
    assert first.properties == {"plan": "pro", "$ip": "203.0.113.7"} | LIBRARY
    assert second.uuid == OTHER_UUID
    answer = success(accepted)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {"results": {UUID: {"result": "ok"}, OTHER_UUID: {"result": "ok"}}}
    assert answer.headers == (("PostHog-Request-Id", V1_HEADERS["request_id"]),)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        (None, gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("identity", bytes),
        (None, bytes),
    ],
)
def test_each_encoding_is_unpacked(encoding: str | None, pack: Any) -> None:
    body = pack(json.dumps(v1_batch(v1_event())).encode())
    assert len(taken(body, content_encoding=encoding).events) == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_what_does_not_unpack_is_refused_with_400(encoding: str) -> None:
    answer = refused(b"rubbish", content_encoding=encoding).answer
    assert (answer.status, answer.content_type) == (400, "application/json")
    assert json.loads(answer.body)["error"] == "request_decoding_error"


def test_a_bomb_is_refused_with_413() -> None:
    answer = refused(zlib.compress(bytes(21 * 1024 * 1024), 1), content_encoding="deflate").answer
    assert (answer.status, json.loads(answer.body)["error"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("headers", "status", "tag"),
    [
        ({"authorization": None}, 401, "missing_authorization"),
        ({"authorization": "Bearer phc_other"}, 401, "invalid_api_token"),
        ({"authorization": "Bearer "}, 401, "invalid_api_token"),
        ({"authorization": "Bearer phx_1"}, 401, "invalid_api_token"),
        ({"authorization": f"Basic {TOKEN}"}, 400, "invalid_header_value"),
        ({"sdk_info": None}, 400, "missing_required_headers"),
        ({"attempt": None}, 400, "missing_required_headers"),
        ({"request_id": None}, 400, "missing_required_headers"),
        ({"request_timestamp": None}, 400, "missing_required_headers"),
        ({"content_type": None}, 400, "missing_required_headers"),
        ({"attempt": "0"}, 400, "invalid_header_value"),
        ({"attempt": "-1"}, 400, "invalid_header_value"),
        ({"attempt": "²"}, 400, "invalid_header_value"),
        ({"attempt": ""}, 400, "invalid_header_value"),
        ({"request_id": "1"}, 400, "invalid_header_value"),
        ({"request_timestamp": "now"}, 400, "invalid_header_value"),
        ({"request_timestamp": "2026-01-02T03:04:05"}, 400, "invalid_header_value"),
        ({"request_timestamp": "2026-02-30T03:04:05Z"}, 400, "invalid_header_value"),
        ({"content_type": "text/plain"}, 415, "unsupported_content_type"),
        ({"content_encoding": "lz4"}, 415, "unsupported_encoding"),
        ({"method": "GET"}, 405, "method_not_allowed"),
    ],
)
def test_a_wrong_header_is_refused_by_its_tag(headers: dict[str, Any], status: int, tag: str) -> None:
    answer = refused(v1_batch(v1_event()), **headers).answer
    assert answer.status == status
    assert answer.content_type == "application/json"
    body = json.loads(answer.body)
    assert sorted(body) == ["error", "error_description", "error_uri"]
    assert body["error"] == tag


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"bearer {TOKEN}"},
        {"authorization": f"BEARER   {TOKEN} "},
        {"content_type": "Application/JSON; charset=utf-8"},
        {"attempt": "10"},
        {"request_timestamp": "2026-01-02T04:04:05.123456789+01:00"},
    ],
)
def test_headers_are_read_as_http_means_them(headers: dict[str, Any]) -> None:
    assert len(taken(v1_batch(v1_event()), **headers).events) == 1


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        (b"", "empty_body"),
        (b"[]", "request_parsing_error"),
        (b"{}", "request_parsing_error"),
        (b" {} ", "request_parsing_error"),
        (v1_batch(), "empty_batch"),
        (v1_batch(v1_event(), created_at="soon"), "invalid_batch"),
        ({"batch": [v1_event()]}, "request_parsing_error"),
        (v1_batch(v1_event(event=...)), "request_parsing_error"),
        (v1_batch(v1_event(uuid=...)), "request_parsing_error"),
        (v1_batch(v1_event(distinct_id=...)), "request_parsing_error"),
        (v1_batch(v1_event(timestamp=...)), "request_parsing_error"),
        (v1_batch(v1_event(distinct_id=5)), "request_parsing_error"),
        (v1_batch(v1_event(uuid=" ")), "missing_event_uuid"),
        (v1_batch(v1_event(uuid="x")), "invalid_event_uuid"),
        (v1_batch(v1_event(), v1_event(uuid=UUID.upper())), "duplicate_event_uuid"),
    ],
)
def test_a_wrong_body_is_refused_whole(body: Any, tag: str) -> None:
    answer = refused(body).answer
    assert (answer.status, json.loads(answer.body)["error"]) == (400, tag)


@pytest.mark.parametrize(
    ("parts", "tag"),
    [
        ({"event": ""}, "missing_event_name"),
        ({"event": "x" * 201}, "event_name_too_long"),
        ({"event": "$performance_event"}, "dropped_performance_event"),
        ({"distinct_id": ""}, "missing_distinct_id"),
        ({"distinct_id": "  "}, "missing_distinct_id"),
        ({"distinct_id": "x" * 201}, "distinct_id_too_large"),
        ({"timestamp": "soon"}, "invalid_event_timestamp"),
        ({"timestamp": "2026-01-02"}, "invalid_event_timestamp"),
        ({"timestamp": "2026-01-02T03:04:05"}, "invalid_event_timestamp"),
        ({"properties": []}, "malformed_event_properties"),
        ({"properties": "x"}, "malformed_event_properties"),
        ({"options": []}, "invalid_options"),
        ({"options": {"cookieless_mode": "perhaps"}}, "invalid_options"),
        ({"options": {"process_person_profile": []}}, "invalid_options"),
        ({"options": {"product_tour_id": True}}, "invalid_options"),
    ],
)
def test_a_wrong_event_is_dropped_alone_and_told(parts: dict[str, Any], tag: str) -> None:
    assert result_of(**parts) == {"result": "drop", "details": tag}
    accepted = taken(v1_batch(v1_event(**parts), v1_event(uuid=OTHER_UUID)))
    assert [event.uuid for event in accepted.events] == [OTHER_UUID]


def test_a_batch_of_dropped_events_has_none_and_is_answered_with_200() -> None:
    accepted = taken(v1_batch(v1_event(event="")))
    assert accepted.events == []
    assert success(accepted).status == 200


@pytest.mark.parametrize(
    ("parts", "properties"),
    [
        ({"session_id": "s", "window_id": "w"}, {"$session_id": "s", "$window_id": "w"}),
        ({"options": {"cookieless_mode": False}}, {"$cookieless_mode": False}),
        ({"options": {"disable_skew_correction": "TRUE "}}, {"$ignore_sent_at": True}),
        ({"options": {"process_person_profile": 0}}, {"$process_person_profile": False}),
        ({"options": {"process_person_profile": "0"}}, {"$process_person_profile": False}),
        ({"options": {"product_tour_id": "t"}}, {"$product_tour_id": "t"}),
        ({"options": {"product_tour_id": 7}}, {"$product_tour_id": "7"}),
        ({"options": {"product_tour_id": None, "unknown": []}}, {}),
        ({"options": None, "properties": None}, {}),
        ({"options": ..., "properties": ...}, {}),
        ({"properties": {"$lib": "mine", "$lib_version": "0"}}, {}),
    ],
)
def test_what_stands_beside_the_properties_goes_back_into_them(
    parts: dict[str, Any], properties: dict[str, Any]
) -> None:
    own: dict[str, Any] = {} if "properties" in parts else {"plan": "pro"}
    assert event_of(**parts).properties == own | properties | LIBRARY


@pytest.mark.parametrize("sdk_info", ["no-slash", "/1.0", "name/", "", "x/" + "9" * 200])
def test_an_unusable_sdk_header_names_no_library(sdk_info: str) -> None:
    (event,) = taken(v1_batch(v1_event()), sdk_info=sdk_info).events
    assert event.properties == {"plan": "pro"}


def test_the_library_is_split_at_the_last_slash() -> None:
    (event,) = taken(v1_batch(v1_event()), sdk_info='posthog/"sub" / 1.2 ').events
    assert (event.properties["$lib"], event.properties["$lib_version"]) == ('posthog/"sub"', "1.2")


def test_the_skew_is_that_of_the_header() -> None:
    (event,) = taken(v1_batch(v1_event()), request_timestamp="2026-01-02T03:04:15Z").events
    assert event.timestamp == datetime(2026, 1, 2, 3, 3, 50, tzinfo=UTC)


def test_an_event_may_ask_to_leave_the_skew_in() -> None:
    asked = v1_event(options={"disable_skew_correction": True}, timestamp="2026-01-02t03:04:00z")
    (event,) = taken(v1_batch(asked), request_timestamp="2026-01-02T03:04:15Z").events
    assert event.timestamp == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def test_over_23_hours_ahead_means_now() -> None:
    assert event_of(timestamp=(NOW + timedelta(days=2)).isoformat()).timestamp == NOW


def test_a_distinct_id_is_trimmed() -> None:
    assert event_of(distinct_id="  u-1\n").distinct_id == "u-1"


@pytest.mark.parametrize("flag", [True, False])
def test_a_historical_batch_makes_historical_events(flag: bool) -> None:
    (event,) = taken(v1_batch(v1_event(), historical_migration=flag)).events
    assert event.historical is flag

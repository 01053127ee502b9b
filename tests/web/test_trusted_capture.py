"""A capture request that bears the secret key is trusted, and only such a one."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from smspipe.capture import events_of
from smspipe.model.destination import Secret
from smspipe.model.event import Event, Payload
from smspipe.web.capture import Answer, CaptureDoor, Incoming

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = "phx_api_key_of_the_owner"
EVENT = {"event": "signup", "distinct_id": "ada", "uuid": "0199b0c4-0000-7000-8000-00000000000a"}
V1_HEADERS = {
    b"posthog-sdk-info": b"a/1",
    b"posthog-attempt": b"1",
    b"posthog-request-id": b"0190aaaa-0000-7000-8000-000000000001",
    b"posthog-request-timestamp": b"2026-01-02T00:00:00Z",
    b"content-type": b"application/json",
}


def enter(path: str, header: str | None, body: object, headers: dict[bytes, bytes] | None = None) -> list[Payload]:
    """Let a request in; give the payload that was taken, or nothing and a 401."""
    taken: list[Payload] = []

    def offer(payload: Payload, events: Sequence[Event], then: object) -> bool:
        taken.append(payload)
        assert events == events_of(payload)
        return True

    door = CaptureDoor(
        offer=offer,
        clock=lambda: NOW,
        token="phc_x",
        hook_keys=[Secret("the-hook's-own")],
        api_key=Secret(KEY),
    )
    sent = dict(headers or {})
    if header is not None:
        sent[b"authorization"] = header.encode()
    incoming = Incoming(method="POST", path=path, query=b"", headers=sent, ip="8.8.8.8")
    answers: list[Answer] = []
    answer = door.enter(incoming, msgspec.json.encode(body), answers.append)
    assert answer is None or answer[0] == 401
    assert (answer is None) == bool(taken)
    return taken


@pytest.mark.parametrize("path", ["/e/", "/capture", "/batch/", "/i/v0/e"])
@pytest.mark.parametrize(
    ("header", "trusted"),
    [
        (None, False),
        (f"Bearer {KEY}", True),
        (f"bearer {KEY}", True),
        (f"Basic {KEY}", False),
        (KEY, False),
        ("Bearer the-hook's-own", False),
        ("Bearer phc_x", False),
        ("Bearer", False),
        ("", False),
    ],
    ids=repr,
)
def test_only_the_secret_key_makes_a_capture_trusted(path: str, header: str | None, trusted: bool) -> None:
    (payload,) = enter(path, header, {"api_key": "phc_x", "batch": [EVENT]})
    assert payload.trusted is trusted
    assert [event.trusted for event in events_of(payload)] == [trusted]


@pytest.mark.parametrize("path", ["/e/", "/engage/", "/batch/"])
def test_a_secret_key_that_is_not_ours_is_refused_rather_than_passed_over(path: str) -> None:
    assert enter(path, "Bearer phx_of_another_service", {"api_key": "phc_x", "batch": [EVENT]}) == []


def test_the_secret_key_stands_beside_the_token_and_not_for_it() -> None:
    assert enter("/e/", f"Bearer {KEY}", EVENT) == []


@pytest.mark.parametrize(
    ("header", "trusted"), [(f"Bearer {KEY}", [True]), ("Bearer phc_x", [False]), ("Bearer phx_wrong", [])]
)
def test_at_the_v1_door_the_secret_key_stands_in_the_place_of_the_token(header: str, trusted: list[bool]) -> None:
    body = {"created_at": "2026-01-02T00:00:00Z", "batch": [{**EVENT, "timestamp": "2026-01-02T00:00:00Z"}]}
    assert [payload.trusted for payload in enter("/i/v1/analytics/events", header, body, V1_HEADERS)] == trusted


def test_what_comes_by_the_hook_is_trusted() -> None:
    (payload,) = enter("/hooks/posthog", "Bearer the-hook's-own", {"event": EVENT})
    assert [event.trusted for event in events_of(payload)] == [True]
    before = msgspec.structs.replace(payload, trusted=False)
    assert [event.trusted for event in events_of(before)] == [True], "as it lies in a log of before there was the mark"


def test_an_event_keeps_the_address_that_it_came_from_without_telling_it() -> None:
    (payload,) = enter("/e/", None, {"api_key": "phc_x", **EVENT, "properties": {"$ip": "1.1.1.1"}})
    (event,) = events_of(payload)
    assert (event.ip, event.properties["$ip"]) == ("8.8.8.8", "1.1.1.1")

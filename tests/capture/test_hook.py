"""What PostHog Cloud forwards."""

from typing import Any

import pytest

from smspipe.model.event import Door, Event
from tests.capture.asking import NOW, UUID, accept, refusal

PERSON = {"id": "018f", "name": "ada", "url": "https://us.posthog.com/x", "properties": {"phone": "+15005550009"}}


def forwarded(person: Any = PERSON, **parts: Any) -> Event:
    event = {
        "uuid": UUID,
        "event": "signup",
        "distinct_id": "u-1",
        "properties": {"plan": "pro"},
        "elements_chain": "",
        "timestamp": "2026-01-02T03:04:00.678Z",
        "url": "https://us.posthog.com/project/1/events/x",
    }
    body = {"event": event | parts, "person": person, "groups": {"company": {"id": "acme"}}, "project": {"id": 1}}
    (found,) = accept(body, Door.HOOK, path="/hooks/posthog", ip="203.0.113.7").events
    return found


def test_a_forwarded_event_keeps_its_ids_and_its_time() -> None:
    event = forwarded()
    assert (event.uuid, event.event, event.distinct_id, event.door) == (UUID, "signup", "u-1", Door.HOOK)
    assert event.timestamp.isoformat() == "2026-01-02T03:04:00.678000+00:00"
    assert event.received_at == NOW


def test_the_persons_properties_are_set_and_posthogs_own_address_is_not() -> None:
    assert forwarded().properties == {"plan": "pro", "$set": {"phone": "+15005550009"}}


def test_what_the_event_sets_comes_before_what_the_person_had() -> None:
    event = forwarded(properties={"$set": {"phone": "+15005550006", "vip": True}})
    assert event.properties["$set"] == {"phone": "+15005550006", "vip": True}
    assert forwarded(properties={"$set": {"vip": True}}).properties["$set"] == {"phone": "+15005550009", "vip": True}


@pytest.mark.parametrize("person", [None, {}, {"properties": None}, {"properties": {}}])
def test_an_event_may_come_without_a_known_person(person: Any) -> None:
    assert forwarded(person).properties == {"plan": "pro"}


def test_only_the_event_is_needed() -> None:
    (event,) = accept({"event": {"event": "signup", "distinct_id": "u-1"}}, Door.HOOK).events
    assert event.properties == {}
    assert event.uuid[14] == "7"


def test_the_chain_of_elements_becomes_a_property() -> None:
    assert forwarded(elements_chain="a:href=x").properties["$elements_chain"] == "a:href=x"
    kept = forwarded(elements_chain="a", properties={"$elements_chain": "b"})
    assert kept.properties["$elements_chain"] == "b"


def test_no_token_is_asked_for_since_the_door_is_locked_otherwise() -> None:
    assert forwarded(properties={"token": "phc_other"}).event == "signup"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "request missing data payload"),
        ({}, "failed to parse request: Object missing required field `event`"),
        ({"event": "{event}"}, "failed to parse request: Expected `object`, got `str` - at `$.event`"),
        ({"event": {"event": "x"}}, "event submitted without a distinct_id"),
        ({"event": {"event": "x", "distinct_id": "u", "uuid": "1"}}, "failed to parse request: invalid uuid"),
        ([], "failed to parse request: Expected `object`, got `array`"),
        ({"text": "an old Slack message"}, "failed to parse request: Object missing required field `event`"),
    ],
)
def test_what_is_no_forwarded_event_is_refused_with_400(body: Any, text: str) -> None:
    refused = refusal(body, Door.HOOK)
    assert (refused.status, refused.text) == (400, text)

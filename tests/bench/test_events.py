"""The events are what an SDK sends, and say themselves what must become of them."""

import json
from datetime import UTC, datetime
from typing import Any

import phonenumbers
import pytest

from bench.events import LEAST_TOTAL, PROPERTIES, Events, destination, number_of

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def events(share: float = 0.1, seed: int = 1) -> Events:
    return Events(share=share, at=AT, token="phc_test", seed=seed)


def decode(event: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(event)
    return document


def is_to_be_told(event: dict[str, Any]) -> bool:
    """Read the destination's conditions as a person would."""
    found = event["properties"]
    return (
        event["event"] == "order completed"
        and found["total"] > LEAST_TOTAL
        and bool(found.get("phone"))
        and found["currency"] in ("EUR", "USD")
    )


def test_an_event_has_about_a_kilobyte_and_thirty_properties() -> None:
    made = events()
    written = [made.event(number) for number in range(500)]
    assert 800 < sum(map(len, written)) / len(written) < 1_100
    assert {len(decode(event)["properties"]) for event in written} == {PROPERTIES}


@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.5, 1])
def test_of_any_events_in_a_row_the_share_matches(share: float) -> None:
    made = events(share)
    for first in (0, 12_345, 10_000_000):
        matching = sum(made.matches(number) for number in range(first, first + 1_000))
        assert matching == pytest.approx(share * 1_000, abs=5)


def test_exactly_the_matching_events_meet_the_conditions() -> None:
    made = events(0.5)
    for number in range(500):
        assert is_to_be_told(decode(made.event(number))) is made.matches(number)


def test_other_events_miss_each_of_the_conditions_somewhere() -> None:
    made = events(0)
    others = [decode(made.event(number)) for number in range(500)]
    named = [each for each in others if each["event"] == "order completed"]
    assert len(named) < len(others)
    assert any(each["properties"]["total"] <= LEAST_TOTAL for each in named)
    assert any("phone" not in each["properties"] for each in named)
    assert any(each["properties"]["currency"] == "GBP" for each in named)


def test_the_text_is_the_template_filled_with_the_events_own_values() -> None:
    made = events(1)
    template = destination()["inputs"]["smsBody"]["value"]
    for number in range(500):
        found = decode(made.event(number))["properties"]
        body = template
        for name in ("name", "order", "total", "currency"):
            body = body.replace(f"{{event.properties.{name}}}", str(found[name]))
        text = made.text(number)
        assert (text.to, text.body) == (found["phone"], body)


def test_a_text_names_its_event() -> None:
    made = events(1)
    assert [number_of(made.text(number).body) for number in range(200)] == list(range(200))
    assert number_of("Hi Ada, your parcel is here.") is None


def test_every_event_has_a_uuid_of_its_own() -> None:
    made = events()
    uuids = [decode(made.event(number))["uuid"] for number in range(5_000)]
    assert len(set(uuids)) == len(uuids)
    # the event log's index keeps the first and the last eight digits
    assert len({uuid[:8] + uuid[-8:] for uuid in uuids}) == len(uuids)


def test_every_phone_can_exist() -> None:
    made = events(1)
    phones = {made.text(number).to for number in range(2_000)}
    assert len(phones) > 1_000
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(phone)) for phone in phones)


def test_a_request_holds_one_event_or_a_batch_of_them() -> None:
    made = events()
    assert decode(made.body(7, 1)) == {"api_key": "phc_test"} | decode(made.event(7))
    batch = decode(made.body(7, 50))
    assert batch["api_key"] == "phc_test"
    assert batch["batch"] == [decode(made.event(number)) for number in range(7, 57)]


def test_the_same_seed_gives_the_same_events_and_another_one_others() -> None:
    assert events().body(0, 20) == events().body(0, 20)
    assert events().body(0, 20) != events(seed=2).body(0, 20)


def test_of_very_many_persons_each_comes_once_and_their_texts_are_right() -> None:
    made = Events(share=1, at=AT, token="phc_test", persons=1 << 40)
    found = [decode(made.event(number)) for number in range(2_000)]
    assert len({event["distinct_id"] for event in found}) == len(found)
    assert [made.text(number).to for number in range(2_000)] == [event["properties"]["phone"] for event in found]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(made.text(number).to)) for number in range(200))


def test_a_person_keeps_the_device_and_moves_between_pages() -> None:
    made = events()
    found: dict[str, set[tuple[str, str]]] = {}
    for number in range(20_000):
        event = decode(made.event(number))
        properties = event["properties"]
        found.setdefault(event["distinct_id"], set()).add((properties["$device_id"], properties["$current_url"]))
    assert all(len({device for device, _ in seen}) == 1 for seen in found.values())
    assert max(len(seen) for seen in found.values()) > 1

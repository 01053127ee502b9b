"""Erase a person from a running service: nothing of them is found in the files afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smspipe.capture import events_of
from smspipe.capture.blotting import BLOTTED, blot
from smspipe.model.event import Door, Payload
from tests.acceptance.service import Service, eventually, twilio_destination
from tests.pipeline.conftest import NOW

PHONE, OTHER = "+14155550111", "+14155550122"


def payload(body: Any, door: Door = Door.BATCH) -> Payload:
    """Make a stored request."""
    return Payload(door=door, body=json.dumps(body).encode(), received_at=NOW, seed=b"12345678")


def test_the_events_of_others_keep_their_uuids_when_one_of_their_batch_is_erased() -> None:
    before = payload({"api_key": "phc", "batch": [{"event": "e", "distinct_id": each} for each in ("a", "b", "c")]})
    body, n = blot(before, lambda event: event["distinct_id"] == "b")
    after = Payload(door=before.door, body=body, received_at=NOW, seed=before.seed)
    assert n == 1
    assert [event.uuid for event in events_of(after)] == [event.uuid for event in events_of(before)]
    assert [event.distinct_id for event in events_of(after)] == ["a", BLOTTED, "c"]


@pytest.mark.parametrize(
    ("door", "body"),
    [
        (Door.CAPTURE, {"event": "e", "distinct_id": "a", "api_key": "phc"}),
        (Door.CAPTURE, [{"event": "e", "distinct_id": "a"}]),
        (Door.ENGAGE, {"$distinct_id": "a", "$set": {"phone": PHONE}}),
        (Door.V1, {"created_at": "2026-03-01T12:00:00Z", "batch": [
            {"event": "e", "uuid": "01930000-0000-7000-8000-000000000001", "distinct_id": "a",
             "timestamp": "2026-03-01T12:00:00Z"}]}),
        (Door.HOOK, {"event": {"event": "e", "distinct_id": "a"}, "person": {"properties": {"phone": PHONE}}}),
    ],
    ids=["single", "list", "engage", "v1", "hook"],
)  # fmt: skip
def test_a_request_of_any_door_can_be_read_after_all_in_it_was_erased(door: Door, body: Any) -> None:
    before = payload(body, door)
    blotted, n = blot(before, lambda _: True)
    after = Payload(door=door, body=blotted, received_at=NOW, seed=before.seed)
    assert n == 1
    assert [(event.distinct_id, event.event) for event in events_of(after)] == [(BLOTTED, BLOTTED)]
    assert [event.uuid for event in events_of(after)] == [event.uuid for event in events_of(before)]
    assert PHONE.encode() not in blotted


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path / "data", tmp_path / "log", environment={"SMSPIPE_DEFAULT_COUNTRY": "US"})
    made.start()
    made.create(twilio_destination("All", to="{person.properties.phone}", body="Hi {person.properties.name}"))
    yield made
    if made.running:
        made.kill()


def an_event(who: str, phone: str, name: str, **more: Any) -> dict[str, Any]:
    return {"event": "order", "distinct_id": who, "properties": {"$set": {"phone": phone, "name": name}, **more}}


def in_files(service: Service, *words: str) -> set[str]:
    """Give those of some words that stand anywhere in the database or its journal."""
    files = b"".join(path.read_bytes() for path in service.data.glob("smspipe.db*"))
    return {word for word in words if word.encode() in files}


WORDS = (PHONE[1:], "the-erased-person", "Erasmus", "(415) 555-0111")


def fill(service: Service) -> None:
    """Send events of one person among those of others, who now and then mention the first."""
    for n in range(40):
        service.capture(
            an_event("another-person", OTHER, "Olga", n=n),
            an_event("the-erased-person", "(415) 555-0111" if n % 2 else PHONE, "Erasmus", n=n),
            an_event("another-person", OTHER, "Olga", friend=PHONE if n == 7 else None),
        )
    service.wait_until_idle()
    assert in_files(service, *WORDS) == set(WORDS)


@pytest.mark.slow
@pytest.mark.parametrize("whom", [{"number": PHONE}, {"distinct_id": "the-erased-person"}], ids=["number", "person"])
def test_nothing_of_an_erased_person_is_found_in_the_files(service: Service, whom: dict[str, str]) -> None:
    fill(service)
    service.call("POST", "/api/projects/1/opt_outs/", {"number": PHONE})
    erase = "/api/projects/1/erase/"
    assert service.call("POST", erase, {**whom, "dry_run": True}) == {
        "persons": 1, "distinct_ids": ["the-erased-person"],
    }  # fmt: skip
    report = service.call("POST", erase, whom)
    if "number" in whom:
        assert in_files(service, *WORDS) == set()
    else:
        # what another person's event says of the number is another's
        assert in_files(service, *WORDS[1:]) == set()
        service.call("POST", erase, {"number": PHONE})
        assert in_files(service, *WORDS) == set()
    assert (report["persons"], report["in_doubt"]) == (1, 0)
    assert report["events"] >= 40
    assert report["deliveries"] == 40
    assert report["opt_outs"] == 1
    again = service.call("POST", erase, whom)
    assert (again["persons"], again["events"], again["deliveries"]) == (0, 0, 0)

    assert service.person("another-person") is not None
    assert len(service.rows("select id from deliveries where distinct_id = 'another-person'")) == 80
    service.stop()
    service.start()
    service.capture(an_event("the-erased-person", PHONE, "Erasmus"))
    service.wait_until_idle()
    (last,) = service.rows("select status, reason from deliveries order by id desc limit 1")
    assert last == {"status": "suppressed", "reason": "opted_out"}
    assert service.take_faults() == []


@pytest.mark.slow
def test_a_text_that_waits_is_not_sent_to_an_erased_person(service: Service) -> None:
    service.call("POST", "/api/projects/1/stop/", {})
    service.capture(an_event("the-erased-person", PHONE, "Erasmus"))
    eventually(lambda: service.rows("select id from deliveries where status = 'held'"), what="a held text")
    service.call("POST", "/api/projects/1/erase/", {"number": PHONE})
    service.call("POST", "/api/projects/1/resume/", {"held": "send"})
    service.wait_until_idle()
    assert service.inbox(PHONE) == []
    assert service.rows('select status, reason, "to" from deliveries') == [
        {"status": "suppressed", "reason": "erased", "to": None}
    ]


@pytest.mark.slow
def test_a_number_of_many_is_refused_and_can_be_taken_alone(service: Service) -> None:
    service.capture(*(an_event(f"employee-number-{n}", PHONE, f"No. {n}") for n in range(11)))
    service.wait_until_idle()
    answer = service.ask(
        "POST", "/api/projects/1/erase/", json.dumps({"number": PHONE}).encode(),
        {"Authorization": "Bearer phx_acceptance", "Content-Type": "application/json"},
    )  # fmt: skip
    assert (answer.status, answer.json["attr"]) == (400, "persons")
    service.call("POST", "/api/projects/1/erase/", {"number": PHONE, "persons": "keep"})
    person = service.person("employee-number-3")
    assert person is not None
    assert person["properties"] == {"name": "No. 3"}
    assert in_files(service, PHONE[1:]) == set()

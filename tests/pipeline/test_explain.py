"""Why an event led to a text, or to none."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from smspipe import eventlog, persons
from smspipe.capture import events_of
from smspipe.deliveries import queries
from smspipe.model.delivery import Status
from smspipe.model.destination import Destination, Text
from smspipe.model.event import Door, Payload
from smspipe.model.filter import Filter, Property, PropertyGroup
from smspipe.model.ids import EventUuid
from smspipe.model.outcome import Reason, Step
from smspipe.pipeline import fanout
from smspipe.pipeline.explain import Verdict, explain, tell
from smspipe.pipeline.prepare import Plan, prepare
from tests.deliveries.conftest import a_delivery
from tests.pipeline.conftest import HASHER, NOW, SITE, a_destination, only

UUID = EventUuid("01930000-0000-7000-8000-00000000000a")
SEEN = (Step(name="match", ok=True, saw="It was seen."),)


def arrive(connection: Connection, *destinations: Destination, times: int = 1, **properties: Any) -> None:
    """Let one event arrive, so often, while these destinations are on."""
    event = {"event": "signup", "distinct_id": "ada", "uuid": UUID, "properties": properties}
    payload = Payload(
        door=Door.BATCH,
        body=msgspec.json.encode({"api_key": "phc_x", "batch": [event]}),
        received_at=NOW,
        seed=bytes(8),
    )
    plan = Plan([prepare(each, SITE) for each in destinations if each.enabled])
    for _ in range(times):
        position = eventlog.append(connection, [payload])
        fanout.run(connection, [(position, events_of(payload))], plan, persons.Cache(), NOW, hasher=HASHER, free=10)


def verdict(connection: Connection, destination: Destination) -> Verdict:
    explanation = explain(connection, UUID, [destination], SITE)
    assert explanation is not None
    (found,) = explanation.destinations
    return found


def test_an_event_that_the_log_does_not_hold_has_no_explanation(connection: Connection) -> None:
    assert explain(connection, UUID, [a_destination()], SITE) is None
    assert explain(connection, EventUuid("no uuid"), [a_destination()], SITE) is None


@pytest.mark.parametrize(
    ("condition", "properties", "named"),
    [
        (Property(key="plan", value=["pro"], operator="exact"), {"plan": "free"}, ["plan", "pro", "free"]),
        (Property(key="amount", value="10", operator="gt"), {"amount": 7}, ["amount", "10", "7"]),
        (Property(key="plan", operator="is_set", value="is_set"), {}, ["plan"]),
        (Property(key="url", value="/pay", operator="icontains"), {"url": "https://x/cart"}, ["url", "/pay", "cart"]),
    ],
    ids=["exact", "gt", "is_set", "icontains"],
)
def test_the_condition_that_failed_is_named_with_the_value_that_it_saw(
    connection: Connection, condition: Property, properties: dict[str, Any], named: list[str]
) -> None:
    destination = a_destination(filter=Filter(properties=PropertyGroup(values=(condition,))))
    arrive(connection, destination, **properties)
    found = verdict(connection, destination)
    assert (found.outcome, found.reason, found.deliveries) == ("no_match", Reason.NO_MATCH, ())
    for word in named:
        assert word in found.sentence
    assert found.steps[-1].saw == found.sentence


def test_an_event_of_another_name_is_told_which_names_would_do(connection: Connection) -> None:
    destination = a_destination(filter=only("order shipped"))
    arrive(connection, destination)
    sentence = verdict(connection, destination).sentence
    assert "signup" in sentence
    assert "order shipped" in sentence


def test_what_matched_is_told_from_the_ledger_with_its_steps(connection: Connection) -> None:
    destination = a_destination()
    arrive(connection, destination, phone="call me", text="Hi")
    found = verdict(connection, destination)
    assert (found.outcome, found.reason) == ("suppressed", Reason.RECIPIENT_INVALID)
    assert found.sentence == f"No text was sent. {found.steps[-1].saw}"
    assert [step.name for step in found.steps] == ["match", "recipient"]


def test_an_event_that_came_again_is_counted_and_told_once(connection: Connection) -> None:
    destination = a_destination()
    arrive(connection, destination, times=3, phone="+15005550009", text="Hi")
    explanation = explain(connection, UUID, [destination], SITE)
    assert explanation is not None
    assert explanation.arrivals == 3
    assert len(explanation.destinations[0].deliveries) == 1


def test_an_event_that_was_not_decided_on_yet_waits_with_no_verdict(connection: Connection) -> None:
    """Its deliveries may come any moment: it is not said that there is no text."""
    event = {"event": "signup", "distinct_id": "ada", "uuid": UUID, "properties": {}}
    body = msgspec.json.encode({"api_key": "phc_x", "batch": [event]})
    position = eventlog.append(connection, [Payload(door=Door.BATCH, body=body, received_at=NOW, seed=bytes(8))])
    eventlog.remember(connection, [(UUID, position)])
    found = verdict(connection, a_destination())
    assert (found.outcome, found.reason, found.deliveries) == ("waiting", None, ())


def test_a_destination_that_was_off_says_so(connection: Connection) -> None:
    destination = a_destination(enabled=False)
    arrive(connection, destination)
    assert "switched off" in verdict(connection, destination).sentence


def test_a_destination_that_was_not_there_yet_says_so(connection: Connection) -> None:
    arrive(connection)
    assert "not there yet" in verdict(connection, a_destination()).sentence


def test_a_destination_that_does_not_compile_says_so(connection: Connection) -> None:
    arrive(connection)
    assert "does not compile" in verdict(connection, a_destination(body=Text(source="{oops("))).sentence


def test_explaining_writes_nothing(connection: Connection) -> None:
    destination = a_destination(filter=only("other"))
    arrive(connection, destination)
    verdict(connection, destination)
    assert queries.list_deliveries(connection, queries.Query(), limit=10) == []


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_sentence_with_what_went_wrong(status: Status) -> None:
    told = tell(a_delivery(status, error_message="Twilio said no.", steps=SEEN))
    assert told.endswith(".")
    assert ("Twilio said no." in told) is (status not in (Status.SENDING, Status.ACCEPTED, Status.DELIVERED))

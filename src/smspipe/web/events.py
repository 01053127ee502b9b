"""The door to an event: why it led to a text, or to none."""

import uuid
from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from smspipe.model.clock import to_iso
from smspipe.model.ids import EventUuid
from smspipe.model.outcome import Reason, Step
from smspipe.pipeline.explain import Explanation, Verdict
from smspipe.web.deliveries import DeliveryInFull, show_in_full
from smspipe.web.problems import PROBLEMS, NotFound
from smspipe.web.services import Services


class EventVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the event at one destination."""

    destination_id: str
    destination: str
    outcome: str
    """The status of its delivery, or `no_match`."""
    reason: Reason | None
    sentence: str
    steps: tuple[Step, ...]
    deliveries: list[DeliveryInFull]


class EventExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """An event, and what became of it at every destination."""

    event_uuid: str
    event: str
    distinct_id: str
    timestamp: str
    received_at: str
    arrivals: int
    """How many times it came; it is decided on once."""
    destinations: list[EventVerdict]


@get("/events/{event_uuid:str}/explain", sync_to_thread=True, operation_id="explain_event", responses=PROBLEMS)
def explain_event(services: NamedDependency[Services], event_uuid: FromPath[str]) -> EventExplanation:
    """Say, for each destination, what was decided on an event and each step that led there."""
    try:
        wanted = EventUuid(str(uuid.UUID(event_uuid)))
    except ValueError:
        raise NotFound("No event with this uuid is in the log.") from None
    with services.database.read() as connection:
        found = services.explain(connection, wanted)
    if found is None:
        raise NotFound("No event with this uuid is in the log.")
    return show(found)


def show(explanation: Explanation) -> EventExplanation:
    """Write an explanation."""
    return EventExplanation(
        event_uuid=explanation.event_uuid,
        event=explanation.event,
        distinct_id=explanation.distinct_id,
        timestamp=to_iso(explanation.timestamp),
        received_at=to_iso(explanation.received_at),
        arrivals=explanation.arrivals,
        destinations=[_show_verdict(verdict) for verdict in explanation.destinations],
    )


def _show_verdict(verdict: Verdict) -> EventVerdict:
    return EventVerdict(
        destination_id=verdict.destination_id,
        destination=verdict.destination,
        outcome=verdict.outcome,
        reason=verdict.reason,
        sentence=verdict.sentence,
        steps=verdict.steps,
        deliveries=[show_in_full(delivery) for delivery in verdict.deliveries],
    )


HANDLERS: Final = (explain_event,)

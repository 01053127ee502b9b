"""The door to an event: why it led to a text, or to none."""

import uuid
from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import Connection

from smspipe.deliveries import evidence
from smspipe.model.clock import to_iso
from smspipe.model.ids import EventUuid
from smspipe.model.outcome import Reason, Step
from smspipe.pipeline.explain import Explanation, Verdict
from smspipe.pipeline.waiting import spell_wait
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
        return _show(services, connection, found)


def _show(services: Services, connection: Connection, explanation: Explanation) -> EventExplanation:
    return EventExplanation(
        event_uuid=explanation.event_uuid,
        event=explanation.event,
        distinct_id=explanation.distinct_id,
        timestamp=to_iso(explanation.timestamp),
        received_at=to_iso(explanation.received_at),
        arrivals=explanation.arrivals,
        destinations=[_show_verdict(services, connection, verdict) for verdict in explanation.destinations],
    )


def _show_verdict(services: Services, connection: Connection, verdict: Verdict) -> EventVerdict:
    waits = {each.id: services.waits(connection, each) for each in verdict.deliveries}
    now = services.clock()
    told = dict.fromkeys(spell_wait(wait, now) for wait in waits.values() if wait is not None)
    return EventVerdict(
        destination_id=verdict.destination_id,
        destination=verdict.destination,
        outcome=verdict.outcome,
        reason=verdict.reason,
        sentence=" ".join((verdict.sentence, *told)),
        steps=verdict.steps,
        deliveries=[
            show_in_full(each, evidence.receipts_of(connection, each.id), waits[each.id]) for each in verdict.deliveries
        ],
    )


HANDLERS: Final = (explain_event,)

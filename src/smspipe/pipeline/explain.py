"""
Explain: for one event, what became of it at every destination, and why.

What matched stands in the ledger with the steps that led there. For the rest the event is decided on again, by the same
function, and the condition that failed is named with the value that it saw.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from smspipe import eventlog, persons
from smspipe.capture import events_of
from smspipe.deliveries import queries
from smspipe.matching import FilterError
from smspipe.model.delivery import Delivery
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.event import Event
from smspipe.model.ids import DestinationId, EventUuid
from smspipe.model.outcome import Reason, Step
from smspipe.pipeline.fanout import READER
from smspipe.pipeline.prepare import Prepared, Site, prepare


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the event at one destination."""

    destination_id: DestinationId
    destination: str
    """The destination's name."""
    outcome: str
    """A delivery's status, `no_match`, or `waiting` for an event that was not decided on yet."""
    reason: Reason | None
    sentence: str
    """The whole of it for a person."""
    steps: tuple[Step, ...]
    deliveries: tuple[Delivery, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One event and all verdicts on it."""

    event_uuid: EventUuid
    event: str
    distinct_id: str
    timestamp: datetime
    received_at: datetime
    arrivals: int
    """How many times it came."""
    destinations: tuple[Verdict, ...]


def find_event(connection: Connection, uuid: EventUuid) -> tuple[Event, int, int] | None:
    """Read an event from the log, with its first position there and how many times it came; None when it is not."""
    found = [
        (position, event)
        for position, payload in eventlog.find(connection, uuid)
        for event in events_of(payload)
        if event.uuid == uuid
    ]
    return (found[0][1], found[0][0], len(found)) if found else None


def explain(
    connection: Connection, uuid: EventUuid, destinations: Sequence[Destination], site: Site
) -> Explanation | None:
    """
    Say what became of an event.

    Args:
        connection: any; nothing is written.
        uuid: the event's.
        destinations: all there are, switched off ones too.
        site: what they share.

    Returns:
        None when the log does not hold the event.
    """
    found = find_event(connection, uuid)
    if found is None:
        return None
    event, position, arrivals = found
    if position > eventlog.position_of(connection, READER):
        return _waiting(event, destinations)
    rows = queries.list_deliveries(connection, queries.Query(event_uuid=uuid), limit=1000)
    verdicts = []
    for destination in destinations:
        own = tuple(sorted((row for row in rows if row.destination_id == destination.id), key=lambda row: row.route))
        verdicts.append(_of_ledger(destination, own) if own else _decide_again(connection, event, destination, site))
    return Explanation(
        event_uuid=event.uuid,
        event=event.event,
        distinct_id=event.distinct_id,
        timestamp=event.timestamp,
        received_at=event.received_at,
        arrivals=arrivals,
        destinations=tuple(verdicts),
    )


def _waiting(event: Event, destinations: Sequence[Destination]) -> Explanation:
    """Say of an event that is on disk, and that nobody has decided on, just that."""
    return Explanation(
        event_uuid=event.uuid,
        event=event.event,
        distinct_id=event.distinct_id,
        timestamp=event.timestamp,
        received_at=event.received_at,
        arrivals=1,
        destinations=tuple(
            Verdict(
                destination_id=destination.id,
                destination=destination.name,
                outcome="waiting",
                reason=None,
                sentence="The event is on disk and waits to be decided on.",
                steps=(),
            )
            for destination in destinations
        ),
    )


def tell(delivery: Delivery) -> str:
    """Say in a sentence where a delivery stands."""
    last = delivery.steps[-1].saw if delivery.steps else ""
    parts = "" if delivery.segments in (None, 1) else f" ({delivery.segments} segments)"
    why = f" {delivery.error_message}" if delivery.error_message else ""
    sentences = {
        "pending": f"The text waits to be sent{parts}.{why}",
        "sending": "The text is on its way to Twilio.",
        "unconfirmed": f"The request left, but its answer was lost: perhaps sent, so it is not repeated.{why}",
        "accepted": f"Twilio took the text{parts}.",
        "delivered": f"The text arrived{parts}.",
        "undelivered": f"Twilio took the text, but it did not arrive.{why}",
        "failed": f"No text was sent.{why}",
        "suppressed": f"No text was sent.{why or f' {last}'}",
        "held": f"The text is held; nothing was sent.{why}",
    }
    return sentences[delivery.status.value]


def _of_ledger(destination: Destination, rows: tuple[Delivery, ...]) -> Verdict:
    first = rows[0]
    sentence = " ".join(dict.fromkeys(tell(row) for row in rows))
    return Verdict(
        destination_id=destination.id,
        destination=destination.name,
        outcome=first.status.value,
        reason=first.reason,
        sentence=sentence,
        steps=first.steps,
        deliveries=rows,
    )


def _decide_again(connection: Connection, event: Event, destination: Destination, site: Site) -> Verdict:
    """Find the condition that failed. The profile is today's: the ledger keeps none of events that did not match."""

    def verdict(saw: str, **data: Any) -> Verdict:
        step = Step(name="match", ok=False, saw=saw, reason=Reason.NO_MATCH, data=data or None)
        return Verdict(
            destination_id=destination.id,
            destination=destination.name,
            outcome="no_match",
            reason=Reason.NO_MATCH,
            sentence=saw,
            steps=(step,),
        )

    try:
        prepared: Prepared = prepare(destination, site)
    except Invalid as error:
        return verdict(f"The destination does not compile: {error}")
    person = persons.person_of(connection, event.distinct_id)
    groups = persons.groups_of(connection, event)
    try:
        mismatch = prepared.matcher.explain(event, person, groups, event.received_at)
    except FilterError as error:
        return verdict(f"The filter fails on this event: {error}")
    if mismatch is not None:
        return verdict(mismatch.saw, field=mismatch.field)
    if not destination.enabled:
        return verdict("The destination is switched off. Its filter matches the event.")
    return verdict(
        "The filter matches the event as destination and person are now; when it came, it did not, or the destination "
        "was off or not there yet."
    )

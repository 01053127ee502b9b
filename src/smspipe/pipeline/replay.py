"""
Replay: let a destination decide now on events that are stored already, as if they came now.

It goes the way of every event: the fan-out's own loop, its desk, the ledger. So every guard holds, who opted out gets
nothing, and what a destination decided on once, for an event and a recipient, it never decides on again: a replay that
is repeated sends nothing new. Persons are who they are now, since it is now that they get the text.

Before anything is opened the same decisions are made without being written down, and whoever asked confirms their
number.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from smspipe import eventlog, persons
from smspipe.capture import Refused, events_of
from smspipe.db import Database, Writer
from smspipe.model.delivery import Delivery, Status
from smspipe.model.errors import Invalid
from smspipe.model.event import Event
from smspipe.optouts import Hasher
from smspipe.pipeline.fanout import READER, Desk, Done, Heard, decide_on, outcome_of
from smspipe.pipeline.figures import Figures, Tally
from smspipe.pipeline.forecast import Cancelled, Told
from smspipe.pipeline.prepare import Plan, Prepared

_EVENTS_AT_ONCE: Final = 100
"""Events in one transaction, so that the real ones hardly wait."""
_READ_BYTES: Final = 2**20
_ANY_AGE: Final = timedelta(days=36_500)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are replayed, and how."""

    since: datetime
    until: datetime
    valid_for: timedelta | None = None
    """Take events of any age, and let their texts be sent within this span from now; None holds to `max_age`."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay would do."""

    events: int
    here: Figures


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay did."""

    events: int
    texts: int
    """Deliveries that were opened and will be sent."""
    held: int
    """Those that wait until the destination is mended."""
    refused: int


def look_ahead(
    database: Database, prepared: Prepared, wish: Wish, *, hasher: Hasher, now: datetime, told: Told
) -> Outlook:
    """Decide on the events with the real ledger, and write nothing."""
    prepared = _aged(prepared, wish)
    tally = Tally(prepared, 10)
    plan = Plan([prepared])
    seen = 0
    with database.read() as connection:
        # One desk for all: what it books, and never writes down, is what the events after this one must find.
        desk = Desk(connection, hasher, now)
        for events, share in _pieces(database, wish):
            seen += len(events)
            if not told(seen, share):
                raise Cancelled("The replay was cancelled.")
            for event, _, decided in decide_on(_heard(connection, events, plan), desk, now, free=0):
                tally.count_match()
                for decision, delivery in decided:
                    if delivery is None:
                        tally.count_repeat(now)
                    else:
                        tally.count(event, decision, now)
    return Outlook(events=seen, here=tally.figures())


def replay(
    database: Database,
    writer: Writer,
    prepared: Prepared,
    wish: Wish,
    *,
    expected: int,
    hasher: Hasher,
    clock: Callable[[], datetime],
    told: Told,
    opened: Callable[[Done], None],
) -> Replayed:
    """
    Open the deliveries, in small transactions beside the real ones.

    Args:
        database: where events are read.
        writer: who writes.
        prepared: the destination.
        wish: which events.
        expected: how many texts were confirmed: another number is refused, and never are there more.
        hasher: of the register of opt-outs.
        clock: what time it is.
        told: how far it has come; a replay that is ended early leaves what it opened.
        opened: told what each transaction led to, after its commit.

    Raises:
        Invalid: by now another number of texts would be sent.
        Cancelled: `told` said so.
    """
    outlook = look_ahead(database, prepared, wish, hasher=hasher, now=clock(), told=lambda n, share: told(n, share / 2))
    if outlook.here.texts != expected:
        raise Invalid(
            f"{outlook.here.texts} texts would be sent now, not {expected}. Nothing was opened.",
            field="expected",
            hint="Look at the replay again, and confirm the number that it gives now.",
        )
    plan = Plan([_aged(prepared, wish)])
    left = expected
    events = texts = held = refused = 0
    for piece, share in _pieces(database, wish):
        if not told(outlook.events + events, 0.5 + share / 2):
            raise Cancelled("The replay was cancelled.")
        events += len(piece)
        done = writer.run_job(
            partial(_open, events=piece, plan=plan, wish=wish, hasher=hasher, now=clock(), most=left)
        ).result()
        opened(done)
        held += (now_held := _count(done, Status.HELD))
        texts += len(done.waiting)
        refused += _count(done, Status.SUPPRESSED)
        left -= len(done.waiting) + now_held
        if left <= 0:
            break
    return Replayed(events=events, texts=texts, held=held, refused=refused)


def _count(done: Done, status: Status) -> int:
    return sum(n for (_, outcome, _), n in done.outcomes.items() if outcome == status)


def _open(
    connection: Connection, events: Sequence[Event], plan: Plan, wish: Wish, hasher: Hasher, now: datetime, most: int
) -> Done:
    """Decide and write, in one transaction; what would be more than `most` texts is left for another replay."""
    done = Done(position=0, events=len(events))
    desk = Desk(connection, hasher, now)
    made: list[Delivery] = []
    for heard in _heard(connection, events, plan):
        if len(done.waiting) + _count(done, Status.HELD) >= most:
            break
        for _, prepared, decided in decide_on([heard], desk, now, free=0):
            done.matched[prepared.destination.id] += 1
            for decision, delivery in decided:
                done.outcomes[prepared.destination.id, outcome_of(delivery, decision), decision.reason or ""] += 1
                if delivery is None:
                    continue
                if wish.valid_for is not None and delivery.expires_at is not None:
                    delivery = msgspec.structs.replace(delivery, expires_at=now + wish.valid_for)
                made.append(delivery)
                if delivery.status is Status.PENDING:
                    done.waiting.append(delivery)
    desk.write(made)
    return done


def _aged(prepared: Prepared, wish: Wish) -> Prepared:
    if wish.valid_for is None:
        return prepared
    return msgspec.structs.replace(
        prepared, destination=msgspec.structs.replace(prepared.destination, max_age=_ANY_AGE)
    )


def _pieces(database: Database, wish: Wish) -> Iterator[tuple[list[Event], float]]:
    """Read the events of the range that were decided on when they came, each with how far that is."""
    with database.read() as connection:
        first, last = eventlog.positions_between(connection, wish.since, wish.until)
        last = min(last, eventlog.position_of(connection, READER))
    position = first - 1
    while position < last:
        with database.read() as connection:
            requests = eventlog.read_after(connection, position, _READ_BYTES)
        events: list[Event] = []
        for at, payload in requests:
            if at > last:
                break
            position = at
            if wish.since <= payload.received_at < wish.until:
                try:
                    events += events_of(payload)
                except Refused:
                    continue  # the real run could not decide on it either
        if not requests or requests[0][0] > last:
            return
        for start in range(0, len(events), _EVENTS_AT_ONCE):
            yield events[start : start + _EVENTS_AT_ONCE], (position - first + 1) / (last - first + 1)


def _heard(connection: Connection, events: Sequence[Event], plan: Plan) -> list[Heard]:
    """Find, for the events that the destination listens to, the persons and groups as they are now."""
    listened = [event for event in events if plan.listening(event.event)]
    known = persons.persons_of(connection, [event.distinct_id for event in listened]) if listened else {}
    return [
        (
            event,
            persons.Seen(
                person=known.get(event.distinct_id) or persons.pseudo_person(event),
                groups=persons.groups_of(connection, event) if event.properties.get("$groups") else (),
            ),
            plan.listening(event.event),
        )
        for event in listened
    ]

"""
The alarms: what is wrong, each once, and whom it is still to be told to.

An alarm is known by its kind and its destination. While it is open the same trouble raises no second one; it is told
of when it is raised, at most once a day while it lasts, and when it is over.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from sqlalchemy import Connection, Row, func, insert, literal_column, select, update

from smspipe.deliveries.keeping import id_at
from smspipe.deliveries.tables import alarms, deliveries
from smspipe.model.delivery import Status
from smspipe.model.ids import DestinationId

_ENDS: Final = (Status.ACCEPTED, Status.DELIVERED, Status.FAILED, Status.UNDELIVERED)
RECENT: Final = 100
"""Alarms that are over, as many as are listed."""


class Kind(StrEnum):
    """What can be wrong."""

    FAILING = "failing"
    """Most of a destination's last texts failed."""
    CREDENTIALS = "credentials"
    """A destination is paused, since Twilio refuses its account or its sender."""
    BUDGET = "budget"
    """A budget is spent to four fifths, or wholly."""
    VELOCITY = "velocity"
    """Texts to claimed numbers are refused for their number: somebody may be pumping."""
    SILENCE = "silence"
    """No event has matched for the hours that the destination names."""
    UNCONFIRMED = "unconfirmed"
    """Nobody knows of texts whether they were sent, for a while."""
    STOPPED = "stopped"
    """Everything is stopped."""
    BACKLOG = "backlog"
    """Events wait to be decided on for too long."""


class State(StrEnum):
    """What is told of an alarm."""

    RAISED = "raised"
    REMINDED = "reminded"
    RESOLVED = "resolved"


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm."""

    id: int
    kind: Kind
    destination_id: str
    """Empty for what concerns all."""
    what: str
    """A sentence, without numbers and texts."""
    raised_at: datetime
    reminded_at: datetime
    """When it was last told of while it lasted."""
    resolved_at: datetime | None
    texted_at: datetime | None
    """When the person on call was last texted of it."""
    state: State
    tell_at: datetime | None
    """When `state` is to be told to the webhook, None once it was."""
    tries: int


def last_ends(connection: Connection, destination: DestinationId, since: datetime, most: int) -> list[Status]:
    """Say how a destination's last texts ended that were made since an instant, of those whose end is known."""
    mine = (
        deliveries.c.destination_id == destination,
        deliveries.c.id > id_at(since),  # which the index has, other than the time of creation
        deliveries.c.status.in_(_ENDS),
    )
    found = connection.scalars(select(deliveries.c.status).where(*mine).order_by(deliveries.c.id.desc()).limit(most))
    return [Status(each) for each in found]


def in_doubt(connection: Connection, before: datetime) -> dict[DestinationId, int]:
    """Count the texts that are in doubt and left before an instant, by destination."""
    d = deliveries.c
    rows = connection.execute(
        select(d.destination_id, func.count())
        # the first condition is the index's own, word for word: SQLite would not see that the second implies it
        .where(
            d.status.in_((literal_column("'unconfirmed'"), literal_column("'held'"))),
            d.status == literal_column("'unconfirmed'"),
            func.coalesce(d.sent_at, d.created_at, type_=d.created_at.type) <= before,
        )
        .group_by(d.destination_id)
    )
    return {DestinationId(destination): n for destination, n in rows}


def list_open(connection: Connection) -> list[Alarm]:
    """List what is wrong now, the newest first."""
    rows = connection.execute(select(alarms).where(alarms.c.resolved_at.is_(None)).order_by(alarms.c.id.desc()))
    return [_to_alarm(row) for row in rows]


def list_recent(connection: Connection) -> list[Alarm]:
    """List what was wrong, the newest first."""
    over = select(alarms).where(alarms.c.resolved_at.is_not(None)).order_by(alarms.c.id.desc()).limit(RECENT)
    return [_to_alarm(row) for row in connection.execute(over)]


def to_tell(connection: Connection, now: datetime) -> list[Alarm]:
    """Give the alarms that are to be told to the webhook by now."""
    rows = connection.execute(select(alarms).where(alarms.c.tell_at <= now).order_by(alarms.c.id).limit(RECENT))
    return [_to_alarm(row) for row in rows]


def open_(connection: Connection, kind: Kind, destination: str, what: str, now: datetime) -> Alarm:
    """Raise an alarm; there must be none of the same kind and destination."""
    row = connection.execute(
        insert(alarms)
        .values(kind=kind, destination_id=destination, what=what, raised_at=now, reminded_at=now, state=State.RAISED,
                tell_at=now, tries=0)
        .returning(alarms)
    ).one()  # fmt: skip
    return _to_alarm(row)


def change(connection: Connection, alarm: int, state: State, what: str, now: datetime) -> Alarm:
    """Have it told that an alarm lasts, or is over; what was not told yet of it is told no more."""
    over = {"resolved_at": now} if state is State.RESOLVED else {"reminded_at": now}
    row = connection.execute(
        update(alarms)
        .where(alarms.c.id == alarm)
        .values(what=what, state=state, tell_at=now, tries=0, **over)
        .returning(alarms)
    ).one()
    return _to_alarm(row)


def tell_again(connection: Connection, told: Alarm, at: datetime | None) -> None:
    """Note that an alarm was told (None), or is to be told again at an instant, unless its state is another by now."""
    connection.execute(
        update(alarms)
        .where(alarms.c.id == told.id, alarms.c.state == told.state, alarms.c.reminded_at == told.reminded_at)
        .values(tell_at=at, tries=alarms.c.tries + 1)
    )


def may_text(connection: Connection, kinds: Sequence[Alarm], before: datetime, now: datetime) -> list[Alarm]:
    """Choose the alarms of whose kind and destination nobody was texted since an instant, and note that one is now."""
    chosen = []
    for each in kinds:
        last = select(func.max(alarms.c.texted_at, type_=alarms.c.texted_at.type)).where(
            alarms.c.kind == each.kind, alarms.c.destination_id == each.destination_id
        )
        at: datetime | None = connection.scalar(last)
        if at is None or at <= before:
            connection.execute(update(alarms).where(alarms.c.id == each.id).values(texted_at=now))
            chosen.append(each)
    return chosen


def _to_alarm(row: Row[tuple[object, ...]]) -> Alarm:
    return Alarm(**{**row._mapping, "kind": Kind(row.kind), "state": State(row.state)})  # noqa: SLF001 (the public name of a row's columns)

"""
The stop: while its row is there no text leaves, whatever else is decided.

What is due during a stop is HELD, so that it shows, and marked as held by the stop: a destination that is mended, or
switched on again, does not let it go. A person does, by ending the stop with a word on what was held.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from smspipe.db import Hot
from smspipe.deliveries import ledger
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.queries import to_delivery
from smspipe.deliveries.states import Move, target
from smspipe.deliveries.tables import deliveries, sending_stop, stopped_texts
from smspipe.model.delivery import Delivery, Status
from smspipe.model.outcome import Reason

_ONLY = 1
_IS_STOPPED = Hot(select(sending_stop.c.id), ())
_WHY = "Everything was stopped when this text was due."
_HELD = (deliveries.c.status == Status.HELD, deliveries.c.id.in_(select(stopped_texts.c.delivery_id)))


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """Since when nothing leaves, who stopped it and why."""

    at: datetime
    why: str
    by: str


def is_stopped(connection: Connection) -> bool:
    """Say whether everything is stopped; asked by every claim."""
    return _IS_STOPPED.read(connection).fetchone() is not None


def current(connection: Connection) -> Stopped | None:
    """Give the stop, None while texts leave."""
    row = connection.execute(select(sending_stop)).first()
    return None if row is None else Stopped(at=row.at, why=row.why, by=row.by)


def begin(connection: Connection, stopped: Stopped) -> Stopped:
    """Stop everything; a stop that is there stays as it is, and is given back."""
    known = current(connection)
    if known is not None:
        return known
    connection.execute(insert(sending_stop).values(id=_ONLY, **msgspec.structs.asdict(stopped)))
    return stopped


def end(connection: Connection) -> bool:
    """End the stop; False when there was none. What it held stays held until `release` or `drop`."""
    return bool(connection.execute(delete(sending_stop)).rowcount)


def hold_due(connection: Connection, now: datetime, most: int) -> list[Settlement]:
    """Hold up to `most` of the texts that are due, and give these moves, which are made already."""
    moves: list[Settlement] = []
    for destination, oldest in ledger.heads(connection):
        if oldest > now or len(moves) >= most:
            break
        due = ledger.due(connection, destination, now, most - len(moves), 0)
        moves += [
            Settlement(delivery=each, move=Move.HOLD, at=now, reason=Reason.PAUSED, error_message=_WHY) for each in due
        ]
    if moves:
        ledger.settle(connection, moves)
        mark = sqlite.insert(stopped_texts).on_conflict_do_nothing()
        connection.execute(mark, [{"delivery_id": each.delivery.id} for each in moves])
    return moves


def held(connection: Connection) -> int:
    """Count the texts that a stop holds, or held and left."""
    return connection.scalar(select(func.count()).select_from(deliveries).where(*_HELD)) or 0


def release(connection: Connection, now: datetime, most: int) -> int:
    """Let up to `most` of the held go, the oldest first, and give how many. One that is too old by now will fail."""
    found = _take(connection, most)
    if found:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_([each.id for each in found]), deliveries.c.status == Status.HELD)
            .values(status=target(Move.RELEASE), reason=None, error_message=None, not_before=now, settled_at=None)
        )
    return len(found)


def drop(connection: Connection, now: datetime, most: int) -> list[Settlement]:
    """Decide against up to `most` of the held, and give these moves, which are made already."""
    why = "Everything was stopped when this text was due, and it was dropped when the stop ended."
    moves = [
        Settlement(delivery=each, move=Move.SUPPRESS, at=now, reason=Reason.PAUSED, error_message=why)
        for each in _take(connection, most)
    ]
    ledger.settle(connection, moves)
    return moves


def _take(connection: Connection, most: int) -> Sequence[Delivery]:
    """Give up to `most` of the held, the oldest first, and take their marks away."""
    rows = connection.execute(select(deliveries).where(*_HELD).order_by(deliveries.c.id).limit(most)).mappings()
    found = [to_delivery(row) for row in rows]
    if found:
        connection.execute(delete(stopped_texts).where(stopped_texts.c.delivery_id.in_([each.id for each in found])))
    else:
        # what was held once and moved on by another way
        connection.execute(delete(stopped_texts))
    return found

"""
What the log forgets: its oldest requests, and what a stored request says of a person who is erased.

The newest request is never deleted: the next one takes the position after it, and readers that stand there would pass
over what came at a position that they have seen.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select, update

from smspipe.db import Hot
from smspipe.eventlog.table import payload_of, uuid_hash
from smspipe.eventlog.tables import cursors, event_index, requests
from smspipe.model.event import Payload
from smspipe.model.ids import EventUuid

_FORGET = Hot(
    delete(event_index).where(
        event_index.c.uuid_hash == bindparam("hashed", type_=BigInteger),
        event_index.c.position == bindparam("at", type_=BigInteger),
    ),
    ("hashed", "at"),
)
_DELETE = Hot(delete(requests).where(requests.c.position == bindparam("at", type_=BigInteger)), ("at",))


def settled_position(connection: Connection) -> int:
    """Give the last position that every reader has passed and that is not the newest: up to it requests may go."""
    newest = connection.scalar(select(func.max(requests.c.position))) or 0
    passed = connection.scalar(select(func.min(cursors.c.position))) or 0
    return min(newest - 1, passed)


def read_oldest(
    connection: Connection, before: datetime | None, most: int, most_bytes: int
) -> list[tuple[int, Payload]]:
    """
    Read the oldest requests that may go, `most` and `most_bytes` at most, but one at least where there is one.

    Args:
        connection: for reading.
        before: only those that came before this instant; None for however new.
        most: how many.
        most_bytes: how long their bodies together.
    """
    wanted = select(requests).where(requests.c.position <= settled_position(connection))
    if before is not None:
        wanted = wanted.where(requests.c.received_at < before)
    return _take(connection, wanted.order_by(requests.c.position).limit(most), most_bytes)


def read_from(connection: Connection, after: int, most: int, most_bytes: int) -> list[tuple[int, Payload]]:
    """Read the requests behind a position, oldest first, as `read_oldest`; those that may not go included."""
    wanted = select(requests).where(requests.c.position > after).order_by(requests.c.position).limit(most)
    return _take(connection, wanted, most_bytes)


def _take(connection: Connection, wanted: object, most_bytes: int) -> list[tuple[int, Payload]]:
    found: list[tuple[int, Payload]] = []
    size = 0
    with connection.execute(wanted) as rows:  # type: ignore[call-overload]  # a select of requests
        for row in rows:
            size += len(row.body)
            if found and size > most_bytes:
                break
            found.append((row.position, payload_of(row)))
    return found


def size_between(connection: Connection, after: int, upto: int) -> int:
    """Add up the bytes of the bodies behind `after`, up to and with `upto`. It reads them all, so ask for little."""
    return (
        connection.scalar(
            select(func.sum(func.length(requests.c.body))).where(
                requests.c.position > after, requests.c.position <= upto
            )
        )
        or 0
    )


def forget(connection: Connection, positions: Sequence[int], places: Sequence[tuple[EventUuid, int]]) -> int:
    """Delete requests and where their events lay; give how many requests there were."""
    _FORGET.run(connection, [(uuid_hash(uuid), position) for uuid, position in places])
    return _DELETE.run(connection, [(position,) for position in positions])


def rewrite(connection: Connection, position: int, before: bytes, body: bytes) -> bool:
    """Put another body in place of the one that was read, and forget the address; False if it is another by now."""
    same = (requests.c.position == position, requests.c.body == before)
    return bool(connection.execute(update(requests).where(*same).values(body=body, ip=None)).rowcount)

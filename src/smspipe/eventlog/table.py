"""
The log as a table: for one machine.

Positions grow by one and are given by the writer, of which an embedded database has one at a time.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.sqlite import insert

from smspipe.db import Hot
from smspipe.eventlog.tables import cursors, event_index, requests
from smspipe.model.clock import to_micros
from smspipe.model.event import Door, Payload
from smspipe.model.ids import EventUuid

_LAST = Hot(select(func.max(requests.c.position)), ())
_APPEND = Hot(insert(requests), [column.name for column in requests.c], insert=True)
_REMEMBER = Hot(insert(event_index).on_conflict_do_nothing(), ("uuid_hash", "position"), insert=True)
_MOVE = Hot(
    insert(cursors).on_conflict_do_update(
        index_elements=[cursors.c.name], set_={"position": insert(cursors).excluded.position}
    ),
    ("name", "position"),
    insert=True,
)


def last_position(connection: Connection) -> int:
    """Tell the position of the newest request, 0 for an empty log."""
    return _LAST.read(connection).fetchone()[0] or 0


def append(connection: Connection, payloads: Sequence[Payload]) -> int:
    """Add requests in order; give the position of the first."""
    first = last_position(connection) + 1
    rows = [
        (
            first + place,
            payload.door.value,
            to_micros(payload.received_at),
            None if payload.sent_at is None else to_micros(payload.sent_at),
            payload.ip,
            payload.trusted,
            payload.seed,
            payload.body,
        )
        for place, payload in enumerate(payloads)
    ]
    _APPEND.run(connection, rows)
    return first


def uuid_hash(uuid: EventUuid) -> int:
    """
    Take 64 bits of a uuid, signed as the column is: its first 32 and its last 32.

    The first are the time in version 7, which most SDKs make, so that new entries lie side by side in the index and a
    commit touches few of its pages; the last tell events of the same minute apart.
    """
    value = int(uuid[:8] + uuid[-8:], 16)
    return value - 0x1_0000_0000_0000_0000 if value >> 63 else value


def remember(connection: Connection, places: Iterable[tuple[EventUuid, int]]) -> None:
    """Note in which request each event lies, so that `find` knows."""
    _REMEMBER.run(connection, [(uuid_hash(uuid), position) for uuid, position in places])


def find(connection: Connection, uuid: EventUuid) -> list[tuple[int, Payload]]:
    """
    Give the requests that may hold the event `uuid` with their positions, oldest first: mostly one, more if sent again.

    Whoever asks may have typed it: a text that is no uuid is that of no event.
    """
    try:
        hashed = uuid_hash(uuid)
    except ValueError:
        return []
    rows = connection.execute(
        select(requests)
        .join(event_index, event_index.c.position == requests.c.position)
        .where(event_index.c.uuid_hash == hashed)
        .order_by(requests.c.position)
    )
    return [(row.position, payload_of(row)) for row in rows]


def read_after(connection: Connection, position: int, limit_bytes: int) -> list[tuple[int, Payload]]:
    """Read the requests behind `position`, oldest first: one at least, `limit_bytes` at most."""
    found: list[tuple[int, Payload]] = []
    size = 0
    with connection.execute(
        select(requests).where(requests.c.position > position).order_by(requests.c.position).limit(2000)
    ) as rows:
        for row in rows:
            size += len(row.body)
            if found and size > limit_bytes:
                break
            found.append((row.position, payload_of(row)))
    return found


def read_newest(connection: Connection, limit: int, limit_bytes: int) -> list[Payload]:
    """Read the newest requests, newest first: `limit` and `limit_bytes` at most, but one where there is one."""
    found: list[Payload] = []
    size = 0
    with connection.execute(select(requests).order_by(requests.c.position.desc()).limit(limit)) as rows:
        for row in rows:
            size += len(row.body)
            if found and size > limit_bytes:
                break
            found.append(payload_of(row))
    return found


def positions_between(connection: Connection, since: datetime, until: datetime) -> tuple[int, int]:
    """Give the first and last position of the requests that came from `since` on, before `until`; (1, 0) for none."""
    first, last = connection.execute(
        select(func.min(requests.c.position), func.max(requests.c.position)).where(
            requests.c.received_at >= since, requests.c.received_at < until
        )
    ).one()
    return (1, 0) if first is None else (first, last)


def payload_of(row: Row[Any]) -> Payload:
    """Make a value of a row."""
    return Payload(
        door=Door(row.door),
        body=bytes(row.body),
        received_at=row.received_at,
        seed=bytes(row.seed),
        sent_at=row.sent_at,
        ip=row.ip,
        trusted=row.trusted,
    )


def position_of(connection: Connection, reader: str) -> int:
    """Tell how far `reader` has come, 0 for one who has not begun."""
    return connection.scalar(select(cursors.c.position).where(cursors.c.name == reader)) or 0


def move_cursor(connection: Connection, reader: str, position: int) -> None:
    """Note that `reader` has done everything up to and with `position`."""
    _MOVE.run(connection, [(reader, position)])


def backlog(connection: Connection, reader: str) -> int:
    """Count the requests that `reader` has not come to."""
    return last_position(connection) - position_of(connection, reader)

"""Erase persons, and what others' profiles and groups say of them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from smspipe.model.ids import PersonId
from smspipe.persons.tables import distinct_ids, groups, persons

Mentions = Callable[[Any], bool]
"""Says whether a value holds what is to be erased."""
_AT_ONCE = 500


def scan_persons(connection: Connection) -> Iterator[tuple[PersonId, dict[str, Any]]]:
    """Read the properties of all persons, some at a time."""
    after = ""
    while True:
        wanted = select(persons.c.id, persons.c.properties).where(persons.c.id > after)
        rows = connection.execute(wanted.order_by(persons.c.id).limit(_AT_ONCE)).all()
        for row in rows:
            yield PersonId(row.id), row.properties
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].id


def scan_groups(connection: Connection) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Read the properties of all groups."""
    for row in connection.execute(select(groups.c.type_index, groups.c.key, groups.c.properties)):
        yield row.type_index, row.key, row.properties


def erase_persons(connection: Connection, ids: Sequence[PersonId]) -> int:
    """Delete persons with all their distinct_ids; whoever keeps a cache of profiles clears it."""
    connection.execute(delete(distinct_ids).where(distinct_ids.c.person_id.in_(ids)))
    return connection.execute(delete(persons).where(persons.c.id.in_(ids))).rowcount


def erase_properties(connection: Connection, id_: PersonId, mentions: Mentions, now: datetime) -> bool:
    """Take the properties from a person that hold what is to be erased, as they are by now."""
    row = connection.execute(select(persons.c.properties, persons.c.trusted).where(persons.c.id == id_)).first()
    if row is None:
        return False
    left = {key: value for key, value in row.properties.items() if not mentions(value)}
    if len(left) == len(row.properties):
        return False
    trusted = sorted(set(row.trusted or ()) & left.keys()) or None
    connection.execute(
        update(persons).where(persons.c.id == id_).values(properties=left, trusted=trusted, updated_at=now)
    )
    return True


def erase_group_properties(connection: Connection, index: int, key: str, mentions: Mentions, now: datetime) -> bool:
    """Take the properties from a group that hold what is to be erased."""
    mine = (groups.c.type_index == index, groups.c.key == key)
    found = connection.scalar(select(groups.c.properties).where(*mine)) or {}
    left = {name: value for name, value in found.items() if not mentions(value)}
    if len(left) == len(found):
        return False
    connection.execute(update(groups).where(*mine).values(properties=left, updated_at=now))
    return True

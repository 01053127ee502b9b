"""Every statement of this room: reading profiles and groups into the cache, and writing what a group of events did."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from smspipe.db import Hot
from smspipe.model.clock import from_micros, to_micros
from smspipe.model.event import Group
from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from smspipe.persons.tables import distinct_ids, group_types, groups, persons

CHUNK: Final = 500
"""Values in one `in (…)`: every database takes that many, and a statement stays short."""

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode

_PERSON = ("id", "properties", "created_at", "identified", "trusted", "updated_at")
_decode_names = msgspec.json.Decoder(frozenset[str]).decode
_NONE: Final = frozenset[str]()


def _write_over(into: sqlite.Insert) -> sqlite.Insert:
    rest = {name: into.excluded[name] for name in _PERSON if name != "id"}
    return into.on_conflict_do_update(index_elements=[persons.c.id], set_=rest)


# Every group of events with somebody new in it runs these three.
_READ = Hot(
    select(
        distinct_ids.c.distinct_id,
        persons.c.id,
        persons.c.properties,
        persons.c.created_at,
        persons.c.identified,
        persons.c.trusted,
    )
    .join(persons, persons.c.id == distinct_ids.c.person_id)
    # one list as one value, so that the statement's text does not change with its length
    .where(distinct_ids.c.distinct_id.in_(select(func.json_each(bindparam("wanted")).table_valued("value").c.value))),
    ("wanted",),
)
_WRITE = Hot(_write_over(sqlite.insert(persons)), _PERSON, insert=True)
_ATTACH = Hot(insert(distinct_ids), ("distinct_id", "person_id"), insert=True)
_MOVE = update(distinct_ids).where(distinct_ids.c.person_id == bindparam("away")).values(person_id=bindparam("into"))
_DELETE = delete(persons).where(persons.c.id == bindparam("away"))


def read_persons(connection: Connection, wanted: Sequence[str]) -> list[tuple[str, Person]]:
    """Read the persons of these distinct_ids, as far as there are any."""
    if not wanted:
        return []
    return [
        (
            distinct_id,
            Person(
                id=id_,
                properties=_decode(properties),
                created_at=from_micros(created_at),
                identified=bool(identified),
                trusted=_decode_names(trusted) if trusted else _NONE,
            ),
        )
        for distinct_id, id_, properties, created_at, identified, trusted in _READ.read(
            connection, (_encode(wanted).decode(),)
        )
    ]


def read_person(connection: Connection, person_id: PersonId) -> Person | None:
    """Read one person by its id."""
    row = connection.execute(select(persons).where(persons.c.id == person_id)).first()
    return None if row is None else to_person(row)


def read_distinct_ids(connection: Connection, person_id: PersonId) -> list[str]:
    """Read all distinct_ids that lead to a person, sorted."""
    mine = distinct_ids.c.person_id == person_id
    return list(connection.scalars(select(distinct_ids.c.distinct_id).where(mine).order_by(distinct_ids.c.distinct_id)))


def read_group_types(connection: Connection) -> dict[str, int]:
    """Read the types of groups, with the index of each, in its order."""
    found = connection.execute(select(group_types.c.type, group_types.c.type_index).order_by(group_types.c.type_index))
    return {row.type: row.type_index for row in found}


def read_groups(connection: Connection, wanted: Sequence[tuple[int, str]]) -> dict[tuple[int, str], dict[str, Any]]:
    """Read the properties of these groups, as far as there are any."""
    rows = (
        row
        for chunk in _chunks(wanted)
        for row in connection.execute(select(groups).where(tuple_(groups.c.type_index, groups.c.key).in_(chunk)))
    )
    return {(row.type_index, row.key): row.properties for row in rows}


def write_persons(connection: Connection, changed: Sequence[Person], now: datetime) -> None:
    """Write persons, new ones and known ones alike."""
    at = to_micros(now)
    rows = [
        (
            each.id,
            _encode(each.properties).decode(),
            to_micros(each.created_at),
            each.identified,
            _encode(sorted(each.trusted)).decode() if each.trusted else None,
            at,
        )
        for each in changed
    ]
    if rows:
        _WRITE.run(connection, rows)


def write_distinct_ids(connection: Connection, new: Sequence[tuple[str, PersonId]]) -> None:
    """Write which person each of these new distinct_ids leads to."""
    if new:
        _ATTACH.run(connection, new)


def move_distinct_ids(connection: Connection, moves: Sequence[tuple[PersonId, PersonId]]) -> None:
    """Move all distinct_ids of each first person to the second, and delete the first."""
    if moves:
        connection.execute(_MOVE, [{"away": away, "into": into} for away, into in moves])
        connection.execute(_DELETE, [{"away": away} for away, _ in moves])


def write_group_types(connection: Connection, new: Sequence[tuple[str, int]]) -> None:
    """Write new types of groups with their indexes."""
    if new:
        connection.execute(insert(group_types), [{"type": type_, "type_index": index} for type_, index in new])


def write_groups(connection: Connection, changed: Sequence[Group], now: datetime) -> None:
    """Write groups, new ones and known ones alike."""
    rows = [
        {"type_index": group.index, "key": group.key, "properties": group.properties, "updated_at": now}
        for group in changed
    ]
    _upsert(connection, groups, rows)


def to_person(row: Row[Any]) -> Person:
    """Make a row of `persons` a value."""
    return Person(
        id=PersonId(row.id),
        properties=row.properties,
        created_at=row.created_at,
        identified=row.identified,
        trusted=frozenset(row.trusted or ()),
    )


def _upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; where one with the same primary key is there, put the new values in (both dialects say it alike)."""
    if not rows:
        return
    into = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    keys = list(table.primary_key)
    rest = {column.name: into.excluded[column.name] for column in table.columns if column not in keys}
    connection.execute(into.on_conflict_do_update(index_elements=keys, set_=rest), rows)


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))

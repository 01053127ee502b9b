"""
Profiles for a database of one's own: taken over from the real one as events ask for them, and never written back.

A forecast lets profiles evolve as the real run would. It does so with the same `update` in a scratch database, which
knows of each person what the real one knows, and nothing of persons that only the forecast's own events will make.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, select, tuple_
from sqlalchemy.dialects import sqlite

from smspipe.model.event import Event
from smspipe.persons.cache import Cache
from smspipe.persons.merge import RELATED, groups_named, merge_of
from smspipe.persons.statements import CHUNK
from smspipe.persons.tables import distinct_ids, group_types, groups, persons


def borrow(
    real: Connection, scratch: Connection, events: Sequence[Event], cache: Cache, *, known_before: datetime | None
) -> None:
    """
    Take over what `events` will ask for and the scratch database does not have.

    A person comes with all distinct_ids at once, so that what the scratch database makes of them later holds for each.

    Args:
        real: where the profiles are; nothing is written.
        scratch: in the transaction that `update` will use.
        events: a group, before it is given to `update`.
        cache: that of the scratch database; what it holds is not asked for.
        known_before: leave out persons that began later; None takes all.
    """
    wanted = {
        event.distinct_id
        for event in events
        if event.distinct_id not in cache.profiles and event.properties.get("$process_person_profile") is not False
    }
    named: set[tuple[str, str]] = set()
    for event in events:
        if event.event in RELATED and (merge := merge_of(event)) and merge.other not in cache.profiles:
            wanted.add(merge.other)
        if event.event in RELATED or "$groups" in event.properties:
            named.update(groups_named(event))
    if wanted:
        _borrow_persons(real, scratch, wanted, known_before)
    if named:
        _borrow_groups(real, scratch, named, cache)


def _borrow_persons(real: Connection, scratch: Connection, wanted: set[str], known_before: datetime | None) -> None:
    here = {
        row.distinct_id
        for chunk in _chunks(wanted)
        for row in scratch.execute(select(distinct_ids.c.distinct_id).where(distinct_ids.c.distinct_id.in_(chunk)))
    }
    for chunk in _chunks(wanted - here):
        asked = (
            select(persons)
            .join(distinct_ids, distinct_ids.c.person_id == persons.c.id)
            .where(distinct_ids.c.distinct_id.in_(chunk))
        )
        if known_before is not None:
            asked = asked.where(persons.c.created_at < known_before)
        found = {row.id: row for row in real.execute(asked)}
        _put(scratch, persons, found.values())
        for ids in _chunks(found):
            _put(scratch, distinct_ids, real.execute(select(distinct_ids).where(distinct_ids.c.person_id.in_(ids))))


def _borrow_groups(real: Connection, scratch: Connection, named: set[tuple[str, str]], cache: Cache) -> None:
    """Take over groups; their types come all together and first, since a type's index is its order of appearance."""
    if cache.types is None:
        _put(scratch, group_types, real.execute(select(group_types)))
    types = {row.type: row.type_index for row in real.execute(select(group_types))}
    keys = [(types[type_], key) for type_, key in sorted(named) if type_ in types]
    for chunk in _chunks([each for each in keys if each not in cache.groups]):
        _put(scratch, groups, real.execute(select(groups).where(tuple_(groups.c.type_index, groups.c.key).in_(chunk))))


def _put(scratch: Connection, table: Table, rows: Iterable[Any]) -> None:
    """Add rows; one that is there has been changed by the scratch database's own events, and stays."""
    values = [dict(row._mapping) for row in rows]  # noqa: SLF001 (SQLAlchemy's public name for a row's mapping)
    if values:
        scratch.execute(sqlite.insert(table).on_conflict_do_nothing(), values)


def _chunks(values: Iterable[Any]) -> Iterable[list[Any]]:
    listed = list(values)
    return (listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK))

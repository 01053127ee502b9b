"""
The keeper of profiles: every event updates them, and sees its person as its own update has left it.

What an event asks is said in `merge`, what is copied from it in `copied`, how a group of events is worked through in
`batch`, and every statement is in `statements`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from smspipe.model.event import Event, Group
from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from smspipe.persons import statements
from smspipe.persons.batch import Batch
from smspipe.persons.cache import Cache, Seen
from smspipe.persons.merge import groups_named


def update(connection: Connection, events: Sequence[Event], now: datetime, cache: Cache) -> list[Seen]:
    """
    Do to the profiles what `events` ask, in their order.

    The ids of new persons are made from their events, so the same events give the same persons, however they are
    grouped and however often a group is tried. When this raises, the cache is empty afterwards; when the caller's
    transaction fails later, the caller clears it before the next group.

    Returns:
        For each event its person as known after its own update, and the groups that it names.

    Raises:
        sqlalchemy.exc.DBAPIError: the database could not do it.
    """
    try:
        batch = Batch(connection, cache)
        seen = batch.see(events)
        batch.write(now)
        cache.trim()
    except BaseException:
        cache.clear()
        raise
    return seen


def preview(connection: Connection, event: Event, now: datetime) -> Seen:  # noqa: ARG001 (asked like `update`)
    """Say what `update` would give for this one event, and write nothing."""
    return Batch(connection, Cache()).see([event])[0]


def person_of(connection: Connection, distinct_id: str) -> Person | None:
    """Give the person that `distinct_id` leads to, None when it is not known."""
    found = statements.read_persons(connection, [distinct_id])
    return found[0][1] if found else None


def persons_of(connection: Connection, distinct_ids: Sequence[str]) -> dict[str, Person]:
    """Give the persons that these distinct_ids lead to, as far as they are known."""
    return dict(statements.read_persons(connection, distinct_ids))


def find(connection: Connection, id_or_distinct_id: str) -> Person | None:
    """Give the person of this distinct_id or, when there is none, the one of this id."""
    return person_of(connection, id_or_distinct_id) or statements.read_person(connection, PersonId(id_or_distinct_id))


def distinct_ids_of(connection: Connection, person_id: PersonId) -> list[str]:
    """Give all distinct_ids that lead to a person, sorted; none for a person that is not known."""
    return statements.read_distinct_ids(connection, person_id)


def groups_of(connection: Connection, event: Event) -> tuple[Group, ...]:
    """Give the groups that `event` names, as they are now; one of a type that is not known is left out."""
    types = statements.read_group_types(connection)
    named = [(type_, types[type_], key) for type_, key in groups_named(event) if type_ in types]
    known = statements.read_groups(connection, [(index, key) for _, index, key in named])
    return tuple(
        Group(type=type_, key=key, index=index, properties=known.get((index, key), {})) for type_, index, key in named
    )

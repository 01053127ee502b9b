"""Keeper of profiles: who an event's person is, what is known of them, and which persons turned out to be one."""

from smspipe.persons.batch import pseudo_person
from smspipe.persons.cache import Cache, Seen
from smspipe.persons.merge import Operations, operations_of
from smspipe.persons.profiles import (
    distinct_ids_of,
    find,
    groups_of,
    person_of,
    persons_of,
    preview,
    update,
)

__all__ = [
    "Cache",
    "Operations",
    "Seen",
    "distinct_ids_of",
    "find",
    "groups_of",
    "operations_of",
    "person_of",
    "persons_of",
    "preview",
    "pseudo_person",
    "update",
]

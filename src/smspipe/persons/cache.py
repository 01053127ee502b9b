"""
What is remembered of profiles between groups of events, so that an ordinary event costs no statement.

The cache is right only as long as it knows of every write: one writer uses it, and when a transaction (or a savepoint)
in which it was used is undone, it is cleared before it is used again.
"""

from collections import OrderedDict
from typing import Any

import msgspec

from smspipe.model.event import Group
from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from smspipe.persons.copied import Readings


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an event sees: its person as known after its own update, and the groups it names.

    Both are shared with the cache and with other events, so nobody may change the dicts inside.
    """

    person: Person
    groups: tuple[Group, ...] = ()


class Profile:
    """
    One person in the cache.

    `names` and `values` are the copied properties of the latest ordinary event, `kinds` the types of the values, and
    `seen` what that event saw: an event with the same sees the same.
    """

    __slots__ = ("distinct_ids", "into", "kinds", "names", "person", "seen", "stored", "values")

    def __init__(self, person: Person) -> None:
        self.distinct_ids: set[str] = set()
        """Those under which it is cached, not all that it has."""
        self.into: Profile | None = None
        """The profile that it was merged into."""
        self.change(person)

    def change(self, person: Person) -> None:
        """Take `person` for what is stored; what an event sees of it is to be worked out anew."""
        self.person = person
        """As it is stored, or will be at the end of this group of events."""
        self.stored = self.seen = Seen(person=person)
        """What an event sees that tells nothing of its person and names no groups."""
        self.names: tuple[str, ...] | None = None
        self.values: tuple[Any, ...] = ()
        self.kinds: tuple[type, ...] = ()

    def last(self) -> "Profile":
        """Follow the merges to the profile that is left."""
        profile = self
        while profile.into is not None:
            profile = profile.into
        return profile


class Cache:
    """The profiles of the `limit` most recently seen distinct_ids, as many groups, and all types of groups."""

    def __init__(self, limit: int = 10_000) -> None:
        self.limit = limit
        self.profiles: OrderedDict[str, Profile] = OrderedDict()
        """By distinct_id, the most recently seen last."""
        self.persons: dict[PersonId, Profile] = {}
        """The same profiles, by person: two distinct_ids of one person must meet in one profile."""
        self.groups: OrderedDict[tuple[int, str], Group] = OrderedDict()
        """By type's index and key; one that nobody has told anything of is there without properties."""
        self.types: dict[str, int] | None = None
        """The index of each type of group, None before they were read."""
        self.readings = Readings()

    def clear(self) -> None:
        """Forget everything: after a transaction, or a part of one, was undone."""
        self.profiles.clear()
        self.persons.clear()
        self.groups.clear()
        self.types = None

    def add(self, distinct_id: str, profile: Profile) -> None:
        """Remember that `distinct_id` leads to `profile`."""
        self.profiles[distinct_id] = profile
        self.persons[profile.person.id] = profile
        profile.distinct_ids.add(distinct_id)

    def join(self, into: Profile, away: Profile) -> None:
        """Let all distinct_ids of `away` lead to `into`."""
        del self.persons[away.person.id]
        for distinct_id in away.distinct_ids:
            self.profiles[distinct_id] = into
        into.distinct_ids |= away.distinct_ids
        away.distinct_ids = set()
        away.into = into

    def trim(self) -> None:
        """Drop what was seen longest ago, down to `limit`; never in the middle of a group of events."""
        while len(self.profiles) > self.limit:
            distinct_id, profile = self.profiles.popitem(last=False)
            profile.distinct_ids.discard(distinct_id)
            if not profile.distinct_ids:
                del self.persons[profile.person.id]
        while len(self.groups) > self.limit:
            self.groups.popitem(last=False)

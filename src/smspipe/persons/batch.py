"""
One group of events on its way through the cache, and what is to be written for it at its end.

The distinct_ids that the cache does not know are read in one statement, the events are worked through in memory in the
order of arrival, and what changed is written in at most one statement a table. An event that says nothing new, which
is nearly every one, costs a look into the cache and a comparison (see `copied`).
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from smspipe.model.event import Event, Group
from smspipe.model.ids import PersonId, uuid7
from smspipe.model.person import Person
from smspipe.persons import statements
from smspipe.persons.cache import Cache, Profile, Seen
from smspipe.persons.copied import FLEETING, Reading, are_scalars
from smspipe.persons.merge import (
    RELATED,
    SPECIAL,
    GroupUpdate,
    Operations,
    apply,
    groups_named,
    is_refused,
    merge_of,
    merged,
    operations_of,
    same,
    trusted_after,
)

MAX_GROUP_TYPES: Final = 5
"""As in PostHog: the types that come first are known, and groups of any other type are passed over."""

_NAMESPACE = bytes.fromhex("5c1ff1a0c2d74a3f9b9d7f7a4c1de6b8")
_PROJECT = 1
_NO_GROUPS: tuple[Group, ...] = ()


def pseudo_person(event: Event) -> Person:
    """Make up the person of an event without a profile: always the same id for a distinct_id, and nothing known."""
    digest = hashlib.sha1(_NAMESPACE + f"{_PROJECT}/{event.distinct_id}".encode(), usedforsecurity=False).hexdigest()
    # a version 5 uuid (RFC 9562, section 5.5), put together here because `uuid.uuid5` takes three times as long
    variant = "89ab"[int(digest[16], 16) & 3]
    id_ = f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
    return Person(id=PersonId(id_), properties={}, created_at=event.timestamp, profile=False)


def _new_person(event: Event) -> Person:
    """
    Begin the profile of a distinct_id that is seen for the first time.

    Its id is a function of the event: a repeated group of events, or a preview, makes no other person.
    """
    randomness = hashlib.blake2b(event.distinct_id.encode(), digest_size=10).digest()
    id_ = PersonId(uuid7(event.received_at, randomness))
    return Person(id=id_, properties={}, created_at=event.timestamp)


class Batch:
    """One group of events: `see` works it through, `write` stores what came of it."""

    def __init__(self, connection: Connection, cache: Cache) -> None:
        self._connection = connection
        self._cache = cache
        self._changed: dict[PersonId, Profile] = {}
        self._new_ids: list[tuple[str, Profile]] = []
        self._moved: dict[PersonId, Profile] = {}
        self._new_types: list[tuple[str, int]] = []
        self._changed_groups: dict[tuple[int, str], Group] = {}

    def see(self, events: Sequence[Event]) -> list[Seen]:
        """Work through the events. This loop is run for every event of the service."""
        self._read(events)
        known, profiles, touch = self._cache.readings.known, self._cache.profiles, self._cache.profiles.move_to_end
        result = []
        for event in events:
            properties = event.properties
            reading = known.get(tuple(properties)) or self._cache.readings.learn(properties)
            profile = profiles.get(event.distinct_id)
            if profile is None or not reading.plain or event.event in SPECIAL:
                result.append(Seen(person=self._take(event), groups=self._groups(event)))
                continue
            touch(event.distinct_id)
            if reading.names:
                values = reading.values_of(properties)
                if (
                    profile.names is reading.names
                    and profile.values == values
                    # true is not 1, though Python has them equal
                    and profile.kinds == tuple(map(type, values))
                ):
                    seen = profile.seen
                else:
                    seen = self._take_copies(event, profile, reading)
            else:
                seen = profile.stored
            if reading.grouped:
                seen = Seen(person=seen.person, groups=self._groups(event))
            result.append(seen)
        return result

    def write(self, now: datetime) -> None:
        """Write what the events changed. A person comes before the distinct_ids that lead to it."""
        connection = self._connection
        statements.write_persons(connection, [profile.person for profile in self._changed.values()], now)
        statements.write_distinct_ids(connection, [(each, to.last().person.id) for each, to in self._new_ids])
        statements.move_distinct_ids(connection, [(away, to.last().person.id) for away, to in self._moved.items()])
        statements.write_group_types(connection, self._new_types)
        statements.write_groups(connection, list(self._changed_groups.values()), now)

    def _read(self, events: Sequence[Event]) -> None:
        """Bring into the cache what the events will ask for, as far as the database knows it."""
        cache = self._cache
        unknown = [each for each in events if each.distinct_id not in cache.profiles]
        wanted = {each.distinct_id for each in unknown if each.properties.get("$process_person_profile") is not False}
        related = [each for each in events if each.event in RELATED or "$groups" in each.properties]
        named: dict[tuple[int, str], str] = {}
        for event in related:
            if (merge := merge_of(event)) and merge.other not in cache.profiles:
                wanted.add(merge.other)
            for type_, key in groups_named(event):
                if (index := self._index(type_)) is not None:
                    named[index, key] = type_
        for distinct_id, person in statements.read_persons(self._connection, sorted(wanted)):
            cache.add(distinct_id, cache.persons.get(person.id) or Profile(person))
        if new := [each for each in named if each not in cache.groups]:
            found = statements.read_groups(self._connection, new)
            for index, key in new:
                properties = found.get((index, key), {})
                cache.groups[index, key] = Group(type=named[index, key], key=key, index=index, properties=properties)

    def _index(self, type_: str) -> int | None:
        """Give the index of a type of group: the next one for a new type, None when there are too many."""
        types = self._cache.types
        if types is None:
            types = self._cache.types = statements.read_group_types(self._connection)
        index = types.get(type_)
        if index is None and len(types) < MAX_GROUP_TYPES:
            index = types[type_] = len(types)
            self._new_types.append((type_, index))
        return index

    def _take(self, event: Event) -> Person:
        """Do all that one event asks, whatever it is; give its person as the event sees it."""
        operations = operations_of(event)
        if operations.group is not None:
            self._update_group(operations.group)
        if not operations.profile:
            return pseudo_person(event)
        return self._update_person(self._profile_for(event, operations), operations)

    def _take_copies(self, event: Event, profile: Profile, reading: Reading) -> Seen:
        """Do what an ordinary event asks of a person in the cache, and remember it for the next such event."""
        values = reading.values_of(event.properties)
        kinds = tuple(map(type, values))
        if profile.names is reading.names and _is_fleeting(profile, values, kinds):
            person = _with(
                profile.person,
                profile.person.properties | dict(zip(reading.names, values, strict=True)),
                # nothing fleeting is ever a trusted property
                profile.person.trusted,
            )
        else:
            person = self._update_person(profile, operations_of(event))
        seen = Seen(person=person)
        if are_scalars(kinds):
            profile.names, profile.values, profile.kinds, profile.seen = reading.names, values, kinds, seen
        return seen

    def _update_person(self, profile: Profile, operations: Operations) -> Person:
        person = profile.person
        properties, worth = apply(operations, person.properties)
        trusted = person.trusted
        if trusted or operations.vouched:
            trusted = trusted_after(operations, person, properties)
        if worth or trusted != person.trusted:
            self._change(profile, _with(person, properties, trusted))
            return profile.person
        return person if properties is person.properties else _with(person, properties, trusted)

    def _change(self, profile: Profile, person: Person) -> None:
        profile.change(person)
        self._changed[person.id] = profile

    def _profile_for(self, event: Event, operations: Operations) -> Profile:
        """Find or begin the profile of an event, after the merge that the event asks for."""
        cache, merge = self._cache, operations.merge
        profile = cache.profiles.get(event.distinct_id)
        other = cache.profiles.get(merge.other) if merge is not None else None
        if profile is None and other is not None:
            profile = other
            self._attach(event.distinct_id, profile)
        elif profile is None:
            profile = Profile(_new_person(event))
            self._attach(event.distinct_id, profile)
            self._changed[profile.person.id] = profile
        else:
            cache.profiles.move_to_end(event.distinct_id)
        if merge is None:
            return profile
        if other is None:
            self._attach(merge.other, profile)
        elif other is not profile and not is_refused(other.person, merge):
            self._merge(profile, other)
        if not profile.person.identified:
            self._change(profile, _identified(profile.person))
        return profile

    def _attach(self, distinct_id: str, profile: Profile) -> None:
        self._cache.add(distinct_id, profile)
        self._new_ids.append((distinct_id, profile))

    def _merge(self, into: Profile, away: Profile) -> None:
        self._changed.pop(away.person.id, None)
        self._moved[away.person.id] = into
        self._cache.join(into, away)
        self._change(into, merged(into.person, away.person))

    def _update_group(self, told: GroupUpdate) -> None:
        index = self._index(told.type)
        if index is None:
            return
        group = self._cache.groups[index, told.key]
        properties = group.properties | told.properties
        if same(properties, group.properties):
            return
        changed = Group(type=told.type, key=told.key, index=index, properties=properties)
        self._cache.groups[index, told.key] = self._changed_groups[index, told.key] = changed

    def _groups(self, event: Event) -> tuple[Group, ...]:
        if "$groups" not in event.properties and event.event != "$groupidentify":
            return _NO_GROUPS
        found = []
        for type_, key in groups_named(event):
            index = self._index(type_)
            if index is not None:
                self._cache.groups.move_to_end((index, key))
                found.append(self._cache.groups[index, key])
        return tuple(found)


def _is_fleeting(profile: Profile, values: tuple[object, ...], kinds: tuple[type, ...]) -> bool:
    """
    Is all that is new against the latest ordinary event fleeting? Then there is nothing to write.

    The profile has all of `names` already, since that event had them. A null may have kept an `$initial_…` away,
    so where one comes or goes the answer is no, and the event is looked at in full.
    """
    if profile.names is None or not are_scalars(kinds):
        return False
    for name, old, new in zip(profile.names, profile.values, values, strict=True):
        if (type(old) is not type(new) or old != new) and (name not in FLEETING or old is None or new is None):
            return False
    return True


def _with(person: Person, properties: dict[str, Any], trusted: frozenset[str]) -> Person:
    """Copy a person with `properties` in place of those it has, of which `trusted` are trusted."""
    return Person(
        id=person.id,
        properties=properties,
        created_at=person.created_at,
        identified=person.identified,
        trusted=trusted,
    )


def _identified(person: Person) -> Person:
    return msgspec.structs.replace(person, identified=True)

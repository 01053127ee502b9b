"""The newest events of the log with their persons as they are now: what a destination is looked at with."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from smspipe import eventlog, persons
from smspipe.capture import events_of
from smspipe.model.event import Event, Group
from smspipe.model.person import Person

EVENTS: Final = 2_000
"""How many are looked at when somebody asks."""
EVENTS_AT_SAVE: Final = 300
"""How many are looked at when a destination is saved, which must stay fast."""
SECONDS: Final = 10.0
"""How long looking at destinations may take when somebody asks, all of them together."""
SECONDS_AT_SAVE: Final = 0.15
_BYTES_OF_ONE: Final = 20_000
"""What an event may weigh on average; of heavier ones fewer are read."""


class Met(msgspec.Struct, frozen=True):
    """One event, as a destination would meet it today."""

    event: Event
    person: Person | None
    groups: tuple[Group, ...]


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """The newest events, the newest first, and what is seen in them."""

    met: tuple[Met, ...] = ()
    names: Counter[str] = msgspec.field(default_factory=Counter)
    """How often each event name occurs."""
    since: datetime | None = None
    """When the oldest of them was received; None when there is none."""
    until: datetime | None = None

    @classmethod
    def of(cls, met: Sequence[Met]) -> "Recent":
        """Count what is in them."""
        times = [each.event.received_at for each in met]
        return cls(
            met=tuple(met),
            names=Counter(each.event.event for each in met),
            since=min(times, default=None),
            until=max(times, default=None),
        )


def read_recent(connection: Connection, limit: int = EVENTS) -> Recent:
    """Read the newest `limit` events; of very large ones fewer, so that memory stays bounded."""
    payloads = eventlog.read_newest(connection, limit, limit * _BYTES_OF_ONE)
    events = list(islice((event for payload in payloads for event in reversed(events_of(payload))), limit))
    known = persons.persons_of(connection, list({event.distinct_id for event in events}))
    groups: dict[str, tuple[Group, ...]] = {}
    return Recent.of([Met(event, known.get(event.distinct_id), _groups(connection, event, groups)) for event in events])


def _groups(connection: Connection, event: Event, found: dict[str, tuple[Group, ...]]) -> tuple[Group, ...]:
    """Give an event's groups, looked up once for all events that name the same."""
    named: Any = event.properties.get("$groups")
    if not named:
        return ()
    key = repr(named)
    if key not in found:
        found[key] = persons.groups_of(connection, event)
    return found[key]

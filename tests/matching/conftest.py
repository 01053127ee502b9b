"""What the tests of this room are made of: events, and filters written as PostHog writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from smspipe.matching import Matcher, compile_filter, read_action, read_filter, read_properties
from smspipe.model.event import Event, Group
from smspipe.model.filter import Mode
from smspipe.model.ids import EventUuid, PersonId
from smspipe.model.person import Person

NOW = datetime(2026, 3, 15, 12, 30, 45, 678901, tzinfo=UTC)


def make_event(name: str = "order shipped", /, properties: dict[str, Any] | None = None, **more: Any) -> Event:
    """An event of `u-1`, one minute old."""
    at = datetime(2026, 3, 15, 12, 29, 45, 678901, tzinfo=UTC)
    return Event(
        uuid=EventUuid("0190a1b2-0000-7000-8000-000000000001"),
        event=name,
        distinct_id="u-1",
        timestamp=at,
        received_at=at,
        properties={**(properties or {}), **more},
    )


def make_person(**properties: Any) -> Person:
    return Person(id=PersonId("018f-person"), properties=properties, created_at=NOW)


def make_matcher(
    document: Any,
    mode: Mode = Mode.SANE,
    actions: Sequence[dict[str, Any]] = (),
    test_accounts: Any = None,
) -> Matcher:
    """Read and compile a filter; actions and test accounts too are given in PostHog's shape."""
    read = [read_action(action) for action in actions]
    return compile_filter(
        read_filter(document, mode=mode),
        actions={action.id: action for action in read},
        test_accounts=None if test_accounts is None else read_properties(test_accounts),
    )


def decide(
    matcher: Matcher, event: Event, person: Person | None = None, groups: Sequence[Group] = (), now: datetime = NOW
) -> bool:
    """Ask whether the event matches, and whether the explanation agrees."""
    matches = matcher.matches(event, person, groups, now)
    assert (matcher.explain(event, person, groups, now) is None) is matches
    return matches


class Holds(Protocol):
    def __call__(self, value: Any, operator: str | None, wanted: Any, mode: Mode = ..., **more: Any) -> bool: ...


MISSING = object()
"""Stands for a property that the event does not have."""


@pytest.fixture
def holds() -> Holds:
    """Tells whether one condition on one event property holds."""

    def ask(value: Any, operator: str | None, wanted: Any, mode: Mode = Mode.SANE, **more: Any) -> bool:
        condition = {"key": "x", "operator": operator, "value": wanted, "type": "event", **more}
        event = make_event("e", {} if value is MISSING else {"x": value})
        return decide(make_matcher({"properties": [condition]}, mode), event)

    return ask

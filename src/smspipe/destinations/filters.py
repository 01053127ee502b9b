"""The cooldown of a document (PostHog's `masking`), and filters joined with a list of events and actions."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from smspipe.model.destination import Cooldown, Text
from smspipe.model.errors import Invalid
from smspipe.model.filter import ActionFilter, EventFilter, Filter, PropertyGroup

LONGEST_SECONDS: Final = 31_536_000
"""One year of 365 days: the longest cooldown, as the older plugin allowed."""
LARGEST_THRESHOLD: Final = 1_000_000_000


def narrow(own: Filter, listed: Filter) -> Filter:
    """
    Let through what is listed and what the destination's own filter lets through as well.

    Args:
        own: the destination's filter; its entries must name what is listed, or any event.
        listed: events and actions without conditions, at least one.

    Raises:
        Invalid: an own entry names something that is not listed, so it could never lead to a text.
    """
    events: tuple[EventFilter, ...] = listed.events
    actions: tuple[ActionFilter, ...] = listed.actions
    if own.events or own.actions:
        names, ids = {entry.id for entry in events} | {None}, {entry.id for entry in actions}
        strangers = [e.id or "" for e in own.events if e.id not in names]
        strangers += [a.name or a.id for a in own.actions if a.id not in ids]
        if strangers:
            raise Invalid(
                f"The filters name {strangers[0]!r}, which triggeringEventsAndNumber does not.",
                field="filters",
                hint="Add it there with a number, or take it out of the filters.",
            )
        events = tuple(
            EventFilter(id=entry.id, name=entry.name, properties=condition.properties)
            for entry in listed.events
            for condition in own.events
            if condition.id in (None, entry.id)
        )
        actions = tuple(
            ActionFilter(id=entry.id, name=entry.name, properties=condition)
            for entry in listed.actions
            for condition in _for_action(own, entry)
        )
    return Filter(
        source=own.source,
        events=events,
        actions=actions,
        properties=own.properties,
        filter_test_accounts=own.filter_test_accounts,
        mode=own.mode,
    )


def _for_action(own: Filter, action: ActionFilter) -> list[PropertyGroup]:
    """Give the conditions of each own entry that lets `action` through."""
    by_id = [entry.properties for entry in own.actions if entry.id == action.id]
    return by_id + [entry.properties for entry in own.events if entry.id is None]


def read_masking(masking: Mapping[str, Any] | None) -> Cooldown | None:
    """
    Read PostHog's `masking` object, None for no cooldown.

    Raises:
        Invalid: a part is missing, of the wrong type or out of its range.
    """
    if masking is None:
        return None
    if not isinstance(masking, Mapping):
        raise Invalid("The masking must be an object with hash and ttl.", field="masking")
    key = masking.get("hash")
    if not isinstance(key, str) or not key:
        raise Invalid("This field is required.", field="masking__hash", hint="For example {person.id}.")
    return Cooldown(
        key=Text(source=key, field="masking__hash"),
        ttl=_read_ttl(masking.get("ttl")),
        threshold=_read_threshold(masking.get("threshold")),
    )


def _read_ttl(ttl: Any) -> timedelta:
    if ttl is None:
        raise Invalid("This field is required.", field="masking__ttl")
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not 1 <= ttl <= LONGEST_SECONDS:
        raise Invalid(f"ttl must be a whole number between 1 and {LONGEST_SECONDS} seconds", field="masking__ttl")
    return timedelta(seconds=ttl)


def _read_threshold(threshold: Any) -> int | None:
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, int) or not 1 <= threshold <= LARGEST_THRESHOLD:
        raise Invalid(
            f"threshold must be a whole number between 1 and {LARGEST_THRESHOLD}, or null", field="masking__threshold"
        )
    return threshold

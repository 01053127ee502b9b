"""Read the filter and the cooldown of a document: PostHog's `filters` and `masking`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from smspipe.model.destination import Cooldown, Text
from smspipe.model.errors import Invalid
from smspipe.model.filter import ActionFilter, EventFilter, Filter, Mode, Property, PropertyGroup

LONGEST_SECONDS: Final = 31_536_000
"""One year of 365 days: the longest cooldown, as the older plugin allowed."""
_SOURCES: Final = ("events", "person-updates", "data-warehouse-table", "data-warehouse-view")


def read_filter(filters: Mapping[str, Any] | None, mode: Mode) -> Filter:
    """
    Read PostHog's `filters` object.

    Raises:
        Invalid: a part has the wrong shape; unknown operators and the like are found when the filter is compiled.
    """
    filters = filters or {}
    source = filters.get("source") or "events"
    if source not in _SOURCES:
        raise Invalid(f'"{source}" is not a valid choice.', field="filters__source")
    if source != "events":
        raise Invalid("Only events lead to texts here.", field="filters__source", hint='Use the source "events".')
    return Filter(
        source=source,
        events=tuple(
            EventFilter(
                id=_text_or_none(entry.get("id"), "filters__events"),
                name=_text_or_none(entry.get("name"), "filters__events"),
                properties=_read_group(entry.get("properties"), "filters__events"),
            )
            for entry in _entries(filters, "events")
        ),
        actions=tuple(
            ActionFilter(
                id=_action_id(entry.get("id")),
                name=_text_or_none(entry.get("name"), "filters__actions"),
                properties=_read_group(entry.get("properties"), "filters__actions"),
            )
            for entry in _entries(filters, "actions")
        ),
        properties=_read_group(filters.get("properties"), "filters__properties"),
        filter_test_accounts=_read_bool(filters.get("filter_test_accounts")),
        mode=mode,
    )


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
    if isinstance(threshold, bool) or not isinstance(threshold, int) or threshold < 1:
        raise Invalid("threshold must be a whole number of at least 1, or null", field="masking__threshold")
    return threshold


def _entries(filters: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = filters.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise Invalid(f"{key} must be a list of objects.", field=f"filters__{key}")
    return entries


def _read_group(given: Any, field: str) -> PropertyGroup:
    """Read a list of conditions, all of which must hold, or a group that says AND or OR; groups may hold both."""
    if given is None or given == {}:
        return PropertyGroup()
    if isinstance(given, list):
        return PropertyGroup(values=tuple(_read_condition(item, field) for item in given))
    if not isinstance(given, Mapping) or not isinstance(given.get("values"), list):
        raise Invalid("Properties must be a list, or a group with type and values.", field=field)
    joined_by = given.get("type", "AND")
    if joined_by not in ("AND", "OR"):
        raise Invalid('The type of a group of properties is "AND" or "OR".', field=field)
    return PropertyGroup(type=joined_by, values=tuple(_read_condition(item, field) for item in given["values"]))


def _read_condition(given: Any, field: str) -> Property | PropertyGroup:
    if not isinstance(given, Mapping):
        raise Invalid("A property must be an object with key, operator and value.", field=field)
    if "values" in given:
        return _read_group(given, field)
    index = given.get("group_type_index")
    if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
        raise Invalid("group_type_index must be a number.", field=field)
    key = given.get("key")
    return Property(
        key=str(key) if isinstance(key, int) and not isinstance(key, bool) else _text_or_none(key, field),
        value=given.get("value"),
        operator=_text_or_none(given.get("operator"), field),
        type=_text_or_none(given.get("type"), field),
        group_type_index=index,
        negation=_read_bool(given.get("negation")),
    )


def _text_or_none(given: Any, field: str) -> str | None:
    if given is None or isinstance(given, str):
        return given
    raise Invalid("Names, keys, operators and types must be strings.", field=field)


def _action_id(given: Any) -> str:
    """Read an action's id, which PostHog writes as a number or as text."""
    if isinstance(given, str) and given:
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    raise Invalid("An entry of actions must have the id of an action.", field="filters__actions")


def _read_bool(given: Any) -> bool:
    if given is None or isinstance(given, bool):
        return bool(given)
    raise Invalid("Must be a valid boolean.", field="filters")

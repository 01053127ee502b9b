"""What a filter asks about, by its text alone: names of events, and properties of whom."""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from smspipe.hog import compile_expression
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action, Filter, Property, PropertyGroup

Kind = Literal["name", "event", "person"]


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """One thing asked about: an event's name, or a property of the event or the person."""

    kind: Kind
    key: str
    field: str
    """Where, as errors name it: `filters__events__0__id`."""


def mentions(filter: Filter, actions: Mapping[str, Action], field: str = "filters") -> list[Mention]:  # noqa: A002 (the word everyone uses)
    """List what a filter and its actions ask about, in its order; what an expression asks is part of it."""
    found: list[Mention] = []
    for place, entry in enumerate(filter.events):
        here = f"{field}__events__{place}"
        if entry.id is not None:
            found.append(Mention(kind="name", key=entry.id, field=f"{here}__id"))
        found += _of_group(entry.properties, f"{here}__properties")
    for place, listed in enumerate(filter.actions):
        here = f"{field}__actions__{place}"
        found += _of_group(listed.properties, f"{here}__properties")
        for step in actions[listed.id].steps if listed.id in actions else ():
            if step.event is not None:
                found.append(Mention(kind="name", key=step.event, field=here))
            found += [msgspec.structs.replace(each, field=here) for each in _of_group(step.properties, here)]
    return [*found, *_of_group(filter.properties, f"{field}__properties")]


def _of_group(group: PropertyGroup, field: str) -> Iterator[Mention]:
    for place, each in enumerate(group.values):
        here = f"{field}__{place}"
        if isinstance(each, PropertyGroup):
            yield from _of_group(each, f"{here}__values")
        else:
            yield from _of_property(each, here)


def _of_property(condition: Property, field: str) -> Iterator[Mention]:
    key = condition.key or ""
    if condition.type == "hogql":
        try:
            paths = compile_expression(key).paths
        except Invalid:
            return  # told where filters are compiled
        for path in sorted(paths):
            if len(path) > 1 and path[0] == "properties":
                yield Mention(kind="event", key=path[1], field=f"{field}__key")
            elif len(path) > 2 and path[:2] == ("person", "properties"):
                yield Mention(kind="person", key=path[2], field=f"{field}__key")
    elif key and condition.type in (None, "event", "feature") and key != "$elements_chain":
        yield Mention(kind="event", key=key, field=f"{field}__key")
    elif key and condition.type == "person" and key != "distinct_id":
        yield Mention(kind="person", key=key, field=f"{field}__key")

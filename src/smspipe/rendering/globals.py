"""
The globals: what a template can name, in the shapes and with the names that PostHog gives.

Source: PostHog's `nodejs/src/cdp/utils.ts` and its documentation of destinations.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from smspipe.model.clock import to_iso
from smspipe.model.event import Event, Group
from smspipe.model.person import Person

ROOTS: Final = frozenset({"project", "source", "event", "person", "groups", "inputs"})
"""PostHog's."""
ALL_ROOTS: Final = ROOTS | {"suppressed"}
"""And ours."""

NAME_PROPERTIES: Final = ("email", "name", "username")
"""A person's properties that may be their name, the best first: what PostHog's projects begin with."""


def globals_for(
    event: Event,
    person: Person | None,
    groups: Sequence[Group],
    *,
    project: Mapping[str, Any],
    source: Mapping[str, Any],
    inputs: Mapping[str, Any],
    roots: Collection[str] = ROOTS,
    suppressed: int = 0,
) -> dict[str, Any]:
    """
    Build what the templates of one event at one destination can name.

    The properties in it are those of the event, the person and the groups themselves, not copies: nothing may write.

    Args:
        event: its time is given as text, `2026-01-02T03:04:05.678Z`.
        person: None when the event has none; `person` is null then.
        groups: those that the event names and that are known.
        project: `id`, `name` and `url` (without a slash at its end).
        source: the destination's `name` and `url`.
        inputs: the destination's values that are not secret.
        roots: which of the roots are wanted; others are left out to save the time of building them.
        suppressed: how many texts were held back from the recipient since the last.
    """
    base = project.get("url", "")
    built: dict[str, Any] = {}
    if "event" in roots:
        built["event"] = _event(event, base)
    if "person" in roots:
        built["person"] = None if person is None else _person(person, event.distinct_id, base)
    if "groups" in roots:
        built["groups"] = {group.type: _group(group, base) for group in groups}
    if "project" in roots:
        built["project"] = project
    if "source" in roots:
        built["source"] = source
    if "inputs" in roots:
        built["inputs"] = inputs
    if "suppressed" in roots:
        built["suppressed"] = suppressed
    return built


def encode_component(text: str) -> str:
    """Percent-encode `text` as JavaScript's `encodeURIComponent` does; what UTF-8 cannot carry becomes `?`."""
    return quote(text, safe="!~*'()", errors="replace")


def _event(event: Event, base: str) -> dict[str, Any]:
    timestamp = to_iso(event.timestamp)
    elements_chain = event.properties.get("$elements_chain")
    return {
        "uuid": event.uuid,
        "event": event.event,
        "distinct_id": event.distinct_id,
        "elements_chain": elements_chain if isinstance(elements_chain, str) else "",
        "timestamp": timestamp,
        # Of a uuid and an ISO timestamp only the colons need encoding.
        "url": f"{base}/events/{event.uuid}/{timestamp.replace(':', '%3A')}",
        "properties": event.properties,
    }


def _person(person: Person, distinct_id: str, base: str) -> dict[str, Any]:
    return {
        "id": person.id,
        "distinct_id": distinct_id,
        "name": _name(person.properties, distinct_id),
        "url": f"{base}/person/{encode_component(distinct_id)}",
        "properties": person.properties,
    }


def _name(properties: Mapping[str, Any], distinct_id: str) -> str:
    """Give the first name property that JavaScript takes for true (an empty list is), or the distinct_id."""
    for key in NAME_PROPERTIES:
        value = properties.get(key)
        if isinstance(value, str):
            if value:
                return value.strip()
        elif value or isinstance(value, list | dict):
            return msgspec.json.encode(value).decode()
    return distinct_id.strip()


def _group(group: Group, base: str) -> dict[str, Any]:
    return {
        "id": group.key,
        "type": group.type,
        "index": group.index,
        "url": f"{base}/groups/{group.index}/{encode_component(group.key)}",
        "properties": group.properties,
    }

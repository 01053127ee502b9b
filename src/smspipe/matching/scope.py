"""What an expression in a filter can refer to: PostHog's names for the parts of an event, its person and its groups."""

from collections.abc import Sequence
from typing import Any, Final

from smspipe.matching.elements import chain_of
from smspipe.model.clock import to_iso
from smspipe.model.event import Event, Group
from smspipe.model.person import Person

_GROUP_TYPES: Final = range(5)


def filter_globals(event: Event, person: Person | None, groups: Sequence[Group]) -> dict[str, Any]:
    """
    Lay out the names that a filter's expressions know.

    Unlike a template's, the event's parts are roots of their own (`properties.plan`, and `event` is its name).
    `person` is null without one; `group_0` to `group_4` are there without a group, with no properties.
    """
    chain = chain_of(event.properties)
    known = None if person is None else {"id": person.id, "properties": person.properties}
    scope: dict[str, Any] = {
        "event": event.event,
        "uuid": event.uuid,
        "timestamp": to_iso(event.timestamp),
        "distinct_id": event.distinct_id,
        "properties": event.properties,
        "person": known,
        "pdi": None if person is None else {"distinct_id": event.distinct_id, "person_id": person.id, "person": known},
        "elements_chain": chain.text,
        "elements_chain_href": chain.href,
        "elements_chain_texts": list(chain.texts),
        "elements_chain_ids": list(chain.ids),
        "elements_chain_elements": list(chain.tags),
        "variables": {},
    }
    for index in _GROUP_TYPES:
        scope[f"$group_{index}"] = None
        scope[f"group_{index}"] = {"properties": {}}
    for group in groups:
        if group.index in _GROUP_TYPES:
            scope[f"$group_{group.index}"] = group.key
            scope[f"group_{group.index}"] = {"properties": group.properties}
    return scope

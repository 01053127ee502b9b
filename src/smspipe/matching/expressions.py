"""Conditions that are expressions, and what these can refer to: PostHog's names for an event, its person and groups."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from smspipe.hog import compile_expression, point_at, truthy
from smspipe.matching.elements import chain_of
from smspipe.matching.sentences import mask_phones, show
from smspipe.matching.tree import Leaf
from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.person import Person

_GROUP_TYPES: Final = range(5)


def compile_expression_leaf(source: str, field: str, *, negation: bool) -> Leaf:
    """
    Compile an expression. Among other conditions its result counts by its truth; alone only true itself will do.

    A fault while it runs is a HogError, which the matcher translates.
    """
    try:
        expression = compile_expression(source)
    except Invalid as error:
        raise Invalid(
            f"Filter compilation errors: {error}",
            field=f"{field}__key",
            position=error.position,
            hint=error.hint,
            excerpt=None if error.position is None else point_at(source, error.position),
        ) from error

    def run(event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> Any:
        return expression(filter_globals(event, person, groups), now)

    def check(event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> bool:
        return truthy(run(event, person, groups, now)) is not negation

    def tell(event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> str:
        wanted = "false" if negation else "true"
        return f"the expression {mask_phones(source)} gives {show(run(event, person, groups, now))}, not {wanted}"

    def alone(event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> bool:
        return run(event, person, groups, now) is True

    return Leaf(check=check, tell=tell, field=field, fallible=True, alone=None if negation else alone)


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

"""
Property conditions: where the value is read, joined with what is asked of it.

    event, feature    a property of the event; `$elements_chain` is the chain itself
    person            a property of the person; `distinct_id` is the event's
    group             a property of the group with that index
    element           text, href, tag_name or selector of what was clicked
    event_metadata    the event's own fields
    hogql             no property but an expression

A key is one name: dots in it are part of the name. Missing, null and "there is no person" are the same.
"""

from collections.abc import Sequence
from typing import Any, Final

from smspipe.matching.clicks import compile_element
from smspipe.matching.elements import chain_of
from smspipe.matching.expressions import compile_expression_leaf
from smspipe.matching.leaves import Read, value_leaf
from smspipe.matching.operators import OF_VALUES, Test, compile_test, needs_value
from smspipe.matching.sentences import show, show_list
from smspipe.matching.tree import TRUE, All, Check, Leaf, Node, Some
from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Mode, Property, PropertyGroup
from smspipe.model.person import Person

_COHORTS: Final = frozenset({"cohort", "static-cohort", "precalculated-cohort", "dynamic-cohort"})
_MOST_GROUP_TYPES: Final = 5


def compile_group(group: PropertyGroup, mode: Mode, field: str, *, test_accounts: bool = False) -> Node:
    """
    Compile a list of conditions, or a tree of them.

    Args:
        group: an empty one always holds.
        mode: how missing values compare.
        field: the group's place, for messages.
        test_accounts: these are the project's filters against its own people, so messages say so.

    Raises:
        Invalid: a condition cannot be evaluated; its `field` says which.
    """
    if group.type not in ("AND", "OR"):
        raise Invalid(f"A group of unknown type {show(group.type)}.", field=f"{field}__type", hint="Use AND or OR.")
    parts: list[Node] = []
    for index, value in enumerate(group.values):
        place = f"{field}__{index}"
        if isinstance(value, PropertyGroup):
            parts.append(compile_group(value, mode, f"{place}__values", test_accounts=test_accounts))
        elif not is_complete(value):
            # To PostHog an unfinished condition is true. Among alternatives that would let every event through,
            # so there it is passed over, unless all of PostHog's ways are asked for.
            if group.type == "AND" or mode is Mode.POSTHOG:
                parts.append(TRUE)
        else:
            parts.append(_compile_property(value, mode, place, test_accounts=test_accounts))
    if len(parts) == 1:
        return parts[0]
    return All(tuple(parts)) if group.type == "AND" or not parts else Some(tuple(parts))


def is_complete(condition: Property) -> bool:
    """Tell whether there is enough of a condition to be one. A cohort always is, as passing over it would widen."""
    kind = condition.type or "event"
    if kind in _COHORTS:
        return True
    if kind == "empty" or not condition.key:
        return False
    if kind == "hogql":
        return True
    if kind == "group" and condition.group_type_index is None:
        return False
    return condition.value is not None or not needs_value(condition.operator)


def _compile_property(condition: Property, mode: Mode, field: str, *, test_accounts: bool) -> Node:
    """Compile one complete condition."""
    key, kind = condition.key or "", condition.type or "event"
    if kind in _COHORTS:
        raise _cohort_refusal(condition, field, test_accounts=test_accounts)
    if kind == "hogql":
        return compile_expression_leaf(key, field, negation=condition.negation)
    if condition.value == [] and condition.operator in OF_VALUES:
        return TRUE  # no value to be held against is no condition
    if kind == "element":
        return compile_element(condition, mode, field)
    test = compile_test(condition.operator, condition.value, mode, field)
    if kind in ("event", "feature"):
        if key == "$elements_chain":
            no_chain = "" if mode is Mode.POSTHOG else None
            return value_leaf(
                lambda e, _p, _g: chain_of(e.properties).text or no_chain,
                "the chain of elements",
                test,
                condition,
                field,
            )
        check = _check_event_property(key, test, wanted=test.wanted is not condition.negation)
        read: Read = lambda event, _person, _groups: event.properties.get(key)  # noqa: E731 (typed, and short)
        return value_leaf(read, f"property {show(key)} of the event", test, condition, field, check=check)
    if kind == "person":
        return _compile_person(key, test, condition, field)
    if kind == "group":
        return _compile_group_property(key, test, condition, field)
    if kind == "event_metadata":
        return value_leaf(_metadata_reader(key, field), f"the event's {key}", test, condition, field)
    raise Invalid(
        f"Conditions of type {show(kind)} cannot be evaluated when an event arrives.",
        field=f"{field}__type",
        hint="Use event, person, group, element, event_metadata or hogql.",
    )


def _cohort_refusal(condition: Property, field: str, *, test_accounts: bool) -> Invalid:
    if test_accounts:
        return Invalid(
            "Your internal/test user filters include cohorts that can't be used in real-time filters:"
            f" cohort {show(condition.value)}.",
            field=field,
            hint="Replace the cohort with the person properties that it stands for.",
        )
    return Invalid(
        "Cohort membership can't be evaluated in real-time filters.",
        field=field,
        hint="Replace cohorts with equivalent inline person property filters.",
    )


# ---- values ------------------------------------------------------------------------------------------


def _check_event_property(key: str, test: Test, *, wanted: bool) -> Check:
    """Fuse reading and asking: this is the check that most events meet most often."""
    probe = test.probe
    if wanted:
        return lambda event, _person, _groups, now: probe(event.properties.get(key), now)
    return lambda event, _person, _groups, now: not probe(event.properties.get(key), now)


def _compile_person(key: str, test: Test, condition: Property, field: str) -> Leaf:
    if key == "distinct_id":
        return value_leaf(lambda e, _p, _g: e.distinct_id, "the distinct_id", test, condition, field)

    def read(_event: Event, person: Person | None, _groups: Sequence[Group]) -> Any:
        return None if person is None else person.properties.get(key)

    return value_leaf(read, f"property {show(key)} of the person", test, condition, field)


def _compile_group_property(key: str, test: Test, condition: Property, field: str) -> Leaf:
    index = condition.group_type_index
    if index is None or not 0 <= index < _MOST_GROUP_TYPES:
        raise Invalid(
            f"There is no group type {show(index)}.",
            field=f"{field}__group_type_index",
            hint=f"Use 0 to {_MOST_GROUP_TYPES - 1}.",
        )

    def read(_event: Event, _person: Person | None, groups: Sequence[Group]) -> Any:
        for group in groups:
            if group.index == index:
                return group.properties.get(key)
        return None

    return value_leaf(read, f"property {show(key)} of the event's group {index}", test, condition, field)


def _metadata_reader(key: str, field: str) -> Read:
    """Read one of the event's own fields."""
    if key.startswith("$group_") and key[7:].isdecimal() and int(key[7:]) < _MOST_GROUP_TYPES:
        index = int(key[7:])
        return lambda _e, _p, groups: next((group.key for group in groups if group.index == index), None)
    readers: dict[str, Read] = {
        "event": lambda e, _p, _g: e.event,
        "uuid": lambda e, _p, _g: e.uuid,
        "distinct_id": lambda e, _p, _g: e.distinct_id,
        "timestamp": lambda e, _p, _g: to_iso(e.timestamp),
        "elements_chain": lambda e, _p, _g: chain_of(e.properties).text,
    }
    if key in readers:
        return readers[key]
    raise Invalid(
        f"An event has no field {show(key)}.", field=f"{field}__key", hint=f"Use {show_list([*readers, '$group_0'])}."
    )

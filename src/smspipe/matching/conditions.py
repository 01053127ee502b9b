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

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from smspipe.hog import compile_expression, truthy
from smspipe.matching.elements import Chain, chain_of
from smspipe.matching.operators import OF_VALUES, Test, compile_test, needs_value
from smspipe.matching.scope import filter_globals
from smspipe.matching.selectors import Selector, read_selector
from smspipe.matching.sentences import mask_phones, show, show_list
from smspipe.matching.tree import TRUE, All, Check, Leaf, Node, Some
from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Mode, Property, PropertyGroup
from smspipe.model.person import Person

Read = Callable[[Event, Person | None, Sequence[Group]], Any]

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
        elif not _is_complete(value):
            # To PostHog an unfinished condition is true. Among alternatives that would let every event through,
            # so there it is passed over, unless all of PostHog's ways are asked for.
            if group.type == "AND" or mode is Mode.POSTHOG:
                parts.append(TRUE)
        else:
            parts.append(_compile_property(value, mode, place, test_accounts=test_accounts))
    if len(parts) == 1:
        return parts[0]
    return All(tuple(parts)) if group.type == "AND" or not parts else Some(tuple(parts))


def _is_complete(condition: Property) -> bool:
    kind = condition.type or "event"
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
        return _compile_hogql(key, field, negation=condition.negation)
    if condition.value == [] and condition.operator in OF_VALUES:
        return TRUE  # no value to be held against is no condition
    if kind == "element":
        return _compile_element(condition, mode, field)
    test = compile_test(condition.operator, condition.value, mode, field)
    if kind in ("event", "feature"):
        if key == "$elements_chain":
            no_chain = "" if mode is Mode.POSTHOG else None
            return _leaf(
                lambda e, _p, _g: chain_of(e.properties).text or no_chain,
                "the chain of elements",
                test,
                condition,
                field,
            )
        check = _check_event_property(key, test, wanted=test.wanted is not condition.negation)
        read: Read = lambda event, _person, _groups: event.properties.get(key)  # noqa: E731 (typed, and short)
        return _leaf(read, f"property {show(key)} of the event", test, condition, field, check=check)
    if kind == "person":
        return _compile_person(key, test, condition, field)
    if kind == "group":
        return _compile_group_property(key, test, condition, field)
    if kind == "event_metadata":
        return _leaf(_metadata_reader(key, field), f"the event's {key}", test, condition, field)
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


def _leaf(read: Read, subject: str, test: Test, condition: Property, field: str, *, check: Check | None = None) -> Leaf:
    """Make the leaf that asks `test` about what `read` gives."""
    probe, wanted = test.probe, test.wanted is not condition.negation

    def generic(event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> bool:
        return probe(read(event, person, groups), now) is wanted

    def tell(event: Event, person: Person | None, groups: Sequence[Group], _now: datetime) -> str:
        return _sentence(subject, read(event, person, groups), test, wanted=wanted)

    return Leaf(check=check or generic, tell=tell, field=field)


def _sentence(subject: str, value: Any, test: Test, *, wanted: bool) -> str:
    """Say why a value does not do: "property amount of the event is 20, which is not greater than 100"."""
    if value is None:
        return f"{subject} is not set, but must {'' if wanted else 'not '}{test.do}"
    if wanted:
        return f"{subject} is {show(value)}, which {test.does_not}"
    return f"{subject} is {show(value)}, but must not {test.do}"


def _compile_person(key: str, test: Test, condition: Property, field: str) -> Leaf:
    if key == "distinct_id":
        return _leaf(lambda e, _p, _g: e.distinct_id, "the distinct_id", test, condition, field)

    def read(_event: Event, person: Person | None, _groups: Sequence[Group]) -> Any:
        return None if person is None else person.properties.get(key)

    return _leaf(read, f"property {show(key)} of the person", test, condition, field)


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

    return _leaf(read, f"property {show(key)} of the event's group {index}", test, condition, field)


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


# ---- elements ----------------------------------------------------------------------------------------


def _compile_element(condition: Property, mode: Mode, field: str) -> Leaf:
    """Compile a condition on what was clicked; texts are all of the chain's, of which any one must do."""
    key = condition.key
    if key in ("selector", "tag_name"):
        return _compile_structure(condition, field)
    test = compile_test(condition.operator, condition.value, mode, field)
    if key == "href":
        return _leaf(lambda e, _p, _g: chain_of(e.properties).href, "the link that was clicked", test, condition, field)
    if key != "text":
        raise Invalid(
            f"Elements have no {show(key)} to filter by.",
            field=f"{field}__key",
            hint="Use text, href, tag_name or selector.",
        )
    return _compile_text(condition, test, mode, field)


def _compile_text(condition: Property, test: Test, mode: Mode, field: str) -> Leaf:
    """Ask about each value on its own: some text must do for it. All values must be met by a not_…, else any."""
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    pairs = condition.operator in ("between", "not_between") or not needs_value(condition.operator)
    tests = [test] if pairs else [compile_test(condition.operator, value, mode, field) for value in values]
    join, negation = (any if test.wanted else all), condition.negation

    def check(event: Event, _person: Person | None, _groups: Sequence[Group], now: datetime) -> bool:
        texts = chain_of(event.properties).texts
        return join([any(each.probe(text, now) is each.wanted for text in texts) for each in tests]) is not negation

    def tell(event: Event, _person: Person | None, _groups: Sequence[Group], _now: datetime) -> str:
        texts = chain_of(event.properties).texts
        must = "must" if test.wanted is not negation else "must not"
        return (
            f"the text that was clicked is {show_list(texts, 'and') if texts else 'not recorded'}, but {must} {test.do}"
        )

    return Leaf(check=check, tell=tell, field=field)


def _compile_structure(condition: Property, field: str) -> Leaf:
    operator = condition.operator or "exact"
    if operator not in ("exact", "is_not"):
        raise Invalid(
            f"An element's {condition.key} cannot be compared with {show(operator)}.",
            field=f"{field}__operator",
            hint="Use exact or is_not.",
        )
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    wanted = (operator == "exact") is not condition.negation
    if not all(isinstance(value, str) for value in values):
        raise Invalid(f"An element's {condition.key} must be text.", field=f"{field}__value")
    if condition.key == "selector":
        find = find_selectors([read_selector(value, f"{field}__value") for value in values])
    else:
        find = find_tags(values)

    def check(event: Event, _person: Person | None, _groups: Sequence[Group], _now: datetime) -> bool:
        return find(chain_of(event.properties)) is wanted

    saw = (
        f"what was clicked is {'not ' if wanted else ''}{show_list(values)}{'' if wanted else ', which it must not be'}"
    )
    return Leaf(check=check, tell=lambda _e, _p, _g, _n: saw, field=field)


def find_selectors(selectors: Sequence[Selector]) -> Callable[[Chain], bool]:
    """Make the function that looks for any of the selectors in a chain."""
    return lambda chain: any(selector.found_in(chain.elements) for selector in selectors)


def find_tags(tags: Sequence[str]) -> Callable[[Chain], bool]:
    """Make the function that looks for an element with any of the tags in a chain."""
    wanted = frozenset(tags)
    return lambda chain: any(element.tag in wanted for element in chain.elements)


# ---- expressions -------------------------------------------------------------------------------------


def _compile_hogql(source: str, field: str, *, negation: bool) -> Leaf:
    """
    Compile an expression. Among other conditions its result counts by its truth; alone only true itself will do.

    A fault while it runs is a HogError, which the matcher translates.
    """
    try:
        expression = compile_expression(source)
    except Invalid as error:
        raise Invalid(
            f"Filter compilation errors: {error}", field=f"{field}__key", position=error.position, hint=error.hint
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

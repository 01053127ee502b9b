"""
Actions: named alternatives ("steps") of what an event may be; one without steps is any event.

All parts of a step must hold. Tag, text, link and selector count only in a step for `$autocapture`, as in PostHog.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from smspipe.hog import HogError, hog_equals, like
from smspipe.matching.clicks import find_selectors, find_tags
from smspipe.matching.conditions import compile_group
from smspipe.matching.elements import Chain, chain_of
from smspipe.matching.patterns import compile_pattern
from smspipe.matching.selectors import read_selector
from smspipe.matching.sentences import show, show_list
from smspipe.matching.tree import TRUE, All, Leaf, Node, Some
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Action, ActionStep, Mode
from smspipe.model.person import Person

AUTOCAPTURE: Final = "$autocapture"
_MATCHINGS: Final = ("exact", "contains", "regex")


def compile_action(action: Action, mode: Mode, field: str) -> Node:
    """
    Compile an action: any of its steps.

    Raises:
        Invalid: a part of a step cannot be evaluated; `field` says which.
    """
    steps = [_compile_step(step, mode, f"{field}__steps__{index}") for index, step in enumerate(action.steps)]
    if not steps:
        return TRUE
    return steps[0] if len(steps) == 1 else Some(tuple(steps))


def action_event_names(action: Action) -> frozenset[str] | None:
    """Name the events that an action can match; None when any might."""
    names = [step.event for step in action.steps]
    if not names or not all(names):
        return None
    return frozenset(name for name in names if name)


def event_name_leaf(names: Sequence[str], field: str) -> Leaf:
    """Make the leaf that holds for events of these names."""
    saw = f"this destination listens to {show_list(names)}"

    def tell(event: Event, _person: Person | None, _groups: Sequence[Group], _now: datetime) -> str:
        return f"the event is named {show(event.event)}, {saw}"

    if len(names) == 1:
        name = names[0]
        return Leaf(check=lambda event, _person, _groups, _now: event.event == name, tell=tell, field=field)
    known = frozenset(names)
    return Leaf(check=lambda event, _person, _groups, _now: event.event in known, tell=tell, field=field)


def _compile_step(step: ActionStep, mode: Mode, field: str) -> Node:
    parts: list[Node] = []
    if step.event:
        parts.append(event_name_leaf([step.event], f"{field}__event"))
    if step.event == AUTOCAPTURE:
        parts.extend(_element_parts(step, field))
    if step.url:
        find = _compile_text(step.url, step.url_matching or "contains", f"{field}__url", fold=False)
        parts.append(_url_leaf(find, step.url, f"{field}__url"))
    if step.properties.values:
        parts.append(compile_group(step.properties, mode, f"{field}__properties"))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _element_parts(step: ActionStep, field: str) -> list[Node]:
    """Compile what a step asks of the clicked elements."""
    parts: list[Node] = []
    if step.selector:
        found = find_selectors([read_selector(step.selector, f"{field}__selector")])
        parts.append(_chain_leaf(found, f"what was clicked is not {show(step.selector)}", f"{field}__selector"))
    if step.tag_name is not None:
        found = find_tags([step.tag_name])
        parts.append(_chain_leaf(found, f"what was clicked is no {show(step.tag_name)}", f"{field}__tag_name"))
    if step.href is not None:
        find = _compile_text(step.href, step.href_matching or "exact", f"{field}__href", fold=True)
        saw = f"the link that was clicked is not the one of this action, {show(step.href)}"
        parts.append(_chain_leaf(_on_href(find), saw, f"{field}__href"))
    if step.text is not None:
        find = _compile_text(step.text, step.text_matching or "exact", f"{field}__text", fold=True)
        saw = f"the text that was clicked is not the one of this action, {show(step.text)}"
        parts.append(_chain_leaf(_on_texts(find), saw, f"{field}__text"))
    return parts


def _on_href(find: Callable[[str], bool]) -> Callable[[Chain], bool]:
    return lambda chain: find(chain.href)


def _on_texts(find: Callable[[str], bool]) -> Callable[[Chain], bool]:
    return lambda chain: any(find(text) for text in chain.texts)


def _chain_leaf(found: Callable[[Chain], bool], saw: str, field: str) -> Leaf:
    return Leaf(
        check=lambda event, _person, _groups, _now: found(chain_of(event.properties)),
        tell=lambda _event, _person, _groups, _now: saw,
        field=field,
    )


def _url_leaf(find: Callable[[Any], bool], url: str, field: str) -> Leaf:
    def check(event: Event, _person: Person | None, _groups: Sequence[Group], _now: datetime) -> bool:
        value = event.properties.get("$current_url")
        return value is not None and find(value)

    def tell(event: Event, _person: Person | None, _groups: Sequence[Group], _now: datetime) -> str:
        value = event.properties.get("$current_url")
        seen = "has no page address" if value is None else f"comes from the page {show(value)}"
        return f"the event {seen}, this action asks for {show(url)}"

    return Leaf(check=check, tell=tell, field=field)


def _compile_text(wanted: str, matching: str, field: str, *, fold: bool) -> Callable[[Any], bool]:
    """
    Compile one of a step's texts, compared as `matching` says; `fold` makes contains blind to case.

    Contains is SQL's like, so `%` and `_` in it are wildcards.
    """
    if matching == "regex":
        find = compile_pattern(wanted, field)
        return lambda value: find(value if type(value) is str else "")
    if matching == "contains":
        pattern = f"%{wanted}%"
        try:
            like("", pattern, case_insensitive=fold)  # refuses what it could not search for later
        except HogError as error:
            raise Invalid("This text cannot be searched for.", field=field) from error
        return lambda value: like(value, pattern, case_insensitive=fold)
    if matching == "exact":
        return lambda value: hog_equals(value, wanted)
    raise Invalid(
        f"The matching {show(matching)} is not known.", field=f"{field}_matching", hint=f"Use {show_list(_MATCHINGS)}."
    )

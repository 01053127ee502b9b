"""
A filter laid out for those who reason about it: its conditions, what each is about, and how they are joined.

Deciding needs none of this. Here a condition knows the place that it reads, so that a sample event can be made with a
value at that place, and conditions on the same place be held against each other.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from smspipe.matching.actions import AUTOCAPTURE, compile_action
from smspipe.matching.conditions import compile_group, is_complete
from smspipe.matching.operators import OF_VALUES
from smspipe.matching.sentences import show
from smspipe.matching.tree import Check, fuse
from smspipe.model.clock import EPOCH
from smspipe.model.event import Event, Group
from smspipe.model.filter import Action, ActionStep, Filter, Mode, Property, PropertyGroup
from smspipe.model.ids import EventUuid, PersonId
from smspipe.model.person import Person

Place: TypeAlias = tuple[str | int, ...]
"""What a condition reads: `("event", "plan")`, `("person", "plan")`, `("group", 0, "plan")`, `("name",)` and so on."""
NAME: Final[Place] = ("name",)
Values: TypeAlias = Mapping[Place, Any]
"""What is at each place; a place that is not named, or None, is missing."""
_NO_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType({})
_STEP_PARTS_BESIDE: Final = ("url", "tag_name", "text", "href", "selector")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One condition."""

    field: str
    check: Callable[[Mode], Check]
    """Compiles it for a mode; raises `Invalid` where that mode refuses it."""
    place: Place | None = None
    """None for what is about no value that could be made up: an expression, a selector, the time."""
    subject: str = ""
    condition: Property | None = None
    """None for an event's name and for parts of an action's step."""
    names: frozenset[str] | None = None
    """The names that will do, where the condition is about the event's name alone."""
    unfinished: bool = False
    """Without a key or a value, among alternatives that have both."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions of which every one must hold, or any."""

    every: bool
    parts: "tuple[Laid, ...]"


Laid: TypeAlias = Asked | Joined


def lay_out(
    filter: Filter,  # noqa: A002 (the word everyone uses)
    *,
    actions: Mapping[str, Action] = _NO_ACTIONS,
    test_accounts: PropertyGroup | None = None,
    field: str = "filters",
) -> Joined:
    """Lay out a filter that `compile_filter` takes with the same arguments; places in it are named alike."""
    parts: list[Laid] = []
    if filter.filter_test_accounts and test_accounts is not None and test_accounts.values:
        parts.append(_lay_group(test_accounts, "test_account_filters"))
    if filter.properties.values:
        parts.append(_lay_group(filter.properties, f"{field}__properties"))
    entries: list[Laid] = []
    for index, event in enumerate(filter.events):
        place = f"{field}__events__{index}"
        named: list[Laid] = [] if event.id is None else [_lay_name(event.id, f"{place}__id")]
        entries.append(Joined(every=True, parts=(*named, _lay_group(event.properties, f"{place}__properties"))))
    for index, listed in enumerate(filter.actions):
        place = f"{field}__actions__{index}"
        action = _lay_action(actions[listed.id], place)
        entries.append(Joined(every=True, parts=(action, _lay_group(listed.properties, f"{place}__properties"))))
    if entries:
        parts.append(Joined(every=False, parts=tuple(entries)))
    return Joined(every=True, parts=tuple(parts))


def conditions_of(laid: Laid) -> list[Asked]:
    """List all conditions, in order."""
    return [laid] if isinstance(laid, Asked) else [asked for part in laid.parts for asked in conditions_of(part)]


def _lay_group(group: PropertyGroup, field: str) -> Laid:
    parts: list[Laid] = []
    complete = any(isinstance(value, PropertyGroup) or is_complete(value) for value in group.values)
    for index, value in enumerate(group.values):
        place = f"{field}__{index}"
        if isinstance(value, PropertyGroup):
            parts.append(_lay_group(value, f"{place}__values"))
        elif not is_complete(value):
            if group.type == "OR" and complete:
                parts.append(Asked(field=place, check=_unfinished, subject="an unfinished condition", unfinished=True))
        else:
            parts.append(_lay_condition(value, place))
    return Joined(every=group.type == "AND" or not parts, parts=tuple(parts))


def _unfinished(mode: Mode) -> Check:
    """Among alternatives PostHog takes it as true; the other mode passes over it, as if it could not hold."""
    return lambda _event, _person, _groups, _now: mode is Mode.POSTHOG


def _lay_condition(condition: Property, field: str) -> Laid:
    if condition.value == [] and condition.operator in OF_VALUES and condition.type != "hogql":
        return Joined(every=True, parts=())
    alone = PropertyGroup(values=(condition,))

    def check(mode: Mode) -> Check:
        # The group counts its conditions from 0, so the last part of the place is not this one's.
        return fuse(compile_group(alone, mode, field.rpartition("__")[0]), eager=False)

    place, subject = _place_of(condition)
    return Asked(field=field, check=check, place=place, subject=subject, condition=condition)


def _place_of(condition: Property) -> tuple[Place | None, str]:
    key, kind = condition.key or "", condition.type or "event"
    match kind:
        case "event" | "feature":
            if key == "$elements_chain":
                return ("chain",), "the chain of elements"
            return ("event", key), f"property {show(key)} of the event"
        case "person":
            if key == "distinct_id":
                return ("distinct_id",), "the distinct_id"
            return ("person", key), f"property {show(key)} of the person"
        case "group":
            index = condition.group_type_index or 0
            return ("group", index, key), f"property {show(key)} of the event's group {index}"
        case "event_metadata" if key in ("event", "distinct_id", "uuid"):
            return (NAME if key == "event" else (key,)), f"the event's {key}"
        case "event_metadata" if key.startswith("$group_"):
            return ("key", int(key[7:])), f"the event's {key}"
        case "element" if key in ("href", "text"):
            return (key,), "the link that was clicked" if key == "href" else "the text that was clicked"
    return None, f"a condition of type {kind}"


def _lay_name(name: str, field: str) -> Asked:
    check: Check = lambda event, _person, _groups, _now: event.event == name  # noqa: E731 (typed, and short)
    return Asked(field=field, check=lambda _: check, place=NAME, subject="the event's name", names=frozenset({name}))


def _lay_action(action: Action, field: str) -> Laid:
    steps = [_lay_step(step, action, f"{field}__steps__{index}") for index, step in enumerate(action.steps)]
    return Joined(every=not steps, parts=tuple(steps))


def _lay_step(step: ActionStep, action: Action, field: str) -> Laid:
    parts: list[Laid] = [_lay_name(step.event, f"{field}__event")] if step.event else []
    clicked = step.event == AUTOCAPTURE
    if any(getattr(step, part) is not None for part in _STEP_PARTS_BESIDE if clicked or part == "url"):
        rest = msgspec.structs.replace(action, steps=(msgspec.structs.replace(step, properties=PropertyGroup()),))
        parts.append(
            Asked(
                field=field,
                check=lambda mode: fuse(compile_action(rest, mode, field), eager=False),
                subject=f"the action {show(action.name)}",
            )
        )
    parts.append(_lay_group(step.properties, f"{field}__properties"))
    return Joined(every=True, parts=tuple(parts))


# ---- samples -----------------------------------------------------------------------------------------


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was made up, with its person and groups."""

    event: Event
    person: Person | None
    groups: tuple[Group, ...]

    def ask(self, check: Check, now: datetime = EPOCH) -> bool:
        """Ask a compiled condition about it."""
        return check(self.event, self.person, self.groups, now)


def make(values: Values) -> Made:
    """Make an event up that has these values at these places, and nothing else."""
    properties = {place[1]: value for place, value in values.items() if place[0] == "event" and value is not None}
    of_person = {place[1]: value for place, value in values.items() if place[0] == "person" and value is not None}
    of_groups: dict[int, dict[str, Any]] = {}
    for place, value in values.items():
        if place[0] == "group" and value is not None:
            of_groups.setdefault(int(place[1]), {})[str(place[2])] = value
    for place, key in values.items():
        if place[0] == "key" and key is not None:
            of_groups.setdefault(int(place[1]), {})
    chain = values.get(("chain",))
    if chain is None:
        clicked = {name: values.get((name,)) for name in ("href", "text")}
        chain = "a:" + "".join(f'{name}="{_escape(value)}"' for name, value in clicked.items() if value is not None)
    if chain != "a:":
        properties["$elements_chain"] = chain
    return Made(
        event=Event(
            uuid=EventUuid(_text(values.get(("uuid",)), "00000000-0000-7000-8000-000000000000")),
            event=_text(values.get(NAME), "an event"),
            distinct_id=_text(values.get(("distinct_id",)), "somebody"),
            timestamp=EPOCH,
            received_at=EPOCH,
            properties={str(key): value for key, value in properties.items()},
        ),
        person=Person(
            id=PersonId("somebody"), properties={str(key): value for key, value in of_person.items()}, created_at=EPOCH
        ),
        groups=tuple(
            Group(type=f"group {index}", key=_text(values.get(("key", index)), "some"), index=index, properties=own)
            for index, own in of_groups.items()
        ),
    )


def _escape(value: Any) -> str:
    return str(value).replace('"', '\\"')


def _text(value: Any, otherwise: str) -> str:
    """Give a text for what every event has; another value is no more possible there than none."""
    return value if isinstance(value, str) else otherwise

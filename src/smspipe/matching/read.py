"""
Reading filters and actions in PostHog's JSON shape.

Places in messages are named as in `filters__events__0__properties__1__operator`: keys and list indexes joined with two
underscores; the conditions of a group are counted as those of a list are, and a group within as `…__2__values__0`.
"""

from collections.abc import Mapping
from typing import Any, Final

from smspipe.matching.sentences import show
from smspipe.model.errors import Invalid
from smspipe.model.filter import (
    Action,
    ActionFilter,
    ActionStep,
    EventFilter,
    Filter,
    Mode,
    Property,
    PropertyGroup,
)

_DEEPEST: Final = 20
_MOST_CONDITIONS: Final = 1000
_STEP_TEXTS: Final = (
    "event", "url", "url_matching", "tag_name", "text", "text_matching", "href", "href_matching", "selector",
)  # fmt: skip


def read_filter(document: Any, *, mode: Mode, field: str = "filters") -> Filter:
    """
    Read a filter.

    Args:
        document: what JSON gives; None and {} are the filter that every event matches. Unknown keys (`bytecode`,
            `transpiled` and the like) are passed over.
        mode: how missing values are to compare.
        field: the filter's place in its document, for messages.

    Raises:
        Invalid: the shape is not a filter's; `field` says where, `hint` what would be right.
    """
    if document is None:
        document = {}
    filters = _mapping(document, field, "A filter")
    events: list[EventFilter] = []
    actions: list[ActionFilter] = []
    for kind in ("events", "actions"):
        for index, item in enumerate(_list(filters.get(kind), f"{field}__{kind}")):
            place = f"{field}__{kind}__{index}"
            entry = _mapping(item, place, "An entry")
            if (entry.get("type") or kind) == "actions":
                actions.append(_read_action_entry(entry, place))
            else:
                events.append(_read_event_entry(entry, place))
    return Filter(
        source=_text(filters.get("source"), f"{field}__source") or "events",
        events=tuple(events),
        actions=tuple(actions),
        properties=read_properties(filters.get("properties"), f"{field}__properties"),
        filter_test_accounts=_flag(filters.get("filter_test_accounts"), f"{field}__filter_test_accounts"),
        mode=mode,
    )


def read_properties(document: Any, field: str = "properties") -> PropertyGroup:
    """
    Read a list of property conditions, or a group `{"type": "AND" | "OR", "values": [...]}` of conditions and groups.

    Incomplete conditions are kept, and have no effect (see `compile_filter`). None and {} are a group without any.

    Raises:
        Invalid: the shape is none of these, nested more than 20 levels deep, or holds more than 1000 conditions.
    """
    if document is None or document == {}:
        return PropertyGroup()
    count = [0]
    if isinstance(document, dict):
        return _read_group(document, field, 0, count)
    return PropertyGroup(values=_read_values(document, field, 0, count))


def read_action(document: Any, *, field: str = "action") -> Action:
    """
    Read an action: `{"id": 7, "name": "Bought", "steps": [{"event": "order", "url": …, "properties": […]}]}`.

    Raises:
        Invalid: the shape is not an action's.
    """
    action = _mapping(document, field, "An action")
    steps = [
        _read_step(_mapping(step, f"{field}__steps__{index}", "A step"), f"{field}__steps__{index}")
        for index, step in enumerate(_list(action.get("steps"), f"{field}__steps"))
    ]
    return Action(
        id=_read_id(action.get("id"), f"{field}__id"),
        name=_text(action.get("name"), f"{field}__name") or "",
        steps=tuple(steps),
    )


def _read_step(step: Mapping[str, Any], field: str) -> ActionStep:
    texts = {name: _text(step.get(name), f"{field}__{name}") for name in _STEP_TEXTS}
    return ActionStep(**texts, properties=read_properties(step.get("properties"), f"{field}__properties"))


def _read_event_entry(entry: Mapping[str, Any], field: str) -> EventFilter:
    name = entry.get("id")
    if type(name) is int:
        name = str(name)
    return EventFilter(
        id=_text(name, f"{field}__id"),
        name=_text(entry.get("name"), f"{field}__name"),
        properties=read_properties(entry.get("properties"), f"{field}__properties"),
    )


def _read_action_entry(entry: Mapping[str, Any], field: str) -> ActionFilter:
    return ActionFilter(
        id=_read_id(entry.get("id"), f"{field}__id"),
        name=_text(entry.get("name"), f"{field}__name"),
        properties=read_properties(entry.get("properties"), f"{field}__properties"),
    )


def _read_id(value: Any, field: str) -> str:
    """Read an action's id: a whole number, or one written as text."""
    number = _whole(value)
    if number is None:
        raise Invalid("An action's id is a number.", field=field, hint='Write 7 or "7".')
    return str(number)


def _whole(value: Any) -> int | None:
    """Read a whole number, or text of one; None for anything else."""
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if type(value) is int else None


def _read_group(document: Mapping[str, Any], field: str, depth: int, count: list[int]) -> PropertyGroup:
    if "values" not in document:
        raise Invalid(
            "Properties are a list of conditions.",
            field=field,
            hint='Write [{"key": …}], or {"type": "AND", "values": […]}.',
        )
    kind = document.get("type", "AND")
    if kind not in ("AND", "OR"):
        raise Invalid(f"A group of unknown type {show(kind)}.", field=f"{field}__type", hint="Use AND or OR.")
    return PropertyGroup(type=kind, values=_read_values(document["values"], field, depth, count))


def _read_values(document: Any, field: str, depth: int, count: list[int]) -> tuple[Property | PropertyGroup, ...]:
    if depth > _DEEPEST:
        raise Invalid(f"These groups are nested more than {_DEEPEST} levels deep.", field=field)
    values: list[Property | PropertyGroup] = []
    for index, item in enumerate(_list(document, field)):
        place = f"{field}__{index}"
        condition = _mapping(item, place, "A condition")
        count[0] += 1
        if count[0] > _MOST_CONDITIONS:
            raise Invalid(f"A filter has at most {_MOST_CONDITIONS} conditions.", field=place)
        if "values" in condition:
            values.append(_read_group(condition, f"{place}__values", depth + 1, count))
        else:
            values.append(_read_property(condition, place))
    return tuple(values)


def _read_property(condition: Mapping[str, Any], field: str) -> Property:
    key = condition.get("key")
    index = condition.get("group_type_index")
    number = _whole(index)
    if index is not None and number is None:
        raise Invalid("A group type's index is a number.", field=f"{field}__group_type_index", hint="Use 0 to 4.")
    return Property(
        key=str(key) if type(key) is int else _text(key, f"{field}__key"),
        value=condition.get("value"),
        operator=_text(condition.get("operator"), f"{field}__operator"),
        type=_text(condition.get("type"), f"{field}__type"),
        group_type_index=number,
        negation=_flag(condition.get("negation"), f"{field}__negation"),
    )


# ---- shapes ------------------------------------------------------------------------------------------


def _mapping(value: Any, field: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(f"{what} must be an object.", field=field, hint="Write {…}.")
    return value


def _list(value: Any, field: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Invalid("This must be a list.", field=field, hint="Write […].")
    return value


def _text(value: Any, field: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Invalid("This must be text.", field=field, hint='Write "…", or leave it out.')
    return value


def _flag(value: Any, field: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise Invalid("This must be true or false.", field=field)
    return bool(value)

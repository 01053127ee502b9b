"""A destination's filter as PostHog writes it; `matching` compiles it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from smspipe.model.limits import Budget


class Mode(StrEnum):
    """How missing values compare: exactly as PostHog does, quirks included, or as a person would expect."""

    POSTHOG = "posthog"
    SANE = "sane"


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """
    One condition on one property. `operator` and `type` are kept as text: unknown ones are refused when compiled.

    `type` says where the value is read: `event` (the default), `person`, `group`, `element`, `event_metadata`, `hogql`
    """

    key: str | None = None
    value: Any = None
    operator: str | None = None
    type: str | None = None
    group_type_index: int | None = None
    negation: bool = False


class PropertyGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions joined by `AND` or `OR`; groups may hold groups."""

    type: str = "AND"
    values: "tuple[Property | PropertyGroup, ...]" = ()


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one name (`id` None: any) that also meet `properties`."""

    id: str | None = None
    name: str | None = None
    properties: PropertyGroup = PropertyGroup()


class ActionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Events that action `id` (a number, written as text) matches and that also meet `properties`."""

    id: str
    name: str | None = None
    properties: PropertyGroup = PropertyGroup()


class ActionStep(msgspec.Struct, frozen=True, kw_only=True):
    """One of an action's alternatives: all of the given parts must hold."""

    event: str | None = None
    properties: PropertyGroup = PropertyGroup()
    url: str | None = None
    url_matching: str | None = None
    tag_name: str | None = None
    text: str | None = None
    text_matching: str | None = None
    href: str | None = None
    href_matching: str | None = None
    selector: str | None = None


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of alternatives; one without steps matches everything, as in PostHog."""

    id: str
    name: str
    steps: tuple[ActionStep, ...] = ()


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """test accounts AND every property AND (any of the events or actions, when there are some)."""

    source: str = "events"
    events: tuple[EventFilter, ...] = ()
    actions: tuple[ActionFilter, ...] = ()
    properties: PropertyGroup = PropertyGroup()
    filter_test_accounts: bool = False
    mode: Mode = Mode.SANE


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What the filters of a project refer to, and change with: its actions, and whom it counts as its own people."""

    actions: Mapping[str, Action] = {}
    """By id, as text."""
    test_accounts: PropertyGroup = PropertyGroup()
    """Conditions that the project's own people do not meet, for filters that leave these out."""
    budget: Budget | None = None
    """What all destinations may spend together; no filter refers to it."""

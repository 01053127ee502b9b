"""
A destination's filter, compiled once, asked for every event.

    match = not a test account  AND  every property  AND  (any of the events and actions, when there are some)

An entry of events or actions holds when its name or action does, and all of its own properties.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

import msgspec

from smspipe.hog import HogError
from smspipe.matching.actions import action_event_names, compile_action, event_name_leaf
from smspipe.matching.conditions import compile_group
from smspipe.matching.sentences import join_reasons, mask_phones, show, show_list
from smspipe.matching.tree import TRUE, All, Check, Leaf, Mismatch, Node, Some, explain, fuse
from smspipe.model.errors import Fault, Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Action, ActionFilter, Filter, Mode, PropertyGroup
from smspipe.model.person import Person

_NO_ACTIONS: Final[Mapping[str, Action]] = MappingProxyType({})


class FilterError(Fault):
    """A filter failed while it was evaluated: the event counts as no match, and the sentence says why."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of events or actions: `names` are the only event names it can match, None for any."""

    node: Node
    field: str
    names: frozenset[str] | None
    action: str | None = None
    beyond: Node | None = None
    """What an event of these names must still meet; None where the names cannot be taken out."""


class Matcher:
    """A compiled filter. It keeps nothing between events, so any number of threads may ask it."""

    __slots__ = ("_actions", "_check", "_entries", "_field", "_rest", "event_names")

    event_names: frozenset[str] | None
    """The names of the only events that can match; None when every event must be looked at."""

    def __init__(self, entries: Sequence[_Entry], rest: Sequence[Node], mode: Mode, field: str) -> None:
        """Join what `compile_filter` compiled; `rest` are the conditions beside the entries."""
        eager = mode is Mode.POSTHOG
        self._entries = tuple(entries)
        self._rest = tuple(rest)
        self._field = field
        self._check: Check = fuse(_join(_join_entries(entries), rest), eager=eager)
        self._actions = tuple((entry.action, fuse(entry.node, eager=eager)) for entry in entries if entry.action)
        names = [entry.names for entry in entries]
        self.event_names = (
            None if not names or None in names else frozenset[str]().union(*(each for each in names if each))
        )

    def matches(self, event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> bool:
        """
        Tell whether an event matches.

        Args:
            event: the event.
            person: whose event it is; None reads every person property as missing.
            groups: the groups it belongs to.
            now: what relative dates and `now()` in expressions count from.

        Raises:
            FilterError: an expression in the filter failed on this event.
        """
        # Most events have another name, and an expression meant for this one might fail with them.
        if self.event_names is not None and event.event not in self.event_names:
            return False
        try:
            return self._check(event, person, groups, now)
        except (HogError, RecursionError) as error:
            raise _translated(error) from error

    def explain(self, event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> Mismatch | None:
        """
        Say which condition an event does not meet, and what was seen there; None when it matches.

        It agrees with `matches` always, and is slower. Values that look like phone numbers are masked.

        Raises:
            FilterError: when and as `matches` does.
        """
        if self.matches(event, person, groups, now):
            return None
        try:
            if mismatch := self._explain_entries(event, person, groups, now):
                return mismatch
            return explain(All(self._rest), event, person, groups, now)
        except (HogError, RecursionError) as error:
            raise _translated(error) from error

    def actions_matched(
        self, event: Event, person: Person | None, groups: Sequence[Group], now: datetime
    ) -> tuple[str, ...]:
        """
        Name the filter's actions that an event meets, each with its own properties, in the filter's order.

        It looks at the actions only: ask it about events that match.

        Raises:
            FilterError: an expression in an action failed on this event.
        """
        try:
            met = [action for action, check in self._actions if check(event, person, groups, now)]
        except (HogError, RecursionError) as error:
            raise _translated(error) from error
        return tuple(dict.fromkeys(met))

    def _explain_entries(
        self, event: Event, person: Person | None, groups: Sequence[Group], now: datetime
    ) -> Mismatch | None:
        """Explain by the entries for this event's name; without such, by the names that are listened to."""
        named = [entry for entry in self._entries if entry.names is None or event.event in entry.names]
        if not named:
            if not self._entries:
                return None
            names = sorted(self.event_names or ())
            saw = f"the event is named {show(event.event)}, this destination listens to {show_list(names)}"
            return Mismatch(field=f"{self._field}__events", saw=saw)
        found: list[Mismatch] = []
        for entry in named:
            mismatch = explain(entry.node, event, person, groups, now)
            if mismatch is None:
                return None
            found.append(mismatch)
        return (
            found[0] if len(found) == 1 else Mismatch(field=self._field, saw=join_reasons(each.saw for each in found))
        )


def compile_filter(
    filter: Filter,  # noqa: A002 (the word everyone uses)
    *,
    actions: Mapping[str, Action] = _NO_ACTIONS,
    test_accounts: PropertyGroup | None = None,
    field: str = "filters",
) -> Matcher:
    """
    Compile a filter.

    Args:
        filter: as `read_filter` read it.
        actions: the project's actions by id.
        test_accounts: the conditions that leave out the project's own people, for filters that ask for that.
        field: the filter's place in its document, for messages.

    Raises:
        Invalid: an operator is unknown or its value none for it, a pattern is not RE2, an expression does not
            compile, an action does not exist, or a condition cannot be evaluated when an event arrives. `field` says
            which: `filters__events__0__properties__1__operator`.
    """
    if filter.source != "events":
        raise Invalid(
            f"Filters on {show(filter.source)} are not possible here.",
            field=f"{field}__source",
            hint="Leave the source out, or use events.",
        )
    mode = filter.mode
    entries = [
        _compile_event_entry(entry.id, entry.properties, mode, f"{field}__events__{index}")
        for index, entry in enumerate(filter.events)
    ]
    entries += [
        _compile_action_entry(entry, actions, mode, f"{field}__actions__{index}")
        for index, entry in enumerate(filter.actions)
    ]
    rest: list[Node] = []
    if filter.filter_test_accounts and test_accounts is not None and test_accounts.values:
        rest.append(compile_group(test_accounts, mode, "test_account_filters", test_accounts=True))
    if filter.properties.values:
        rest.append(compile_group(filter.properties, mode, f"{field}__properties"))
    if len(entries) + len(rest) == 1:
        entries = [msgspec.structs.replace(entry, node=_stand_alone(entry.node)) for entry in entries]
        rest = [_stand_alone(node) for node in rest]
    return Matcher(entries, rest, mode, field)


def _compile_event_entry(name: str | None, properties: PropertyGroup, mode: Mode, field: str) -> _Entry:
    if name is None:
        return _Entry(node=_with_properties(TRUE, properties, mode, field), field=field, names=None)
    leaf = event_name_leaf([name], f"{field}__id")
    beyond = compile_group(properties, mode, f"{field}__properties") if properties.values else TRUE
    node = All((leaf, beyond)) if properties.values else leaf
    return _Entry(node=node, field=field, names=frozenset({name}), beyond=beyond)


def _compile_action_entry(listed: ActionFilter, actions: Mapping[str, Action], mode: Mode, field: str) -> _Entry:
    action = actions.get(listed.id)
    if action is None:
        raise Invalid(
            f"Action ID {show(listed.id)} does not exist!", field=field, hint="It was deleted: choose another."
        )
    node = _with_properties(compile_action(action, mode, field), listed.properties, mode, field)
    return _Entry(node=node, field=field, names=action_event_names(action), action=listed.id)


def _with_properties(node: Node, properties: PropertyGroup, mode: Mode, field: str) -> Node:
    if not properties.values:
        return node
    return All((node, compile_group(properties, mode, f"{field}__properties")))


def _stand_alone(node: Node) -> Node:
    """Give the only condition of a filter the check that it has when alone."""
    if isinstance(node, Leaf) and node.alone is not None:
        return msgspec.structs.replace(node, check=node.alone)
    return node


def _join_entries(entries: Sequence[_Entry]) -> Node | None:
    """Join entries with or. Those that ask only for a name are settled by `event_names`, as is a lone one's name."""
    if not entries or all(entry.beyond is TRUE for entry in entries):
        return None
    if len(entries) == 1:
        return entries[0].node if entries[0].beyond is None else entries[0].beyond
    return Some(tuple(entry.node for entry in entries))


def _join(entries: Node | None, rest: Sequence[Node]) -> Node:
    """Join all with and, the entries first; a single condition stands alone."""
    parts = [*([entries] if entries is not None else []), *rest]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _translated(error: HogError | RecursionError) -> FilterError:
    """Word a fault; what an expression names in its message may be a person's number."""
    reason = mask_phones(str(error)) if isinstance(error, HogError) else "A value is nested too deeply."
    return FilterError(f"The filter could not be evaluated: {reason}")

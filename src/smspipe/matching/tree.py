"""
A compiled filter as a tree: conditions at its leaves, all or some of which must hold.

The tree is kept for explanations; for speed it is fused once into a single function. Both ask the same leaves in the
same order, so they cannot disagree.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from smspipe.matching.sentences import join_reasons
from smspipe.model.event import Event, Group
from smspipe.model.person import Person

Check: TypeAlias = Callable[[Event, Person | None, Sequence[Group], datetime], bool]
Tell: TypeAlias = Callable[[Event, Person | None, Sequence[Group], datetime], str]


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """Why an event does not match: the place in the filter, and a sentence on what was seen there."""

    field: str
    """`filters__properties__0`; see `read_filter` for how places are named."""
    saw: str


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """One condition. `tell` says, once it does not hold, what was seen."""

    check: Check
    tell: Tell
    field: str
    fallible: bool = False
    """Runs an expression that may fail."""
    alone: Check | None = None
    """The check when nothing else is in the filter, where that differs."""


class All(msgspec.Struct, frozen=True):
    """Holds when every part does; without parts it always holds."""

    parts: "tuple[Node, ...]" = ()


class Some(msgspec.Struct, frozen=True):
    """Holds when any part does."""

    parts: "tuple[Node, ...]"


Node: TypeAlias = Leaf | All | Some
TRUE = All()


def is_fallible(node: Node) -> bool:
    """Tell whether asking this part of the tree may fail."""
    if isinstance(node, Leaf):
        return node.fallible
    return any(is_fallible(part) for part in node.parts)


def fuse(node: Node, *, eager: bool) -> Check:
    """
    Make one function of the tree.

    Args:
        node: the root, or a part.
        eager: ask every part of an all or some in which one may fail, as Hog does, whose `and` and `or` evaluate both
            sides: a fault then shows even where another part already decides. Without it the first answer decides.
    """
    if isinstance(node, Leaf):
        return node.check
    parts = _flatten(node)
    checks = tuple(fuse(part, eager=eager) for part in parts)
    decides = isinstance(node, Some)
    if eager and is_fallible(node):
        decide = any if decides else all
        return lambda event, person, groups, now: decide([check(event, person, groups, now) for check in checks])
    return _fuse_some(checks) if decides else _fuse_all(checks)


def _flatten(node: All | Some) -> list[Node]:
    """Take parts of the same kind into their parent, which saves calls."""
    parts: list[Node] = []
    for part in node.parts:
        parts.extend(_flatten(part) if isinstance(part, All | Some) and type(part) is type(node) else [part])
    return parts


def _fuse_all(checks: tuple[Check, ...]) -> Check:
    """Join with and. The short cases are written out: a loop would cost a third of the whole."""
    if not checks:
        return lambda _event, _person, _groups, _now: True
    if len(checks) == 1:
        return checks[0]
    first, second, *rest = checks
    if not rest:
        return lambda e, p, g, n: first(e, p, g, n) and second(e, p, g, n)
    third = rest[0]
    if len(rest) == 1:
        return lambda e, p, g, n: first(e, p, g, n) and second(e, p, g, n) and third(e, p, g, n)
    others = _fuse_all(tuple(rest[1:]))
    return lambda e, p, g, n: first(e, p, g, n) and second(e, p, g, n) and third(e, p, g, n) and others(e, p, g, n)


def _fuse_some(checks: tuple[Check, ...]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def some(event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> bool:
        for check in checks:  # noqa: SIM110 (any() would make a generator for each event)
            if check(event, person, groups, now):
                return True
        return False

    return some


def explain(node: Node, event: Event, person: Person | None, groups: Sequence[Group], now: datetime) -> Mismatch | None:
    """Find the first condition that does not hold; of alternatives, tell of each. None when all is well."""
    if isinstance(node, Leaf):
        if node.check(event, person, groups, now):
            return None
        return Mismatch(field=node.field, saw=node.tell(event, person, groups, now))
    found: list[Mismatch] = []
    for part in node.parts:
        mismatch = explain(part, event, person, groups, now)
        if isinstance(node, All):
            if mismatch is not None:
                return mismatch
        elif mismatch is None:
            return None
        else:
            found.append(mismatch)
    if isinstance(node, All):
        return None
    return found[0] if len(found) == 1 else Mismatch(field=_common(found), saw=join_reasons(each.saw for each in found))


def _common(found: Sequence[Mismatch]) -> str:
    """Name the place that holds all of those found."""
    paths = [each.field.split("__") for each in found]
    shared = 0
    while all(len(path) > shared and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    return "__".join(paths[0][:shared])

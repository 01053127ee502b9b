"""The leaf that asks one question about one value, and the sentence that it tells."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from smspipe.matching.operators import Test
from smspipe.matching.sentences import show
from smspipe.matching.tree import Check, Leaf
from smspipe.model.event import Event, Group
from smspipe.model.filter import Property
from smspipe.model.person import Person

Read: TypeAlias = Callable[[Event, Person | None, Sequence[Group]], Any]
"""Reads the value that a condition is about; None when it is missing."""


def value_leaf(
    read: Read, subject: str, test: Test, condition: Property, field: str, *, check: Check | None = None
) -> Leaf:
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

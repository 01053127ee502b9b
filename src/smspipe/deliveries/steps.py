"""
A decision's steps as they lie in the ledger: short, since every match leaves some ten of them.

A step that passed and has nothing to say is its name, one with a sentence is a pair, and only a refusal, or a step with
data, is written out as an object.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from smspipe.model.outcome import Step

_encode = msgspec.json.Encoder().encode


def pack(steps: Iterable[Step]) -> str:
    """Write steps for the ledger."""
    return _encode([_short(step) for step in steps]).decode()


def _short(step: Step) -> Any:
    if not step.ok or step.reason is not None or step.data is not None:
        return step
    return (step.name, step.saw) if step.saw else step.name


def unpack(stored: Iterable[Any] | None) -> tuple[Step, ...]:
    """Read steps as the ledger has them, decoded from JSON; written out whole, they are read as well."""
    return tuple([_step(each) for each in stored or ()])


def _step(stored: Any) -> Step:
    match stored:
        case str(name):
            return Step(name=name, ok=True)
        case [name, saw]:
            return Step(name=name, ok=True, saw=saw)
        case _:
            return msgspec.convert(stored, Step)

"""What a function of the library is, and the register of all of them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

Implementation = Callable[..., Any]
Registered = TypeVar("Registered", bound=Implementation)


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """
    One function: `run` takes the run and the arguments, of which there are `least` to `most`; None is any number.

    Arguments left out are simply not passed, so an implementation gives them defaults.
    """

    name: str
    run: Implementation
    least: int
    most: int | None


FUNCTIONS: Final[dict[str, Function]] = {}
"""Filled by the modules of this package as they are imported."""


def hog(name: str, least: int, most: int | None) -> Callable[[Registered], Registered]:
    """Register a function under its Hog name with the arguments it takes; several names may share one."""

    def register(run: Registered) -> Registered:
        FUNCTIONS[name] = Function(name=name, run=run, least=least, most=most)
        return run

    return register

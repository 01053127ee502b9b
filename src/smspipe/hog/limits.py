"""
What one run of a template may use. Templates are written by users, so work and memory are counted, not trusted.

Counting, not a clock, keeps a run a function of its arguments: what fails once always fails.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from smspipe.hog.values import Closure, HogError, memory_error

MAX_WORK: Final = 1_000_000
"""Steps of a run: a call costs 10, an item handled 1, text one per 64 characters. About half a second of Python."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes made in a run, freed ones included: PostHog's limit, counted its way (8 a value, 1 a character)."""
MAX_CALLS: Final = 100
"""Lambdas within lambdas; PostHog allows 1000, which Python's own stack does not."""
MAX_ARGUMENTS: Final = 300
CALL_COST: Final = 10
CHARACTERS_A_STEP: Final = 64
PRINT_COST: Final = 24
"""Times that a printed character costs more than a copied one."""


class Run:
    """One run: the instant it takes for now, its globals, and what it has used."""

    __slots__ = ("bytes_made", "calls", "drawn", "globals", "now", "work_done")

    def __init__(self, globals_: Mapping[str, Any], now: datetime) -> None:
        self.globals = globals_
        self.now = now
        self.work_done = 0
        self.bytes_made = 0
        self.calls = 0
        self.drawn = 0
        """How many pseudo-random values were drawn."""

    def work(self, steps: int) -> None:
        """
        Count steps before they are done.

        Raises:
            HogError: the run has done too much.
        """
        self.work_done += steps
        if self.work_done > MAX_WORK:
            raise HogError(f"Execution took too many steps. {MAX_WORK} are allowed; a list or a text is too long.")

    def allocate(self, size: int) -> None:
        """
        Count bytes before they are made.

        Raises:
            HogError: the run has made too much.
        """
        self.bytes_made += size
        if self.bytes_made > MAX_BYTES:
            raise memory_error(MAX_BYTES, self.bytes_made)
        self.work(size // CHARACTERS_A_STEP)

    def printed(self, text: str) -> str:
        """Count a text that was printed from a value of unknown size, which takes longer than copying it."""
        self.allocate(PRINT_COST * len(text) + 8)
        return text

    def made(self, text: str) -> str:
        """Count a text that was made from counted ones, and hand it on."""
        self.allocate(len(text) + 8)
        return text

    def call(self, function: Any, *arguments: Any) -> Any:
        """
        Call a Hog function by value.

        Raises:
            HogError: it is no function, has too many or too few arguments, or fails.
        """
        if type(function) is not Closure:
            raise HogError("Cannot call a value that is not a function.")
        count = len(arguments)
        if count < function.least and function.name != "lambda":
            raise HogError(f"Function {function.name} requires at least {function.least} arguments")
        if function.most is not None and count > function.most:
            if function.name == "lambda":
                raise HogError(f"Too many arguments. Passed {count}, expected {function.most}")
            raise HogError(f"Function {function.name} requires at most {function.most} arguments")
        if self.calls >= MAX_CALLS:
            raise HogError(f"Call stack exceeded maximum length of {MAX_CALLS}")
        self.work(CALL_COST)
        self.calls += 1
        try:
            # A lambda called with fewer arguments finds null in the rest.
            return function.run(self, *arguments, *((None,) * (function.least - count)))
        finally:
            self.calls -= 1

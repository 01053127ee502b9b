"""
One run of a Liquid template: its variables, and what it may still spend.

No clock stops a template, because a decider has none. A run has a number of steps (nodes, lookups, filters, items) and
a number of units (characters and items that filters work on, counted as LiquidJS counts them) to spend instead.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from smspipe.model.errors import Fault
from smspipe.rendering.liquid_values import UNDEFINED, Drop, is_list, is_number, js_text, to_value, units

MAX_STEPS: Final = 200_000
"""What one run may spend: a second, or two on a busy machine, and far more than a text message needs."""
MAX_UNITS: Final = 4 * 1024 * 1024
"""PostHog's own limit."""
MAX_OUTPUT: Final = 1_000_000
"""Characters that one run may write, into the text and into its variables."""
MAX_ITEMS: Final = 10_000
"""Items of a list that a template makes or goes through."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")

Evaluate = Callable[["Run"], Any]
Render = Callable[["Run", list[str]], None]


class LiquidFault(Fault):
    """A template failed while it ran; `str()` of it is one sentence that holds no data of the event."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.position: int | None = None
        """Where in the template; None as long as nobody has said."""


class Run:
    """One run. `compile_path` and `compile_value` read what some filters take as text."""

    __slots__ = (
        "_output", "_steps", "_units", "compile_path", "compile_value", "draws", "environment", "now", "registers",
        "scopes", "skipping", "stopped",
    )  # fmt: skip

    def __init__(
        self,
        environment: Mapping[str, Any],
        now: datetime,
        compile_path: Callable[[str], Evaluate],
        compile_value: Callable[[str], Evaluate],
    ) -> None:
        self.environment: Any = {**environment, "now": now}
        self.now = now
        self.scopes: list[dict[str, Any]] = [{}]
        self.registers: dict[Any, Any] = {}
        self.stopped = False
        """A `break` or `continue` is on its way out."""
        self.skipping = False
        """It is a `break`."""
        self.draws = 0
        self.compile_path = compile_path
        self.compile_value = compile_value
        self._steps = MAX_STEPS
        self._units: float = MAX_UNITS
        self._output = MAX_OUTPUT

    def step(self, count: int) -> None:
        """Pay for so many steps."""
        self._steps -= count
        if self._steps < 0:
            raise LiquidFault("The Liquid template took too long to render; reduce its loops and try again.")

    def use(self, count: float) -> None:
        """Pay for so many characters or items."""
        if count > 0:
            self._units -= count
            if self._units < 0:
                raise LiquidFault("The Liquid template made values that are too large; reduce them and try again.")

    def write(self, out: list[str], text: str) -> None:
        """Write into the text."""
        self._output -= len(text)
        if self._output < 0:
            raise LiquidFault(f"The Liquid template made a text of more than {MAX_OUTPUT} characters.")
        out.append(text)

    def checked_list(self, items: Any) -> Any:
        """Hand on a list that is to be gone through; refuse one that is too long."""
        if len(items) > MAX_ITEMS:
            raise LiquidFault(f"The Liquid template goes through a list of more than {MAX_ITEMS} items.")
        self.step(1 + len(items) // 4)
        return items

    def stop(self, *, skipping: bool) -> None:
        """Begin to leave the loop's block, with `skipping` the loop as well."""
        self.stopped = True
        self.skipping = self.skipping or skipping

    def go_on(self) -> None:
        """End the leaving."""
        self.stopped = self.skipping = False

    @contextmanager
    def inside(self, item: Any) -> Iterator[None]:
        """Let names mean the properties of an item, and nothing else, for a while."""
        before = self.environment, self.scopes
        self.environment, self.scopes = item, [{}]
        try:
            yield
        finally:
            self.environment, self.scopes = before

    def look_up(self, key: Any) -> Any:
        """Find a variable by its name."""
        self.step(1)
        key = to_value(key)
        name = key if type(key) is str else js_text(key, self)
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if type(self.environment) is dict:
            found = self.environment.get(name, UNDEFINED)
        else:
            found = self.get(self.environment, key) if _has(self.environment, name) else UNDEFINED
        # LiquidJS looks last among the globals, an empty object, which has a size.
        return 0 if found is UNDEFINED and name == "size" else found

    def get(self, value: Any, key: Any) -> Any:
        """Look up a property: of JSON's own kinds alone, so that nothing of Python is in reach."""
        self.step(1)
        if value is None or value is UNDEFINED:
            return value
        key = to_value(key)
        if is_list(value):
            return self._item(value, key)
        name = key if type(key) is str else js_text(key, self)
        if isinstance(value, Mapping):
            found = value.get(name, UNDEFINED)
            return len(value) if found is UNDEFINED and name == "size" else found
        if isinstance(value, str):
            if name in ("length", "size"):
                return units(value, self)
            return value[int(name)] if _INDEX.fullmatch(name) and int(name) < len(value) else UNDEFINED
        if isinstance(value, Drop):
            return value.get(name)
        return 0 if isinstance(value, datetime) and name == "size" else UNDEFINED

    def _item(self, value: Any, key: Any) -> Any:
        if is_number(key):
            if key != key or key in (float("inf"), float("-inf")) or key != int(key):
                return UNDEFINED
            index = int(key) + (len(value) if key < 0 else 0)
            return value[index] if 0 <= index < len(value) else UNDEFINED
        name = key if type(key) is str else js_text(key, self)
        if name in ("length", "size"):
            return len(value)
        if name in ("first", "last"):
            return (value[0] if name == "first" else value[-1]) if value else UNDEFINED
        return value[int(name)] if _INDEX.fullmatch(name) and int(name) < len(value) else UNDEFINED


def _has(value: Any, name: str) -> bool:
    if isinstance(value, Mapping):
        return name in value
    if isinstance(value, str) or is_list(value):
        return name == "length" or bool(_INDEX.fullmatch(name) and int(name) < len(value))
    return isinstance(value, Drop) and value.get(name) is not UNDEFINED

"""
Liquid as PostHog's engine, LiquidJS, understands it, made into Python functions once and bounded.

    liquid_scan     the source cut into text, outputs and tags
    liquid_reader   expressions, and filters put behind them
    liquid_tags     tags and blocks
    liquid_filters  the table of filters, with liquid_texts, liquid_lists and liquid_dates
    liquid_run      one run: its variables and its limits
    liquid_values   what values are, JavaScript's way

It is no library's Liquid, because PostHog's users wrote theirs for LiquidJS: numbers are doubles, `{{ a b }}` is `a`,
an unknown filter changes nothing. The texts are the same as LiquidJS's, but for the differences that
docs/reference/templates.md names.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from smspipe.model.errors import Invalid
from smspipe.rendering.liquid_reader import Mistake, Notes, compile_path, compile_value
from smspipe.rendering.liquid_run import LiquidFault, Render, Run
from smspipe.rendering.liquid_tags import parse_template

__all__ = ["MAX_SOURCE_BYTES", "LiquidFault", "Template", "parse", "render"]

MAX_SOURCE_BYTES: Final = 100_000
"""PostHog's own limit for the templates of a function."""

_LONGEST_SHOWN_LINE: Final = 80
_OPENING = re.compile(r"\{[{%]")
_CLOSING: Final = {"{{": "}}", "{%": "%}"}
# Editors escape quotes and comparisons inside of tags; PostHog undoes it before it parses, and so do we.
_ENTITY = re.compile("&(?:lt|gt|quot|#x27|amp);")
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&amp;": "&"}
# What Python itself may raise for values that nobody thought of.
_RAISED: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Template:
    """
    A parsed template.

    `names` are the globals that it reads, None where it computes a name as it runs; `unknown_filters` those that it
    names and nobody knows, with their places in the source: they change nothing, which is seldom what was meant.
    """

    __slots__ = ("_place", "_render", "names", "unknown_filters")

    def __init__(self, render: Render, notes: Notes, place: Callable[[int], tuple[int, int, int]]) -> None:
        self._render = render
        self._place = place
        self.names = None if notes.computed else frozenset(notes.names)
        self.unknown_filters = {name: place(position)[0] for name, position in notes.unknown.items()}

    def render(self, globals: Mapping[str, Any], now: datetime) -> str:  # noqa: A002 (the field's word)
        """Run; LiquidFault where that fails."""
        run = Run(globals, now, compile_path, compile_value)
        out: list[str] = []
        try:
            self._render(run, out)
        except LiquidFault as fault:
            raise LiquidFault(self._sentence(str(fault), fault.position)) from fault
        except Mistake as mistake:
            raise LiquidFault("An expression that a Liquid filter got as text has a mistake.") from mistake
        except _RAISED as error:
            raise LiquidFault("The Liquid template failed.") from error
        return "".join(out)

    def _sentence(self, message: str, position: int | None) -> str:
        if position is None:
            return f"{message.rstrip('.')}."
        _, line, column = self._place(position)
        return f"{message.rstrip('.')} (line {line}, column {column})."


def parse(source: str, *, escape: bool = False) -> Template:
    """
    Parse a template; with `escape` it writes what it prints as a web page does, unless told `raw`.

    Raises:
        Invalid: it is no Liquid, or longer than 100 KB; `position` is the offset in `source`, and the message ends
            with the line and a caret below the place.
    """
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise Invalid(f"The template is longer than {MAX_SOURCE_BYTES} bytes.", position=0)
    decoded, position_in_source = _decode_entities(source)
    notes = Notes()
    try:
        render_template = parse_template(decoded, notes, escaping=escape)
    except Mistake as mistake:
        raise _invalid(source, str(mistake), position_in_source(mistake.position), mistake.hint) from mistake
    except RecursionError as error:
        raise _invalid(source, "It is nested too deeply", 0, None) from error

    def place(position: int) -> tuple[int, int, int]:
        there = position_in_source(position)
        return (there, *_line_and_column(source, there))

    return Template(render_template, notes, place)


def render(template: Template, globals: Mapping[str, Any], now: datetime) -> str:  # noqa: A002 (the field's word)
    """
    Run a template; `now` is there as a global.

    Raises:
        LiquidFault: a filter got what it cannot work with, or the run would take too long or grow too large.
    """
    return template.render(globals, now)


def _invalid(source: str, message: str, position: int, hint: str | None) -> Invalid:
    line, column = _line_and_column(source, position)
    begin = position - column + 1
    text = source[begin:].split("\n", 1)[0]
    # Of a long line, what is around the place.
    cut = max(0, column - 1 - _LONGEST_SHOWN_LINE // 2)
    shown = "".join(" " if character.isspace() else character for character in text[cut : cut + _LONGEST_SHOWN_LINE])
    return Invalid(
        f"The Liquid template has a mistake in line {line}, column {column}: {message}.\n"
        f"    {shown.rstrip()}\n    {' ' * (column - 1 - cut)}^",
        position=position,
        hint=hint,
    )


def _line_and_column(source: str, position: int) -> tuple[int, int]:
    before = source[:position]
    return before.count("\n") + 1, position - before.rfind("\n")


def _decode_entities(source: str) -> tuple[str, Callable[[int], int]]:
    """Decode HTML entities inside of tags; also give the way back from a place in the answer to one in `source`."""
    shifts: list[tuple[int, int]] = []
    lost = 0

    def decode(entity: re.Match[str], offset: int) -> str:
        nonlocal lost
        lost += len(entity[0]) - 1
        shifts.append((offset + entity.end() - lost, lost))
        return _ENTITIES[entity[0]]

    def back(position: int) -> int:
        return position + max((shift for start, shift in shifts if start <= position), default=0)

    if "&" not in source:
        return source, back
    parts: list[str] = []
    position = 0
    for start, end in _tags(source):
        parts.append(source[position:start])
        parts.append(_ENTITY.sub(lambda entity, at=start: decode(entity, at), source[start:end]))  # type: ignore[misc]  # the default is for the loop
        position = end
    return "".join(parts) + source[position:], back


def _tags(source: str) -> Iterator[tuple[int, int]]:
    """Find what looks like outputs and tags; where a sign is not closed, no later one of its kind is either."""
    closing = dict(_CLOSING)
    position = 0
    while closing and (opening := _OPENING.search(source, position)):
        position = opening.start() + 1
        if opening[0] in closing:
            end = source.find(closing[opening[0]], opening.end())
            if end < 0:
                del closing[opening[0]]
            else:
                position = end + 2
                yield opening.start(), position

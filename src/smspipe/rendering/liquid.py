"""
Liquid as PostHog's templates are written in it, without the HTML escaping that PostHog does to texts.

python-liquid does the parsing and most of the work. What differs from LiquidJS, which PostHog uses, is put right in
`liquid_filters`: how values print, division, dates, unknown filters. And nothing in a template may take long or grow
large: what it looks up, filters and loops over is counted, and so is the size of every value.

Missing values print as nothing. `include`, `render` and `layout` have nothing to load and are refused.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, TextIO

from liquid import BoundTemplate, Environment, RenderContext, Token
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import LiquidError, LoopIterationLimitError, OutputStreamLimitError

from smspipe.model.errors import Fault, Invalid
from smspipe.rendering.liquid_filters import FILTERS, FilterFault, guarded, print_value

MAX_SOURCE_BYTES: Final = 100_000
"""PostHog's own limit for the templates of a function."""
MAX_STEPS: Final = 100_000
"""Lookups, filters and turns of loops in one run: less than a second, and no text message needs more."""
MAX_OUTPUT_BYTES: Final = 1_000_000

_TOO_LONG: Final = "The Liquid template took too long to render; reduce its loops and try again."
_TOO_LARGE: Final = "The Liquid template made too large a text."

# Editors escape quotes and comparisons inside of tags; PostHog undoes it before it parses, and so do we.
_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_TAG_NAME = re.compile(r"\{%-?\s*(\w+)")
_BLOCK_TAGS: Final = frozenset({"capture", "case", "comment", "for", "if", "ifchanged", "raw", "tablerow", "unless"})
_INNER_TAGS: Final = frozenset({"break", "continue", "else", "elsif", "when"})
_ENTITY = re.compile("&(?:lt|gt|quot|#x27|amp);")
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&amp;": "&"}

# What a filter of python-liquid, or python-liquid itself, raises for values that it was not made for.
_RAISED: Final = (
    LiquidError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class LiquidFault(Fault):
    """A template failed while it ran; `str()` of it is one sentence that holds no data of the event."""


class _Context(RenderContext):
    """One run: counts its steps, so that no template takes long."""

    __slots__ = ("steps",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steps = 0

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise LoopIterationLimitError("too many steps", token=None)

    def get(self, *args: Any, **kwargs: Any) -> object:
        self.spend(1)
        return super().get(*args, **kwargs)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        self.spend(1)
        return super().filter(name, token)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.spend(length)


class _Template(BoundTemplate):
    context_class = _Context


class _OutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(print_value(self.expression.evaluate(context)))


class _Output(Output):
    node_class = _OutputNode


class _EchoNode(EchoNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(print_value(self.expression.evaluate(context)))


class _Echo(EchoTag):
    node_class = _EchoNode


class _Environment(Environment):
    template_class = _Template
    output_stream_limit = MAX_OUTPUT_BYTES
    local_namespace_limit = 4 * MAX_OUTPUT_BYTES


@cache
def _environment() -> _Environment:
    environment = _Environment(strict_filters=False)
    environment.add_tag(_Output)
    environment.add_tag(_Echo)
    for tag in ("include", "render"):
        del environment.tags[tag]
    for name, function in {**environment.filters, **FILTERS}.items():
        environment.add_filter(name, guarded(name, function))
    return environment


def parse(source: str) -> BoundTemplate:
    """
    Parse a template.

    Raises:
        Invalid: it is no Liquid, or longer than 100 KB; `position` is the offset in `source`.
    """
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise Invalid(f"The template is longer than {MAX_SOURCE_BYTES} bytes.", position=0)
    decoded, position_in_source = _decode_entities(source)
    try:
        return _environment().from_string(decoded)
    except (LiquidError, RecursionError) as error:
        position = _position(decoded, error)
        raise Invalid(
            f"The Liquid template has a mistake: {_sentence(error)}.",
            position=None if position is None else position_in_source(position),
        ) from error


def render(template: BoundTemplate, globals: Mapping[str, Any], now: datetime) -> str:  # noqa: A002 (the field's word)
    """
    Run a template; `now` is there as a global.

    Raises:
        LiquidFault: a filter got what it cannot work with, or the run would take too long or grow too large.
    """
    try:
        # `today` would be python-liquid's own clock; LiquidJS does not know it.
        return template.render({**globals, "now": now, "today": None})
    except LoopIterationLimitError as error:
        raise LiquidFault(_TOO_LONG) from error
    except OutputStreamLimitError as error:
        raise LiquidFault(_TOO_LARGE) from error
    except FilterFault as error:
        raise LiquidFault(str(error)) from error
    except _RAISED as error:
        raise LiquidFault(f"The Liquid template failed{_place(error)}.") from error


def _decode_entities(source: str) -> tuple[str, Callable[[int], int]]:
    """Decode HTML entities inside of tags; also give the way back from a place in the answer to one in `source`."""
    shifts: list[tuple[int, int]] = []
    lost = 0

    def decode(entity: re.Match[str], offset: int) -> str:
        nonlocal lost
        lost += len(entity[0]) - 1
        shifts.append((offset + entity.end() - lost, lost))
        return _ENTITIES[entity[0]]

    def decode_tag(tag: re.Match[str]) -> str:
        return _ENTITY.sub(lambda entity: decode(entity, tag.start()), tag[0])

    def back(position: int) -> int:
        return position + max((shift for start, shift in shifts if start <= position), default=0)

    return (_TAGS.sub(decode_tag, source), back) if "&" in source else (source, back)


def _position(source: str, error: Exception) -> int | None:
    """
    Find a mistake in `source`; None where it cannot be told.

    python-liquid does not know where expressions and files end too early: then the first tag that is wrong by itself
    is it, or the last block that stays open.
    """
    token = getattr(error, "token", None)
    if token is not None and token.start_index >= 0:
        return int(token.start_index)
    open_blocks: list[tuple[str, int]] = []
    for tag in _TAGS.finditer(source):
        named = _TAG_NAME.match(tag[0])
        name = named[1] if named else ""
        if name.startswith("end"):
            if open_blocks and open_blocks[-1][0] == name[3:]:
                open_blocks.pop()
        elif name not in _INNER_TAGS:
            block = name in _BLOCK_TAGS
            try:
                _environment().from_string(tag[0] + f"{{% end{name} %}}" * block)
            except LiquidError:
                return tag.start()
            if block:
                open_blocks.append((name, tag.start()))
    return open_blocks[-1][1] if open_blocks else None


def _sentence(error: Exception) -> str:
    """Give python-liquid's own words for a mistake in the source: they quote the source alone."""
    return str(getattr(error, "message", None) or "its blocks are nested too deeply").rstrip(".")


def _place(error: Exception) -> str:
    """Say where a run failed, by line and column and the word there, which is the template's own."""
    token = getattr(error, "token", None)
    if token is None or token.start_index < 0:
        return ""
    before = token.source[: token.start_index]
    line, column = before.count("\n") + 1, token.start_index - before.rfind("\n")
    return f" in line {line}, column {column}, at `{token.value[:40]}`"

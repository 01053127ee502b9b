"""
Liquid as PostHog's templates are written in it, with the HTML escaping that PostHog does to texts only when asked for.

python-liquid does the parsing and most of the work; `liquid_environment` and `liquid_filters` put right where LiquidJS,
which PostHog uses, does another way, and bound what a run may take. Missing values print as nothing, unknown filters
change nothing. `include`, `render` and `layout` have nothing to load and are refused.

What stays different on purpose: what LiquidJS silently passes over (`{{ a b }}`, `{{ a | }}`) is refused; division by
zero fails instead of sending "Infinity"; 0.1 plus 0.2 is 0.3.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast

from liquid.exceptions import LiquidError, LoopIterationLimitError, OutputStreamLimitError

from smspipe.model.errors import Fault, Invalid
from smspipe.rendering.liquid_environment import Template, environment
from smspipe.rendering.liquid_values import FilterFault

MAX_SOURCE_BYTES: Final = 100_000
"""PostHog's own limit for the templates of a function."""

_TOO_LONG: Final = "The Liquid template took too long to render; reduce its loops and try again."
_TOO_LARGE: Final = "The Liquid template made too large a text."

_TAGS = re.compile(
    r"(?P<raw>\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\})|\{\{.*?\}\}|\{%.*?%\}",
    re.DOTALL,
)
_OPENING = re.compile(r"\{\{|\{%-?\s*(\w*)")
_RAW = re.compile(r"\{%-?\s*(raw|doc)\s*-?%\}")
_RAW_END: Final = {name: re.compile(rf"\{{%-?\s*end{name}\s*-?%\}}") for name in ("raw", "doc")}
_COMMENT_END = re.compile(r"\{%-?\s*endcomment\b")
_TAG_NAME = re.compile(r"\{%-?\s*(\w+)")
_BLOCK_TAGS: Final = frozenset({"capture", "case", "comment", "for", "if", "ifchanged", "raw", "tablerow", "unless"})
_INNER_TAGS: Final = frozenset({"break", "continue", "else", "elsif", "when"})
# Editors escape quotes and comparisons inside of tags; PostHog undoes it before it parses, and so do we.
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


def parse(source: str, *, escape: bool = False) -> Template:
    """
    Parse a template.

    Args:
        source: the template as it was written.
        escape: print what stands in `{{ }}` as for a web page, unless its last filter is `raw`, as PostHog does.

    Raises:
        Invalid: it is no Liquid, or longer than 100 KB; `position` is the offset in `source`.
    """
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise Invalid(f"The template is longer than {MAX_SOURCE_BYTES} bytes.", position=0)
    _refuse_unclosed(source)
    decoded, position_in_source = _decode_entities(source)
    try:
        return cast(Template, environment(escape=escape).from_string(decoded))
    except (LiquidError, RecursionError) as error:
        position = _position(decoded, error)
        raise Invalid(
            f"The Liquid template has a mistake: {_sentence(error)}.",
            position=None if position is None else position_in_source(position),
        ) from error


def render(template: Template, globals: Mapping[str, Any], now: datetime) -> str:  # noqa: A002 (the field's word)
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


def _refuse_unclosed(source: str) -> None:
    """
    Refuse what is opened and never closed.

    Every expression here and in python-liquid that looks for an end would, for each of many openings without one,
    search to the end of the source: minutes for 100 KB.
    """
    last_comment_end = max((end.start() for end in _COMMENT_END.finditer(source)), default=-1)
    position = 0
    while opening := _OPENING.search(source, position):
        start = opening.start()
        end = source.find("}}" if opening[0] == "{{" else "%}", opening.end())
        position = end + 2
        closed = end >= 0 and (opening[1] != "comment" or start < last_comment_end)
        if raw := _RAW.match(source, start):
            raw_end = _RAW_END[raw[1]].search(source, raw.end())
            closed = raw_end is not None
            position = raw_end.end() if raw_end else position
        if not closed:
            raise Invalid(f"The Liquid template has a mistake: {opening[0][:2]} is never closed.", position=start)


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
        if tag["raw"]:
            return tag[0]
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
        if tag["raw"]:
            continue
        named = _TAG_NAME.match(tag[0])
        name = named[1] if named else ""
        if name.startswith("end"):
            if open_blocks and open_blocks[-1][0] == name[3:]:
                open_blocks.pop()
        elif name not in _INNER_TAGS:
            block = name in _BLOCK_TAGS
            try:
                environment().from_string(tag[0] + f"{{% end{name} %}}" * block)
            except LiquidError:
                return tag.start()
            if block:
                open_blocks.append((name, tag.start()))
    return open_blocks[-1][1] if open_blocks else None


def _sentence(error: Exception) -> str:
    """Give python-liquid's own words for a mistake in the source: they quote the source alone."""
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        return "it is nested too deeply"
    return str(getattr(error, "message", None) or error).rstrip(".")


def _place(error: Exception) -> str:
    """Say where a run failed, by line and column and the word there, which is the template's own."""
    token = getattr(error, "token", None)
    if token is None or token.start_index < 0:
        return ""
    before = token.source[: token.start_index]
    line, column = before.count("\n") + 1, token.start_index - before.rfind("\n")
    return f" in line {line}, column {column}, at `{token.value[:40]}`"

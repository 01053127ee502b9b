"""
Templates: text with expressions in it, compiled once when a destination is saved, and run for every event.

Two languages look alike and are mixed up all the time: Hog has expressions in single braces, Liquid in double ones.
Each in the other's field would go out as text with braces in it, so both are refused when compiled, with a hint.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final, assert_never

from smspipe import hog
from smspipe.hog import HogError, to_text
from smspipe.model.destination import Templating, Text
from smspipe.model.errors import Fault, Invalid
from smspipe.rendering.globals import ALL_ROOTS, ROOTS

Evaluate = Callable[[Mapping[str, Any], datetime], Any]

_HINT_HOG: Final = (
    "This field is written in Hog: put expressions in single braces, like {event.event}; double ones belong to Liquid."
)
_HINT_LIQUID: Final = (
    "This field is written in Liquid: put expressions in double braces, like {{ event.event }}; single ones belong to"
    " Hog. For braces that are text write {% raw %}{…}{% endraw %}."
)

# What looks like Liquid, also when it is not closed.
_LIQUID_MARKS = re.compile(r"(?<!\\)(?:\{\{.*?(?:\}\}|\Z)|\{%.*?(?:%\}|\Z))", re.DOTALL)
# What Liquid takes out of the text: blocks without expressions, tags and outputs.
LIQUID_PARTS = re.compile(
    r"\{%-?\s*(raw|comment)\b.*?\{%-?\s*end\1\b.*?%\}|\{\{.*?\}\}|\{%.*?%\}",
    re.DOTALL,
)
# A Hog expression in single braces: a root with something of it named, perhaps inside of function calls.
_HOG_EXPRESSION = re.compile(r"\{\s*(?:\w+\(\s*)*(?:" + "|".join(sorted(ROOTS)) + r")(?:\?\.|\.|\[)[^{}]*\}")


class TemplateError(Fault):
    """A template failed while it ran; `str()` of it is one sentence that holds no data of the event."""


class CompiledText:
    """
    A template ready to run. Call it for the value, or `text` for the value printed.

    `roots` are the globals that it reads (all where that is not known), so that no others need to be built;
    `constant` tells that it reads none, not even the time: its value is the same for every event.
    """

    __slots__ = ("_evaluate", "constant", "field", "roots", "text")

    text: Callable[[Mapping[str, Any], datetime], str | None]
    """
    Give the value printed as inside of text; None where the whole template is one expression that is null.

    Called like the template itself; also raises TemplateError when the value cannot be printed.
    """

    def __init__(
        self, evaluate: Evaluate, *, field: str, roots: Collection[str], constant: bool, is_text: bool = True
    ) -> None:
        """Take what evaluates, and raises TemplateError; `is_text` says that it never gives anything but text."""
        self._evaluate = evaluate
        # Every event comes this way, and a step between is a tenth of the whole.
        self.text = evaluate if is_text else self._print
        self.field = field
        self.roots = frozenset(roots)
        self.constant = constant

    def __call__(self, globals: Mapping[str, Any], now: datetime) -> Any:  # noqa: A002 (the field's own word)
        """
        Give the value: of a Hog template that is one expression, any type that Hog has; of all else, text.

        Args:
            globals: what `globals_for` built, at least the roots named in `roots`.
            now: the time that the template sees.

        Raises:
            TemplateError: the template failed.
        """
        return self._evaluate(globals, now)

    def _print(self, globals: Mapping[str, Any], now: datetime) -> str | None:  # noqa: A002 (the field's own word)
        value = self._evaluate(globals, now)
        try:
            return None if value is None else to_text(value)
        except HogError as error:
            raise TemplateError(str(error)) from error


def compile_text(text: Text) -> CompiledText:
    """
    Compile a template.

    Raises:
        Invalid: it cannot be compiled, or is written in the other language; `field`, `position` and `hint` say where
            and what would be right.
    """
    try:
        match text.templating:
            case Templating.HOG:
                return _compile_hog(text)
            case Templating.LIQUID:
                return _compile_liquid(text)
            case Templating.NONE:
                source = text.source
                return CompiledText(lambda _globals, _now: source, field=text.field, roots=(), constant=True)
            case _:
                assert_never(text.templating)
    except Invalid as error:
        place = error.position
        raise Invalid(
            str(error).partition("\n")[0],
            field=text.field or None,
            position=place,
            hint=error.hint,
            excerpt=None if place is None else hog.point_at(text.source, place),
        ) from error


def _compile_hog(text: Text) -> CompiledText:
    try:
        template = hog.compile_template(text.source, TemplateError)
    except Invalid as error:
        # `{{` alone proves nothing ({{'a': 1}} is an object), but where Hog fails in it, it is what went wrong.
        for mark in _LIQUID_MARKS.finditer(text.source):
            if error.position is None or mark.start() <= error.position <= mark.end():
                raise Invalid(str(error), position=mark.start(), hint=_HINT_HOG) from error
        raise
    return CompiledText(
        template.run,
        field=text.field,
        roots={path[0] for path in template.paths},
        constant=template.constant,
        is_text=template.is_text,
    )


def _compile_liquid(text: Text) -> CompiledText:
    # Its library takes 0.3 s to import, which no destination without Liquid should pay.
    from smspipe.rendering import liquid

    template = liquid.parse(text.source, escape=text.escape)
    parts = LIQUID_PARTS.sub(lambda part: " " * len(part[0]), text.source)
    if found := _HOG_EXPRESSION.search(parts):
        raise Invalid("A Hog expression stands in a Liquid template.", position=found.start(), hint=_HINT_LIQUID)

    def evaluate(globals: Mapping[str, Any], now: datetime) -> str:  # noqa: A002 (the field's own word)
        try:
            return liquid.render(template, globals, now)
        except liquid.LiquidFault as error:
            raise TemplateError(str(error)) from error

    roots = ALL_ROOTS if template.names is None else template.names
    constant = not roots and not _LIQUID_MARKS.search(text.source)
    return CompiledText(evaluate, field=text.field, roots=roots, constant=constant)

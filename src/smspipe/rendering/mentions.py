"""What a template says by its source alone: which values it reads, and which text is its own."""

import re

from smspipe import hog
from smspipe.hog.literals import find_literals
from smspipe.model.destination import Templating, Text
from smspipe.rendering.template import LIQUID_PARTS

_LIQUID_PROPERTY = re.compile(
    r"""(?<![\w.'"])(event|person)\.properties(?:\.([\w$-]+)|\[\s*'([^']*)'\s*\]|\[\s*"([^"]*)"\s*\])"""
)


def paths_of(text: Text) -> frozenset[tuple[str, ...]]:
    """
    List the chains of names that a template reads: (event, properties, phone), as far as its source tells.

    Of a Liquid template these are the properties of the event and the person alone.

    Raises:
        Invalid: it does not compile.
    """
    match text.templating:
        case Templating.HOG:
            return hog.compile_template(text.source).paths
        case Templating.LIQUID:
            parts = (part[0] for part in LIQUID_PARTS.finditer(text.source) if not part[1])
            return frozenset(_path(found) for part in parts for found in _LIQUID_PROPERTY.finditer(part))
        case Templating.NONE:
            return frozenset()


def literals_of(text: Text) -> list[tuple[int, str]]:
    """
    List the pieces of a template that are text, each with its offset (code points) in the source.

    Raises:
        Invalid: it does not compile.
    """
    match text.templating:
        case Templating.HOG:
            return find_literals(text.source)
        case Templating.LIQUID:
            # A default in quotes inside of a tag is text as well, but telling it from a key takes more than a look.
            return [(0, LIQUID_PARTS.sub(lambda part: " " * len(part[0]), text.source))]
        case Templating.NONE:
            return [(0, text.source)]


def _path(found: re.Match[str]) -> tuple[str, ...]:
    return (found[1], "properties", next(name for name in found.groups()[1:] if name is not None))

"""
Liquid as PostHog's templates are written in it, without the HTML escaping that PostHog does to texts.

python-liquid does the parsing and most of the work; what differs from LiquidJS, which PostHog uses, is put right here:
how values print, division, dates, unknown filters. And nothing in a template may take long or grow large: what it
looks up, filters and loops over is counted, and so is the size of every value.

Missing values print as nothing. `include`, `render` and `layout` have nothing to load and are refused.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, wraps
from typing import Any, Final, NoReturn

from liquid import BoundTemplate, Environment, RenderContext, Token
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import LiquidError, LiquidSyntaxError, OutputStreamLimitError

from smspipe.model.errors import Fault, Invalid
from smspipe.rendering import filters
from smspipe.rendering.printing import print_value

MAX_SOURCE_BYTES: Final = 100_000
"""PostHog's own limit for the templates of a function."""
MAX_STEPS: Final = 100_000
"""Lookups, filters and turns of loops in one run: a fraction of a second, and no text message needs more."""
MAX_OUTPUT_BYTES: Final = 1_000_000
MAX_CHARACTERS: Final = 1_000_000
"""Characters of one value, as a property of an event may have, cut down by a filter."""
MAX_ITEMS: Final = 10_000

_TOO_LONG: Final = "The Liquid template took too long to render; reduce its loops and try again."
_TOO_LARGE: Final = "The Liquid template made too large a value or text."

# Editors escape quotes and comparisons inside of tags; PostHog undoes it before it parses.
_TAGS = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_ENTITY = re.compile("&(?:lt|gt|quot|#x27|amp);")
_ENTITIES: Final = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&amp;": "&"}


class LiquidFault(Fault):
    """A template failed while it ran; `str()` of it is one sentence without data."""

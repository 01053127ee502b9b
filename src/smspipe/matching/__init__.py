"""Whether an event matches a destination's filter, and why not: pure, compiled once, asked for every event."""

from smspipe.matching.contradictions import contradictions
from smspipe.matching.match import FilterError, Matcher, compile_filter
from smspipe.matching.quirks import Quirk, QuirkName, quirks
from smspipe.matching.read import read_action, read_filter, read_properties
from smspipe.matching.tree import Mismatch

__all__ = [
    "FilterError",
    "Matcher",
    "Mismatch",
    "Quirk",
    "QuirkName",
    "compile_filter",
    "contradictions",
    "quirks",
    "read_action",
    "read_filter",
    "read_properties",
]

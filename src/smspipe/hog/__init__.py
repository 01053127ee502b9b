"""
PostHog's Hog: text with expressions in single curly braces, and bare expressions, compiled to Python.

The room is pure: what `now()` is, is passed in, and the same arguments always give the same result.
"""

from smspipe.hog.comparing import (
    hog_equals,
    hog_greater,
    hog_greater_or_equal,
    hog_in,
    hog_less,
    hog_less_or_equal,
    like,
    matches,
)
from smspipe.hog.mistakes import point_at
from smspipe.hog.template import Expression, Template, compile_expression, compile_template
from smspipe.hog.values import HogError, to_number, to_string, to_text, truthy

__all__ = [
    "Expression",
    "HogError",
    "Template",
    "compile_expression",
    "compile_template",
    "hog_equals",
    "hog_greater",
    "hog_greater_or_equal",
    "hog_in",
    "hog_less",
    "hog_less_or_equal",
    "like",
    "matches",
    "point_at",
    "to_number",
    "to_string",
    "to_text",
    "truthy",
]

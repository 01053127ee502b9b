"""Operators that look for something in a value's text: icontains and regex."""

from collections.abc import Callable
from typing import Any, Final

from smspipe.hog import like, to_string
from smspipe.matching.patterns import compile_pattern
from smspipe.matching.probe import Built, Probe
from smspipe.matching.sentences import show, show_list
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode

_LONGEST_PART: Final = 2000
"""Characters to look for within a text, before they grow by escaping past what Hog takes for a pattern."""


def compile_icontains(value: Any, mode: Mode, field: str) -> Built:
    """
    Compile icontains: part of a value's text, blind to case; in a single value `%` and `_` are wildcards.

    Raises:
        Invalid: the value is too long, or no whole text.
    """
    if isinstance(value, list) and len(value) > 1:
        return compile_icontains_multi(value, mode, field)
    wanted = to_string(value[0] if isinstance(value, list) else value)
    if len(wanted) > _LONGEST_PART or not _whole(wanted):
        raise Invalid(f"This is no text of at most {_LONGEST_PART} characters.", field=field)
    words = f"does not contain {show(wanted)}", f"contain {show(wanted)}"
    pattern = f"%{wanted}%"
    if "%" in wanted or "_" in wanted or not wanted.isascii():
        return _of_text(lambda text: like(text, pattern, case_insensitive=True), mode), *words
    folded = wanted.lower()

    def found(text: str) -> bool:
        return folded in text.lower() if text.isascii() else like(text, pattern, case_insensitive=True)

    return _of_text(found, mode), *words


def _whole(text: str) -> bool:
    """Tell whether `text` has no half of a character (a lone surrogate)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def compile_icontains_multi(value: Any, mode: Mode, _field: str) -> Built:
    """Compile icontains_multi: any of several parts, without wildcards."""
    values = value if isinstance(value, list) else [value]
    needles = [to_string(each).lower() for each in values]

    def found(text: str) -> bool:
        folded = text.lower()
        return any(needle in folded for needle in needles)

    return _of_text(found, mode), f"does not contain {show_list(values)}", f"contain {show_list(values)}"


def _of_text(found: Callable[[str], bool], mode: Mode) -> Probe:
    """Ask about a value's text. To PostHog a missing value reads `null`; a person finds nothing in it."""
    if mode is Mode.POSTHOG:
        return lambda x, _now: found(x if type(x) is str else to_string(x))
    return lambda x, _now: found(x) if type(x) is str else x is not None and found(to_string(x))


def compile_regex(value: Any, mode: Mode, field: str) -> Probe:
    """
    Compile regex: a search in a value's text.

    Raises:
        Invalid: the pattern is not RE2's.
    """
    return _of_text(compile_pattern(value, field), mode)

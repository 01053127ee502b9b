"""Operators that ask whether a value is one, or one of several: exact, in, is_set."""

from datetime import datetime
from typing import Any

from smspipe.hog import hog_equals, hog_in, to_number
from smspipe.matching.probe import Built, Probe
from smspipe.matching.sentences import show, show_list
from smspipe.model.filter import Mode


def compile_exact(value: Any, mode: Mode, _field: str) -> Built:
    """Compile exact: Hog's `==` with one value, membership among several."""
    if isinstance(value, list) and len(value) > 1:
        return _member(value, mode), f"is none of {show_list(value)}", f"be {show_list(value)}"
    wanted = value[0] if isinstance(value, list) else value
    return _equals(wanted), f"is not {show(wanted)}", f"be {show(wanted)}"


def _equals(wanted: Any) -> Probe:
    if type(wanted) is str:
        return lambda x, _now: x == wanted if type(x) is str else hog_equals(x, wanted)
    return lambda x, _now: hog_equals(x, wanted)


def compile_in(value: Any, mode: Mode, _field: str) -> Built:
    """Compile in: membership, among one value too."""
    values = value if isinstance(value, list) else [value]
    return _member(values, mode), f"is not in {show_list(values)}", f"be in {show_list(values)}"


def _member(values: list[Any], mode: Mode) -> Probe:
    """Look for a value among others. PostHog looks without any conversion; a person expects 5 to be "5"."""
    texts = frozenset(each for each in values if type(each) is str)
    if mode is Mode.POSTHOG:
        return lambda x, _now: x in texts if type(x) is str else hog_in(x, values)
    numbers = [each for each in values if type(each) in (int, float)]
    # What text says as a number; blank text would say 0 and is left out, as nobody means it.
    spoken = [to_number(each) for each in values if type(each) is str and each.strip()]

    def found(x: Any, _now: datetime) -> bool:
        if type(x) is str:
            return x in texts or (x.strip() != "" and any(hog_equals(x, number) for number in numbers))
        if type(x) is bool:
            return hog_in(x, values) or ("true" if x else "false") in texts
        return x is not None and (hog_in(x, values) or any(type(x) in (int, float) and x == each for each in spoken))

    return found


def compile_is_set(_value: Any, _mode: Mode, _field: str) -> Built:
    """Compile is_set: anything but null, the empty text included."""
    return (lambda x, _now: x is not None), "is not set", "be set"

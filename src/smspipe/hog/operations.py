"""What compiled code calls besides the library: access the slow way, arithmetic, and the operators that cost work."""

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from smspipe.hog import comparing
from smspipe.hog.library import FUNCTIONS, Function
from smspipe.hog.limits import CHARACTERS_A_STEP, Run
from smspipe.hog.values import Closure, ErrorValue, HogError, double, index_by_text, js_text, to_number, whole
from smspipe.model.errors import Invalid

_KEYS: Final = frozenset({str, int, float, bool, type(None)})
_NUMBERS: Final = frozenset({int, float})
_LISTS: Final = frozenset({list, tuple})
_IN_HOG: Final = frozenset({"arrayCount", "arrayExists", "arrayFilter", "arrayMap", "arrayReduce", "sortableSemver"})
"""Functions that PostHog wrote in Hog itself; of a wrong number of arguments they speak in other words."""


def root(globals_: Mapping[str, Any], name: str) -> Any:
    """
    Find a global, else a function of the library as a value.

    Raises:
        HogError: there is neither.
    """
    if name in globals_:
        return globals_[name]
    if function := FUNCTIONS.get(name):
        return Closure(function.name, function.run, function.least, function.most)
    raise HogError(f"Global variable not found: {name}")


def chain(globals_: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """
    Walk from a global along `path`; null as soon as a step is missing.

    Raises:
        HogError: there is no such global.
    """
    if path[0] not in globals_:
        raise HogError(f"Global variable not found: {'.'.join(path)}")
    value = globals_[path[0]]
    for name in path[1:]:
        value = step(value, name)
        if value is None:
            return None
    return value


def step(value: Any, key: Any) -> Any:
    """
    Read `value[key]`: of an object by its key, of a list by its place from 1, or from -1 backwards; null if absent.

    Raises:
        HogError: the place 0 of a list.
    """
    kind = type(value)
    if kind is dict:
        return value.get(key) if type(key) in _KEYS else None
    if kind is list or kind is tuple:
        if key == "length":
            return len(value)
        if type(key) is str:
            place = index_by_text(value, key)
            return None if place is None else value[place]
        if type(key) not in _NUMBERS:
            return None
        if key == 0:
            raise HogError("Hog arrays start from index 1")
        if not math.isfinite(key) or key != int(key):
            return None
        index = int(key) - 1 if key > 0 else len(value) + int(key)
        return value[index] if 0 <= index < len(value) else None
    if kind is ErrorValue:
        return {"type": value.type, "message": value.message, "payload": value.payload}.get(key)
    return None


def dict_of(run: Run, entries: tuple[tuple[Any, Any], ...]) -> dict[Any, Any]:
    """
    Make an object.

    Raises:
        HogError: a key is neither text, a number, a boolean nor null.
    """
    run.allocate(16 * len(entries) + 8)
    if any(type(key) not in _KEYS for key, _ in entries):
        raise HogError("A key of an object must be text or a number.")
    return dict(entries)


# ---- operators: each counts the work that long texts and lists make ----------------------------------


def add(run: Run, left: Any, right: Any) -> int | float:
    """Add as numbers."""
    return double(_number(run, left) + _number(run, right))


def subtract(run: Run, left: Any, right: Any) -> int | float:
    """Subtract as numbers."""
    return double(_number(run, left) - _number(run, right))


def multiply(run: Run, left: Any, right: Any) -> int | float:
    """Multiply as numbers."""
    return double(_number(run, left) * _number(run, right))


def divide(run: Run, left: Any, right: Any) -> int | float:
    """Divide as numbers; by zero it is infinite, zero by zero NaN."""
    one, other = float(_number(run, left)), float(_number(run, right))
    if other == 0:
        if one == 0 or math.isnan(one):
            return math.nan
        return math.copysign(math.inf, one) * math.copysign(1, other)
    return whole(one / other)


def modulo(run: Run, left: Any, right: Any) -> int | float:
    """Take the remainder, with the sign of the dividend."""
    one, other = _number(run, left), _number(run, right)
    if other == 0 or math.isinf(one) or math.isnan(one) or math.isnan(other):
        return math.nan
    return whole(math.fmod(one, other))


def _number(run: Run, value: Any) -> int | float:
    if type(value) is str and len(value) > CHARACTERS_A_STEP:
        run.work(len(value))
    elif type(value) in _LISTS and len(value) == 1:
        value = run.printed(js_text(value))
    return double(to_number(value))


def equal(run: Run, left: Any, right: Any) -> bool:
    """Apply `==`."""
    _count(run, left, right)
    return comparing.hog_equals(left, right)


def less(run: Run, left: Any, right: Any) -> bool:
    """Apply `<`."""
    _count(run, left, right)
    return comparing.hog_less(left, right)


def less_or_equal(run: Run, left: Any, right: Any) -> bool:
    """Apply `<=`."""
    _count(run, left, right)
    return comparing.hog_less_or_equal(left, right)


def greater(run: Run, left: Any, right: Any) -> bool:
    """Apply `>`."""
    _count(run, left, right)
    return comparing.hog_greater(left, right)


def greater_or_equal(run: Run, left: Any, right: Any) -> bool:
    """Apply `>=`."""
    _count(run, left, right)
    return comparing.hog_greater_or_equal(left, right)


def like(run: Run, value: Any, pattern: Any) -> bool:
    """Apply `like`."""
    return comparing.like(_text(run, value), _text(run, pattern))


def ilike(run: Run, value: Any, pattern: Any) -> bool:
    """Apply `ilike`."""
    return comparing.like(_text(run, value), _text(run, pattern), case_insensitive=True)


def matches(run: Run, value: Any, expression: Any) -> bool:
    """Apply `=~`."""
    _text(run, value)
    _text(run, expression)
    return comparing.matches(value, expression)


def matches_any_case(run: Run, value: Any, expression: Any) -> bool:
    """Apply `=~*`."""
    _text(run, value)
    _text(run, expression)
    return comparing.matches(value, expression, case_insensitive=True)


def contained(run: Run, wanted: Any, container: Any) -> bool:
    """Apply `in`."""
    _count(run, container, None)
    return comparing.hog_in(wanted, container)


def _text(run: Run, value: Any) -> Any:
    """Take what a pattern is matched against as text, counted; null and false stay, for they match nothing."""
    if type(value) is str:
        run.work(1 + len(value) // CHARACTERS_A_STEP)
    elif type(value) in _LISTS:
        value = run.printed(js_text(value))
    return value


def _count(run: Run, left: Any, right: Any) -> None:
    """Count the work of comparing, or looking through, long texts and lists."""
    for value in (left, right):
        kind = type(value)
        if kind is str:
            if len(value) > CHARACTERS_A_STEP:
                run.work(len(value) // CHARACTERS_A_STEP)
        elif kind is list or kind is tuple:
            # A list compared with what is not one is printed first, and its parts may be lists again.
            run.work(1 + len(value))
            if any(type(item) in _LISTS for item in value):
                run.printed(js_text(value))


def check_arity(function: Function, count: int, at: int) -> None:
    """
    Check the number of arguments of a call.

    Raises:
        Invalid: too few or too many, in PostHog's words.
    """
    if function.name in _IN_HOG and count != function.least:
        raise Invalid(f"Function {function.name} requires exactly {function.least} arguments", position=at)
    if count < function.least:
        raise Invalid(f"Function {function.name} requires at least {function.least} arguments", position=at)
    if function.most is not None and count > function.most:
        raise Invalid(f"Function {function.name} requires at most {function.most} arguments", position=at)


def nearest(name: str, names: Iterable[str] = FUNCTIONS) -> str | None:
    """Suggest the function that was probably meant."""
    known = tuple(names)
    if same := [each for each in known if each.lower() == name.lower()]:
        return f"Did you mean {same[0]}?"
    close = difflib.get_close_matches(name[:40], known, n=1)
    return f"Did you mean {close[0]}?" if close else None

"""
The table of Liquid's filters, and those for numbers and for whatever kind.

Each is called as LiquidJS calls it: an argument that is left out or missing is UNDEFINED, one with a name is a pair,
and what a filter does not ask for is passed by.

Source: https://liquidjs.com/filters/overview.html and trials of LiquidJS 10.30.1.
"""

import inspect as signatures
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from smspipe.hog import to_text
from smspipe.rendering import liquid_dates, liquid_lists, liquid_texts
from smspipe.rendering.liquid_run import LiquidFault, Run
from smspipe.rendering.liquid_values import (
    UNDEFINED,
    divided,
    is_list,
    js_truthy,
    number_or_zero,
    remainder,
    to_json,
    to_number,
    to_value,
    truthy,
)

Filter = Callable[[Run, Any, list[Any]], Any]
_MOST_EXACT: Final = 2**53 - 1


def _numbers(function: Callable[..., float]) -> Callable[..., float]:
    """Make a filter of a function of numbers; an argument that was left out is NaN, which is what it leads to."""

    def filter_(run: Run, *given: Any) -> float:
        numbers = [number_or_zero(value, run) for value in given]
        wanted = function.__code__.co_argcount - len(function.__defaults__ or ())
        return function(*[*numbers, *[math.nan] * (wanted - len(numbers))][: function.__code__.co_argcount])

    return filter_


def _divided_by(dividend: float, divisor: float, whole: float = 0.0) -> float:
    quotient = divided(dividend, divisor)
    return _floor(quotient) if whole else quotient


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def _at_least(run: Run, *given: Any) -> float:
    return max(number_or_zero(value, run) for value in given)


def _at_most(run: Run, *given: Any) -> float:
    return min(number_or_zero(value, run) for value in given)


def _round(run: Run, value: Any, digits: Any = UNDEFINED) -> float:
    """Round half away from zero, to digits that are counted in what is printed and not in the double."""
    number = number_or_zero(value, run)
    exponent = number_or_zero(digits, run)
    scaled = _shifted(abs(number), exponent, run)
    if not scaled <= _MOST_EXACT:
        return number
    whole = math.floor(scaled)
    rounded = _shifted(whole + 1.0 if scaled - whole >= 0.5 else float(whole), -exponent, run)
    return -rounded if number < 0 else rounded


def _shifted(number: float, exponent: float, run: Run) -> float:
    mantissa, _, power = to_text(number).partition("e")
    return to_number(f"{mantissa}e{to_text(float(power or 0) + exponent)}", run)


def _default(_run: Run, value: Any, instead: Any = UNDEFINED, *pairs: Any) -> Any:
    value = to_value(value)
    if is_list(value) or isinstance(value, str):
        return value if len(value) else instead
    if value is False:
        if any(not is_list(pair) and not isinstance(pair, Mapping) for pair in pairs):
            raise LiquidFault("The Liquid filter default got an argument that it does not know")
        named = {pair[0]: pair[1] for pair in pairs if is_list(pair) and len(pair) == 2 and isinstance(pair[0], str)}
        if js_truthy(named.get("allow_false", UNDEFINED)):
            return False
    return value if truthy(value) else instead


def _json(run: Run, value: Any, space: Any = UNDEFINED) -> Any:
    return to_json(value, space, run)


def _to_integer(run: Run, value: Any) -> float:
    return to_number(value, run)


def _raw(_run: Run, value: Any) -> Any:
    return value


def _adapted(function: Callable[..., Any]) -> Filter:
    """Give a filter as many arguments as it asks for."""
    parameters = signatures.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return lambda run, value, given: function(run, value, *given)
    most = len(parameters) - 2
    return lambda run, value, given: function(run, value, *given[:most])


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": _numbers(lambda value: abs(value)),
    "at_least": _at_least,
    "at_most": _at_most,
    "ceil": _numbers(_ceil),
    "default": _default,
    "divided_by": _numbers(_divided_by),
    "floor": _numbers(_floor),
    "inspect": _json,
    "json": _json,
    "jsonify": _json,
    "minus": _numbers(lambda left, right: left - right),
    "modulo": _numbers(lambda left, right: remainder(remainder(left, right) + right, right)),
    "plus": _numbers(lambda left, right: left + right),
    "raw": _raw,
    "round": _round,
    "times": _numbers(lambda left, right: left * right),
    "to_integer": _to_integer,
    **liquid_dates.DATES,
    **liquid_lists.LISTS,
    **liquid_texts.TEXTS,
}

FILTERS: Final[Mapping[str, Filter]] = {name: _adapted(function) for name, function in _FUNCTIONS.items()}
"""Every filter by its name."""

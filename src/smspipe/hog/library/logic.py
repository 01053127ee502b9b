"""Functions on truth, null, types and numbers, and the functional forms of operators, which convert nothing."""

import math
from datetime import date, datetime
from typing import Any, Final

from smspipe.hog.comparing import plain_order, strictly_equal
from smspipe.hog.dates import epoch_seconds
from smspipe.hog.library.function import hog
from smspipe.hog.limits import Run
from smspipe.hog.values import (
    Closure,
    ErrorValue,
    HogError,
    InvalidDate,
    double,
    js_text,
    leading_number,
    to_number,
    truthy,
)

_SECONDS_A_DAY: Final = 86_400
_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    str: "string",
    bool: "boolean",
    int: "integer",
    list: "array",
    tuple: "tuple",
    dict: "object",
    datetime: "datetime",
    date: "date",
    ErrorValue: "error",
    Closure: "function",
}


@hog("typeof", 1, 1)
def type_of(_: Run, value: Any) -> str:
    """Name the type of a value; a number without a fraction is an integer."""
    if type(value) is float:
        return "integer" if value.is_integer() else "float"
    if type(value) is InvalidDate:
        return "datetime" if value.clock else "date"
    return _NAMES.get(type(value), "object")


# ---- null ------------------------------------------------------------------------------------------


@hog("isNull", 1, 1)
def is_null(_: Run, value: Any) -> bool:
    """Tell whether a value is null."""
    return value is None


@hog("isNotNull", 1, 1)
def is_not_null(_: Run, value: Any) -> bool:
    """Tell whether a value is not null."""
    return value is not None


@hog("ifNull", 2, 2)
@hog("coalesce", 1, None)
def coalesce(_: Run, *values: Any) -> Any:
    """Return the first value that is not null."""
    return next((value for value in values if value is not None), None)


@hog("assumeNotNull", 1, 1)
def assume_not_null(_: Run, value: Any) -> Any:
    """Hand on a value that is not null; fail on null."""
    if value is None:
        raise HogError("Value is null in assumeNotNull")
    return value


@hog("empty", 1, 1)
def empty(_: Run, value: Any) -> bool:
    """Tell whether a value is null, "", or a list or object without items; numbers and booleans never are empty."""
    return value is None or (type(value) in (str, list, tuple, dict) and len(value) == 0)


@hog("notEmpty", 1, 1)
def not_empty(run: Run, value: Any) -> bool:
    """Tell whether a value is not empty."""
    return not empty(run, value)


# ---- choice and truth ------------------------------------------------------------------------------


@hog("if", 3, 3)
def if_(_: Run, test: Any, yes: Any, no: Any) -> Any:
    """Choose, when called as a value; written as a call, only the chosen side is evaluated."""
    return yes if truthy(test) else no


@hog("multiIf", 3, None)
def multi_if(_: Run, *values: Any) -> Any:
    """Choose the value after the first test that holds, else the last."""
    for test, value in zip(values[0::2], values[1::2], strict=False):
        if truthy(test):
            return value
    return values[-1] if len(values) % 2 else None


@hog("and", 1, None)
def and_(_: Run, *values: Any) -> bool:
    """Tell whether all values are true."""
    return all(map(truthy, values))


@hog("or", 1, None)
def or_(_: Run, *values: Any) -> bool:
    """Tell whether any value is true."""
    return any(map(truthy, values))


@hog("not", 1, 1)
def not_(_: Run, value: Any) -> bool:
    """Negate."""
    return not truthy(value)


# ---- functional forms of operators -----------------------------------------------------------------


@hog("equals", 2, 2)
def equals(_: Run, left: Any, right: Any) -> bool:
    """Compare without conversion."""
    return strictly_equal(left, right)


@hog("notEquals", 2, 2)
def not_equals(_: Run, left: Any, right: Any) -> bool:
    """Compare without conversion."""
    return not strictly_equal(left, right)


@hog("greater", 2, 2)
def greater(_: Run, left: Any, right: Any) -> bool:
    """Order two values."""
    return (order := plain_order(left, right)) is not None and order > 0


@hog("greaterOrEquals", 2, 2)
def greater_or_equals(_: Run, left: Any, right: Any) -> bool:
    """Order two values."""
    return (order := plain_order(left, right)) is not None and order >= 0


@hog("less", 2, 2)
def less(_: Run, left: Any, right: Any) -> bool:
    """Order two values."""
    return (order := plain_order(left, right)) is not None and order < 0


@hog("lessOrEquals", 2, 2)
def less_or_equals(_: Run, left: Any, right: Any) -> bool:
    """Order two values."""
    return (order := plain_order(left, right)) is not None and order <= 0


@hog("min2", 2, 2)
def min2(_: Run, left: Any, right: Any) -> Any:
    """Return the lesser of two values."""
    return left if (order := plain_order(left, right)) is not None and order < 0 else right


@hog("plus", 2, 2)
def plus(run: Run, left: Any, right: Any) -> Any:
    """Add numbers; with a text, a list or an object on either side, join texts instead."""
    if any(type(value) not in (int, float, bool, type(None)) for value in (left, right)):
        one, other = run.printed(js_text(left)), run.printed(js_text(right))
        run.allocate(len(one) + len(other) + 8)
        return one + other
    return double(to_number(left) + to_number(right))


@hog("minus", 2, 2)
def minus(_: Run, left: Any, right: Any) -> int | float:
    """Subtract numbers."""
    return double(to_number(left) - to_number(right))


# ---- numbers ---------------------------------------------------------------------------------------


def _days_or_seconds(value: Any) -> int | float | None:
    """Count a datetime in seconds and a date in days since 1970; None for all else."""
    if type(value) is datetime:
        return epoch_seconds(value)
    return int(epoch_seconds(value)) // _SECONDS_A_DAY if type(value) is date else None


@hog("toInt", 1, 1)
def to_int(run: Run, value: Any) -> int | float | None:
    """Read a whole number from the start of a value's text: "12abc" is 12; null if it does not begin with one."""
    counted = _days_or_seconds(value)
    if counted is not None:
        return math.floor(counted)
    return leading_number(run.printed(js_text(value)), fraction=False)  # a number too: 1e21 begins with 1


@hog("toFloat", 1, 1)
def to_float(run: Run, value: Any) -> int | float | None:
    """Read a number from the start of a value's text; null if it does not begin with one."""
    counted = _days_or_seconds(value)
    if counted is not None:
        return counted
    if type(value) in (int, float):
        return None if math.isnan(value) else double(value)
    return leading_number(run.printed(js_text(value)), fraction=True)


@hog("floor", 1, 2)
def floor(_: Run, value: Any, _digits: Any = None) -> int | float:
    """Round down to a whole number."""
    number = double(to_number(value))
    return double(math.floor(number)) if math.isfinite(number) else number


@hog("round", 1, 2)
def round_(_: Run, value: Any, _digits: Any = None) -> int | float:
    """Round to the nearest whole number, halves up; the second argument is ignored, as PostHog does."""
    number = double(to_number(value))
    if not math.isfinite(number):
        return number
    lower = math.floor(number)
    return double(lower + 1 if number - lower >= 0.5 else lower)


# ---- errors ----------------------------------------------------------------------------------------


def _error(kind: Any, message: Any, payload: Any) -> ErrorValue:
    name = js_text(kind) if truthy(kind) else "Error"
    return ErrorValue(name, js_text(message) if truthy(message) else "An error occurred", payload)


@hog("HogError", 1, 3)
def hog_error(_: Run, kind: Any, message: Any = None, payload: Any = None) -> ErrorValue:
    """Make an error of any type."""
    return _error(kind, message, payload)


@hog("Error", 0, 2)
def error(_: Run, message: Any = None, payload: Any = None) -> ErrorValue:
    """Make an error."""
    return _error("Error", message, payload)


@hog("RetryError", 0, 2)
def retry_error(_: Run, message: Any = None, payload: Any = None) -> ErrorValue:
    """Make an error of the type RetryError."""
    return _error("RetryError", message, payload)


@hog("NotImplementedError", 0, 2)
def not_implemented_error(_: Run, message: Any = None, payload: Any = None) -> ErrorValue:
    """Make an error of the type NotImplementedError."""
    return _error("NotImplementedError", message, payload)

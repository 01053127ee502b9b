"""
Bytecode as PostHog's compiler writes it, for the filter and the templates of the benchmark.

A program for the virtual machine is a list: `"_H"`, the version 1, then operations, each a number with what belongs to
it. Operands are pushed before their operation. Of a comparison the right side comes first; a chain of names is pushed
from its last name to its first, and read by one GET_GLOBAL; text with holes is a call of `concat`.
"""

from typing import Any, Final

Code = list[Any]

_GET_GLOBAL: Final = 1
_CALL_GLOBAL: Final = 2
_AND: Final = 3
_EQUAL: Final = 11
_UNEQUAL: Final = 12
_GREATER: Final = 13
_IN: Final = 21
_NULL: Final = 31
_STRING: Final = 32
_INTEGER: Final = 33
_TUPLE: Final = 44


def program(code: Code) -> Code:
    """Make a whole program of an expression."""
    return ["_H", 1, *code]


def field(*path: str) -> Code:
    """Read a chain of names from the globals."""
    return [*(part for name in reversed(path) for part in (_STRING, name)), _GET_GLOBAL, len(path)]


def text(value: str) -> Code:
    """Push text."""
    return [_STRING, value]


def equal(left: Code, value: str) -> Code:
    """Compare with text: `exact` with one value."""
    return [*text(value), *left, _EQUAL]


def greater(left: Code, value: int) -> Code:
    """Compare with a whole number: `gt`."""
    return [_INTEGER, value, *left, _GREATER]


def among(left: Code, values: list[str]) -> Code:
    """Look among texts: `exact` with several values."""
    return [*(part for value in values for part in text(value)), _TUPLE, len(values), *left, _IN]


def is_set(left: Code) -> Code:
    """Compare with null: `is_set`."""
    return [_NULL, *left, _UNEQUAL]


def every(*conditions: Code) -> Code:
    """Join with and: all are evaluated."""
    return [*(part for condition in conditions for part in condition), _AND, len(conditions)]


def joined(*parts: Code) -> Code:
    """Join literal parts and holes to a text."""
    return [*(each for part in parts for each in part), _CALL_GLOBAL, "concat", len(parts)]

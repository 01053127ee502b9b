"""Functions on JSON. Numbers in a path are places in a list, from 1, or from -1 backwards."""

import json
import math
from datetime import date, datetime
from typing import Any, NoReturn

from smspipe.hog.dates import epoch_seconds, zone_name
from smspipe.hog.library.function import hog
from smspipe.hog.limits import Run
from smspipe.hog.values import (
    MAX_PRINT_DEPTH,
    MAX_TEXT,
    Closure,
    ErrorValue,
    HogError,
    Interval,
    InvalidDate,
    double,
    index_by_text,
    js_text,
    leading_number,
    memory_error,
    number_text,
    to_string,
    whole,
)

_EXACT_DIGITS = 16
_NO_DATE = {"__hogDate__": True, "year": None, "month": None, "day": None}


def _integer(digits: str) -> int | float:
    return double(int(digits)) if len(digits) <= _EXACT_DIGITS else float(digits)


def _number(digits: str) -> int | float:
    return whole(float(digits))


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def parse(run: Run, text: Any) -> Any:
    """
    Read JSON as JavaScript does: numbers are doubles, NaN and Infinity are not JSON.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    source = run.printed(js_text(text))
    try:
        return json.loads(source, parse_int=_integer, parse_float=_number, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _read(run: Run, value: Any) -> Any:
    """Read a text as JSON and leave any other value as it is; raises ValueError when the text is not JSON."""
    return parse(run, value) if type(value) is str else value


@hog("jsonParse", 1, 1)
def json_parse(run: Run, text: Any) -> Any:
    """Read JSON; fail when it is not. Null is null."""
    if text is None:
        return None
    try:
        return parse(run, text)
    except ValueError as error:
        raise HogError("The text given to jsonParse is not valid JSON.") from error


@hog("isValidJSON", 1, 1)
def is_valid_json(run: Run, text: Any) -> bool:
    """Tell whether a text is JSON."""
    try:
        parse(run, text)
    except ValueError:
        return False
    return True


@hog("jsonStringify", 1, 2)
def json_stringify(run: Run, value: Any, indent: Any = None) -> str:
    """Write JSON, compact, or indented by some spaces, ten at most."""
    step = min(10, int(indent)) if type(indent) in (int, float) and 0 < indent < math.inf else 0
    pieces: list[str] = []
    _Writer(pieces, step).write(value, 0)
    return run.printed("".join(pieces))


class _Writer:
    """Writes one value as JSON, and refuses one that is too long."""

    def __init__(self, pieces: list[str], step: int) -> None:
        self.pieces = pieces
        self.step = step
        self.size = 0

    def add(self, piece: str) -> None:
        self.size += len(piece)
        if self.size > MAX_TEXT:
            raise memory_error(MAX_TEXT, self.size)
        self.pieces.append(piece)

    def write(self, value: Any, depth: int) -> None:
        if depth > MAX_PRINT_DEPTH:
            raise HogError(f"A value nested more than {MAX_PRINT_DEPTH} levels deep cannot be written as JSON.")
        kind = type(value)
        if kind in (list, tuple):
            self.block("[", "]", [(None, item) for item in value], depth)
        elif kind is dict:
            self.block("{", "}", [(to_string(key), item) for key, item in value.items()], depth)
        elif kind in (datetime, date, InvalidDate, ErrorValue, Interval):
            self.write(_as_object(value), depth)
        elif kind is float or kind is int:
            text = number_text(value)
            self.add("null" if text in ("NaN", "Infinity", "-Infinity") else text)
        elif kind is str or kind is Closure:
            self.add(json.dumps(to_string(value), ensure_ascii=False))
        else:
            self.add("true" if value is True else "false" if value is False else "null")

    def block(self, opening: str, closing: str, entries: list[tuple[str | None, Any]], depth: int) -> None:
        line = "\n" + " " * self.step * (depth + 1) if self.step else ""
        self.add(opening)
        for index, (key, item) in enumerate(entries):
            self.add(("," if index else "") + line)
            if key is not None:
                self.add(json.dumps(key, ensure_ascii=False) + (": " if self.step else ":"))
            self.write(item, depth + 1)
        if entries and self.step:
            self.add("\n" + " " * self.step * depth)
        self.add(closing)


def _as_object(value: Any) -> dict[str, Any]:
    """Show a value that JSON does not know as PostHog's machine shows it."""
    if type(value) is datetime:
        return {"__hogDateTime__": True, "dt": epoch_seconds(value), "zone": zone_name(value)}
    if type(value) is date:
        return {"__hogDate__": True, "year": value.year, "month": value.month, "day": value.day}
    if type(value) is Interval:
        return {"__hogInterval__": True, "value": value.value, "unit": value.unit}
    if type(value) is ErrorValue:
        shown = {"__hogError__": True, "type": value.type, "message": value.message}
        return shown if value.payload is None else shown | {"payload": value.payload}
    return {"__hogDateTime__": True, "dt": None, "zone": "UTC"} if value.clock else _NO_DATE


# ---- reading along a path --------------------------------------------------------------------------


def _find(value: Any, key: Any) -> tuple[bool, Any]:
    """Take one step: whether it is there, and what is there."""
    if type(value) is dict and type(key) in (str, int, float, bool):
        return key in value, value.get(key)
    if type(value) in (list, tuple) and type(key) is str:
        found = index_by_text(value, key)
        return found is not None, None if found is None else value[found]
    if type(value) in (list, tuple) and type(key) in (int, float) and math.isfinite(key) and key != 0:
        index = int(key) - 1 if key > 0 else len(value) + int(key)
        return (True, value[index]) if 0 <= index < len(value) else (False, None)
    return False, None


def _extract(run: Run, value: Any, path: tuple[Any, ...]) -> Any:
    """Read along a path in JSON text or a value; null when it is not JSON or a step is missing."""
    try:
        value = _read(run, value)
    except ValueError:
        return None
    if type(value) not in (dict, list, tuple):
        return None
    for key in path:
        value = _find(value, key)[1]
    return value


@hog("JSONHas", 1, None)
def json_has(run: Run, value: Any, *path: Any) -> bool:
    """Tell whether a path exists; text on the way is read as JSON."""
    for key in path:
        try:
            there, value = _find(_read(run, value), key)
        except ValueError:
            return False
        if not there:
            return False
    return True


@hog("JSONLength", 1, None)
def json_length(run: Run, value: Any, *path: Any) -> int:
    """Count the items at a path; 0 for what has none."""
    found = _extract(run, value, path)
    return len(found) if type(found) in (dict, list, tuple) else 0


@hog("JSONExtract", 2, None)
def json_extract(run: Run, value: Any, *path_and_type: Any) -> Any:
    """Return what is at a path; the last argument names a type and is ignored, as PostHog does."""
    return _extract(run, value, path_and_type[:-1])


@hog("JSONExtractString", 1, None)
def json_extract_string(run: Run, value: Any, *path: Any) -> str | None:
    """Return the text of what is at a path; null if nothing is."""
    found = _extract(run, value, path)
    return None if found is None else run.printed(js_text(found))


@hog("JSONExtractInt", 1, None)
def json_extract_int(run: Run, value: Any, *path: Any) -> int | float | None:
    """Return the whole number at a path; null if there is none."""
    found = _extract(run, value, path)
    return None if found is None else leading_number(found, fraction=False)


@hog("JSONExtractFloat", 1, None)
def json_extract_float(run: Run, value: Any, *path: Any) -> int | float | None:
    """Return the number at a path; null if there is none."""
    found = _extract(run, value, path)
    return None if found is None else leading_number(found, fraction=True)


@hog("JSONExtractBool", 1, None)
def json_extract_bool(run: Run, value: Any, *path: Any) -> bool:
    """Return the boolean at a path; false if there is none."""
    if path:
        return _extract(run, value, path) is True
    try:
        return _read(run, value) is True
    except ValueError:
        return False


@hog("JSONExtractArrayRaw", 1, None)
def json_extract_array_raw(run: Run, value: Any, *path: Any) -> Any:
    """Return the list at a path; null if there is none."""
    found = _extract(run, value, path)
    return found if type(found) in (list, tuple) else None

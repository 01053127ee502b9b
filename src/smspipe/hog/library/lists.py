"""Functions on lists and objects. None changes its argument; each returns a new list."""

import functools
from typing import Any

from smspipe.hog.comparing import includes, index_in, search
from smspipe.hog.library.function import hog
from smspipe.hog.limits import Run
from smspipe.hog.values import HogError, js_text, to_number, truthy

_VALUE_BYTES = 8


def made(run: Run, size: int) -> None:
    """Count a list of `size` items before it is made."""
    run.allocate(_VALUE_BYTES * size + _VALUE_BYTES)
    run.work(size)


def items_of(run: Run, value: Any) -> list[Any]:
    """List what is in a list or an object; nothing for any other value."""
    if type(value) not in (list, tuple, dict):
        return []
    made(run, len(value))
    return list(value.values()) if type(value) is dict else list(value)


def list_of(run: Run, value: Any) -> list[Any]:
    """Copy a list or a tuple; nothing for any other value."""
    return items_of(run, value) if type(value) is not dict else []


@hog("keys", 1, 1)
def keys(run: Run, value: Any) -> list[Any]:
    """List the keys of an object; of a list its places, from 0."""
    if type(value) not in (list, tuple, dict):
        return []
    made(run, len(value))
    return list(value) if type(value) is dict else list(range(len(value)))


@hog("values", 1, 1)
def values(run: Run, value: Any) -> list[Any]:
    """List the values of an object, or the items of a list."""
    return items_of(run, value)


@hog("has", 2, 2)
def has(run: Run, items: Any, wanted: Any) -> bool:
    """Tell whether an item is in a list, compared strictly."""
    if type(items) not in (list, tuple):
        return False
    run.work(len(items))
    return includes(items, wanted)


@hog("in", 2, 2)
def in_(run: Run, wanted: Any, items: Any) -> bool:
    """Tell whether an item is in a list, compared strictly."""
    return has(run, items, wanted)


@hog("indexOf", 2, 2)
def index_of(run: Run, items: Any, wanted: Any) -> int:
    """Find an item in a list, compared strictly: its place from 1, 0 if it is not there."""
    if type(items) not in (list, tuple):
        return 0
    run.work(len(items))
    return index_in(items, wanted) + 1


@hog("tuple", 0, None)
def tuple_(run: Run, *items: Any) -> tuple[Any, ...]:
    """Make a tuple."""
    made(run, len(items))
    return items


@hog("arrayPushBack", 2, 2)
def push_back(run: Run, items: Any, item: Any) -> list[Any]:
    """Add an item at the end."""
    return [*list_of(run, items), item]


@hog("arrayPushFront", 2, 2)
def push_front(run: Run, items: Any, item: Any) -> list[Any]:
    """Add an item at the start."""
    return [item, *list_of(run, items)]


@hog("arrayPopBack", 1, 1)
def pop_back(run: Run, items: Any) -> list[Any]:
    """Leave out the last item."""
    return list_of(run, items)[:-1]


@hog("arrayPopFront", 1, 1)
def pop_front(run: Run, items: Any) -> list[Any]:
    """Leave out the first item."""
    return list_of(run, items)[1:]


def _sorted(run: Run, items: Any) -> list[Any]:
    """Sort as JavaScript does unless told how: by text, in UTF-16 units."""
    copied = list_of(run, items)
    run.work(len(copied) * len(copied).bit_length())

    def text(item: Any) -> bytes:
        return run.printed(js_text(item)).encode("utf-16-be", "surrogatepass")

    return sorted(copied, key=text)


@hog("arraySort", 1, None)
def array_sort(run: Run, items: Any, *_: Any) -> list[Any]:
    """Sort by text: 1, 10, 9."""
    return _sorted(run, items)


@hog("arrayReverseSort", 1, None)
def array_reverse_sort(run: Run, items: Any, *_: Any) -> list[Any]:
    """Sort by text, the last first."""
    return _sorted(run, items)[::-1]


@hog("arrayReverse", 1, 1)
def array_reverse(run: Run, items: Any) -> list[Any]:
    """Reverse a list."""
    return list_of(run, items)[::-1]


@hog("arrayStringConcat", 1, 2)
def array_string_concat(run: Run, items: Any, separator: Any = "") -> str:
    """Join the texts of a list; null is empty."""
    between = run.printed(js_text(separator))
    pieces = ["" if item is None else run.printed(js_text(item)) for item in list_of(run, items)]
    run.allocate(sum(map(len, pieces)) + len(between) * len(pieces))
    return between.join(pieces)


@hog("range", 1, 2)
def range_(run: Run, start: Any, *ends: Any) -> list[Any]:
    """Count from 0 up to `start`, or from `start` up to an end; the last number is left out."""
    first, last = (to_number(start), to_number(ends[0])) if ends else (0, to_number(start))
    size = last - first
    if size != size:
        return []
    count = int(max(0, min(size, 2**40)))
    made(run, count)
    return [first + index for index in range(count)]


# ---- functions of functions ------------------------------------------------------------------------


@hog("arrayMap", 2, 2)
def array_map(run: Run, function: Any, items: Any) -> list[Any]:
    """List what a function makes of each item."""
    return [run.call(function, item) for item in items_of(run, items)]


@hog("arrayFilter", 2, 2)
def array_filter(run: Run, function: Any, items: Any) -> list[Any]:
    """List the items for which a function is true."""
    return [item for item in items_of(run, items) if truthy(run.call(function, item))]


@hog("arrayExists", 2, 2)
def array_exists(run: Run, function: Any, items: Any) -> bool:
    """Tell whether a function is true for any item; it is not called after that."""
    return any(truthy(run.call(function, item)) for item in items_of(run, items))


@hog("arrayCount", 2, 2)
def array_count(run: Run, function: Any, items: Any) -> int:
    """Count the items for which a function is true."""
    return sum(truthy(run.call(function, item)) for item in items_of(run, items))


@hog("arrayReduce", 3, 3)
def array_reduce(run: Run, function: Any, items: Any, first: Any) -> Any:
    """Carry a value through a list: what the function makes of it and the next item."""
    return functools.reduce(lambda carried, item: run.call(function, carried, item), items_of(run, items), first)


# ---- versions and cohorts --------------------------------------------------------------------------


@hog("sortableSemver", 1, 1)
def sortable_semver(run: Run, version: Any) -> list[Any]:
    """List the numbers of the first dotted version in a text, for comparing; nothing if there is none."""
    if version is None:
        return []
    text = run.printed(js_text(version))
    run.work(len(text))
    found = search(r"(\d+(\.\d+)+)", text)
    if found is None:
        return []
    parts = found.group(1).split(".")
    made(run, len(parts))
    return [to_number(part) for part in parts]


@hog("inCohort", 1, 2)
@hog("notInCohort", 1, 2)
def refuse_cohort(_run: Run, *_values: Any) -> bool:
    """Refuse: which cohorts a person is in is not known here."""
    raise HogError("Cohort membership can't be evaluated in real time; use person properties instead.")

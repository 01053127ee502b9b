"""
Liquid's filters for lists.

Source: https://liquidjs.com/filters/overview.html and trials of LiquidJS 10.30.1.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cmp_to_key
from typing import Any, Final

from smspipe.rendering.liquid_run import MAX_ITEMS, LiquidFault, Run
from smspipe.rendering.liquid_values import (
    UNDEFINED,
    Drop,
    added,
    cut,
    entries,
    equals,
    identity,
    is_list,
    is_nil,
    is_number,
    joined,
    js_text,
    js_truthy,
    less,
    printed,
    to_number,
    to_value,
    truthy,
    units,
)


def to_list(run: Run, value: Any) -> list[Any]:
    """Give a list as it is, nothing as no item, and all else as one item."""
    value = to_value(value)
    if is_nil(value):
        return []
    return list(run.checked_list(value)) if is_list(value) else [value]


def to_items(run: Run, value: Any) -> list[Any]:
    """Give what a loop goes through: an object's properties are pairs, a text is one item."""
    value = to_value(value)
    if is_list(value):
        return list(run.checked_list(value))
    if isinstance(value, str):
        return [value] if value else []
    return [list(entry) for entry in run.checked_list(entries(value))] if isinstance(value, Mapping) else []


def _join(run: Run, value: Any, separator: Any = UNDEFINED) -> str:
    separator = to_value(separator)
    return joined(to_list(run, value), " " if is_nil(separator) else printed(separator, run), run)


def _end(index: int) -> Callable[..., Any]:
    def filter_(run: Run, value: Any) -> Any:
        value = to_value(value)
        if isinstance(value, str):
            return value[index] if value else ""
        if is_list(value):
            return value[index] if value else UNDEFINED
        length = value.get("length") if isinstance(value, Mapping) else None
        if length is not None and is_number(length):
            # An object with a length is a list, to JavaScript.
            return value.get(printed(length - 1 if index else 0, run), UNDEFINED)
        return ""

    return filter_


def _size(run: Run, value: Any) -> Any:
    if isinstance(value, str):
        return units(value, run)
    if is_list(value):
        return len(value)
    found = run.get(value, "length") if isinstance(value, Mapping | Drop) else UNDEFINED
    return found if js_truthy(found) else 0


def _reverse(run: Run, value: Any) -> list[Any]:
    return to_list(run, value)[::-1]


def _property(run: Run, item: Any, names: list[str]) -> Any:
    for name in names:
        item = run.get(item, name)
    return item


def _order(run: Run, left: Any, right: Any) -> int:
    if is_nil(left) or is_nil(right):
        return is_nil(left) - is_nil(right)
    if less(left, right, run):
        return -1
    return 1 if less(right, left, run) else 0


def _order_naturally(run: Run, left: Any, right: Any) -> int:
    if is_nil(left) or is_nil(right):
        return is_nil(left) - is_nil(right)
    one, other = js_text(left, run).lower(), js_text(right, run).lower()
    return -1 if less(one, other, run) else int(bool(less(other, one, run)))


def _sorting(order: Callable[[Run, Any, Any], int]) -> Callable[..., list[Any]]:
    def filter_(run: Run, value: Any, path: Any = UNDEFINED) -> list[Any]:
        names = printed(path, run).split(".") if js_truthy(path) else []
        keyed = [(item, _property(run, item, names)) for item in to_list(run, value)]

        def compare(left: tuple[Any, Any], right: tuple[Any, Any]) -> int:
            run.step(1)
            return order(run, left[1], right[1])

        return [item for item, _ in sorted(keyed, key=cmp_to_key(compare))]

    return filter_


def _map(run: Run, value: Any, path: Any = UNDEFINED) -> list[Any]:
    names = printed(path, run).split(".")
    return [_property(run, item, names) for item in to_list(run, value)]


def _sum(run: Run, value: Any, path: Any = UNDEFINED) -> float:
    names = printed(path, run).split(".") if js_truthy(path) else []
    total = 0.0
    for item in to_list(run, value):
        number = to_number(_property(run, item, names), run)
        total += number if number == number else 0
    return total


def _compact(run: Run, value: Any) -> list[Any]:
    return [item for item in to_list(run, value) if not is_nil(to_value(item))]


def _concat(run: Run, value: Any, other: Any = UNDEFINED) -> list[Any]:
    return _made(to_list(run, value) + to_list(run, other))


def _made(items: list[Any]) -> list[Any]:
    if len(items) > MAX_ITEMS:
        raise LiquidFault(f"The Liquid template made a list of more than {MAX_ITEMS} items")
    return items


def _push(run: Run, value: Any, item: Any = UNDEFINED) -> list[Any]:
    return _made([*to_list(run, value), item])


def _unshift(run: Run, value: Any, item: Any = UNDEFINED) -> list[Any]:
    return _made([item, *to_list(run, value)])


def _pop(run: Run, value: Any) -> list[Any]:
    return to_list(run, value)[:-1]


def _shift(run: Run, value: Any) -> list[Any]:
    return to_list(run, value)[1:]


def _slice(run: Run, value: Any, begin: Any = UNDEFINED, length: Any = UNDEFINED) -> Any:
    value = to_value(value)
    if is_nil(value):
        return []
    items = value if is_list(value) else printed(value, run)
    run.use(len(items))
    length = 1 if length is UNDEFINED else length
    if less(begin, 0, run):
        begin = added(len(items), begin, run)
    if less(begin, 0, run) or less(length, 0, run):
        return [] if is_list(items) else ""
    if is_list(items):
        return list(cut(items, begin, added(begin, length, run), run))
    start = _count(to_number(begin, run), len(items))
    return items[start : start + _count(to_number(length, run), len(items))]


def _count(amount: float, most: int) -> int:
    """Count whole characters up to an amount, which a fraction rounds up."""
    if not amount > 0:
        return 0
    return most if amount >= most else -int(-amount // 1)


def _uniq(run: Run, value: Any) -> list[Any]:
    first: dict[Any, Any] = {}
    for item in to_list(run, value):
        first.setdefault(identity(item), item)
    return list(first.values())


def _sample(run: Run, value: Any, count: Any = UNDEFINED) -> Any:
    """Draw: the same again for the same instant and place in the run, as a preview must show what is sent."""
    value = to_value(value)
    if is_nil(value):
        return []
    items = list(run.checked_list(value if is_list(value) else list(printed(value, run))))
    run.draws += 1

    def lot(index: int) -> bytes:
        return hashlib.sha256(f"{run.now.isoformat()} {run.draws} {index}".encode()).digest()

    drawn = [items[index] for index in sorted(range(len(items)), key=lot)]
    if count is UNDEFINED or (is_number(count) and count == 1):
        return drawn[0] if drawn else UNDEFINED
    return cut(drawn, 0, count, run)


# ---- by a property, or by an expression ----------------------------------------------------------------------


def _by_property(run: Run, items: list[Any], path: Any) -> Iterator[tuple[Any, Any]]:
    text = printed(path, run)
    run.step(1 + len(text) // 10)
    evaluate = run.compile_path(text)
    for item in items:
        with run.inside(item):
            found = evaluate(run)
        yield item, found


def _by_expression(run: Run, items: list[Any], name: Any, expression: Any) -> Iterator[tuple[Any, Any]]:
    text = printed(expression, run)
    run.step(10 + len(text) // 10)
    evaluate = run.compile_value(text)
    for item in items:
        run.scopes.append({js_text(to_value(name), run): item})
        try:
            found = evaluate(run)
        finally:
            run.scopes.pop()
        yield item, found


def _meets(run: Run, found: Any, wanted: Any) -> bool:
    return truthy(found) if wanted is UNDEFINED else equals(found, wanted, run)


def _selecting(*, met: bool) -> Callable[..., list[Any]]:
    def filter_(run: Run, value: Any, path: Any = UNDEFINED, wanted: Any = UNDEFINED) -> list[Any]:
        pairs = _by_property(run, to_list(run, value), path)
        return [item for item, found in pairs if _meets(run, found, wanted) is met]

    return filter_


def _selecting_by_expression(*, met: bool) -> Callable[..., list[Any]]:
    def filter_(run: Run, value: Any, name: Any = UNDEFINED, expression: Any = UNDEFINED) -> list[Any]:
        return [item for item, found in _by_expression(run, to_list(run, value), name, expression) if found is met]

    return filter_


def _searching(give: Callable[[int, Any], Any], otherwise: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Make a filter that looks for the first item by a property, and its sibling by an expression."""

    def by_property(run: Run, value: Any, path: Any = UNDEFINED, wanted: Any = UNDEFINED) -> Any:
        for index, (item, found) in enumerate(_by_property(run, to_list(run, value), path)):
            if _meets(run, found, wanted):
                return give(index, item)
        return otherwise

    def by_expression(run: Run, value: Any, name: Any = UNDEFINED, expression: Any = UNDEFINED) -> Any:
        for index, (item, found) in enumerate(_by_expression(run, to_list(run, value), name, expression)):
            if js_truthy(found):
                return give(index, item)
        return otherwise

    return by_property, by_expression


def _grouped(pairs: Iterator[tuple[Any, Any]]) -> list[dict[str, Any]]:
    groups: dict[Any, dict[str, Any]] = {}
    for item, name in pairs:
        groups.setdefault(identity(name), {"name": name, "items": []})["items"].append(item)
    return list(groups.values())


def _group_by(run: Run, value: Any, path: Any = UNDEFINED) -> list[Any]:
    return _grouped(_by_property(run, to_items(run, value), path))


def _group_by_exp(run: Run, value: Any, name: Any = UNDEFINED, expression: Any = UNDEFINED) -> list[Any]:
    return _grouped(_by_expression(run, to_items(run, value), name, expression))


_FIND: Final = _searching(lambda _index, item: item, UNDEFINED)
_FIND_INDEX: Final = _searching(lambda index, _item: index, UNDEFINED)
_HAS: Final = _searching(lambda _index, _item: True, otherwise=False)

LISTS: Final[Mapping[str, Callable[..., Any]]] = {
    "compact": _compact,
    "concat": _concat,
    "find": _FIND[0],
    "find_exp": _FIND[1],
    "find_index": _FIND_INDEX[0],
    "find_index_exp": _FIND_INDEX[1],
    "first": _end(0),
    "group_by": _group_by,
    "group_by_exp": _group_by_exp,
    "has": _HAS[0],
    "has_exp": _HAS[1],
    "join": _join,
    "last": _end(-1),
    "map": _map,
    "pop": _pop,
    "push": _push,
    "reject": _selecting(met=False),
    "reject_exp": _selecting_by_expression(met=False),
    "reverse": _reverse,
    "sample": _sample,
    "shift": _shift,
    "size": _size,
    "slice": _slice,
    "sort": _sorting(_order),
    "sort_natural": _sorting(_order_naturally),
    "sum": _sum,
    "uniq": _uniq,
    "unshift": _unshift,
    "where": _selecting(met=True),
    "where_exp": _selecting_by_expression(met=True),
}

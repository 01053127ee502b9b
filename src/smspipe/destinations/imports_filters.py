"""Filters and cooldowns of an import: joined where PostHog asks two filters, and pointed at what is here."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from smspipe.destinations.filters import LONGEST_SECONDS

LONGEST_MASKING_SECONDS: Final = 86_400
"""What PostHog cuts the cooldown of a destination to when it runs it."""
NO_ACTION: Final = "0"
"""No action has this id, so a filter that names it cannot be switched on."""
_RELATIVE_DATE: Final = re.compile(r"-?\d+[hdwmMyqs]|[hdwmyq](?:Start|End)")


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a document, and what is to be said about it."""

    value: Any
    changed: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def join(first: Any, second: Any) -> dict[str, Any] | None:
    """
    Write the filter that lets through what two filters both let through; None when no one filter can say so.

    Of entries that both have each pair counts: the same event, with the conditions of both. An action and an event
    have no pair that a filter could name.
    """
    one, other = _object(first), _object(second)
    if (one.get("source") or "events") != (other.get("source") or "events"):
        return None
    entries = _join_entries(_entries(one), _entries(other))
    if entries is None:
        return None
    return {
        **one,
        **other,
        "source": one.get("source") or other.get("source") or "events",
        "events": [entry for entry in entries if entry.get("type") != "actions"],
        "actions": [entry for entry in entries if entry.get("type") == "actions"],
        "properties": _join_properties(one.get("properties"), other.get("properties")),
        "filter_test_accounts": bool(one.get("filter_test_accounts") or other.get("filter_test_accounts")),
    }


def place_actions(filters: Mapping[str, Any], known: Mapping[str, int]) -> Joined:
    """
    Replace PostHog's ids of actions with those of the actions of the same names here.

    One that is not here gets an id that nothing has, so that a filter never asks for whatever has its number here.
    """
    changed, needs = [], []
    placed = dict(filters)
    for kind in ("events", "actions"):
        listed = filters.get(kind)
        if not isinstance(listed, list):
            continue
        placed[kind] = list(listed)
        for index, entry in enumerate(listed):
            if not isinstance(entry, Mapping) or (entry.get("type") or kind) != "actions":
                continue
            name = str(entry.get("name") or "")
            here = known.get(name)
            placed[kind][index] = {**entry, "id": NO_ACTION if here is None else str(here)}
            if here is not None:
                changed.append(f"The action {name!r} of its filter is action {here} here, which has the same name.")
            else:
                called = repr(name) if name else f"{entry.get('id')} of PostHog"
                needs.append(
                    f"Its filter asks for the action {called}, which is not here: store it by the API"
                    " (/api/projects/1/actions/), and put its id into the filter in place of 0."
                )
    return Joined(value=placed, changed=tuple(changed), needs=tuple(needs))


def dated(filters: Mapping[str, Any]) -> bool:
    """Does a filter compare with a date that is meant from the day of the question on, such as `-7d`?"""
    return any(
        str(condition.get("operator") or "").startswith("is_date")
        and isinstance(condition.get("value"), str)
        and _RELATIVE_DATE.fullmatch(condition["value"])
        for condition in _conditions(filters)
    )


def take_masking(masking: Any, longest: int = LONGEST_MASKING_SECONDS) -> Joined:
    """Take over a cooldown as PostHog runs it: one that it would pass over or cut, it passes over or cuts here."""
    if masking is None:
        return Joined(value=None)
    if not isinstance(masking, Mapping):
        return Joined(value=masking)  # refused when it is stored
    key, ttl, threshold = masking.get("hash"), masking.get("ttl"), masking.get("threshold")
    if not key or ttl is None:
        return Joined(value=None, changed=("Its cooldown has no key or no length, so PostHog held nothing back.",))
    changed = ["A cooldown is given back when its text was not sent; in PostHog it went on."]
    if isinstance(ttl, str) and re.fullmatch(r"\d{1,12}", ttl.strip()):
        ttl = int(ttl)
    if isinstance(ttl, float) and ttl.is_integer():
        ttl = int(ttl)
    if isinstance(ttl, int) and not isinstance(ttl, bool):
        fitting = min(max(1, ttl), longest, LONGEST_SECONDS)
        if fitting != ttl:
            why = "PostHog cuts it to that when it runs" if longest < LONGEST_SECONDS else "none is longer here"
            changed.append(f"Its cooldown of {ttl} seconds is one of {fitting}: {why}.")
        ttl = fitting
    return Joined(value={"hash": key, "ttl": ttl, "threshold": threshold or None}, changed=tuple(changed))


def count_conditions(filters: Mapping[str, Any]) -> int:
    """Count the conditions of a filter, those of its entries among them."""
    return sum(1 for _ in _conditions(filters))


def _object(value: Any) -> dict[str, Any]:
    """Give a filter as an object, without what PostHog computes."""
    computed = ("bytecode", "transpiled", "bytecode_error")
    given = value if isinstance(value, Mapping) else {}
    return {key: part for key, part in given.items() if key not in computed}


def _entries(filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for kind in ("events", "actions"):
        listed = filters.get(kind)
        found += [
            {**entry, "type": entry.get("type") or kind}
            for entry in (listed if isinstance(listed, list) else ())
            if isinstance(entry, Mapping)
        ]
    return found


def _join_entries(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    if not first or not second:
        return first or second
    pairs = []
    for one in first:
        for other in second:
            same_kind = one["type"] == other["type"]
            if one.get("id") is None and one["type"] == "events":
                named = other
            elif (other.get("id") is None and other["type"] == "events") or (
                same_kind and str(one.get("id")) == str(other.get("id"))
            ):
                named = one
            elif same_kind and one["type"] == "events":
                continue  # no event has two names
            else:
                return None
            pairs.append({**named, "properties": _join_properties(one.get("properties"), other.get("properties"))})
    # Nothing would be left of the filter, and an empty one lets everything through.
    return pairs or None


def _join_properties(one: Any, other: Any) -> Any:
    if isinstance(one, list | None) and isinstance(other, list | None):
        return [*(one or ()), *(other or ())]
    groups = [{"type": "AND", "values": part} if isinstance(part, list) else part for part in (one, other) if part]
    return groups[0] if len(groups) == 1 else {"type": "AND", "values": groups}


def _conditions(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Give the conditions of a filter, an entry, a group or a list of such."""
    if depth > 50:  # deeper ones are refused when they are stored
        return
    if isinstance(value, list):
        for part in value:
            yield from _conditions(part, depth + 1)
    elif isinstance(value, Mapping):
        if "key" in value:
            yield value
        for inner in ("events", "actions", "properties", "values"):
            yield from _conditions(value.get(inner), depth + 1)

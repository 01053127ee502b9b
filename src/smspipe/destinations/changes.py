"""Tell two versions of a document apart, field by field."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs. `field` is its path, parts joined with dots; a secret shows as `{"secret": true}`."""

    field: str
    action: str
    """`created`, `changed` or `deleted`."""
    before: Any = None
    after: Any = None


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """List what must change in `before` to get `after`; objects are gone into, lists are compared whole."""
    return list(_walk("", before, after))


def compare_secrets(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """List which secret inputs changed, without what they hold."""
    hidden = {"secret": True}
    return [
        Change(
            field=f"inputs.{key}.value",
            action=_action(key in before, key in after),
            before=hidden if key in before else None,
            after=hidden if key in after else None,
        )
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _walk(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in [*before, *(key for key in after if key not in before)]:
        here = f"{path}.{key}" if path else key
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _walk(here, old, new)
        elif old != new or (key in before) != (key in after):
            yield Change(field=here, action=_action(key in before, key in after), before=old, after=new)


def _action(was: bool, is_now: bool) -> str:
    return "changed" if was and is_now else "created" if is_now else "deleted"

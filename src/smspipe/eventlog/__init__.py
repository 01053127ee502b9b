"""Keeper of the event log: every accepted request, in order, until retention ends it. A 200 means that it is here."""

from smspipe.eventlog.keeping import forget, read_from, read_oldest, rewrite, settled_position, size_between
from smspipe.eventlog.table import (
    append,
    backlog,
    find,
    last_position,
    move_cursor,
    position_of,
    positions_between,
    read_after,
    read_newest,
    remember,
)

__all__ = [
    "append",
    "backlog",
    "find",
    "forget",
    "last_position",
    "move_cursor",
    "position_of",
    "positions_between",
    "read_after",
    "read_from",
    "read_newest",
    "read_oldest",
    "remember",
    "rewrite",
    "settled_position",
    "size_between",
]

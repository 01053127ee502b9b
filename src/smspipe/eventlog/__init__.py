"""Keeper of the event log: every accepted request, in order, until retention ends it. A 200 means that it is here."""

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
    "last_position",
    "move_cursor",
    "position_of",
    "positions_between",
    "read_after",
    "read_newest",
    "remember",
]

"""The project's budget: what all destinations may spend together."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from smspipe.destinations.limits import read_budget
from smspipe.destinations.revision import bump
from smspipe.destinations.tables import projects
from smspipe.model.limits import Budget

_ONLY: Final = 1
"""The number of the one project."""
FIELD: Final = "budget"


def get_budget(connection: Connection) -> dict[str, Any]:
    """Give the limits as they were written; empty without any."""
    found: dict[str, Any] | None = connection.scalar(select(projects.c.budget).where(projects.c.id == _ONLY))
    return found or {}


def load_budget(connection: Connection) -> Budget | None:
    """Give the project's budget, None without a limit."""
    return read_budget(get_budget(connection), FIELD)


def change_budget(connection: Connection, body: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """
    Change the limits that a body has; null takes one away.

    Raises:
        Invalid: a key is unknown, or its value is not what it must be.
    """
    read_budget(body, FIELD)
    known = connection.execute(select(projects.c.id).where(projects.c.id == _ONLY).with_for_update()).first()
    before = get_budget(connection)
    after = {key: value for key, value in {**before, **body}.items() if value is not None}
    if after == before:
        return before
    values = {"budget": after, "updated_at": now}
    connection.execute(
        insert(projects).values(id=_ONLY, test_account_filters=[], **values)
        if known is None
        else update(projects).where(projects.c.id == _ONLY).values(values)
    )
    bump(connection)
    return after

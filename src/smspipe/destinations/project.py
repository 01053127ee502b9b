"""
The project: what all its destinations share and may refer to.

PostHog's test-account filters are conditions that the project's own people do not meet (`email` does not contain
`@mycompany.com`). A filter with `filter_test_accounts` holds them beside its own conditions, always as they are now.
"""

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from smspipe.destinations.actions import load_actions
from smspipe.destinations.budget import load_budget
from smspipe.destinations.revision import bump
from smspipe.destinations.tables import projects
from smspipe.matching import compile_filter, read_properties
from smspipe.model.errors import Invalid
from smspipe.model.filter import Filter, Mode, Shared

_ONLY: Final = 1
"""The number of the one project."""
_FILTERS: Final = "test_account_filters"
_CHECKED: Final = "test_account_filters_default_checked"


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """What of the project can be changed."""

    test_account_filters: list[dict[str, Any]] = []
    """Conditions in PostHog's shape, all of which somebody meets who is not of the project's own people."""
    test_account_filters_default_checked: bool | None = None
    """Whether new destinations are to leave these people out, None where nobody has said."""
    updated_at: datetime | None = None
    """None before the first change."""


def get_project(connection: Connection) -> Project:
    """Give the project; one that nobody has changed has no test-account filters."""
    row = connection.execute(select(projects).where(projects.c.id == _ONLY)).first()
    if row is None:
        return Project()
    return Project(
        test_account_filters=row.test_account_filters,
        test_account_filters_default_checked=row.test_account_filters_default_checked,
        updated_at=row.updated_at,
    )


def change_project(
    connection: Connection, body: Mapping[str, Any], *, now: datetime, fixed: Mapping[str, Any] | None = None
) -> Project:
    """
    Change the fields that a body has.

    Args:
        connection: in a transaction that may write.
        body: fields in PostHog's shape.
        now: the time of the change.
        fixed: fields that are what they are; a body may repeat them, as who sends back what was read does.

    Raises:
        Invalid: a field is unknown or fixed, or a condition cannot be evaluated when an event arrives (cohorts cannot);
            `field` says where, as `test_account_filters__0__operator`.
    """
    # Locked, so that of two changes at once the later keeps what the other one wrote.
    known = connection.execute(select(projects).where(projects.c.id == _ONLY).with_for_update()).first() is not None
    before = get_project(connection)
    _refuse_what_cannot_change(body, {"updated_at": None, **(fixed or {})})
    filters, checked = before.test_account_filters, before.test_account_filters_default_checked
    if _FILTERS in body:
        filters = _read_filters(body[_FILTERS])
    if _CHECKED in body:
        checked = _read_checked(body[_CHECKED])
    after = Project(test_account_filters=filters, test_account_filters_default_checked=checked, updated_at=now)
    if msgspec.structs.replace(after, updated_at=before.updated_at) == before:
        return before
    values = msgspec.structs.asdict(after)
    connection.execute(
        update(projects).where(projects.c.id == _ONLY).values(values)
        if known
        # On PostgreSQL two first changes at once meet at the primary key, and the later is told to try again.
        else insert(projects).values(id=_ONLY, **values)
    )
    bump(connection)
    return after


def load_shared(connection: Connection) -> Shared:
    """Load what all destinations share: the actions that are not deleted, the test-account filters, the budget."""
    filters = get_project(connection).test_account_filters
    return Shared(
        actions=load_actions(connection),
        test_accounts=read_properties(filters, _FILTERS),
        budget=load_budget(connection),
    )


def _refuse_what_cannot_change(body: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Refuse unknown fields too: a misspelled one that is passed over would let the wrong people through."""
    changeable = (_FILTERS, _CHECKED)
    for key, value in body.items():
        if key in changeable or (key in fixed and (value == fixed[key] or key == "updated_at")):
            continue
        if key in fixed:
            raise Invalid(
                "This field cannot be changed here.", field=key, hint=f"Change {_FILTERS} and {_CHECKED} only."
            )
        near = difflib.get_close_matches(key[:60], changeable, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {_FILTERS} and {_CHECKED}."
        raise Invalid(f"A project has no field {key[:60]!r} that could be changed.", field=key[:60], hint=hint)


def _read_filters(given: Any) -> list[dict[str, Any]]:
    """Check conditions as those of a filter are, for destinations of either mode."""
    if not isinstance(given, list):
        raise Invalid("This must be a list.", field=_FILTERS, hint='Write [{"key": "email", …}].')
    conditions = read_properties(given, _FILTERS)
    for mode in Mode:
        compile_filter(Filter(filter_test_accounts=True, mode=mode), test_accounts=conditions)
    return given


def _read_checked(given: Any) -> bool | None:
    if given is not None and not isinstance(given, bool):
        raise Invalid("Must be a valid boolean.", field=_CHECKED)
    return given

"""The project's test-account filters are kept as they were checked."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.destinations import load_shared, revision
from smspipe.destinations.project import Project, change_project, get_project
from smspipe.model.errors import Invalid
from smspipe.model.filter import Property, PropertyGroup
from tests.destinations.conftest import NOW

OURS: dict[str, Any] = {
    "key": "email", "type": "person", "operator": "not_icontains", "value": "@example.com",
}  # fmt: skip


def change(connection: Connection, **body: Any) -> Project:
    return change_project(connection, body, now=NOW, fixed={"name": "shop"})


def test_a_project_that_nobody_changed_has_no_filters(connection: Connection) -> None:
    assert get_project(connection) == Project()
    assert load_shared(connection).test_accounts == PropertyGroup()


def test_filters_are_kept_as_written_and_loaded_as_conditions(connection: Connection) -> None:
    changed = change(connection, test_account_filters=[OURS], test_account_filters_default_checked=True)
    assert changed == get_project(connection)
    assert changed == Project(
        test_account_filters=[OURS], test_account_filters_default_checked=True, updated_at=NOW
    )  # fmt: skip
    condition = Property(key="email", type="person", operator="not_icontains", value="@example.com")
    assert load_shared(connection).test_accounts == PropertyGroup(values=(condition,))


def test_a_change_keeps_what_it_leaves_out(connection: Connection) -> None:
    change(connection, test_account_filters=[OURS], test_account_filters_default_checked=True)
    changed = change(connection, test_account_filters_default_checked=None)
    assert (changed.test_account_filters, changed.test_account_filters_default_checked) == ([OURS], None)
    assert change(connection, test_account_filters=[]).test_account_filters == []


def test_every_change_counts_the_revision_up_and_nothing_else_does(connection: Connection) -> None:
    change(connection, test_account_filters=[OURS])
    before = revision(connection)
    same = change_project(connection, {"test_account_filters": [OURS]}, now=NOW + timedelta(hours=1))
    assert (revision(connection), same.updated_at) == (before, NOW)
    change(connection, test_account_filters=[])
    assert revision(connection) == before + 1


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"test_account_filters": {"values": []}}, "test_account_filters", "This must be a list."),
        ({"test_account_filters": None}, "test_account_filters", "This must be a list."),
        ({"test_account_filters": [OURS, 7]}, "test_account_filters__1", "A condition must be an object."),
        (
            {"test_account_filters": [OURS, {**OURS, "operator": "near"}]},
            "test_account_filters__1__operator",
            "The operator near is not known.",
        ),
        (
            {"test_account_filters": [{**OURS, "operator": "regex", "value": "("}]},
            "test_account_filters__0__value",
            "This is not a regular expression: missing ): (.",
        ),
        (
            {"test_account_filters": [{**OURS, "operator": "is_date_after", "value": "soon"}]},
            "test_account_filters__0__value",
            "This is not a date.",
        ),
        (
            {"test_account_filters": [{"key": "id", "type": "cohort", "value": 7}]},
            "test_account_filters__0",
            "Your internal/test user filters include cohorts that can't be used in real-time filters: cohort 7.",
        ),
        (
            {"test_account_filters_default_checked": "yes"},
            "test_account_filters_default_checked",
            "Must be a valid boolean.",
        ),
        ({"name": "other"}, "name", "This field cannot be changed here."),
        (
            {"test_accounts_filters": []},
            "test_accounts_filters",
            "A project has no field 'test_accounts_filters' that could be changed.",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(
    connection: Connection, body: dict[str, Any], field: str, words: str
) -> None:
    change(connection, test_account_filters=[OURS])
    with pytest.raises(Invalid) as refused:
        change(connection, **body)
    assert (refused.value.field, str(refused.value)) == (field, words)
    assert refused.value.hint or "boolean" in words
    assert get_project(connection).test_account_filters == [OURS]


def test_the_position_in_an_expression_is_told(connection: Connection) -> None:
    with pytest.raises(Invalid) as refused:
        change(connection, test_account_filters=[{"type": "hogql", "key": "properties.a >"}])
    assert (refused.value.field, refused.value.position) == ("test_account_filters__0__key", 14)


def test_what_was_read_may_be_sent_back(connection: Connection) -> None:
    assert change(connection, name="shop", updated_at="2025-01-01T00:00:00Z") == Project()

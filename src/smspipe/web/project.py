"""Doors to the project itself, in the shape that PostHog's clients read and change it by."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy import Connection

from smspipe.destinations.project import Project, change_project, get_project
from smspipe.model.clock import to_iso
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services

_ID: Final = 1


class ProjectInFull(msgspec.Struct, frozen=True, kw_only=True):
    """The project: what it is called, and whom filters with `filter_test_accounts` leave out."""

    id: int
    name: str
    api_token: str
    """The project token, which SDKs send events with."""
    timezone: str
    """Dates of filters are read in it."""
    test_account_filters: list[dict[str, Any]]
    """Conditions, all of which somebody meets who is not of the project's own people."""
    test_account_filters_default_checked: bool | None
    updated_at: str | None
    """Null before the first change."""


def show(project: Project, services: Services) -> ProjectInFull:
    """Write the project as PostHog's API does."""
    return ProjectInFull(
        id=_ID,
        name=services.project_name,
        api_token=services.project_token,
        timezone="UTC",
        test_account_filters=project.test_account_filters,
        test_account_filters_default_checked=project.test_account_filters_default_checked,
        updated_at=None if project.updated_at is None else to_iso(project.updated_at),
    )


@get("/", sync_to_thread=True, operation_id="get_project", responses=PROBLEMS)
def read_project(services: NamedDependency[Services]) -> ProjectInFull:
    """Read the project."""
    with services.database.read() as connection:
        return show(get_project(connection), services)


@patch("/", operation_id="change_project", responses=PROBLEMS)
async def patch_project(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> ProjectInFull:
    """Change the test-account filters; every destination that leaves test accounts out follows at once."""
    now = services.clock()
    changeable = ("test_account_filters", "test_account_filters_default_checked")
    shown = msgspec.structs.asdict(show(Project(), services))
    fixed = {key: value for key, value in shown.items() if key not in changeable}

    def job(connection: Connection) -> Project:
        return change_project(connection, data, now=now, fixed=fixed)

    changed = await asyncio.wrap_future(services.writer.run_job(job))
    await services.changed()
    return show(changed, services)


HANDLERS: Final = (read_project, patch_project)

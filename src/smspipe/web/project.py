"""Doors to the project itself, in the shape that PostHog's clients read and change it by."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy import Connection

from smspipe.deliveries import stop
from smspipe.destinations.project import Project, change_project, get_project
from smspipe.model.clock import to_iso
from smspipe.web.halting import StoppedState
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services

_ID: Final = 1


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What PostHog's shape does not know."""

    stopped: StoppedState | None = None
    """Set while everything is stopped."""
    held: int = 0
    """Texts that a stop holds, or held and left."""


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
    smspipe: Own


def show(project: Project, services: Services, own: Own) -> ProjectInFull:
    """Write the project as PostHog's API does."""
    return ProjectInFull(
        id=_ID,
        name=services.project_name,
        api_token=services.project_token,
        timezone="UTC",
        test_account_filters=project.test_account_filters,
        test_account_filters_default_checked=project.test_account_filters_default_checked,
        updated_at=None if project.updated_at is None else to_iso(project.updated_at),
        smspipe=own,
    )


def _own(connection: Connection) -> Own:
    stopped = stop.current(connection)
    return Own(
        stopped=None
        if stopped is None
        else StoppedState(at=to_iso(stopped.at), why=stopped.why, by=stopped.by),
        held=stop.held(connection),
    )


@get("/", sync_to_thread=True, operation_id="get_project", responses=PROBLEMS)
def read_project(services: NamedDependency[Services]) -> ProjectInFull:
    """Read the project."""
    with services.database.read() as connection:
        return show(get_project(connection), services, _own(connection))


@patch("/", operation_id="change_project", responses=PROBLEMS)
async def patch_project(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> ProjectInFull:
    """Change the test-account filters; every destination that leaves test accounts out follows at once."""
    now = services.clock()
    changeable = ("test_account_filters", "test_account_filters_default_checked")
    shown = msgspec.structs.asdict(show(Project(), services, Own()))
    fixed = {key: value for key, value in shown.items() if key not in changeable}

    given = {key: value for key, value in data.items() if key != "smspipe"}

    def job(connection: Connection) -> tuple[Project, Own]:
        return change_project(connection, given, now=now, fixed=fixed), _own(connection)

    changed, own = await asyncio.wrap_future(services.writer.run_job(job))
    await services.changed()
    return show(changed, services, own)


HANDLERS: Final = (read_project, patch_project)

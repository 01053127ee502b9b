"""Doors to the project itself, in the shape that PostHog's clients read and change it by."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy import Connection

from smspipe.deliveries import stop
from smspipe.destinations.oncall import OnCall, change_on_call, get_on_call
from smspipe.destinations.project import Project, change_project, get_project
from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.web.halting import StoppedState
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services

_ID: Final = 1
_ALARMS: Final = "alarms"


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """What PostHog's shape does not know."""

    stopped: StoppedState | None = None
    """Set while everything is stopped."""
    held: int = 0
    """Texts that a stop holds, or held and left."""
    alarms: OnCall = OnCall()
    """Whom alarms are told to."""
    webhook_secret: str | msgspec.UnsetType = msgspec.UNSET
    """What a webhook's messages are signed with: shown once, when it is made."""


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
        stopped=None if stopped is None else StoppedState(at=to_iso(stopped.at), why=stopped.why, by=stopped.by),
        held=stop.held(connection),
        alarms=get_on_call(connection),
    )


def _read_own(given: Any) -> dict[str, Any]:
    """Read what is to change under `smspipe`; the state that a body repeats is passed by."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Invalid("smspipe must be an object.", field="smspipe")
    for key in given:
        if key not in Own.__struct_fields__:
            raise Invalid(f"There is no field {key[:40]!r}.", field="smspipe", hint="There is alarms.")
    return given


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
    wished = _read_own(data.get("smspipe"))

    def job(connection: Connection) -> tuple[Project, Own]:
        made = None
        if _ALARMS in wished:
            made = change_on_call(connection, wished[_ALARMS], keyring=services.keyring,
                                  read_number=services.read_number, now=now)  # fmt: skip
        project = change_project(connection, given, now=now, fixed=fixed)
        own = _own(connection)
        return project, own if made is None else msgspec.structs.replace(own, webhook_secret=made)

    changed, own = await asyncio.wrap_future(services.writer.run_job(job))
    await services.changed()
    return show(changed, services, own)


HANDLERS: Final = (read_project, patch_project)

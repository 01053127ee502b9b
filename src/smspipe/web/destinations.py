"""Doors to the destinations: PostHog's `hog_functions`."""

import asyncio
from typing import Annotated, Any, Final

import msgspec
from litestar import delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from sqlalchemy import Connection

from smspipe.destinations import Record, registry, templates
from smspipe.destinations.document import is_own_code
from smspipe.destinations.registry import Query
from smspipe.model.clock import to_iso
from smspipe.model.ids import DestinationId
from smspipe.pipeline.lint import Finding
from smspipe.web.configuration import warnings_at_save
from smspipe.web.problems import PROBLEMS, AnyRequest, NotAllowed, NotFound
from smspipe.web.queries import MOST, Page, page, read_count, read_flag, read_words
from smspipe.web.services import Services

HEALTHY: Final = {"state": 1, "tokens": 10_000}
STOPPED: Final = {"state": 3, "tokens": 0}
OFF: Final = {"state": 0, "tokens": 0}


class DestinationInList(msgspec.Struct, kw_only=True):
    """A destination in a list."""

    id: str
    type: str
    name: str
    description: str
    created_at: str
    created_by: dict[str, Any]
    updated_at: str
    enabled: bool
    hog: str
    filters: dict[str, Any]
    icon_url: str
    template: dict[str, Any] | None
    status: dict[str, int]
    """`state` 1 while it runs, 3 while the engine holds it, 0 while it is switched off."""
    execution_order: int | None
    search_match_type: str | None = None
    smspipe: dict[str, Any]
    """
    What PostHog's shape has no place for: options, `version`, `paused` (why nothing is sent), `notes`; in the answer to
    a change also `warnings`.
    """


class DestinationInFull(DestinationInList, kw_only=True):
    """A destination by itself; a secret input shows as `{"secret": true}`."""

    deleted: bool
    template_id: str
    bytecode: list[Any] | None = None
    transpiled: str | None = None
    inputs_schema: list[dict[str, Any]]
    inputs: dict[str, Any]
    masking: dict[str, Any] | None
    mappings: list[Any] | None
    batch_export_id: str | None = None


def show(record: Record, warnings: list[Finding] | None = None) -> DestinationInFull:
    """Write a record as PostHog's API does; `warnings` are told where it was just saved."""
    document = record.document
    template = templates.get(document["template_id"])
    shown = DestinationInFull(**_common(record), template=template, **{key: document[key] for key in _FULL})
    if warnings is not None:
        shown.smspipe["warnings"] = warnings
    return shown


def show_minimal(record: Record) -> DestinationInList:
    """Write a record as in PostHog's lists."""
    template = templates.get(record.document["template_id"]) or {}
    return DestinationInList(
        **_common(record), template={key: template[key] for key in _SLIM if key in template} or None
    )


_FULL: Final = ("deleted", "template_id", "inputs_schema", "inputs", "masking", "mappings")
_SLIM: Final = ("id", "name", "description", "type", "status", "free", "category", "icon_url", "code_language")


def _common(record: Record) -> dict[str, Any]:
    document = record.document
    same = ("type", "name", "description", "enabled", "hog", "filters", "icon_url", "execution_order")
    notes = [] if is_own_code(document) else ["Its Hog source is kept as it is, but not run."]
    return {
        **{key: document[key] for key in same},
        "id": record.id,
        "created_at": to_iso(record.created_at),
        "created_by": {"first_name": record.created_by},
        "updated_at": to_iso(record.updated_at),
        "status": OFF if not document["enabled"] else HEALTHY if record.paused is None else STOPPED,
        "smspipe": {
            **document["smspipe"],
            "version": record.version,
            "paused": record.paused,
            "paused_at": None if record.paused_at is None else to_iso(record.paused_at),
            "notes": notes,
        },
    }


def missing() -> NotFound:
    """Say that there is no such destination."""
    return NotFound("Not found.")


@get(
    "/hog_functions",
    sync_to_thread=True,
    operation_id="list_destinations",
    summary="List destinations",
    responses=PROBLEMS,
)
def list_destinations(
    services: NamedDependency[Services],
    request: AnyRequest,
    types: Annotated[str | None, QueryParameter(name="type")] = None,
    enabled: FromQuery[str | None] = None,
    only_id: Annotated[str | None, QueryParameter(name="id")] = None,
    created_by: FromQuery[str | None] = None,
    search: FromQuery[str | None] = None,
    full: FromQuery[str | None] = None,
    limit: FromQuery[str | None] = None,
    offset: FromQuery[str | None] = None,
) -> Page[DestinationInFull] | Page[DestinationInList]:
    """List the destinations that are not deleted, the one changed last first; `full=true` gives each in full."""
    query = Query(
        types=read_words(types),
        enabled=read_flag(enabled, "enabled"),
        id=only_id,
        created_by=created_by,
        search=search,
        limit=read_count(limit, "limit", default=100, least=1, most=MOST),
        offset=read_count(offset, "offset", default=0),
    )
    with services.database.read() as connection:
        records, total = registry.find(connection, query)
    place = {"limit": query.limit, "offset": query.offset}
    if read_flag(full, "full"):
        return page(request, [show(record) for record in records], total, **place)
    return page(request, [show_minimal(record) for record in records], total, **place)


@post("/hog_functions", operation_id="create_destination", summary="Create a destination", responses=PROBLEMS)
async def create_destination(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> DestinationInFull:
    """Create a destination; what the body leaves out comes from its template."""
    now = services.clock()

    def job(connection: Connection) -> Record:
        return registry.create(connection, data, keyring=services.keyring, now=now, check=services.prepare)

    record = await asyncio.wrap_future(services.writer.run_job(job))
    await services.changed()
    return show(record, await warnings_at_save(services, record.id))


@get("/hog_functions/{function_id:str}", sync_to_thread=True, operation_id="get_destination", responses=PROBLEMS)
def get_destination(services: NamedDependency[Services], function_id: FromPath[str]) -> DestinationInFull:
    """Read one destination."""
    with services.database.read() as connection:
        record = registry.get(connection, DestinationId(function_id))
    if record is None:
        raise missing()
    return show(record)


async def _change(services: Services, function_id: str, data: dict[str, Any]) -> DestinationInFull:
    now = services.clock()

    def job(connection: Connection) -> Record | None:
        return registry.change(
            connection,
            DestinationId(function_id),
            data,
            keyring=services.keyring,
            now=now,
            check=services.prepare,
        )

    record = await asyncio.wrap_future(services.writer.run_job(job))
    if record is None:
        raise missing()
    await services.changed()
    return show(record, [] if record.document["deleted"] else await warnings_at_save(services, record.id))


@patch("/hog_functions/{function_id:str}", operation_id="change_destination", responses=PROBLEMS)
async def change_destination(
    services: NamedDependency[Services], function_id: FromPath[str], data: JSONBody[dict[str, Any]]
) -> DestinationInFull:
    """Change the fields that the body has; `{"deleted": true}` deletes."""
    return await _change(services, function_id, data)


@put("/hog_functions/{function_id:str}", operation_id="put_destination", responses=PROBLEMS)
async def put_destination(
    services: NamedDependency[Services], function_id: FromPath[str], data: JSONBody[dict[str, Any]]
) -> DestinationInFull:
    """Change a destination; fields that the body leaves out stay, as in PostHog."""
    return await _change(services, function_id, data)


@delete("/hog_functions/{function_id:str}", status_code=405, include_in_schema=False)
async def delete_destination(function_id: FromPath[str]) -> None:
    """Refuse: a destination is deleted by changing it, so that its deliveries can still be explained."""
    raise NotAllowed(
        f'Method "DELETE" not allowed. Send PATCH {{"deleted": true}} to /hog_functions/{function_id[:64]}/ instead.',
        allow="GET, PATCH, PUT",
    )


class DestinationVersion(msgspec.Struct, kw_only=True):
    """One version of a destination, and what differs from the one before."""

    version: int
    at: str
    by: str
    changes: list[dict[str, Any]]
    """`field` (a path), `action` (created, changed, deleted), `before`, `after`."""
    document: dict[str, Any]


@get("/hog_functions/{function_id:str}/versions", sync_to_thread=True, operation_id="list_versions", responses=PROBLEMS)
def list_versions(
    services: NamedDependency[Services], request: AnyRequest, function_id: FromPath[str]
) -> Page[DestinationVersion]:
    """List all versions of a destination, the newest first."""
    with services.database.read() as connection:
        versions = registry.versions(connection, DestinationId(function_id))
    if not versions:
        raise missing()
    shown = [
        DestinationVersion(
            version=each.version, at=to_iso(each.at), by=each.by, changes=each.changes, document=each.document
        )
        for each in versions
    ]
    return page(request, shown, len(shown), limit=len(shown), offset=0)


HANDLERS: Final = (
    list_destinations,
    create_destination,
    get_destination,
    change_destination,
    put_destination,
    delete_destination,
    list_versions,
)

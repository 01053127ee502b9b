"""Door to the import: what PostHog exported comes in, and a report of what became of it goes out."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody
from sqlalchemy import Connection

from smspipe.destinations import imports
from smspipe.destinations.imports import Here, Imported, Options
from smspipe.model.errors import Invalid
from smspipe.web.problems import PROBLEMS
from smspipe.web.queries import read_count, read_flag
from smspipe.web.services import Services


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do."""

    dry_run: bool
    imported: int
    """How many destinations were stored, or would be."""
    results: list[Imported]
    """One for each destination, in the order of the export; `id` is null where nothing was stored."""
    notes: list[str]
    """What holds for every import."""


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body that says more than the export itself."""

    export: Any
    dry_run: bool = False
    account: int | None = None
    accounts: dict[str, int] = {}
    suffix: bool = True
    escape: bool = True
    ignore_code: bool = False
    event: str | None = None
    secrets: dict[str, str | dict[str, str]] = {}


class _Undone(Exception):
    """Carries the report out of a transaction that is not to be kept."""

    def __init__(self, results: list[Imported]) -> None:
        super().__init__()
        self.results = results


@post(
    "/hog_functions/import",
    status_code=200,
    operation_id="import_destinations",
    summary="Import destinations",
    responses=PROBLEMS,
)
async def import_destinations(
    services: NamedDependency[Services],
    data: JSONBody[Any],
    dry_run: FromQuery[str | None] = None,
    account: FromQuery[str | None] = None,
    suffix: FromQuery[str | None] = None,
    escape: FromQuery[str | None] = None,
    ignore_code: FromQuery[str | None] = None,
    event: FromQuery[str | None] = None,
) -> ImportReport:
    """
    Take over what PostHog exported, in one transaction; nothing is switched on.

    The body is the export as it is, with options in the query; or `{"export": …}` with the options beside it, which
    takes `secrets` and `accounts` as well.
    """
    asked = {
        "dry_run": read_flag(dry_run, "dry_run"),
        "account": None if not account else read_count(account, "account", default=0),
        "suffix": read_flag(suffix, "suffix"),
        "escape": read_flag(escape, "escape"),
        "ignore_code": read_flag(ignore_code, "ignore_code"),
        "event": event,
    }
    request = _read(data, {key: value for key, value in asked.items() if value is not None})
    options = Options(
        account=request.account,
        accounts=request.accounts,
        suffix=request.suffix,
        escape=request.escape,
        ignore_code=request.ignore_code,
        event=request.event,
    )

    def look() -> Here:
        with services.database.read() as connection:
            return imports.look_around(connection)

    here = await asyncio.to_thread(look)
    # Reading may take a while for a large export, and the writer is needed for events.
    taken = await asyncio.to_thread(imports.take_over, request.export, options, here)
    now = services.clock()

    def job(connection: Connection) -> list[Imported]:
        results = imports.store(
            connection, taken, secrets=request.secrets, keyring=services.keyring, now=now, check=services.prepare
        )
        if request.dry_run:
            raise _Undone(results)
        return results

    try:
        results = await asyncio.wrap_future(services.writer.run_job(job))
    except _Undone as undone:
        results = [msgspec.structs.replace(each, id=None) for each in undone.results]
    else:
        await services.changed()
    count = sum(each.imported for each in results)
    return ImportReport(dry_run=request.dry_run, imported=count, results=results, notes=list(imports.NOTES))


def _read(data: Any, asked: dict[str, Any]) -> _Request:
    """Read the body; what the query asks for goes before what the body does."""
    body = data if isinstance(data, dict) and "export" in data else {"export": data}
    try:
        return msgspec.convert({**body, **asked}, _Request)
    except msgspec.ValidationError as error:
        # Its words name the field and the types, and repeat no value.
        raise Invalid(f"The options of the import cannot be read: {error}.") from None


HANDLERS: Final = (import_destinations,)

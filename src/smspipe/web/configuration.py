"""Doors for configuration as code: a list of documents planned or applied as one, lint, and the schema for editors."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy import Connection

from smspipe.destinations import applying, load_shared, registry
from smspipe.destinations.applying import Step
from smspipe.destinations.schema import schema
from smspipe.model.clock import to_iso
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.ids import DestinationId
from smspipe.pipeline.lint import MOST_SEGMENTS, Finding, Report
from smspipe.pipeline.recent import EVENTS, EVENTS_AT_SAVE
from smspipe.web.problems import PROBLEMS, Refused
from smspipe.web.services import Services


class LookedAt(msgspec.Struct, frozen=True, kw_only=True):
    """The events that a warning is drawn from."""

    events: int
    matched: int | None = None
    """How many of them the destination's filter lets through."""
    since: str | None
    until: str | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became, or would become, of one document or of a destination that no document is about."""

    position: int | None
    """The document's place in the list, from 0; null for a destination that no document is about."""
    name: str
    id: str | None
    action: str
    """`create`, `change`, `none`, `delete`, `kept` (it is on the service alone) or `refused`."""
    changes: list[dict[str, Any]]
    """`field` (a path), `action` (created, changed, deleted), `before`, `after`."""
    refused: dict[str, Any] | None = None
    """`detail`, `attr`, `hint`, `position` in a source text."""
    warnings: list[Finding] = []
    looked_at: LookedAt | None = None


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a list of documents."""

    applied: bool
    """Whether the service is so now: false for a dry run."""
    results: list[Outcome]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What lint found in one destination."""

    name: str
    id: str | None
    warnings: list[Finding]
    looked_at: LookedAt


class Lint(msgspec.Struct, frozen=True, kw_only=True):
    """What lint found."""

    results: list[Looked]


@get("/hog_functions/schema", sync_to_thread=False, operation_id="get_destination_schema", responses=PROBLEMS)
def get_schema() -> dict[str, Any]:
    """Give the JSON Schema of a file of destinations, in the short form or PostHog's shape."""
    return schema()


@post("/hog_functions/apply", status_code=200, operation_id="apply_destinations", responses=PROBLEMS)
async def apply_destinations(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> Outcomes:
    """
    Make the destinations what `destinations`, a list of documents, says: all of them or none, in one transaction.

    `prune` deletes those that no document is about, `dry_run` only says what would become of each, and `lint` adds
    warnings (`max_segments` is the limit for one of them).
    """
    documents, most_segments = _documents(data), _read_segments(data)
    prune, dry_run, warn = (_flag(data, key) for key in ("prune", "dry_run", "lint"))
    now = services.clock()

    def look(connection: Connection) -> list[Step]:
        return applying.plan(connection, documents, keyring=services.keyring, prune=prune, check=services.prepare)

    def carry_out(connection: Connection) -> list[Step]:
        steps = look(connection)
        refused = [_refusal(step) for step in steps if step.refusal is not None]
        if refused:
            raise Refused(_say_refused(refused, len(documents)), refused)
        return applying.carry_out(connection, steps, keyring=services.keyring, now=now, check=services.prepare)

    if dry_run:
        steps = await asyncio.to_thread(_reading, services, look)
    else:
        steps = await asyncio.wrap_future(services.writer.run_job(carry_out))
        if any(step.action in ("create", "change", "delete") for step in steps):
            await services.changed()
    reports: dict[int, Report] = {}
    if warn:
        found = [(place, step.destination) for place, step in enumerate(steps) if step.destination is not None]
        looked = await asyncio.to_thread(_lint, services, [each for _, each in found], EVENTS, most_segments)
        reports = {place: report for (place, _), report in zip(found, looked, strict=True)}
    return Outcomes(applied=not dry_run, results=[_show(step, reports.get(place)) for place, step in enumerate(steps)])


@post("/hog_functions/lint", status_code=200, operation_id="lint_destinations", responses=PROBLEMS)
async def lint_destinations(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> Lint:
    """
    Look at `destinations`, a list of documents, with the newest events; left out, at all that are stored.

    Raises:
        Invalid: a document could not be saved; the message says which.
    """
    most_segments = _read_segments(data)
    documents = _documents(data) if "destinations" in data else None

    def look(connection: Connection) -> list[Destination]:
        if documents is None:
            return registry.load_all(connection, services.keyring)
        steps = applying.plan(connection, documents, keyring=services.keyring, check=services.prepare)
        refused = [_refusal(step) for step in steps if step.refusal is not None]
        if refused:
            raise Refused(_say_refused(refused, len(documents)), refused)
        return [step.destination for step in steps if step.destination is not None]

    found = await asyncio.to_thread(_reading, services, look)
    reports = await asyncio.to_thread(_lint, services, found, EVENTS, most_segments)
    return Lint(
        results=[
            Looked(
                name=each.name,
                id=None if each.id == "new" else each.id,
                warnings=list(report.warnings),
                looked_at=_looked_at(report),
            )
            for each, report in zip(found, reports, strict=True)
        ]
    )


async def warnings_at_save(services: Services, id: DestinationId) -> list[Finding]:  # noqa: A002 (the model's own word)
    """Look at a destination that was just saved, with few enough events that nobody waits for it."""

    def look() -> list[Finding]:
        with services.database.read() as connection:
            found = registry.load(connection, id, services.keyring)
        if found is None:
            return []
        return [
            finding for report in _lint(services, [found], EVENTS_AT_SAVE, MOST_SEGMENTS) for finding in report.warnings
        ]

    return await asyncio.to_thread(look)


def _reading(services: Services, job: Any) -> Any:
    with services.database.read() as connection:
        return job(connection)


def _lint(services: Services, found: Sequence[Destination], events: int, most_segments: int) -> Sequence[Report]:
    with services.database.read() as connection:
        return services.lint(connection, found, load_shared(connection), events, most_segments)


def _documents(data: dict[str, Any]) -> list[Any]:
    documents = data.get("destinations")
    if not isinstance(documents, list):
        raise Invalid("This field is required.", field="destinations", hint="Give a list of documents.")
    if len(documents) > applying.MOST:
        raise Invalid(f"A list has {applying.MOST} documents at most.", field="destinations")
    return documents


def _flag(data: dict[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise Invalid("Must be a valid boolean.", field=key)
    return value


def _read_segments(data: dict[str, Any]) -> int:
    value = data.get("max_segments", MOST_SEGMENTS)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise Invalid("max_segments must be a whole number from 1 to 100.", field="max_segments")
    return value


def _say_refused(refused: list[dict[str, Any]], total: int) -> str:
    first = refused[0]
    where = f"{first['attr']}: " if first["attr"] else ""
    named = f" ({first['name']})" if first["name"] else ""
    others = f" So {'is 1 more' if len(refused) == 2 else f'are {len(refused) - 1} more'}." if len(refused) > 1 else ""
    return f"Document {first['document'] + 1} of {total}{named} is refused: {where}{first['detail']}{others}"


def _refusal(step: Step) -> dict[str, Any]:
    refusal = step.refusal
    assert refusal is not None  # noqa: S101 (asked of refused ones alone)
    return {
        "document": step.position,
        "name": step.name,
        "detail": str(refusal),
        "attr": refusal.field,
        "hint": refusal.hint,
        "position": refusal.position,
    }


def _show(step: Step, report: Report | None) -> Outcome:
    return Outcome(
        position=step.position,
        name=step.name,
        id=step.id,
        action=step.action,
        changes=[msgspec.to_builtins(change) for change in step.changes],
        refused=None if step.refusal is None else _refusal(step),
        warnings=[] if report is None else list(report.warnings),
        looked_at=None if report is None else _looked_at(report),
    )


def _looked_at(report: Report) -> LookedAt:
    return LookedAt(
        events=report.events,
        matched=report.matched,
        since=None if report.since is None else to_iso(report.since),
        until=None if report.until is None else to_iso(report.until),
    )


HANDLERS: Final = (get_schema, apply_destinations, lint_destinations)

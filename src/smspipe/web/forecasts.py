"""Doors to what would be: forecasts of a destination over stored or given events, and replays of stored ones."""

import asyncio
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.model.ids import DestinationId
from smspipe.pipeline.forecast import Question
from smspipe.pipeline.replay import Wish
from smspipe.pipeline.runs import Run, Runs
from smspipe.web.destinations import missing
from smspipe.web.problems import PROBLEMS, NotFound
from smspipe.web.queries import read_instant
from smspipe.web.services import Services

_WEEK: Final = "-7d"
_MOST_EXAMPLES: Final = 100
_LONGEST_VALID: Final = timedelta(days=7)


class RunShown(msgspec.Struct, frozen=True, kw_only=True):
    """A run: how far it has come, and in the end what came of it."""

    id: str
    kind: str
    """`forecast`, `replay_forecast` or `replay`."""
    status: str
    """`running`, `done`, `failed` or `cancelled`."""
    started_at: str
    events: int
    """How many events were looked at."""
    share: float
    """How much is done, 0 to 1."""
    result: Any
    """What came of it, null before."""
    error: str | None


@post(
    "/hog_functions/{function_id:str}/forecast", status_code=202, operation_id="forecast_destination",
    responses=PROBLEMS,
)  # fmt: skip
async def start_forecast(
    services: NamedDependency[Services], function_id: FromPath[str], data: JSONBody[dict[str, Any]]
) -> RunShown:
    """
    Begin to forecast what a destination, saved or not, would do with events; the id may be `new`. Nothing is sent.

    The body: `configuration` (a whole function or what differs from the saved one; left out, the saved one), `since`
    and `until` (instants, or spans before now as `-7d`; the last week unless said) for stored events, or `events` (a
    list of rows as PostHog exports them) instead; `trusted` (believe the phone numbers of given events), `examples`
    (10 unless said, 100 at most). A configuration that differs is compared with the version that runs.
    """
    now = services.clock()
    since, until = _read_range(data, now)
    rows = data.get("events")
    if rows is not None and not (isinstance(rows, list) and all(isinstance(each, dict) for each in rows)):
        raise Invalid("Must be a list of objects.", field="events")
    trusted = _read_flag(data, "trusted")
    examples = _read_number(data, "examples", 10, _MOST_EXAMPLES)
    found = await _question(services, function_id, _configuration(data))
    question = msgspec.structs.replace(found, examples=examples)

    def work(told: Any) -> Any:
        if rows is None:
            return services.forecasts.over_log(question, since, until, told)
        with tempfile.NamedTemporaryFile(prefix="smspipe-", suffix=".json") as file:
            Path(file.name).write_bytes(msgspec.json.encode(rows))
            return services.forecasts.over_file(question, Path(file.name), "events", told, trusted=trusted)

    return _show(services.runs.start("forecast", work))


@get("/forecasts/{run_id:str}", sync_to_thread=False, operation_id="get_forecast", responses=PROBLEMS)
def get_run(services: NamedDependency[Services], run_id: FromPath[str]) -> RunShown:
    """Say how far a forecast or replay has come, or what came of it."""
    return _show(_known(services.runs, run_id))


@delete("/forecasts/{run_id:str}", status_code=200, sync_to_thread=False, operation_id="cancel_forecast",
        responses=PROBLEMS)  # fmt: skip
def cancel_run(services: NamedDependency[Services], run_id: FromPath[str]) -> RunShown:
    """Ask a forecast or replay to end; what a replay has opened by then stays."""
    _known(services.runs, run_id)
    services.runs.cancel(run_id)
    return _show(_known(services.runs, run_id))


@post("/hog_functions/{function_id:str}/replay", status_code=202, operation_id="replay_events", responses=PROBLEMS)
async def start_replay(
    services: NamedDependency[Services], function_id: FromPath[str], data: JSONBody[dict[str, Any]]
) -> RunShown:
    """
    Begin to let a saved destination decide now on the stored events of a range. Repeated, it sends nothing new.

    The body: `since` and `until` as for a forecast. Without `expected` nothing is opened, and the run's result says how
    many texts there would be; with that number as `expected` they are opened, if by then it is the same. Events older
    than the destination takes are refused as too_old, unless `any_age` is true; `valid_for_seconds` says then until
    when their texts may leave (a day unless said, a week at most).
    """
    now = services.clock()
    since, until = _read_range(data, now)
    valid = _read_number(data, "valid_for_seconds", 86_400, int(_LONGEST_VALID.total_seconds()))
    if valid < 1:
        raise Invalid("Ensure this value is greater than or equal to 1.", field="valid_for_seconds")
    any_age = _read_flag(data, "any_age")
    expected = None if data.get("expected") is None else _read_number(data, "expected", 0, 10**9)
    wish = Wish(since=since, until=until, valid_for=timedelta(seconds=valid) if any_age else None)
    prepared = (await _question(services, function_id, None)).candidate
    if not prepared.destination.enabled:
        raise Invalid("The destination is switched off. Enable it before events are replayed into it.")
    if expected is None:
        return _show(
            services.runs.start("replay_forecast", lambda told: services.forecasts.before(prepared, wish, told))
        )
    return _show(services.runs.start("replay", lambda told: services.forecasts.replay(prepared, wish, expected, told)))


def _configuration(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    given = data.get("configuration")
    if given is not None and not isinstance(given, Mapping):
        raise Invalid("Must be an object.", field="configuration")
    return given


async def _question(services: Services, function_id: str, configuration: Mapping[str, Any] | None) -> Question:
    id_ = None if function_id == "new" else DestinationId(function_id)
    found = await asyncio.to_thread(services.forecasts.question, id_, configuration)
    if found is None:
        raise missing()
    return found


def _read_range(data: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    for key in ("since", "until"):
        if not isinstance(data.get(key), str | None):
            raise Invalid("Write an instant as 2026-01-02T03:04:05Z, or a span before now as -7d.", field=key)
    since = read_instant(data.get("since") or _WEEK, "since", now)
    until = read_instant(data.get("until"), "until", now) or now
    assert since is not None  # noqa: S101 (it has a default)
    if since >= until:
        raise Invalid("The range ends before it begins.", field="until")
    return since, until


def _read_flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise Invalid("Must be a valid boolean.", field=key)
    return value


def _read_number(data: Mapping[str, Any], key: str, default: int, most: int) -> int:
    value = data.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Invalid(f"A whole number from 0 to {most} is required.", field=key)
    return value


def _known(runs: Runs, id: str) -> Run:  # noqa: A002 (the model's own word)
    run = runs.get(id)
    if run is None:
        raise NotFound("There is no such forecast or replay, or it is forgotten by now.")
    return run


def _show(run: Run) -> RunShown:
    return RunShown(
        id=run.id,
        kind=run.kind,
        status=run.status.value,
        started_at=to_iso(run.started_at),
        events=run.events,
        share=round(run.share, 4),
        result=msgspec.to_builtins(run.result),
        error=run.error,
    )


HANDLERS: Final = (start_forecast, get_run, cancel_run, start_replay)

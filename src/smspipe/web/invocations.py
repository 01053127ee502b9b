"""The door to trying a destination: PostHog's test panel speaks to it, and so does `smspipe test`."""

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from smspipe.destinations import load_shared, registry
from smspipe.model.clock import to_iso
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.filter import Shared
from smspipe.model.ids import DestinationId
from smspipe.model.outcome import Reason, Step
from smspipe.pipeline.trial import Attempt, Sample, Trial, sample_of
from smspipe.sending import Accepted, encode_form
from smspipe.web.destinations import missing
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services

_CONSIDERED: Final = frozenset({Reason.TOO_OLD, Reason.HISTORICAL, Reason.OPTED_OUT, Reason.QUIET_HOURS})
"""Reasons that are no mistake of whoever tries the destination."""


class InvocationLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log."""

    timestamp: str
    level: str
    message: str


class InvocationRoute(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the event on one route: each step, and the text as it would leave, or left."""

    route: int
    reason: Reason | None
    steps: tuple[Step, ...]
    message: dict[str, Any] | None
    sid: str | None


class InvocationDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What PostHog's answer has no place for."""

    mismatch: str | None
    """Why the event does not meet the filter; None when it does."""
    routes: list[InvocationRoute]


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a test run."""

    result: Any
    status: str
    """`success`, `error`, or `skipped` when the event does not meet the filter or may lead to no text now."""
    errors: list[str]
    logs: list[InvocationLine]
    smspipe: InvocationDetail


@post(
    "/hog_functions/{function_id:str}/invocations", status_code=200, operation_id="test_destination", responses=PROBLEMS
)
async def test_destination(
    services: NamedDependency[Services], function_id: FromPath[str], data: JSONBody[dict[str, Any]]
) -> Invocation:
    """
    Try a destination, saved or not, with an event; the id may be `new`. Nothing is sent unless the body asks for it.

    The body: `configuration` (a whole function or what differs from the saved one), `globals` or `clickhouse_event`,
    `mock_async_functions` (default true: nothing is sent).
    """
    mock = data.get("mock_async_functions", True)
    if not isinstance(mock, bool):
        raise Invalid("Must be a valid boolean.", field="mock_async_functions")
    _check_invocation_id(data.get("invocation_id"))
    now = services.clock()
    sample = _read_sample(data, now)
    configuration = data.get("configuration") or {}
    if not isinstance(configuration, Mapping):
        raise Invalid("Must be an object.", field="configuration")
    # Whether it is switched on, or being deleted, says nothing about what it would do.
    settings = {key: value for key, value in configuration.items() if key not in ("enabled", "deleted")}

    def read() -> tuple[Destination | None, Shared]:
        with services.database.read() as connection:
            draft = registry.draft_of(
                connection,
                settings,
                keyring=services.keyring,
                id=None if function_id == "new" else DestinationId(function_id),
                check=services.prepare,
            )
            return draft, load_shared(connection)

    destination, shared = await asyncio.to_thread(read)
    if destination is None:
        raise missing()
    trial = await services.test(destination, shared, sample, mock)
    return _show(trial, sample, services.twilio_api_url, now, mock=mock)


def _check_invocation_id(given: Any) -> None:
    if given is None:
        return
    try:
        uuid.UUID(given)
    except (AttributeError, TypeError, ValueError):
        raise Invalid("Invalid invocation ID", field="invocation_id") from None


def _read_sample(data: Mapping[str, Any], now: datetime) -> Sample:
    """Read the event to try: a template's globals, or a row of PostHog's events."""
    given = data.get("globals")
    if isinstance(given, Mapping) and isinstance(given.get("event"), Mapping | str):
        return sample_of(_with_elements(given), now)
    row = data.get("clickhouse_event")
    if isinstance(row, Mapping) and isinstance(row.get("event"), str):
        return sample_of(_with_elements(_globals_of(row)), now)
    raise Invalid("Missing event", field="globals", hint='Send {"globals": {"event": {…}, "person": {…}}}.')


def _with_elements(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put the chain of elements where a captured event has it: among the properties."""
    event = given.get("event")
    if not isinstance(event, Mapping) or not event.get("elements_chain"):
        return given
    properties = event.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return {
        **given,
        "event": {**event, "properties": {"$elements_chain": event["elements_chain"], **known}},
    }


def _globals_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read a row as PostHog's events table gives it, properties as JSON text."""
    event = {key: row.get(key) for key in ("uuid", "event", "distinct_id", "timestamp", "elements_chain")}
    event["properties"] = _json_object(row.get("properties"), "clickhouse_event__properties")
    if row.get("person_id") is None:
        return {"event": event}
    properties = _json_object(row.get("person_properties"), "clickhouse_event__person_properties")
    return {"event": event, "person": {"id": row["person_id"], "properties": properties}}


def _json_object(given: Any, field: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(given) if isinstance(given, str) and given else given or {}
    except msgspec.DecodeError:
        value = None
    if not isinstance(value, dict):
        raise Invalid("Must be a JSON object.", field=field)
    return value


def _show(trial: Trial, sample: Sample, base: str, now: datetime, *, mock: bool) -> Invocation:
    errors = [error for attempt in trial.attempts if (error := _error(attempt)) is not None]
    succeeded = any(_succeeded(attempt, mock=mock) for attempt in trial.attempts)
    lines = list(_lines(trial, sample, base, mock=mock))
    return Invocation(
        result=None,
        status="error" if errors else "success" if succeeded else "skipped",
        errors=errors,
        # Lines of one run keep their order by their time, a millisecond apart.
        logs=[
            InvocationLine(timestamp=to_iso(now + timedelta(milliseconds=place)), level=level, message=message)
            for place, (level, message) in enumerate(lines)
        ],
        smspipe=InvocationDetail(mismatch=trial.mismatch, routes=[_show_route(attempt) for attempt in trial.attempts]),
    )


def _show_route(attempt: Attempt) -> InvocationRoute:
    text = attempt.message
    shown: dict[str, Any] | None = None
    if text is not None:
        shown = {
            "to": text.to,
            "from": text.sender,
            "body": text.body,
            "encoding": text.encoding.value,
            "segments": text.segments,
        }
        if text.extras is not None:
            shown["extras"] = text.extras
    return InvocationRoute(
        route=attempt.route,
        reason=attempt.reason,
        steps=attempt.steps,
        message=shown,
        sid=attempt.answer.sid if isinstance(attempt.answer, Accepted) else None,
    )


def _succeeded(attempt: Attempt, *, mock: bool) -> bool:
    return attempt.reason is None and attempt.message is not None and (mock or isinstance(attempt.answer, Accepted))


def _error(attempt: Attempt) -> str | None:
    """Say what is wrong, None where a text left or would leave, or may not be sent for a considered reason."""
    if attempt.reason is None or attempt.reason in _CONSIDERED:
        return None
    return attempt.steps[-1].saw or attempt.reason.value


def _lines(trial: Trial, sample: Sample, base: str, *, mock: bool) -> Iterator[tuple[str, str]]:
    """Tell the run line by line, in the words of PostHog's test panel where it has some."""
    if not trial.attempts:
        yield "info", f"Trigger not matching filters was ignored. {trial.mismatch or ''}".rstrip()
        return
    for attempt in trial.attempts:
        if attempt.request is not None and mock:
            yield "info", "Async function 'fetch' was mocked with arguments:"
            yield "info", _fetch(attempt.request, base)
        if _succeeded(attempt, mock=mock):
            yield "info", "SMS sent successfully via Twilio!" if not mock else "Nothing was sent."
        elif (error := _error(attempt)) is not None:
            yield "error", f"Error executing function on event {sample.event.uuid}: {error}"
        else:
            yield "warn", attempt.steps[-1].saw if attempt.steps else str(attempt.reason)
    yield "debug", f"Function completed. Event: '{sample.event.uuid}'"


def _fetch(request: Mapping[str, Any], base: str) -> str:
    """Write a request as the call that PostHog would have made, without the credentials."""
    options = {
        "method": request["method"],
        "headers": {
            "Authorization": "Basic ***REDACTED***",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        "body": encode_form(request["body"]).decode(),
    }
    return f"fetch('{base.rstrip('/')}{request['url']}', {json.dumps(options, indent=2, ensure_ascii=False)})"


HANDLERS: Final = (test_destination,)

"""Doors to what a destination did: PostHog's logs and metrics of a function, read from the ledger and the counts."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy import Connection

from smspipe.deliveries import metrics, queries
from smspipe.destinations import registry
from smspipe.model.clock import to_iso
from smspipe.model.delivery import Delivery, Status
from smspipe.model.errors import Invalid
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.model.outcome import Reason
from smspipe.pipeline.explain import tell
from smspipe.web.destinations import missing
from smspipe.web.problems import PROBLEMS, AnyRequest
from smspipe.web.queries import read_count, read_instant, read_words
from smspipe.web.services import Services

MOST_LINES: Final = 500
_LOOKED_AT: Final = 10_000
"""Deliveries that one search goes through at most."""
_STEPS: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
_MOST_BUCKETS: Final = 10_000
_DEFECTS: Final = frozenset(
    {
        Reason.FILTER_ERROR,
        Reason.TEMPLATE_ERROR,
        Reason.RECIPIENT_MISSING,
        Reason.RECIPIENT_INVALID,
        Reason.BODY_EMPTY,
        Reason.BODY_TOO_LONG,
    }
)
_LEVELS: Final = ("DEBUG", "INFO", "WARN", "ERROR")


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a destination's log. `instance_id` is the delivery that it tells of."""

    log_source_id: str
    instance_id: str
    timestamp: str
    level: str
    message: str


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest lines first."""

    results: list[LogLine]


class MetricsSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chart."""

    name: str
    values: list[int]


class MetricsByTime(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by time: a label and, in every series, a value for each bucket."""

    labels: list[str]
    series: list[MetricsSeries]


class MetricsTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the whole span."""

    totals: dict[str, int]


@get("/hog_functions/{function_id:str}/logs", sync_to_thread=True, operation_id="list_logs", responses=PROBLEMS)
def list_logs(
    services: NamedDependency[Services],
    request: AnyRequest,
    function_id: FromPath[str],
    limit: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    search: FromQuery[str | None] = None,
    instance_id: FromQuery[str | None] = None,
) -> LogPage:
    """List what a destination did, a line or two for each delivery; `level` may be repeated or a list with commas."""
    now = services.clock()
    most = read_count(limit, "limit", default=50, least=1, most=MOST_LINES)
    query = queries.Query(
        destination=DestinationId(function_id),
        after=read_instant(after, "after", now),
        before=read_instant(before, "before", now),
    )
    levels = _read_levels(request.query_params.getall("level", []))
    wanted = (search or "").lower()
    with services.database.read() as connection:
        _must_exist(connection, function_id)
        if instance_id:
            one = queries.get(connection, DeliveryId(instance_id))
            deliveries = iter([one] if one is not None and one.destination_id == function_id else [])
        else:
            deliveries = _newest(connection, query)
        lines = (line for delivery in deliveries for line in _lines(delivery))
        chosen = (line for line in lines if line.level in levels and wanted in line.message.lower())
        found = list(itertools.islice(chosen, most))
    return LogPage(results=sorted(found, key=lambda line: line.timestamp, reverse=True))


def _read_levels(given: list[str]) -> frozenset[str]:
    words = [word.upper() for text in given for word in read_words(text)]
    for word in words:
        if word not in _LEVELS:
            raise Invalid(f'"{word[:20]}" is not a valid choice.', field="level")
    return frozenset(words or _LEVELS)


def _newest(connection: Connection, query: queries.Query) -> Iterator[Delivery]:
    """Walk through deliveries from the newest, reading as many at a time as are needed."""
    last: DeliveryId | None = None
    size = 100
    seen = 0
    while seen < _LOOKED_AT:
        found = queries.list_deliveries(connection, query, limit=size, older_than=last)
        yield from found
        seen += len(found)
        if len(found) < size:
            return
        last, size = found[-1].id, 1000


def _lines(delivery: Delivery) -> Iterator[LogLine]:
    """Tell a delivery in lines: where it stands, after how it was decided on."""
    common: dict[str, Any] = {"log_source_id": delivery.destination_id, "instance_id": delivery.id}
    name = f"event '{delivery.event}' ({delivery.event_uuid})"
    settled_at = delivery.settled_at or delivery.sent_at or delivery.created_at
    if delivery.reason in _DEFECTS and delivery.status is Status.SUPPRESSED:
        level, message = "ERROR", f"Error building inputs for {name}: {delivery.reason}. {tell(delivery)}"
    elif delivery.status is Status.SUPPRESSED:
        level, message = "INFO", f"{tell(delivery)} ({delivery.reason}) [{name}]"
    elif delivery.status in (Status.FAILED, Status.UNDELIVERED):
        level, message = "ERROR", f"Error executing function on {name}: {delivery.reason}. {tell(delivery)}"
    elif delivery.status in (Status.HELD, Status.UNCONFIRMED):
        level, message = "WARN", f"{tell(delivery)} ({delivery.reason}) [{name}]"
    elif delivery.status in (Status.ACCEPTED, Status.DELIVERED):
        level, message = "INFO", f"SMS sent successfully via Twilio! {tell(delivery)} [{name}]"
    else:
        level, message = "DEBUG", f"{tell(delivery)} [{name}]"
    yield LogLine(**common, timestamp=to_iso(settled_at), level=level, message=message)


@get("/hog_functions/{function_id:str}/metrics", sync_to_thread=True, operation_id="get_metrics", responses=PROBLEMS)
def get_metrics(
    services: NamedDependency[Services],
    function_id: FromPath[str],
    after: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    interval: FromQuery[str | None] = None,
    name: FromQuery[str | None] = None,
    kind: FromQuery[str | None] = None,
    breakdown_by: FromQuery[str | None] = None,
) -> MetricsByTime:
    """Count what a destination did, by hour, day or week (UTC; weeks begin on Monday)."""
    start, end = _span(services, after, before)
    step = interval or "day"
    if step not in _STEPS:
        raise Invalid(f'"{step[:20]}" is not a valid choice.', field="interval")
    buckets = _buckets(start, end, step)
    counts: dict[str, Counter[datetime]] = {}
    for hour, word, total in _counts(services, function_id, start, end, name, kind, breakdown_by):
        counts.setdefault(word, Counter())[_floor(hour, step)] += total
    return MetricsByTime(
        labels=[f"{bucket:%Y-%m-%d %H:%M}" for bucket in buckets],
        series=[
            MetricsSeries(name=word, values=[counts[word][bucket] for bucket in buckets]) for word in sorted(counts)
        ],
    )


@get(
    "/hog_functions/{function_id:str}/metrics/totals",
    sync_to_thread=True,
    operation_id="get_metrics_totals",
    responses=PROBLEMS,
)
def get_metrics_totals(
    services: NamedDependency[Services],
    function_id: FromPath[str],
    after: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    name: FromQuery[str | None] = None,
    kind: FromQuery[str | None] = None,
    breakdown_by: FromQuery[str | None] = None,
) -> MetricsTotals:
    """Count what a destination did in all."""
    start, end = _span(services, after, before)
    totals: Counter[str] = Counter()
    for _, word, total in _counts(services, function_id, start, end, name, kind, breakdown_by):
        totals[word] += total
    return MetricsTotals(totals=dict(sorted(totals.items())))


def _span(services: Services, after: str | None, before: str | None) -> tuple[datetime, datetime]:
    now = services.clock()
    start = read_instant(after or "-7d", "after", now) or now
    return start, read_instant(before, "before", now) or now


def _counts(
    services: Services,
    function_id: str,
    start: datetime,
    end: datetime,
    name: str | None,
    kind: str | None,
    breakdown_by: str | None,
) -> list[tuple[datetime, str, int]]:
    """Give (hour, name or kind, count) of what was asked for; the counts of the hour that `start` lies in count."""
    by = breakdown_by or "kind"
    if by not in ("name", "kind"):
        raise Invalid(f'"{by[:20]}" is not a valid choice.', field="breakdown_by")
    names, kinds = read_words(name), read_words(kind)
    with services.database.read() as connection:
        _must_exist(connection, function_id)
        rows = metrics.read(connection, DestinationId(function_id), _floor(start, "hour"), end)
    return [
        (hour, row_name if by == "name" else row_kind, total)
        for hour, row_name, row_kind, total in rows
        if (not names or row_name in names) and (not kinds or row_kind in kinds)
    ]


def _buckets(start: datetime, end: datetime, step: str) -> list[datetime]:
    first = _floor(start, step)
    count = max(0, -(-(end - first) // _STEPS[step]))
    if count > _MOST_BUCKETS:
        raise Invalid("There are too many intervals between after and before.", field="interval")
    return [first + place * _STEPS[step] for place in range(count)]


def _floor(at: datetime, step: str) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    if step == "hour":
        return hour
    day = hour.replace(hour=0)
    return day if step == "day" else day - timedelta(days=day.weekday())


def _must_exist(connection: Connection, function_id: str) -> None:
    if registry.get(connection, DestinationId(function_id)) is None:
        raise missing()


HANDLERS: Final = (list_logs, get_metrics, get_metrics_totals)

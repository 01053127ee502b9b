"""Counts of a destination by hour, under the names of PostHog's app metrics."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from smspipe.deliveries.tables import destination_metrics
from smspipe.model.ids import DestinationId

KINDS: Mapping[str, str] = {
    "triggered": "other",
    "succeeded": "success",
    "delivered": "other",
    "undelivered": "failure",
    "failed": "failure",
    "filtered": "other",
    "filtering_failed": "other",
    "inputs_failed": "failure",
    "masked": "other",
    "fetch": "other",
    "rate_limited": "failure",
    "dropped": "failure",
    "disabled_temporarily": "failure",
    "unconfirmed": "other",
}
"""Name → kind."""


def add(connection: Connection, counts: Mapping[tuple[DestinationId, str], int], now: datetime) -> None:
    """Add to this hour's counts of (destination, name)."""
    if not counts:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    statement = insert(destination_metrics)
    statement = statement.on_conflict_do_update(
        index_elements=[destination_metrics.c.destination_id, destination_metrics.c.hour, destination_metrics.c.name],
        set_={"total": destination_metrics.c.total + statement.excluded.total},
    )
    connection.execute(
        statement,
        [
            {"destination_id": destination, "hour": hour, "name": name, "kind": KINDS[name], "total": n}
            for (destination, name), n in counts.items()
        ],
    )


def read(
    connection: Connection, destination: DestinationId, after: datetime, before: datetime
) -> list[tuple[datetime, str, str, int]]:
    """Give (hour, name, kind, count) from `after` up to `before`, oldest first."""
    rows = connection.execute(
        select(
            destination_metrics.c.hour,
            destination_metrics.c.name,
            destination_metrics.c.kind,
            destination_metrics.c.total,
        )
        .where(
            destination_metrics.c.destination_id == destination,
            destination_metrics.c.hour >= after,
            destination_metrics.c.hour < before,
        )
        .order_by(destination_metrics.c.hour, destination_metrics.c.name)
    )
    return [(row.hour, row.name, row.kind, row.total) for row in rows]

"""Questions to the ledger: one delivery, lists of them, and how many there are. Nothing here writes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, func, literal, literal_column, select, tuple_

from smspipe.deliveries.steps import unpack
from smspipe.deliveries.tables import deliveries
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid
from smspipe.model.message import Extras
from smspipe.model.outcome import Reason


def get(connection: Connection, delivery: DeliveryId) -> Delivery | None:
    """Read one delivery."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery)).mappings().first()
    return None if row is None else to_delivery(row)


MOST_BEFORE: Final = 20_000
"""Texts that `segments_before` looks at, at most: a question about one text stays cheap, however many wait."""


def segments_before(connection: Connection, waiting: Delivery) -> tuple[int, bool]:
    """Sum the segments of older texts that wait for the same sender; False with it when there may be more."""
    older = (
        select(func.coalesce(deliveries.c.segments, 1).label("segments"))
        .where(
            # written out as in the index of what waits, or SQLite would not see that it may use that
            deliveries.c.status == literal_column(repr(Status.PENDING.value)),
            deliveries.c.sender == waiting.sender,
            tuple_(deliveries.c.not_before, deliveries.c.id)
            < tuple_(
                literal(waiting.not_before or waiting.created_at, deliveries.c.not_before.type), literal(waiting.id)
            ),
        )
        .limit(MOST_BEFORE)
        .subquery()
    )
    found = connection.execute(select(func.count(), func.coalesce(func.sum(older.c.segments), 0))).one()
    return int(found[1]), found[0] < MOST_BEFORE


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are meant; None leaves a condition out. `after` and `before` are instants of creation."""

    destination: DestinationId | None = None
    status: Status | None = None
    reason: Reason | None = None
    error_code: int | None = None
    to: str | None = None
    event_uuid: EventUuid | None = None
    distinct_id: str | None = None
    after: datetime | None = None
    before: datetime | None = None


def list_deliveries(
    connection: Connection,
    query: Query,
    *,
    limit: int,
    older_than: DeliveryId | None = None,
    newer_than: DeliveryId | None = None,
) -> list[Delivery]:
    """
    List deliveries, newest first: ids sort by time of creation, so an id is a cursor.

    `older_than` gives the next page behind an id, `newer_than` the page just before one.
    """
    chosen = select(deliveries).where(*conditions(query))
    if older_than is not None:
        chosen = chosen.where(deliveries.c.id < older_than)
    if newer_than is not None:
        chosen = chosen.where(deliveries.c.id > newer_than).order_by(deliveries.c.id).limit(limit)
        return [to_delivery(row) for row in connection.execute(chosen).mappings()][::-1]
    newest = chosen.order_by(deliveries.c.id.desc()).limit(limit)
    return [to_delivery(row) for row in connection.execute(newest).mappings()]


def count_by_status(connection: Connection, query: Query) -> Mapping[Status, int]:
    """Count the deliveries that `query` means, by status."""
    chosen = select(deliveries.c.status, func.count()).where(*conditions(query)).group_by(deliveries.c.status)
    return {Status(status): n for status, n in connection.execute(chosen)}


def conditions(query: Query) -> list[ColumnElement[bool]]:
    """Write what `query` asks of a delivery; all of it must hold."""
    same = {
        deliveries.c.destination_id: query.destination,
        deliveries.c.status: query.status,
        deliveries.c.reason: query.reason,
        deliveries.c.error_code: query.error_code,
        deliveries.c.to: query.to,
        deliveries.c.event_uuid: query.event_uuid,
        deliveries.c.distinct_id: query.distinct_id,
    }
    asked = [column == value for column, value in same.items() if value is not None]
    if query.after is not None:
        asked.append(deliveries.c.created_at >= query.after)
    if query.before is not None:
        asked.append(deliveries.c.created_at < query.before)
    return asked


def to_delivery(row: RowMapping) -> Delivery:
    """Make a value of a row."""
    values = dict(row)
    values["status"] = Status(values["status"])
    values["reason"] = None if values["reason"] is None else Reason(values["reason"])
    values["steps"] = unpack(values["steps"])
    if values["extras"] is not None:
        values["extras"] = msgspec.convert(values["extras"], Extras)
    return Delivery(**values)

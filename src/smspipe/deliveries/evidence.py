"""
What Twilio can tell of texts that it may have: which are in doubt, which are to be asked about, and what it said.

A receipt is kept as it came, each thing once, before anything is concluded from it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, bindparam, func, literal_column, or_, select, union, update
from sqlalchemy.dialects.sqlite import insert

from smspipe.db import Hot
from smspipe.deliveries.queries import to_delivery
from smspipe.deliveries.tables import deliveries, receipts
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId

_json = msgspec.json.Encoder().encode
_FAR_AHEAD: Final = timedelta(minutes=5)

_IN_DOUBT = Hot(
    select(deliveries.c.id, deliveries.c.to, deliveries.c.body, deliveries.c.sender)
    # of itself SQLite takes the index of all texts to a number, however many there were
    .with_hint(deliveries, "INDEXED BY deliveries_in_doubt", "sqlite")
    .where(
        # written out as in the index, or SQLite would not see that it may use that
        deliveries.c.status.in_((literal_column("'sending'"), literal_column("'unconfirmed'"))),
        deliveries.c.to.in_(select(func.json_each(bindparam("numbers")).table_valued("value").c.value)),
    ),
    ("numbers",),
)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that Twilio said of a text."""

    sid: str
    status: str
    error_code: int | None
    at: datetime
    source: str
    """`callback`, `fetch` or `list`."""
    attempt: int


class Twin(msgspec.Struct, frozen=True):
    """A text of which it is not known (yet) whether it went out."""

    delivery: DeliveryId
    to: str
    body: str
    sender: str


def in_doubt(connection: Connection, numbers: Iterable[str]) -> list[Twin]:
    """
    Name the texts to these numbers that are being sent or unconfirmed.

    A text to the same number with the same words must wait for them: of two in doubt at once, Twilio's list could not
    tell which one it shows.
    """
    rows = _IN_DOUBT.read(connection, (_json(list(numbers)).decode(),))
    return [Twin(*row) for row in rows]


def sids_to(connection: Connection, number: str) -> dict[str, DeliveryId]:
    """Give every SID that the ledger knows of texts to a number, with the delivery that it belongs to."""
    own = select(deliveries.c.sid, deliveries.c.id).where(deliveries.c.to == number, deliveries.c.sid.is_not(None))
    told = (
        select(receipts.c.sid, receipts.c.delivery_id)
        .join(deliveries, deliveries.c.id == receipts.c.delivery_id)
        .where(deliveries.c.to == number)
    )
    return {sid: DeliveryId(id_) for sid, id_ in connection.execute(union(own, told))}


def to_ask(connection: Connection, now: datetime, limit: int, *, patience: timedelta = timedelta()) -> list[Delivery]:
    """
    Give the deliveries that Twilio is to be asked about by now, those that wait longest first.

    `patience` leaves those out that are not in doubt and have waited less than that.

    What is in doubt is asked about every minute. Where its time lies further ahead, a clock wrote it that has been set
    back since: it is due as well.
    """
    rows = connection.execute(
        select(deliveries)
        .where(
            or_(
                deliveries.c.ask_at <= now - patience,
                and_(deliveries.c.ask_at <= now, deliveries.c.status == Status.UNCONFIRMED),
                and_(deliveries.c.ask_at > now + _FAR_AHEAD, deliveries.c.status == Status.UNCONFIRMED),
            )
        )
        .order_by(deliveries.c.ask_at)
        .limit(limit)
    )
    return [to_delivery(row) for row in rows.mappings()]


def next_ask(connection: Connection, after: datetime) -> datetime | None:
    """Tell when Twilio is to be asked next after an instant, None when there is nothing to ask."""
    at: datetime | None = connection.scalar(
        select(func.min(deliveries.c.ask_at, type_=deliveries.c.ask_at.type)).where(deliveries.c.ask_at > after)
    )
    return at


def ask_later(connection: Connection, asked: Sequence[tuple[DeliveryId, datetime | None, int]]) -> None:
    """Note for (delivery, when next, looks so far) that Twilio was asked and nothing new was learnt."""
    if asked:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("of"))
            .values(ask_at=bindparam("then", type_=deliveries.c.ask_at.type), looks=bindparam("so_far")),
            [{"of": id_, "then": then, "so_far": looks} for id_, then, looks in asked],
        )


def add_receipt(
    connection: Connection,
    delivery: DeliveryId,
    *,
    sid: str,
    status: str,
    error_code: int | None,
    at: datetime,
    source: str,
    attempt: int,
) -> bool:
    """Keep what Twilio said of a text; False when it had said the same before."""
    row = {"delivery_id": delivery, "sid": sid, "status": status, "error_code": error_code or 0, "at": at,
           "source": source, "attempt": attempt}  # fmt: skip
    statement = insert(receipts).values(row).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount)


def receipts_of(connection: Connection, delivery: DeliveryId) -> list[Told]:
    """List what Twilio said of a delivery, in the order in which it came."""
    rows = connection.execute(select(receipts).where(receipts.c.delivery_id == delivery).order_by(receipts.c.id))
    return [
        Told(sid=row.sid, status=row.status, error_code=row.error_code or None, at=row.at, source=row.source,
             attempt=row.attempt)
        for row in rows
    ]  # fmt: skip


def learn(connection: Connection, delivery: DeliveryId, **values: Any) -> None:
    """Write down what is newly known of a delivery that does not move: any of `_LEARNT`."""
    connection.execute(update(deliveries).where(deliveries.c.id == delivery).values(**values))

"""
What the ledger forgets: old deliveries and, sooner, the words of old texts; and all that it says of a person.

Ids sort by time of creation, so what is old lies at the beginning, and a step goes on where the one before it ended.
What is not settled yet, or in doubt, stays however old it is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from smspipe.deliveries.queries import to_delivery
from smspipe.deliveries.tables import (
    alarms,
    deliveries,
    destination_metrics,
    held_back,
    passes,
    receipts,
    stopped_texts,
)
from smspipe.model.clock import to_micros
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId

_SETTLED: Final = (Status.ACCEPTED, Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.SUPPRESSED)
IN_DOUBT: Final = (Status.SENDING, Status.UNCONFIRMED)
FIRST: Final = DeliveryId("")


def id_at(at: datetime) -> str:
    """Give what is less than the id of any delivery made from an instant on: its first 48 bits are milliseconds."""
    milliseconds = f"{max(0, to_micros(at) // 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"


def old(
    connection: Connection, before: datetime, after: DeliveryId, most: int, *, with_words: bool = False
) -> list[DeliveryId]:
    """
    Name settled deliveries that were made before an instant, the oldest first.

    Args:
        connection: for reading.
        before: the instant.
        after: only those behind this one; `FIRST` to begin.
        most: how many.
        with_words: only those that have their text still.
    """
    wanted = [deliveries.c.id > after, deliveries.c.id < id_at(before), deliveries.c.status.in_(_SETTLED)]
    if with_words:
        wanted.append(deliveries.c.body.is_not(None))
    return [
        DeliveryId(id_)
        for id_ in connection.scalars(select(deliveries.c.id).where(*wanted).order_by(deliveries.c.id).limit(most))
    ]


def forget(connection: Connection, ids: Sequence[DeliveryId]) -> int:
    """Delete deliveries that are settled still, with what was told of them; give how many."""
    gone = list(
        connection.scalars(
            delete(deliveries)
            .where(deliveries.c.id.in_(ids), deliveries.c.status.in_(_SETTLED))
            .returning(deliveries.c.id)
        )
    )
    connection.execute(delete(receipts).where(receipts.c.delivery_id.in_(gone)))
    connection.execute(delete(stopped_texts).where(stopped_texts.c.delivery_id.in_(gone)))
    return len(gone)


def forget_words(connection: Connection, ids: Sequence[DeliveryId]) -> int:
    """Take the text, and what was asked of Twilio beside it, from deliveries that are settled still."""
    mine = (deliveries.c.id.in_(ids), deliveries.c.status.in_(_SETTLED))
    return connection.execute(update(deliveries).where(*mine).values(body=None, extras=None)).rowcount


def forget_counts(connection: Connection, before: datetime) -> None:
    """Delete the counts by hour, and the alarms that were over, before an instant."""
    connection.execute(delete(destination_metrics).where(destination_metrics.c.hour < before))
    connection.execute(delete(alarms).where(alarms.c.resolved_at < before))


def read_from(connection: Connection, after: DeliveryId, most: int) -> list[Delivery]:
    """Read the deliveries behind an id, oldest first."""
    rows = connection.execute(select(deliveries).where(deliveries.c.id > after).order_by(deliveries.c.id).limit(most))
    return [to_delivery(row) for row in rows.mappings()]


_BLANK: Final[Mapping[str, Any]] = {
    "to": None,
    "body": None,
    "distinct_id": "",
    "steps": None,
    "error_message": None,
    "cooldown_key": None,
    "extras": None,
}


def erase(connection: Connection, ids: Sequence[DeliveryId]) -> int:
    """
    Take from deliveries everything that says whom they were for and what they said; give how many were changed.

    What is in doubt is left alone: without number and text nobody could find out whether it was sent. The row stays,
    so that a repeated event leads to no second text, with its counts and Twilio's SID.
    """
    mine = (deliveries.c.id.in_(list(ids)), deliveries.c.status.not_in(IN_DOUBT))
    connection.execute(
        delete(receipts).where(receipts.c.delivery_id.in_(select(deliveries.c.id).where(*mine)), receipts.c.sid != "")
    )
    numbers = set(connection.scalars(select(deliveries.c.to).where(*mine, deliveries.c.to.is_not(None))))
    connection.execute(delete(held_back).where(held_back.c.to.in_(numbers)))
    connection.execute(delete(passes).where(passes.c.delivery_id.in_(select(deliveries.c.id).where(*mine))))
    return connection.execute(update(deliveries).where(*mine).values(**_BLANK)).rowcount


def forget_mentions(connection: Connection, ids: Sequence[DeliveryId]) -> int:
    """Take the words from deliveries to somebody else that mention who is erased."""
    mine = (deliveries.c.id.in_(list(ids)), deliveries.c.status.in_(_SETTLED))
    blank = {"body": None, "steps": None, "extras": None, "error_message": None}
    return connection.execute(update(deliveries).where(*mine).values(**blank)).rowcount

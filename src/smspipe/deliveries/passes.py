"""
Who was let through to whom: what frequency caps count, and how many texts were held back since.

A row says no more than that a delivery counts under a key; whether it waits, has left or was certainly not sent stands
in the ledger, so there is one truth. Rows are written only for texts that some cap may count.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, delete, exists, or_, select
from sqlalchemy.dialects.sqlite import insert

from smspipe.deliveries.tables import deliveries, held_back, passes
from smspipe.model.delivery import Status
from smspipe.model.ids import DeliveryId, DestinationId, uuid7
from smspipe.model.limits import Passed

LONGEST: Final = timedelta(days=31)
"""No cap counts further back."""
_WAITING: Final = (Status.PENDING, Status.SENDING, Status.HELD)
_FORGOTTEN_AT_ONCE: Final = 5_000


class Passes:
    """What one group of events meets and adds: read when first asked for, written once."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._written: dict[str, list[tuple[DestinationId, Passed]]] = {}
        self._added: dict[str, list[tuple[DestinationId, Passed]]] = {}
        self._held_back: dict[tuple[DestinationId, str], int] = {}
        self._counted: set[tuple[DestinationId, str]] = set()

    def of(self, destination: DestinationId, who: str) -> list[Passed]:
        """Give the texts that count under a key, those of other destinations too."""
        if who not in self._written:
            self._written[who] = read(self._connection, who, self._now)
        return [
            msgspec.structs.replace(text, here=of == destination)
            for of, text in (*self._written[who], *self._added.get(who, ()))
        ]

    def add(self, delivery: DeliveryId, destination: DestinationId, whos: Iterable[str], due_at: datetime) -> None:
        """Let a text that is let through now count under keys."""
        for who in dict.fromkeys(whos):
            text = Passed(id=delivery, here=False, due_at=due_at)
            self._added.setdefault(who, []).append((destination, text))

    def held_back(self, destination: DestinationId, number: str) -> int:
        """Count the texts that a destination held back from a number since the last that it let through."""
        place = (destination, number)
        if place not in self._held_back:
            of, to = held_back.c.destination_id == destination, held_back.c.to == number
            self._held_back[place] = self._connection.scalar(select(held_back.c.texts).where(of, to)) or 0
        return self._held_back[place]

    def count(self, destination: DestinationId, number: str, *, let_through: bool) -> None:
        """Count one more text that was held back, or begin anew with one that was let through."""
        before = self.held_back(destination, number)
        after = 0 if let_through else before + 1
        if after != before:
            self._held_back[destination, number] = after
            self._counted.add((destination, number))

    def write(self) -> None:
        """Write what was added."""
        if self._added:
            self._connection.execute(
                insert(passes),
                [{"who": who, "delivery_id": text.id} for who, texts in self._added.items() for _, text in texts],
            )
        if self._counted:
            statement = insert(held_back)
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[held_back.c.destination_id, held_back.c.to],
                    set_={"texts": statement.excluded.texts, "at": statement.excluded.at},
                ),
                [
                    {"destination_id": of, "to": to, "texts": self._held_back[of, to], "at": self._now}
                    for of, to in self._counted
                ],
            )


def read(connection: Connection, who: str, now: datetime) -> list[tuple[DestinationId, Passed]]:
    """Give the texts that count under a key with their destinations: those that wait, and those that left of late."""
    d = deliveries.c
    rows = connection.execute(
        select(d.id, d.destination_id, d.status, d.sent_at, d.not_before)
        .join(passes, passes.c.delivery_id == d.id)
        .where(
            passes.c.who == who,
            or_(
                d.status.in_(_WAITING),
                # what failed without a SID was certainly not sent, and what was suppressed neither
                and_(d.sent_at > now - LONGEST, d.status != Status.SUPPRESSED,
                     or_(d.status != Status.FAILED, d.sid.is_not(None))),
            ),
        )
    )  # fmt: skip
    return [(DestinationId(row.destination_id), _to_passed(row)) for row in rows]


def _to_passed(row: Any) -> Passed:
    waits = row.status in _WAITING
    left_at = None if waits else row.sent_at
    due_at = row.not_before if row.status == Status.PENDING else row.sent_at if row.status == Status.SENDING else None
    return Passed(id=DeliveryId(row.id), here=False, left_at=left_at, due_at=due_at)


def forget_old(connection: Connection, now: datetime) -> None:
    """Delete some of what no cap will count any more, the oldest first, and old counts of what was held back."""
    d = deliveries.c
    counts = exists().where(d.id == passes.c.delivery_id, or_(d.status.in_(_WAITING), d.sent_at > now - LONGEST))
    old = (
        select(passes.c.who, passes.c.delivery_id)
        .where(passes.c.delivery_id < uuid7(now - LONGEST, bytes(10)), ~counts)
        .limit(_FORGOTTEN_AT_ONCE)
    )
    for who, id_ in connection.execute(old).all():
        connection.execute(delete(passes).where(passes.c.who == who, passes.c.delivery_id == id_))
    connection.execute(delete(held_back).where(held_back.c.at < now - LONGEST))


def twin_of(
    connection: Connection, destination: DestinationId, to: str, body: str, since: datetime
) -> DestinationId | None:
    """Name another destination that let the same words through to the same number since an instant; None for none."""
    d = deliveries.c
    found: DestinationId | None = connection.scalar(
        select(d.destination_id)
        .where(
            d.to == to,
            d.id >= uuid7(since, bytes(10)),
            d.body == body,
            d.destination_id != destination,
            d.status != Status.SUPPRESSED,
            or_(d.status != Status.FAILED, d.sid.is_not(None)),
        )
        .limit(1)
    )
    return found

"""
What was spent, and what is set aside: by destination and for all, by day and month.

A text sets its estimate aside in the transaction that lets it through; a charge says how much and where. It is given
back when it is certain that nothing was sent, counts as used once Twilio has the text, and is corrected when Twilio
says what it billed. A text that was given back and is to be sent after all asks for room again when it leaves.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from smspipe.db import Hot
from smspipe.deliveries.tables import charges, deliveries, prices, spendings
from smspipe.model.delivery import Status
from smspipe.model.ids import DeliveryId
from smspipe.model.limits import Charge, Purse, Spent

_MICROS: Final = 1_000_000
_KEPT: Final = timedelta(days=62)
"""A month's budget is looked at for as long, and Twilio corrects no bill later."""
_FORGOTTEN_AT_ONCE: Final = 5_000
_ANY = Hot(select(func.min(charges.c.delivery_id)), ())
"""Found at the end of an index, however many there are."""

LOW: Final = 0.8
"""The share of a limit from which on it is told of."""

Place = tuple[str, str]
"""A scope and one of its periods."""


class State(StrEnum):
    """How a charge counts."""

    RESERVED = "reserved"
    USED = "used"
    RELEASED = "released"


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """A text's charge as it is kept."""

    delivery_id: DeliveryId
    places: tuple[Place, ...]
    state: State
    segments: int
    micros: int
    currency: str
    country: str
    sender: str
    """The kind of its sender."""
    at: datetime
    """When it was set aside first."""


class Till:
    """The budgets that one group of events meets: read when first asked for, written once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spent: dict[Place, Spent] = {}
        self._added: list[Charged] = []
        self._prices: dict[tuple[str, str, str], int] | None = None

    def spent(self, scope: str, period: str) -> Spent:
        """Say what a period has cost so far, this group's texts included."""
        place = (scope, period)
        if place not in self._spent:
            self._spent[place] = read(self._connection, [place]).get(place, Spent())
        return self._spent[place]

    def price(self, country: str, sender: str, currency: str) -> int | None:
        """Give what Twilio charged last for a segment, in millionths; None when it is not known."""
        if self._prices is None:
            self._prices = learnt(self._connection)
        return self._prices.get((country, sender, currency))

    def reserve(
        self, delivery: DeliveryId, charge: Charge, now: datetime, instead_of: Charged | None = None
    ) -> list[Purse]:
        """
        Set aside what a text needs.

        Args:
            delivery: the text's.
            charge: how much, and where.
            now: the time.
            instead_of: what it was charged before, of a text that is to be sent after all or once more.

        Returns:
            The days and months of which four fifths are spent from now on, and were not before.
        """
        low = []
        for purse in charge.purses:
            before = self.spent(purse.scope, purse.period)
            after = msgspec.structs.replace(
                before,
                reserved_segments=before.reserved_segments + charge.segments,
                reserved_micros=before.reserved_micros + (charge.micros or 0),
            )
            self._spent[purse.scope, purse.period] = after
            if purse.share(before) < LOW <= purse.share(after):
                low.append(purse)
        fresh = Charged(
            delivery_id=delivery,
            places=tuple((purse.scope, purse.period) for purse in charge.purses),
            state=State.RESERVED,
            segments=charge.segments,
            micros=charge.micros or 0,
            currency=charge.currency,
            country=charge.country,
            sender=charge.sender,
            at=now,
        )
        if instead_of is not None and instead_of.state is State.USED:
            # What an earlier message of the same delivery has cost stays spent.
            kept = DeliveryId(f"{delivery}#{instead_of.at.isoformat()}")
            _write(self._connection, [msgspec.structs.replace(instead_of, delivery_id=kept)])
        self._added.append(fresh)
        return low

    def write(self) -> None:
        """Write down what was set aside."""
        if self._added:
            _write(self._connection, self._added)
            _shift(self._connection, [(None, each) for each in self._added])
            self._added = []


def read(connection: Connection, places: Iterable[Place]) -> dict[Place, Spent]:
    """Say what periods have cost; those that cost nothing are left out."""
    scopes, periods = {scope for scope, _ in places}, {period for _, period in places}
    rows = connection.execute(
        select(spendings).where(spendings.c.scope.in_(scopes), spendings.c.period.in_(periods))
    ).mappings()
    return {
        (row["scope"], row["period"]): Spent(**{name: row[name] for name in Spent.__struct_fields__}) for row in rows
    }


def learnt(connection: Connection) -> dict[tuple[str, str, str], int]:
    """Give what Twilio charged last for a segment, by country, kind of sender and currency."""
    return {(row.country, row.sender, row.currency): row.micros for row in connection.execute(select(prices))}


def in_use(connection: Connection) -> bool:
    """Was anything ever charged? Without budgets nothing is, and nothing more is asked."""
    return _ANY.read(connection).fetchone()[0] is not None


def charged(connection: Connection, ids: Sequence[DeliveryId]) -> dict[DeliveryId, Charged]:
    """Give the charges of deliveries, of those that have one."""
    if not ids or not in_use(connection):
        return {}
    rows = connection.execute(select(charges).where(charges.c.delivery_id.in_(list(ids)))).mappings()
    return {row["delivery_id"]: _to_charged(row) for row in rows}


def follow(connection: Connection, ids: Iterable[DeliveryId], now: datetime) -> None:
    """
    Let the charges of deliveries follow what the ledger says of them by now, whatever led there.

    Args:
        connection: in the transaction that moved them.
        ids: deliveries that moved, or of which something was learnt.
        now: the time.
    """
    known = charged(connection, list(ids))
    if not known:
        return
    d = deliveries.c
    rows = connection.execute(
        select(d.id, d.status, d.sid, d.segments, d.billed_segments, d.price, d.price_unit).where(d.id.in_(list(known)))
    )
    moved: list[tuple[Charged, Charged]] = []
    bills: list[dict[str, Any]] = []
    for row in rows:
        before = known[row.id]
        after = _follow(before, row)
        if after != before:
            moved.append((before, after))
        if (bill := _bill(row, before, now)) is not None:
            bills.append(bill)
    if moved:
        _shift(connection, moved)
        _write(connection, [after for _, after in moved])
    if bills:
        _learn(connection, bills)


def forget_old(connection: Connection, now: datetime) -> None:
    """Delete some of the periods and charges that nobody asks about any more."""
    oldest = now - _KEPT
    connection.execute(delete(spendings).where(spendings.c.period < f"{oldest:%Y-%m}"))
    old = select(charges.c.delivery_id).where(charges.c.at < oldest).limit(_FORGOTTEN_AT_ONCE)
    connection.execute(delete(charges).where(charges.c.delivery_id.in_(old.scalar_subquery())))


def _follow(charge: Charged, row: Any) -> Charged:
    """Say how a charge counts by what the ledger says of its delivery."""
    if row.status == Status.SUPPRESSED or (row.status == Status.FAILED and row.sid is None):
        return msgspec.structs.replace(charge, state=State.RELEASED)
    if row.sid is None:
        # It waits, is on its way or in doubt. What was given back stays so until the text leaves.
        return charge
    segments = row.billed_segments or charge.segments
    micros = charge.micros * segments // charge.segments if charge.segments else charge.micros
    price = _amount(row.price)
    if price is not None and row.price_unit in (None, charge.currency):
        micros = price
    return msgspec.structs.replace(charge, state=State.USED, segments=segments, micros=micros)


def _amount(price: str | None) -> int | None:
    try:
        return None if price is None else int(abs(Decimal(price)) * _MICROS)
    except InvalidOperation:
        return None


def _bill(row: Any, charge: Charged, now: datetime) -> dict[str, Any] | None:
    """Say what Twilio charged for a segment, where it has said so."""
    price, segments = _amount(row.price), row.billed_segments or row.segments
    if not price or not segments:
        return None
    return {
        "country": charge.country,
        "sender": charge.sender,
        "currency": row.price_unit or charge.currency,
        "micros": -(-price // segments),
        "at": now,
    }


def _learn(connection: Connection, bills: list[dict[str, Any]]) -> None:
    statement = insert(prices)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[prices.c.country, prices.c.sender, prices.c.currency],
            set_={"micros": statement.excluded.micros, "at": statement.excluded.at},
        ),
        bills,
    )


def _write(connection: Connection, written: Iterable[Charged]) -> None:
    statement = insert(charges)
    names = ("places", "state", "segments", "micros", "currency", "at")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[charges.c.delivery_id], set_={name: statement.excluded[name] for name in names}
        ),
        [msgspec.structs.asdict(each) | {"places": [list(place) for place in each.places]} for each in written],
    )


def _shift(connection: Connection, moved: Iterable[tuple[Charged | None, Charged]]) -> None:
    """Take what charges were from their periods, and add what they are."""
    sums: dict[Place, Counter[str]] = {}
    for before, after in moved:
        for charge, sign in ((before, -1), (after, 1)):
            if charge is None or charge.state is State.RELEASED:
                continue
            for place in charge.places:
                found = sums.setdefault(place, Counter())
                found[f"{charge.state.value}_segments"] += sign * charge.segments
                found[f"{charge.state.value}_micros"] += sign * charge.micros
    changed = {place: found for place, found in sums.items() if any(found.values())}
    if not changed:
        return
    names = Spent.__struct_fields__
    statement = insert(spendings)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[spendings.c.scope, spendings.c.period],
            set_={name: spendings.c[name] + statement.excluded[name] for name in names},
        ),
        [{"scope": scope, "period": period, **{name: found[name] for name in names}}
         for (scope, period), found in changed.items()],
    )  # fmt: skip


def _to_charged(row: RowMapping) -> Charged:
    return Charged(
        delivery_id=row["delivery_id"],
        places=tuple((scope, period) for scope, period in row["places"]),
        state=State(row["state"]),
        segments=row["segments"],
        micros=row["micros"],
        currency=row["currency"],
        country=row["country"],
        sender=row["sender"],
        at=row["at"],
    )

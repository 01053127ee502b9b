"""
What the texts cost: segments as we counted them and as Twilio billed them, and Twilio's own prices.

The database sums; prices are summed exactly, since it only counts how often each price occurs. Countries come from the
numbers, which the database cannot read: for them rows are read in pieces, so that memory stays bounded.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import msgspec
import phonenumbers
from sqlalchemy import BigInteger, ColumnElement, Connection, func, literal_column, select, type_coerce

from smspipe.deliveries.tables import deliveries
from smspipe.model.ids import DestinationId

UNKNOWN: Final = "ZZ"
"""The country of a number that no country has; ISO 3166 leaves this code to its users."""
_DAY: Final = timedelta(days=1)
_AT_ONCE: Final = 5_000


class By(StrEnum):
    """What costs are summed for."""

    DESTINATION = "destination"
    COUNTRY = "country"
    """Of the recipient's number, as two letters; `001` for numbers of no country, `ZZ` where it is not known."""
    DAY = "day"
    """On which the request left, in UTC, as Twilio counts days."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which texts are summed: by the time at which the request left."""

    after: datetime | None = None
    before: datetime | None = None
    destination: DestinationId | None = None


class Sum(msgspec.Struct, kw_only=True):
    """What the texts of one key cost, or all of them."""

    texts: int = 0
    """Those that Twilio took."""
    segments: int = 0
    """As counted before sending."""
    billed_segments: int = 0
    """As counted by Twilio, where it has told."""
    billed: int = 0
    """Texts whose segments Twilio has told."""
    priced: int = 0
    """Texts whose price Twilio has told."""
    prices: dict[str, Decimal] = {}
    """What those cost, by currency; without sign."""

    def add(self, other: "Sum") -> None:
        """Add another sum to this one."""
        self.texts += other.texts
        self.segments += other.segments
        self.billed_segments += other.billed_segments
        self.billed += other.billed
        self.priced += other.priced
        for unit, price in other.prices.items():
            self.prices[unit] = self.prices.get(unit, Decimal()) + price


def sum_costs(connection: Connection, by: By, span: Span) -> dict[str, Sum]:
    """
    Sum what the texts that Twilio took cost, for each key that has some; days in order, else the most texts first.

    A text that was sent again by force counts as the last one; its history knows what the one before cost.
    """
    match by:
        case By.DESTINATION:
            found = _grouped(connection, span, deliveries.c.destination_id)
        case By.DAY:
            days = _grouped(
                connection, span, type_coerce(deliveries.c.sent_at, BigInteger) // literal_column(str(_MICROS))
            )
            return {_write_day(day): each for day, each in sorted(days.items())}
        case By.COUNTRY:
            found = _by_country(connection, span)
    return {str(key): each for key, each in sorted(found.items(), key=lambda item: (-item[1].texts, item[0]))}


_MICROS: Final = _DAY // timedelta(microseconds=1)


def _write_day(number: int) -> str:
    return (date(1970, 1, 1) + number * _DAY).isoformat()


def _taken(span: Span) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = [deliveries.c.sid.is_not(None)]
    if span.after is not None:
        asked.append(deliveries.c.sent_at >= span.after.astimezone(UTC))
    if span.before is not None:
        asked.append(deliveries.c.sent_at < span.before.astimezone(UTC))
    if span.destination is not None:
        asked.append(deliveries.c.destination_id == span.destination)
    return asked


def _grouped(connection: Connection, span: Span, key: ColumnElement[Any]) -> dict[Any, Sum]:
    """Let the database sum; there are few prices, so that the groups stay few."""
    named = key.label("key")
    rows = connection.execute(
        select(
            named,
            deliveries.c.price,
            deliveries.c.price_unit,
            func.count(),
            func.coalesce(func.sum(deliveries.c.segments), 0),
            func.coalesce(func.sum(deliveries.c.billed_segments), 0),
            func.count(deliveries.c.billed_segments),
        )
        .where(*_taken(span))
        .group_by(named, deliveries.c.price, deliveries.c.price_unit)
    )
    found: dict[Any, Sum] = {}
    for of, price, unit, texts, segments, billed_segments, billed in rows:
        _add(found.setdefault(of, Sum()), texts, segments, billed_segments, billed, price, unit)
    return found


def _add(
    to: Sum, texts: int, segments: int, billed_segments: int, billed: int, price: str | None, unit: str | None
) -> None:
    known = price is not None
    to.add(
        Sum(
            texts=texts,
            segments=segments,
            billed_segments=billed_segments,
            billed=billed,
            priced=texts if known else 0,
            prices={unit or "": Decimal(price) * texts} if price is not None else {},
        )
    )


def _by_country(connection: Connection, span: Span) -> dict[str, Sum]:
    counted: Counter[tuple[str, str | None, str | None]] = Counter()
    segments: Counter[str] = Counter()
    billed_segments: Counter[str] = Counter()
    billed: Counter[str] = Counter()
    for row in _rows(connection, span):
        country = country_of(row.to or "")
        counted[country, row.price, row.price_unit] += 1
        segments[country] += row.segments or 0
        if row.billed_segments is not None:
            billed_segments[country] += row.billed_segments
            billed[country] += 1
    found = {
        country: Sum(segments=n, billed_segments=billed_segments[country], billed=billed[country])
        for country, n in segments.items()
    }
    for (country, price, unit), texts in counted.items():
        _add(found[country], texts, 0, 0, 0, price, unit)
    return found


def _rows(connection: Connection, span: Span) -> Iterator[Any]:
    columns = (
        deliveries.c.id,
        deliveries.c.to,
        deliveries.c.segments,
        deliveries.c.billed_segments,
        deliveries.c.price,
        deliveries.c.price_unit,
    )
    chosen = select(*columns).where(*_taken(span)).order_by(deliveries.c.id).limit(_AT_ONCE)
    piece = connection.execute(chosen).all()
    while piece:
        yield from piece
        piece = connection.execute(chosen.where(deliveries.c.id > piece[-1].id)).all()


@lru_cache(maxsize=65_536)
def country_of(to: str) -> str:
    """Give the country of a recipient's number, `ZZ` when none is known. A channel's prefix is no matter."""
    try:
        parsed = phonenumbers.parse(to.rpartition(":")[2])
    except phonenumbers.NumberParseException:
        return UNKNOWN
    if (found := phonenumbers.region_code_for_number(parsed)) is not None:
        return str(found)
    # No number of any of its countries looks like this (any more): the first is the main country of the code.
    main: str = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(parsed.country_code or 0, (UNKNOWN,))[0]
    return main


__all__ = ["UNKNOWN", "By", "Span", "Sum", "country_of", "sum_costs"]

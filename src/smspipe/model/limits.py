"""How much and when: frequency caps, budgets and quiet hours, as a destination or the project says them."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from smspipe.model.ids import DeliveryId


class By(StrEnum):
    """Whose texts a cap counts together."""

    NUMBER = "number"
    PERSON = "person"
    """All numbers of a person; an event without a person counts by its number."""


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """No more than `texts` in any span of length `per`, whenever it begins."""

    texts: int
    per: timedelta
    by: By = By.NUMBER
    across: bool = False
    """Texts of all destinations count, not only this one's."""


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """A text that was let through and has left, or may still leave."""

    id: DeliveryId
    here: bool
    """It is of the destination that asks."""
    left_at: datetime | None = None
    """When its last request left; None while it waits."""
    due_at: datetime | None = None
    """Of one that waits: when it may leave, None when nobody knows."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent on texts; None leaves a limit out."""

    segments_per_day: int | None = None
    segments_per_month: int | None = None
    money_per_day: Decimal | None = None
    money_per_month: Decimal | None = None
    currency: str = "USD"
    """What the account is charged in."""
    timezone: str = "UTC"
    """Where a day and a month begin at midnight; an IANA zone."""


ALL: Final = ""
"""The scope of the project's budget; that of a destination's is its id."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What a budget's day or month has cost so far: what Twilio took, and what was let through and may still leave."""

    used_segments: int = 0
    used_micros: int = 0
    """Millionths of the currency."""
    reserved_segments: int = 0
    reserved_micros: int = 0

    @property
    def segments(self) -> int:
        """All segments that count against the limit."""
        return self.used_segments + self.reserved_segments

    @property
    def micros(self) -> int:
        """All money that counts against the limit, in millionths."""
        return self.used_micros + self.reserved_micros


class Purse(msgspec.Struct, frozen=True, kw_only=True):
    """One day or month of one budget, with its limits."""

    scope: str
    period: str
    """`2026-11-22` or `2026-11`, in the budget's zone."""
    segments: int | None
    micros: int | None
    currency: str

    def share(self, spent: Spent) -> float:
        """Give the share that is spent of whichever limit is nearer, 1 for all of it; 0 without a limit."""
        pairs = ((spent.segments, self.segments), (spent.micros, self.micros))
        return max((so_far / most if most else 1.0 for so_far, most in pairs if most is not None), default=0.0)


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a text that is let through sets aside, and where."""

    segments: int
    micros: int | None
    """The estimate in the currency's millionths; None when no price in that currency is known."""
    currency: str
    country: str
    sender: str
    """Its kind."""
    purses: tuple[Purse, ...]


class Then(StrEnum):
    """What becomes of a text in quiet hours."""

    HOLD = "hold"
    DROP = "drop"


class QuietWindow(msgspec.Struct, frozen=True, kw_only=True):
    """
    A stretch of the day, by the clock on the wall, in which no text leaves; past midnight where `end` is not later.

    `days` are those on which it begins, Monday 0.
    """

    days: frozenset[int]
    start: time
    end: time


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """When a destination's texts do not leave."""

    windows: tuple[QuietWindow, ...]
    timezone: str | None = None
    """The zone of recipients whose own is not known; an IANA zone."""
    then: Then = Then.HOLD
    max_hold: timedelta | None = None
    """A text that would wait longer is not sent; None for the destination's `max_age`."""

"""Whom a recipient's number is believed: a capture key is public, and with it anybody can claim any number."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec


class Voucher(StrEnum):
    """Who vouches for a number; nobody for one that is only claimed."""

    DESTINATION = "destination"
    """It stands in the destination itself."""
    SECRET_KEY = "secret_key"  # noqa: S105 (a word, not a secret)
    """The event came with the secret API key."""
    HOOK = "hook"
    """The event came by the hook, which has a secret of its own."""
    PERSON = "person"
    """A property of the person has it that a trusted event set."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What a number is trusted for."""

    by: Voucher | None = None
    """None: it is only claimed."""
    property: str | None = None
    """The person's property, where that vouches."""


CLAIMED: Final = Trust()


class Recipients(StrEnum):
    """Which numbers a destination texts."""

    TRUSTED = "trusted"
    CLAIMED = "claimed"
    """Claimed ones too, within limits."""


NUMBER_TYPES: Final = ("premium", "shared_cost", "satellite", "uan", "pager")
"""The kinds of numbers whose owner may earn from each text: texted only by a destination that names them."""


class Velocity(msgspec.Struct, frozen=True, kw_only=True):
    """How many texts an hour may go to claimed numbers; None for no limit."""

    per_prefix: int | None = None
    """To one block of 1000 numbers, which differ in their last three digits only."""
    per_country: int | None = None
    per_source: int | None = None
    """For events from one network: an IPv4 /24, an IPv6 /64."""
    new_numbers: int | None = None
    """To numbers that were never texted before."""
    private_sources: bool = False
    """Count addresses that are not public, too: where they are those of people, and not of a proxy."""

    def __bool__(self) -> bool:
        """Tell whether there is any limit."""
        return any(each is not None for each in (self.per_prefix, self.per_country, self.per_source, self.new_numbers))


PROTECTIVE: Final = Velocity(per_prefix=20, per_country=2_000, per_source=500, new_numbers=1_000)
"""
Where texts cost money and nothing else is said: a shop of some size, whose server sends its events from one address,
meets none of these, and whoever pumps texts to a block of numbers of his own is stopped after twenty.
"""

Place = tuple[str, str]
"""What a limit counts under: the limit's name, and the block, country or network (empty for all)."""


def hour_of(now: datetime) -> datetime:
    """Give the full hour, in UTC, that is counted in."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

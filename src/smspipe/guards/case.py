"""What the guards look at: a text that is ready to be sent, and what the ledger and the registers know."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from smspipe.guards.prices import ESTIMATE, Prices
from smspipe.model.cooldown import Window
from smspipe.model.destination import Destination
from smspipe.model.event import Event
from smspipe.model.ids import DestinationId, EventUuid
from smspipe.model.limits import Budget, Passed, Spent
from smspipe.model.message import Message
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.person import Person
from smspipe.model.trust import CLAIMED, Place, Trust, Velocity


class Known(Protocol):
    """What guards ask of the ledger and the registers; each question is answered from the transaction that acts."""

    def opted_out(self, to: str, sender: str) -> bool:
        """Does the recipient want no texts from this sender?"""

    def known(self, event: EventUuid, destination: DestinationId, route: int) -> bool:
        """Was this event already decided on for this destination and route?"""

    def window(self, destination: DestinationId, key: str, ttl: timedelta) -> Window:
        """Give the cooldown window of a key as it stands."""

    def let_through(self, destination: DestinationId, place: Place) -> int:
        """Count the destination's texts to claimed numbers that were let through this hour at a place."""

    def texted(self, to: str) -> bool:
        """Was there ever a text for this recipient?"""

    def passed(self, destination: DestinationId, who: str) -> Sequence[Passed]:
        """Give the texts that were let through to a number or person and may count, of all destinations."""

    def held_back(self, destination: DestinationId, to: str) -> int:
        """Count the texts that were held back from a number since the last that the destination let through."""

    def twin(self, destination: DestinationId, to: str, body: str, within: timedelta | None) -> DestinationId | None:
        """Name another destination that said the same to the same number, in this group, or `within` a span."""

    def spent(self, scope: str, period: str) -> Spent:
        """Say what a day or month of a budget has cost so far."""

    def price(self, country: str, sender: str, currency: str) -> int | None:
        """Give what Twilio charged last for a segment, in millionths; None when it is not known."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One text that guards are asked about."""

    event: Event
    person: Person | None
    destination: Destination
    route: int
    message: Message
    cooldown_key: str | None
    """As it was rendered; None where there is no cooldown, empty where nothing is held back."""
    known: Known
    now: datetime
    trust: Trust = CLAIMED
    velocity: Velocity | None = None
    """The limits that hold for claimed numbers, None where there are none."""
    budget: Budget | None = None
    """That of all destinations together."""
    prices: Prices = ESTIMATE


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """A considered not yet: the text waits until an instant, and may leave then."""

    reason: Reason
    until: datetime
    saw: str
    data: dict[str, Any] | None = None
    """Kept with the step."""


Verdict = Step | Refusal | Delay | None
"""A guard's answer; None when it has nothing to look at for this destination."""
Guard = Callable[[Case], Verdict]

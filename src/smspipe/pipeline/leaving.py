"""
The rules that a text must meet once more when it leaves, since time has passed: quiet hours, and its budget's room.

What was decided when the event came holds for that instant. A text that waited, is tried again, or is let go by a
person may come to leave at night; and one whose money was given back needs it again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from smspipe.deliveries import budget
from smspipe.deliveries.budget import Charged, State
from smspipe.guards.budget import budgets_of, charge_for, next_period, shortage
from smspipe.guards.quiet_hours import STEP, ZONES, first_allowed, zones_of
from smspipe.model.delivery import Delivery
from smspipe.model.destination import Destination
from smspipe.model.ids import DeliveryId
from smspipe.model.limits import Then
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason
from smspipe.model.phone import E164
from smspipe.pipeline.prepare import Plan

_IN_THE_NIGHT: Final = "It became night where the recipient is before it was sent."
_NEVER: Final = "There is no minute in which it may leave: the zones of its recipient have no waking hour in common."


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """Why a text does not leave now."""

    reason: Reason
    saw: str
    until: datetime | None = None
    """When to look again; None when it shall not leave at all."""


class Gate:
    """Looks at the texts of one transaction that are about to leave."""

    def __init__(self, connection: Connection, plan: Plan, now: datetime) -> None:
        self._connection = connection
        self._plan = plan
        self._now = now
        self._charged: dict[DeliveryId, Charged] = {}
        self._till = budget.Till(connection)

    def expect(self, coming: Sequence[Delivery]) -> None:
        """Read what is needed to judge these at once."""
        if self._plan.limited:
            self._charged |= budget.charged(self._connection, [each.id for each in coming])

    def stays(self, delivery: Delivery) -> Stay | None:
        """Say why a text does not leave now, None when it may; what it needs of its budget is set aside then."""
        prepared = self._plan.destinations.get(delivery.destination_id) if self._plan.limited else None
        if prepared is None:
            return None
        return self._is_night(delivery, prepared.destination) or self._is_short(delivery, prepared.destination)

    def write(self) -> None:
        """Write down what was set aside."""
        self._till.write()

    def _is_night(self, delivery: Delivery, destination: Destination) -> Stay | None:
        quiet = destination.quiet_hours
        if quiet is None or delivery.to is None:
            return None
        zones = _zones_kept(delivery) or zones_of(delivery.to, quiet)[0]
        until = first_allowed(self._now, zones, quiet.windows)
        if until is None:
            return Stay(reason=Reason.QUIET_HOURS, saw=_NEVER)
        if until <= self._now:
            return None
        return Stay(reason=Reason.QUIET_HOURS, saw=_IN_THE_NIGHT, until=None if quiet.then is Then.DROP else until)

    def _is_short(self, delivery: Delivery, destination: Destination) -> Stay | None:
        """Set aside again what was given back, or spent on an earlier message."""
        before = self._charged.get(delivery.id)
        if before is None or before.state is State.RESERVED or delivery.to is None:
            return None
        project = self._plan.destinations[destination.id].site.budget
        charge = charge_for(
            Message(
                to=E164(delivery.to),
                sender=delivery.sender or "",
                body="",
                encoding=Encoding(delivery.encoding or Encoding.GSM_7),
                segments=delivery.segments or 1,
            ),
            destination,
            project,
            self._plan.destinations[destination.id].site.prices,
            self._till.price,
            self._now,
        )
        if charge is None:
            return None
        short = shortage(charge, self._till.spent)
        if short is not None:
            zone = dict(budgets_of(destination.id, destination.budget, project))[short.scope].timezone
            return Stay(reason=Reason.BUDGET, saw="There is no room in the budget.",
                        until=next_period(short.period, zone))  # fmt: skip
        self._till.reserve(delivery.id, charge, self._now, before)
        self._charged[delivery.id] = msgspec.structs.replace(before, state=State.RESERVED)
        return None


def _zones_kept(delivery: Delivery) -> tuple[str, ...]:
    """Give the zones that the decision took; none when the destination had no quiet hours then."""
    for step in delivery.steps:
        kept: Any = None if step.name != STEP or step.data is None else step.data.get(ZONES)
        if kept:
            return tuple(kept)
    return ()

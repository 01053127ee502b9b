"""One delivery: what became, at one destination, of one event that matched there."""

from datetime import datetime
from enum import StrEnum

import msgspec

from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, MessageSid
from smspipe.model.message import Extras
from smspipe.model.outcome import Reason, Step


class Status(StrEnum):
    """Where a delivery stands. `deliveries.states` has the only table of moves between them."""

    PENDING = "pending"
    """Waits for its time (`not_before`) or for a free sender."""
    SENDING = "sending"
    """An attempt was written down and its request may be on its way."""
    UNCONFIRMED = "unconfirmed"
    """The request left and its answer was lost: perhaps sent, so never just repeated."""
    ACCEPTED = "accepted"
    """Twilio took it and gave a SID."""
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    """Decided against, for its `reason`; nothing was sent."""
    HELD = "held"
    """Nothing was sent and nothing will be until somebody or something lets it go."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger."""

    id: DeliveryId
    destination_id: DestinationId
    version: int
    """The version of the destination that decided it."""
    event_uuid: EventUuid
    route: int
    """Which of the destination's recipients it is for; 0 for most."""
    event: str
    distinct_id: str
    status: Status
    created_at: datetime
    reason: Reason | None = None
    to: str | None = None
    sender: str | None = None
    body: str | None = None
    segments: int | None = None
    encoding: str | None = None
    sid: MessageSid | None = None
    attempts: int = 0
    error_code: int | None = None
    error_message: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    """After this instant it is no longer worth sending."""
    sent_at: datetime | None = None
    """When the last attempt's request was written down as leaving."""
    settled_at: datetime | None = None
    """When the last answer about it came, or the decision against it."""
    steps: tuple[Step, ...] = ()
    cooldown_key: str | None = None
    """The cooldown window that it holds a place in (a hash), to be given back if nothing was sent."""
    extras: Extras | None = None
    """What is asked of Twilio beside the text itself."""
    ask_at: datetime | None = None
    """When Twilio is to be asked about it, None when there is nothing (more) to learn."""
    looks: int = 0
    """How often Twilio was asked."""
    twilio_status: str | None = None
    """The furthest of Twilio's own words for it (`queued`, `sent`, `delivered` …), as it came."""
    billed_segments: int | None = None
    """Segments as Twilio counted them."""
    price: str | None = None
    """What Twilio charged, a decimal number without sign; None until Twilio says."""
    price_unit: str | None = None
    """The currency of `price`, such as USD."""

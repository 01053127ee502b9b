"""A text message, rendered and ready to leave."""

from datetime import datetime
from enum import StrEnum

import msgspec

from smspipe.model.phone import E164


class Encoding(StrEnum):
    """How the carriers encode a text: it decides how many characters fit in a segment."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


class RiskCheck(StrEnum):
    """Whether Twilio looks for signs of SMS pumping before it sends."""

    ENABLE = "enable"
    DISABLE = "disable"


class Extras(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Twilio is asked for beside recipient, sender and text; kept with the delivery: a retry asks for the same."""

    media_urls: tuple[str, ...] = ()
    """Pictures and the like that Twilio fetches and sends along: 10 at most."""
    validity_period: int | None = None
    """Seconds that the text may wait at Twilio; None for Twilio's ten hours."""
    smart_encoded: bool = False
    """Twilio puts in look-alikes for characters that would make the text UCS-2."""
    risk_check: RiskCheck | None = None
    send_at: datetime | None = None
    """When Twilio is to send it; None for at once."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves: recipient, sender, text, and what Twilio will bill for it."""

    to: E164
    """On another channel than SMS with its prefix, as `whatsapp:+14155552671`."""
    sender: str
    """A number in E.164, a short code, a name, a Messaging Service (`MG…`), or an address of another channel."""
    body: str
    encoding: Encoding
    segments: int
    extras: Extras | None = None
    """None for most."""

"""A text message, rendered and ready to leave."""

from enum import StrEnum

import msgspec

from smspipe.model.phone import E164


class Encoding(StrEnum):
    """How the carriers encode a text: it decides how many characters fit in a segment."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves: recipient, sender, text, and what Twilio will bill for it."""

    to: E164
    sender: str
    """A number in E.164, a short code or an alphanumeric sender."""
    body: str
    encoding: Encoding
    segments: int

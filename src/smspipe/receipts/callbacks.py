"""
What Twilio says of a text, however it comes: posted to us as it happens, or as the answer when we ask.

Both are read into one `Receipt`, so that whoever settles a delivery need not know the difference. Twilio adds fields
and words without notice; what is not known here is passed by, and a status that is not known is kept as its word.

Source:
    https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
    https://www.twilio.com/docs/messaging/api/message-resource
    https://www.twilio.com/docs/messaging/guides/webhook-request
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from smspipe.model.errors import Invalid
from smspipe.model.ids import MessageSid

_MESSAGE: Final = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}").fullmatch
_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}").fullmatch
_DECIMAL: Final = re.compile(r"-?(\d{1,12}(?:\.\d{1,12})?)").fullmatch
_LONGEST_WORD: Final = 40
_LONGEST_NOTE: Final = 200
_Words = TypeVar("_Words", bound=StrEnum)


class MessageStatus(StrEnum):
    """Where a message stands at Twilio, by Twilio's words."""

    SCHEDULED = "scheduled"
    """It waits for its `SendAt`."""
    ACCEPTED = "accepted"
    """Taken, and the Messaging Service has not chosen a sender yet."""
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    """The carrier has it; many carriers never say more."""
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    """The carrier says that it did not arrive."""
    FAILED = "failed"
    """It never left Twilio."""
    CANCELED = "canceled"
    """It was scheduled, and taken back before its time."""
    PARTIALLY_DELIVERED = "partially_delivered"
    READ = "read"
    """On channels that tell, such as WhatsApp."""
    RECEIVING = "receiving"
    RECEIVED = "received"
    """The last two are said of incoming texts only."""


class OptOutType(StrEnum):
    """What Twilio made of an incoming keyword, on numbers of a Messaging Service with Advanced Opt-Out."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that Twilio said of one of our texts."""

    sid: MessageSid
    account_sid: str
    status: MessageStatus | None
    """None when `word` is not one that is known here."""
    word: str
    """The status as Twilio wrote it, 40 characters at most."""
    error_code: int | None = None
    """Why it failed or did not arrive, for `sending.explain_delivery_error`."""
    to: str | None = None
    sender: str | None = None
    """With a Messaging Service, the one that it chose, None while it has not."""
    service_sid: str | None = None
    segments: int | None = None
    """As billed; only known from asking."""
    price: Decimal | None = None
    """What it cost, without sign; only known from asking, and often some time after the text has arrived."""
    price_unit: str | None = None
    """Currency of the price, such as USD."""
    created_at: datetime | None = None
    sent_at: datetime | None = None
    updated_at: datetime | None = None
    """These three by Twilio's clock; only known from asking."""
    carrier_done_at: str | None = None
    """The carrier's own time of the end, YYMMDDhhmm in a zone that it does not name; only in callbacks."""
    channel: str | None = None
    """The channel of other texts than SMS, such as `whatsapp`; only in callbacks."""
    channel_note: str | None = None
    """The channel's own words on the status, 200 characters at most."""


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A text that somebody wrote to one of our numbers."""

    sid: MessageSid
    account_sid: str
    sender: str
    """Who wrote it."""
    to: str
    """Our number, or short code."""
    body: str
    """What it says; blank for media alone."""
    service_sid: str | None = None
    """The Messaging Service that the number belongs to."""
    opt_out_type: OptOutType | None = None
    """None without Advanced Opt-Out, whatever the text says."""
    media: int = 0
    """How many pictures or other media came with it."""
    segments: int | None = None
    country: str | None = None
    """ISO code of the sender's country, where Twilio knows it."""


def status_of(word: str) -> MessageStatus | None:
    """Read one of Twilio's words for a status, in any case; None when it is not known here."""
    return _member(MessageStatus, word.strip().lower())


def read_receipt(fields: Mapping[str, str]) -> Receipt:
    """
    Read a status callback.

    Args:
        fields: the form, see `form.read_form`; trusted only once its signature was checked.

    Raises:
        Invalid: the message, the account or the status is missing or none; `field` names it, its value is not told.
    """
    word = _need(fields, "MessageStatus", "SmsStatus")
    return Receipt(
        sid=_read_sid(fields, "MessageSid", "SmsSid"),
        account_sid=_read_account(fields, "AccountSid"),
        status=status_of(word),
        word=word[:_LONGEST_WORD],
        error_code=_whole(fields.get("ErrorCode")) or None,
        to=fields.get("To") or None,
        sender=fields.get("From") or None,
        service_sid=fields.get("MessagingServiceSid") or None,
        carrier_done_at=_note(fields.get("RawDlrDoneDate")),
        channel=_note(fields.get("ChannelPrefix")),
        channel_note=_note(fields.get("ChannelStatusMessage")),
    )


def receipt_of(message: Mapping[str, object]) -> Receipt:
    """
    Read a message as the API shows it, when it is asked for by SID or in a list.

    Args:
        message: the decoded JSON. Counts and prices are texts in it, dates RFC 2822.

    Raises:
        Invalid: the message's SID, the account or the status is missing or none; `field` names it.
    """
    word = _need(message, "status")
    return Receipt(
        sid=_read_sid(message, "sid"),
        account_sid=_read_account(message, "account_sid"),
        status=status_of(word),
        word=word[:_LONGEST_WORD],
        error_code=_whole(message.get("error_code")) or None,
        to=_text(message.get("to")),
        sender=_text(message.get("from")),
        service_sid=_text(message.get("messaging_service_sid")),
        segments=_whole(message.get("num_segments")) or None,  # 0 until a sender is chosen
        price=_amount(message.get("price")),
        price_unit=_text(message.get("price_unit")),
        created_at=_instant(message.get("date_created")),
        sent_at=_instant(message.get("date_sent")),
        updated_at=_instant(message.get("date_updated")),
    )


def read_inbound(fields: Mapping[str, str]) -> Inbound:
    """
    Read an incoming text.

    Raises:
        Invalid: the message, the account or one of the two numbers is missing; `field` names it.
    """
    return Inbound(
        sid=_read_sid(fields, "MessageSid", "SmsMessageSid", "SmsSid"),
        account_sid=_read_account(fields, "AccountSid"),
        sender=_need(fields, "From"),
        to=_need(fields, "To"),
        body=fields.get("Body", ""),
        service_sid=fields.get("MessagingServiceSid") or None,
        opt_out_type=_member(OptOutType, fields.get("OptOutType", "").strip().upper()),
        media=_whole(fields.get("NumMedia")) or 0,
        segments=_whole(fields.get("NumSegments")) or None,
        country=fields.get("FromCountry") or None,
    )


def _member(words: type[_Words], word: str) -> _Words | None:
    return words(word) if word in words.__members__.values() else None


def _need(given: Mapping[str, object], *names: str) -> str:
    for name in names:
        value = given.get(name)
        if isinstance(value, str) and value:
            return value
    raise Invalid(f"Twilio's message about a text has no {names[0]}.", field=names[0])


def _read_sid(given: Mapping[str, object], *names: str) -> MessageSid:
    sid = _need(given, *names)
    if _MESSAGE(sid) is None:
        raise Invalid(f"{names[0]} is not the SID of a message: SM or MM and 32 hexadecimal digits.", field=names[0])
    return MessageSid(sid)


def _read_account(given: Mapping[str, object], name: str) -> str:
    sid = _need(given, name)
    if _ACCOUNT(sid) is None:
        raise Invalid(f"{name} is not the SID of an account: AC and 32 hexadecimal digits.", field=name)
    return sid


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _note(value: str | None) -> str | None:
    return value[:_LONGEST_NOTE] if value else None


def _whole(value: object) -> int | None:
    """Read a number that Twilio writes as a number or as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000_000:
        return value
    return None


def _amount(value: object) -> Decimal | None:
    found = _DECIMAL(value) if isinstance(value, str) else None
    return Decimal(found[1]) if found else None


def _instant(value: object) -> datetime | None:
    try:
        at = parsedate_to_datetime(value) if isinstance(value, str) else None
        return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None

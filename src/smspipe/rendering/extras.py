"""
What is asked of Twilio beside recipient, sender and text: media, how long it may wait, when to send it.

What is the same for every event is checked when a destination is saved, the rest when an event is decided on, by the
same rules. Messages of what is wrong name the option and hold no data of the event.

Source:
    https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from smspipe.model.clock import EPOCH
from smspipe.model.destination import ExtrasTemplate
from smspipe.model.errors import Invalid
from smspipe.model.message import Extras, RiskCheck
from smspipe.rendering.recipient import ANY_CHANNEL, channel_of
from smspipe.rendering.template import CompiledText

MOST_MEDIA: Final = 10
SOONEST: Final = timedelta(seconds=300)
LATEST: Final = timedelta(days=35)
"""How far ahead Twilio takes a time to send at."""
MEDIA_FIELD: Final = "smspipe__media_urls"
SEND_AT_FIELD: Final = "smspipe__send_at"

_not_in_addresses = re.compile(r"[\s\x00-\x1f\x7f]").search


class CompiledExtras(msgspec.Struct, frozen=True, kw_only=True):
    """The extras of a destination, ready for events."""

    template: ExtrasTemplate
    media_urls: tuple[CompiledText, ...] = ()
    send_at: CompiledText | None = None

    def check_constants(self, sender: str | None) -> None:
        """
        Check what is the same for every event; `sender` is None where it is not.

        Raises:
            Invalid: one of them breaks its rule.
        """
        read_media_urls(each({}, EPOCH) for each in self.media_urls if each.constant)
        if self.send_at is not None:
            if sender is not None:
                _check_schedules(sender)
            if self.send_at.constant:
                read_send_at(self.send_at({}, EPOCH))

    def render(self, values: Mapping[str, Any], now: datetime, sender: str) -> Extras:
        """
        Make the extras of one text.

        Args:
            values: the templates' globals.
            now: the time of the decision.
            sender: from `check_sender`.

        Raises:
            TemplateError: a template failed.
            Invalid: what one gave breaks its rule.
        """
        send_at = None
        if self.send_at is not None:
            _check_schedules(sender)
            send_at = check_window(read_send_at(self.send_at(values, now)), now)
        return Extras(
            media_urls=read_media_urls(each(values, now) for each in self.media_urls),
            validity_period=self.template.validity_period,
            smart_encoded=self.template.smart_encoded,
            risk_check=self.template.risk_check,
            send_at=send_at,
        )


def read_media_urls(values: Iterable[Any]) -> tuple[str, ...]:
    """
    Read the addresses of media from what templates gave: each an address, a list of them, or nothing.

    Null and blank text are nothing: an event without a picture leads to a text without one.

    Raises:
        Invalid: one is no http(s) address, or there are more than ten.
    """
    found: list[str] = []
    for value in values:
        for address in value if isinstance(value, list | tuple) else (value,):
            if address is None or (isinstance(address, str) and not address.strip()):
                continue
            found.append(_check_address(address))
    if len(found) > MOST_MEDIA:
        raise Invalid(
            f"media_urls gives {len(found)} addresses; Twilio takes {MOST_MEDIA} at most.",
            field=MEDIA_FIELD,
            hint="Leave some out.",
        )
    return tuple(found)


def _check_address(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or _not_in_addresses(text):
        raise Invalid(
            "media_urls gives something that is not the address of a file on the web.",
            field=MEDIA_FIELD,
            hint="Give addresses that begin with http:// or https:// and that Twilio can reach.",
        )
    return text


def read_send_at(value: Any) -> datetime:
    """
    Read when to send from what a template gave: a time of Hog's, or ISO 8601 text with its time zone.

    Returns:
        Whole seconds in UTC.

    Raises:
        Invalid: it is nothing, or no such time. Nothing does not mean at once: a text at night would be a bad surprise.
    """
    at = value
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value.strip())
        except ValueError:
            at = None
    if not isinstance(at, datetime) or at.tzinfo is None:
        empty = value is None or (isinstance(value, str) and not value.strip())
        raise Invalid(
            "send_at is empty." if empty else "send_at is not a time with its time zone.",
            field=SEND_AT_FIELD,
            hint="Give it like 2026-12-24T18:00:00Z or 2026-12-24T18:00:00+01:00.",
        )
    try:
        return at.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise Invalid("send_at lies beyond all calendars.", field=SEND_AT_FIELD) from None


def check_window(at: datetime, now: datetime) -> datetime:
    """
    Give a time to send at back if Twilio takes it.

    Raises:
        Invalid: it is less than 300 seconds or more than 35 days ahead.
    """
    ahead = at - now
    if ahead < SOONEST or ahead > LATEST:
        lies = "in the past" if ahead < timedelta() else "less than 300 seconds ahead"
        raise Invalid(
            f"send_at lies {lies if ahead < SOONEST else 'more than 35 days ahead'};"
            " Twilio takes times between 300 seconds and 35 days ahead.",
            field=SEND_AT_FIELD,
        )
    return at


def _check_schedules(sender: str) -> None:
    if channel_of(sender) != ANY_CHANNEL:
        raise Invalid(
            "send_at needs a Messaging Service as the sender: from a number Twilio sends at once.",
            field=SEND_AT_FIELD,
            hint="Give the service's SID (MG and 32 hexadecimal digits) as the sender, or leave send_at out.",
        )


def describe(extras: Extras) -> str:
    """Say in a sentence what is asked of Twilio beside the text itself."""
    parts = []
    if extras.media_urls:
        media = len(extras.media_urls)
        parts.append("1 medium" if media == 1 else f"{media} media")
    if extras.smart_encoded:
        parts.append("smart encoding")
    if extras.validity_period is not None:
        parts.append(f"at most {extras.validity_period} s of waiting at Twilio")
    if extras.risk_check is not None:
        parts.append("no risk check" if extras.risk_check is RiskCheck.DISABLE else "a risk check")
    if extras.send_at is not None:
        parts.append(f"to be sent at {extras.send_at:%Y-%m-%d %H:%M:%S} UTC")
    return f"With {', '.join(parts)}." if parts else "Nothing beside the text."

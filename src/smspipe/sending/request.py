"""
One message and one account as the one form POST that Twilio takes.

The body's bytes are those that PostHog's own Twilio destination sends: `To`, `From`, `Body` in this order, each value
as JavaScript's `encodeURIComponent` writes it, so a plus in a number stays a plus (`%2B`) and a space is `%20`. What
else a destination asks for comes after these.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import msgspec

from smspipe.model.destination import Account
from smspipe.model.message import Extras, Message

# What each byte becomes in encodeURIComponent (ECMA-262, 19.2.6.4). A translation of the bytes, read as Latin-1, costs
# a fifth of urllib's quote().
_LEFT_RAW: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
_QUOTED: Final = {byte: chr(byte) if byte in _LEFT_RAW else f"%{byte:02X}" for byte in range(256)}
_FORM: Final = b"Content-Type: application/x-www-form-urlencoded\r\n"
_SERVICE_SID: Final = re.compile(r"MG[0-9a-fA-F]{32}").fullmatch


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    One HTTP request, complete but for where it goes: `Client` adds host, path prefix and length.

    It holds a password, a phone number and a text; its `repr` shows none of them.
    """

    method: str
    path: str
    """From the API's root, percent-encoded, beginning with a slash."""
    headers: bytes
    """Finished header lines, each with its CRLF; no Host, no Content-Length."""
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Request({self.method}, {len(self.body)} body bytes)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Say as little to rich, whose tracebacks ask here and not at `repr`."""
        return [("method", self.method), ("body_bytes", len(self.body))]


def encode_form(fields: Sequence[tuple[str, str]]) -> bytes:
    """
    Encode `fields` as `application/x-www-form-urlencoded`, in their order.

    Values are percent-encoded UTF-8 with upper-case hex; `A-Z a-z 0-9 - _ . ! ~ * ' ( )` stay as they are. Half of a
    surrogate pair, which no encoding can carry, becomes U+FFFD.

    Source:
        https://tc39.es/ecma262/#sec-encodeuricomponent-uricomponent
    """
    return "&".join([f"{_quote(name)}={_quote(value)}" for name, value in fields]).encode("ascii")


def build_request(
    message: Message, account: Account, *, status_callback: str | None = None, attempt: int = 1
) -> Request:
    """
    Build the POST that asks Twilio to send `message`.

    Args:
        message: its `sender` goes out as `From`, or as `MessagingServiceSid` when it has the form of one (`MG…`).
        account: whose credentials and address; what is derived from them is kept and used again.
        status_callback: address that Twilio reports the message's fate to, None to ask for no reports.
        attempt: 1 for the first; from 2 on Twilio is told (`Attempt`), for its own statistics only: the API
            has no idempotency key, and this is none.

    Source:
        https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
    """
    path, headers = _address(account)
    sender = "MessagingServiceSid" if _SERVICE_SID(message.sender) else "From"
    form = f"To={_quote(message.to)}&{sender}={_quote(message.sender)}&Body={_quote(message.body)}"
    if message.extras is not None:
        form += "".join([f"&{name}={_quote(value)}" for name, value in _extras(message.extras)])
    if status_callback is not None:
        form += f"&StatusCallback={_quote(status_callback)}"
    if attempt > 1:
        form += f"&Attempt={attempt}"
    return Request(method="POST", path=path, headers=headers, body=form.encode("ascii"))


def form_of(message: Message) -> list[tuple[str, str]]:
    """Give the fields that ask for `message`, in their order, for a person to look at; a name may come repeatedly."""
    sender = "MessagingServiceSid" if _SERVICE_SID(message.sender) else "From"
    extras = () if message.extras is None else _extras(message.extras)
    return [("To", message.to), (sender, message.sender), ("Body", message.body), *extras]


def _extras(extras: Extras) -> Iterator[tuple[str, str]]:
    for url in extras.media_urls:
        yield "MediaUrl", url
    if extras.validity_period is not None:
        yield "ValidityPeriod", str(extras.validity_period)
    if extras.smart_encoded:
        yield "SmartEncoded", "true"
    if extras.risk_check is not None:
        yield "RiskCheck", extras.risk_check.value
    if extras.send_at is not None:
        yield "SendAt", f"{extras.send_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        yield "ScheduleType", "fixed"


def build_check(account: Account) -> Request:
    """
    Build a GET that shows whether the credentials work, and changes nothing.

    The account itself with its own SID and token. An API key may be forbidden to read that and yet be all that
    sending needs, so a key asks for one entry of the list of messages instead.

    Source:
        https://www.twilio.com/docs/iam/api-keys
    """
    messages, headers = account_address(account)
    path = messages.replace("/Messages.json", ".json") if account.username == account.sid else messages + "?PageSize=1"
    return Request(method="GET", path=path, headers=headers)


def build_numbers(account: Account) -> Request:
    """
    Build a GET of the account's phone numbers, the first page of them.

    Source:
        https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
    """
    messages, headers = account_address(account)
    path = messages.replace("/Messages.json", "/IncomingPhoneNumbers.json")
    return Request(method="GET", path=path, headers=headers)


def account_address(account: Account) -> tuple[str, bytes]:
    """Give the path of an account's messages, and the header lines of a GET for it."""
    path, headers = _address(account)
    return path, headers.replace(_FORM, b"")


@lru_cache(maxsize=256)
def _address(account: Account) -> tuple[str, bytes]:
    credentials = f"{account.username}:{account.password.reveal()}".encode("utf-8", "replace")
    # Without "identity" a gateway may compress, and with an answer that cannot be read nothing is confirmed.
    headers = (
        b"Authorization: Basic %b\r\n" % base64.b64encode(credentials)
        + b"Accept: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: smspipe\r\n"
        + _FORM
    )
    return f"/2010-04-01/Accounts/{quote(account.sid, safe='', errors='replace')}/Messages.json", headers


def _quote(value: str) -> str:
    if value.isascii():
        return value.translate(_QUOTED)
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        encoded = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    return encoded.decode("latin-1").translate(_QUOTED)

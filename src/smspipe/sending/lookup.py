"""Ask Twilio what it knows of texts: one by its SID, or all to a number. Asking changes nothing and may be repeated."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from smspipe.model.destination import Account
from smspipe.sending.request import Request, account_address
from smspipe.sending.response import AccountFault, Later, sort_check

PAGE_SIZE: Final = 100
"""Texts to one number a page: nearly always there is one page."""

_SID: Final = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}").fullmatch


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Twilio has no text of that SID (any more)."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of Twilio's list of messages, each as its API writes it."""

    messages: tuple[Mapping[str, Any], ...]
    next: str | None = None
    """The next page's address as Twilio gave it, None after the last."""
    answered_at: datetime | None = None
    """The time of the answer by Twilio's own clock."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One message as Twilio's API writes it."""

    message: Mapping[str, Any]


class _ListBody(msgspec.Struct):
    messages: list[dict[str, Any]]
    next_page_uri: str | None = None


def build_fetch(account: Account, sid: str) -> Request:
    """
    Build a GET of one message.

    Source:
        https://www.twilio.com/docs/messaging/api/message-resource#fetch-a-message-resource
    """
    messages, headers = account_address(account)
    path = messages.replace("/Messages.json", f"/Messages/{quote(sid, safe='')}.json")
    return Request(method="GET", path=path, headers=headers)


def build_list(account: Account, to: str) -> Request:
    """
    Build a GET of the messages to a number, newest first; of any day, since what is queued has no date of sending yet.

    Source:
        https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
    """
    messages, headers = account_address(account)
    return Request(method="GET", path=f"{messages}?To={quote(to, safe='')}&PageSize={PAGE_SIZE}", headers=headers)


def build_next(account: Account, uri: str) -> Request | None:
    """Build a GET of the page that Twilio named as the next one; None if that is no page of this account's messages."""
    messages, headers = account_address(account)
    if not uri.startswith(messages) or any(character <= " " or character > "~" for character in uri):
        return None
    return Request(method="GET", path=uri, headers=headers)


def sort_fetch(status: int, headers: Mapping[str, str], body: bytes) -> Shown | Missing | AccountFault | Later:
    """Say what a complete answer to the GET of `build_fetch` means. Never raises, whatever the bytes."""
    if status == 404:
        return Missing()
    if 200 <= status < 300:
        try:
            message = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            message = {}
        if not _has_sid(message):
            return Later(saw="Twilio's answer about the text cannot be read.", http_status=status)
        return Shown(message=message)
    return _not_told(status, headers, body)


def sort_list(status: int, headers: Mapping[str, str], body: bytes) -> Page | AccountFault | Later:
    """
    Say what a complete answer to the GET of `build_list` or `build_next` means. Never raises, whatever the bytes.

    A list with an entry that cannot be read is no list: absence must never be concluded from it.
    """
    if 200 <= status < 300:
        try:
            found = msgspec.json.decode(body, type=_ListBody)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = None
        if found is None or not all(map(_has_sid, found.messages)):
            return Later(saw="Twilio's list of messages cannot be read.", http_status=status)
        return Page(messages=tuple(found.messages), next=found.next_page_uri or None, answered_at=_date(headers))
    return _not_told(status, headers, body)


def _not_told(status: int, headers: Mapping[str, str], body: bytes) -> AccountFault | Later:
    answer = sort_check(status, headers, body)
    if isinstance(answer, AccountFault | Later):
        return answer
    return Later(saw=f"Twilio answered HTTP {status} when asked about texts.", http_status=status)


def _has_sid(message: Mapping[str, Any]) -> bool:
    sid = message.get("sid")
    return isinstance(sid, str) and _SID(sid) is not None


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        at = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo is not None else None

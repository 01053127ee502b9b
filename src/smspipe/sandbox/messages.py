"""The Message resource: one text as the account holds it, how it is shown, and how a list of it is paged."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from smspipe.sandbox.codes import DELIVERY_FAILURES, Refusal

API_VERSION: Final = "2010-04-01"
LARGEST_PAGE: Final = 1000
_DEFAULT_PAGE: Final = 50
_PRICE_OF_A_SEGMENT: Final = 0.0075


class Status(StrEnum):
    """Where a text stands. See `life` for the order."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"
    RECEIVED = "received"


FINISHED: Final = frozenset(
    {Status.DELIVERED, Status.UNDELIVERED, Status.FAILED, Status.CANCELED, Status.RECEIVED, Status.SENT}
)
"""Statuses in which a record may be deleted; `sent` is one, since some carriers never say more."""


class Direction(StrEnum):
    """Who sent a text, and on what occasion."""

    API = "outbound-api"
    REPLY = "outbound-reply"
    INBOUND = "inbound"


@dataclass(slots=True, kw_only=True)
class Message:
    """One text. `number` counts all texts of the account from 1, in order of arrival."""

    number: int
    sid: str
    account_sid: str
    direction: Direction
    to: str
    sender: str | None
    """What `From` is called elsewhere; None until a Messaging Service has chosen."""
    service: str | None
    body: str
    media: tuple[str, ...] = ()
    segments: int
    status: Status
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None = None
    error_code: int | None = None
    callback_url: str | None = None
    send_at: datetime | None = None
    validity: timedelta = timedelta(seconds=36_000)
    feedback: list[str] = field(default_factory=list)
    deleted: bool = False

    @property
    def uri(self) -> str:
        """Give the resource's address, relative to the API's host."""
        return f"/{API_VERSION}/Accounts/{self.account_sid}/Messages/{self.sid}.json"

    def move(self, status: Status, now: datetime, error_code: int | None = None) -> None:
        """Change the status, and the dates that go with it."""
        self.status = status
        self.updated_at = now
        self.error_code = error_code
        if status is Status.SENT:
            self.sent_at = now

    def document(self) -> dict[str, Any]:
        """Show the text as the API does: counts and price are texts, dates RFC 2822."""
        chosen = self.status not in {Status.ACCEPTED, Status.SCHEDULED}
        price = self.sent_at is not None and self.direction is not Direction.INBOUND
        return {
            "account_sid": self.account_sid,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": rfc2822(self.created_at),
            "date_sent": rfc2822(self.sent_at) if self.sent_at else None,
            "date_updated": rfc2822(self.updated_at),
            "direction": self.direction.value,
            "error_code": self.error_code,
            "error_message": DELIVERY_FAILURES.get(self.error_code, "Unknown error") if self.error_code else None,
            "from": self.sender,
            "messaging_service_sid": self.service,
            "num_media": str(len(self.media)),
            "num_segments": str(self.segments if chosen else 0),
            "price": f"-{_PRICE_OF_A_SEGMENT * self.segments:.5f}" if price else None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status.value,
            "subresource_uris": {"media": self.uri.removesuffix(".json") + "/Media.json"},
            "to": self.to,
            "uri": self.uri,
        }


class MessageLog:
    """The account's texts by SID, the newest `capacity` of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_sid: OrderedDict[str, Message] = OrderedDict()

    def add(self, message: Message) -> None:
        """Keep one more text; the oldest goes when there is no room."""
        self._by_sid[message.sid] = message
        if len(self._by_sid) > self._capacity:
            self._by_sid.popitem(last=False)

    def find(self, sid: str) -> Message | None:
        """Find a text that was not deleted."""
        message = self._by_sid.get(sid)
        return None if message is None or message.deleted else message

    def number_of(self, sid: str) -> int | None:
        """Say where in the order of arrival a text stands, deleted or not; None when it is not kept."""
        message = self._by_sid.get(sid)
        return message.number if message else None

    def newest_first(self) -> Iterator[Message]:
        """Go through all texts that were not deleted."""
        return (message for message in reversed(self._by_sid.values()) if not message.deleted)

    def clear(self) -> None:
        """Forget everything."""
        self._by_sid.clear()


def rfc2822(at: datetime) -> str:
    """Write an instant as the API does: `Thu, 24 Aug 2023 05:01:45 +0000`."""
    return format_datetime(at.astimezone(UTC))


def list_messages(log: MessageLog, account_sid: str, query: dict[str, str]) -> dict[str, Any] | Refusal:
    """
    Build one page of the list, newest first.

    `To`, `From`, `DateSent`, `DateSent<` and `DateSent>` filter; dates apply to the day a text was
    sent, so one still queued matches none. `PageToken` is `PA` or `PB` and the SID after, or before,
    which the page stands; links carry it, and are relative to the API's host.

    Source:
        https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
        https://www.twilio.com/docs/usage/twilios-response#response-formats-list-paging-information
    """
    size, page = _read_paging(query)
    if not 1 <= size <= LARGEST_PAGE:
        return Refusal(code=20007)
    if page < 0:
        return Refusal(code=20001, detail="Page must be a whole number, 0 or more.")
    try:
        filters = _Filters(query)
    except ValueError:
        return Refusal(code=20001, detail="DateSent must be a date (YYYY-MM-DD) or an ISO 8601 time.")
    matching = [message for message in log.newest_first() if filters.match(message)]
    start = _find_start(log, matching, query.get("PageToken", ""), page, size)
    if start is None:
        return Refusal(code=20001, detail="PageToken is not one that this list gave out.")
    shown = matching[start : start + size]
    return _page_document(account_sid, query, matching, shown, start=start, page=page, size=size)


def _read_paging(query: dict[str, str]) -> tuple[int, int]:
    size, page = query.get("PageSize", str(_DEFAULT_PAGE)), query.get("Page", "0")
    return (int(size) if size.isdecimal() else 0), (int(page) if page.isdecimal() else -1)


def _find_start(log: MessageLog, matching: list[Message], token: str, page: int, size: int) -> int | None:
    """Find the place of a page's first text: by its token, or, without one, by counting pages."""
    if not token:
        return page * size
    anchor = log.number_of(token[2:])
    if token[:2] not in {"PA", "PB"} or anchor is None:
        return None
    if token.startswith("PA"):
        return sum(1 for message in matching if message.number >= anchor)
    return max(0, sum(1 for message in matching if message.number > anchor) - size)


def _page_document(
    account_sid: str,
    query: dict[str, str],
    matching: list[Message],
    shown: list[Message],
    *,
    start: int,
    page: int,
    size: int,
) -> dict[str, Any]:
    path = f"/{API_VERSION}/Accounts/{account_sid}/Messages.json"
    kept = {name: value for name, value in query.items() if name not in {"Page", "PageSize", "PageToken"}}

    def link(number: int, token: str = "") -> str:
        more = {"PageToken": token} if token else {}
        return f"{path}?{urlencode({**kept, 'PageSize': size, 'Page': number, **more})}"

    more_after = bool(shown) and start + size < len(matching)
    more_before = bool(shown) and start > 0
    return {
        "first_page_uri": link(0),
        "next_page_uri": link(page + 1, f"PA{shown[-1].sid}") if more_after else None,
        "previous_page_uri": link(max(0, page - 1), f"PB{shown[0].sid}") if more_before else None,
        "uri": link(page, query.get("PageToken", "")),
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(0, len(shown) - 1),
        "messages": [message.document() for message in shown],
    }


class _Filters:
    """The list's filters, read once. Bounds are inclusive; a date without a time means the whole day."""

    def __init__(self, query: dict[str, str]) -> None:
        self.to = query.get("To") or None
        self.sender = query.get("From") or None
        self.earliest: datetime | None = None
        self.latest: datetime | None = None
        if on := query.get("DateSent"):
            self.earliest, self.latest = _read_span(on, whole_day=True)
        if since := query.get("DateSent>"):
            self.earliest = _read_span(since)[0]
        if until := query.get("DateSent<"):
            self.latest = _read_span(until)[1]

    def match(self, message: Message) -> bool:
        if self.to is not None and message.to != self.to:
            return False
        if self.sender is not None and message.sender != self.sender:
            return False
        if self.earliest is None and self.latest is None:
            return True
        if message.sent_at is None:
            return False
        if self.earliest is not None and message.sent_at < self.earliest:
            return False
        return self.latest is None or message.sent_at <= self.latest


def _read_span(text: str, *, whole_day: bool = False) -> tuple[datetime, datetime]:
    """Read a day (its first and last instant) or a time (itself twice), raising ValueError."""
    if len(text) > len("2026-01-31") and not whole_day:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return at, at
    day = date.fromisoformat(text[: len("2026-01-31")])
    return datetime.combine(day, time.min, UTC), datetime.combine(day, time.max, UTC)

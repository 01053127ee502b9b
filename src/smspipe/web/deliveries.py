"""Doors to the ledger."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from smspipe.deliveries import evidence, queries
from smspipe.deliveries.evidence import Told
from smspipe.model.clock import to_iso
from smspipe.model.delivery import Delivery, Status
from smspipe.model.errors import Invalid
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid
from smspipe.model.message import Extras
from smspipe.model.outcome import Reason, Step
from smspipe.pipeline.waiting import Wait
from smspipe.web.problems import PROBLEMS, AnyRequest, NotFound
from smspipe.web.queries import MOST, CursorPage, cursor_page, read_count, read_cursor, read_instant
from smspipe.web.services import Services

Word = TypeVar("Word", bound=StrEnum)


class DeliveryInList(msgspec.Struct, kw_only=True, rename={"sender": "from"}):
    """A delivery in a list."""

    id: str
    destination_id: str
    event_uuid: str
    event: str
    distinct_id: str
    status: Status
    reason: Reason | None
    to: str | None
    sender: str | None
    body: str | None
    segments: int | None
    encoding: str | None
    sid: str | None
    twilio_status: str | None
    """The furthest of Twilio's own words for it, as it came."""
    billed_segments: int | None
    """Segments as Twilio counted them."""
    price: str | None
    """What Twilio charged, a decimal number without sign; None until Twilio says."""
    price_unit: str | None
    attempts: int
    error_code: int | None
    error_message: str | None
    created_at: str
    not_before: str | None
    sent_at: str | None
    settled_at: str | None


class ReceiptOfDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said of a delivery's text."""

    at: str
    status: str
    """Twilio's own word; `forgone` when a person had another text sent in its place."""
    error_code: int | None
    source: str
    """`callback`, `fetch`, `list`, or `person`."""
    sid: str | None
    """None for a message whose SID nobody knows."""
    attempt: int


class DeliveryInFull(DeliveryInList, kw_only=True):
    """A delivery by itself, with what led to it."""

    version: int
    """The version of the destination that decided it."""
    route: int
    """Which of the destination's recipients it is for; 0 for most."""
    expires_at: str | None
    sends_at: str | None
    """When it is likely to leave, for one that waits for its sender's pace; an estimate."""
    steps: tuple[Step, ...]
    receipts: list[ReceiptOfDelivery]
    """What Twilio said of its text, in the order in which it came."""
    extras: Extras | None
    """What Twilio is asked for beside the text; null for most."""


def show(delivery: Delivery) -> DeliveryInList:
    """Write a delivery for a list."""
    return DeliveryInList(**_common(delivery))


def show_in_full(delivery: Delivery, said: Iterable[Told], wait: Wait | None) -> DeliveryInFull:
    """Write a delivery with its steps, what Twilio said of it, and how long it will wait."""
    return DeliveryInFull(
        **_common(delivery),
        version=delivery.version,
        route=delivery.route,
        expires_at=None if delivery.expires_at is None else to_iso(delivery.expires_at),
        sends_at=None if wait is None else to_iso(wait.sends_at),
        steps=delivery.steps,
        receipts=[
            ReceiptOfDelivery(
                at=to_iso(each.at), status=each.status, error_code=each.error_code, source=each.source,
                sid=each.sid or None, attempt=each.attempt,
            )
            for each in said
        ],
        extras=delivery.extras,
    )  # fmt: skip


_SAME: Final = (
    "id", "destination_id", "event_uuid", "event", "distinct_id", "status", "reason", "to", "sender", "body",
    "segments", "encoding", "sid", "twilio_status", "billed_segments", "price", "price_unit", "attempts", "error_code",
    "error_message",
)  # fmt: skip
_INSTANTS: Final = ("created_at", "not_before", "sent_at", "settled_at")


def _common(delivery: Delivery) -> dict[str, Any]:
    values = {name: getattr(delivery, name) for name in _SAME}
    for name in _INSTANTS:
        at = getattr(delivery, name)
        values[name] = None if at is None else to_iso(at)
    return values


@get("/deliveries", sync_to_thread=True, operation_id="list_deliveries", responses=PROBLEMS)
def list_deliveries(
    services: NamedDependency[Services],
    request: AnyRequest,
    destination: FromQuery[str | None] = None,
    status: FromQuery[str | None] = None,
    reason: FromQuery[str | None] = None,
    error_code: FromQuery[str | None] = None,
    to: FromQuery[str | None] = None,
    event_uuid: FromQuery[str | None] = None,
    distinct_id: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[str | None] = None,
) -> CursorPage[DeliveryInList]:
    """List deliveries, newest first."""
    now = services.clock()
    query = queries.Query(
        destination=DestinationId(destination) if destination else None,
        status=read_word(Status, status, "status"),
        reason=read_word(Reason, reason, "reason"),
        error_code=read_count(error_code, "error_code", default=0) or None,
        # An unescaped plus in an address is a space; no number begins with one.
        to="+" + to[1:] if to and to.startswith(" ") else to or None,
        event_uuid=EventUuid(event_uuid.lower()) if event_uuid else None,
        distinct_id=distinct_id or None,
        after=read_instant(after, "after", now),
        before=read_instant(before, "before", now),
    )
    most = read_count(limit, "limit", default=100, least=1, most=MOST)
    place = read_cursor(cursor)
    older = DeliveryId(place.id) if place is not None and place.older else None
    newer = DeliveryId(place.id) if place is not None and not place.older else None
    with services.database.read() as connection:
        # One more than asked for tells whether there is another page that way.
        found = queries.list_deliveries(connection, query, limit=most + 1, older_than=older, newer_than=newer)
    return cursor_page(request, found, most, place, show)


@get("/deliveries/{delivery_id:str}", sync_to_thread=True, operation_id="get_delivery", responses=PROBLEMS)
def get_delivery(services: NamedDependency[Services], delivery_id: FromPath[str]) -> DeliveryInFull:
    """Read one delivery with the steps that led to it, and what Twilio said of it."""
    with services.database.read() as connection:
        found = queries.get(connection, DeliveryId(delivery_id))
        if found is None:
            raise NotFound("Not found.")
        return show_in_full(found, evidence.receipts_of(connection, found.id), services.waits(connection, found))


def read_word(words: type[Word], text: str | None, field: str) -> Word | None:
    """
    Read a word of a closed list, None when it is left out.

    Raises:
        Invalid: it is no word of the list.
    """
    if not text:
        return None
    try:
        return words(text)
    except ValueError:
        named = field.rpartition("__")[2]
        raise Invalid(f"There is no {named} {text[:40]!r}.", field=field, hint=f"Use {', '.join(words)}.") from None


HANDLERS: Final = (list_deliveries, get_delivery)

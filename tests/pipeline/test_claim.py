"""The last look before a text leaves."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from smspipe.deliveries import ledger, paces
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid
from smspipe.pipeline.claim import claim
from tests.pipeline.conftest import HASHER, NOW, PHONE

SENDER = "+14155552600"
PACE = 1.0


def a_text(nth: int, destination: str = "shop", **fields: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": DeliveryId(f"delivery-{nth}"),
        "destination_id": DestinationId(destination),
        "version": 1,
        "event_uuid": EventUuid(f"01930000-0000-7000-8000-{nth:012d}"),
        "route": 0,
        "event": "x",
        "distinct_id": "ada",
        "status": Status.PENDING,
        "created_at": NOW,
        "to": PHONE,
        "sender": SENDER,
        "body": f"Number {nth}",
        "segments": 1,
        "encoding": "GSM-7",
        "not_before": NOW,
    }
    return Delivery(**(given | fields))


def test_a_sender_is_ready_soon_after_a_clock_that_was_wrong_for_a_day_is_set_right(connection: Connection) -> None:
    """What it was given while the clock was a day ahead keeps it busy for the longest text's time, not for a day."""
    paces.write(connection, [(SENDER, NOW + timedelta(days=1))])
    ledger.open_deliveries(connection, [a_text(1)])
    now, sent = NOW, 0
    for _ in range(10):
        made = claim(connection, now, 10, hasher=HASHER, pace_of=lambda destination, sender: PACE, blocked={})
        if made.sending:
            sent += 1
            break
        now = made.blocked[DestinationId("shop")]
    assert sent == 1
    assert now - NOW <= timedelta(seconds=24 / PACE)


def test_behind_a_text_that_waits_for_its_like_the_next_of_its_destination_is_still_claimed(
    connection: Connection,
) -> None:
    """Also where the first destinations have taken most of what may be claimed."""
    ledger.open_deliveries(
        connection,
        [
            a_text(1, "first", not_before=NOW - timedelta(seconds=1)),
            a_text(2, "first", not_before=NOW - timedelta(seconds=1)),
            a_text(3, "second", body="Number 1"),
            a_text(4, "second"),
        ],
    )
    made = claim(connection, NOW, 3, hasher=HASHER, pace_of=lambda destination, sender: None, blocked={})
    assert [each.id for each in made.sending] == ["delivery-1", "delivery-2", "delivery-4"]

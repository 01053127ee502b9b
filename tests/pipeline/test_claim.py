"""The last look before a text leaves."""

from datetime import timedelta

from sqlalchemy import Connection

from smspipe.deliveries import ledger, paces
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid
from smspipe.pipeline.claim import claim
from tests.pipeline.conftest import HASHER, NOW, PHONE

SENDER = "+14155552600"
PACE = 1.0


def a_text(nth: int) -> Delivery:
    return Delivery(
        id=DeliveryId(f"delivery-{nth}"),
        destination_id=DestinationId("shop"),
        version=1,
        event_uuid=EventUuid(f"01930000-0000-7000-8000-{nth:012d}"),
        route=0,
        event="x",
        distinct_id="ada",
        status=Status.PENDING,
        created_at=NOW,
        to=PHONE,
        sender=SENDER,
        body=f"Number {nth}",
        segments=1,
        encoding="GSM-7",
        not_before=NOW,
    )


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

"""What texts cost: exact, by destination, country and day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.deliveries import evidence
from smspipe.deliveries.cost import By, Span, Sum, country_of, sum_costs
from smspipe.model.delivery import Status
from smspipe.model.ids import DestinationId, MessageSid
from tests.deliveries.conftest import NOW, SECOND, SHOP, a_delivery, put

OTHER = DestinationId("other")
DAY = timedelta(days=1)
_LEARNT = ("billed_segments", "price", "price_unit")


def sent(connection: Connection, n: int = 1, **fields: Any) -> None:
    """Write texts that Twilio took, with what it told of them."""
    for _ in range(n):
        born = {name: value for name, value in fields.items() if name not in _LEARNT}
        text = a_delivery(Status.ACCEPTED, **{"sid": MessageSid("SM1"), "sent_at": NOW} | born)
        put(connection, text)
        if told := {name: value for name, value in fields.items() if name in _LEARNT}:
            evidence.learn(connection, text.id, **told)


def test_prices_are_summed_exactly_by_currency(connection: Connection) -> None:
    """In binary fractions a thousand of these would not be 7.9."""
    sent(connection, 1000, price="0.0079", price_unit="USD", billed_segments=2)
    sent(connection, 3, price="0.0079", price_unit="EUR")
    sent(connection, 1, price="0.00831", price_unit="USD")
    sent(connection, 2)
    found = sum_costs(connection, By.DESTINATION, Span())
    assert found == {
        SHOP: Sum(
            texts=1006,
            segments=1006,
            billed_segments=2000,
            billed=1000,
            priced=1004,
            prices={"USD": Decimal("7.90831"), "EUR": Decimal("0.0237")},
        )
    }


def test_only_what_twilio_took_is_counted(connection: Connection) -> None:
    put(connection, *(a_delivery(status, sent_at=NOW) for status in Status))
    assert sum_costs(connection, By.DESTINATION, Span()) == {}
    for status in (Status.ACCEPTED, Status.DELIVERED, Status.UNDELIVERED, Status.FAILED):
        put(connection, a_delivery(status, sid=MessageSid("SM1"), sent_at=NOW))
    assert sum_costs(connection, By.DESTINATION, Span())[SHOP].texts == 4


@pytest.mark.parametrize("by", By)
def test_every_way_to_sum_comes_to_the_same_total(connection: Connection, by: By) -> None:
    numbers = ("+12025550143", "+447700900123", "+15005550009", None)
    for place, to in enumerate(numbers):
        sent(connection, place + 1, to=to, segments=place, price=f"0.00{place}", price_unit="USD")
        sent(connection, 1, to=to, destination_id=OTHER, sent_at=NOW + place * DAY, billed_segments=place)
    total = Sum()
    for each in sum_costs(connection, by, Span()).values():
        total.add(each)
    assert total == Sum(texts=14, segments=24, billed_segments=6, billed=4, priced=10, prices={"USD": Decimal("0.020")})


def test_the_country_is_that_of_the_number(connection: Connection) -> None:
    sent(connection, 3, to="+12025550143", segments=2)
    sent(connection, 2, to="+16135550143", price="0.0079", price_unit="USD", billed_segments=1)
    sent(connection, 1, to="whatsapp:+447700900123")
    found = sum_costs(connection, By.COUNTRY, Span())
    assert list(found) == ["US", "CA", "GB"]
    assert found["US"] == Sum(texts=3, segments=6)
    assert found["CA"] == Sum(
        texts=2, segments=2, billed_segments=2, billed=2, priced=2, prices={"USD": Decimal("0.0158")}
    )


@pytest.mark.parametrize(
    ("to", "country"),
    [
        ("+12025550143", "US"),
        ("+16135550143", "CA"),
        ("+447700900123", "GB"),
        ("+77012345678", "KZ"),
        ("+79161234567", "RU"),
        ("whatsapp:+4915123456789", "DE"),
        ("+88213300655", "001"),
        ("+4912", "DE"),
        ("+15005550009", "US"),
        ("+999123456", "ZZ"),
        ("12345", "ZZ"),
        ("", "ZZ"),
    ],
)
def test_a_number_belongs_to_its_country(to: str, country: str) -> None:
    assert country_of(to) == country


def test_a_day_is_that_of_the_request_in_utc(connection: Connection) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    sent(connection, 1, sent_at=midnight - timedelta(microseconds=1))
    sent(connection, 2, sent_at=midnight, created_at=NOW)
    found = sum_costs(connection, By.DAY, Span())
    assert [(day, each.texts) for day, each in found.items()] == [("2026-03-01", 1), ("2026-03-02", 2)]


@pytest.mark.parametrize("by", By)
def test_a_span_and_a_destination_choose(connection: Connection, by: By) -> None:
    for place in range(4):
        sent(connection, 1, sent_at=NOW + place * SECOND)
    sent(connection, 1, destination_id=OTHER, sent_at=NOW + SECOND)
    span = Span(after=NOW + SECOND, before=NOW + 3 * SECOND)
    assert sum(each.texts for each in sum_costs(connection, by, span).values()) == 3
    only = Span(after=span.after, before=span.before, destination=SHOP)
    assert sum(each.texts for each in sum_costs(connection, by, only).values()) == 2


def test_more_rows_than_are_read_at_once_are_all_counted(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smspipe.deliveries.cost._AT_ONCE", 3)
    sent(connection, 10, to="+12025550143")
    assert sum_costs(connection, By.COUNTRY, Span())["US"].texts == 10

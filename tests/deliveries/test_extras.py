"""What a text asks of Twilio beside itself is kept with it."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from smspipe.deliveries.ledger import claim, due
from smspipe.deliveries.tables import deliveries
from smspipe.model.message import Extras, RiskCheck
from tests.deliveries.conftest import NOW, SHOP, a_delivery, put, row

ALL = Extras(
    media_urls=("https://example.com/a.png", "http://example.com/ü"),
    validity_period=60,
    smart_encoded=True,
    risk_check=RiskCheck.DISABLE,
    send_at=NOW + timedelta(hours=1),
)


@pytest.mark.parametrize("extras", [None, Extras(), Extras(smart_encoded=True), ALL])
def test_a_claim_gives_the_extras_that_were_decided(connection: Connection, extras: Extras | None) -> None:
    delivery = a_delivery(not_before=NOW, extras=extras)
    put(connection, delivery)
    assert row(connection, delivery).extras == extras
    (claimed,) = claim(connection, due(connection, SHOP, NOW, 10, 0), NOW)
    assert claimed.extras == extras


def test_a_plain_text_keeps_nothing(connection: Connection) -> None:
    put(connection, a_delivery())
    assert connection.execute(select(deliveries.c.extras)).scalar_one() is None

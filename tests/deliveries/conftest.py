"""A ledger to write in, and deliveries to write."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write, driver_of
from smspipe.deliveries import ledger, queries
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.states import Move
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, uuid7

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SHOP = DestinationId("shop")
_places = count()


def a_delivery(status: Status = Status.PENDING, **fields: Any) -> Delivery:
    """Make a delivery of an event of its own, born at noon; a later one has a greater id."""
    place = next(_places)
    given: dict[str, Any] = {
        "id": DeliveryId(uuid7(NOW, place.to_bytes(10, "big"))),
        "destination_id": SHOP,
        "version": 1,
        "event_uuid": EventUuid(f"01930000-0000-7000-8000-{place:012d}"),
        "route": 0,
        "event": "order shipped",
        "distinct_id": "ada",
        "created_at": NOW,
        "to": "+15005550009",
        "sender": "+15005550006",
        "body": "Hi",
        "segments": 1,
        "encoding": "GSM-7",
        "attempts": 1 if status is Status.SENDING else 0,
        "not_before": NOW,
        "expires_at": NOW + timedelta(days=1),
    }
    return Delivery(status=status, **(given | fields))


@pytest.fixture(scope="session", params=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Open a database of each kind that there is, once for all: a test leaves nothing behind in it."""
    opened = open_database(f"{request.param}:///{tmp_path_factory.mktemp('deliveries')}/smspipe.db")
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """Lend a connection in a transaction that may write, and is undone in the end."""
    with database.engine.connect() as lent:
        begin_write(lent)
        yield lent
        lent.rollback()
        if driver_of(lent).in_transaction:
            driver_of(lent).rollback()


def put(connection: Connection, *opened: Delivery) -> None:
    """Write deliveries as they are, whatever their status."""
    ledger.open_deliveries(connection, opened)


def row(connection: Connection, delivery: Delivery) -> Delivery:
    """Read a delivery that is there."""
    found = queries.get(connection, delivery.id)
    assert found is not None
    return found


def move(delivery: Delivery, made: Move, **fields: Any) -> Settlement:
    """Ask for a move, a second after noon."""
    return Settlement(delivery=delivery, move=made, at=NOW + SECOND, **fields)

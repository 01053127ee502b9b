"""A log to write in, and requests to write."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write, driver_of
from smspipe.model.event import Door, Payload

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_request(nth: int = 0, **fields: Any) -> Payload:
    """Make a request that came `nth` seconds after noon."""
    given: dict[str, Any] = {
        "door": Door.BATCH,
        "body": b'{"batch": []}',
        "received_at": NOW + timedelta(seconds=nth),
        "seed": nth.to_bytes(8, "big"),
    }
    return Payload(**(given | fields))


@pytest.fixture(scope="session", params=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Open a database of each kind that there is, once for all: a test leaves nothing behind in it."""
    opened = open_database(f"{request.param}:///{tmp_path_factory.mktemp('eventlog')}/smspipe.db")
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

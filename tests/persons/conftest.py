"""What the tests of this room share: a database to write to, and events to write with."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.db import Database, open_database
from smspipe.db.engine import begin_write
from smspipe.model.event import Event
from smspipe.model.ids import EventUuid
from smspipe.persons import Cache, Seen, update

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_event(
    event: str = "order shipped",
    distinct_id: str = "ada",
    properties: dict[str, Any] | None = None,
    *,
    number: int = 0,
) -> Event:
    """Make an event that came `number` seconds after noon."""
    at = NOW + timedelta(seconds=number)
    return Event(
        uuid=EventUuid(f"01930000-0000-7000-8000-{number:012d}"),
        event=event,
        distinct_id=distinct_id,
        timestamp=at,
        received_at=at,
        properties={} if properties is None else properties,
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open a database with its tables made."""
    opened = open_database(f"sqlite:///{tmp_path}/smspipe.db")
    opened.create()
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """Lend a connection in a transaction that may write."""
    with database.engine.connect() as lent:
        begin_write(lent)
        yield lent


See = Callable[..., Seen]


@pytest.fixture
def see(connection: Connection) -> See:
    """Give `see(event, …)`: update the profiles by these events as one group; what the last of them saw."""
    cache = Cache()

    def see_last(*events: Event) -> Seen:
        return update(connection, events, NOW, cache)[-1]

    return see_last

"""What the tests of this room share: a database to write to, and events to write with."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from sqlalchemy import Connection

from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write, driver_of
from smspipe.model.event import Event
from smspipe.model.ids import EventUuid
from smspipe.persons import Cache, Seen, update

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def an_event(
    name: str = "order shipped",
    distinct_id: str = "ada",
    properties: dict[str, Any] | None = None,
    *,
    number: int = 0,
) -> Event:
    """Make an event that came `number` seconds after noon."""
    at = NOW + timedelta(seconds=number)
    return Event(
        uuid=EventUuid(f"01930000-0000-7000-8000-{number:012d}"),
        event=name,
        distinct_id=distinct_id,
        timestamp=at,
        received_at=at,
        properties={} if properties is None else properties,
    )


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Open a database with its tables made, once for all: a test leaves nothing behind in it."""
    opened = open_database(f"sqlite:///{tmp_path_factory.mktemp('persons')}/smspipe.db")
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


@pytest.fixture
def cache() -> Cache:
    """Give a cache as it is at startup."""
    return Cache()


class See(Protocol):
    """What the fixture `see` is."""

    def __call__(self, *events: Event) -> Seen: ...


@pytest.fixture
def see(connection: Connection, cache: Cache) -> See:
    """Give `see(event, …)`: update the profiles by these events as one group; what the last of them saw."""

    def see_last(*events: Event) -> Seen:
        return update(connection, events, NOW, cache)[-1]

    return see_last


@pytest.fixture
def statements(connection: Connection) -> Iterator[list[str]]:
    """Collect the first word of every statement that reaches the driver from now on."""
    words: list[str] = []
    driver = driver_of(connection)
    driver.set_trace_callback(lambda sql: words.append(sql.split()[0].lower()))
    yield words
    driver.set_trace_callback(None)

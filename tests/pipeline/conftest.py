"""Destinations, events and a database for the tests of the pipeline's own steps; `town` has whole services."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write, driver_of
from smspipe.model.cooldown import Window
from smspipe.model.destination import Account, Cooldown, Destination, Route, Secret, Text
from smspipe.model.event import Event
from smspipe.model.filter import EventFilter, Filter, Property, PropertyGroup
from smspipe.model.ids import DestinationId, EventUuid, PersonId
from smspipe.model.limits import Passed, Spent
from smspipe.model.person import Person
from smspipe.model.trust import Place
from smspipe.optouts import Hasher
from smspipe.pipeline.prepare import Site

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = Site(project={"id": 1, "name": "Test", "url": "http://localhost/project/1"})
PHONE = "+15005550009"
HOUR = timedelta(hours=1)


def a_destination(name: str = "shop", **fields: Any) -> Destination:
    """Make a destination that texts `text` of every event to its `phone`; filters and templates as given."""
    given: dict[str, Any] = {
        "id": DestinationId(name),
        "version": 1,
        "name": name,
        "enabled": True,
        "template_id": "template-twilio",
        "filter": Filter(),
        "account": Account(sid="AC1", username="AC1", password=Secret("token")),
        "sender": Text(source="+15005550006", field="inputs__fromPhoneNumber"),
        "routes": (Route(to=Text(source="{event.properties.phone}", field="inputs__phoneNumber")),),
        "body": Text(source="{event.properties.text}", field="inputs__smsBody"),
    }
    return Destination(**(given | fields))


def only(*events: str, **properties: Any) -> Filter:
    """Make a filter for events of these names whose properties equal the given ones."""
    conditions = tuple(Property(key=key, value=value, operator="exact") for key, value in properties.items())
    return Filter(
        events=tuple(EventFilter(id=name, name=name) for name in events),
        properties=PropertyGroup(values=conditions),
    )


def hogql(expression: str) -> Filter:
    """Make a filter of one expression."""
    return Filter(properties=PropertyGroup(values=(Property(type="hogql", key=expression),)))


def a_cooldown(key: str = "{recipient}", ttl: timedelta = HOUR, threshold: int | None = None) -> Cooldown:
    """Make a cooldown, for each recipient if nothing else is said."""
    return Cooldown(key=Text(source=key, field="masking__hash"), ttl=ttl, threshold=threshold)


def an_event(nth: int = 0, **fields: Any) -> Event:
    """Make an event that happened at noon, with a phone and a text."""
    given: dict[str, Any] = {
        "uuid": EventUuid(f"01930000-0000-7000-8000-{nth:012d}"),
        "event": "order shipped",
        "distinct_id": "ada",
        "timestamp": NOW,
        "received_at": NOW,
        "properties": {"phone": PHONE, "text": "Hi"},
    }
    return Event(**(given | fields))


ADA = Person(id=PersonId("01920000-0000-7000-8000-000000000001"), properties={"name": "Ada"}, created_at=NOW)


class Ledger:
    """A `Known` that answers as it is told."""

    def __init__(self, *, known: bool = False, opted_out: bool = False, window: Window | None = None) -> None:
        self._known = known
        self._opted_out = opted_out
        self._window = window
        self.keys: list[str] = []
        self.counts: dict[Place, int] = {}
        """What was let through to claimed numbers, by place."""
        self.numbers: set[str] = set()
        """Those that were texted before."""
        self.texts: list[Passed] = []
        """What was let through to whomever is asked about."""
        self.suppressed = 0
        self.said: DestinationId | None = None
        """Who said the same words."""
        self.costs: dict[tuple[str, str], Spent] = {}
        """What was spent, by scope and period."""
        self.prices: dict[tuple[str, str, str], int] = {}

    def opted_out(self, to: str, sender: str) -> bool:
        """Say what it was told."""
        return self._opted_out

    def known(self, event: EventUuid, destination: DestinationId, route: int) -> bool:
        """Say what it was told."""
        return self._known

    def window(self, destination: DestinationId, key: str, ttl: timedelta) -> Window:
        """Note the key, and give the window that it was told, or one that nobody has entered."""
        self.keys.append(key)
        return self._window or Window(ends_at=NOW + ttl)

    def let_through(self, destination: DestinationId, place: Place) -> int:
        """Give the count of a place."""
        return self.counts.get(place, 0)

    def texted(self, to: str) -> bool:
        """Look among the numbers."""
        return to in self.numbers

    def passed(self, destination: DestinationId, who: str) -> Sequence[Passed]:
        """Give the texts."""
        return self.texts

    def held_back(self, destination: DestinationId, to: str) -> int:
        """Say what it was told."""
        return self.suppressed

    def twin(self, destination: DestinationId, to: str, body: str, within: timedelta | None) -> DestinationId | None:
        """Say what it was told."""
        return self.said

    def spent(self, scope: str, period: str) -> Spent:
        """Give what was spent."""
        return self.costs.get((scope, period), Spent())

    def price(self, country: str, sender: str, currency: str) -> int | None:
        """Give what was charged."""
        return self.prices.get((country, sender, currency))


HASHER = Hasher(b"the key of the register in the tests")


def nobody_opted_out(to: str, sender: str) -> bool:
    """Say no of everybody."""
    return False


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Open a database, once for all: a test leaves nothing behind in it."""
    opened = open_database(f"sqlite:///{tmp_path_factory.mktemp('pipeline')}/smspipe.db")
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """Lend a connection in a transaction that may write, and is undone in the end."""
    with database.engine.connect() as lent:
        begin_write(lent)
        yield lent
        undo(lent)


def undo(connection: Connection) -> None:
    """Take back what was written since the transaction began."""
    connection.rollback()
    if driver_of(connection).in_transaction:
        driver_of(connection).rollback()

"""
A database that is thrown away: where what-if questions are decided, by the code of the real run.

It lies in a temporary file, not in memory, so that a million events take no more of it than a thousand, and nothing of
it waits for the disk: who loses it asks again.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection

from smspipe import persons
from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write, driver_of
from smspipe.model.delivery import Delivery
from smspipe.model.event import Event
from smspipe.optouts import Hasher
from smspipe.persons.borrowing import borrow
from smspipe.pipeline.decide import Decision
from smspipe.pipeline.fanout import Desk, Heard, decide_on
from smspipe.pipeline.prepare import Prepared

OptedOut = Callable[[str, str], bool]
"""Says whether a number wants no texts from a sender."""

_PERSONS: Final = 20_000
_PRAGMAS: Final = (
    "pragma journal_mode=off",
    "pragma synchronous=off",
    "pragma temp_store=file",
    "pragma cache_size=-16384",
)
_ALL_SENT: Final = 2**62


@contextmanager
def open_scratch() -> Iterator[Connection]:
    """Lend a connection to an empty database with all tables, in a transaction that is never committed."""
    with tempfile.TemporaryDirectory(prefix="smspipe-") as folder:
        file = Path(folder) / "scratch.db"
        file.write_bytes(_empty())
        with _opened(file) as connection:
            yield connection


@contextmanager
def _opened(file: Path) -> Iterator[Connection]:
    database = open_database(f"sqlite:///{file}")
    connection = database.engine.connect()
    try:
        for pragma in _PRAGMAS:
            driver_of(connection).execute(pragma)
        begin_write(connection)
        yield connection
    finally:
        connection.invalidate()
        connection.close()
        database.close()


@cache
def _empty() -> bytes:
    """Make a database with all tables once; it is copied, since making it waits for the disk."""
    with tempfile.TemporaryDirectory(prefix="smspipe-") as folder:
        file = Path(folder) / "empty.db"
        database = open_database(f"sqlite:///{file}")
        migrate(database)
        database.close()
        return file.read_bytes()


class _OwnDesk(Desk):
    """The desk of the real run on a scratch ledger; only who opted out is asked elsewhere."""

    def __init__(self, connection: Connection, hasher: Hasher, now: datetime, opted_out: OptedOut | None) -> None:
        super().__init__(connection, hasher, now)
        self._elsewhere = opted_out

    def opted_out(self, to: str, sender: str) -> bool:
        """Ask whoever was named; nobody named, the scratch database's own register."""
        return super().opted_out(to, sender) if self._elsewhere is None else self._elsewhere(to, sender)


class World:
    """A ledger of its own: what was decided in it is known in it, and nowhere else."""

    def __init__(self, connection: Connection, hasher: Hasher, opted_out: OptedOut | None = None) -> None:
        """
        Begin with nothing decided.

        Args:
            connection: of `open_scratch`, for this world alone.
            hasher: of the register of opt-outs.
            opted_out: who knows who opted out; None for the scratch database itself.
        """
        self.connection = connection
        self._hasher = hasher
        self._opted_out = None if opted_out is None else lru_cache(maxsize=50_000)(opted_out)

    def decide(
        self, heard: Sequence[Heard], now: datetime
    ) -> Iterator[tuple[Event, Prepared, list[tuple[Decision, Delivery | None]]]]:
        """Decide on events of one moment as the fan-out does; when all are given, what they led to is written down."""
        desk = _OwnDesk(self.connection, self._hasher, now, self._opted_out)
        opened: list[Delivery] = []
        for event, prepared, decided in decide_on(heard, desk, now, free=_ALL_SENT):
            opened += (_bare(delivery) for _, delivery in decided if delivery is not None)
            yield event, prepared, decided
        if opened:
            desk.write(opened)


def _bare(delivery: Delivery) -> Delivery:
    """Leave out of a delivery its steps, which are told already and which no later decision asks for."""
    return msgspec.structs.replace(delivery, steps=())


class Profiles:
    """Persons and groups that evolve with the events they are shown, beginning with what a real database knows."""

    def __init__(self, connection: Connection, real: Database | None, known_before: datetime | None) -> None:
        """
        Begin.

        Args:
            connection: of `open_scratch`.
            real: where profiles are taken from; None begins with none.
            known_before: persons that began later are not taken over: the events themselves will make them.
        """
        self._connection = connection
        self._real = real
        self._known_before = known_before
        self._cache = persons.Cache(limit=_PERSONS)

    def see(self, events: Sequence[Event], now: datetime) -> list[persons.Seen]:
        """Do to the profiles what events ask, in order; give each event's person and groups as it sees them."""
        if self._real is not None:
            with self._real.read() as real:
                borrow(real, self._connection, events, self._cache, known_before=self._known_before)
        return persons.update(self._connection, events, now, self._cache)

"""
The database's disk: slow, locked, full or broken for a while; and the writer's turns on it.

The database is a real one, in memory and kept for the length of the process, since opening one costs more than a story.
What is committed is there after a power loss and what is not is gone: that SQLite and the disk keep this promise is for
other tests to see, with real files and real kills.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from smspipe.db import Database, Writer, migrate
from smspipe.db.engine import begin_write, driver_of, end_write
from smspipe.db.types import metadata
from smspipe.destinations import Keyring, registry
from smspipe.model.errors import Temporary
from smspipe.model.ids import DestinationId
from smspipe.optouts import open_hasher
from tests.simulator.catalogue import CATALOGUE
from tests.simulator.world import BEGINNING, Loop, World

KEY: Final = "the key of the simulator which is long enough"
LOCKED, FULL, BROKEN = "locked", "full", "broken"
TROUBLES: Final = (LOCKED, FULL, BROKEN)
"""It cannot begin; it ends in the middle of a statement; it cannot commit."""


class _Driver(sqlite3.Connection):
    """The one connection, which fails when the disk does, and is never closed."""

    trouble: str | None = None
    patience: Callable[[], int]

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Run a statement, unless the disk fails first."""
        if sql == "begin immediate":
            if self.trouble == LOCKED:
                raise sqlite3.OperationalError("database is locked")
            if self.trouble == FULL:
                self.set_progress_handler(lambda: 1, self.patience())
            else:
                self.set_progress_handler(None, 0)
        elif sql == "commit":
            self._fail_commit()
        return super().execute(sql, parameters)

    def create_function(self, *_: Any, **__: Any) -> None:
        """Make none: SQLAlchemy brings one for every connection, which fails while a dead process' cursors linger."""

    def commit(self) -> None:
        """Commit, unless the disk fails first."""
        self._fail_commit()
        super().commit()

    def _fail_commit(self) -> None:
        self.set_progress_handler(None, 0)
        if self.trouble in (FULL, BROKEN):
            raise sqlite3.OperationalError("disk I/O error")

    def rollback(self) -> None:
        """Undo what was not committed."""
        self.set_progress_handler(None, 0)
        super().rollback()

    def close(self) -> None:
        """Undo what was not committed, and stay open for the next who opens it."""
        self.rollback()


class Disk:
    """The database of one story after the other."""

    def __init__(self) -> None:
        """Make the tables, and the destinations that stories choose from."""
        self.driver: _Driver = sqlite3.connect(
            ":memory:", isolation_level=None, factory=_Driver, check_same_thread=False, cached_statements=1000
        )
        engine = create_engine("sqlite://", creator=lambda: self.driver, poolclass=NullPool, hide_parameters=True)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            if not driver_of(connection).in_transaction:
                connection.exec_driver_sql("begin")

        self.database = Database(engine)
        self.keyring = Keyring(KEY)
        migrate(self.database)
        with engine.connect() as connection:
            begin_write(connection)
            self.hasher = open_hasher(connection, self.keyring)
            for name, body in CATALOGUE.items():
                registry.create(
                    connection, body, keyring=self.keyring, now=BEGINNING, by="simulator", id=DestinationId(name)
                )
            end_write(connection)
        self._names = [table.name for table in metadata.sorted_tables]
        self._kept: dict[str, list[tuple[Any, ...]]] = {}
        for name in self._names:
            rows = self.driver.execute(f"select * from {name}").fetchall()
            if rows:
                self._kept[name] = rows

    def renew(self, chosen: list[str], patience: Callable[[], int]) -> None:
        """Make the database of a new story, with these destinations of the catalogue."""
        driver = self.driver
        driver.trouble = None
        driver.patience = patience
        driver.rollback()
        driver.execute("begin")
        for name in reversed(self._names):
            driver.execute(f"delete from {name}")
        for name, rows in self._kept.items():
            wanted = [row for row in rows if not name.startswith("destination") or row[0] in chosen]
            marks = ", ".join("?" * len(rows[0]))
            driver.executemany(f"insert into {name} values ({marks})", wanted)
        driver.execute("commit")

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Read what is committed."""
        cursor = self.driver.execute(statement)
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


class TurnWriter(Writer):
    """The real writer without its thread: it takes its turns when the world says."""

    def __init__(self, database: Database, world: World, loop: Loop, committed: Callable[[], None]) -> None:
        """`committed` is told after each group, before anybody hears of its results."""
        super().__init__(database, loop.call_soon)
        self._world = world
        self._loop = loop
        self._committed = committed
        self._is_due = False
        self._handed_at = 0.0
        self.slowness = 0.0
        """Seconds that a turn may take."""

    def submit(self, job: Any, then: Any) -> None:
        """Take a job, for a turn that comes soon."""
        if self._loop.dead:
            raise Temporary("The process is dead.")
        super().submit(job, then)
        if not self._is_due:
            self._is_due = True
            self._world.at(self._wait(), self._take_turn)

    def _wait(self) -> float:
        chance = self._world.chance
        return chance.uniform(0.0001, 0.01) + (chance.uniform(0, self.slowness) if self.slowness else 0.0)

    def _take_turn(self) -> None:
        if self._loop.dead:
            return
        self._is_due = False
        hand_out = self.write_group()
        self._committed()
        # Results come in the order of their commits, however long each takes to be taken notice of.
        self._handed_at = max(self._handed_at, self._world.now + self._wait())
        self._world.at(self._handed_at - self._world.now, partial(self._hand_over, hand_out))

    def _hand_over(self, hand_out: Callable[[], None]) -> None:
        self._loop.call_soon(hand_out)

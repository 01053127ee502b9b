"""
Open the database, in the one way that keeps promises.

SQLite runs in WAL mode with `synchronous=FULL`: a commit that returned has reached the disk. Transactions are begun
by us (`begin immediate` for the writer), because Python's driver would otherwise begin them late and let two writers
meet in the middle.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from smspipe.model.errors import Invalid, Permanent, Temporary

_PRAGMAS = (
    "pragma journal_mode=wal",
    "pragma synchronous=full",
    "pragma busy_timeout=5000",
    "pragma foreign_keys=on",
    "pragma temp_store=memory",
    # what is deleted is overwritten: who erases a person wants no trace of them in the file
    "pragma secure_delete=on",
    # 3 MiB a connection: the writer's pages are those of the last seconds, and the system's cache has the others
    "pragma cache_size=-3072",
    # 4 MiB between checkpoints: long enough that a busy service does not copy pages back at every commit
    "pragma wal_autocheckpoint=1024",
    "pragma journal_size_limit=67108864",
)


class Database:
    """One database. Reads take a connection from a small pool; writes go through a `Writer`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def embedded(self) -> bool:
        """Is it SQLite, with one writer at a time?"""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """
        Lend a connection in a transaction that sees one moment of the database, and writes nothing.

        Raises:
            Temporary: the database could not be asked.
        """
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise as_fault(error) from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """
    Open the database at `url` (`sqlite:///folder/file`); make the folder of an embedded one.

    Raises:
        Invalid: the address cannot be understood, or names a database that we do not run on.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise Invalid(
            f"The database address begins with {parsed.get_backend_name()!r}, which this version does not run on.",
            field="database_url",
            hint="Leave SMSPIPE_DATABASE_URL out to use SQLite in the data folder.",
        )
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        parsed,
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=4,
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # an error's text must not hold what was being written
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:  # noqa: ARG001 (SQLAlchemy's signature)
        connection.isolation_level = None  # we begin transactions ourselves
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not driver_of(connection).in_transaction:
            connection.exec_driver_sql("begin")

    return Database(engine)


def begin_write(connection: Connection) -> None:
    """
    Begin a transaction that will write: it takes SQLite's one write lock now instead of failing half way.

    It is begun at the driver; SQLAlchemy joins it with its first statement, if there is one. End it with `end_write`.
    """
    driver_of(connection).execute("begin immediate")


def end_write(connection: Connection) -> None:
    """Commit what `begin_write` began."""
    if connection.in_transaction():
        connection.commit()
    else:
        driver_of(connection).execute("commit")


def driver_of(connection: Connection) -> Any:
    """Give the driver's own connection, for statements that are run too often for SQLAlchemy's machinery."""
    return connection.connection.driver_connection


def as_fault(error: SQLAlchemyError | sqlite3.Error) -> Temporary | Permanent:
    """
    Turn a driver's error into one of ours, without the statement and its values.

    A full disk, a locked file and a lost server look alike to the caller: nothing was changed, the same may work later.
    A broken rule of a table, or a statement that makes no sense, will never work.
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    words = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    if isinstance(error, (IntegrityError, ProgrammingError, DataError, *_NEVER)):
        return Permanent(f"The database refused it: {words}.")
    return Temporary(f"The database could not do it: {words}.")


_NEVER = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)

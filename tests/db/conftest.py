"""A database with one table to write in, and the writer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from smspipe.db import Database, Writer, open_database
from smspipe.db.engine import begin_write, end_write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database lies."""
    return tmp_path / "db" / "test.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    """Open a database with a table of notes, and one of answers to them that is checked when it is committed."""
    opened = open_database(f"sqlite:///{path}")
    with opened.engine.connect() as connection:
        begin_write(connection)
        connection.exec_driver_sql("create table notes (id integer primary key, text blob)")
        connection.exec_driver_sql(
            "create table answers (note integer not null references notes (id) deferrable initially deferred)"
        )
        end_write(connection)
    yield opened
    opened.close()


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    """Start a writer that hands results out in its own thread."""
    started = Writer(database)
    started.start()
    yield started
    started.stop()

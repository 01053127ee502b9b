"""A register in a temporary database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write
from smspipe.destinations import Keyring
from smspipe.optouts import Hasher, open_hasher

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = "k" * 40


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(KEY)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A new database with its tables."""
    made = open_database(f"sqlite:///{tmp_path}/test.db")
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection in a write transaction of a new database."""
    with database.engine.connect() as connection:
        begin_write(connection)
        yield connection


@pytest.fixture
def hasher(connection: Connection, keyring: Keyring) -> Hasher:
    return open_hasher(connection, keyring)

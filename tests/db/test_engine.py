"""The one way to open the database, and its errors as ours."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import OperationalError

from smspipe.db import Database, Instant, Json, open_database
from smspipe.db.engine import as_fault, begin_write, driver_of, end_write
from smspipe.model.clock import from_micros, to_micros
from smspipe.model.errors import Invalid, Permanent, Temporary
from smspipe.model.outcome import Reason, Step


def pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"pragma {name}").scalar_one()


def test_a_commit_that_returned_has_reached_the_disk(database: Database) -> None:
    """WAL with `synchronous=FULL` (2), on every connection."""
    with database.engine.connect() as one, database.engine.connect() as other:
        for connection in (one, other):
            assert pragma(connection, "journal_mode") == "wal"
            assert pragma(connection, "synchronous") == 2
            assert pragma(connection, "foreign_keys") == 1


def test_the_folder_of_an_embedded_database_is_made(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "x.db"
    database = open_database(f"sqlite:///{path}")
    with database.read():
        assert path.exists()
    database.close()


def test_a_database_that_we_do_not_run_on_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(Invalid, match="does not run on") as caught:
        open_database("mysql://localhost/x")
    assert caught.value.field == "database_url"
    assert "SMSPIPE_DATABASE_URL" in (caught.value.hint or "")


def test_a_reader_sees_one_moment_and_does_not_wait_for_the_writer(database: Database) -> None:
    with database.engine.connect() as writing:
        begin_write(writing)
        writing.exec_driver_sql("insert into notes (text) values ('x')")
        with database.read() as reading:
            assert reading.exec_driver_sql("select count(*) from notes").scalar_one() == 0
            end_write(writing)
            assert reading.exec_driver_sql("select count(*) from notes").scalar_one() == 0
    with database.read() as later:
        assert later.exec_driver_sql("select count(*) from notes").scalar_one() == 1


def test_a_write_transaction_without_a_statement_of_sqlalchemys_is_committed(database: Database) -> None:
    with database.engine.connect() as connection:
        begin_write(connection)
        driver_of(connection).execute("insert into notes (text) values ('x')")
        end_write(connection)
        assert not driver_of(connection).in_transaction
    with database.read() as later:
        assert later.exec_driver_sql("select count(*) from notes").scalar_one() == 1


def test_trouble_of_a_reader_is_a_fault_of_ours(database: Database) -> None:
    with pytest.raises(Temporary), database.read() as connection:
        connection.exec_driver_sql("select * from nowhere")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (sqlite3.OperationalError("database or disk is full"), Temporary),
        (sqlite3.OperationalError("database is locked"), Temporary),
        (OperationalError("insert +15005550009", {}, Exception("disk I/O error")), Temporary),
        (sqlite3.IntegrityError("UNIQUE constraint failed: notes.id"), Permanent),
        (sqlite3.ProgrammingError("wrong number of bindings"), Permanent),
        (sqlite3.DataError("too big"), Permanent),
    ],
    ids=lambda each: str(each)[:30],
)
def test_an_error_of_the_drivers_says_whether_trying_again_may_help(error: Exception, fault: type[Exception]) -> None:
    assert isinstance(error, sqlite3.Error | OperationalError)
    found = as_fault(error)
    assert type(found) is fault
    assert "+15005550009" not in str(found)


# --- how values lie in a column ------------------------------------------------------------------------------------

values = Table(
    "typed", MetaData(), Column("id", Integer, primary_key=True), Column("at", Instant), Column("json", Json)
)


@pytest.fixture
def connection(database: Database) -> Connection:
    connection = database.engine.connect()
    begin_write(connection)
    values.create(connection)
    return connection


def test_instants_and_json_come_back_exactly(database: Database) -> None:
    at = datetime(2026, 11, 22, 12, 30, 45, 123457, tzinfo=UTC)
    steps = [Step(name="match", ok=False, saw="\u2028 👋", reason=Reason.COOLDOWN)]
    with database.engine.connect() as connection:
        begin_write(connection)
        values.create(connection)
        connection.execute(insert(values), [{"id": 1, "at": at, "json": steps}, {"id": 2, "at": None, "json": None}])
        found = connection.execute(select(values.c.at, values.c.json).order_by(values.c.id)).all()
        assert tuple(found[0]) == (at, [{"name": "match", "ok": False, "saw": "\u2028 👋", "reason": "cooldown"}])
        assert tuple(found[1]) == (None, None)
        connection.rollback()


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_whole_microseconds_and_loses_none(at: datetime) -> None:
    assert from_micros(to_micros(at)) == at

"""Group commit: who shares a transaction, what a fault takes with it, and when a result is given."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.db import Database, Writer
from smspipe.model.errors import Permanent, Temporary

PATIENCE_SECONDS = 10.0
Job = Callable[[Connection], Any]


def note(text: str) -> Job:
    """Make a job that writes a note and gives how many there are now."""

    def job(connection: Connection) -> int:
        connection.exec_driver_sql("insert into notes (text) values (?)", (text,))
        return int(connection.exec_driver_sql("select count(*) from notes").scalar_one())

    return job


def orphan(connection: Connection) -> None:
    """Answer a note that is not there: the commit is refused, not the statement."""
    connection.exec_driver_sql("insert into answers values (404)")


def fill(connection: Connection) -> None:
    """Write more than fits on a disk that is as good as full."""
    pages = connection.exec_driver_sql("pragma page_count").scalar_one()
    connection.exec_driver_sql(f"pragma max_page_count={pages + 2}")
    connection.exec_driver_sql("insert into notes (text) values (zeroblob(1000000))")


def stumble(connection: Connection) -> None:
    """Write something, then fail."""
    note("undone")(connection)
    raise LookupError("a mistake of the job's own")


def notes(database: Database) -> list[str]:
    with database.read() as connection:
        return [row[0] for row in connection.exec_driver_sql("select text from notes order by id")]


def result(future: "Future[Any]") -> Any:
    return future.result(PATIENCE_SECONDS)


@contextmanager
def one_group(writer: Writer) -> Iterator[None]:
    """Keep the writer busy for the length of a block: what is submitted in it is one group."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)

    busy = writer.run_job(wait)
    assert begun.wait(PATIENCE_SECONDS)
    yield
    go_on.set()
    result(busy)


def test_jobs_that_wait_together_share_one_transaction(writer: Writer, database: Database) -> None:
    """Each sees what those before it wrote, and nobody else sees any of it before the last has ended."""
    seen: list[tuple[int, int]] = []

    def job(connection: Connection) -> None:
        seen.append((note("x")(connection), len(notes(database))))

    with one_group(writer):
        futures = [writer.run_job(job) for _ in range(5)]
    for future in futures:
        result(future)
    assert seen == [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]
    assert len(notes(database)) == 5


def test_a_result_is_given_after_the_commit(writer: Writer, database: Database) -> None:
    committed: Future[list[str]] = Future()
    writer.submit(note("x"), lambda _result, _error: committed.set_result(notes(database)))
    assert result(committed) == ["x"]


def test_a_job_that_fails_is_undone_alone_and_only_its_caller_hears_of_it(writer: Writer, database: Database) -> None:
    with one_group(writer):
        before, failing, after = (writer.run_job(job) for job in (note("before"), stumble, note("after")))
    assert (result(before), result(after)) == (1, 2)
    with pytest.raises(LookupError, match="the job's own"):
        result(failing)
    assert notes(database) == ["before", "after"]


def test_a_statement_that_the_database_refuses_fails_its_job_without_showing_its_values(
    writer: Writer, database: Database
) -> None:
    def job(connection: Connection) -> None:
        connection.exec_driver_sql("insert into notes (id, text) values (1, ?)", ("+15005550009",))
        connection.exec_driver_sql("insert into notes (id, text) values (1, ?)", ("+15005550009",))

    with pytest.raises(Permanent) as caught:
        result(writer.run_job(job))
    assert "+15005550009" not in str(caught.value)
    assert "+15005550009" not in str(caught.value.__cause__)
    assert notes(database) == []


@pytest.mark.parametrize(
    ("breaking", "fault"), [(orphan, Permanent), (fill, Temporary)], ids=["deferred constraint", "disk full"]
)
def test_a_commit_that_fails_fails_all_its_jobs_and_the_next_group_works(
    writer: Writer, database: Database, breaking: Job, fault: type[Exception]
) -> None:
    with one_group(writer):
        futures = [writer.run_job(job) for job in (note("before"), breaking, note("after"))]
    for future in futures:
        with pytest.raises(fault):
            result(future)
    assert notes(database) == []
    assert result(writer.run_job(note("next"))) == 1
    assert notes(database) == ["next"]


def test_a_job_that_failed_by_itself_keeps_its_own_error_when_the_commit_fails_too(writer: Writer) -> None:
    with one_group(writer):
        own, broken = writer.run_job(stumble), writer.run_job(orphan)
    with pytest.raises(LookupError):
        result(own)
    with pytest.raises(Permanent):
        result(broken)


def test_a_database_that_cannot_be_opened_for_a_while_fails_jobs_and_not_the_writer(
    writer: Writer, database: Database, path: Path
) -> None:
    with pytest.raises(Permanent):
        result(writer.run_job(orphan))  # so that the next group needs a new connection
    database.engine.dispose()
    aside = path.rename(path.with_suffix(".aside"))
    path.mkdir()
    with pytest.raises(Temporary):
        result(writer.run_job(note("lost")))
    path.rmdir()
    aside.rename(path)
    assert result(writer.run_job(note("kept"))) == 1


def test_a_caller_that_fails_leaves_the_others_their_results(writer: Writer) -> None:
    def fail(_result: object, _error: object) -> None:
        raise RuntimeError("a mistake of the caller's")

    with one_group(writer):
        writer.submit(note("first"), fail)
        other = writer.run_job(note("second"))
    assert result(other) == 2
    assert result(writer.run_job(note("third"))) == 3


def test_stop_finishes_what_waits_and_takes_no_more(database: Database) -> None:
    writer = Writer(database)
    futures = [writer.run_job(note(str(nth))) for nth in range(100)]
    writer.start()
    writer.stop()
    assert [result(future) for future in futures] == list(range(1, 101))
    with pytest.raises(Temporary):
        writer.run_job(note("late"))
    assert len(notes(database)) == 100


def test_results_are_handed_out_where_the_caller_wants_them(database: Database) -> None:
    """One call for a whole group, as an event loop wants it."""
    handed: list[Callable[[], None]] = []
    came = threading.Event()

    def deliver(hand_out: Callable[[], None]) -> None:
        handed.append(hand_out)
        came.set()

    writer = Writer(database, deliver)
    futures = [writer.run_job(note(str(nth))) for nth in range(10)]
    writer.start()
    assert came.wait(PATIENCE_SECONDS)
    assert not any(future.done() for future in futures)
    (hand_out,) = handed
    hand_out()
    assert [result(future) for future in futures] == list(range(1, 11))
    writer.stop()


def test_a_cancelled_future_disturbs_nobody(writer: Writer) -> None:
    with one_group(writer):
        cancelled, other = writer.run_job(note("first")), writer.run_job(note("second"))
        assert cancelled.cancel()
    assert result(other) == 2

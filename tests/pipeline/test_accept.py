"""Requests become durable together, and only then are answered; too many are refused, not queued."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smspipe import eventlog
from smspipe.db import Database, Writer, migrate, open_database
from smspipe.db.engine import begin_write, driver_of
from smspipe.model.event import Door, Payload
from smspipe.pipeline.accept import Accept
from tests.pipeline.conftest import NOW, undo

Committed = list[tuple[int, Any, int]]


@pytest.fixture
def own_database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/smspipe.db")
    migrate(database)
    yield database
    database.close()


def a_request(size: int = 100) -> Payload:
    return Payload(door=Door.BATCH, body=b'{"batch":[]}'.ljust(size), received_at=NOW, seed=bytes(8))


def in_log(database: Database) -> int:
    with database.read() as connection:
        return eventlog.last_position(connection)


def test_a_request_is_answered_when_it_is_on_disk_and_handed_on_in_order(own_database: Database) -> None:
    """All that waited before the writer looked is one commit."""
    committed: list[Committed] = []
    answers: list[tuple[bool, int]] = []
    writer = Writer(own_database)
    accept = Accept(writer, lambda requests: committed.append(list(requests)))
    for _ in range(5):
        assert accept.offer(a_request(), [], lambda kept: answers.append((kept, in_log(own_database))))
    assert answers == []
    writer.start()
    writer.stop()
    assert answers == [(True, 5)] * 5
    assert [[(position, size) for position, _, size in group] for group in committed] == [
        [(position, 100) for position in range(1, 6)]
    ]


def test_what_waits_is_bounded_in_bytes_and_one_large_request_is_taken_alone(own_database: Database) -> None:
    writer = Writer(own_database)
    accept = Accept(writer, lambda _: None, most_bytes=250)
    answers: list[bool] = []
    taken = [accept.offer(a_request(size), [], answers.append) for size in (1000, 100)]
    assert taken == [True, False]
    writer.start()
    writer.stop()
    assert answers == [True], "who was refused is promised no answer"

    writer = Writer(own_database)
    accept = Accept(writer, lambda _: None, most_bytes=250)
    assert [accept.offer(a_request(100), [], answers.append) for _ in range(3)] == [True, True, False]
    writer.start()
    writer.stop()
    assert in_log(own_database) == 3


def test_a_commit_that_fails_answers_no_and_gives_the_room_back(own_database: Database) -> None:
    def orphan(connection: Any) -> None:
        connection.exec_driver_sql("create table a (id integer primary key)")
        connection.exec_driver_sql("create table b (a integer references a (id) deferrable initially deferred)")
        connection.exec_driver_sql("insert into b values (404)")

    committed: list[Any] = []
    answers: list[bool] = []
    writer = Writer(own_database)
    accept = Accept(writer, committed.append, most_bytes=250)
    assert accept.offer(a_request(200), [], answers.append)
    broken = writer.run_job(orphan)
    writer.start()
    with pytest.raises(Exception, match="FOREIGN KEY"):
        broken.result(10)
    assert accept.offer(a_request(200), [], answers.append), "the room of the lost ones is free again"
    writer.stop()
    assert answers == [False, True]
    assert len(committed) == 1
    assert in_log(own_database) == 1


def test_after_a_transaction_that_could_not_begin_requests_are_refused_and_then_taken_again(
    own_database: Database,
) -> None:
    """The job that would have written them never ran: nobody may wait for it for ever."""
    answers: list[bool] = []
    writer = Writer(own_database)
    accept = Accept(writer, lambda _: None, most_bytes=250)
    with own_database.engine.connect() as other:
        begin_write(other)
        with own_database.engine.connect() as impatient:
            driver_of(impatient).execute("pragma busy_timeout=0")
        assert accept.offer(a_request(200), [], answers.append)
        writer.write_group()()
        assert answers == [False]
        undo(other)
    assert accept.offer(a_request(200), [], answers.append), "the room is given back"
    writer.write_group()()
    assert answers == [False, True]

"""
Group commit: whatever wants to write at the same time is written in one transaction.

A commit that is safe against power loss costs a write to the disk, however much it holds. So all jobs that wait when
the writer looks share one transaction and one commit; the busier the service, the larger the groups. Each job stands in
a savepoint of its own: one that fails is undone alone. A result is handed out only after the commit, so whoever has it
may promise it to others.
"""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from smspipe.db.engine import Database, as_fault, begin_write, driver_of, end_write
from smspipe.model.errors import Temporary
from smspipe.telemetry import count

log = structlog.get_logger("smspipe.db")

T = TypeVar("T")
Job = Callable[[Connection], T]


class _Task(Generic[T]):
    __slots__ = ("error", "job", "result", "then")

    def __init__(self, job: Job[T], then: Callable[[T | None, BaseException | None], None]) -> None:
        self.job = job
        self.then = then
        self.result: T | None = None
        self.error: BaseException | None = None


class Writer(threading.Thread):
    """
    The one thread that writes to an embedded database.

    `deliver` says where results are handed out: it is given one function that hands out all results of a commit, and
    passes it to the event loop (`loop.call_soon_threadsafe`). Without it they are handed out in this thread.
    """

    def __init__(self, database: Database, deliver: Callable[[Callable[[], None]], object] | None = None) -> None:
        super().__init__(name="smspipe-writer", daemon=True)
        self._database = database
        self._deliver = deliver or (lambda hand_out: hand_out())
        self._waiting: list[_Task[Any]] = []
        self._wake = threading.Condition()
        self._connection: Connection | None = None
        """Kept from group to group, None when the next one needs a new one."""
        self._ending = False

    def submit(self, job: Job[T], then: Callable[[T | None, BaseException | None], None]) -> None:
        """
        Run `job` in the next transaction; after its commit call `then(result, None)`, or `then(None, error)`.

        A job must be ready to be undone: it changes nothing but the database.
        """
        with self._wake:
            if self._ending:
                raise Temporary("The service is stopping.")
            self._waiting.append(_Task(job, then))
            if len(self._waiting) == 1:
                self._wake.notify()

    def run_job(self, job: Job[T]) -> "Future[T]":
        """Run `job` in the next transaction and give a future of its result."""
        future: Future[T] = Future()

        def then(result: T | None, error: BaseException | None) -> None:
            if not future.set_running_or_notify_cancel():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # a result without an error is a T, None included

        self.submit(job, then)
        return future

    def stop(self) -> None:
        """Finish what waits, then end the thread."""
        with self._wake:
            self._ending = True
            self._wake.notify()
        self.join()

    def run(self) -> None:
        """Write, group after group, until `stop`."""
        while True:
            with self._wake:
                while not self._waiting and not self._ending:
                    self._wake.wait()
                if not self._waiting:
                    break
            self._deliver(self.write_group())
        if self._connection is not None:
            self._connection.close()

    def write_group(self) -> Callable[[], None]:
        """
        Write all that waits in one transaction, and give the function that hands the results out.

        The thread does nothing else, over and over. Where time is not the machine's, as in the simulator, there is no
        thread and somebody calls this in its place.
        """
        with self._wake:
            group, self._waiting = self._waiting, []
        self._write(group)
        return lambda: _hand_out(group)

    def _write(self, group: list[_Task[Any]]) -> None:
        """Write a group; whatever went wrong, the next one finds a connection without a transaction."""
        connection, self._connection = self._connection, None
        try:
            if connection is None:
                connection = self._database.engine.connect()
            begin_write(connection)
            for task in group:
                _run(connection, task)
            end_write(connection)
            count("smspipe_commits_total")
            self._connection = connection
        except (DBAPIError, InvalidRequestError, sqlite3.Error) as error:
            fault = as_fault(error)
            fault.__cause__ = error
            for task in group:
                task.error = task.error or fault
            if connection is not None:
                _give_up(connection)


def _run(connection: Connection, task: _Task[Any]) -> None:
    """Run one job in a savepoint of its own."""
    driver = driver_of(connection)
    driver.execute("savepoint job")
    try:
        task.result = task.job(connection)
    except Exception as error:  # noqa: BLE001 (whatever a job raises is its caller's to handle, and only its own)
        task.error = as_fault(error) if isinstance(error, DBAPIError | sqlite3.Error) else error
        if task.error is not error:
            task.error.__cause__ = error
        # A full disk may already have undone the whole transaction: then this raises, and every job fails.
        driver.execute("rollback to job")
    driver.execute("release job")


def _hand_out(group: list[_Task[Any]]) -> None:
    for task in group:
        try:
            task.then(None if task.error is not None else task.result, task.error)
        except Exception as error:  # noqa: BLE001 (a caller that fails must not leave the others without an answer)
            count("smspipe_faults_total")
            log.error("result_not_taken", error=str(error), kind=type(error).__name__)


def _give_up(connection: Connection) -> None:
    """
    Leave the broken transaction with the connection that it was in.

    After a commit that failed SQLAlchemy believes the transaction ended, while SQLite still holds it open; a new
    connection is certain to begin with none.
    """
    connection.invalidate()
    connection.close()

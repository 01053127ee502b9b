"""
Retention: what is old is deleted, in small steps beside the live traffic.

Each step is one short transaction, and after it the writer is left alone for longer than the step took. What is still
needed is never deleted: events that a reader has not come to, texts that are not settled or in doubt. A repeated event
is known by its row in the ledger, so that is kept for longer than anything can bring the event again: than the events
themselves, which a replay reads, and than the oldest event that a destination would still text of (`max_age`).
"""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import msgspec
import structlog
from sqlalchemy import Connection, text

from smspipe import eventlog
from smspipe.capture import Refused, events_of
from smspipe.db import Database, Writer
from smspipe.deliveries import keeping
from smspipe.model.ids import DeliveryId, EventUuid
from smspipe.telemetry import count, gauge

log = structlog.get_logger("smspipe.retention")

T = TypeVar("T")
_EVERY_SECONDS: Final = 600.0
_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 2**20
_SHORTEST_PAUSE: Final = 0.02
_MARGIN: Final = timedelta(days=1)
"""Beyond `max_age`: a text may still wait when its event has come."""


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is kept; None for ever."""

    events: timedelta | None = timedelta(days=30)
    events_bytes: int | None = None
    """Bodies of stored requests, together; beyond it the oldest go, however new."""
    deliveries: timedelta | None = timedelta(days=400)
    bodies: timedelta | None = timedelta(days=90)


class Swept(msgspec.Struct, kw_only=True):
    """What a sweep deleted."""

    requests: int = 0
    bytes: int = 0
    deliveries: int = 0
    bodies: int = 0


class Retention:
    """The sweeper; belongs to the event loop but for its jobs."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        clock: Callable[[], datetime],
        keep: Keep,
        longest_age: Callable[[], timedelta],
    ) -> None:
        """
        Prepare; `start` begins.

        Args:
            database: what is old is looked for in it, beside the writer.
            writer: who deletes.
            clock: what time it is.
            keep: how long what is kept.
            longest_age: the age up to which some destination texts of an event.
        """
        self._database = database
        self._writer = writer
        self._clock = clock
        self._keep = keep
        self._longest_age = longest_age
        self._wordless: DeliveryId = keeping.FIRST
        """Up to this delivery the words are gone, so that the next sweep need not look there."""
        self._counted = 0
        self._bytes = 0
        """What the bodies up to position `_counted` take."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep now and then until `stop`."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Begin no further step."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 (whatever it is, the next round must come)
                count("smspipe_faults_total")
                log.error("retention_failed", error=str(error), kind=type(error).__name__)

    async def sweep(self) -> Swept:
        """Delete everything that is old by now; give what it was."""
        began, swept, now = time.monotonic(), Swept(), self._clock()
        if self._keep.events is not None:
            await self._sweep_events(swept, now - self._keep.events)
        if self._keep.events_bytes is not None:
            await self._sweep_bytes(swept, self._keep.events_bytes)
        if self._keep.deliveries is not None:
            before = now - max(self._keep.deliveries, self._longest_age() + _MARGIN)
            await self._sweep_deliveries(swept, before)
        if self._keep.bodies is not None:
            await self._sweep_words(swept, now - self._keep.bodies)
        count("smspipe_requests_forgotten_total", swept.requests)
        count("smspipe_deliveries_forgotten_total", swept.deliveries)
        count("smspipe_bodies_forgotten_total", swept.bodies)
        gauge("smspipe_database_bytes", await self._read(_database_bytes))
        log.info(
            "retention_swept",
            requests=swept.requests,
            bytes=swept.bytes,
            deliveries=swept.deliveries,
            bodies=swept.bodies,
            seconds=round(time.monotonic() - began, 3),
        )
        return swept

    async def _sweep_events(self, swept: Swept, before: datetime | None, most_bytes: int | None = None) -> None:
        """Delete what came before an instant, or the oldest until `most_bytes` are gone."""
        while most_bytes is None or most_bytes > 0:
            positions, places, size = await self._read(lambda connection: _oldest(connection, before))
            if not positions:
                return
            n = await self._delete(partial(eventlog.forget, positions=positions, places=places))
            swept.requests += n
            swept.bytes += size
            if positions[-1] <= self._counted:
                self._bytes -= size
            if most_bytes is not None:
                most_bytes -= size

    async def _sweep_bytes(self, swept: Swept, limit: int) -> None:
        """Count what has come since the last sweep, and delete what is too much."""
        newest = await self._read(eventlog.last_position)
        since = self._counted
        self._bytes += await self._read(lambda connection: eventlog.size_between(connection, since, newest))
        self._counted = newest
        if self._bytes > limit:
            await self._sweep_events(swept, None, self._bytes - limit)

    async def _sweep_deliveries(self, swept: Swept, before: datetime) -> None:
        after = keeping.FIRST
        while ids := await self._read(partial(keeping.old, before=before, after=after, most=_AT_ONCE)):
            swept.deliveries += await self._delete(partial(keeping.forget, ids=ids))
            after = ids[-1]
        await self._delete(lambda connection: keeping.forget_counts(connection, before))

    async def _sweep_words(self, swept: Swept, before: datetime) -> None:
        while ids := await self._read(
            partial(keeping.old, before=before, after=self._wordless, most=_AT_ONCE, with_words=True)
        ):
            swept.bodies += await self._delete(partial(keeping.forget_words, ids=ids))
            self._wordless = ids[-1]

    async def _read(self, ask: Callable[[Connection], T]) -> T:
        def read() -> T:
            with self._database.read() as connection:
                return ask(connection)

        return await asyncio.to_thread(read)

    async def _delete(self, job: Callable[[Connection], T]) -> T:
        """Run one step, and leave the writer to others for twice as long."""
        began = time.monotonic()
        done = await asyncio.wrap_future(self._writer.run_job(job))
        await asyncio.sleep(max(_SHORTEST_PAUSE, 2 * (time.monotonic() - began)))
        return done


def _oldest(connection: Connection, before: datetime | None) -> tuple[list[int], list[tuple[EventUuid, int]], int]:
    """Give the positions of the oldest requests that may go, where their events lie, and how long they are."""
    found = eventlog.read_oldest(connection, before, _AT_ONCE, _BYTES_AT_ONCE)
    places: list[tuple[EventUuid, int]] = []
    for position, payload in found:
        try:
            places += [(event.uuid, position) for event in events_of(payload)]
        except Refused:  # a request that was passed over, too
            continue
    return [position for position, _ in found], places, sum(len(payload.body) for _, payload in found)


def _database_bytes(connection: Connection) -> int:
    pages = connection.scalar(text("pragma page_count")) or 0
    return int(pages) * int(connection.scalar(text("pragma page_size")) or 0)

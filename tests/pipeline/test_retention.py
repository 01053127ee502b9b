"""What is old goes, in steps, and what is needed stays."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, update

from smspipe import eventlog
from smspipe.capture import events_of
from smspipe.db import Database, Writer, migrate, open_database
from smspipe.deliveries import ledger
from smspipe.deliveries.tables import deliveries, receipts
from smspipe.eventlog.tables import event_index, requests
from smspipe.model.delivery import Delivery, Status
from smspipe.model.event import Door, Payload
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, uuid7
from smspipe.pipeline.fanout import READER
from smspipe.pipeline.retention import Keep, Retention
from tests.pipeline.conftest import NOW

DAY = timedelta(days=1)
NEVER = Keep(events=None, deliveries=None, bodies=None)


class Kept:
    """A database with its writer, and a retention over it."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self.database, self.writer = database, writer

    async def write(self, job: Any) -> Any:
        return await asyncio.wrap_future(self.writer.run_job(job))

    def ask(self, query: Any) -> Any:
        with self.database.read() as connection:
            return connection.scalar(query)

    def retention(self, longest_age: timedelta = timedelta(), **keep: Any) -> Retention:
        return Retention(
            database=self.database, writer=self.writer, clock=lambda: NOW,
            keep=msgspec.structs.replace(NEVER, **keep), longest_age=lambda: longest_age,
        )  # fmt: skip

    async def add_requests(self, n: int, age: timedelta, *, passed: bool = True) -> None:
        """Put so many requests of two events each into the log."""
        with self.database.read() as connection:
            before = eventlog.last_position(connection)
        body = b'{"api_key": "phc", "batch": [{"event": "a", "distinct_id": "u"}, {"event": "b", "distinct_id": "u"}]}'
        made = [
            Payload(door=Door.BATCH, body=body, received_at=NOW - age, seed=(before + nth).to_bytes(8))
            for nth in range(n)
        ]

        def job(connection: Any) -> None:
            first = eventlog.append(connection, made)
            places = [(event.uuid, first + at) for at, each in enumerate(made) for event in events_of(each)]
            eventlog.remember(connection, places)
            if passed:
                eventlog.move_cursor(connection, READER, first + n - 1)

        await self.write(job)

    async def add_delivery(self, age: timedelta, status: Status = Status.DELIVERED) -> DeliveryId:
        """Put one delivery into the ledger."""
        at = NOW - age
        made = Delivery(
            id=DeliveryId(uuid7(at)), destination_id=DestinationId("d"), version=1, event_uuid=EventUuid(uuid7(at)),
            route=0, event="e", distinct_id="u", status=status, created_at=at, to="+15005550009", body="Hi",
        )  # fmt: skip
        await self.write(lambda connection: ledger.open_deliveries(connection, [made]))
        return made.id


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    database = open_database(f"sqlite:///{tmp_path / 'smspipe.db'}")
    migrate(database)
    writer = Writer(database, asyncio.get_running_loop().call_soon_threadsafe)
    writer.start()
    yield Kept(database, writer)
    writer.stop()
    database.close()


REQUESTS = select(func.count()).select_from(requests)
DELIVERIES = select(func.count()).select_from(deliveries)


async def test_old_events_go_with_their_places_in_the_index(kept: Kept) -> None:
    await kept.add_requests(1200, 31 * DAY)
    await kept.add_requests(10, DAY)
    swept = await kept.retention(events=30 * DAY).sweep()
    assert (swept.requests, kept.ask(REQUESTS)) == (1200, 10)
    assert kept.ask(select(func.count()).select_from(event_index)) == 20


async def test_events_that_fan_out_has_not_come_to_stay(kept: Kept) -> None:
    await kept.add_requests(3, 40 * DAY)
    await kept.add_requests(4, 35 * DAY, passed=False)
    await kept.retention(events=30 * DAY).sweep()
    assert kept.ask(REQUESTS) == 4


async def test_the_newest_request_stays_so_that_no_position_is_given_twice(kept: Kept) -> None:
    await kept.add_requests(5, 40 * DAY)
    await kept.retention(events=30 * DAY).sweep()
    assert kept.ask(select(func.max(requests.c.position))) == 5
    await kept.add_requests(1, timedelta())
    assert kept.ask(select(func.max(requests.c.position))) == 6


async def test_beyond_the_size_the_oldest_go_however_new(kept: Kept) -> None:
    await kept.add_requests(100, timedelta())
    each = len(kept.ask(select(requests.c.body).limit(1)))
    retention = kept.retention(events_bytes=60 * each)
    await retention.sweep()
    left = kept.ask(REQUESTS)
    assert left <= 60
    assert kept.ask(select(func.min(requests.c.position))) == 101 - left
    await kept.add_requests(60, timedelta())
    assert (await retention.sweep()).requests > 0
    assert kept.ask(REQUESTS) <= 60


async def test_old_deliveries_go_but_never_what_is_not_settled(kept: Kept) -> None:
    for status in Status:
        await kept.add_delivery(401 * DAY, status)
    young = await kept.add_delivery(399 * DAY)
    await kept.retention(deliveries=400 * DAY).sweep()
    with kept.database.read() as connection:
        left = {row.status for row in connection.execute(select(deliveries).where(deliveries.c.id != young))}
    assert left == {"pending", "sending", "unconfirmed", "held"}
    assert kept.ask(select(deliveries.c.id).where(deliveries.c.id == young)) == young


async def test_a_delivery_outlives_the_oldest_event_that_a_destination_texts_of(kept: Kept) -> None:
    await kept.add_delivery(50 * DAY)
    await kept.retention(longest_age=50 * DAY, deliveries=10 * DAY).sweep()
    assert kept.ask(DELIVERIES) == 1
    await kept.retention(longest_age=48 * DAY, deliveries=10 * DAY).sweep()
    assert kept.ask(DELIVERIES) == 0


async def test_old_texts_lose_their_words_and_nothing_else(kept: Kept) -> None:
    old, held = await kept.add_delivery(91 * DAY), await kept.add_delivery(91 * DAY, Status.HELD)
    young = await kept.add_delivery(89 * DAY)
    retention = kept.retention(bodies=90 * DAY)
    assert (await retention.sweep()).bodies == 1
    assert (await retention.sweep()).bodies == 0
    bodies = [kept.ask(select(deliveries.c.body).where(deliveries.c.id == each)) for each in (old, held, young)]
    assert bodies == [None, "Hi", "Hi"]
    assert kept.ask(select(deliveries.c.to).where(deliveries.c.id == old)) == "+15005550009"


async def test_the_writer_is_free_between_steps(kept: Kept) -> None:
    await kept.add_requests(2000, 31 * DAY)
    sweep = asyncio.create_task(kept.retention(events=30 * DAY).sweep())
    between = 0
    while not sweep.done():
        await kept.write(lambda connection: connection.execute(update(receipts).values(sid="x")))
        between += kept.ask(REQUESTS) > 1
        await asyncio.sleep(0)
    assert between > 3
    assert kept.ask(REQUESTS) == 1

"""A fault of ours that one event meets does not stop those that come after it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from smspipe import eventlog
from smspipe.capture import events_of
from smspipe.db import Database, Writer, migrate, open_database
from smspipe.deliveries import queries
from smspipe.destinations import Keyring
from smspipe.model.event import Door, Payload
from smspipe.model.outcome import Reason
from smspipe.pipeline import fanout
from smspipe.pipeline.pipe import Limits, Pipe
from smspipe.pipeline.prepare import Plan, Prepared, prepare
from smspipe.rendering import CompiledText
from smspipe.sending import Client
from tests.pipeline.conftest import HASHER, NOW, SITE, a_destination

PATIENCE_SECONDS = 10.0


def trap() -> Prepared:
    """Prepare a destination whose body has a bug: it breaks on some events, as no template of a user's can."""

    def render(values: Mapping[str, Any], now: datetime) -> str:
        if values["event"]["properties"].get("poison"):
            raise ZeroDivisionError("a bug of ours")
        return ""

    body = CompiledText(render, field="inputs__smsBody", roots={"event"}, constant=False)
    return msgspec.structs.replace(prepare(a_destination(), SITE), body=body)


class Line:
    """A running pipe, and how requests get into it."""

    def __init__(self, pipe: Pipe, database: Database) -> None:
        self.pipe = pipe
        self._database = database
        self._sent = 0

    async def send(self, *requests: list[dict[str, Any]]) -> None:
        """Offer requests at once and wait until they are on disk."""
        answers = []
        for properties in requests:
            batch = [{"event": "x", "distinct_id": "ada", "properties": each} for each in properties]
            body = msgspec.json.encode({"api_key": "phc_x", "batch": batch})
            self._sent += 1
            payload = Payload(door=Door.BATCH, body=body, received_at=NOW, seed=self._sent.to_bytes(8, "big"))
            answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            assert self.pipe.offer(payload, events_of(payload), answered.set_result)
            answers.append(answered)
        assert await asyncio.gather(*answers) == [True] * len(requests)

    async def wait_until_decided(self) -> None:
        """Wait until the reader stands at the log's end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._ask(lambda connection: eventlog.backlog(connection, fanout.READER)):  # noqa: ASYNC110 (seen in the database alone)
                await asyncio.sleep(0.002)

    def decided(self) -> list[Reason | None]:
        """Give the reasons in the ledger, oldest first."""
        rows = self._ask(lambda connection: queries.list_deliveries(connection, queries.Query(), limit=1000))
        return [row.reason for row in rows]

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        with self._database.read() as connection:
            return question(connection)


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    database = open_database(f"sqlite:///{tmp_path}/smspipe.db")
    migrate(database)
    writer = Writer(database, asyncio.get_running_loop().call_soon_threadsafe)
    writer.start()
    async with Client("http://127.0.0.1:9") as client:
        pipe = Pipe(
            writer=writer,
            client=client,
            keyring=Keyring("k" * 40),
            hasher=HASHER,
            site=SITE,
            clock=lambda: NOW,
            limits=Limits(),
        )
        await pipe.start()
        pipe.plan = Plan([trap()])
        yield Line(pipe, database)
        await pipe.stop()
    writer.stop()
    database.close()


GOOD: dict[str, Any] = {"phone": "+15005550009"}
POISON: dict[str, Any] = {**GOOD, "poison": True}


async def test_a_request_that_cannot_be_decided_on_is_passed_over_and_the_others_go_on(line: Line) -> None:
    with capture_logs() as logs:
        await line.send([GOOD], [GOOD, POISON, GOOD], [GOOD], [POISON], [GOOD])
        await line.wait_until_decided()
    assert line.decided() == [Reason.BODY_EMPTY] * 3
    passed_over = [entry["position"] for entry in logs if entry["event"] == "request_passed_over"]
    assert passed_over == [2, 4]
    assert {entry["log_level"] for entry in logs if entry["event"] == "fanout_failed"} == {"error"}


async def test_after_a_poisoned_request_the_pipe_is_as_it_was(line: Line) -> None:
    with capture_logs():
        await line.send([POISON])
        await line.wait_until_decided()
    with capture_logs() as logs:
        for _ in range(5):
            await line.send([GOOD], [GOOD])
        await line.wait_until_decided()
    assert line.decided() == [Reason.BODY_EMPTY] * 10
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
    assert line.pipe.unready() is None


async def test_a_request_that_was_passed_over_stays_in_the_log(line: Line) -> None:
    with capture_logs():
        await line.send([POISON])
        await line.wait_until_decided()
    payloads = line._ask(lambda connection: eventlog.read_after(connection, 0, 10**6))
    assert [b"poison" in payload.body for _, payload in payloads] == [True]


async def test_after_the_end_has_begun_nothing_more_is_taken(line: Line) -> None:
    await line.pipe.stop()
    payload = Payload(door=Door.BATCH, body=b"{}", received_at=NOW, seed=bytes(8))
    assert line.pipe.offer(payload, [], lambda _: None) is False
    assert line.pipe.unready() == "The service is stopping."

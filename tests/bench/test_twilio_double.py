"""The double counts what it creates, and fails as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from bench.check import Received
from bench.twilio_double import Door, Double, check_faults

MESSAGES = "/2010-04-01/Accounts/AC1/Messages.json"


@asynccontextmanager
async def serving() -> AsyncIterator[aiohttp.ClientSession]:
    double = Double()
    server = await asyncio.get_running_loop().create_server(lambda: Door(double), "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with aiohttp.ClientSession(address) as session:
            yield session


async def text(session: aiohttp.ClientSession, to: str = "+14155550001") -> tuple[int, Any]:
    async with session.post(MESSAGES, data={"To": to, "From": "+15005550006", "Body": "Hi"}) as answer:
        return answer.status, await answer.json()


async def count(session: aiohttp.ClientSession) -> int:
    async with session.get("/double/count") as answer:
        return int(await answer.text())


async def received(session: aiohttp.ClientSession) -> list[Received]:
    async with session.get("/double/received") as answer:
        return msgspec.msgpack.decode(await answer.read(), type=list[Received])


async def set_up(session: aiohttp.ClientSession, **setup: Any) -> None:
    async with session.post("/double/setup", json=setup) as answer:
        assert answer.status == 200


async def test_every_post_creates_a_message_with_a_sid_of_its_own() -> None:
    async with serving() as session:
        answers = [await text(session) for _ in range(3)]
        assert [status for status, _ in answers] == [201] * 3
        assert len({message["sid"] for _, message in answers}) == 3
        assert await count(session) == 3


async def test_requests_are_remembered_in_order_with_their_time_and_form() -> None:
    async with serving() as session:
        await text(session, "+14155550001")
        await text(session, "+14155550002")
        first, second = await received(session)
    assert first.at_ns < second.at_ns
    assert (first.message, second.message) == (1, 2)
    assert second.form == b"To=%2B14155550002&From=%2B15005550006&Body=Hi"


async def test_a_refusal_creates_nothing() -> None:
    async with serving() as session:
        await set_up(session, faults={"429": 1})
        status, problem = await text(session)
        assert (status, problem["code"], problem["status"]) == (429, 20429, 429)
        assert await count(session) == 0
        assert [each.message for each in await received(session)] == [0]


@pytest.mark.parametrize(("fault", "created"), [("reset", 0), ("reset-created", 1)])
async def test_a_reset_drops_the_connection_before_or_after_the_message_is_created(fault: str, created: int) -> None:
    async with serving() as session:
        await set_up(session, faults={fault: 1})
        with pytest.raises(aiohttp.ClientError):
            await text(session)
        assert await count(session) == created
        assert len(await received(session)) == 1


async def test_faults_take_their_share() -> None:
    async with serving() as session:
        await set_up(session, faults={"429": 0.3, "503": 0.2})
        statuses = [(await text(session))[0] for _ in range(200)]
        assert await count(session) == statuses.count(201)
    assert 30 < statuses.count(429) < 90
    assert 20 < statuses.count(503) < 60


async def test_an_answer_may_take_its_time() -> None:
    async with serving() as session:
        await set_up(session, latency_ms=20)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        status, _ = await text(session)
        assert status == 201
        assert loop.time() - begin >= 0.015


async def test_a_setup_forgets_what_was_before() -> None:
    async with serving() as session:
        await text(session)
        await set_up(session)
        assert (await count(session), await received(session)) == (0, [])
        _, message = await text(session)
        assert await count(session) == 1
        assert message["sid"].endswith("2")


@pytest.mark.parametrize("faults", [{"200": 0.1}, {"slow": 0.1}, {"429": -0.1}, {"429": 0.6, "reset": 0.6}])
def test_a_fault_that_cannot_be_is_refused(faults: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"fault"):
        check_faults(faults)

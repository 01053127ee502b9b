"""The capture protocol's patience, its end, and a fault behind it. All else is tried on a whole service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from smspipe.model.event import Event, Payload
from smspipe.web.capture import CaptureDoor, Offer
from smspipe.web.server import Server, bind, make_server

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BODY = b'{"api_key":"phc_x","event":"x","distinct_id":"u"}'
HEAD = b"POST /e/ HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BODY)


def take(payload: Payload, events: Sequence[Event], then: Callable[[bool], None]) -> bool:
    """Have everything on disk at once."""
    then(True)
    return True


async def nowhere(scope: Any, receive: Any, send: Any) -> None:
    """Answer 404 to what is no capture, once its body is there."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def serving(
    offer: Offer = take, patience_seconds: float = 60, clock: Callable[[], datetime] = lambda: NOW
) -> AsyncIterator[tuple[Server, int]]:
    """Serve captures; give the server and its port."""
    door = CaptureDoor(offer=offer, clock=clock, token="phc_x", hook_keys=[])
    listening = asyncio.Event()
    server = make_server(nowhere, door, listening=listening.set, patience_seconds=patience_seconds)
    with bind("127.0.0.1", 0) as bound:
        task = asyncio.create_task(server.serve(sockets=[bound]))
        await listening.wait()
        yield server, bound.getsockname()[1]
        server.should_exit = True
        await task


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"POST /e/ HT", b"HTTP/1.1 408 Request Timeout", id="half-a-head"),
        pytest.param(HEAD + BODY[:-1], b"HTTP/1.1 408 Request Timeout", id="half-a-body"),
        pytest.param(HEAD.replace(b"/e/", b"/api") + BODY[:-1], b"HTTP/1.1 408 Request Timeout", id="half-an-api-body"),
        pytest.param(HEAD + BODY + b"GET", b"HTTP/1.1 200 OK", id="half-a-second-head"),
    ],
)
@pytest.mark.slow
async def test_a_request_that_does_not_come_in_whole_in_time_is_refused(sent: bytes, answer: bytes) -> None:
    async with serving(patience_seconds=0.2) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        assert (await reader.read()).partition(b"\r\n")[0] == answer
        writer.close()


@pytest.mark.slow
async def test_an_idle_connection_is_not_taken_for_a_slow_one() -> None:
    async with serving(patience_seconds=0.1) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(HEAD + BODY)
            assert (await reader.readuntil(b'{"status":"Ok"}')).startswith(b"HTTP/1.1 200")
            slow_reader, slow_writer = await asyncio.open_connection("127.0.0.1", port)
            assert await slow_reader.read() == b""  # its time was up
            slow_writer.close()
        writer.close()


@pytest.mark.slow
async def test_half_a_request_does_not_hold_up_the_end() -> None:
    async with serving() as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + BODY + HEAD)
        await reader.readuntil(b'{"status":"Ok"}')
        server.should_exit = True
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


@pytest.mark.slow
async def test_what_came_in_whole_is_answered_before_the_end() -> None:
    waiting: list[Callable[[bool], None]] = []
    came = asyncio.Event()

    def keep_waiting(payload: Payload, events: Sequence[Event], then: Callable[[bool], None]) -> bool:
        waiting.append(then)
        came.set()
        return True

    async with serving(keep_waiting) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + BODY)
        await came.wait()
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        server.should_exit = True
        assert await idle_reader.read() == b""  # the end has begun
        idle_writer.close()
        waiting[0](True)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_a_fault_behind_the_door_is_ours_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(clock=lambda: datetime.fromtimestamp(1 // 0, UTC)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + BODY)
        assert (await reader.readuntil(b"a server error occurred")).startswith(b"HTTP/1.1 500")
        writer.close()
    told = "".join(capsys.readouterr())
    assert "capture_failed" in told
    assert "ZeroDivisionError" in told
    assert "distinct_id" not in told

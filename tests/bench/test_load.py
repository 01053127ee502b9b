"""The generator sends every event once, and charges a service for all that it kept waiting."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

import httptools

from bench.events import Events
from bench.load import Load, send

EVENTS = Events(share=0.1, at=datetime(2026, 1, 2, tzinfo=UTC), token="phc_test")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Server(asyncio.Protocol):
    """Hands each request's path and body to `take`, which gives the answer, None to drop the connection."""

    def __init__(self, take: Callable[[bytes, bytes], bytes | None]) -> None:
        self._take = take
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer = self._take(self._url, self._body)
        self._url = self._body = b""
        assert isinstance(self._transport, asyncio.Transport)
        if answer is None:
            self._transport.abort()
        else:
            self._transport.write(answer)


@asynccontextmanager
async def serving(take: Callable[[bytes, bytes], bytes | None]) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: Server(take), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def keeping(bodies: list[bytes], answer: bytes) -> Callable[[bytes, bytes], bytes]:
    """Answer everything alike, and keep the bodies."""

    def take(_url: bytes, body: bytes) -> bytes:
        bodies.append(body)
        return answer

    return take


async def test_a_closed_loop_sends_every_event_once_up_to_the_limit() -> None:
    bodies: list[bytes] = []
    async with serving(keeping(bodies, OK)) as port:
        posts = await send(port, EVENTS, Load(connections=4, most=50, first=7))
    assert sorted(bodies) == sorted(EVENTS.body(number, 1) for number in range(7, 57))
    assert [post.first for post in posts] == list(range(7, 57))
    assert all(post.accepted and post.answered_ns > post.due_ns for post in posts)


async def test_batches_go_to_the_batch_route_with_their_events() -> None:
    seen: list[tuple[bytes, int]] = []

    def take(url: bytes, body: bytes) -> bytes:
        seen.append((url, len(json.loads(body)["batch"])))
        return OK

    async with serving(take) as port:
        posts = await send(port, EVENTS, Load(batch=50, connections=2, most=150))
    assert seen == [(b"/batch/", 50)] * 3
    assert [post.first for post in posts] == [0, 50, 100]


async def test_a_closed_loop_ends_when_its_time_is_over() -> None:
    async with serving(lambda _url, _body: OK) as port:
        posts = await send(port, EVENTS, Load(connections=2, seconds=0.05))
    assert posts
    assert all(post.due_ns < posts[0].due_ns + 100_000_000 for post in posts)


async def test_an_open_loop_has_each_request_due_at_its_own_time() -> None:
    async with serving(lambda _url, _body: OK) as port:
        posts = await send(port, EVENTS, Load(connections=2, rate=1_000, seconds=5, most=40))
    gaps = {after.due_ns - before.due_ns for before, after in pairwise(posts)}
    assert gaps == {1_000_000}
    assert all(post.accepted for post in posts)


async def test_a_request_that_waits_for_a_connection_is_charged_from_when_it_was_due() -> None:
    async with serving(lambda _url, _body: OK) as port:
        posts = await send(port, EVENTS, Load(connections=1, rate=math.inf, most=20))
    assert len({post.due_ns for post in posts}) == 1
    answered = [post.answered_ns for post in posts]
    assert answered == sorted(answered)
    assert answered[-1] > answered[0]


async def test_a_refusal_is_noted_and_not_repeated() -> None:
    bodies: list[bytes] = []
    async with serving(keeping(bodies, BUSY)) as port:
        posts = await send(port, EVENTS, Load(connections=2, most=10))
    assert len(bodies) == 10
    assert {post.status for post in posts} == {503}
    assert not any(post.accepted for post in posts)


async def test_a_connection_that_was_closed_is_replaced() -> None:
    async with serving(lambda _url, _body: LAST) as port:
        posts = await send(port, EVENTS, Load(connections=2, most=10))
    assert len(posts) == 10
    assert all(post.accepted for post in posts)


async def test_a_request_whose_connection_drops_is_not_accepted_and_not_repeated() -> None:
    bodies: list[bytes] = []

    def take(_url: bytes, body: bytes) -> bytes | None:
        bodies.append(body)
        return None if len(bodies) == 3 else OK

    async with serving(take) as port:
        posts = await send(port, EVENTS, Load(connections=1, most=6))
    assert [post.status for post in posts] == [200, 200, 0, 200, 200, 200]
    assert len(bodies) == 6

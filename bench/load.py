"""
The load generator: posts events on kept connections, one request at a time on each, and notes what became of each.

A closed loop sends the next request when the one before it is answered: it finds how much a service takes. An open loop
sends at a rate, whatever the service does: a request that finds no free connection waits, and its time counts from when
it was due, so a service that halts is charged with all that it kept waiting (no "coordinated omission").
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Final, cast

import httptools

from bench.check import Post
from bench.events import Events

_PATIENCE_SECONDS: Final = 15.0
"""How long answers may take after the last request; those that take longer count as refused."""
_TICK_SECONDS: Final = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send."""

    batch: int = 1
    """Events in a request; 1 for the single form of a request."""
    connections: int = 32
    rate: float | None = None
    """Events a second in an open loop, infinity for all at once; None for a closed loop."""
    seconds: float = 3.0
    """When to stop sending."""
    most: int | None = None
    """Events to send at most, None for no limit."""
    first: int = 0
    """The number of the first event."""


async def send(port: int, events: Events, load: Load) -> list[Post]:
    """
    Send a load to the capture routes on a port of this machine, and wait for the answers.

    Raises:
        OSError: nobody listens there.
    """
    run = _Run(port, events, load)
    try:
        await run.send()
    finally:
        run.close()
    return run.posts


class _Run:
    def __init__(self, port: int, events: Events, load: Load) -> None:
        self.posts: list[Post] = []
        self._port = port
        self._events = events
        self._load = load
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[Post] = deque()
        self._connections: set[_Connection] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._begin_ns = 0
        self._end_ns = 0
        path = "/i/v0/e/" if load.batch == 1 else "/batch/"
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()

    async def send(self) -> None:
        """Do it all."""
        for _ in range(self._load.connections):
            await self._connect()
        self._begin_ns = time.monotonic_ns()
        self._end_ns = self._begin_ns + int(self._load.seconds * 1e9)
        if self._load.rate is None:
            while self._idle and (post := self._next(time.monotonic_ns())) is not None:
                self._start(self._idle.popleft(), post)
        else:
            await self._keep_rate(self._load.rate)
        # A closed loop goes on by itself, answer by answer, until its time is over.
        until = self._end_ns + int(_PATIENCE_SECONDS * 1e9)
        while (self._under_way or self._waiting) and time.monotonic_ns() < until:  # noqa: ASYNC110 (three things end it)
            await asyncio.sleep(0.002)

    def close(self) -> None:
        """Let go of all connections."""
        self._end_ns = 0
        for connection in list(self._connections):
            connection.transport.abort()

    async def _keep_rate(self, rate: float) -> None:
        gap_ns = self._load.batch / rate * 1e9
        while True:
            now = time.monotonic_ns()
            while (due := self._begin_ns + int(len(self.posts) * gap_ns)) <= now:
                post = self._next(due)
                if post is None:
                    return
                if self._idle:
                    self._start(self._idle.popleft(), post)
                else:
                    self._waiting.append(post)
            await asyncio.sleep(_TICK_SECONDS)

    def _next(self, due_ns: int) -> Post | None:
        """Make the next request, None when there is no time or no event left."""
        sent = len(self.posts) * self._load.batch
        if due_ns >= self._end_ns or (self._load.most is not None and sent >= self._load.most):
            return None
        post = Post(self._load.first + sent, due_ns)
        self.posts.append(post)
        return post

    def _start(self, connection: "_Connection", post: Post) -> None:
        self._under_way += 1
        body = self._events.body(post.first, self._load.batch)
        connection.start(post, b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def answered(self, connection: "_Connection") -> None:
        """Go on with a connection whose request is over."""
        self._under_way -= 1
        if connection.transport.is_closing():
            return
        post = self._waiting.popleft() if self._waiting else None
        if post is None and self._load.rate is None:
            post = self._next(time.monotonic_ns())
        if post is None:
            self._idle.append(connection)
        else:
            self._start(connection, post)

    def lost(self, connection: "_Connection") -> None:
        """Replace a connection that the service closed, as long as there is something to send."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if time.monotonic_ns() < self._end_ns:
            task = asyncio.get_running_loop().create_task(self._replace())
            self._replacing.add(task)
            task.add_done_callback(self._replacing.discard)

    async def _replace(self) -> None:
        try:
            connection = await self._connect()
        except OSError:  # it does not listen any more: what was to be sent counts as refused
            return
        if self._load.rate is None or self._waiting:
            self._idle.remove(connection)
            self._under_way += 1
            self.answered(connection)

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        self._connections.add(connection)
        self._idle.append(connection)
        return connection


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._post: Post | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def start(self, post: Post, request: bytes) -> None:
        self._post = post
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        post, self._post = self._post, None
        assert post is not None, "an answer to nothing"
        post.status = self._parser.get_status_code()
        post.answered_ns = time.monotonic_ns()
        if not self._parser.should_keep_alive():
            self.transport.close()
        self._run.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        if self._post is not None:
            self._post = None
            self._run.answered(self)
        self._run.lost(self)

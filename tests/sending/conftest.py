"""A server of the tests' own that misbehaves on order, on real sockets, and counts what reached it."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
import uvloop

from smspipe.model.destination import Account, Secret
from smspipe.model.message import Encoding, Message
from smspipe.model.phone import E164
from smspipe.sending import Request, build_request


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test on both loops: when bytes leave and how ends are told is the loop's own doing."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


SID = "AC" + "1" * 32
TOKEN = "a-token-that-must-not-show"
PHONE = "+14155552671"
BODY = "Hi Ada, it is secret"
ACCOUNT = Account(sid=SID, username=SID, password=Secret(TOKEN))
MESSAGE = Message(to=E164(PHONE), sender="+15005550006", body=BODY, encoding=Encoding.GSM_7, segments=1)


def make_request() -> Request:
    return build_request(MESSAGE, ACCOUNT)


def sid_of(number: int) -> str:
    return f"SM{number:032x}"


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def created(number: int, *headers: str) -> bytes:
    body = {"sid": sid_of(number), "status": "queued", "num_segments": "1", "error_code": None}
    return answer(201, json.dumps(body).encode(), *headers)


@dataclass
class Peer:
    """
    The server: each request on a connection meets `react`, which writes to the connection or ends it.

    `greet` meets every connection before its first request.
    """

    react: Callable[["Peer", asyncio.StreamWriter], Awaitable[None]]
    greet: Callable[[asyncio.StreamWriter], None] | None = None
    requests: list[bytes] = field(default_factory=list)
    """Head and body of each request that came completely."""
    connections: int = 0
    now: int = 0
    """Requests that are being reacted to."""
    most: int = 0
    """The highest that `now` has been."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """A request has come."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """A client has closed a connection."""
    scheme: str = "http"
    port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def posts(self) -> int:
        return sum(request.startswith(b"POST ") for request in self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if self.greet:
                self.greet(writer)
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                self.arrived.set()
                self.now += 1
                self.most = max(self.most, self.now)
                try:
                    await self.react(self, writer)
                finally:
                    self.now -= 1
        self.gone.set()
        writer.transport.abort()


Serve = Callable[..., Awaitable[Peer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers; a reaction given as bytes is the answer to every request."""
    peers: list[Peer] = []
    async with AsyncExitStack() as stack:

        async def start(
            react: bytes | Callable[[Peer, asyncio.StreamWriter], Awaitable[None]],
            greet: Callable[[asyncio.StreamWriter], None] | None = None,
            tls: ssl.SSLContext | None = None,
        ) -> Peer:
            peer = Peer(write(react) if isinstance(react, bytes) else react, greet)
            server = await stack.enter_async_context(await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=tls))
            peer.port = server.sockets[0].getsockname()[1]
            peer.scheme = "https" if tls else "http"
            peers.append(peer)
            return peer

        yield start
        for task in [task for peer in peers for task in peer.tasks]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def write(data: bytes, *, then_close: bool = False) -> Callable[[Peer, asyncio.StreamWriter], Awaitable[None]]:
    """Make a reaction that writes `data`, and perhaps ends the connection in order."""

    async def react(_peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if then_close:
            writer.close()

    return react


async def hang(_peer: Peer, _writer: asyncio.StreamWriter) -> None:
    """React with silence."""
    await asyncio.Event().wait()


async def drop(_peer: Peer, writer: asyncio.StreamWriter) -> None:
    """React by ending the connection without a byte."""
    writer.transport.abort()


async def count_up(peer: Peer, writer: asyncio.StreamWriter) -> None:
    """React properly: the nth request gets the nth SID."""
    writer.write(created(len(peer.requests)))

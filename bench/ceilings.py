"""
What the parts of the service would do alone, each in a process of its own.

    http     asyncio, httptools and the service's own decoding: every request is read and answered, nothing is kept
    commit   the bodies of the requests written to SQLite in groups, each on disk before the next (`synchronous=FULL`)
    sender   aiohttp posting texts, built and encoded one by one
    bare     the three together as one program would do it that promises nothing: no retry, no ledger, no reasons,
             a text that is on its way when it ends is gone

`http` and `bare` are servers, measured by the same generator as the service. `commit` and `sender` measure themselves
and print a `Cost` as JSON. All of them run uvloop, as the service does.
"""

import argparse
import asyncio
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, cast

import aiohttp
import httptools
import msgspec
import uvloop

from bench.events import ACCOUNT_SID, AUTH_TOKEN, EVENT, LEAST_TOTAL, SENDER, Events
from bench.processes import serve
from bench.service import TOKEN
from smspipe import capture
from smspipe.capture import CaptureRequest, door_of
from smspipe.model.event import Event

_OK: Final = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"status":1}'
_SENDERS: Final = 32
"""Requests to Twilio at once, the service's default."""
_SCHEMA: Final = (
    "pragma journal_mode=wal; pragma synchronous=full; pragma wal_autocheckpoint=1024;"
    "create table requests (position integer primary key, body blob not null)"
)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a part did, and what it used for that."""

    done: int
    """Events, or texts."""
    seconds: float
    cpu_seconds: float


class Door(asyncio.Protocol):
    """One connection of a server that reads captures, and hands their events to `take`."""

    transport: asyncio.Transport

    def __init__(self, take: "Callable[[bytes, Sequence[Event], Door], None]") -> None:
        self._take = take
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Note the address."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Read a whole request as the service reads it."""
        path, _, query = self._url.partition(b"?")
        kind = self._headers.get(b"content-type", b"").decode("latin-1")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._url, self._headers, self._body = b"", {}, []
        door = door_of(path.decode("latin-1"))
        assert door is not None, "the generator posts to capture routes only"
        request = CaptureRequest(
            method="POST", path=path.decode("latin-1"), query=query, content_type=kind, content_encoding=None,
            body=body, ip="127.0.0.1",
        )  # fmt: skip
        accepted = capture.read(request, door, datetime.now(UTC), os.urandom(8), TOKEN)
        self._take(accepted.payload.body, accepted.events, self)

    def accept(self) -> None:
        """Answer that the events are accepted."""
        if not self.transport.is_closing():
            self.transport.write(_OK)


class Commits(threading.Thread):
    """Bodies to SQLite: what waits when the one before is on the disk is the next group."""

    def __init__(self, file: Path, deliver: Callable[[Callable[[], None]], object]) -> None:
        super().__init__(daemon=True)
        self._file = file
        self._deliver = deliver
        self._waiting: list[tuple[bytes, Callable[[], None]]] = []
        self._wake = threading.Condition()

    def add(self, body: bytes, then: Callable[[], None]) -> None:
        """Write `body`, then call `then` on the event loop."""
        with self._wake:
            self._waiting.append((body, then))
            self._wake.notify()

    def run(self) -> None:
        """Write, group after group, as long as the process lives."""
        database = open_file(self._file)
        position = 0
        while True:
            with self._wake:
                while not self._waiting:
                    self._wake.wait()
                group, self._waiting = self._waiting, []
            position = write_group(database, position, [body for body, _ in group])
            self._deliver(partial(_call_all, [then for _, then in group]))


def _call_all(functions: Sequence[Callable[[], None]]) -> None:
    for each in functions:
        each()


def open_file(file: Path) -> sqlite3.Connection:
    """Make a database with one table, set up as the service sets up its own."""
    database = sqlite3.connect(file, isolation_level=None)
    database.executescript(_SCHEMA)
    return database


def write_group(database: sqlite3.Connection, position: int, bodies: Sequence[bytes]) -> int:
    """Write bodies behind `position` in one transaction; give the new last position."""
    database.execute("begin immediate")
    database.executemany(
        "insert into requests values (?, ?)", [(position + place, body) for place, body in enumerate(bodies, 1)]
    )
    database.execute("commit")
    return position + len(bodies)


async def post_text(session: aiohttp.ClientSession, twilio_port: int, to: str, body: str) -> None:
    """Ask the double for one message."""
    address = f"http://127.0.0.1:{twilio_port}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    async with session.post(address, data={"To": to, "From": SENDER, "Body": body}) as answer:
        await answer.read()


def open_session() -> aiohttp.ClientSession:
    """Open aiohttp's client as its documentation shows it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_SENDERS), auth=aiohttp.BasicAuth(ACCOUNT_SID, AUTH_TOKEN)
    )


async def run_http() -> None:
    """Read and answer."""
    await serve(lambda: Door(lambda _body, _events, door: door.accept()))


async def run_bare(file: Path, twilio_port: int) -> None:
    """Read, commit, answer, match, render and send, with the plainest code that does it."""
    texts: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    commits = Commits(file, asyncio.get_running_loop().call_soon_threadsafe)
    commits.start()

    def take(body: bytes, events: Sequence[Event], door: Door) -> None:
        def then() -> None:
            door.accept()
            for event in events:
                if event.event == EVENT:
                    found = event.properties
                    total, phone = found.get("total", 0), found.get("phone")
                    if phone and total > LEAST_TOTAL and found.get("currency") in ("EUR", "USD"):
                        of = f"{found['order']} for {total} {found['currency']}"
                        texts.put_nowait((phone, f"Hi {found['name']}, order {of} is on its way."))

        commits.add(body, then)

    async def send_texts() -> None:
        while True:
            to, body = await texts.get()
            try:
                await post_text(session, twilio_port, to, body)
            except aiohttp.ClientError:
                continue  # it promises nothing

    async with open_session() as session:
        senders = [asyncio.create_task(send_texts()) for _ in range(_SENDERS)]
        await serve(lambda: Door(take))
        for sender in senders:
            sender.cancel()


def measure_commit(file: Path, *, seconds: float, batch: int, group: int) -> Cost:
    """Commit groups of `group` requests of `batch` events for so long."""
    events = Events(share=0.1, at=datetime.now(UTC), token=TOKEN)
    groups = [[events.body((each * group + k) * batch, batch) for k in range(group)] for each in range(8)]
    database = open_file(file)
    begin, cpu, position, turn = time.monotonic(), time.process_time(), 0, 0
    while time.monotonic() - begin < seconds:
        position = write_group(database, position, groups[turn % len(groups)])
        turn += 1
    return _cost(position * batch, begin, cpu)


async def measure_sender(twilio_port: int, *, seconds: float) -> Cost:
    """Post texts for so long, as many at once as the service would."""
    events = Events(share=1, at=datetime.now(UTC), token=TOKEN)
    done = 0

    async def send_texts(first: int) -> None:
        nonlocal done
        number = first
        while time.monotonic() - begin < seconds:
            text = events.text(number)
            await post_text(session, twilio_port, text.to, text.body)
            number += _SENDERS
            done += 1

    async with open_session() as session:
        begin, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*(send_texts(first) for first in range(_SENDERS)))
        return _cost(done, begin, cpu)


def _cost(done: int, begin: float, cpu: float) -> Cost:
    return Cost(done=done, seconds=time.monotonic() - begin, cpu_seconds=time.process_time() - cpu)


def main() -> None:
    """Run one of them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("part", choices=["http", "commit", "sender", "bare"])
    options.add_argument("--seconds", type=float, default=1.0)
    options.add_argument("--batch", type=int, default=1, help="events in a request")
    options.add_argument("--group", type=int, default=32, help="requests in a commit")
    options.add_argument("--file", type=Path, help="of the database, which must not be there yet")
    options.add_argument("--twilio-port", type=int, help="where the double listens")
    given = options.parse_args()
    match given.part:
        case "http":
            uvloop.run(run_http())
        case "bare":
            uvloop.run(run_bare(given.file, given.twilio_port))
        case "commit":
            cost = measure_commit(given.file, seconds=given.seconds, batch=given.batch, group=given.group)
            sys.stdout.write(msgspec.json.encode(cost).decode() + "\n")
        case "sender":
            cost = uvloop.run(measure_sender(given.twilio_port, seconds=given.seconds))
            sys.stdout.write(msgspec.json.encode(cost).decode() + "\n")


if __name__ == "__main__":
    main()

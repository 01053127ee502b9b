"""
The one POST: requests go out here and nowhere else, each at most once.

`Client` keeps connections open and hands each request to one of them. Its promise is exactness: `Later` only when
provably no byte of the request has left, `Unconfirmed` from the first byte on until a complete answer has come.
Nothing is sent twice: no retry, no redirect, no second try when a kept connection turns out to be dead.

Proxies are not supported: `HTTPS_PROXY` and its like are ignored. Where only a proxy leads out, point
`SMSPIPE_TWILIO_API_URL` at a gateway inside the network that forwards to Twilio.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from smspipe.model.destination import Account
from smspipe.model.errors import Invalid
from smspipe.sending.connection import Connection, Lost, Raw
from smspipe.sending.lookup import Missing, Page, Shown, build_fetch, build_list, build_next, sort_fetch, sort_list
from smspipe.sending.request import Request, build_check, build_numbers
from smspipe.sending.response import (
    AccountFault,
    Answer,
    Later,
    Numbers,
    Unconfirmed,
    Verified,
    sort_answer,
    sort_check,
    sort_numbers,
)

_URL: Final = re.compile(r"https?://[!-~]+").fullmatch


class Client:
    """
    Keep-alive connections to one address of Twilio's API, one request at a time on each.

    Belongs to the event loop that it is first used on. As an async context manager it closes itself.
    """

    def __init__(
        self,
        base_url: str = "https://api.twilio.com",
        *,
        concurrency: int = 32,
        connect_timeout: timedelta = timedelta(seconds=5),
        answer_timeout: timedelta = timedelta(seconds=30),
        idle_timeout: timedelta = timedelta(seconds=15),
        drain_timeout: timedelta = timedelta(seconds=10),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Prepare; nothing is opened before the first request.

        Args:
            base_url: where the API is, a path prefix included (`http://127.0.0.1:8000/sandbox`).
            concurrency: most requests under way at once; Twilio limits them per account, with 429. May be set anew.
            connect_timeout: for name, TCP and TLS together.
            answer_timeout: from the request's leaving to the complete answer; a shorter one makes more answers
                unconfirmed, not fewer texts sent.
            idle_timeout: a kept connection unused for so long is closed; below the peer's own, or it would be the
                peer that closes, perhaps just as a request leaves.
            drain_timeout: how long `close` lets requests under way finish.
            tls: None for the system's trusted certificates.

        Raises:
            Invalid: `base_url` is not an http or https address without query and credentials.
        """
        self._secure, self._host, self._port, self._host_header, self._prefix = _parse(base_url)
        self._tls = (tls or ssl.create_default_context()) if self._secure else None
        self._limit = max(1, concurrency)
        self._connect_timeout = connect_timeout.total_seconds()
        self._answer_timeout = answer_timeout.total_seconds()
        self._idle_timeout = idle_timeout.total_seconds()
        self._drain_timeout = drain_timeout.total_seconds()
        self._tick = min(1.0, min(self._answer_timeout, self._idle_timeout) / 10)
        self._under_way = 0
        self._turns: deque[asyncio.Future[bool]] = deque()
        self._idle: list[Connection] = []
        self._connections: dict[Connection, None] = {}
        """The open ones, in the order in which they were opened."""
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closing = False
        self.halted: str | None = None
        """Why no text may leave now, a sentence; None when texts may. Questions are asked all the same."""
        self._drained = asyncio.Event()
        self._emptied = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def concurrency(self) -> int:
        """Most requests under way at once; lowering it lets those under way finish."""
        return self._limit

    @concurrency.setter
    def concurrency(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._give_turns()

    @property
    def under_way(self) -> int:
        """How many requests are connecting or wait for their answer."""
        return self._under_way

    async def send(self, request: Request, withdrawn: Callable[[], bool] = lambda: False) -> Answer:
        """
        Make the one POST and sort its answer; waits for a turn when `concurrency` requests are under way.

        No trouble of the network is raised: it is `Later` when nothing has left, `Unconfirmed` when it may have.
        `withdrawn` is asked just before the first byte would leave, after the turn and the connection have come: when
        it says yes, nothing leaves, and that is `Later` too.
        Cancelling it once the request has left closes the connection; whether the text was sent is then unknown.
        """
        raw = await self._make(request, withdrawn)
        return sort_answer(*raw) if isinstance(raw, tuple) else raw

    def post(
        self, request: Request, then: Callable[[Answer], None], withdrawn: Callable[[], bool] = lambda: False
    ) -> None:
        """
        Do what `send` does, and call `then` with the answer on the event loop.

        For the sender of many: when a connection is free, which is nearly always, no task and no future is made.
        """
        crowded = self._closing or self.halted or self._turns or self._under_way >= self._limit
        kept = None if crowded else self._take_idle()
        if kept is None:
            self._post_later(request, then, withdrawn)
            return
        self._under_way += 1

        def answered(raw: Raw | Lost) -> None:
            if kept.is_open():
                self._idle.append(kept)
            self._release()
            then(self._unconfirmed(raw) if isinstance(raw, Lost) else sort_answer(*raw))

        kept.start(self._to_wire(request), answered)

    def _post_later(self, request: Request, then: Callable[[Answer], None], withdrawn: Callable[[], bool]) -> None:
        def done(task: asyncio.Task[Answer]) -> None:
            self._tasks.discard(task)
            then(task.result())

        task = asyncio.get_running_loop().create_task(self.send(request, withdrawn))
        self._tasks.add(task)
        task.add_done_callback(done)

    async def check(self, account: Account) -> Verified | AccountFault | Later:
        """Find out whether the credentials work, without sending or changing anything."""
        raw = await self._make(build_check(account))
        if isinstance(raw, tuple):
            return sort_check(*raw)
        return _ask_again(raw)

    async def numbers(self, account: Account) -> Numbers | AccountFault | Later:
        """Ask for the account's phone numbers; changes nothing."""
        raw = await self._make(build_numbers(account))
        if isinstance(raw, tuple):
            return sort_numbers(*raw)
        return _ask_again(raw)

    async def fetch(self, account: Account, sid: str) -> Shown | Missing | AccountFault | Later:
        """Ask what became of one text."""
        raw = await self._make(build_fetch(account, sid))
        return sort_fetch(*raw) if isinstance(raw, tuple) else _ask_again(raw)

    async def list_to(self, account: Account, to: str) -> AsyncIterator[Page | AccountFault | Later]:
        """
        Give Twilio's list of the texts to a number page by page, the newest first, each asked for when it is wanted.

        What is no `Page` is the last: the list is then incomplete, and nothing can be concluded from what it lacks.
        """
        request: Request | None = build_list(account, to)
        while request is not None:
            raw = await self._make(request)
            page = sort_list(*raw) if isinstance(raw, tuple) else _ask_again(raw)
            if not isinstance(page, Page) or page.next is None:
                yield page
                return
            request = build_next(account, page.next)
            if request is None:
                yield Later(saw="Twilio named a next page that is none of this account's messages.")
                return
            yield page

    async def close(self) -> None:
        """
        Take no more requests, let those under way finish within `drain_timeout`, then close every connection.

        Requests that wait for their turn or for a connection end as `Later`, those cut off at the end as `Unconfirmed`.
        """
        self._closing = True
        for turn in self._turns:
            if not turn.done():
                turn.set_result(False)
        self._turns.clear()
        if self._under_way:
            await _wait(self._drained, self._drain_timeout)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._connections:
            for connection in self._connections:
                connection.lose("smspipe had to shut down before the answer came")
            await self._emptied.wait()

    async def _make(self, request: Request, withdrawn: Callable[[], bool] = lambda: False) -> Raw | Later | Unconfirmed:
        if not await self._take_turn():
            return Later(saw="smspipe is shutting down; the message waits for its next start.")
        try:
            connection = self._take_idle() or await self._open()
            if isinstance(connection, Later):
                return connection
            if self.halted is not None and request.method == "POST":
                # Looked at here, after every wait: from the next line on the request leaves.
                self._idle.append(connection)
                return Later(saw=self.halted)
            if withdrawn():
                self._idle.append(connection)
                return Later(saw="It was taken back before its request left. Nothing was sent.")
            raw = await connection.exchange(self._to_wire(request))
            if isinstance(raw, Lost):
                return self._unconfirmed(raw)
            if connection.is_open():
                self._idle.append(connection)
            return raw
        finally:
            self._release()

    def _unconfirmed(self, lost: Lost) -> Unconfirmed:
        return Unconfirmed(
            saw=f"The request to {self._host_header} left, but {lost.why}: it may have been sent. "
            "Look in Twilio's message log before sending it again."
        )

    def _to_wire(self, request: Request) -> bytes:
        first = f"{request.method} {self._prefix}{request.path} HTTP/1.1\r\nHost: {self._host_header}\r\n".encode(
            "ascii"
        )
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (first, request.headers, len(request.body), request.body)

    # Turns: at most `concurrency` requests under way, the others in order of arrival

    async def _take_turn(self) -> bool:
        """Count a request in, False when the client closes; `_release` counts it out."""
        if self._closing:
            return False
        if self._under_way < self._limit:
            self._under_way += 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._release()  # the turn came in the same moment: it goes to the next
            raise

    def _release(self) -> None:
        self._under_way -= 1
        self._give_turns()
        if self._closing and not self._under_way:
            self._drained.set()

    def _give_turns(self) -> None:
        while self._turns and self._under_way < self._limit:
            turn = self._turns.popleft()
            if not turn.done():
                self._under_way += 1
                turn.set_result(True)

    # Connections: the one used last is used next, so that surplus ones grow old and go

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.lose("the peer had closed it")
        return None

    async def _open(self) -> Connection | Later:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, self._forget), self._host, self._port, ssl=self._tls
                )
        except (OSError, UnicodeError) as error:
            return Later(saw=f"No connection to {self._host_header}: {_explain(error)}. Nothing was sent.")
        self._connections[connection] = None
        if self._closing:
            connection.lose("smspipe was shutting down")
            return Later(saw="smspipe is shutting down; the message waits for its next start.")
        if not connection.is_open():
            self._connections.pop(connection, None)
            return Later(saw=f"{self._host_header} closed the connection at once. Nothing was sent.")
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._tick, self._sweep, loop)
        return connection

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._closing and not self._connections:
            self._emptied.set()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        # One timer for all connections: one for each request would cost more than the request's own parsing.
        # Ages are counted in sweeps, so that a loop that was blocked does not take its own delay for the peer's.
        for connection in self._connections:
            connection.age += 1
            seconds = (connection.age - 1) * self._tick
            if connection.waits and seconds >= self._answer_timeout:
                connection.lose(f"no complete answer came within {self._answer_timeout:g} seconds")
            elif not connection.waits and seconds >= self._idle_timeout:
                connection.lose("it was idle for too long")
        self._sweeper = loop.call_later(self._tick, self._sweep, loop) if self._connections else None


def _ask_again(answer: Later | Unconfirmed) -> Later:
    """Asking changes nothing, so an answer that was lost leaves nothing to confirm."""
    return answer if isinstance(answer, Later) else Later(saw="Twilio did not answer in time.")


def is_twilio(url: str) -> bool:
    """Say whether an address is Twilio's own, in any region, and not a double's."""
    host = urlsplit(url).hostname or ""
    return host == "twilio.com" or host.endswith(".twilio.com")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _explain(error: OSError | UnicodeError) -> str:
    """Name the trouble in a few words of our own: the system's may hold addresses and numbers of errors."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "no secure connection came about"
        case socket.gaierror():
            return "its name is not known"
        case ConnectionRefusedError():
            return "it refused"
        case TimeoutError():
            return "it did not answer in time"
        case ConnectionError():
            return "it closed the connection"
        case UnicodeError():
            return "its name is not a host's name"
        case _:
            return error.strerror or "the network failed"


def _parse(url: str) -> tuple[bool, str, int, str, str]:
    """Take an address apart into: secure, host, port, Host header, path prefix without a slash at its end."""
    try:
        parts = urlsplit(url if _URL(url) else "")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise Invalid(
            "The address of Twilio's API is not an http or https address.",
            hint="Write it like https://api.twilio.com, without a query and without credentials.",
        )
    secure = parts.scheme == "https"
    return secure, parts.hostname, port or (443 if secure else 80), parts.netloc, parts.path.rstrip("/")

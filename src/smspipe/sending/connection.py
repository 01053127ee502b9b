"""
One HTTP/1.1 connection: one request at a time, and exact about whether a byte of it may have left.

    idle ── exchange ──► waiting ── complete answer, may be kept ──► idle
      │                     │
      │                     ├── complete answer, may not ──► closed (the answer counts)
      │                     └── anything else ─────────────► closed (Lost: the request may have arrived)
      └── end, or a byte that nobody asked for ────────────► closed

A request is handed to the transport in one write. Before that write nothing has left; after it everything may have,
whatever the operating system did with it, so there is no third case to get wrong. A connection that lost its way is
never written to again.
"""

import asyncio
import select
from collections.abc import Callable
from typing import Final, NamedTuple, cast

import httptools

ANSWER_BYTES_MAX: Final = 1_048_576
"""More than this, head included, is no answer of Twilio's, which have about one kilobyte."""

_KEPT_HEADERS: Final = {
    b"retry-after": "retry-after",
    b"date": "date",
    b"twilio-request-id": "twilio-request-id",
    b"content-length": "content-length",
    b"transfer-encoding": "transfer-encoding",
}


class Lost(NamedTuple):
    """The request may have left and no complete answer came."""

    why: str
    """What happened, in a few words that fit behind "but"."""


Raw = tuple[int, dict[str, str], bytes]
"""Status, headers (names in lower case; those that matter only), body."""


class Connection(asyncio.Protocol):
    """One connection; made by `loop.create_connection`, driven by `Client`."""

    __slots__ = (
        "_body",
        "_complete",
        "_headed",
        "_headers",
        "_keep",
        "_loop",
        "_on_closed",
        "_parser",
        "_poll",
        "_received",
        "_status",
        "_surplus",
        "_then",
        "_transport",
        "age",
        "waits",
    )
    _transport: asyncio.Transport
    _then: "Callable[[Raw | Lost], None] | None"
    _status: int
    _headers: dict[str, str]
    _body: list[bytes]
    _received: int
    _headed: bool
    _complete: bool
    _surplus: bool
    _keep: bool

    def __init__(self, loop: asyncio.AbstractEventLoop, on_closed: "Callable[[Connection], None]") -> None:
        self._loop = loop
        self._on_closed = on_closed
        self._parser = httptools.HttpResponseParser(self)
        self._poll: select.poll | None = None
        self._then = None
        self._start_answer()
        self.waits = False
        """A request is under way."""
        self.age = 0
        """How often the client has looked since the last change between idle and waiting."""

    # What the client does with it

    def is_open(self) -> bool:
        """Has neither side closed it, as far as the loop knows?"""
        return not self._transport.is_closing()

    def usable(self) -> bool:
        """
        May a request be written, as far as the kernel knows?

        Not when the peer has said anything since the last answer, even if only the kernel has heard of it yet:
        a peer that closes an idle connection would never answer a request on it, which then were lost for nothing.
        """
        if self.waits or self._transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    def start(self, request: bytes, then: "Callable[[Raw | Lost], None]") -> None:
        """Write `request`, and call `then` once with what became of it. The connection must be `usable`."""
        self._start_answer()
        self._then = then
        self.waits = True
        self.age = 0
        self._transport.write(request)

    async def exchange(self, request: bytes) -> Raw | Lost:
        """
        Write `request` and wait for its answer. The connection must be `usable`.

        Cancelling closes it, for the answer would otherwise be taken for the next request's.
        """
        answer: asyncio.Future[Raw | Lost] = self._loop.create_future()
        self.start(request, lambda raw: None if answer.done() else answer.set_result(raw))
        try:
            return await answer
        finally:
            if self.waits:
                self.lose("the wait for the answer was given up")

    def lose(self, why: str) -> None:
        """Close at once; a request under way is Lost, in the words of `why`."""
        self._transport.abort()
        self._fail(why)

    # What the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.waits:
            self.lose("bytes came that no request had asked for")
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._surplus = True
            if not self._complete:
                self.lose("the answer was not proper HTTP")
                return
        if self._complete:
            self._finish()
        elif self._received > ANSWER_BYTES_MAX:
            self.lose("the answer was longer than one megabyte")

    def connection_lost(self, error: Exception | None) -> None:
        self._poll = None
        if self.waits and error is None and self._ends_with_connection():
            self._finish()
        self._fail("the connection ended before an answer was complete")
        self._on_closed(self)

    # What the parser finds; after a complete answer, anything more is surplus

    def on_message_begin(self) -> None:
        self._surplus = self._complete

    def on_header(self, name: bytes, value: bytes) -> None:
        kept = _KEPT_HEADERS.get(name.lower())
        if kept is not None and not self._complete:
            self._headers[kept] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self._complete:
            self._headed = True
            self._status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        if not self._complete:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self._complete:
            return
        if self._status < 200:  # "100 Continue" and its like: the answer is still to come
            self._start_answer()
            return
        self._complete = True
        self._keep = self._parser.should_keep_alive()

    # How an answer begins and ends

    def _start_answer(self) -> None:
        self._status = 0
        self._headers = {}
        self._body = []
        self._received = 0
        self._headed = self._complete = self._surplus = self._keep = False

    def _ends_with_connection(self) -> bool:
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        return self._headed and self._status >= 200 and not framed

    def _finish(self) -> None:
        self.waits = False
        self.age = 0
        if not self._keep or self._surplus:
            self._transport.abort()
        elif self._poll is None and (socket := self._transport.get_extra_info("socket")) is not None:
            # Not before the first answer: TLS 1.3 sends its session tickets unasked at the start.
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)
        # Last of all: whoever is told may start the next request here.
        self._tell((self._status, self._headers, b"".join(self._body)))

    def _fail(self, why: str) -> None:
        if self.waits:
            self.waits = False
            self._tell(Lost(why))

    def _tell(self, raw: "Raw | Lost") -> None:
        then, self._then = self._then, None
        if then is not None:
            then(raw)

"""
The short way in: capture requests are answered inside the HTTP protocol, without an ASGI request being built.

An analytics service gets a thousand captures for each call of its API, and building an ASGI scope, a task and three
events for each would cost several times what the rest of the capture costs. Everything that is not a capture path goes
uvicorn's normal way. A capture stands in uvicorn's place for the request being answered (`self.cycle`), so keep-alive,
pipelining, draining and shutting down stay uvicorn's.

A public address also meets requests that are wrong, endless or never finished. uvicorn bounds neither heads nor the
time that a request may take; here both are bounded, and so is what half-received bodies may hold together. What is
refused before it has come in whole is answered in its turn, and then the connection is read on for a while, unheard:
closing it at once would reset it, and the client would lose the answer that tells it what was wrong.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from smspipe.web.capture import OK, Answer, CaptureDoor, Incoming

_PHRASES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LARGEST_HEAD_BYTES: Final = 64 * 2**10
"""Of a request line with its headers, and of anything else that is not body."""
_LINGER_SECONDS: Final = 5.0
"""How long a refused client is listened to, so that it can read why."""
PATIENCE_SECONDS: Final = 60.0
"""How long a request may take to come in whole; no SDK waits that long itself."""

_OK_BYTES: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(OK[2]),
    OK[2],
)
_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
_INVALID: Final[Answer] = (400, _TEXT, b"invalid HTTP request")
_TOO_SLOW: Final[Answer] = (408, _TEXT, b"the request took too long to arrive")
_HEAD_TOO_LARGE: Final[Answer] = (431, _TEXT, b"the request's head is too large: 65536 bytes are the most")


class CaptureCycle:
    """One capture request on its connection, with the attributes that uvicorn asks of the request being answered."""

    __slots__ = ("body", "disconnected", "expects", "held_bytes", "incoming", "keep_alive", "limit", "message_event",
                 "ready", "refusal", "response_complete", "started")  # fmt: skip

    def __init__(self, incoming: Incoming | None, limit: int, *, keep_alive: bool, expects: bool = False) -> None:
        self.incoming = incoming
        """None for what never became a request."""
        self.limit = limit
        self.keep_alive = keep_alive
        self.expects = expects
        """The client sends the body only when it is told to go on."""
        self.body: bytes | bytearray = b""
        self.held_bytes = 0
        """What of the body is counted as half-received."""
        self.started = False
        """Everything before it on this connection is answered."""
        self.ready = False
        self.refusal: Answer | None = None
        self.response_complete = False
        self.disconnected = False
        self.message_event = _NEVER_AWAITED


class _Signal:
    """Stands for the event that wakes an ASGI application; a capture has none to wake."""

    def set(self) -> None:
        """Do nothing."""


_NEVER_AWAITED = _Signal()


class CaptureProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the capture door built in; `door` and `patience_seconds` are set by `protocol_with`."""

    door: CaptureDoor
    patience_seconds: float

    _since = 0.0
    """When the request that is coming in began (by the loop's clock), 0 when none is."""
    _receiving = False
    """Its head is complete, so `cycle` is the request that is coming in."""
    _loose_bytes = 0
    """Bytes since the last piece of a body or the end of a head; what the parser may hold of them has no other end."""
    _ended = False
    """What comes from now on is not looked at."""
    _watch: asyncio.TimerHandle

    # --- the connection ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._watch = self.loop.call_later(self.patience_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what has half come in."""
        self._watch.cancel()
        cycles: list[Any] = [self.cycle, *(queued for queued, _ in self.pipeline)]
        for cycle in cycles:
            if isinstance(cycle, CaptureCycle):
                self._release(cycle)
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn gives None, which asyncio takes for False
        """
        Answer what came in whole before the client closed its side.

        Returns:
            False closes the connection: nothing is owed, or the request will never be whole.
        """
        cycle: Any = self.cycle
        if self._ended or self._since or cycle is None or cycle.response_complete:
            return False
        cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless this connection has had its say."""
        if self._ended:
            return
        self._unset_keepalive_if_required()
        self._loose_bytes += len(data)
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as offer:
                if self.parser.get_method() == b"CONNECT":
                    # For a tunnel, which the parser finds in the method itself: declining it would find it again.
                    self._refuse(_INVALID)
                    return
                data = self._decline() + data[offer.args[0] :]
            except httptools.HttpParserError:
                self._refuse(_INVALID)
                return
        if self._loose_bytes > _LARGEST_HEAD_BYTES and not self._ended:
            self._refuse(_HEAD_TOO_LARGE)

    def _decline(self) -> bytes:
        """
        Decline a client's offer to speak another protocol, as Java's does with every request (h2c).

        The parser takes what follows for that protocol already. So a new one begins with the same head, the offer left
        out; what followed then is a body again.
        """
        line = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        head = [b"%b %b HTTP/%b" % line]
        head.extend(b"%b: %b" % header for header in self.headers if header[0] != b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets the first one
        return b"\r\n".join(head) + b"\r\n\r\n"

    def shutdown(self) -> None:
        """End the connection once everything that came in whole is answered."""
        if self._since and not self.pipeline:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Read no more of a client that does not read its answers."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Read on."""
        super().resume_writing()
        before: Any = self.cycle
        if not self.pipeline and (self._receiving or before is None or before.response_complete):
            self.flow.resume_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is idle, or whose client does not even read its last answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _look(self) -> None:
        """Refuse a request that has taken too long to come in; else look again when it will have."""
        if self._ended or self.transport.is_closing():
            return
        waited = self.loop.time() - self._since if self._since and not self.flow.read_paused else 0.0
        if waited < self.patience_seconds:
            self._watch = self.loop.call_later(self.patience_seconds - waited, self._look)
        elif self._receiving or self._loose_bytes:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    # --- a request --------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request; the ASGI scope is built only once it is known that there will be one."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Choose the way of the request by its path."""
        if self._ended or self.parser.should_upgrade():
            return
        self._loose_bytes = 0
        path, _, query = self.url.partition(b"?")
        if not path.startswith(b"/"):
            # The whole address instead of the path is for proxies, but every server must take it.
            parsed = httptools.parse_url(self.url)
            path, query = parsed.path or b"/", parsed.query or b""
        limit = self.door.limit_of(path)
        if limit is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)
            super().on_headers_complete()
            self._receiving = True
            return
        incoming = Incoming(
            method=self.parser.get_method().decode("ascii"),
            path=path.decode("latin-1"),
            query=query,
            headers=dict(self.headers),
            ip=self.client[0] if self.client else None,
        )
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        length = incoming.headers.get(b"content-length", b"0")
        too_large = length.isdigit() and int(length) > limit
        expects = self.expect_100_continue and not too_large
        self._receiving = True
        self._take_turn(CaptureCycle(incoming, limit, keep_alive=keep_alive, expects=expects))
        if too_large:
            self._refuse(self.door.too_large(incoming, limit))

    def _take_turn(self, cycle: Any) -> None:
        """Make a capture the request that is coming in, and let it wait for those before it."""
        before: Any = self.cycle
        self.cycle = cycle
        if before is None or before.response_complete:
            cycle.started = True
            if cycle.expects:
                self.transport.write(_CONTINUE)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))  # taken out again by _start_asgi_task

    def on_body(self, body: bytes) -> None:
        """Collect a capture's body, up to its limit."""
        if self._ended:
            return
        self._loose_bytes = 0
        cycle: Any = self.cycle
        if not isinstance(cycle, CaptureCycle):
            super().on_body(body)
            return
        if not cycle.body:
            cycle.body = body
        else:
            if isinstance(cycle.body, bytes):
                cycle.body = bytearray(cycle.body)
            cycle.body += body
            self._hold(cycle)
        if len(cycle.body) > cycle.limit and cycle.incoming is not None:
            self._refuse(self.door.too_large(cycle.incoming, cycle.limit))

    def on_message_complete(self) -> None:
        """Hand a whole capture to the door."""
        if self._ended or self.parser.should_upgrade():
            return
        self._since, self._receiving, self._loose_bytes = 0.0, False, 0
        cycle: Any = self.cycle
        if not isinstance(cycle, CaptureCycle):
            super().on_message_complete()
            return
        cycle.ready = True
        if cycle.started:
            self._enter(cycle)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Start a request that had to wait for the one before it on this connection."""
        if not isinstance(cycle, CaptureCycle):
            super()._start_asgi_task(cycle, app)
            return
        cycle.started = True
        if cycle.refusal is not None:
            self._answer(cycle, cycle.refusal)
        elif cycle.ready:
            self._enter(cycle)
        elif cycle.expects and not cycle.body:
            self.transport.write(_CONTINUE)

    def _enter(self, cycle: CaptureCycle) -> None:
        if cycle.incoming is None:
            return
        body, cycle.body = bytes(cycle.body), b""
        self._release(cycle)
        answer = self.door.enter(cycle.incoming, body, lambda answer: self._answer(cycle, answer))
        if answer is not None:
            self._answer(cycle, answer)

    # --- what half-received bodies hold -----------------------------------------------------------------------------

    def _hold(self, cycle: CaptureCycle) -> None:
        """Count what has come of a body in several pieces; refuse it when all of them hold too much."""
        self.door.held_bytes += len(cycle.body) - cycle.held_bytes
        cycle.held_bytes = len(cycle.body)
        if self.door.held_bytes > self.door.most_held_bytes and cycle.incoming is not None:
            self._refuse(self.door.too_busy(cycle.incoming))

    def _release(self, cycle: CaptureCycle) -> None:
        self.door.held_bytes -= cycle.held_bytes
        cycle.held_bytes = 0

    # --- answers ----------------------------------------------------------------------------------------------------

    def _refuse(self, answer: Answer) -> None:
        """Answer what is coming in, in its turn, before it is whole, and end the connection: the rest is not wanted."""
        if self._ended:
            return
        self._ended = True
        if not self._receiving:
            self._take_turn(CaptureCycle(None, 0, keep_alive=False))
        cycle: Any = self.cycle
        if not isinstance(cycle, CaptureCycle):
            if not cycle.response_started and not self.pipeline:
                self._write(answer, keep_alive=False)
            self.transport.close()
            return
        self._release(cycle)
        cycle.body, cycle.keep_alive, cycle.refusal = b"", False, answer
        if cycle.started:
            self._answer(cycle, answer)

    def _answer(self, cycle: CaptureCycle, answer: Answer) -> None:
        if cycle.response_complete or self.transport.is_closing():
            cycle.response_complete = True
            return
        cycle.response_complete = True
        body = cycle.incoming is None or cycle.incoming.method != "HEAD"
        self._write(answer, keep_alive=cycle.keep_alive, with_body=body)
        if cycle.refusal is not None:
            self._linger()
            return
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        if self.flow.write_paused:
            self.flow.pause_reading()

    def _write(self, answer: Answer, *, keep_alive: bool, with_body: bool = True) -> None:
        if answer is OK and keep_alive:
            self.transport.write(_OK_BYTES)
            return
        status, headers, body = answer
        head = [_PHRASES[status]]
        head.extend(b"%b: %b\r\n" % pair for pair in headers)
        if status != HTTPStatus.NO_CONTENT:
            head.append(b"content-length: %d\r\n" % len(body))
        head.append(b"\r\n" if keep_alive else b"connection: close\r\n\r\n")
        if with_body:
            head.append(body)
        self.transport.write(b"".join(head))

    def _linger(self) -> None:
        """Say that no more will come, and listen, unheard, until the client has read so and closes, or for a while."""
        self.server_state.total_requests += 1
        self.pipeline.clear()
        self._unset_keepalive_if_required()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.timeout_keep_alive_task = self.loop.call_later(_LINGER_SECONDS, self.timeout_keep_alive_handler)


def protocol_with(door: CaptureDoor, patience_seconds: float = PATIENCE_SECONDS) -> type[asyncio.Protocol]:
    """Make the protocol class that uvicorn takes as `http=`, with `door` built in."""
    return type("CaptureProtocolWithDoor", (CaptureProtocol,), {"door": door, "patience_seconds": patience_seconds})

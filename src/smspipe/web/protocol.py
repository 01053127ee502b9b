"""
The short way in: capture requests are answered inside the HTTP protocol, without an ASGI request being built.

An analytics service gets a thousand captures for each call of its API, and building an ASGI scope, a task and three
events for each would cost several times what the rest of the capture costs. Everything that is not a capture path goes
uvicorn's normal way. A capture stands in uvicorn's place for the request being answered (`self.cycle`), so keep-alive,
pipelining, draining and shutting down stay uvicorn's.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from smspipe.web.capture import Answer, CaptureDoor, Incoming

_PHRASES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class CaptureCycle:
    """One capture request on its connection, with the attributes that uvicorn asks of the request being answered."""

    __slots__ = ("answered_early", "body", "disconnected", "incoming", "keep_alive", "limit", "message_event",
                 "more_body", "ready", "response_complete", "started")  # fmt: skip

    def __init__(self, incoming: Incoming, limit: int, *, keep_alive: bool) -> None:
        self.incoming = incoming
        self.limit = limit
        self.keep_alive = keep_alive
        self.body: bytes | bytearray = b""
        self.more_body = True
        self.started = False
        self.ready = False
        self.answered_early = False
        self.response_complete = False
        self.disconnected = False
        self.message_event = _NEVER_AWAITED


class _Signal:
    """Stands for the event that wakes an ASGI application; a capture has none to wake."""

    def set(self) -> None:
        """Do nothing."""


_NEVER_AWAITED = _Signal()


class CaptureProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the capture door built in; `door` is set by `protocol_with`."""

    door: CaptureDoor

    def on_message_begin(self) -> None:
        """Begin a request; the ASGI scope is built only once it is known that there will be one."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Choose the way of the request by its path."""
        path, _, query = self.url.partition(b"?")
        limit = self.door.limit_of(path)
        if limit is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)
            super().on_headers_complete()
            return
        incoming = Incoming(
            method=self.parser.get_method().decode("ascii"),
            path=path.decode("latin-1"),
            query=query,
            headers=dict(self.headers),
            ip=self.client[0] if self.client else None,
        )
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        before: Any = self.cycle
        cycle: Any = CaptureCycle(incoming, limit, keep_alive=keep_alive)
        self.cycle = cycle
        if before is not None and not before.response_complete:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))  # taken out again by _start_asgi_task
            return
        cycle.started = True
        length = incoming.headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            self._answer_early(cycle, self.door.too_large(incoming, limit))
        elif self.expect_100_continue:
            self.transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Collect a capture's body, up to its limit."""
        cycle: Any = self.cycle
        if not isinstance(cycle, CaptureCycle):
            super().on_body(body)
            return
        if cycle.answered_early:
            return
        if not cycle.body:
            cycle.body = body
        else:
            if isinstance(cycle.body, bytes):
                cycle.body = bytearray(cycle.body)
            cycle.body += body
        if len(cycle.body) > cycle.limit:
            cycle.body = b""
            self._answer_early(cycle, self.door.too_large(cycle.incoming, cycle.limit))

    def on_message_complete(self) -> None:
        """Hand a whole capture to the door."""
        cycle: Any = self.cycle
        if not isinstance(cycle, CaptureCycle):
            super().on_message_complete()
            return
        cycle.ready = True
        if cycle.started and not cycle.answered_early:
            self._enter(cycle)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Start a request that had to wait for the one before it on this connection."""
        if not isinstance(cycle, CaptureCycle):
            super()._start_asgi_task(cycle, app)
            return
        cycle.started = True
        if cycle.ready:
            self._enter(cycle)

    def _enter(self, cycle: CaptureCycle) -> None:
        body, cycle.body = bytes(cycle.body), b""
        answer = self.door.enter(cycle.incoming, body, lambda answer: self._answer(cycle, answer))
        if answer is not None:
            self._answer(cycle, answer)

    def _answer_early(self, cycle: CaptureCycle, answer: Answer) -> None:
        """Answer before the body has come, and end the connection: the rest of it is not wanted."""
        cycle.answered_early = True
        cycle.keep_alive = False
        self._answer(cycle, answer)

    def _answer(self, cycle: CaptureCycle, answer: Answer) -> None:
        if cycle.response_complete or self.transport.is_closing():
            cycle.response_complete = True
            return
        cycle.response_complete = True
        status, headers, body = answer
        head = [_PHRASES[status]]
        head.extend(b"%b: %b\r\n" % pair for pair in headers)
        if status != HTTPStatus.NO_CONTENT:
            head.append(b"content-length: %d\r\n" % len(body))
        head.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        head.append(body)
        self.transport.write(b"".join(head))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def protocol_with(door: CaptureDoor) -> type[asyncio.Protocol]:
    """Make the protocol class that uvicorn takes as `http=`, with `door` built in."""
    return type("CaptureProtocolWithDoor", (CaptureProtocol,), {"door": door})

"""
Requests and answers, and how a connection is dropped.

ASGI has no message for "say nothing and hang up": an application that returns without an answer
gets a 500 sent in its name. The sandbox therefore needs the transport itself. It asks, in turn:

1. `scope["extensions"]["smspipe.drop"]`, a callable that resets the connection. `keep_drop` puts
   it there; wrap the outermost application with it when middleware comes between the server and
   the sandbox and replaces `send`.
2. uvicorn, both of whose HTTP protocols (httptools and h11) pass the bound method `send` of the
   object that serves one request and holds its `transport`.

After the transport is aborted, uvicorn marks the request as disconnected, and then an
application may return without an answer. `SO_LINGER` of zero makes the abort a reset (RST)
instead of an orderly end, which is what clients meet when a balancer or a process dies.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Drop = Callable[[], None]

DROP_EXTENSION: Final = "smspipe.drop"
_LARGEST_BODY: Final = 1_000_000
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, read to its end."""

    method: str
    path: str
    query: dict[str, str]
    """The first value of each parameter."""
    headers: dict[str, str]
    body: bytes

    def form(self) -> dict[str, list[str]]:
        """Read a form post; a body of another type has no fields, as at Twilio."""
        if not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return {}
        form: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True):
            form.setdefault(name, []).append(value)
        return form


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `body` as it goes out."""

    status: int
    body: bytes = b""
    content_type: str = "application/json;charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def json_answer(status: int, document: object) -> Answer:
    """Make an answer of anything msgspec can write."""
    return Answer(status=status, body=msgspec.json.encode(document))


async def read_request(scope: Scope, receive: Receive, prefix: str) -> Request | None:
    """Read a request, its path without the prefix; None when the client left or sent more than 1 MB."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            break
    query: dict[str, str] = {}
    for name, value in parse_qsl(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True):
        query.setdefault(name, value)
    return Request(
        method=scope["method"],
        path=_strip(scope, prefix),
        query=query,
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=bytes(body),
    )


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer whole."""
    headers = [("content-type", answer.content_type)] if answer.body else []
    headers += [("content-length", str(len(answer.body)))] if answer.status != 204 else []
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (*headers, *answer.headers)]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


def keep_drop(application: Application) -> Application:
    """Wrap the outermost application, so that the sandbox deep inside it can still reset connections."""

    async def keeping(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (drop := find_drop(scope, send)):
            scope["extensions"] = {**(scope.get("extensions") or {}), DROP_EXTENSION: drop}
        await application(scope, receive, send)

    return keeping


def find_drop(scope: Scope, send: Send) -> Drop | None:
    """Find the way to reset this request's connection; None when the server offers none."""
    extension = (scope.get("extensions") or {}).get(DROP_EXTENSION)
    if callable(extension):
        return extension  # type: ignore[no-any-return]  # what it does is the promise of the extension's name
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if not callable(getattr(transport, "abort", None)):
        return None

    def drop() -> None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):  # not a TCP socket: it is closed without a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()

    return drop


async def wait_for_disconnect(receive: Receive, seconds: float) -> None:
    """Wait until the client is gone, `seconds` at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


def _strip(scope: Scope, prefix: str) -> str:
    """
    Take off where the application is mounted, and a slash at the end.

    Frameworks differ in whether `path` still has the mount's prefix, and Litestar ends the path of
    a mounted application with a slash that nobody sent.
    """
    path: str = scope["path"]
    for mounted in (scope.get("root_path", ""), prefix):
        if mounted and path.startswith(mounted.rstrip("/") + "/"):
            path = path[len(mounted.rstrip("/")) :]
    return path.rstrip("/") or "/"

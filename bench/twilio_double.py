"""
A counting stand-in for the part of Twilio's API that sending needs, with settable latency and faults.

It creates a message for each POST to `…/Messages.json`, and remembers every one with its time. It runs in a process of
its own, and is asked on the same port:

    GET  /double/count     how many messages it created
    GET  /double/received  every POST, as MessagePack of `Received`
    POST /double/setup     {"latency_ms": 80, "faults": {"429": 0.05, "reset": 0.05}}; forgets what it has received

A fault takes the place of the answer to that share of the POSTs. A number is the status of a refusal, which creates
nothing; `reset` drops the connection before the message is created, `reset-created` after it: the two look alike to the
one who asked.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Final, cast

import httptools
import msgspec
import uvloop

from bench.check import Received
from bench.processes import serve

RESET: Final = "reset"
RESET_CREATED: Final = "reset-created"
_CREATED: Final = "201"
_REASONS: Final = {200: "OK", 201: "Created", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error",
                   503: "Service Unavailable"}  # fmt: skip
_DATE: Final = "%a, %d %b %Y %H:%M:%S +0000"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How the double behaves."""

    latency_ms: float = 0
    """Time from a POST to its answer."""
    faults: Mapping[str, float] = {}
    """Fault → share of the POSTs."""


def check_faults(faults: Mapping[str, float]) -> None:
    """
    Look whether the double can do this.

    Raises:
        ValueError: it knows no such fault, or they are more than all requests together.
    """
    for fault in faults:
        if fault not in (RESET, RESET_CREATED) and not (
            fault.isascii() and fault.isdecimal() and "400" <= fault < "600"
        ):
            raise ValueError(f"there is no fault {fault!r}: use a status from 400 to 599, {RESET} or {RESET_CREATED}")
    if any(share < 0 for share in faults.values()) or sum(faults.values()) > 1:
        raise ValueError("the shares of the faults must be positive, and 1 in all at most")


class Double:
    """What the double remembers, and what it answers."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self.setup = Setup()
        self.received: list[Received] = []
        self.created = 0
        """Messages since the process began; a SID is made of it."""
        self.forgotten = 0
        """Those created before the last setup."""

    def arrange(self, setup: Setup) -> None:
        """Behave anew, and forget what was received."""
        self.setup = setup
        self.received = []
        self.forgotten = self.created

    def create(self, form: bytes) -> tuple[str, bytes]:
        """Take a POST; give what happens to it (`201` or the fault), and the answer."""
        chosen = self._choose()
        creates = chosen in (_CREATED, RESET_CREATED)
        self.created += creates
        self.received.append(Received(time.monotonic_ns(), self.created if creates else 0, form))
        if chosen == _CREATED:
            return chosen, answer(201, _MESSAGE % self.created)
        if chosen.isdecimal():
            status = int(chosen)
            problem = {
                "code": 20000 + status,
                "message": _REASONS.get(status, "Fault"),
                "more_info": "",
                "status": status,
            }
            return chosen, answer(status, json.dumps(problem).encode())
        return chosen, b""

    def _choose(self) -> str:
        if self.setup.faults:
            left = self._chance.random()
            for fault, share in self.setup.faults.items():
                left -= share
                if left < 0:
                    return fault
        return _CREATED


def answer(status: int, body: bytes, kind: bytes = b"application/json") -> bytes:
    """Write an HTTP answer."""
    reason = _REASONS.get(status, "Fault").encode()
    head = b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (status, reason, kind, len(body))
    return head + body


_MESSAGE: Final = (
    json.dumps(
        {
            "account_sid": "AC" + "b" * 32,
            "api_version": "2010-04-01",
            "body": "",
            "date_created": time.strftime(_DATE, time.gmtime()),
            "date_sent": None,
            "date_updated": time.strftime(_DATE, time.gmtime()),
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": None,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": "USD",
            "sid": "SM@",
            "status": "queued",
            "subresource_uris": {"media": "/2010-04-01/Accounts/AC/Messages/SM/Media.json"},
            "to": None,
            "uri": "/2010-04-01/Accounts/AC/Messages/SM.json",
        }
    )
    .replace("@", "%032x")
    .encode()
)
"""A message as Twilio describes it, about as long; its SID is a conversion."""


class Door(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, double: Double) -> None:
        self._double = double
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Note a piece of the address."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer a whole request."""
        url, self._url = self._url, b""
        body, self._body = b"".join(self._body), []
        address = url.decode("ascii")
        posted = self._parser.get_method() == b"POST"
        if posted and address.endswith("/Messages.json"):
            happens, written = self._double.create(body)
            if self._double.setup.latency_ms:
                self._loop.call_later(self._double.setup.latency_ms / 1000, self._end, happens, written)
            else:
                self._end(happens, written)
        elif address == "/double/count":
            self.transport.write(answer(200, b"%d" % (self._double.created - self._double.forgotten)))
        elif address == "/double/received":
            self.transport.write(answer(200, msgspec.msgpack.encode(self._double.received), b"application/msgpack"))
        elif address == "/double/setup" and posted:
            self._double.arrange(msgspec.json.decode(body, type=Setup))
            self.transport.write(answer(200, b"{}"))
        else:
            self.transport.write(answer(404, b"{}"))

    def _end(self, happens: str, written: bytes) -> None:
        if happens in (RESET, RESET_CREATED):
            self.transport.abort()
        else:
            self.transport.write(written)


async def run() -> None:
    """Run the double until standard input ends."""
    double = Double()
    await serve(lambda: Door(double))


if __name__ == "__main__":
    uvloop.run(run())

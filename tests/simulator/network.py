"""
The network between the process and Twilio: connections that break at every point where one can.

The real client speaks HTTP over these; each request is taken apart here, and its fate is thrown: whether it arrives,
when, what Twilio says, and whether any of that comes back. What has left goes its way, whatever becomes of the process.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.simulator.world import Loop, World


class Weather(NamedTuple):
    """How likely each trouble is, from 0 to 1."""

    refused: float = 0.0
    nameless: float = 0.0
    connect_hangs: float = 0.0
    closes_at_once: float = 0.0
    lost_before: float = 0.0
    """The connection is reset before the request arrives: Twilio never sees it."""
    lost_after: float = 0.0
    """It is reset after Twilio has dealt with it."""
    cut: float = 0.0
    """The answer is cut short."""
    silent: float = 0.0
    """Twilio deals with it, and no answer comes."""
    swallowed: float = 0.0
    """It never arrives, and no answer comes."""
    slow: float = 0.0
    """It takes seconds to arrive."""
    too_late: float = 0.0
    """The answer takes longer than anybody waits."""
    closes_idle: float = 0.0
    """The other end closes a connection that waits for its next request."""


FINE = Weather()


class Request(NamedTuple):
    """One HTTP request as it arrives."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Network:
    """All connections of one story."""

    def __init__(
        self,
        world: World,
        serve: Callable[[Request], tuple[int, dict[str, str], bytes]],
        leaves: Callable[[Request], None],
    ) -> None:
        """
        Lay it.

        Args:
            world: whose chance it is.
            serve: Twilio.
            leaves: told of each request at the moment that the process hands it over.
        """
        self.world = world
        self.weather = FINE
        self.doubles = False
        """Every request arrives twice, as if the client repeated it by itself: to see that the laws notice."""
        self.serve = serve
        self.leaves = leaves

    async def connect(self, loop: Loop, factory: Callable[[], Any]) -> Any:
        """Open a connection, or fail in one of the ways that connections fail."""
        world, weather = self.world, self.weather
        await asyncio.sleep(world.chance.uniform(0.001, 0.05))
        if world.is_chance(weather.refused):
            raise ConnectionRefusedError(111, "Connection refused")
        if world.is_chance(weather.nameless):
            raise socket.gaierror(-2, "Name or service not known")
        if world.is_chance(weather.connect_hangs):
            await asyncio.sleep(3600)
        protocol = factory()
        wire = Wire(self, loop, protocol)
        protocol.connection_made(wire)
        if world.is_chance(weather.closes_at_once):
            wire.abort()
        return wire, protocol


class Wire(asyncio.Transport):
    """The process's end of one connection."""

    def __init__(self, network: Network, loop: Loop, protocol: Any) -> None:
        super().__init__()
        self._network = network
        self._loop = loop
        self._protocol = protocol
        self._closed = False

    def is_closing(self) -> bool:
        """Has either end closed it?"""
        return self._closed

    def abort(self) -> None:
        """Close at once; the protocol is told in the loop's next turn."""
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """There is no socket under it."""
        return default

    def write(self, data: bytes) -> None:  # type: ignore[override]  # bytes are what the client writes
        """Send a request on its way: the client hands each over in one piece."""
        if self._closed or self._loop.dead:
            return
        network, world = self._network, self._network.world
        weather, chance = network.weather, world.chance
        request = _parse(data)
        network.leaves(request)
        there = chance.uniform(0.002, 0.1) if not world.is_chance(weather.slow) else chance.uniform(1, 20)
        if world.is_chance(weather.lost_before):
            world.note("network loses the request")
            world.at(there, self._reset)
        elif world.is_chance(weather.swallowed):
            world.note("network swallows the request")
        else:
            world.at(there, lambda: self._arrive(request))
            if network.doubles:
                world.at(there, lambda: network.serve(request))

    def _arrive(self, request: Request) -> None:
        """Let Twilio answer, and send the answer on its way."""
        network, world = self._network, self._network.world
        weather, chance = network.weather, world.chance
        status, headers, body = network.serve(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        answer = f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        back = chance.uniform(0.002, 0.1)
        if world.is_chance(weather.lost_after):
            world.note("network resets the connection before the answer")
            world.at(back, self._reset)
        elif world.is_chance(weather.silent):
            world.note("network swallows the answer")
        elif world.is_chance(weather.cut):
            world.note("network cuts the answer short")
            piece = answer[: chance.randrange(1, len(answer))]
            world.at(back, lambda: self._receive(piece))
            world.at(back + chance.uniform(0.001, 1.0), self._reset)
        else:
            if world.is_chance(weather.too_late):
                back = chance.uniform(5, 60)
            if world.is_chance(0.2):  # in two pieces, as the network likes to
                middle = chance.randrange(1, len(answer))
                first, second = answer[:middle], answer[middle:]
                world.at(back, lambda: self._receive(first))
                world.at(back + 0.001, lambda: self._receive(second))
                back += 0.001
            else:
                world.at(back, lambda: self._receive(answer))
            if world.is_chance(weather.closes_idle):
                world.at(back + chance.choice((0.0, 0.005, 1.0, 4.0)), self._reset)

    def _receive(self, data: bytes) -> None:
        if not self._closed and not self._loop.dead:
            self._loop.call_soon(self._take, data)

    def _take(self, data: bytes) -> None:
        if not self._closed:
            self._protocol.data_received(data)

    def _reset(self) -> None:
        self.abort()


def _parse(data: bytes) -> Request:
    """Take a request apart."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert int(headers["content-length"]) == len(body), "a request was not written in one piece"
    return Request(method, path, headers, body)

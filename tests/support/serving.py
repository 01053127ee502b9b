"""Real servers for tests: an ASGI application behind uvicorn, on a free port, in the test's own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    """uvicorn, told to stop instead of looking ten times a second whether it should."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.stopping.wait()


@asynccontextmanager
async def serve(application: Any, **options: Any) -> AsyncIterator[str]:
    """
    Serve an ASGI application until the block ends.

    Args:
        application: any ASGI 3 application; it hears of no lifespan unless `lifespan="on"` is given.
        options: for `uvicorn.Config`.

    Yields:
        The server's base URL, without a slash at the end.
    """
    # Without the protocol's number asyncio leaves Nagle's algorithm on: 40 ms more for every answer of two writes.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, **{"lifespan": "off", "log_level": "warning", "ws": "none", **options})
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            assert not serving.done(), "the server ended before it had started"
            await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.stopping.set()
            await serving

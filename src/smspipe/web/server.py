"""The HTTP server: uvicorn with our capture protocol, started and ended by us."""

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from smspipe.model.errors import Invalid
from smspipe.web.capture import CaptureDoor
from smspipe.web.protocol import PATIENCE_SECONDS, protocol_with

_MOST_OPEN_FILES: Final = 65_536


class Server(uvicorn.Server):
    """uvicorn's server, which says when it takes requests."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take requests, and say so."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._listening()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """
        Let SIGTERM and SIGINT end the serving, and nothing else.

        uvicorn raises them again once it has ended, and SIGTERM would then end the process on the spot, before the
        pipeline has written down what is under way. A second signal, while that is being done, does end it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # signals come to the main thread alone
            return
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def bind(host: str, port: int) -> socket.socket:
    """
    Take an address before anything else is built, so that everyone can be told the port.

    Raises:
        Invalid: the address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol must be named, or asyncio leaves Nagle's delay on and small answers wait 40 ms
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Invalid(
            f"Port {port} of {host} cannot be used: {error.strerror}.",
            field="port",
            hint="Stop what uses it, or choose another with --port.",
        ) from error
    return bound


def make_server(
    app: Any, door: CaptureDoor, *, listening: Callable[[], None], patience_seconds: float = PATIENCE_SECONDS
) -> Server:
    """
    Prepare a server; `await server.serve(sockets=[bind(…)])` runs it until SIGTERM or SIGINT.

    Args:
        app: the ASGI application for everything that is not capture.
        door: the capture door.
        listening: told once requests are taken.
        patience_seconds: how long a request may take to come in whole.
    """
    config = uvicorn.Config(
        app,
        http=protocol_with(door, patience_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
        backlog=2048,
    )
    return Server(config, listening)


def run(main: Callable[[], Any]) -> Any:
    """
    Run an async function on uvloop.

    Python's garbage collector looks for cycles after every 700 new objects, and a batch of events is thousands, none of
    them in a cycle; they go when their last reference does. So it looks less often, and never at what the modules made.
    """
    import gc

    import uvloop

    _allow_many_connections()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def _allow_many_connections() -> None:
    """
    Raise the limit of open files as far as this process may: each connection is one.

    Systems set it to 1024 for the sake of programs that use select(), and allow far more to those that ask.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

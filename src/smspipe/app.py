"""Build every object once, from the settings. The only file that knows all rooms."""

import asyncio
import fcntl
import logging
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import structlog

from smspipe import telemetry
from smspipe.config import Config
from smspipe.db import Writer, open_database
from smspipe.destinations import Keyring
from smspipe.model import clock
from smspipe.model.errors import Invalid
from smspipe.pipeline.pipe import Limits, Pipe
from smspipe.pipeline.prepare import Site
from smspipe.sending import Client
from smspipe.web.capture import CaptureDoor
from smspipe.web.server import bind, make_server

Ready = Callable[["Running"], None]
_SANDBOX = "/sandbox"


class Running:
    """What a started service tells the one who started it."""

    def __init__(self, config: Config, host: str, port: int, sandbox: Any) -> None:
        self.config = config
        self.port = port
        self.address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 (compared, not bound)
        self.sandbox = sandbox


async def serve(
    config: Config,
    *,
    host: str,
    port: int,
    sandbox: bool,
    ready: Ready,
    now: Callable[[], datetime] = clock.now,
) -> None:
    """
    Run the whole service until SIGTERM or SIGINT; then take no more, let what is under way end, and write it down.

    Args:
        config: the settings.
        host: address to bind.
        port: 0 for any free one.
        sandbox: serve a Twilio for development under `/sandbox`, and send to that.
        ready: told once requests are taken.
        now: the clock.

    Raises:
        Invalid: another process serves this data folder, the address is taken, or the database cannot be used.
    """
    _configure_logs(config)
    telemetry.crash_at(config.crash_at)
    lock = _lock(config.data)
    bound = bind(host, port)
    database = open_database(config.database_url)
    database.create()
    writer = Writer(database, asyncio.get_running_loop().call_soon_threadsafe)
    writer.start()
    twin = _make_sandbox() if sandbox else None
    running = Running(config, host, bound.getsockname()[1], twin)
    client = Client(
        f"{running.address}{_SANDBOX}" if sandbox else config.twilio_api_url, concurrency=config.twilio_connections
    )
    site = Site(
        project={"id": 1, "name": "smspipe", "url": f"{config.public_url or running.address}/project/1"},
        default_country=config.default_country,
    )
    pipe = Pipe(
        database=database,
        writer=writer,
        client=client,
        keyring=Keyring(config.secret_key.reveal()),
        site=site,
        clock=now,
        limits=Limits(slots=2 * config.twilio_connections),
    )
    door = CaptureDoor(offer=pipe.offer, clock=now, token=config.project_token, hook_keys=[config.api_key])
    try:
        await pipe.start()
        server = make_server(_mount(twin), door, listening=lambda: ready(running))
        await server.serve(sockets=[bound])
    finally:
        await pipe.stop()
        writer.stop()
        database.close()
        if twin is not None:
            await twin.close()
        bound.close()
        lock.close()


def _make_sandbox() -> Any:
    from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox

    return Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, prefix=_SANDBOX)


def _mount(twin: Any) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """Put the sandbox beside the service's own routes."""

    async def route(scope: Any, receive: Any, send: Any) -> None:
        if twin is not None and scope["path"].startswith(_SANDBOX + "/"):
            await twin(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return route


def _configure_logs(config: Config) -> None:
    """Write one line for each thing that happened to standard error: for a person on a terminal, as JSON elsewhere."""
    level = logging.getLevelNamesMapping()[config.log_level.upper()]
    telemetry.hide(config.api_key.reveal())
    telemetry.hide(config.secret_key.reveal())
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            telemetry.redact_line,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


def _lock(folder: Path) -> IO[str]:
    """
    Make sure that no other process serves this folder: two would send twice what one was about to.

    The lock ends with the process, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = (folder / "lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise Invalid(
            f"Another smspipe serves {folder}.",
            field="data",
            hint="Stop it first, or give this one another --data folder.",
        ) from None
    return handle

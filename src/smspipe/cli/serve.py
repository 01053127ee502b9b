"""
`smspipe serve`: the whole service in one process.

The service should be small and start at once, and the command line's parser costs ten megabytes and a few tenths of a
second. So the plain ways to write the command are read here by hand (`read`); everything else, help and mistakes above
all, is the parser's, which comes to the same `Options`.
"""

import signal
import sys
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from smspipe.model.errors import Invalid

if TYPE_CHECKING:
    from smspipe.app import Running
    from smspipe.config import Config

HOST = "127.0.0.1"
PORT = 8000


@dataclass(kw_only=True)
class Options:
    """What the command was given; `data` None for the folder of the settings."""

    host: str = HOST
    port: int = PORT
    data: str | None = None
    sandbox: bool = False


def read(words: list[str]) -> Options | None:
    """Read the command's words if they are plain: known options with their values. None for anything else."""
    options = Options()
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if word == "--sandbox":
            options.sandbox = True
            continue
        if name not in ("--host", "--port", "--data"):
            return None
        value = value if equals else next(left, "")
        if not value or value.startswith("-"):
            return None
        if name == "--port":
            if not (value.isascii() and value.isdecimal() and int(value) <= 65_535):
                return None
            options.port = int(value)
        else:
            setattr(options, name[2:], value)
    return options


def run(options: Options) -> int:
    """
    Serve until SIGTERM or SIGINT; give the exit status.

    Raises:
        Invalid: the settings make no sense, or the folder or the port is taken.
    """
    started = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # Once it serves, the server has its own handlers and ends in good order. Before that there is nothing to be
        # ended in good order.
        if not started:
            raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if not sys.stderr.isatty() and "rich" not in sys.modules:
        # structlog loads rich for colours whenever it is installed: a tenth of a second and four megabytes for nothing
        # in a service whose log is no terminal.
        sys.modules["rich"] = None  # type: ignore[assignment]  # how Python spells "cannot be imported"
    from smspipe import app, config
    from smspipe.web import server

    settings = config.load(config.find(given={"data": options.data}))

    def ready(running: "Running") -> None:
        nonlocal started
        started = True
        print(_welcome(running, settings, sandbox=options.sandbox), flush=True)

    def main() -> Any:
        return app.serve(settings, host=options.host, port=options.port, sandbox=options.sandbox, ready=ready)

    try:
        server.run(main)
    except OSError as error:
        raise Invalid(f"The service cannot start: {error}.", field="data") from error
    return 0


def _welcome(running: "Running", settings: "Config", *, sandbox: bool) -> str:
    """Say where the service is, and how to send it the first event."""
    token = settings.project_token
    body = f'{{"api_key": "{token}", "event": "hello", "distinct_id": "you"}}'
    lines = [
        f"smspipe runs at {running.address}",
        "",
        f"  Project token   {token}",
    ]
    if settings.first_start:
        lines += [
            f"  API key         {settings.api_key.reveal()}",
            f"                  shown this once; it is kept in {settings.data / 'keys.toml'}",
        ]
    if sandbox:
        from smspipe.app import sandbox_account

        sid, auth_token = sandbox_account()
        lines += [
            f"  Sandbox inbox   {running.address}/sandbox/inbox",
            f"  Sandbox account {sid}, auth token {auth_token}",
        ]
    lines += [
        "",
        "Send the first event:",
        "",
        f"  curl {running.address}/e/ -d '{body}'",
        "",
        "Stop it with Ctrl-C.",
    ]
    return "\n".join(lines)

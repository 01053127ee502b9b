"""The processes of a measurement: each says in its first line what is to be known, and is ended with its context."""

import asyncio
import select
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self, cast

START_SECONDS: Final = 30.0
_END_SECONDS: Final = 15.0
_ROOT: Final = Path(__file__).resolve().parent.parent


async def serve(door: Callable[[], asyncio.Protocol]) -> None:
    """
    Serve on a free port of this machine, print the port, and end when standard input does.

    So that a server outlives nobody: whoever started it holds the other end, even when it is killed.
    """
    server = await asyncio.get_running_loop().create_server(door, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()


class Process:
    """A Python module in a process of its own; a context manager that ends it."""

    def __init__(self, module: str, *words: str, log: Path, environment: Mapping[str, str] | None = None) -> None:
        """
        Start it.

        Args:
            module: as for `python -m`.
            words: its arguments.
            log: file for its standard error.
            environment: all of it; None for our own.
        """
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd=_ROOT,
            )
        self._log = log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def first_line(self, within: float = START_SECONDS) -> str:
        """
        Wait for what it prints first.

        Raises:
            RuntimeError: it ended without a word, or said nothing in time; the message has the end of its log.
        """
        said = cast("IO[bytes]", self._process.stdout)
        ready, _, _ = select.select([said], [], [], within)
        line = said.readline().decode() if ready else ""
        if not line.endswith("\n"):
            words: Sequence[str] = self._log.read_text("utf-8", "replace").splitlines()[-5:]
            raise RuntimeError(f"{self._process.args!r} said nothing: {' | '.join(words)}")
        return line.strip()

"""The service that is measured: the real `smspipe serve`, started as a user starts it, and set up by its API."""

import http.client
import json
import os
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.events import destination, number_of
from bench.processes import START_SECONDS, Process

TOKEN: Final = "phc_bench"
_API_KEY: Final = "phx_bench"
_LEDGER: Final = "/api/projects/1/deliveries/"


class Service:
    """A running service with the destination of the benchmark; a context manager that ends it."""

    def __init__(self, folder: Path, twilio_port: int) -> None:
        """
        Start it.

        Args:
            folder: for its data and its log; it stays there.
            twilio_port: where the double listens.
        """
        own = {
            "SMSPIPE_PROJECT_TOKEN": TOKEN,
            "SMSPIPE_API_KEY": _API_KEY,
            "SMSPIPE_TWILIO_API_URL": f"http://127.0.0.1:{twilio_port}",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("SMSPIPE_")}
        begin = time.monotonic()
        self._process = Process(
            "smspipe", "serve", "--port", "0", "--data", str(folder / "data"),
            log=folder / "service.log", environment=others | own,
        )  # fmt: skip
        try:
            self.port = int(self._process.first_line().rpartition(":")[2])
            self._send_one(begin + START_SECONDS)
            self.start_seconds = time.monotonic() - begin
            """From the start of the process to the first event that was accepted."""
            self._call("POST", "/api/projects/1/hog_functions/", destination())
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def idle(self) -> bool:
        """Is every event decided on, and every text sent or given up?"""
        metrics = self._ask("GET", "/metrics").decode()
        backlog = [line.split()[1] for line in metrics.splitlines() if line.startswith("smspipe_backlog_events ")]
        return [float(each) for each in backlog] == [0.0] and not any(
            self._call("GET", f"{_LEDGER}?status={status}&limit=1")["results"] for status in ("pending", "sending")
        )

    def unconfirmed(self) -> set[int]:
        """Give the numbers of the events whose text may or may not have been sent, as the ledger shows them."""
        path: str | None = f"{_LEDGER}?status=unconfirmed&limit=500"
        found: set[int] = set()
        while path is not None:
            page = self._call("GET", path)
            found |= {number for row in page["results"] if (number := number_of(row["body"] or "")) is not None}
            following = page["next"]
            path = None if following is None else _LEDGER + "?" + following.partition("?")[2]
        return found

    def _send_one(self, until: float) -> None:
        """Send an event that leads to no text until it is accepted."""
        body = json.dumps({"api_key": TOKEN, "event": "started", "distinct_id": "bench"}).encode()
        while True:
            try:
                self._ask("POST", "/i/v0/e/", body)
            except (OSError, RuntimeError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.002)
            else:
                return

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return json.loads(self._ask(method, path, None if body is None else json.dumps(body).encode()))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {_API_KEY}", "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {text[:300]!r}")
        return text

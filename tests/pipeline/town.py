"""
A sandbox in a process of its own and services that send through it, so that a service may die and Twilio's side stays.

What a recipient got is counted where it arrives: at the sandbox, which shares no code with the sender.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.acceptance.service import API_KEY, PATIENCE_SECONDS, TOKEN, Service, eventually

_LISTENS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Twin:
    """`python -m smspipe.sandbox` on a free port."""

    def __init__(self, log: Path) -> None:
        """Start it, and come back once it takes requests."""
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "smspipe.sandbox", "--port", "0"],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )

        def address() -> re.Match[str] | None:
            assert self._process.poll() is None, self._log.read_text()
            return _LISTENS.search(self._log.read_text())

        self.port = int(eventually(address, what="an address of the sandbox").group(1))

    @property
    def url(self) -> str:
        """Its address, as `SMSPIPE_TWILIO_API_URL` takes it."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Use one of its controls; give the answer's JSON."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, text
            return json.loads(text) if text else None

    def break_(self, *rules: Mapping[str, Any]) -> None:
        """Put faults in force, as `POST /faults` takes them."""
        self.ask("POST", "/faults", list(rules))

    def mend(self) -> None:
        """Take all faults away."""
        self.ask("DELETE", "/faults")

    def posts(self) -> dict[str, int]:
        """Count the create requests that arrived, by recipient."""
        posts: dict[str, int] = self.ask("GET", "/requests")["posts"]
        return posts

    def requests(self, to: str | None = None) -> list[dict[str, Any]]:
        """Give the create requests in order of arrival, and what became of each."""
        found: list[dict[str, Any]] = self.ask("GET", "/requests" + ("" if to is None else f"?to={quote(to)}"))[
            "results"
        ]
        return found

    def texts(self, to: str | None = None) -> list[str]:
        """Give the bodies of the texts that were accepted, of one phone or all."""
        return [
            each["body"] for each in self.ask("GET", "/inbox" + ("" if to is None else f"?to={quote(to)}"))["results"]
        ]

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@contextmanager
def twin_in(folder: Path) -> Iterator[Twin]:
    """Run a sandbox for the length of a block."""
    twin = Twin(folder / "sandbox.log")
    try:
        yield twin
    finally:
        twin.stop()


class Sender(Service):
    """`smspipe serve` without a sandbox of its own; it may be told to die at a labelled step."""

    def __init__(self, data: Path, twin: Twin, *, callbacks: bool = False, **settings: str) -> None:
        """
        Prepare a service on the folder `data` that sends through `twin`; `settings` are named in lower case.

        With `callbacks` it has a public address, the same in all its lives, and the sandbox posts to that.
        """
        super().__init__(data, data.with_suffix(".log"))
        self._settings = {"twilio_api_url": twin.url, "project_token": TOKEN, "api_key": API_KEY} | settings
        self._fixed_port = free_port() if callbacks else 0
        if callbacks:
            self._settings["public_url"] = f"http://127.0.0.1:{self._fixed_port}"
            twin.ask("POST", "/config", {"inbound_url": f"http://127.0.0.1:{self._fixed_port}/twilio/inbound"})

    def start(self) -> None:
        """Start it, and come back once it takes requests."""
        assert self.launch(), f"the service ended at once: {self.output()[-2000:]}"

    def launch(self, crash_at: str = "") -> bool:
        """
        Start it, and come back once it takes requests, or is dead already.

        Args:
            crash_at: the step at which it dies, `step:n` for its n-th time.

        Returns:
            Whether it takes requests.
        """
        settings = self._settings | ({"crash_at": crash_at} if crash_at else {})
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SMSPIPE_")}
        environment |= {f"SMSPIPE_{name.upper()}": value for name, value in settings.items()}
        begins = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "smspipe", "serve", "--port", str(self._fixed_port), "--data",
                 str(self.data)],
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip

        def answered() -> str | None:
            if not self.running:
                return "dead"
            found = _LISTENS.search(self.output(begins))
            return None if found is None else found.group(1)

        port = eventually(answered, what="an address of the service, or its end")
        if port == "dead":
            return False
        self._port = int(port)
        return True

    def wait_for_end(self) -> int:
        """Wait until its process has ended by itself; give its status, negative for a signal."""
        assert self._process is not None
        return self._process.wait(PATIENCE_SECONDS)

    def deliveries(self, **same: Any) -> list[dict[str, Any]]:
        """Give the ledger's rows whose columns have these values, oldest first."""
        where = "".join(f' and "{name}" = ?' for name in same)
        return self.rows(f"select * from deliveries where true{where} order by id", *same.values())

    def patch(self, destination: str, body: Mapping[str, Any]) -> Any:
        """Change a destination."""
        return self.call("PATCH", f"/api/projects/1/hog_functions/{destination}/", dict(body))

    def explain(self, uuid: str) -> list[dict[str, Any]]:
        """Give what the API says on an event, destination by destination."""
        verdicts: list[dict[str, Any]] = self.call("GET", f"/api/projects/1/events/{uuid}/explain/")["destinations"]
        return verdicts

    def statuses(self) -> dict[str, int]:
        """Count the deliveries in the ledger by status."""
        return {row["status"]: row["n"] for row in self.rows("select status, count(*) as n from deliveries group by 1")}

    def counted(self, metric: str) -> int:
        """Read a counter without labels from `/metrics`."""
        (line,) = [line for line in self.ask("GET", "/metrics").text.splitlines() if line.startswith(f"{metric} ")]
        return int(float(line.split()[1]))

    def wait_until_settled(self, events: int, *, within: float = PATIENCE_SECONDS) -> float:
        """Wait until so many deliveries stand in the ledger and none is in doubt or waits; give the seconds it took."""
        began = time.monotonic()

        def settled() -> bool:
            statuses = self.statuses()
            open_ = sum(statuses.get(each, 0) for each in ("pending", "sending", "unconfirmed"))
            return sum(statuses.values()) == events and open_ == 0

        eventually(settled, what="an end of every doubt", within=within)
        return time.monotonic() - began

    def outcomes(self, destination: str) -> dict[tuple[str, str], int]:
        """Read from `/metrics` how often each (outcome, reason) was counted for a destination since the start."""
        line = re.compile(
            r'^smspipe_outcomes_total\{destination="'
            + re.escape(destination)
            + r'",outcome="(\w*)",reason="(\w*)"\} (\S+)$'
        )
        found = filter(None, map(line.match, self.ask("GET", "/metrics").text.splitlines()))
        return {(each[1], each[2]): int(float(each[3])) for each in found}


def free_port() -> int:
    """Find a port that nobody listens on now."""
    with closing(socket.socket()) as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


@contextmanager
def sender_in(folder: Path, twin: Twin, *, callbacks: bool = False, **settings: str) -> Iterator[Sender]:
    """Prepare a service, not yet started, for the length of a block: whatever happens, it does not outlive it."""
    service = Sender(folder / "data", twin, callbacks=callbacks, **settings)
    try:
        yield service
    finally:
        if service.running:
            service.kill()


@contextmanager
def lent(service: Sender, twin: Twin) -> Iterator[Sender]:
    """Lend a running service to one test: afterwards its destinations are deleted and the sandbox is as new."""
    yield service
    twin.mend()
    for each in service.call("GET", "/api/projects/1/hog_functions/")["results"]:
        service.patch(each["id"], {"deleted": True})
    service.wait_until_idle()
    twin.ask("POST", "/reset")


def number(nth: int) -> str:
    """Give the nth of many phone numbers that no plan of numbers refuses."""
    assert 0 <= nth < 10_000_000
    return f"+1415{2_000_000 + nth}"


def post_batches(service: Service, batches: Sequence[bytes], *, connections: int) -> list[int | None]:
    """
    Post bodies to `/batch/` over several connections at once.

    Returns:
        For each body the status of its answer, or None where none came: then the service may or may not have it.
    """
    answers: list[int | None] = [None] * len(batches)

    def work(first: int) -> None:
        with closing(http.client.HTTPConnection(*service.host, timeout=PATIENCE_SECONDS)) as connection:
            for place in range(first, len(batches), connections):
                try:
                    connection.request("POST", "/batch/", batches[place])
                    answer = connection.getresponse()
                    answer.read()
                    answers[place] = answer.status
                except (OSError, http.client.HTTPException):
                    return

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, range(min(connections, len(batches)))))
    return answers


def batch(*events: Mapping[str, Any]) -> bytes:
    """Write a body for `/batch/`."""
    return json.dumps({"api_key": TOKEN, "batch": events}).encode()

"""The real service in a process of its own, started as a user starts it, and what a test asks of it."""

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN

TOKEN: Final = "phc_acceptance"
API_KEY: Final = "phx_acceptance"
SENDER: Final = "+15005550006"
PATIENCE_SECONDS: Final = 30.0
"""How long anything may take before a test says that it does not happen."""

_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")
_FAULT: Final = re.compile(r'^(Traceback|Exception|Task |Future |ERROR|CRITICAL)|"level": ?"(error|critical)"|Warning:')
_LOOKS_PER_SECOND: Final = 100

_ASK_WITHIN: Final = """
import json, sqlite3, sys
address, query, values = json.loads(sys.argv[1])
database = sqlite3.connect(address, uri=True)
database.row_factory = sqlite3.Row
print(json.dumps([dict(row) for row in database.execute(query, values)]))
"""
"""What `rows` does, for a process that sees the folder: SQLite follows no path through `/proc`."""

T = TypeVar("T")


def eventually(ask: Callable[[], T | None], *, what: str, within: float = PATIENCE_SECONDS) -> T:
    """
    Ask until the answer is true, and give it.

    Raises:
        AssertionError: it was not within `within` seconds; `what` says what did not happen.
    """
    deadline = time.monotonic() + within
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"within {within} s there was not {what}"
        time.sleep(1 / _LOOKS_PER_SECOND)
    return answer


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def told(event: str, name: str = "", plan: str = "", order: str = "") -> str:
    """Write the text that the shared service's destination makes of an event: the event, and what was known then."""
    return f"{event}/{name}/{plan}/{order}."


TOLD: Final = "{event.event}/{person.properties.name}/{person.properties.plan}/{event.properties.order}."
"""The template of it."""


def twilio_destination(name: str, *, to: str, body: str, **more: Any) -> dict[str, Any]:
    """Write a destination that texts through the sandbox's account; `more` are further fields, such as `filters`."""
    inputs = {
        "accountSid": DEMO_ACCOUNT_SID,
        "authToken": DEMO_AUTH_TOKEN,
        "fromPhoneNumber": SENDER,
        "phoneNumber": to,
        "smsBody": body,
    }
    return {
        "type": "destination",
        "name": name,
        "enabled": True,
        "template_id": "template-twilio",
        "inputs": {key: {"value": value} for key, value in inputs.items()},
        **more,
    }


class Service:
    """
    `smspipe serve --sandbox` on a free port.

    It may be started again on the same folder after it was stopped or killed; the port is then another one. Everything
    that it writes to its terminal is kept in `log`.
    """

    def __init__(
        self,
        data: Path,
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        """
        Prepare a service.

        Args:
            data: its data folder.
            log: file for its output; outside of `data`, which may be full.
            environment: settings beside the keys.
            within: words before each command that is to see the data folder, such as `nsenter …`.
        """
        self.data = data
        self.log = log
        self._environment = dict(environment or {})
        self._within = within
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._checked = 0
        self._port = 0

    # --- its life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and come back once it takes requests."""
        command = [*self._within, sys.executable, "-m", "smspipe", "serve", "--port", "0", "--sandbox"]
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SMSPIPE_")},
            "SMSPIPE_PROJECT_TOKEN": TOKEN,
            "SMSPIPE_API_KEY": API_KEY,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDEVMODE": "",
            **self._environment,
        }
        begins = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--data", str(self.data)], env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

        def address() -> re.Match[str] | None:
            assert self.running, f"the service ended at once: {self.output()[-2000:]}"
            return _ADDRESS.search(self.output(begins))

        self._port = int(eventually(address, what="an address of the service").group(1))

    def stop(self) -> int:
        """End it the friendly way; give its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it the hard way."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(PATIENCE_SECONDS)

    @property
    def running(self) -> bool:
        """Does its process live?"""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    # --- what it says -----------------------------------------------------------------------------------------------

    def output(self, since: int = 0) -> str:
        """Everything it wrote, from byte `since` on."""
        with self.log.open("rb") as log:
            log.seek(since)
            return log.read().decode("utf-8", "replace")

    def take_faults(self) -> list[str]:
        """Give the lines of its log since the last call that tell of an error, a traceback or a warning of Python's."""
        said = self.output(self._checked)
        self._checked += len(said.encode())
        return [line for line in said.splitlines() if _FAULT.search(line)]

    # --- asking it --------------------------------------------------------------------------------------------------

    @property
    def host(self) -> tuple[str, int]:
        """Its address and port."""
        return "127.0.0.1", self._port

    @property
    def address(self) -> str:
        """Its base URL, as an SDK takes it."""
        return f"http://127.0.0.1:{self._port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Make one request on a connection of its own."""
        with closing(http.client.HTTPConnection(*self.host, timeout=PATIENCE_SECONDS)) as connection:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Use the API with its key; give the answer's JSON."""
        text = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
        answer = self.ask(method, path, text, headers)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.text}"
        return answer.json if answer.body else None

    def capture(self, *events: dict[str, Any]) -> Answer:
        """Send events as one batch."""
        return self.ask("POST", "/batch/", json.dumps({"api_key": TOKEN, "batch": events}).encode())

    def create(self, destination: dict[str, Any]) -> str:
        """Create a destination; give its id."""
        created: dict[str, Any] = self.call("POST", "/api/projects/1/hog_functions/", destination)
        return str(created["id"])

    # --- what became of it ------------------------------------------------------------------------------------------

    def inbox(self, to: str | None = None) -> list[dict[str, Any]]:
        """All texts on the sandbox's phones, or on one, oldest first."""
        answer = self.ask("GET", "/sandbox/inbox" + ("" if to is None else f"?to={quote(to)}"))
        results: list[dict[str, Any]] = answer.json["results"]
        return results[::-1]

    def texts(self, to: str) -> list[str]:
        """The bodies of a phone's texts, sorted: which of two events is texted first is not promised."""
        return sorted(text["body"] for text in self.inbox(to))

    def assert_texts(self, to: str, *bodies: str) -> None:
        """Wait until there is nothing left to do; then a phone must have these texts, in whatever order."""
        self.wait_until_idle()
        assert self.texts(to) == sorted(bodies)

    def wait_until_idle(self) -> None:
        """Wait until every acknowledged event was decided on and nothing is due or being sent."""
        eventually(self._idle, what="an end of what there is to do")

    def _idle(self) -> bool:
        (row,) = self.rows(
            "select (select coalesce(max(position), 0) from requests)"
            " - coalesce((select position from cursors where name = 'fanout'), 0) as behind,"
            " (select count(*) from deliveries where status in ('pending', 'sending')) as under_way"
        )
        return row == {"behind": 0, "under_way": 0}

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask its database, without writing to it."""
        address = f"file:{quote(str(self.data / 'smspipe.db'))}?mode=ro"
        if self._within:
            asked = json.dumps([address, query, values])
            command = [*self._within, sys.executable, "-c", _ASK_WITHIN, asked]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found: list[dict[str, Any]] = json.loads(done.stdout)
            return found
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def person(self, distinct_id: str) -> dict[str, Any] | None:
        """The person behind a distinct_id: `id`, `properties`, `identified` and all `distinct_ids`; None if unknown."""
        found = self.rows(
            "select p.id, p.properties, p.identified from persons p join distinct_ids d on d.person_id = p.id"
            " where d.distinct_id = ?",
            distinct_id,
        )
        if not found:
            return None
        ids = self.rows("select distinct_id from distinct_ids where person_id = ?", found[0]["id"])
        return {
            "id": found[0]["id"],
            "properties": json.loads(found[0]["properties"]),
            "identified": bool(found[0]["identified"]),
            "distinct_ids": sorted(row["distinct_id"] for row in ids),
        }

    def groups(self, kind: str) -> dict[str, dict[str, Any]]:
        """The groups of a kind: key → properties."""
        rows = self.rows(
            "select g.key, g.properties from groups g join group_types t on t.type_index = g.type_index"
            " where t.type = ?",
            kind,
        )
        return {row["key"]: json.loads(row["properties"]) for row in rows}

    # --- what it costs ----------------------------------------------------------------------------------------------

    def memory_bytes(self) -> int:
        """Its resident memory now."""
        return self._status("VmRSS")

    def forget_peak(self) -> None:
        """Measure the peak from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """The most resident memory it had since `forget_peak`."""
        return self._status("VmHWM")

    def _status(self, field: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024
        raise AssertionError(f"/proc says nothing of {field}")

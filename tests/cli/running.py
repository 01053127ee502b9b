"""Commands that ended, services that run, and what they are given."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SID, AUTH_TOKEN = "AC" + "0" * 32, "5a4db0c5" * 4
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("SMSPIPE_") and name != "FORCE_COLOR"}
"""The environment without settings of whoever runs the tests."""


@dataclass
class Ended:
    """A command that ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read."""
        return json.loads(self.out)


def run_process(*words: object, cwd: Path, seconds: float = 90, given: str = "", **more: str) -> Ended:
    """Run a command in a process of its own, with pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "smspipe", *map(str, words)],
        cwd=cwd, env=CLEAN | more, input=given, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


class Service:
    """A running `smspipe serve --sandbox`."""

    def __init__(self, folder: Path, *words: str, **more: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smspipe", "serve", "--port", "0", "--data", str(folder), "--sandbox", *words],
            cwd=folder.parent, env=CLEAN | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("Stop it"):
                break
        else:
            raise AssertionError(self.process.communicate()[1])  # it ended instead
        self.address = self.said[0].split()[-1]
        self.token = next(line.split()[-1] for line in self.said if "Project token" in line)

    def capture(self, event: str, person: str = "u-1", **properties: Any) -> None:
        """Send an event, and return once it is decided on."""
        body = {"api_key": self.token, "event": event, "distinct_id": person, "properties": properties}
        with urllib.request.urlopen(f"{self.address}/e/", json.dumps(body).encode()) as answer:
            assert answer.status == 200
        self.until(lambda: "smspipe_backlog_events 0.0" in self.read("/metrics"))

    def read(self, path: str) -> str:
        """Read an address that needs no key."""
        with urllib.request.urlopen(self.address + path) as answer:
            return str(answer.read().decode())

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API."""
        key = (self.folder / "keys.toml").read_text().split('api_key = "')[1].split('"')[0]
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def fault(self, rules: list[dict[str, Any]]) -> None:
        """Order faults from the sandbox."""
        with urllib.request.urlopen(f"{self.address}/sandbox/faults", json.dumps(rules).encode()) as answer:
            assert answer.status == 200

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.01)

    def stop(self, signal_number: int = 15) -> tuple[int, str]:
        """End it; give its status and what it wrote to standard error."""
        self.process.send_signal(signal_number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


def destination(name: str, event: str, **changes: Any) -> dict[str, Any]:
    """A destination's document."""
    inputs = {
        "accountSid": {"value": SID},
        "authToken": {"value": AUTH_TOKEN},
        "fromPhoneNumber": {"value": "+15005550006"},
        "phoneNumber": {"value": "{event.properties.phone}"},
        "smsBody": {"value": "Hi {event.properties.name}"},
    }
    return {
        "template_id": "template-twilio",
        "name": name,
        "enabled": True,
        "inputs": inputs | changes.pop("inputs", {}),
        "filters": {"events": [{"id": event, "name": event, "type": "events"}]},
        **changes,
    }


def write(path: Path, value: Any) -> Path:
    """Write a JSON file."""
    path.write_text(json.dumps(value), "utf-8")
    return path

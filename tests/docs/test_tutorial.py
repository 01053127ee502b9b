"""The tutorial is true: all of its commands are run against a service, and say what the page says."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, examples_of

PAGE = DOCS / "tutorial.md"
BUILD, SERVE, *COMMANDS = (each for each in examples_of(PAGE) if each.language in ("sh", "text"))
ADDRESS = "http://127.0.0.1:8000"
SETTLED = f"""until curl -sS {ADDRESS}/metrics > metrics && grep -q '^smspipe_backlog_events 0' metrics \
  && grep -q 'outcome="accepted"' metrics; do :; done"""
"""In place of the reader's patience: the event was decided on, and the only text, that of the first one, taken."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout as the reader has it: with the command where the page says."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    command = tmp_path / ".venv" / "bin" / "smspipe"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m smspipe "$@"\n')
    command.chmod(0o755)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """The reader's environment: without settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SMSPIPE_")}


@pytest.fixture
def address(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run the page's second block, on a free port, and give the address that the service has."""
    script = SERVE.text.replace("smspipe serve --sandbox", "exec smspipe serve --sandbox --port 0")
    assert script != SERVE.text
    with (folder / "service.log").open("wb") as log:
        service = subprocess.Popen(["bash", "-e", "-c", script], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        found = folder / "smspipe-data" / "address"
        deadline = time.monotonic() + 60
        while not (found.exists() and b"runs at" in (folder / "service.log").read_bytes()):
            assert service.poll() is None, (folder / "service.log").read_text()
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.02)
        yield found.read_text()
    finally:
        service.send_signal(signal.SIGINT)
        assert service.wait(30) == 0


def test_the_first_block_builds_the_environment() -> None:
    assert BUILD.text == "make demo ARGS=--once\n"


@pytest.mark.slow
def test_every_command_does_what_the_page_says(folder: Path, environment: dict[str, str], address: str) -> None:
    parts: list[str] = []
    expected: list[str] = []
    for each in COMMANDS:
        if each.language == "sh":
            parts.append(f"echo; echo '=== {len(expected)}'\n{each.text}")
            expected.append("")
        else:
            expected[-1] += each.text
    script = "\n".join(parts).replace("sleep 1", SETTLED).replace(ADDRESS, address)
    assert script.count(SETTLED.replace(ADDRESS, address)) >= 4
    run = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
    answers = re.split(r"^=== \d+$", run.stdout, flags=re.MULTILINE)[1:]
    assert len(answers) == len(expected)
    for answer, told in zip(answers, expected, strict=True):
        for line in told.splitlines():
            assert line in answer

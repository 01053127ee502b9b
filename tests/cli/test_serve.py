"""`smspipe serve`: what it says, and how it ends."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import AUTH_TOKEN, CLEAN, SID, Service, run_process

pytestmark = pytest.mark.slow

Start = Callable[..., Service]


def test_the_api_key_is_shown_at_the_first_start_alone(start: Start, tmp_path: Path) -> None:
    first = start()
    assert first.stop()[0] == 0
    second = start()
    assert second.stop()[0] == 0
    key = (tmp_path / "data" / "keys.toml").read_text().split('api_key = "')[1].split('"')[0]
    assert sum(key in line for line in first.said) == 1
    assert not any(key in line for line in second.said)
    assert first.token == second.token


def test_the_first_event_can_be_sent_as_it_says(start: Start, tmp_path: Path) -> None:
    service = start()
    line = next(line for line in service.said if line.strip().startswith("curl "))
    done = subprocess.run(line.strip(), shell=True, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"status": "Ok"}
    service.until(lambda: "smspipe_events_accepted_total 1.0" in service.read("/metrics"))
    assert service.stop()[0] == 0


def test_with_the_sandbox_it_names_the_inbox_and_the_account(start: Start, tmp_path: Path) -> None:
    service = start()
    said = "\n".join(service.said)
    assert f"{service.address}/sandbox/inbox" in said
    assert SID in said
    assert AUTH_TOKEN in said
    assert json.loads(service.read("/sandbox/inbox")) == {"results": []}
    service.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_ends_with_0_when_asked_to_and_takes_its_address_away(
    start: Start, number: signal.Signals, tmp_path: Path
) -> None:
    service = start()
    assert (tmp_path / "data" / "address").read_text() == service.address
    status, err = service.stop(number)
    assert (status, err) == (0, "")
    assert not (tmp_path / "data" / "address").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_asked_while_it_starts_it_ends_as_well(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "smspipe", "serve", "--port", "0", "--data", "data"],
        cwd=tmp_path, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "data" / "keys.toml").exists():
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert process.returncode in (0, 130)


def test_a_second_service_on_the_folder_is_refused_with_what_to_do(start: Start, tmp_path: Path) -> None:
    service = start()
    ended = run_process("serve", "--port", "0", "--data", tmp_path / "data", cwd=tmp_path)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("Error: Another smspipe serves")
    assert "--data" in ended.err
    assert ended.err.count("\n") == 1
    service.stop()


def test_a_taken_port_is_refused_with_what_to_do(start: Start, tmp_path: Path) -> None:
    service = start()
    port = service.address.rpartition(":")[2]
    ended = run_process("serve", "--port", port, "--data", tmp_path / "other", cwd=tmp_path)
    assert ended.status == 1
    assert "choose another with --port" in ended.err
    assert ended.err.count("\n") == 1
    service.stop()


def test_a_setting_that_makes_no_sense_is_refused_with_its_name(tmp_path: Path) -> None:
    ended = run_process("serve", "--port", "0", cwd=tmp_path, SMSPIPE_PUBLIC_URL="nowhere")
    assert ended.status == 1
    assert "SMSPIPE_PUBLIC_URL" in ended.err
    assert ended.err.count("\n") == 1

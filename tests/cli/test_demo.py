"""`smspipe demo`: the story from its beginning to its end, in a folder that was empty."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from smspipe.cli.story import scenes
from tests.cli.running import CLEAN, Ended, run_process

pytestmark = pytest.mark.slow


def test_once_ends_with_0_and_names_each_text_and_each_reason(tmp_path: Path) -> None:
    (tmp_path / "smspipe.toml").write_text("not = toml at all, and not for the demo")
    ended = run_process("demo", "--once", cwd=tmp_path, SMSPIPE_DATABASE_URL="postgresql://somewhere/else")
    assert (ended.status, ended.err) == (0, "")
    assert "\x1b" not in ended.out
    for scene in scenes():
        assert scene.says in ended.out
    texts = re.findall(r"^  text to (\S+): (.*) \((\d) segments?, (\S+) · (.+)\)$", ended.out, re.MULTILINE)
    assert [(to, destination) for to, _, _, _, destination in texts] == [
        ("+12025550143", "Order updates"),
        ("+12025550172", "Welcome"),
        ("+12025550172", "Failed payment"),
        ("+12025550172", "Failed payment"),
        ("+12025550111", "Engineers on call"),
        ("+12025550122", "Engineers on call"),
    ]
    assert texts[0][1].startswith("Hi Ada, your order 1001")
    assert texts[1][2:4] == ("2", "UCS-2")
    assert ended.out.count("Found in Twilio's list of texts, so it was sent, and is not sent again.") == 1
    refused = re.findall(r'^  no text for "(.+?)"(?: \(.+?\))?: (\w+)\. \S.*\.$', ended.out, re.MULTILINE)
    assert refused == [
        ("$set", "no_match"),
        ("order shipped", "duplicate"),
        ("order shipped", "cooldown"),
        ("signed up", "no_match"),
        ("payment failed", "opted_out"),
        ("checkout broken", "cooldown"),
        ("checkout broken", "cooldown"),
        ("order shipped", "recipient_missing"),
        ("order shipped", "recipient_invalid"),
        ("order shipped", "twilio_rejected"),
        ("order shipped", "body_too_long"),
        ("order shipped", "too_old"),
        ("$pageview", "no_match"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["smspipe.toml"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_keeps_running_with_the_address_on_the_last_line_until_asked_to_end(
    number: signal.Signals, tmp_path: Path
) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "smspipe", "demo", "--port", "0", "--data", "kept"],
        cwd=tmp_path, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line.strip())
        if line.startswith("http://"):
            break
    assert lines[-1] == (tmp_path / "kept" / "address").read_text()
    shown = run_process("explain", "--to", "+12025550143", "--json", "--data", "kept", cwd=tmp_path)
    assert len(shown.json) >= 2
    demo.send_signal(number)
    rest, err = demo.communicate(timeout=30)
    assert (demo.returncode, rest, err) == (0, "", "")
    assert not (tmp_path / "kept" / "address").exists()


def test_a_terminal_gets_bubbles_and_colours(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "smspipe", "demo", "--once"],
        cwd=tmp_path, env=CLEAN | {"TERM": "xterm-256color", "COLUMNS": "80"}, stdout=theirs, stderr=theirs,
    ) as demo:  # fmt: skip
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 65536):
                said += piece
        except OSError:
            pass  # the terminal's other end is gone
        os.close(ours)
    assert demo.returncode == 0
    text = said.decode()
    assert "\x1b[" in text
    assert "╭─" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert max(len(line.rstrip()) for line in re.split(r"[\r\n]+", plain)) <= 80


def test_without_posthogs_sdk_it_says_how_to_get_it(
    smspipe: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "posthog", None)
    ended = smspipe("demo", "--once")
    assert ended.status == 1
    assert "pip install 'smspipe[demo]'" in ended.err


def test_a_service_that_does_not_start_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "keys.toml").write_text("no keys")
    ended = run_process("demo", "--once", "--data", "kept", cwd=tmp_path)
    assert ended.status == 1
    assert "The service did not start." in ended.err
    assert "keys.toml" in ended.err


def test_an_event_without_an_outcome_ends_it_with_1_and_says_which(
    smspipe: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if no text ever got behind Twilio's answer: what was decided against still has its reason."""
    monkeypatch.setattr("smspipe.cli.demo._SETTLED", frozenset({"suppressed"}))
    monkeypatch.setattr("smspipe.cli.demo._OUTCOME_SECONDS", 3.0)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ended = smspipe("demo", "--once", "--port", 0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.status == 1
    assert 'no outcome for "order shipped": a text is still accepted.' in ended.out
    assert 'no text for "$set": no_match.' in ended.out

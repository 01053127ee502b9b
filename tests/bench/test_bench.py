"""The whole benchmark, for a moment: it finds nothing wrong with the service, and it would."""

import json
import tempfile
from pathlib import Path

import pytest

from bench.__main__ import main


@pytest.mark.slow
def test_a_short_run_finds_the_service_right_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, file = tmp_path / "temporary", tmp_path / "figures.json"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    words = ["--rounds", "1", "--duration", "0.2", "--scenarios", "batch50-10,faults", "--json", str(file)]
    assert main(words) == 0

    said = capsys.readouterr().out
    assert "CPU × bare" in said
    assert "batch50-10" in said
    assert list(temporary.iterdir()) == []
    figures = json.loads(file.read_text())
    found = {(each["what"], each["scenario"]): each for each in figures["measured"]}
    for scenario in ("batch50-10", "faults"):
        service = found["service", scenario]
        assert service["due"] > 0
        assert (service["lost"], service["doubled"], service["wrong"]) == (0, 0, 0)
        assert service["delivered"] + service["in_doubt"] == service["due"]
        assert service["accepted_events"] + service["refused_events"] == service["sent_events"]
        assert scenario == "faults" or service["in_doubt"] == 0
    # The bare program promises nothing, and the same checker says so.
    assert found["bare", "faults"]["lost"] > 0
    assert {each["what"] for each in figures["parts"]} == {"http", "commit", "sender"}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--scenarios", "single-500"], "single-10"),
        (["--scenarios", "dance"], "single-10"),
        (["--faults", "slow=0.5"], "reset"),
        (["--faults", "429"], "429=0.05"),
        (["--rounds", "0"], "from 1"),
        (["--rate", "-5"], "above 0"),
    ],
)
def test_a_mistake_in_the_words_is_answered_with_what_would_be_right(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert hint in capsys.readouterr().err

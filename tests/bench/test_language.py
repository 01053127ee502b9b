"""The language is measured only where both sides do the same, and the report says when they do not."""

import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.__main__ import main
from bench.bytecode import field, joined, program, text
from bench.language import Evaluated, Task, Vm, disagreements, make_tasks, measure_language
from bench.report import Results, print_report, ratio_to_hogvm

TASKS = make_tasks()


@pytest.fixture(scope="module")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    wrong = msgspec.structs.replace(
        TASKS[-1], name="wrong", code=program(joined(text("Hi "), field("person", "properties", "nick")))
    )
    with Vm(tmp_path_factory.mktemp("vm"), [*TASKS, wrong]) as started:
        yield started


def test_both_give_the_same_answers_and_not_always_the_same_one(vm: Vm) -> None:
    assert disagreements(TASKS, vm) == []
    assert {task.name: len(set(vm.answers(task.name))) > 1 for task in TASKS} == {
        "filter-10": True, "filter-100": False, "template-6": True, "template-12": True,
    }  # fmt: skip


def test_a_tenth_of_the_events_match(vm: Vm) -> None:
    answers = vm.answers("filter-10")
    assert 0.08 < sum(answers) / len(answers) < 0.12
    assert set(vm.answers("filter-100")) == {True}


def test_other_answers_are_a_failure_of_the_run(vm: Vm) -> None:
    wrong: Task = msgspec.structs.replace(TASKS[-1], name="wrong")
    (sentence,) = disagreements([wrong], vm)
    assert sentence == "language, wrong: smspipe and hogvm disagree about 500 of 500 events"
    results = Results(disagreements=[sentence])
    assert results.failures() == [sentence]
    out = io.StringIO()
    print_report(results, Console(file=out, width=160))
    assert f"WRONG  {sentence}" in out.getvalue()


def test_each_side_has_its_turn_at_each_task(vm: Vm) -> None:
    found = measure_language(TASKS, vm, 3, seconds=0.001)
    assert [(each.task, each.what) for each in found] == [
        (task.name, what) for task in TASKS for what in ("smspipe", "hogvm")
    ]
    assert all(each.round == 3 and each.evaluations % 500 == 0 and each.per_cpu_second > 0 for each in found)


def test_the_ratio_is_the_median_of_the_turns_own() -> None:
    speeds = {"smspipe": [20.0, 2.0, 60.0], "hogvm": [10.0, 1.0, 10.0]}
    results = Results(evaluated=[
        Evaluated(task="t", what=what, round=n, evaluations=1, per_cpu_second=speed)
        for what, each in speeds.items() for n, speed in enumerate(each)
    ])  # fmt: skip
    assert ratio_to_hogvm(results, "t") == 2.0
    assert ratio_to_hogvm(results, "other") is None


@pytest.mark.slow
def test_a_short_run_measures_a_thousand_destinations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, file = tmp_path / "temporary", tmp_path / "figures.json"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    words = ["--rounds", "1", "--duration", "0.1", "--scenarios", "destinations", "--json", str(file)]
    assert main(words) == 0
    assert "1,000 destinations" in capsys.readouterr().out
    assert list(temporary.iterdir()) == []
    (counted,) = json.loads(file.read_text())["counted"]
    assert all(counted[name] > 0 for name in counted if name.endswith("_seconds"))

"""The report compares what ran in the same round, and hides no mistake."""

import io
from typing import Any

import pytest
from rich.console import Console

from bench.report import Results, print_report, ratio_to_bare, ratio_to_parts
from bench.rounds import Measured, Part


def measured(what: str = "service", round_: int = 0, **values: Any) -> Measured:
    zero = {
        field: 0
        for field in Measured.__struct_fields__
        if field not in ("what", "scenario", "round", "batch", "closed_loop")
    }
    named = {"what": what, "scenario": "single-10", "round": round_, "batch": 1, "closed_loop": True}
    return Measured(**{**zero, "events_per_cpu_second": 1.0, **named, **values})


def part(what: str, round_: int, per_cpu_second: float) -> Part:
    batch = 0 if what == "sender" else 1
    return Part(what=what, batch=batch, round=round_, per_second=1, per_cpu_second=per_cpu_second)


def printed(results: Results) -> str:
    out = io.StringIO()
    print_report(results, Console(file=out, width=160))
    return out.getvalue()


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    # The machine was ten times slower in the second round. The ratio of the medians would be 3.
    results = Results(
        measured=[
            measured("service", 0, p50_ms=2.0), measured("bare", 0, p50_ms=1.0),
            measured("service", 1, p50_ms=20.0), measured("bare", 1, p50_ms=10.0),
            measured("service", 2, p50_ms=3.0), measured("bare", 2, p50_ms=0.5),
        ]
    )  # fmt: skip
    assert ratio_to_bare(results, "single-10", lambda each: each.p50_ms) == 2.0


def test_a_round_without_its_pair_is_left_out() -> None:
    results = Results(measured=[measured(p50_ms=2.0), measured(round_=1, p50_ms=9.0), measured("bare", 1, p50_ms=3.0)])
    assert ratio_to_bare(results, "single-10", lambda each: each.p50_ms) == 3.0
    assert ratio_to_bare(results, "open", lambda each: each.p50_ms) is None


def test_the_parts_are_added_up_for_the_same_events_and_texts() -> None:
    # Per event: 1 s read, 2 s written, and for every tenth event a text of 5 s.
    parts = [part("http", 0, 1.0), part("commit", 0, 0.5), part("sender", 0, 0.2)]
    run = measured(accepted_events=100, due=10, cpu_seconds=700.0)
    assert ratio_to_parts(Results(measured=[run], parts=parts), "single-10") == pytest.approx(2.0)
    assert ratio_to_parts(Results(measured=[run], parts=parts[:2]), "single-10") is None


def test_a_steady_rate_is_not_compared_with_parts_at_full_load() -> None:
    parts = [part("http", 0, 1.0), part("commit", 0, 0.5), part("sender", 0, 0.2)]
    run = measured(accepted_events=100, due=10, cpu_seconds=700.0, closed_loop=False)
    assert ratio_to_parts(Results(measured=[run], parts=parts), "single-10") is None


@pytest.mark.parametrize("mistake", ["lost", "doubled", "wrong"])
def test_a_mistake_of_the_service_is_told_and_one_of_the_bare_program_is_not(mistake: str) -> None:
    results = Results(measured=[measured("service", 2, **{mistake: 3}), measured("bare", 2, **{mistake: 5})])
    (sentence,) = results.failures()
    assert sentence.startswith("single-10, round 3: ")
    assert f"3 {mistake}" in sentence
    assert "WRONG  single-10, round 3" in printed(results)


def test_counts_are_sums_and_figures_are_medians() -> None:
    results = Results(measured=[measured(round_=n, accepted_events=1_000, pss_mib=value) for n, value in
                                enumerate((50.0, 70.0, 400.0))])  # fmt: skip
    text = printed(results)
    assert "3,000" in text
    assert " 70 " in text
    assert "400" not in text


def test_a_pipe_gets_plain_lines() -> None:
    text = printed(Results(measured=[measured()], parts=[part("sender", 0, 1.0)]))
    assert "\x1b" not in text
    assert "The parts alone" in text
    assert max(map(len, text.splitlines())) <= 160

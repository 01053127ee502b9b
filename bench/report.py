"""
The tables: medians over the rounds, and ratios between what ran in the same round.

On a machine that does other things too, a figure says as much about the machine's day as about the service. What ran
within the same few seconds met the same day, so the ratio of the two is what can be compared with another run's: the
tables give the median of the rounds' ratios, not the ratio of the medians.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bench.destinations import LISTENING, MANY, MOST_SECONDS, MOST_TIMES, Counted
from bench.language import TARGETS, Evaluated
from bench.rounds import Measured, Part

_PIPE_COLUMNS: Final = 160
_COUNTS: Final = ("sent_events", "accepted_events", "refused_events", "unanswered_events", "due", "delivered",
                  "in_doubt", "lost", "doubled", "wrong")  # fmt: skip


class Results(msgspec.Struct, kw_only=True):
    """All that a run showed; also what `--json` writes."""

    measured: list[Measured] = []
    parts: list[Part] = []
    evaluated: list[Evaluated] = []
    counted: list[Counted] = []
    disagreements: list[str] = []
    """Where our answer and PostHog's virtual machine's differ, a sentence each."""

    def of(self, what: str, scenario: str) -> list[Measured]:
        """Give a scenario's runs, by round."""
        found = [each for each in self.measured if (each.what, each.scenario) == (what, scenario)]
        return sorted(found, key=lambda each: each.round)

    def failures(self) -> list[str]:
        """Say in a sentence each what is wrong: a text lost, doubled or wrong, or an answer that PostHog's is not."""
        return self.disagreements + [
            f"{each.scenario}, round {each.round + 1}: {each.lost} lost, {each.doubled} doubled, {each.wrong} wrong"
            for each in self.measured
            if each.what == "service" and (each.lost or each.doubled or each.wrong)
        ]


def ratio_to_bare(results: Results, scenario: str, value: Callable[[Measured], float]) -> float | None:
    """Give the service's value divided by the bare program's, paired within each round; None without a pair."""
    bare = {each.round: value(each) for each in results.of("bare", scenario)}
    pairs = [(value(each), bare[each.round]) for each in results.of("service", scenario) if bare.get(each.round)]
    return statistics.median(mine / other for mine, other in pairs) if pairs else None


def ratio_to_parts(results: Results, scenario: str) -> float | None:
    """
    Give the service's CPU divided by that of the parts alone, for the same events and texts; None without all three.

    The parts are reading and answering, writing the body, and sending a text for each event that must become one. They
    were measured at full load, so only what was is compared: at a steady rate everything comes in groups of one.
    """
    cost = {(each.what, each.batch, each.round): 1 / each.per_cpu_second for each in results.parts}
    found = []
    for each in results.of("service", scenario):
        keys = [("http", each.batch, each.round), ("commit", each.batch, each.round), ("sender", 0, each.round)]
        if each.closed_loop and each.accepted_events and all(key in cost for key in keys):
            texts = each.due / each.accepted_events
            alone = cost[keys[0]] + cost[keys[1]] + texts * cost[keys[2]]
            found.append(each.cpu_seconds / each.accepted_events / alone)
    return statistics.median(found) if found else None


def ratio_to_hogvm(results: Results, task: str) -> float | None:
    """Give our evaluations a CPU second divided by the virtual machine's, paired within each round."""
    speed = {(each.what, each.round): each.per_cpu_second for each in results.evaluated if each.task == task}
    pairs = [
        ours / speed["hogvm", round_]
        for (what, round_), ours in speed.items()
        if what == "smspipe" and ("hogvm", round_) in speed
    ]
    return statistics.median(pairs) if pairs else None


def print_report(results: Results, console: Console | None = None) -> None:
    """Print the tables: with lines and colours on a terminal, plain in a pipe."""
    console = console or make_console()
    tables = (_costs(results), _latencies(results), _fates(results), _parts(results), _language(results),
              _destinations(results))  # fmt: skip
    for table in tables:
        if table.row_count:
            console.print(table)
    starts = {each.round: each.start_seconds for each in results.measured if each.what == "service"}
    if starts:
        console.print(
            "From the start of the process to the first accepted event:"
            f" {statistics.median(starts.values()):.2f} s (median of {len(starts)})."
        )
    for sentence in results.failures():
        console.print(f"WRONG  {sentence}", style="bold red")


def make_console() -> Console:
    """Make the console for standard output; a pipe has no width of its own, and its lines are not to be broken."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE_COLUMNS, highlight=False)


def _costs(results: Results) -> Table:
    table = _table("What it takes", "scenario", "", "accepted/s", "× bare", "events/CPU s", "CPU × bare", "CPU × parts",
                   "PSS MiB")  # fmt: skip
    for name, what, runs in _rows(results):
        mine = what == "service"
        table.add_row(
            name if mine else "",
            what,
            f"{_median(runs, lambda each: each.accepted_per_second):,.0f}",
            _ratio(ratio_to_bare(results, name, lambda each: each.accepted_per_second) if mine else None),
            f"{_median(runs, lambda each: each.events_per_cpu_second):,.0f}",
            _ratio(ratio_to_bare(results, name, lambda each: 1 / each.events_per_cpu_second) if mine else None),
            _ratio(ratio_to_parts(results, name) if mine else None),
            f"{_median(runs, lambda each: each.pss_mib):.0f}",
        )
    return table


def _latencies(results: Results) -> Table:
    table = _table("From an event to the request for its text, ms", "scenario", "", "p50", "p95", "p99", "max",
                   "p50 × bare", "p99 × bare")  # fmt: skip
    for name, what, runs in _rows(results):
        mine = what == "service"
        table.add_row(
            name if mine else "",
            what,
            f"{_median(runs, lambda each: each.p50_ms):.1f}",
            f"{_median(runs, lambda each: each.p95_ms):.1f}",
            f"{_median(runs, lambda each: each.p99_ms):.1f}",
            f"{_median(runs, lambda each: each.max_ms):.1f}",
            _ratio(ratio_to_bare(results, name, lambda each: each.p50_ms) if mine else None),
            _ratio(ratio_to_bare(results, name, lambda each: each.p99_ms) if mine else None),
        )
    return table


def _fates(results: Results) -> Table:
    """Count over all rounds: a loss in one of them is no smaller for the others."""
    table = _table("What came of them, all rounds together", "scenario", "", "sent", "accepted", "503", "no answer",
                   "texts due", "delivered", "in doubt", "lost", "doubled", "wrong", "last text after")  # fmt: skip
    for name, what, runs in _rows(results):
        table.add_row(
            name if what == "service" else "",
            what,
            *(f"{sum(getattr(each, field) for each in runs):,}" for field in _COUNTS),
            f"{_median(runs, lambda each: each.delivered_seconds):.1f} s",
        )
    return table


def _parts(results: Results) -> Table:
    table = _table("The parts alone", "part", "batch", "per second", "per CPU second")
    for what, batch in dict.fromkeys((each.what, each.batch) for each in results.parts):
        runs = [each for each in results.parts if (each.what, each.batch) == (what, batch)]
        table.add_row(
            what,
            str(batch or ""),
            f"{statistics.median(each.per_second for each in runs):,.0f}",
            f"{statistics.median(each.per_cpu_second for each in runs):,.0f}",
        )
    return table


def _language(results: Results) -> Table:
    table = _table("Evaluations per CPU second", "task", "smspipe", "@posthog/hogvm", "× hogvm", "aim")
    for task in dict.fromkeys(each.task for each in results.evaluated):
        mine, theirs = (
            statistics.median(
                each.per_cpu_second for each in results.evaluated if (each.task, each.what) == (task, what)
            )
            for what in ("smspipe", "hogvm")
        )
        aim = f"{TARGETS[task]:.0f}" if task in TARGETS else ""
        table.add_row(task, f"{mine:,.0f}", f"{theirs:,.0f}", _ratio(ratio_to_hogvm(results, task)), aim)
    return table


def _destinations(results: Results) -> Table:
    table = _table(f"{MANY:,} destinations", "", "CPU", "aim")
    runs = results.counted
    if not runs:
        return table
    load, reload_ = (
        statistics.median(each) for each in zip(*((r.load_seconds, r.reload_seconds) for r in runs), strict=True)
    )
    times = statistics.median(each.match_many_seconds / each.match_alone_seconds for each in runs)
    table.add_row("load all", f"{load * 1000:.0f} ms", f"{MOST_SECONDS * 1000:.0f} ms")
    table.add_row("load all again after one change", f"{reload_ * 1000:.0f} ms", "")
    table.add_row(
        f"match an event that {LISTENING} listen to, × those {LISTENING} alone", f"{times:.2f}", f"{MOST_TIMES:.0f}"
    )
    return table


def _rows(results: Results) -> Iterable[tuple[str, str, Sequence[Measured]]]:
    for name in dict.fromkeys(each.scenario for each in results.measured):
        for what in ("service", "bare"):
            if runs := results.of(what, name):
                yield name, what, runs


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(
            column, justify="left" if column in ("scenario", "", "part", "task") else "right", no_wrap=True
        )
    return table


def _median(runs: Sequence[Measured], value: Callable[[Measured], float]) -> float:
    return statistics.median(value(each) for each in runs)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

"""
`make bench`: measure the service, and in the same run what its parts and a bare program do; and the language, beside
PostHog's own.

In each round everything takes its turn, so that what else the machine does falls on all of it. Loopback only; every
load ends by itself, every process that is started is ended, and temporary folders are removed. Ends with status 1 when
the service lost, doubled or garbled a text, or a filter or template gives another answer than PostHog's.
"""

import argparse
import math
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec
from rich.console import Console

from bench.destinations import measure_destinations
from bench.language import Vm, disagreements, make_tasks, measure_language
from bench.report import Results, print_report
from bench.rounds import Site, measure_commit, measure_http, measure_sender
from bench.scenarios import Scenario, find_scenario
from bench.twilio_double import check_faults

_OTHERS = ["language", "destinations"]
"""What is measured without a service: the compiled language beside PostHog's machine, and a thousand destinations."""
_SCENARIOS = ["single-1", "single-10", "single-100", "newcomers", "batch50-10", "batch100-1", "burst", "open", "faults",
              *_OTHERS]  # fmt: skip
_TURNS = 7
"""Turns at the language in a round."""
_QUICK = ["single-10", "batch50-10", "burst", "open", "faults", *_OTHERS]


def main(words: Sequence[str]) -> int:
    """Measure and print; give the exit status."""
    parser = _parser()
    given = parser.parse_args(words)
    rounds = given.rounds or (1 if given.quick else 3)
    seconds = given.duration or (0.8 if given.quick else 1.5)
    names = given.scenarios or (_QUICK if given.quick else _SCENARIOS)
    try:
        scenarios = [_adjust(find_scenario(name, seconds=seconds, burst=2_000 if given.quick else 10_000), given)
                     for name in names if name not in _OTHERS]  # fmt: skip
    except ValueError as error:
        parser.error(str(error))
    results = Results()
    progress = Console(stderr=True)
    others = [name for name in names if name in _OTHERS]
    try:
        for round_ in range(rounds):
            for step in _run_round(results, scenarios, round_, part_seconds=min(seconds, 1.0)):
                progress.print(f"round {round_ + 1} of {rounds}: {step}", style="dim")
        for step in _run_others(results, others, rounds, seconds=seconds):
            progress.print(step, style="dim")
    except KeyboardInterrupt:
        progress.print("Stopped; so far:")
    print_report(results)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    return 1 if results.failures() else 0


def _run_round(results: Results, scenarios: list[Scenario], round_: int, *, part_seconds: float) -> Iterator[str]:
    """Let everything take its turn; name each step before it is done."""
    if not scenarios:
        return
    known: set[int] = set()
    with ExitStack() as stack:
        yield "start"
        site = Site(stack)
        for scenario in scenarios:
            batch = scenario.load.batch
            if scenario.load.rate is None and batch not in known:
                known.add(batch)
                yield f"http, {batch} in a request"
                results.parts.append(measure_http(batch, round_, seconds=part_seconds))
                yield f"commit, {batch} in a request"
                results.parts.append(measure_commit(batch, round_, seconds=part_seconds))
            yield f"{scenario.name}, service"
            results.measured.append(site.measure_service(scenario, round_))
            yield f"{scenario.name}, bare"
            results.measured.append(site.measure_bare(scenario, round_))
    if known:
        yield "sender"
        results.parts.append(measure_sender(round_, seconds=part_seconds))


def _run_others(results: Results, names: Sequence[str], rounds: int, *, seconds: float) -> Iterator[str]:
    """Measure what needs no service; name each step before it is done."""
    if "language" in names:
        yield "language: get and start @posthog/hogvm"
        tasks = make_tasks()
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="smspipe-bench-"))
            vm = stack.enter_context(Vm(Path(folder), tasks))
            yield "language: compare the answers"
            results.disagreements += disagreements(tasks, vm)
            measure_language(tasks, vm, 0, seconds=0.3)  # V8 compiles what it has seen often
            # Many short turns: each pair of them meets the same machine, and the median passes over the unlucky ones.
            for round_ in range(_TURNS * rounds):
                yield f"language, turn {round_ + 1} of {_TURNS * rounds}"
                results.evaluated += measure_language(tasks, vm, round_, seconds=0.1 * seconds)
    if "destinations" in names:
        for round_ in range(rounds):
            yield f"destinations, round {round_ + 1} of {rounds}"
            results.counted.append(measure_destinations(round_, seconds=0.2 * seconds))


def _adjust(scenario: Scenario, given: argparse.Namespace) -> Scenario:
    """Apply what the command line says about every scenario."""
    load = scenario.load if given.rate is None else replace(scenario.load, rate=given.rate)
    latency = scenario.latency_ms if given.latency is None else given.latency
    faults = scenario.faults if given.faults is None else given.faults
    return replace(scenario, load=load, latency_ms=latency, faults=faults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: make bench ARGS='--scenarios single-10,open --rounds 5'",
    )
    parser.add_argument("--quick", action="store_true", help="one short round of the main scenarios, under 40 s")
    parser.add_argument("--rounds", type=_count, help="how often everything takes its turn (3)")
    parser.add_argument("--duration", type=_amount, metavar="SECONDS", help="of one closed-loop load (1.5)")
    parser.add_argument(
        "--scenarios",
        type=lambda text: text.split(","),
        metavar="NAME,…",
        help="single-10 (one event a request, 10 %% match), batch50-10 and the like, newcomers, burst, open, faults,"
        " language, destinations;"
        f" left out: {', '.join(_SCENARIOS)}",
    )
    parser.add_argument("--rate", type=_amount, help="send at this many events a second in every scenario")
    parser.add_argument("--latency", type=float, metavar="MS", help="of Twilio's answers, in every scenario")
    parser.add_argument(
        "--faults", type=_read_faults, metavar="FAULT=SHARE,…", help="Twilio's in every scenario: 429=0.05,reset=0.05"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 1000):
        raise argparse.ArgumentTypeError("use a whole number from 1 to 1000")
    return int(text)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("use a number above 0")
    return value


def _read_faults(text: str) -> dict[str, float]:
    try:
        faults = {name: float(share) for name, _, share in (each.partition("=") for each in text.split(",") if each)}
    except ValueError as error:
        raise argparse.ArgumentTypeError("write each fault with its share, such as 429=0.05,reset=0.05") from error
    try:
        check_faults(faults)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return faults


if __name__ == "__main__":
    # However it is asked to end, it takes what it started along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))

"""Run stories: `python -m tests.simulator 12345 --story` replays one, `--first 0 --count 1000` runs many."""

import argparse
import gc
import sys
import time
import warnings
from typing import Any

import structlog

from tests.simulator.disk import Disk
from tests.simulator.story import Story, Told


def tell(seed: int, disk: Disk, *, doubles: bool = False) -> Told:
    """Tell the story of one seed; `doubles` lets every request arrive twice."""
    story = Story(seed, disk)
    story.network.doubles = doubles
    return story.run()


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("seed", nargs="*", type=int, help="seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of many seeds")
    parser.add_argument("--count", type=int, default=0, help="how many seeds to run")
    parser.add_argument("--story", action="store_true", help="print each story")
    parser.add_argument("--digests", action="store_true", help="print a hash of each story")
    parser.add_argument("--doubles", action="store_true", help="let every request arrive twice: laws must be broken")
    parser.add_argument("--most", type=int, default=5, help="stop after so many failures")
    chosen = parser.parse_args(arguments)
    quiet(story=chosen.story)
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)  # those of a process that died
    disk = Disk()
    began, failed, ran = time.perf_counter(), 0, 0
    gc.disable()  # what it would collect, and when, is not a function of the seed
    for seed in [*chosen.seed, *range(chosen.first, chosen.first + chosen.count)]:
        told = tell(seed, disk, doubles=chosen.doubles)
        ran += 1
        if ran % 50 == 0:
            gc.collect()
        if told.violations:
            failed += 1
        if told.violations or chosen.story:
            print(*told.lines, sep="\n")
        if told.violations or chosen.story or chosen.digests:
            print(f"seed {seed}: {told.digest}")
        if told.violations:
            print(*told.violations, sep="\n")
            print(f"Replay it: python -m tests.simulator {seed} --story\n")
            if failed >= chosen.most:
                break
    seconds = time.perf_counter() - began
    print(f"{ran} stories in {seconds:.1f} s ({1000 * seconds / max(ran, 1):.1f} ms each), {failed} broke a law")
    return 1 if failed else 0


def quiet(*, story: bool) -> None:
    """Keep the service's log from the terminal; for a story, show what it says."""

    def keep(logger: Any, method: str, line: Any) -> Any:
        raise structlog.DropEvent

    level = 20 if story else 50
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()] if story else [keep],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

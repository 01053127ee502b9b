"""A story is a function of its seed, and says how it is told again."""

from tests.simulator.many import run


def test_the_same_seed_tells_the_same_story() -> None:
    """Also in a process that orders its sets in another way."""
    seeds = [str(seed) for seed in range(20)]
    (status, once), (_, again) = (run(*seeds, "--digests", hash_seed=each) for each in ("1", "2"))
    assert status == 0, once
    first, second = ([line for line in each.splitlines() if line.startswith("seed ")] for each in (once, again))
    assert len(first) == len(set(first)) == 20
    assert first == second


def test_a_story_can_be_read() -> None:
    status, printed = run("3", "--story")
    assert status == 0, printed
    assert "the process starts" in printed
    assert "all is mended" in printed


def test_a_story_that_breaks_a_law_is_told_with_the_command_that_replays_it() -> None:
    """A client that silently repeats its requests, as some do, is found at once."""
    status, printed = run("--count", "40", "--most", "1", "--doubles")
    assert status == 1
    assert "each text once" in printed
    assert "Replay it: python -m tests.simulator" in printed

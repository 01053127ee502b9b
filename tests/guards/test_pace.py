"""A sender gets no more segments a second than its pace, whatever comes and whatever its clock does."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.guards.pace import LONGEST_SEGMENTS, default_pace, spell_pace, take_turn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PACES = st.sampled_from([0.1, 0.5, 1.0, 2.0, 3.0, 10.0, 100.0])
ARRIVALS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, LONGEST_SEGMENTS)), min_size=1, max_size=40)


def leave(arrivals: list[tuple[float, int]], pace: float) -> list[tuple[float, int]]:
    """Let texts pass one after the other, each coming again when it was told to; give when each left."""
    ready, now, left = None, NOW, []
    for gap, segments in arrivals:
        now += timedelta(seconds=gap)
        ready, wait = take_turn(ready, now, segments, pace)
        while wait is not None:
            assert wait > now
            now = wait
            ready, wait = take_turn(ready, now, segments, pace)
        left.append(((now - NOW).total_seconds(), segments))
    return left


@given(ARRIVALS, PACES)
def test_over_any_time_no_more_than_the_pace_begins(arrivals: list[tuple[float, int]], pace: float) -> None:
    left = leave(arrivals, pace)
    for first in range(len(left)):
        for last in range(first, len(left)):
            span = left[last][0] - left[first][0]
            before_last = sum(segments for _, segments in left[first:last])
            assert before_last <= pace * (span + 1) + 1e-3


@given(ARRIVALS, PACES)
def test_nobody_waits_longer_than_what_went_before_takes(arrivals: list[tuple[float, int]], pace: float) -> None:
    left = leave(arrivals, pace)
    came = 0.0
    for place, ((gap, _), (at, _)) in enumerate(zip(arrivals, left, strict=True)):
        came = max(came + gap, left[place - 1][0] + gap if place else gap)
        assert at <= came + sum(segments for _, segments in left[:place]) / pace + 1e-3


@given(PACES, st.integers(1, LONGEST_SEGMENTS), st.integers(1, 10**6))
def test_a_clock_that_was_set_back_does_not_silence_a_sender(pace: float, segments: int, seconds: int) -> None:
    ready, _ = take_turn(None, NOW, segments, pace)
    back = NOW - timedelta(seconds=seconds)
    _, wait = take_turn(ready, back, 1, pace)
    assert wait is None or wait - back <= timedelta(seconds=LONGEST_SEGMENTS / pace + 1)


@pytest.mark.parametrize(
    ("sender", "pace"),
    [("+15005550006", 1.0), ("+18005550006", 3.0), ("12345", 100.0), ("+447700900123", 10.0), ("Acme", 10.0),
     ("whatsapp:+15005550006", 80.0), ("MG" + "a" * 32, None)],
)  # fmt: skip
def test_each_kind_of_sender_has_twilios_own_pace(sender: str, pace: float | None) -> None:
    assert default_pace(sender) == pace


@pytest.mark.parametrize(
    ("pace", "text"),
    [(1, "1 segment a second"), (3, "3 segments a second"), (0.5, "1 segment every 2 seconds")],
)
def test_a_pace_is_written_for_a_person(pace: float, text: str) -> None:
    assert spell_pace(pace) == text

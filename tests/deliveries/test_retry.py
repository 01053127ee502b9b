"""When to try again: soon at first, then less often, never together, never sooner than asked."""

from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from smspipe.deliveries.retry import next_try
from tests.deliveries.conftest import NOW, SECOND

chances = st.floats(0, 1)


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (10_000, 60)],
)
def test_the_longest_wait_doubles_up_to_a_minute(attempts: int, longest: float) -> None:
    assert next_try(attempts, None, NOW, 1.0) == NOW + longest * SECOND


@given(st.integers(1, 50), chances)
def test_the_wait_is_spread_from_nothing_to_the_longest(attempts: int, chance: float) -> None:
    wait = next_try(attempts, None, NOW, chance) - NOW
    longest = next_try(attempts, None, NOW, 1.0) - NOW
    assert abs(wait - longest * chance) < timedelta(microseconds=2)


@given(st.integers(1, 50), st.integers(0, 100_000), chances)
def test_it_is_never_sooner_than_twilio_asked(attempts: int, asked: int, chance: float) -> None:
    assert next_try(attempts, asked * SECOND, NOW, chance) >= NOW + asked * SECOND

"""Time at rest and on paper."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.clock import EPOCH, from_micros, to_iso, to_micros


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_from_its_microseconds(at: datetime) -> None:
    assert from_micros(to_micros(at)) == at


@given(st.integers(-5_000_000_000_000_000, 5_000_000_000_000_000))
def test_microseconds_come_back_from_their_instant(micros: int) -> None:
    assert to_micros(EPOCH + timedelta(microseconds=micros)) == micros


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 678_999, UTC), "2026-01-02T03:04:05.678Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 0, UTC), "2026-01-02T03:04:05.000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 0, timezone(timedelta(hours=2))), "2026-01-02T01:04:05.000Z"),
        (datetime(33, 1, 2, tzinfo=UTC), "0033-01-02T00:00:00.000Z"),
    ],
    ids=["milliseconds are cut", "whole second", "another zone", "an early year"],
)
def test_iso_text_is_utc_with_milliseconds(at: datetime, text: str) -> None:
    assert to_iso(at) == text

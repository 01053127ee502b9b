"""Ids that sort by time, and ids that come back."""

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.ids import event_uuid_for, uuid7
from smspipe.model.phone import mask

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(5000, 1, 1, tzinfo=UTC)
TIMES = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))


@given(TIMES, st.binary(min_size=10, max_size=10))
def test_a_uuid7_is_one_and_carries_its_time(at: datetime, randomness: bytes) -> None:
    made = uuid.UUID(uuid7(at, randomness))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(at.timestamp() * 1000)
    assert str(made) == uuid7(at, randomness)


@given(TIMES)
def test_later_ids_sort_later(at: datetime) -> None:
    assert uuid7(at) < uuid7(at + timedelta(milliseconds=2))


@given(TIMES, st.binary(min_size=8, max_size=8), st.integers(0, 1000))
def test_an_event_without_a_uuid_gets_the_same_one_each_time(at: datetime, seed: bytes, index: int) -> None:
    assert event_uuid_for(at, seed, index) == event_uuid_for(at, seed, index)
    assert event_uuid_for(at, seed, index) != event_uuid_for(at, seed, index + 1)


@given(st.text(alphabet="+0123456789", max_size=20))
def test_a_mask_shows_at_most_five_characters(number: str) -> None:
    assert len(mask(number)) == len(number)
    assert sum(character != "•" for character in mask(number)) <= 5

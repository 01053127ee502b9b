"""When an event happened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smspipe.model.clock import EPOCH
from smspipe.model.event import Door
from tests.capture.asking import NOW, TOKEN, accept, only_event, signup

TEN_AM = datetime(2026, 1, 1, 10, tzinfo=UTC)


def sent(timestamp: Any = ..., sent_at: Any = ..., query: bytes = b"", **parts: Any) -> datetime:
    """The time of the one event of a batch that says `sent_at`."""
    body = {"api_key": TOKEN, "batch": [signup(timestamp=timestamp, **parts)]}
    if sent_at is not ...:
        body["sent_at"] = sent_at
    return only_event(body, Door.BATCH, query=query).timestamp


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-01-01T10:00:00Z", TEN_AM),
        ("2026-01-01T10:00:00z", TEN_AM),
        ("2026-01-01T10:00:00.123Z", TEN_AM.replace(microsecond=123000)),
        ("2026-01-01T10:00:00.123456789Z", TEN_AM.replace(microsecond=123456)),
        ("2026-01-01T10:00:00+00:00", TEN_AM),
        ("2026-01-01T13:00:00+03:00", TEN_AM),
        ("2026-01-01T13:00:00+03", TEN_AM),
        ("2026-01-01T13:00:00.5+0300", TEN_AM.replace(microsecond=500000)),
        ("2026-01-01T05:00:00-05", TEN_AM),
        ("2026-01-01T10:00:00", TEN_AM),
        ("2026-01-01 10:00:00", TEN_AM),
        ("2026-01-01 10:00:00 UTC", TEN_AM),
        ("2026-01-01 13:00:00 +03:00", TEN_AM),
        ("2026-01-01T10:00", TEN_AM),
        ("  2026-01-01T10:00:00Z  ", TEN_AM),
        ("2026-01-01", TEN_AM.replace(hour=0)),
        ("2026/01/01", TEN_AM.replace(hour=0)),
        ("2026/1/1 10:00:00", TEN_AM),
        ("12/31/2025", datetime(2025, 12, 31, tzinfo=UTC)),
        ("Thu, 1 Jan 2026 10:00:00 GMT", TEN_AM),
        ("Thu, 1 Jan 2026 13:00:00 +0300", TEN_AM),
        ("Thu, 1 Jan 2026 10:00:00 -0000", TEN_AM),
        ("1767261600", TEN_AM),
        ("1767261600000", TEN_AM),
        ("1767261600000000", TEN_AM),
        ("1767261600000000000", TEN_AM),
        (1767261600, TEN_AM),
        (1767261600.5, TEN_AM.replace(microsecond=500000)),
        (1767261600000, TEN_AM),
        (0, EPOCH),
        (-1, EPOCH - timedelta(seconds=1)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0000-01-01T00:00:00Z", EPOCH),
        ("0001-01-01T00:00:00+05:00", EPOCH),
        (-1e11 + 1, EPOCH),
    ],
)
def test_a_time_is_read_leniently_and_is_utc_without_a_zone(written: Any, at: datetime) -> None:
    found = sent(written)
    assert found == at
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    [
        *(..., None, "", "soon", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T10:00:00+99:00"),
        *("12345-01-01", "20/20/2026", "1/2/3/4", "Thu, 99 Jan 2026", "٢٠٢٦-01-01", "-", "+", "x" * 100),
        *("9" * 30, 1e30),
    ],
)
def test_no_legible_time_means_now(written: Any) -> None:
    assert sent(written) == NOW


@pytest.mark.parametrize(
    ("ahead", "at"),
    [
        (timedelta(hours=23), NOW + timedelta(hours=23)),
        (timedelta(hours=23, microseconds=1), NOW),
        (timedelta(days=400), NOW),
        (-timedelta(days=400), NOW - timedelta(days=400)),
    ],
)
def test_over_23_hours_ahead_means_now(ahead: timedelta, at: datetime) -> None:
    assert sent((NOW + ahead).isoformat()) == at


def test_the_end_of_the_calendar_is_ahead_too() -> None:
    assert sent("9999-12-31T23:59:59-14:00") == NOW
    assert sent("9999-12-31T23:59:59Z", sent_at="2025-01-01T00:00:00Z") == NOW
    assert sent("0001-01-01T00:00:00Z", sent_at="2027-01-01T00:00:00Z") == EPOCH


@pytest.mark.parametrize("skew", [timedelta(seconds=10), -timedelta(seconds=10), timedelta(days=3650), timedelta()])
def test_the_clients_clock_skew_is_taken_out(skew: timedelta) -> None:
    happened = NOW - timedelta(minutes=5)
    assert sent((happened + skew).isoformat(), sent_at=(NOW + skew).isoformat()) == happened


@pytest.mark.parametrize("sent_at", [None, "soon", "", {}, []])
def test_an_illegible_sent_at_corrects_nothing(sent_at: Any) -> None:
    assert sent("2026-01-01T10:00:00Z", sent_at=sent_at) == TEN_AM


@pytest.mark.parametrize(("claim", "at"), [(True, TEN_AM), (False, None), ("true", None), (1, None)])
def test_an_event_may_ask_to_leave_the_skew_in(claim: Any, at: datetime | None) -> None:
    found = sent("2026-01-01T10:00:00Z", "2026-01-02T03:04:15Z", properties={"$ignore_sent_at": claim})
    assert found == (at or TEN_AM - timedelta(seconds=10))


@pytest.mark.parametrize("name", [b"_", b"sent_at"])
@pytest.mark.parametrize(
    ("milliseconds", "correction"),
    [
        (b"1767323055000", -timedelta(seconds=10)),
        (b"1767323055", timedelta()),
        (b"1609459199999", timedelta()),
        (b"", timedelta()),
        (b"-1767323055000", timedelta()),
        (b"1767323055000.5", timedelta()),
        (b"9" * 25, timedelta()),
        (b"9" * 5000, timedelta()),
    ],
)
def test_the_query_may_say_when_it_was_sent_in_milliseconds(
    name: bytes, milliseconds: bytes, correction: timedelta
) -> None:
    assert sent("2026-01-01T10:00:00Z", query=name + b"=" + milliseconds) == TEN_AM + correction


def test_the_bodys_sent_at_comes_before_the_querys() -> None:
    assert sent("2026-01-01T10:00:00Z", "2026-01-02T03:04:06Z", b"_=1767323055000") == TEN_AM - timedelta(seconds=1)
    assert sent("2026-01-01T10:00:00Z", "soon", b"_=1767323055000") == TEN_AM - timedelta(seconds=10)


def test_a_list_takes_its_skew_from_the_query() -> None:
    (event,) = accept([signup(timestamp="2026-01-01T10:00:00Z")], query=b"_=1767323055000").events
    assert event.timestamp == TEN_AM - timedelta(seconds=10)


@pytest.mark.parametrize(
    ("offset", "at"),
    [
        (5000, NOW - timedelta(seconds=5)),
        (1.5, NOW - timedelta(milliseconds=1.5)),
        (0, NOW),
        (-5000, NOW + timedelta(seconds=5)),
        (-(24 * 3600 * 1000), NOW),
        (10**15, EPOCH),
        (-(10**15), NOW),
        (10**300, EPOCH),
        (-(10**300), NOW),
        (1e300, EPOCH),
    ],
)
def test_an_offset_counts_back_from_now(offset: float, at: datetime) -> None:
    assert sent(offset=offset) == at


def test_an_offset_comes_before_a_timestamp_and_knows_no_skew() -> None:
    assert sent("2026-01-01T10:00:00Z", "2026-01-02T03:04:15Z", offset=1000) == NOW - timedelta(seconds=1)

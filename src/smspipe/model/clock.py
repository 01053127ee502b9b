"""
Time as the house speaks it: aware UTC datetimes inside, whole microseconds since 1970 at rest.

Nothing but the edges (`app`, `cli`, `web`) asks what time it is; everyone else is told.
"""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """Tell the time. For the edges only: a decider or keeper takes it as an argument."""
    return datetime.now(UTC)


def to_micros(at: datetime) -> int:
    """
    Count the whole microseconds from 1970 to `at`, exactly.

    A float's 53 bits hold the count within a quarter of a microsecond for a century and more around 1970, so rounding
    is exact there, at a sixth of the cost of dividing spans; beyond, the spans are divided.
    """
    seconds = at.timestamp()
    if -4e9 < seconds < 4e9:
        return round(seconds * 1e6)
    return (at - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Give the aware UTC instant that `to_micros` counted."""
    return EPOCH + timedelta(microseconds=micros)


def to_iso(at: datetime) -> str:
    """Write `at` as PostHog and our API do: `2026-01-02T03:04:05.678Z`, milliseconds cut, not rounded."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"

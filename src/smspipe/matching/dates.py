"""
Dates that a filter names: fixed ones (`2026-01-31`) and ones that move with the clock (`-7d`, `mStart`).

PostHog resolves a relative date once, when the filter is saved, so "in the last week" slowly comes to mean
"since that day in March". Here it is resolved anew for every event.

    h hour   d day   w week   m month   M minute   q quarter   y year   s second
"""

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

_RELATIVE: Final = re.compile(r"-?(?P<count>[0-9]{1,7})?(?P<unit>[hdwmqysHDWMQY])(?P<edge>Start|End)?")
_SPANS: Final = {"s": timedelta(seconds=1), "M": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_MONTHS: Final = {"m": 1, "q": 3, "y": 12}
_DAWN: Final = datetime(1, 1, 1, tzinfo=UTC)

Moment = Callable[[datetime], datetime]
"""Tells which instant is meant, given what time it is."""


def read_relative_date(text: str) -> Moment | None:
    """
    Read `-7d`, `24h`, `-1m`, `-30M`, `dStart`, `-1mEnd`: always so much before now, with or without the minus.

    `Start` and `End` move to the first and the last microsecond of that hour, day, week (from Monday), month,
    quarter or year, in UTC. A month or year back from a day that the goal lacks ends on its last day.

    Returns:
        The function that resolves it, or None when `text` is no relative date.
    """
    match = _RELATIVE.fullmatch(text)
    if match is None or (match["count"] is None and match["edge"] is None):
        return None
    unit = match["unit"] if match["unit"] == "M" else match["unit"].lower()
    count, edge = int(match["count"] or 0), match["edge"]

    def resolve(now: datetime) -> datetime:
        try:
            moved = _go_back(now.astimezone(UTC), count, unit)
            if edge is None:
                return moved
            start = _start_of(moved, unit)
            return start if edge == "Start" else _go_back(start, -1, unit) - timedelta(microseconds=1)
        except (OverflowError, ValueError):  # before the year 1, or past 9999
            return _DAWN

    return resolve


def _go_back(at: datetime, count: int, unit: str) -> datetime:
    """Move `count` units back (forward when negative)."""
    if unit == "w":
        return at - timedelta(weeks=count)
    if unit in _SPANS:
        return at - count * _SPANS[unit]
    year, month = divmod(at.year * 12 + at.month - 1 - count * _MONTHS[unit], 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, calendar.monthrange(year, month + 1)[1]))


def _start_of(at: datetime, unit: str) -> datetime:
    """Find the first instant of the span that `at` lies in."""
    if unit == "s":
        return at.replace(microsecond=0)
    if unit == "M":
        return at.replace(second=0, microsecond=0)
    if unit == "h":
        return at.replace(minute=0, second=0, microsecond=0)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "w":
        return day - timedelta(days=day.weekday())
    if unit == "m":
        return day.replace(day=1)
    if unit == "q":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if unit == "y" else day

"""
Dates in Hog: reading them from text, counting them in seconds, printing them, and naming their zones.

A datetime carries its zone, a date none; a date counts as midnight UTC. Everything is exact to the millisecond.
"""

import functools
import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DATE_TEXT: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<clock>(?:[01][0-9]|2[0-3]):[0-5][0-9])(?::(?P<second>[0-5][0-9])(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?\Z"
)
_LONGEST_TEXT: Final = 100
_ZONE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+\-/]{0,63}\Z")


def parse_date(text: str, zone: tzinfo = UTC) -> datetime | None:
    """
    Read `YYYY-MM-DD`, optionally with `T` or a space, `HH:MM`, seconds, a fraction and `Z` or an offset.

    Args:
        text: blanks around it are passed over.
        zone: what a text without a zone of its own is read in, and the zone of the result.

    Returns:
        The instant, cut to milliseconds; None for anything else, so that a plain number or a bare
        year in a property is never taken for a date.
    """
    match = _DATE_TEXT.match(text.strip()) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        return None
    day, clock, second, fraction, offset = match.group("day", "clock", "second", "fraction", "zone")
    iso = f"{day}T{clock or '00:00'}:{second or '00'}.{(fraction or '')[:3].ljust(3, '0')}"
    if offset:
        iso += "+00:00" if offset in "Zz" else offset if len(offset) > 3 else f"{offset}:00"
    try:
        value = datetime.fromisoformat(iso)
        return value.astimezone(zone) if offset else value.replace(tzinfo=zone)
    except (ValueError, OverflowError):  # no such day, or beyond the years 1 to 9999
        return None


def epoch_seconds(value: datetime | date) -> int | float:
    """Count the seconds since 1970, to the millisecond; a date begins at midnight UTC."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    milliseconds = (value - _EPOCH) // _MILLISECOND
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def from_epoch_seconds(seconds: float, zone: tzinfo = UTC) -> datetime | None:
    """Make the datetime `seconds` after the start of 1970, to the millisecond; None beyond the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(milliseconds=round(seconds * 1000))).astimezone(zone)
    except (ValueError, OverflowError):  # NaN, infinite, or too far away
        return None


@functools.lru_cache(maxsize=256)
def zone_for(name: str) -> tzinfo | None:
    """Find the time zone of that name (`Europe/Paris`, `UTC`); None if there is none."""
    if name.upper() in ("UTC", "Z", "GMT", "ETC/UTC"):
        return UTC
    if not _ZONE_NAME.match(name):
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # unknown, or the name of a folder of the zone database
        return None


def iso_text(value: datetime) -> str:
    """Print a datetime with milliseconds and its zone: `2026-01-02T03:04:05.678Z`."""
    text = value.isoformat(timespec="milliseconds")
    return text[:-6] + "Z" if zone_name(value) == "UTC" else text


def zone_name(value: datetime) -> str:
    """Name the time zone of a datetime: `UTC`, `America/New_York`, `UTC+02:00`."""
    return getattr(value.tzinfo, "key", None) or value.tzname() or "UTC"

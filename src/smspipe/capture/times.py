"""
When an event happened: the client's word for it, read leniently and corrected by the client's clock skew.

Everything that has no answer in PostHog's calendar (years 0 to 9999) or in Python's (1 to 9999) is 1970.

Source:
    PostHog, `rust/common/types/src/timestamp.rs`.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from smspipe.model.clock import EPOCH

FUTURE: Final = timedelta(hours=23)
"""An event further ahead than this has a wrong clock: it happened when it arrived."""
_BROWSER_SINCE: Final = datetime(2021, 1, 1, tzinfo=UTC)
"""Older posthog-js gave seconds in the query, which read as milliseconds fall into 1970."""
_LONGEST: Final = 64
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,9})?")
_SLASHED: Final = re.compile(r"([0-9]{1,4})/([0-9]{1,2})/([0-9]{1,4})(.*)", re.DOTALL)


def instant_of(value: str | float) -> datetime | None:
    """
    Read a point in time as SDKs write them, leniently; without a zone it is UTC.

    Takes ISO 8601 (also `+03`, date only, a space for the T), `2026/01/02` and `01/02/2026` (month first),
    RFC 2822, and the time since 1970 as number or text, in seconds, milli-, micro- or nanoseconds by its size.

    Returns:
        The instant in UTC, 1970 when it lies before the year 1, None for what is no time.
    """
    if isinstance(value, str):
        # The usual case first; only text with a year in front is ISO for sure ("20260102" may be seconds).
        try:
            at = datetime.fromisoformat(value) if value[4:5] == "-" else _lenient(value)
        except ValueError:
            at = _lenient(value)
        if at is None or at.tzinfo is UTC:
            return at
        if at.tzinfo is None:
            return at.replace(tzinfo=UTC)
        try:
            return at.astimezone(UTC)
        except OverflowError:
            # Its zone carries it over one end of the calendar: before it is 1970, beyond it simply far ahead.
            return EPOCH if at.year == 1 else at.replace(tzinfo=UTC)
    return _since_epoch(value)


def corrected(
    timestamp: datetime | None, offset_ms: float | None, skew: timedelta | None, received_at: datetime
) -> datetime:
    """
    Settle when an event happened.

    Args:
        timestamp: what the client said, None when it said nothing legible.
        offset_ms: how long before the request it was; comes before `timestamp`.
        skew: how far the client's clock is ahead of ours, None when that is unknown or not to be used.
        received_at: now.

    Returns:
        `received_at` when nothing is known or the result is over 23 hours ahead of it.
    """
    if offset_ms is None and timestamp is None:
        return received_at
    try:
        if offset_ms is not None:
            at = received_at - timedelta(milliseconds=offset_ms)
        elif skew is not None and timestamp is not None:
            at = timestamp - skew
        else:
            at = timestamp or received_at
    except OverflowError:
        ahead = offset_ms < 0 if offset_ms is not None else skew is not None and skew < timedelta()
        return received_at if ahead else EPOCH
    return received_at if at > received_at + FUTURE else at


def query_instant_of(text: str | None) -> datetime | None:
    """Read the query's `_` or `sent_at`: whole milliseconds since 1970, not before 2021; None for anything else."""
    if not text or len(text) > _LONGEST or not (text.isascii() and text.isdigit()):
        return None
    try:
        at = EPOCH + timedelta(milliseconds=int(text))
    except OverflowError:
        return None
    return at if at >= _BROWSER_SINCE else None


def strict_instant_of(text: str | None) -> datetime | None:
    """Read RFC 3339, as capture v1 demands it; None for anything else."""
    if text is None or not _RFC_3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _lenient(text: str) -> datetime | None:
    """Try every other way in which a time is written."""
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if _NUMBER.fullmatch(text):
        return _since_epoch(float(text))
    if text.startswith("0000-"):
        return EPOCH
    if parts := _SLASHED.fullmatch(text):
        first, second, third, rest = parts.groups()
        year, month, day = (first, second, third) if len(first) == 4 else (third, first, second)
        text = f"{year:>04}-{month:>02}-{day:>02}{rest}"
    iso = text.upper()
    for zone in ("UTC", "GMT"):
        if iso.endswith(zone):
            iso = iso.removesuffix(zone).rstrip() + "Z"
    for candidate in (iso, re.sub(r"\s+(?=[+-][0-9:]{2,6}$|Z$)", "", iso)):
        try:
            if candidate[4:5] == "-":
                return datetime.fromisoformat(candidate)
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _since_epoch(number: float) -> datetime | None:
    """Read a number as a time since 1970; its size tells the unit, since today is near 1.8e9 seconds."""
    if not math.isfinite(number):
        return None
    size = abs(number)
    if size < 1e11:
        unit = timedelta(seconds=1)
    elif size < 1e14:
        unit = timedelta(milliseconds=1)
    elif size < 1e17:
        unit = timedelta(microseconds=1)
    elif size < 1e20:
        number, unit = number / 1000, timedelta(microseconds=1)
    else:
        return None
    try:
        return EPOCH + number * unit
    except OverflowError:
        return EPOCH

"""
Liquid's dates: formatted in UTC unless a zone is named, and by the time that the run is told.

python-liquid's own filter reads the machine's clock and zone, and guesses at text with the help of today's date.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from liquid import RenderContext
from liquid.filter import with_context

from smspipe.rendering.liquid_values import Filter, FilterFault, print_value

_LONGEST_FORMAT: Final = 200
_DATE_FORMAT: Final = "%A, %B %-e, %Y at %-l:%M %P %z"
# Python's strftime knows no milliseconds and no ordinals, and takes epoch seconds in the machine's zone.
_DATE_EXTRA = re.compile("%(%|[sLNq])")


@with_context
def date(value: Any, form: Any = None, zone: Any = None, *, context: RenderContext) -> Any:
    """Format a time: ISO 8601 text, seconds since 1970, or `now`. Anything else comes out as it went in."""
    at = context.globals["now"] if value in ("now", "today") else _to_datetime(value)
    if not isinstance(at, datetime):
        return value
    try:
        at = at.astimezone(ZoneInfo(zone) if isinstance(zone, str) else UTC)
    except (ZoneInfoNotFoundError, ValueError, OverflowError):
        raise FilterFault("The Liquid filter date got a time zone that does not exist.") from None
    extra = {
        "%": "%%",
        "s": str(int(at.timestamp())),
        "L": f"{at.microsecond // 1000:03d}",
        "N": f"{at.microsecond * 1000:09d}",
        "q": "th" if 10 < at.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(at.day % 10, "th"),
    }
    form = print_value(form) or _DATE_FORMAT
    if len(form) > _LONGEST_FORMAT:
        raise FilterFault("The Liquid filter date got a format that is too long.")
    return at.strftime(_DATE_EXTRA.sub(lambda part: extra[part[1]], form))


def date_in(form: str) -> Filter:
    """Make a filter that formats a time in one way; other values come out as they went in."""

    def filter_(value: Any, *_: Any) -> Any:
        at = _to_datetime(value)
        return at.astimezone(UTC).strftime(form) if at else value

    return filter_


def _to_datetime(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and not value.isdigit():
            at = datetime.fromisoformat(value.strip())
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None

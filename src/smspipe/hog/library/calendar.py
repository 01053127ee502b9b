"""
Functions on dates and datetimes.

Text is read where PostHog's functions take it, and also where they would silently use today's date
instead (`dateAdd`, `addDays`, `dateTrunc`, `toTimeZone`); null stays null.
"""

import calendar
import math
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from smspipe.hog.dates import epoch_seconds, from_epoch_seconds, parse_date, zone_for
from smspipe.hog.library.formats import format_date
from smspipe.hog.library.function import hog
from smspipe.hog.limits import Run
from smspipe.hog.values import HogError, Interval, InvalidDate, to_number

Moment = datetime | date | InvalidDate

_INVALID_DATETIME: Final = InvalidDate(clock=True)
_INVALID_DATE: Final = InvalidDate(clock=False)
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_DAYS: Final = {"day": 1, "week": 7}


def _zone(name: Any) -> tzinfo:
    """Find the zone of an argument; UTC when there is none."""
    if name is None:
        return UTC
    zone = zone_for(name) if type(name) is str else None
    if zone is None:
        raise HogError("Unknown time zone; use a name such as Europe/Paris.")
    return zone


def _moment(value: Any) -> Moment:
    """Take an argument as a date or datetime, reading text and counting numbers as seconds since 1970."""
    if type(value) in (datetime, date, InvalidDate):
        return value  # type: ignore[no-any-return]  # the line above says so
    if type(value) is str:
        return parse_date(value) or _INVALID_DATETIME
    if type(value) in (int, float):
        return from_epoch_seconds(value) or _INVALID_DATETIME
    return _INVALID_DATETIME


def _clocked(value: Any) -> datetime | None:
    """Take an argument as a datetime, a date at midnight UTC; None when it is none."""
    moment = _moment(value)
    if isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC) if isinstance(moment, date) else None


# ---- making ----------------------------------------------------------------------------------------


@hog("now", 0, 1)
def now(run: Run, _zone_name: Any = None) -> datetime:
    """Return the instant the run takes for now, in UTC."""
    return run.now.astimezone(UTC)


@hog("today", 0, 0)
def today(run: Run) -> date:
    """Return the date of that instant in UTC."""
    return run.now.astimezone(UTC).date()


@hog("toDateTime", 1, 2)
def to_datetime(_: Run, value: Any, zone: Any = None) -> Moment | None:
    """Read a datetime from text, in a zone unless the text has its own, or from seconds since 1970."""
    if value is None:
        return None
    in_zone = _zone(zone)
    if type(value) is str:
        return parse_date(value, in_zone) or _INVALID_DATETIME
    moment = _clocked(value)
    return _INVALID_DATETIME if moment is None else moment if zone is None else moment.astimezone(in_zone)


@hog("toDate", 1, 1)
def to_date(_: Run, value: Any) -> Moment | None:
    """Read a date from text or seconds since 1970, or take it from a datetime; text with an offset counts in UTC."""
    if value is None:
        return None
    moment = _clocked(value)
    return _INVALID_DATE if moment is None else moment.date()


@hog("fromUnixTimestamp", 1, 1)
def from_unix_timestamp(_: Run, value: Any) -> Moment | None:
    """Make a datetime from seconds since 1970."""
    return None if value is None else from_epoch_seconds(to_number(value)) or _INVALID_DATETIME


@hog("fromUnixTimestampMilli", 1, 1)
def from_unix_timestamp_milli(_: Run, value: Any) -> Moment | None:
    """Make a datetime from milliseconds since 1970."""
    return None if value is None else from_epoch_seconds(to_number(value) / 1000) or _INVALID_DATETIME


@hog("toTimeZone", 2, 2)
def to_time_zone(_: Run, value: Any, zone: Any) -> Moment | None:
    """Show a datetime in another zone; the instant stays."""
    if value is None:
        return None
    moment = _clocked(value)
    return _INVALID_DATETIME if moment is None else _in_zone(moment, _zone(zone))


def _in_zone(moment: datetime, zone: tzinfo) -> Moment:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # before the year 1 or after 9999 in that zone
        return _INVALID_DATETIME


# ---- reading ---------------------------------------------------------------------------------------


@hog("toUnixTimestamp", 1, 2)
def to_unix_timestamp(run: Run, value: Any, zone: Any = None) -> int | float | None:
    """Count the seconds since 1970; NaN for what is not a date."""
    if value is None:
        return None
    moment = to_datetime(run, value, zone) if type(value) is str else _moment(value)
    return epoch_seconds(moment) if isinstance(moment, date) else math.nan


@hog("toUnixTimestampMilli", 1, 2)
def to_unix_timestamp_milli(run: Run, value: Any, zone: Any = None) -> int | float | None:
    """Count the milliseconds since 1970; NaN for what is not a date."""
    seconds = to_unix_timestamp(run, value, zone)
    return seconds if seconds is None or math.isnan(seconds) else round(seconds * 1000)


@hog("extract", 2, 2)
def extract(_: Run, part: Any, value: Any) -> int | float | None:
    """Return the year, month, day, hour, minute or second of a date."""
    if part not in ("year", "month", "day", "hour", "minute", "second"):
        raise HogError("Unknown extract part; use year, month, day, hour, minute or second.")
    if value is None:
        return None
    moment = _clocked(value)
    return math.nan if moment is None else int(getattr(moment, part))


@hog("toYear", 1, 1)
def to_year(run: Run, value: Any) -> int | float | None:
    """Return the year."""
    return extract(run, "year", value)


@hog("toMonth", 1, 1)
def to_month(run: Run, value: Any) -> int | float | None:
    """Return the month, 1 to 12."""
    return extract(run, "month", value)


@hog("toYYYYMM", 1, 1)
def to_yyyymm(_: Run, value: Any) -> int | float | None:
    """Return year and month as one number: 202601."""
    if value is None:
        return None
    moment = _clocked(value)
    return math.nan if moment is None else moment.year * 100 + moment.month


@hog("formatDateTime", 2, 3)
def format_date_time(run: Run, value: Any, pattern: Any, zone: Any = None) -> str | None:
    """Write a datetime by a pattern of `%` tokens, in its zone or another; fail on what is not a datetime."""
    if value is None:
        return None
    if type(value) is not datetime and value != _INVALID_DATETIME:
        raise HogError("Expected a DateTime")
    if type(pattern) is not str or not pattern:
        raise HogError("formatDateTime requires at least 2 arguments")
    if type(value) is InvalidDate:
        return "Invalid DateTime"
    moment = value if zone is None else _in_zone(value, _zone(zone))
    if not isinstance(moment, datetime):
        return "Invalid DateTime"
    run.work(len(pattern))
    return run.made(format_date(moment, pattern))


# ---- moving ----------------------------------------------------------------------------------------


def _add(moment: Moment, amount: Any, unit: Any) -> Moment:
    """Add units to a date; months clamp to the end of the month; a day keeps the time of day."""
    number = to_number(amount)
    if isinstance(moment, InvalidDate) or not math.isfinite(number):
        return _INVALID_DATETIME if isinstance(moment, datetime) else _INVALID_DATE
    if type(unit) is not str or (unit not in _SECONDS and unit not in _DAYS and unit not in _MONTHS):
        raise HogError("Unsupported interval unit; use second, minute, hour, day, week, month or year.")
    try:
        if unit in _MONTHS:
            return _add_months(moment, int(number) * _MONTHS[unit])
        if unit in _DAYS:
            return moment + timedelta(days=number * _DAYS[unit])
        span = timedelta(seconds=number * _SECONDS[unit])
        if isinstance(moment, datetime):
            # Through UTC: an hour later is an hour later also on the night the clocks change.
            return (moment.astimezone(UTC) + span).astimezone(moment.tzinfo)
        return (datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + span).date()
    except OverflowError:
        return _INVALID_DATETIME if isinstance(moment, datetime) else _INVALID_DATE


def _add_months(moment: datetime | date, months: int) -> datetime | date:
    if abs(months) > 12 * 10_000:
        raise OverflowError("beyond the years 1 to 9999")
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError("beyond the years 1 to 9999")
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))


@hog("dateAdd", 3, 3)
def date_add(_: Run, unit: Any, amount: Any, value: Any) -> Moment | None:
    """Add an amount of a unit to a date."""
    return None if value is None else _add(_moment(value), amount, unit)


@hog("addDays", 2, 2)
def add_days(_: Run, value: Any, days: Any) -> Moment | None:
    """Add days to a date."""
    return None if value is None else _add(_moment(value), days, "day")


@hog("dateDiff", 3, 3)
def date_diff(_: Run, unit: Any, start: Any, end: Any) -> int | float | None:
    """Count whole units from one date to another, rounded down; months and years by the calendar."""
    if type(unit) is not str or (unit not in _SECONDS and unit not in _DAYS and unit not in ("month", "year")):
        raise HogError("Unsupported unit for dateDiff; use second, minute, hour, day, week, month or year.")
    if start is None or end is None:
        return None
    first, last = _clocked(start), _clocked(end)
    if first is None or last is None:
        return math.nan
    if unit == "year":
        return last.year - first.year
    if unit == "month":
        return (last.year - first.year) * 12 + last.month - first.month
    seconds = epoch_seconds(last) - epoch_seconds(first)
    return math.floor(seconds / (_SECONDS.get(unit) or _DAYS[unit] * 86_400))


@hog("dateTrunc", 2, 3)
def date_trunc(_run: Run, unit: Any, value: Any, _zone_name: Any = None) -> Moment | None:
    """Cut a datetime to the start of its year, quarter, month, week, day, hour or minute, in its own zone."""
    if value is None:
        return None
    moment = _clocked(value)
    if moment is None:
        return _INVALID_DATETIME
    return _truncate(moment, unit)


def _truncate(moment: datetime, unit: Any) -> Moment:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "year":
            return day.replace(month=1, day=1)
        case "quarter":
            return day.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
        case "month":
            return day.replace(day=1)
        case "week":
            return day - timedelta(days=moment.weekday()) if day.toordinal() > 7 else _INVALID_DATETIME
        case "day":
            return day
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "minute":
            return moment.replace(second=0, microsecond=0)
    raise HogError("Unsupported unit for dateTrunc; use year, quarter, month, week, day, hour or minute.")


@hog("toStartOfHour", 1, 1)
def to_start_of_hour(run: Run, value: Any) -> Moment | None:
    """Cut to the start of the hour."""
    return date_trunc(run, "hour", value)


@hog("toStartOfDay", 1, 2)
def to_start_of_day(run: Run, value: Any, _zone_name: Any = None) -> Moment | None:
    """Cut to midnight."""
    return date_trunc(run, "day", value)


@hog("toStartOfWeek", 1, 2)
def to_start_of_week(run: Run, value: Any, _mode: Any = None) -> Moment | None:
    """Cut to the midnight that begins Monday."""
    return date_trunc(run, "week", value)


@hog("toStartOfMonth", 1, 1)
def to_start_of_month(run: Run, value: Any) -> Moment | None:
    """Cut to the midnight that begins the month."""
    return date_trunc(run, "month", value)


def _register_interval(unit: str) -> None:
    def interval(_: Run, value: Any) -> Interval:
        return Interval(to_number(value), unit)

    hog(f"toInterval{unit.capitalize()}", 1, 1)(interval)


for _unit in ("minute", "hour", "day", "month"):
    _register_interval(_unit)

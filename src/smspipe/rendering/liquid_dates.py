"""
Liquid's filters for dates: in UTC unless a zone is named, and by the time that the run is told.

A date is a number of milliseconds since 1970 here, as in JavaScript, which goes further than Python's years do.

Source: https://liquidjs.com/filters/date.html and trials of LiquidJS 10.30.1.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from smspipe.hog import to_text
from smspipe.rendering.liquid_date_reading import DAY, days_to_date, read_date
from smspipe.rendering.liquid_run import MAX_OUTPUT, LiquidFault, Run
from smspipe.rendering.liquid_values import (
    UNDEFINED,
    is_list,
    is_nil,
    is_number,
    milliseconds,
    primitive,
    printed,
    to_number,
    to_value,
)

_FURTHEST: Final = 8.64e15
_FORMAT: Final = "%A, %B %-e, %Y at %-l:%M %P %z"
_DIRECTIVE = re.compile("%([-_0^#:]+)?([0-9]+)?([EO])?([^\n\r\u2028\u2029])")
_DIGITS = re.compile("[0-9]+")
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_WIDTHS: Final = {
    "C": 2, "d": 2, "e": 2, "H": 2, "I": 2, "j": 3, "k": 2, "l": 2, "L": 3,
    "m": 2, "M": 2, "S": 2, "U": 2, "W": 2, "y": 2, "Y": 4,
}  # fmt: skip
_PADDED_WITH_SPACES: Final = frozenset("aAbBceklpP")


class Moment(NamedTuple):
    """An instant as it is shown in a zone; `behind` is how many minutes the zone is behind UTC."""

    instant: float
    behind: float
    zone: str
    shown: float

    @property
    def day(self) -> int:
        """Days since 1970."""
        return int(self.shown // DAY)

    @property
    def second(self) -> int:
        """Seconds of the day."""
        return int(self.shown % DAY // 1000)

    @property
    def thousandths(self) -> int:
        """Milliseconds of the second."""
        return int(self.shown % 1000)

    @property
    def date(self) -> tuple[int, int, int]:
        """Year, month and day of the month."""
        return days_to_date(self.day)

    @property
    def weekday(self) -> int:
        """Day of the week, 0 for Sunday."""
        return (self.day + 4) % 7

    @property
    def day_of_year(self) -> int:
        """Day of the year, from 1."""
        year, month, day = self.date
        leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
        return sum((31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[: month - 1]) + day


def _moment(run: Run, value: Any, zone: Any = UNDEFINED) -> Moment | None:
    """Read a date; None for what is none."""
    value = to_value(value)
    if is_nil(value):
        return None
    if value in ("now", "today"):
        instant = milliseconds(run.now)
    elif is_number(value) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        instant = to_number(value, run) * 1000
    else:
        plain = primitive(value, run)
        instant = read_date(plain) if isinstance(plain, str) else to_number(plain, run)
    if not abs(instant) <= _FURTHEST:
        return None
    instant = float(math.trunc(instant))
    if is_nil(zone):
        return Moment(instant, 0.0, "UTC", instant)
    behind = _zone_behind(zone, instant) if isinstance(zone, str) else to_number(zone, run)
    shown = instant - behind * 60_000
    if not abs(shown) <= _FURTHEST:
        return None
    return Moment(instant, behind, zone if isinstance(zone, str) else "", float(math.trunc(shown)))


def _zone_behind(name: str, instant: float) -> float:
    """Give how many minutes a zone is behind UTC at an instant."""
    if offset := _OFFSET.fullmatch(name):
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return float(-minutes if offset[1] == "+" else minutes)
    known = _zones().get(name.lower())
    if known is None:
        raise LiquidFault("The Liquid filter date got a time zone that does not exist")
    seconds = math.floor(instant / 1000)
    # Beyond Python's years a zone does what it did at their ends.
    seconds = min(max(seconds, -62_135_510_400), 253_402_214_400)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    ahead = at.astimezone(ZoneInfo(known)).utcoffset()
    return -ahead.total_seconds() / 60 if ahead else 0.0


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


# ---- formatting ----------------------------------------------------------------------------------------------


def _offset(moment: Moment, flags: str) -> str:
    amount = abs(moment.behind)
    hours, minutes = to_text(float(amount // 60)), to_text(math.fmod(amount, 60))
    sign = "-" if moment.behind > 0 else "+"
    return f"{sign}{hours.rjust(2, '0')}{':' if ':' in flags else ''}{minutes.rjust(2, '0')}"


def _week(moment: Moment, first: int) -> str:
    since = (moment.weekday - first) % 7
    return str((moment.day_of_year - 1 - since + 7) // 7)


def _ordinal(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _hour12(moment: Moment) -> int:
    return moment.second // 3600 % 12 or 12


def _local_date(moment: Moment) -> str:
    year, month, day = moment.date
    return f"{month}/{day}/{year if year > 0 else 1 - year}{'' if year > 0 else ' B'}"


def _local_time(moment: Moment) -> str:
    minute, second = moment.second // 60 % 60, moment.second % 60
    return f"{_hour12(moment)}:{minute:02d}:{second:02d} {'AM' if moment.second < 43200 else 'PM'}"


_CODES: Final[Mapping[str, Callable[[Moment, str], Any]]] = {
    "a": lambda at, _: _DAYS[at.weekday][:3],
    "A": lambda at, _: _DAYS[at.weekday],
    "b": lambda at, _: _MONTHS[at.date[1] - 1][:3],
    "B": lambda at, _: _MONTHS[at.date[1] - 1],
    "c": lambda at, _: f"{_local_date(at)}, {_local_time(at)}",
    "C": lambda at, _: at.date[0] // 100,
    "d": lambda at, _: at.date[2],
    "e": lambda at, _: at.date[2],
    "h": lambda at, _: _MONTHS[at.date[1] - 1][:3],
    "H": lambda at, _: at.second // 3600,
    "I": lambda at, _: _hour12(at),
    "j": lambda at, _: at.day_of_year,
    "k": lambda at, _: at.second // 3600,
    "l": lambda at, _: _hour12(at),
    "L": lambda at, _: at.thousandths,
    "m": lambda at, _: at.date[1],
    "M": lambda at, _: at.second // 60 % 60,
    "n": lambda _at, _: "\n",
    "p": lambda at, _: "AM" if at.second < 43200 else "PM",
    "P": lambda at, _: "am" if at.second < 43200 else "pm",
    "q": lambda at, _: _ordinal(at.date[2]),
    "s": lambda at, _: int(at.instant // 1000),
    "S": lambda at, _: at.second % 60,
    "t": lambda _at, _: "\t",
    "u": lambda at, _: at.weekday or 7,
    "U": lambda at, _: _week(at, 0),
    "w": lambda at, _: at.weekday,
    "W": lambda at, _: _week(at, 1),
    "x": lambda at, _: _local_date(at),
    "X": lambda at, _: _local_time(at),
    "y": lambda at, _: at.date[0] % 100,
    "Y": lambda at, _: at.date[0],
    "z": _offset,
    "Z": lambda at, flags: at.zone or _offset(at, flags),
    "%": lambda _at, _: "%",
}


def _formatted(run: Run, moment: Moment, form: str) -> str:
    run.use(len(form))

    def replace(found: re.Match[str]) -> str:
        run.step(2)
        flags, width, code = found[1] or "", found[2], found[4]
        if code != "N" and code not in _CODES:
            return found[0]
        wide = _wide(width)
        run.use(wide)
        if code == "N":
            digits = f"{moment.thousandths:03d}"[: wide or 9].ljust(wide or 9, "0")
        else:
            digits = str(_CODES[code](moment, flags))
        return _padded(digits, code, flags, wide)

    return _DIRECTIVE.sub(replace, form)


def _wide(width: str | None) -> int:
    if width and (len(width) > 9 or int(width) > MAX_OUTPUT):
        raise LiquidFault("The Liquid filter date got a width that is too large")
    return int(width or 0)


def _padded(text: str, code: str, flags: str, width: int) -> str:
    if "^" in flags:
        text = text.upper()
    elif "#" in flags:
        text = text.upper() if re.search("[a-z]", text) else text.lower()
    width = 0 if "-" in flags else width or _WIDTHS.get(code, 0)
    fill = " " if code in _PADDED_WITH_SPACES else "0"
    if "_" in flags:
        fill = " "
    elif "0" in flags:
        fill = "0"
    if fill == "0" and text.startswith("-"):
        return "-" + text[1:].rjust(width - 1, "0")
    return text.rjust(width, fill)


# ---- the filters ---------------------------------------------------------------------------------------------


def _date(run: Run, value: Any, form: Any = UNDEFINED, zone: Any = UNDEFINED) -> Any:
    """Format a time; what is none comes out as it went in."""
    run.use(len(value) if isinstance(value, str) or is_list(value) else 0)
    moment = _moment(run, value, zone)
    if moment is None:
        return value
    form = to_value(form)
    return _formatted(run, moment, _FORMAT if is_nil(form) else printed(form, run))


def _date_in(form: str) -> Callable[..., Any]:
    def filter_(run: Run, value: Any) -> Any:
        moment = _moment(run, value)
        return value if moment is None else _formatted(run, moment, form)

    return filter_


def _date_with(month: str) -> Callable[..., Any]:
    def filter_(run: Run, value: Any, kind: Any = UNDEFINED, style: Any = UNDEFINED) -> Any:
        moment = _moment(run, value)
        if moment is None:
            return value
        if kind != "ordinal":
            return _formatted(run, moment, f"%d {month} %Y")
        day = moment.date[2]
        return _formatted(run, moment, f"{month} {day}%q, %Y" if style == "US" else f"{day}%q {month} %Y")

    return filter_


DATES: Final[Mapping[str, Callable[..., Any]]] = {
    "date": _date,
    "date_to_long_string": _date_with("%B"),
    "date_to_rfc822": _date_in("%a, %d %b %Y %H:%M:%S %z"),
    "date_to_string": _date_with("%b"),
    "date_to_xmlschema": _date_in("%Y-%m-%dT%H:%M:%S%:z"),
}

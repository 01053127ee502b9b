"""
Dates as JavaScript reads them from text: ISO 8601, or, where it is none, by guessing as the engine V8 does.

The guess takes words and numbers as they come: up to three numbers of a date and the name of a month, a time with
colons, `AM` or `PM`, a zone, and remarks in brackets. Words before the first number are passed by.

Source: the ECMAScript specification (date time string format), and trials of V8, which Node runs.
"""

import math
import re
from typing import Final

DAY: Final = 86_400_000
_ISO = re.compile(
    r"([0-9]{4}|\+[0-9]{6}|-(?!000000)[0-9]{6})(?:-([0-9]{2})(?:-([0-9]{2}))?)?"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_TOKEN = re.compile(r"(?P<number>[0-9]+)|(?P<word>[A-Za-z]+)|(?P<space>\s+)|(?P<sign>.)", re.DOTALL)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES: Final = {
    "utc": 0, "gmt": 0, "ut": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5,
    "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
_LONGEST: Final = 200
"""Longer texts are no dates; JavaScript finds none in them either, but for remarks."""


def date_to_days(year: int, month: int, day: int) -> int:
    """Count the days since 1970, in years of either sign; `day` may be past the end of the month."""
    # Years begin in March here, so that the day that leap years add comes last.
    shifted = year - (month < 3)
    era = shifted // 400
    in_era = shifted - era * 400
    in_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + in_era * 365 + in_era // 4 - in_era // 100 + in_year - 719_468


def days_to_date(days: int) -> tuple[int, int, int]:
    """Give year, month and day of so many days since 1970."""
    days += 719_468
    era = days // 146_097
    left = days - era * 146_097
    in_era = (left - left // 1460 + left // 36_524 - left // 146_096) // 365
    in_year = left - (365 * in_era + in_era // 4 - in_era // 100)
    month = (5 * in_year + 2) // 153
    day = in_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return in_era + era * 400 + (month <= 2), month, day


def read_date(text: str) -> float:
    """Give the milliseconds since 1970; NaN for what is no date. Without a zone it is UTC."""
    if len(text) > _LONGEST:
        return math.nan
    iso = _ISO.fullmatch(text)
    found = _read_iso(iso) if iso else None
    return _Guess(text).milliseconds() if found is None else found


def _read_iso(found: re.Match[str]) -> float | None:
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    if not (1 <= int(month or 1) <= 12 and 1 <= int(day or 1) <= 31):
        return None
    clock = int(hour or 0), int(minute or 0), int(second or 0), int(((fraction or "0") + "00")[:3])
    if not _is_clock(clock):
        return None
    ahead = 0
    if zone and zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            return None
        ahead = (-1 if zone[0] == "-" else 1) * (hours * 60 + minutes)
    return _instant((int(year), int(month or 1), int(day or 1)), clock, ahead)


def _is_clock(clock: tuple[int, int, int, int]) -> bool:
    hour, minute, second, thousandths = clock
    return (hour < 24 and minute < 60 and second < 60) or (hour == 24 and minute == second == thousandths == 0)


def _instant(date: tuple[int, int, int], clock: tuple[int, int, int, int], minutes_ahead: int) -> float:
    hour, minute, second, thousandths = clock
    of_day = ((hour * 60 + minute - minutes_ahead) * 60 + second) * 1000 + thousandths
    return float(date_to_days(*date) * DAY + of_day)


class _Guess:
    """V8's way with texts that are not ISO 8601."""

    def __init__(self, text: str) -> None:
        self.tokens = [(str(found.lastgroup), found[0]) for found in _TOKEN.finditer(text)]
        self.at = 0
        self.days: list[int] = []
        self.month: int | None = None
        self.clock: list[int] = []
        self.clock_done = False
        self.noon: int | None = None
        self.zone_sign: int | None = None
        self.zone_hour: int | None = None
        self.zone_minute: int | None = None
        self.number_read = False

    def milliseconds(self) -> float:
        """Give the milliseconds since 1970, NaN for what is no date."""
        while self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            self.at += 1
            if not self._take(kind, text):
                return math.nan
        date, clock, ahead = self._date(), self._clock(), self._ahead()
        return math.nan if date is None or clock is None else _instant(date, clock, ahead)

    def _take(self, kind: str, text: str) -> bool:
        match kind:
            case "number":
                self.number_read = True
                return self._number(int(text[:9]))
            case "word":
                return self._word(text.lower())
            case "sign" if text in "+-" and (self._in_utc() or self.clock):
                return self._zone(text)
            case "sign" if text in "+-)" and self.number_read:
                return False
            case "sign" if text == "(":
                self._remark()
        return True

    def _peek(self, wanted: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][1] == wanted

    def _skip(self, wanted: str) -> bool:
        found = self._peek(wanted)
        self.at += found
        return found

    def _next_is(self, kind: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][0] == kind

    def _number(self, number: int) -> bool:
        if self._skip(":"):
            if self._skip(":"):
                if self.clock:
                    return False
                self.clock += [number, 0]
                return True
            self._skip(".")
            return self._add_clock(number)
        if self._peek(".") and self._expects(number):
            self.at += 1
            self._add_clock(number)
            if not self._next_is("number"):
                return False
            digits = self.tokens[self.at][1]
            self.at += 1
            self.clock += [0] * (3 - len(self.clock))
            self.clock.append(int((digits + "00")[:3]))
            self.clock_done = True
            return True
        # V8 takes a point after a number of the date along.
        self._skip(".")
        if self.zone_hour is not None and self.zone_minute is None:
            self.zone_minute = number
            return True
        if self._expects(number):
            self.clock.append(number)
            self.clock_done = True
            self.clock += [0] * (4 - len(self.clock))
            ends = self.at >= len(self.tokens) or self._next_is("space") or self._peek("+") or self._peek("-")
            return ends or (self._next_is("word") and self.tokens[self.at][1].lower() == "z")
        if len(self.days) == 3:
            return False
        self.days.append(number)
        self._skip("-")
        return True

    def _expects(self, number: int) -> bool:
        return (len(self.clock) in (1, 2) and number < 60) or (len(self.clock) == 3 and number < 1000)

    def _add_clock(self, number: int) -> bool:
        if len(self.clock) >= 4:
            return False
        self.clock.append(number)
        return True

    def _word(self, word: str) -> bool:
        if word in ("am", "pm") and self.clock:
            self.noon = 12 if word == "pm" else 0
        elif word[:3] in _MONTHS:
            self.month = _MONTHS.index(word[:3]) + 1
            self._skip("-")
        elif word in _ZONES and self.number_read:
            hours = _ZONES[word]
            self.zone_sign, self.zone_hour, self.zone_minute = (-1 if hours < 0 else 1), abs(hours), 0
        else:
            # A strange word may only stand before the first number, and apart from it.
            return not self.number_read and not self._next_is("number")
        return True

    def _in_utc(self) -> bool:
        return self.zone_hour == 0 and self.zone_minute == 0

    def _zone(self, sign: str) -> bool:
        self.zone_sign = 1 if sign == "+" else -1
        digits = ""
        if self._next_is("number"):
            digits = self.tokens[self.at][1]
            self.at += 1
        self.number_read = True
        number = int(digits[:9] or 0)
        if self._peek(":"):
            self.zone_hour, self.zone_minute = number, None
            self.at += 1
        elif len(digits) in (1, 2):
            self.zone_hour, self.zone_minute = number, 0
        elif len(digits) in (3, 4):
            self.zone_hour, self.zone_minute = divmod(number, 100)
        else:
            return False
        return True

    def _remark(self) -> None:
        depth = 1
        while depth and self.at < len(self.tokens):
            depth += {"(": 1, ")": -1}.get(self.tokens[self.at][1], 0)
            self.at += 1

    def _date(self) -> tuple[int, int, int] | None:
        if not self.days:
            return None
        # What is left out is 1, also the year: 2001.
        first, second, third = [*self.days, 1, 1][:3]
        begins_with_day = 1 <= first <= 31
        if self.month is None:
            year, month, day = (third, first, second) if begins_with_day else (first, second, third)
        else:
            month = self.month
            year, day = (second, first) if begins_with_day else (first, second)
        if 0 <= year <= 49:
            year += 2000
        elif 50 <= year <= 99:
            year += 1900
        return (year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None

    def _clock(self) -> tuple[int, int, int, int] | None:
        hour, minute, second, thousandths = [*self.clock, 0, 0, 0, 0][:4]
        if self.noon is not None:
            if not 0 <= hour <= 12:
                return None
            hour = hour % 12 + self.noon
        clock = hour, minute, second, thousandths
        return clock if _is_clock(clock) else None

    def _ahead(self) -> int:
        if self.zone_hour is None or self.zone_sign is None:
            return 0
        return self.zone_sign * (self.zone_hour * 60 + (self.zone_minute or 0))

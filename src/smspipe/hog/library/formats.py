"""How `formatDateTime` writes a datetime: the tokens of ClickHouse, with PostHog's meaning of each."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _half_day(moment: datetime) -> str:
    return f"{(moment.hour - 1) % 12 + 1:02}"


def _am_pm(moment: datetime) -> str:
    return "AM" if moment.hour < 12 else "PM"


def _offset(moment: datetime) -> str:
    return moment.strftime("%z")[:5]


_TOKENS: Final[dict[str, Callable[[datetime], str]]] = {
    "a": lambda moment: _WEEKDAYS[moment.weekday()][:3],
    "b": lambda moment: _MONTHS[moment.month - 1][:3],
    "c": lambda moment: f"{moment.month:02}",
    "C": lambda moment: f"{moment.year % 100:02}",
    "d": lambda moment: f"{moment.day:02}",
    "D": lambda moment: f"{moment.month:02}/{moment.day:02}/{moment.year % 100:02}",
    "e": lambda moment: str(moment.day),
    "f": lambda moment: f"{moment.microsecond // 1000:03}",
    "F": lambda moment: f"{moment.year:04}-{moment.month:02}-{moment.day:02}",
    "g": lambda moment: f"{moment.year % 100:02}",
    "G": lambda moment: f"{moment.year:04}",
    "h": _half_day,
    "H": lambda moment: f"{moment.hour:02}",
    "i": lambda moment: f"{moment.minute:02}",
    "I": _half_day,
    "j": lambda moment: f"{moment.timetuple().tm_yday:03}",
    "k": lambda moment: f"{moment.hour:02}",
    "l": _half_day,
    "m": lambda moment: f"{moment.month:02}",
    "M": lambda moment: _MONTHS[moment.month - 1],
    "n": lambda _: "\n",
    "p": _am_pm,
    "Q": lambda moment: str((moment.month - 1) // 3 + 1),
    "r": lambda moment: f"{_half_day(moment)}:{moment.minute:02} {_am_pm(moment)}",
    "R": lambda moment: f"{moment.hour:02}:{moment.minute:02}",
    "s": lambda moment: f"{moment.second:02}",
    "S": lambda moment: f"{moment.second:02}",
    "t": lambda _: "\t",
    "T": lambda moment: f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}",
    "u": lambda moment: str(moment.isoweekday()),
    "V": lambda moment: f"{moment.isocalendar().week:02}",
    "w": lambda moment: str(moment.isoweekday()),
    "W": lambda moment: _WEEKDAYS[moment.weekday()],
    "y": lambda moment: f"{moment.year % 100:02}",
    "Y": lambda moment: f"{moment.year:04}",
    "z": _offset,
    "%": lambda _: "%",
}


def format_date(moment: datetime, pattern: str) -> str:
    """Write a datetime by a pattern; a token that does not exist vanishes, all other text stays, apostrophes too."""
    pieces = pattern.split("%")
    written = [pieces[0]]
    index = 1
    while index < len(pieces):
        piece = pieces[index]
        if not piece and index + 1 < len(pieces):  # "%%"
            written.append("%" + pieces[index + 1])
            index += 2
            continue
        token = _TOKENS.get(piece[:1])
        written.append((token(moment) if token else "") + piece[1:])
        index += 1
    return "".join(written)

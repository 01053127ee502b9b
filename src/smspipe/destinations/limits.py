"""Read the options that limit how many texts leave, what they may cost, and when: caps, budgets and quiet hours."""

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from smspipe.model.errors import Invalid
from smspipe.model.limits import Budget, By, Cap, QuietHours, QuietWindow, Then
from smspipe.model.zones import is_zone

MOST_CAPS: Final = 8
MOST_TEXTS: Final = 100_000
LONGEST_CAP_SECONDS: Final = 2_678_400
"""31 days."""
LONGEST_TWIN_SECONDS: Final = 604_800
"""7 days."""
MOST_WINDOWS: Final = 28
LONGEST_HOLD_SECONDS: Final = 604_800
MOST_SEGMENTS: Final = 1_000_000_000
MOST_MONEY: Final = 1_000_000_000
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TIME: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
MONEY: Final = r"^[0-9]{1,10}(\.[0-9]{1,6})?$"
CURRENCY: Final = "^[A-Z]{3}$"
_MINUTES: Final = 24 * 60
_BUDGET_KEYS: Final = (
    "segments_per_day", "segments_per_month", "money_per_day", "money_per_month", "currency", "timezone",
)  # fmt: skip


def read_caps(value: Any, field: str = "smspipe__caps") -> tuple[Cap, ...]:
    """
    Read a list of caps: `[{"texts": 1, "per": 60}, {"texts": 5, "per": 900, "by": "person", "across": true}]`.

    Raises:
        Invalid: `field` says which and what would be right.
    """
    if not isinstance(value, list | tuple) or len(value) > MOST_CAPS:
        raise Invalid(f'caps must be a list of up to {MOST_CAPS} such as [{{"texts": 1, "per": 60}}].', field=field)
    return tuple(_cap(each, f"{field}__{place}") for place, each in enumerate(value))


def _cap(value: Any, field: str) -> Cap:
    given = _object(value, ("texts", "per", "by", "across"), field)
    by = given.get("by", By.NUMBER.value)
    if by not in list(By):
        raise Invalid('by must be "number" or "person".', field=f"{field}__by")
    across = given.get("across", False)
    if not isinstance(across, bool):
        raise Invalid("across must be true or false.", field=f"{field}__across")
    return Cap(
        texts=_whole(given.get("texts"), "texts", 1, MOST_TEXTS, f"{field}__texts"),
        per=timedelta(seconds=_whole(given.get("per"), "per", 1, LONGEST_CAP_SECONDS, f"{field}__per", "seconds")),
        by=By(by),
        across=across,
    )


def read_refuse_identical(value: Any) -> timedelta:
    """Read for how long words that another destination sent are refused."""
    name = "refuse_identical"
    return timedelta(seconds=_whole(value, name, 1, LONGEST_TWIN_SECONDS, f"smspipe__{name}", "seconds"))


def read_budget(value: Any, field: str = "smspipe__budget") -> Budget | None:
    """
    Read a budget: `{"segments_per_day": 500, "money_per_month": "200.00", "currency": "USD", "timezone": "UTC"}`.

    Returns:
        None where it has no limit.

    Raises:
        Invalid: `field` says which key, and what would be right.
    """
    given = {key: each for key, each in _object(value, _BUDGET_KEYS, field).items() if each is not None}
    currency, zone = given.get("currency", "USD"), given.get("timezone", "UTC")
    if not isinstance(currency, str) or not re.fullmatch(CURRENCY, currency):
        raise Invalid("currency must be three capital letters, such as USD.", field=f"{field}__currency")
    _check_zone(zone, f"{field}__timezone")
    limits: dict[str, Any] = {}
    for key in ("segments_per_day", "segments_per_month"):
        if key in given:
            limits[key] = _whole(given[key], key, 0, MOST_SEGMENTS, f"{field}__{key}")
    for key in ("money_per_day", "money_per_month"):
        if key in given:
            limits[key] = _money(given[key], key, f"{field}__{key}")
    return Budget(**limits, currency=currency, timezone=zone) if limits else None


def read_quiet_hours(value: Any, field: str = "smspipe__quiet_hours") -> QuietHours:
    """
    Read quiet hours: `{"windows": [{"days": ["mon"], "from": "21:00", "to": "08:00"}], "then": "hold"}`.

    Raises:
        Invalid: `field` says which key, and what would be right; or no minute of the week is left.
    """
    given = _object(value, ("windows", "timezone", "then", "max_hold"), field)
    windows = given.get("windows")
    if not isinstance(windows, list | tuple) or not 1 <= len(windows) <= MOST_WINDOWS:
        raise Invalid(
            f'windows must be a list of 1 to {MOST_WINDOWS} such as [{{"from": "21:00", "to": "08:00"}}].',
            field=f"{field}__windows",
        )
    read = tuple(_window(each, f"{field}__windows__{place}") for place, each in enumerate(windows))
    if _cover_the_week(read):
        raise Invalid("These windows leave no minute of the week in which a text may leave.", field=f"{field}__windows")
    zone, then, longest = given.get("timezone"), given.get("then", Then.HOLD.value), given.get("max_hold")
    if zone is not None:
        _check_zone(zone, f"{field}__timezone")
    if then not in list(Then):
        raise Invalid('then must be "hold" or "drop".', field=f"{field}__then")
    return QuietHours(
        windows=read,
        timezone=zone,
        then=Then(then),
        max_hold=None
        if longest is None
        else timedelta(seconds=_whole(longest, "max_hold", 1, LONGEST_HOLD_SECONDS, f"{field}__max_hold", "seconds")),
    )


def _window(value: Any, field: str) -> QuietWindow:
    given = _object(value, ("days", "from", "to"), field)
    days = given.get("days", DAYS)
    if not isinstance(days, list | tuple) or not days or not all(each in DAYS for each in days):
        raise Invalid(f"days must be a list with some of {', '.join(DAYS)}.", field=f"{field}__days")
    return QuietWindow(
        days=frozenset(DAYS.index(each) for each in days),
        start=_time(given.get("from"), "from", f"{field}__from"),
        end=_time(given.get("to"), "to", f"{field}__to"),
    )


def _time(value: Any, name: str, field: str) -> time:
    if not isinstance(value, str) or not re.fullmatch(TIME, value) or (name == "from" and value == "24:00"):
        raise Invalid(f"{name} must be a time of day such as 21:00.", field=field)
    hour, minute = value.split(":")
    return time(int(hour) % 24, int(minute))


def _cover_the_week(windows: Sequence[QuietWindow]) -> bool:
    quiet: set[int] = set()
    for window in windows:
        start = window.start.hour * 60 + window.start.minute
        end = window.end.hour * 60 + window.end.minute
        length = (end - start) % _MINUTES or _MINUTES
        for day in window.days:
            begins = day * _MINUTES + start
            quiet.update(minute % (7 * _MINUTES) for minute in range(begins, begins + length))
    return len(quiet) == 7 * _MINUTES


def _object(value: Any, keys: Sequence[str], field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"This must be an object with some of {', '.join(keys)}.", field=field)
    for key in value:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(keys)}."
            raise Invalid(f"There is no key {str(key)[:60]!r} here. {hint}", field=f"{field}__{key}", hint=hint)
    return value


def _whole(value: Any, name: str, least: int, most: int, field: str, unit: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(f"{name} must be a whole number from {least} to {most}{unit and ' '}{unit}.", field=field)
    return value


def _money(value: Any, name: str, field: str) -> Decimal:
    try:
        amount = Decimal(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not 0 <= amount <= MOST_MONEY:
        raise Invalid(f'{name} must be an amount of money such as "10.00".', field=field)
    return amount


def _check_zone(value: Any, field: str) -> None:
    if not is_zone(value):
        raise Invalid("timezone must be the name of an IANA time zone, such as America/New_York.", field=field)

"""
Quiet hours: no text while it is night, by the clock on the wall, where its recipient is.

Where that is comes from the first that knows: the person's `timezone`, PostHog's GeoIP property, the number, the
destination. A number often leaves several zones open; then a text leaves only when it may in every one of them.

A wall clock that is set back shows some minutes twice, and one that is set forward skips some. Nothing is assumed about
either: a minute is quiet when the clock shows a quiet time in it, and the first minute in which it does not is found by
going from the end of one stretch of equal offset to the next.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import NumberParseException

from smspipe.guards.case import Case, Delay, Verdict
from smspipe.guards.spans import spell
from smspipe.model.limits import QuietHours, QuietWindow, Then
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.zones import is_zone

STEP: Final = "quiet_hours"
ZONES: Final = "zones"
"""The key of a step's data that keeps the zones, so that the text is judged by the same ones when it leaves."""
_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_LONGEST_SEARCH: Final = timedelta(days=9)
"""Windows repeat every week; what is not allowed within one and a change of the clocks never is."""
_MOST_ZONES: Final = 20
"""More than any country has: a number that is of no place in North America leaves forty open, and so tells nothing."""
_UNKNOWN: Final = "Etc/Unknown"
_SHARED_CODE: Final = 1
"""The calling code that twenty-five countries share: there the area code says more than the country."""


def check_quiet_hours(case: Case) -> Verdict:
    """Let a text wait until its recipient's night is over, or refuse it."""
    quiet = case.destination.quiet_hours
    if quiet is None:
        return None
    zones, source = find_zones(case, quiet)
    where = f"{', '.join(zones[:3])}{' …' if len(zones) > 3 else ''}"
    data = {ZONES: list(zones)}
    until = first_allowed(case.now, zones, quiet.windows)
    if until is not None and until <= case.now:
        saw = f"It is {_clock(case.now, zones[0])} where the recipient is ({where}, from {source})."
        return Step(name=STEP, ok=True, saw=saw, data=data)
    saw = f"It is {_clock(case.now, zones[0])} where the recipient is ({where}, from {source}), within quiet hours"
    if until is None:
        return Refusal(reason=Reason.QUIET_HOURS, saw=f"{saw}, which never end in all of these zones at once.")
    if quiet.then is Then.DROP:
        return Refusal(reason=Reason.QUIET_HOURS, saw=f"{saw} until {_instant(until)}.", until=until)
    longest = quiet.max_hold or case.destination.max_age
    last = min(case.now + longest, case.event.timestamp + case.destination.max_age)
    if until > last:
        return Refusal(
            reason=Reason.QUIET_HOURS,
            saw=f"{saw} until {_instant(until)}, and no text of this destination waits longer than "
            f"{spell(min(longest, case.destination.max_age))}.",
            until=until,
        )
    return Delay(reason=Reason.QUIET_HOURS, until=until, saw=f"{saw}: it waits until {_instant(until)}.", data=data)


def find_zones(case: Case, quiet: QuietHours) -> tuple[tuple[str, ...], str]:
    """Name the zones that the recipient may be in, and in words where that was read."""
    person = {} if case.person is None else case.person.properties
    for given, source in (
        (person.get("timezone"), "the person's timezone"),
        (case.event.properties.get("$geoip_time_zone"), "the event's GeoIP"),
        (person.get("$geoip_time_zone"), "the person's GeoIP"),
    ):
        if is_zone(given):
            return (given,), source
    return zones_of(case.message.to, quiet)


def zones_of(number: str, quiet: QuietHours) -> tuple[tuple[str, ...], str]:
    """Name the zones of a number, or the destination's when it has none, and in words which it was."""
    if zones := zones_of_number(number.rpartition(":")[2]):
        return zones, "the number"
    if quiet.timezone is not None:
        return (quiet.timezone,), "the destination"
    return ("UTC",), "nothing: no zone is known"


@lru_cache(maxsize=16_384)
def zones_of_number(number: str) -> tuple[str, ...]:
    """
    Name the zones that a number in E.164 may be in; none when that cannot be told.

    Source:
        libphonenumber's `timezones/map_data.txt`. A mobile number of most countries may be anywhere in its country.
    """
    from phonenumbers import timezone  # 0.4 MiB that no destination without quiet hours should pay

    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        return ()
    look_up = (
        timezone.time_zones_for_geographical_number
        if parsed.country_code == _SHARED_CODE
        else timezone.time_zones_for_number
    )
    zones = tuple(sorted(zone for zone in look_up(parsed) if zone != _UNKNOWN and is_zone(zone)))
    return zones if len(zones) <= _MOST_ZONES else ()


def first_allowed(at: datetime, zones: Sequence[str], windows: Sequence[QuietWindow]) -> datetime | None:
    """
    Give the first instant from `at` on that is quiet in none of the zones: `at` itself where it is allowed.

    Args:
        at: an aware instant.
        zones: IANA names, one at least.
        windows: when it is quiet.

    Returns:
        None when there is no such instant.
    """
    places = [ZoneInfo(zone) for zone in zones]
    latest = at + _LONGEST_SEARCH
    while at < latest:
        ends = [end for place in places if (end := _quiet_until(at, place, windows)) is not None]
        if not ends:
            return at
        at = max(ends)
    return None


def _quiet_until(at: datetime, zone: ZoneInfo, windows: Sequence[QuietWindow]) -> datetime | None:
    """Give an instant up to which it is certainly quiet from `at` on; None when it is not quiet at all."""
    local = at.astimezone(zone)
    offset = local.utcoffset()
    wall = local.replace(tzinfo=None)
    end = max((end for window in windows for end in _ends(wall, window)), default=None)
    if end is None:
        return None
    until = at + (end - wall)
    if until.astimezone(zone).utcoffset() == offset:
        return until
    # The clocks change before that: from there on the wall shows something else.
    low, high = at, until
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _ends(wall: datetime, window: QuietWindow) -> Iterator[datetime]:
    """Give the ends of a window's stretches that hold a time on the wall, of that day and of the one before."""
    for began in (wall.date(), wall.date() - _DAY):
        if began.weekday() in window.days:
            start = datetime.combine(began, window.start)
            end = datetime.combine(began if window.end > window.start else began + _DAY, window.end)
            if start <= wall < end:
                yield end


def _clock(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%a %H:%M}"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

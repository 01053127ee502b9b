"""Quiet hours: never inside them by the recipient's clock, and never later than need be."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import pytest

from smspipe.guards import Delay
from smspipe.guards.quiet_hours import check_quiet_hours, first_allowed, zones_of_number
from smspipe.model.limits import QuietHours, QuietWindow, Then
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import E164
from smspipe.model.zones import is_zone
from tests.guards.test_check import a_case
from tests.pipeline.conftest import ADA, HOUR, a_destination, an_event

MINUTE = timedelta(minutes=1)
EVERY_DAY = frozenset(range(7))
NIGHT = QuietWindow(days=EVERY_DAY, start=time(21), end=time(8))
SUNDAY = QuietWindow(days=frozenset({6}), start=time(0), end=time(12))
SMALL_HOURS = QuietWindow(days=EVERY_DAY, start=time(1, 30), end=time(2, 30))
"""Begins and ends where most clocks change."""


def is_quiet(at: datetime, zone: str, windows: tuple[QuietWindow, ...]) -> bool:
    """Read the clock on the wall, and look into the windows: the specification, in as many words."""
    wall = at.astimezone(ZoneInfo(zone))
    now, day = wall.time().replace(tzinfo=None), wall.weekday()
    for window in windows:
        if window.start < window.end:
            if day in window.days and window.start <= now < window.end:
                return True
        elif (day in window.days and now >= window.start) or ((day - 1) % 7 in window.days and now < window.end):
            return True
    return False


def transitions(zone: str, since: datetime, until: datetime) -> list[datetime]:
    """Find the instants at which a zone's clocks change, to the minute."""
    place, found, at = ZoneInfo(zone), [], since
    while at < until:
        after = at + timedelta(days=7)
        if at.astimezone(place).utcoffset() != after.astimezone(place).utcoffset():
            low, high = at, after
            while high - low > MINUTE:
                middle = low + (high - low) // 2 // MINUTE * MINUTE
                same = middle.astimezone(place).utcoffset() == at.astimezone(place).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        at = after
    return found


def first_by_looking(at: datetime, zone: str, windows: tuple[QuietWindow, ...]) -> datetime:
    """Walk minute by minute to the first that is not quiet."""
    while is_quiet(at, zone, windows):
        at = at.replace(second=0, microsecond=0) + MINUTE
    return at


ZONES = sorted(zone for zone in available_timezones() if is_zone(zone))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_in_every_zone_around_every_change_of_the_clocks_of_three_years_it_is_the_first_allowed_minute(
    part: int,
) -> None:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
    seen: set[tuple[Any, ...]] = set()
    for zone in ZONES[part::8]:
        changes = transitions(zone, since, until)
        place = ZoneInfo(zone)
        # Many zones share their rules: the same changes and offsets are looked at once.
        rules = (since.astimezone(place).utcoffset(), tuple((at, at.astimezone(place).utcoffset()) for at in changes))
        if rules in seen:
            continue
        seen.add(rules)
        for change in changes or [since + timedelta(days=100)]:
            for windows in ((NIGHT,), (SMALL_HOURS,)):
                for minutes in (-900, -200, -61, -60, -31, -1, 0, 1, 29, 30, 59, 60, 90, 700):
                    at = change + minutes * MINUTE
                    found = first_allowed(at, (zone,), windows)
                    assert found == first_by_looking(at, zone, windows), (zone, at)


@pytest.mark.parametrize("zone", ["Europe/Vienna", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_any_instant_of_a_week_waits_to_the_very_minute(zone: str) -> None:
    began = datetime(2026, 3, 1, tzinfo=UTC)
    for hours in range(0, 24 * 8, 5):
        at = began + timedelta(hours=hours, minutes=hours % 60, seconds=17)
        assert first_allowed(at, (zone,), (NIGHT, SUNDAY)) == first_by_looking(at, zone, (NIGHT, SUNDAY))


def test_with_several_zones_it_is_allowed_only_where_it_is_in_every_one() -> None:
    zones = ("America/New_York", "America/Los_Angeles")
    at = datetime(2026, 3, 2, 13, tzinfo=UTC)  # 08:00 in New York, 05:00 in Los Angeles
    assert first_allowed(at, zones[:1], (NIGHT,)) == at
    assert first_allowed(at, zones, (NIGHT,)) == datetime(2026, 3, 2, 16, tzinfo=UTC)


def test_zones_without_a_common_waking_hour_have_no_first_minute() -> None:
    apart = ("Asia/Tokyo", "Europe/London", "America/Los_Angeles")
    assert first_allowed(datetime(2026, 3, 2, tzinfo=UTC), apart, (NIGHT,)) is None


NEW_YORK_NIGHT = datetime(2026, 3, 2, 5, tzinfo=UTC)  # midnight
QUIET = QuietHours(windows=(NIGHT,), timezone="America/New_York")


def at_night(quiet: QuietHours = QUIET, number: str = "+12125550123", **fields: Any) -> Any:
    case = a_case(now=NEW_YORK_NIGHT, event=an_event(timestamp=NEW_YORK_NIGHT), destination=a_destination(
        quiet_hours=quiet))  # fmt: skip
    text = msgspec.structs.replace(case.message, to=E164(number))
    return check_quiet_hours(msgspec.structs.replace(case, message=text, **fields))


def test_at_night_it_waits_until_the_morning() -> None:
    verdict = at_night()
    assert isinstance(verdict, Delay)
    assert verdict.until == datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert "from the number" in verdict.saw
    assert verdict.data == {"zones": ["America/New_York"]}


@pytest.mark.parametrize(
    ("person", "event", "zone", "source"),
    [
        ({"timezone": "Asia/Tokyo"}, {"$geoip_time_zone": "Europe/Rome"}, "Asia/Tokyo", "the person's timezone"),
        ({"timezone": "../etc/passwd"}, {"$geoip_time_zone": "Europe/Rome"}, "Europe/Rome", "the event's GeoIP"),
        ({"$geoip_time_zone": "Asia/Dubai"}, {}, "Asia/Dubai", "the person's GeoIP"),
        ({"timezone": 5}, {"$geoip_time_zone": None}, "America/New_York", "the number"),
    ],
    ids=["person", "event", "person's geoip", "number"],
)
def test_the_zone_is_that_of_the_first_who_knows(
    person: dict[str, Any], event: dict[str, Any], zone: str, source: str
) -> None:
    who = msgspec.structs.replace(ADA, properties=person)
    verdict = at_night(person=who, event=an_event(timestamp=NEW_YORK_NIGHT, properties=event))
    assert verdict.data == {"zones": [zone]}
    assert f"from {source}" in verdict.saw


def test_a_number_that_says_nothing_takes_the_destinations_zone() -> None:
    verdict = at_night(number="+88213300000")
    assert "from the destination" in verdict.saw


def test_by_day_the_step_says_where_and_when() -> None:
    verdict = at_night(now=NEW_YORK_NIGHT + 10 * HOUR)
    assert isinstance(verdict, Step)
    assert verdict.saw == "It is Mon 10:00 where the recipient is (America/New_York, from the number)."


def test_drop_refuses_and_says_when_it_would_be_possible() -> None:
    verdict = at_night(msgspec.structs.replace(QUIET, then=Then.DROP))
    assert isinstance(verdict, Refusal)
    assert (verdict.reason, verdict.until) == (Reason.QUIET_HOURS, datetime(2026, 3, 2, 13, tzinfo=UTC))


@pytest.mark.parametrize(("hold", "refused"), [(8 * HOUR, False), (8 * HOUR - MINUTE, True)], ids=["8 h", "less"])
def test_what_would_wait_longer_than_the_set_age_is_refused(hold: timedelta, refused: bool) -> None:
    verdict = at_night(msgspec.structs.replace(QUIET, max_hold=hold))
    assert isinstance(verdict, Refusal if refused else Delay)


def test_what_would_be_too_old_in_the_morning_is_refused_at_once() -> None:
    verdict = at_night(event=an_event(timestamp=NEW_YORK_NIGHT - 20 * HOUR))
    assert isinstance(verdict, Refusal)


@pytest.mark.parametrize(
    ("number", "zones"),
    [
        ("+12125550123", ("America/New_York",)),
        ("+18085550123", ("Pacific/Honolulu",)),
        ("+4366412345678", ("Europe/Vienna",)),
        ("no number", ()),
        ("+15005550009", ()),
        ("+88213300000", ()),
    ],
)
def test_the_zones_of_numbers(number: str, zones: tuple[str, ...]) -> None:
    assert zones_of_number(number) == zones


def test_a_mobile_number_of_a_wide_country_may_be_in_any_of_its_zones() -> None:
    assert {"Europe/Moscow", "Asia/Vladivostok"} <= set(zones_of_number("+79161234567"))


@pytest.mark.parametrize("name", ["Europe/Vienna", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_zone_is_known_by_its_name(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name", ["", "Europe", "../UTC", "/etc/localtime", "localtime", "Mars/Base", "é", None, 1, "x" * 99]
)
def test_anything_else_is_no_zone(name: Any) -> None:
    assert not is_zone(name)

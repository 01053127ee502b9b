"""Reading the copied properties off an event quickly gives what reading them slowly gives."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smspipe.persons.copied import FLEETING, INITIAL, Readings
from smspipe.persons.merge import operations_of
from tests.persons.conftest import an_event

NAMES = st.sampled_from([*INITIAL, "$os_name", "$is_server", "$groups", "plan", "$lib"])
VALUES = st.sampled_from([None, True, False, 0, 1, "", "x"])
PROPERTIES = st.dictionaries(NAMES, VALUES, max_size=12)


@given(st.lists(PROPERTIES, min_size=1, max_size=4))
def test_a_reading_gives_what_the_operations_set(several: list[dict[str, Any]]) -> None:
    readings = Readings()
    for properties in several:
        reading = readings.known.get(tuple(properties)) or readings.learn(properties)
        told = dict(zip(reading.names, reading.values_of(properties), strict=True))
        assert told == operations_of(an_event(properties=properties)).set
        assert reading.grouped == ("$groups" in properties)


def test_readings_of_the_same_names_are_recognized_whatever_else_there_is() -> None:
    readings = Readings()
    one = readings.learn({"$os": 1, "$browser": 2, "plan": 3})
    other = readings.learn({"amount": 1, "$browser": 2, "$os": 3})
    assert one.names is other.names


def test_events_that_name_changes_are_not_plain() -> None:
    for name in ("$set", "$set_once", "$unset", "$process_person_profile"):
        assert not Readings().learn({name: {}}).plain
    assert Readings().learn({"$browser": "Firefox"}).plain


def test_readings_do_not_grow_without_end() -> None:
    readings = Readings(limit=3)
    for number in range(10):
        readings.learn({f"name {number}": 1})
        assert len(readings.known) <= 3


def test_campaigns_and_versions_of_an_app_are_not_fleeting() -> None:
    assert {"$current_url", "$browser_version", "$geoip_latitude", "$geoip_subdivision_1_name"} <= FLEETING
    assert FLEETING.isdisjoint({"utm_source", "gclid", "$app_version", "$geoip_country_name", "email"})


def test_a_reading_that_depends_on_values_counts_for_one_event_only() -> None:
    readings = Readings()
    for server, names in ((True, ("$browser",)), (False, ("$browser", "$os")), (True, ("$browser",))):
        properties = {"$is_server": server, "$os": "Linux", "$browser": "x"}
        assert (readings.known.get(tuple(properties)) or readings.learn(properties)).names == names

"""What one event asks of profiles, decided without a database."""

from datetime import timedelta
from typing import Any

import pytest

from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from smspipe.persons.merge import (
    GroupUpdate,
    Merge,
    Operations,
    apply,
    groups_named,
    is_illegal,
    is_refused,
    merged,
    operations_of,
    same,
)
from tests.persons.conftest import NOW, an_event


def a_person(id_: str = "p", *, days: int = 0, identified: bool = False, **properties: Any) -> Person:
    return Person(id=PersonId(id_), properties=properties, created_at=NOW + timedelta(days=days), identified=identified)


@pytest.mark.parametrize(
    "illegal",
    [
        *("anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email"),
        *("undefined", "true", "false", "Anonymous", "GUEST", "UnDefined", "TRUE"),
        *("[object Object]", "NaN", "None", "none", "null", "0"),
        *("'anonymous'", '"guest"', '"UNDEFINED"', "'null'", '"[object Object]"', "'0'"),
        *("", " ", "\t\n "),
    ],
)
def test_an_id_that_stands_for_nobody_is_illegal(illegal: str) -> None:
    assert is_illegal(illegal)


@pytest.mark.parametrize(
    "legal", ["ada", "nan", "NULL", "NONE", "00", "[Object object]", "'guest\"", "anonymous1", "1"]
)
def test_an_id_that_only_resembles_an_illegal_one_is_legal(legal: str) -> None:
    assert not is_illegal(legal)


@pytest.mark.parametrize(
    ("name", "properties", "merge"),
    [
        pytest.param("$identify", {"$anon_distinct_id": "anon"}, Merge(other="anon"), id="identify"),
        pytest.param("$create_alias", {"alias": "anon"}, Merge(other="anon"), id="alias"),
        pytest.param("$merge_dangerously", {"alias": "anon"}, Merge(other="anon", forced=True), id="merge"),
        pytest.param("$identify", {"$anon_distinct_id": 17}, Merge(other="17"), id="a number is read as its text"),
        pytest.param("$identify", {"$anon_distinct_id": 17.0}, Merge(other="17"), id="a whole float too"),
        pytest.param("$identify", {"$anon_distinct_id": "a\0b"}, Merge(other="a\ufffdb"), id="NUL is replaced"),
        pytest.param("$identify", {"$anon_distinct_id": "x" * 300}, Merge(other="x" * 200), id="long ids are cut"),
        pytest.param("$identify", {}, None, id="identify alone"),
        pytest.param("$identify", {"alias": "anon"}, None, id="identify reads no alias"),
        pytest.param("$create_alias", {"$anon_distinct_id": "anon"}, None, id="alias reads no anonymous id"),
        pytest.param("$identify", {"$anon_distinct_id": "ada"}, None, id="the same id"),
        pytest.param("$identify", {"$anon_distinct_id": "undefined"}, None, id="an illegal id"),
        pytest.param("$merge_dangerously", {"alias": "null"}, None, id="an illegal id, though forced"),
        pytest.param("$identify", {"$anon_distinct_id": None}, None, id="null"),
        pytest.param("$identify", {"$anon_distinct_id": True}, None, id="true"),
        pytest.param("$identify", {"$anon_distinct_id": {}}, None, id="an object"),
        pytest.param("order shipped", {"alias": "anon", "$anon_distinct_id": "anon"}, None, id="ordinary event"),
    ],
)
def test_an_event_asks_for_a_merge(name: str, properties: dict[str, Any], merge: Merge | None) -> None:
    assert operations_of(an_event(name, properties=properties)).merge == merge


def test_nothing_is_merged_into_an_illegal_id() -> None:
    event = an_event("$identify", "undefined", {"$anon_distinct_id": "anon"})
    assert operations_of(event).merge is None


@pytest.mark.parametrize(
    ("properties", "to_set", "to_set_once"),
    [
        pytest.param({"$set": {"plan": "pro"}}, {"plan": "pro"}, {}, id="$set"),
        pytest.param({"$set_once": {"plan": "pro"}}, {}, {"plan": "pro"}, id="$set_once"),
        pytest.param({"plan": "pro"}, {}, {}, id="other properties stay with the event"),
        pytest.param(
            {"$browser": "Firefox"},
            {"$browser": "Firefox"},
            {"$initial_browser": "Firefox"},
            id="a browser's property is copied",
        ),
        pytest.param(
            {"utm_source": "mail", "gclid": "x"},
            {"utm_source": "mail", "gclid": "x"},
            {"$initial_utm_source": "mail", "$initial_gclid": "x"},
            id="a campaign's properties are copied",
        ),
        pytest.param({"gclid": None}, {"gclid": None}, {}, id="a null is no first value"),
        pytest.param(
            {"$browser": "Firefox", "$set": {"$browser": "mine"}, "$set_once": {"$initial_browser": "first"}},
            {"$browser": "mine"},
            {"$initial_browser": "first"},
            id="what is named comes before what is copied",
        ),
        pytest.param({"$os_name": "iOS"}, {"$os": "iOS"}, {"$initial_os": "iOS"}, id="$os_name is $os"),
        pytest.param(
            {"$os": "Linux", "$os_name": "iOS"}, {"$os": "Linux"}, {"$initial_os": "Linux"}, id="$os before $os_name"
        ),
        pytest.param({"$os": None, "$os_name": "iOS"}, {"$os": "iOS"}, {"$initial_os": "iOS"}, id="$os is null"),
        pytest.param({"$is_server": True, "$os": "Linux", "$os_version": "6"}, {}, {}, id="a server's own system"),
        pytest.param(
            {"$is_server": False, "$os": "iOS"}, {"$os": "iOS"}, {"$initial_os": "iOS"}, id="expressly no server"
        ),
        pytest.param({"$set": "plan", "$set_once": ["plan"], "$unset": 3}, {}, {}, id="shapes that make no sense"),
    ],
)
def test_an_event_sets_properties(
    properties: dict[str, Any], to_set: dict[str, Any], to_set_once: dict[str, Any]
) -> None:
    operations = operations_of(an_event(properties=properties))
    assert (operations.set, operations.set_once, operations.unset) == (to_set, to_set_once, ())


@pytest.mark.parametrize("unset", [["a", "b"], {"a": "", "b": 1}, ["a", 7, None, "b"]])
def test_unset_is_a_list_of_names_or_an_object_with_them_as_keys(unset: Any) -> None:
    assert operations_of(an_event(properties={"$unset": unset})).unset == ("a", "b")


@pytest.mark.parametrize("name", ["$groupidentify", "$exception", "$$heatmap"])
def test_some_events_tell_nothing_of_their_person(name: str) -> None:
    properties = {"$set": {"a": 1}, "$set_once": {"b": 1}, "$unset": ["c"], "$browser": "Firefox"}
    assert operations_of(an_event(name, properties=properties)) == Operations()


def test_an_event_without_a_profile_asks_for_nothing() -> None:
    properties = {"$process_person_profile": False, "$set": {"a": 1}, "$anon_distinct_id": "anon", "$browser": "x"}
    assert operations_of(an_event("$identify", properties=properties)) == Operations(profile=False)


@pytest.mark.parametrize("value", [True, None, 0, "false"])
def test_only_false_does_without_a_profile(value: Any) -> None:
    assert operations_of(an_event(properties={"$process_person_profile": value})).profile


@pytest.mark.parametrize(
    ("properties", "update"),
    [
        pytest.param(
            {"$group_type": "company", "$group_key": "acme", "$group_set": {"tier": "gold"}},
            GroupUpdate(type="company", key="acme", properties={"tier": "gold"}),
            id="a group and what is told of it",
        ),
        pytest.param(
            {"$group_type": "company", "$group_key": 5},
            GroupUpdate(type="company", key="5", properties={}),
            id="a number as key, nothing told",
        ),
        pytest.param({"$group_key": "acme"}, None, id="no type"),
        pytest.param({"$group_type": "company", "$group_key": ""}, None, id="empty key"),
    ],
)
def test_groupidentify_tells_of_a_group(properties: dict[str, Any], update: GroupUpdate | None) -> None:
    assert operations_of(an_event("$groupidentify", properties=properties)).group == update
    assert operations_of(an_event("order shipped", properties=properties)).group is None


def test_an_event_names_groups_by_keys_that_are_texts() -> None:
    event = an_event(properties={"$groups": {"company": "acme", "team": 5, "city": None, "": "x", "club": ""}})
    assert groups_named(event) == [("company", "acme")]
    assert groups_named(an_event(properties={"$groups": ["company"]})) == []


@pytest.mark.parametrize(
    ("before", "operations", "after", "worth"),
    [
        pytest.param({}, Operations(set={"a": 1}), {"a": 1}, True, id="set a new one"),
        pytest.param({"a": 1}, Operations(set={"a": 2}), {"a": 2}, True, id="set again"),
        pytest.param({"a": 1}, Operations(set={"a": 1}), {"a": 1}, False, id="set the same"),
        pytest.param({"a": 1}, Operations(set={"a": True}), {"a": True}, True, id="true is not 1"),
        pytest.param({}, Operations(set_once={"a": 1}), {"a": 1}, True, id="set once"),
        pytest.param({"a": 1}, Operations(set_once={"a": 2}), {"a": 1}, False, id="set once, but there"),
        pytest.param({"a": None}, Operations(set_once={"a": 2}), {"a": None}, False, id="null is there"),
        pytest.param({}, Operations(set_once={"a": 1}, set={"a": 2}), {"a": 2}, True, id="both: $set wins"),
        pytest.param({"a": 1, "b": 2}, Operations(unset=("a",)), {"b": 2}, True, id="unset"),
        pytest.param({"b": 2}, Operations(unset=("a",)), {"b": 2}, False, id="unset what is not there"),
        pytest.param({}, Operations(set={"a": 1}, unset=("a",)), {}, True, id="unset comes last"),
        pytest.param(
            {"$current_url": "/a"}, Operations(set={"$current_url": "/b"}), {"$current_url": "/b"}, False, id="fleeting"
        ),
        pytest.param({}, Operations(set={"$current_url": "/b"}), {"$current_url": "/b"}, True, id="fleeting, but new"),
        pytest.param(
            {"$current_url": "/a"},
            Operations(set={"$current_url": "/b"}, thorough=True),
            {"$current_url": "/b"},
            True,
            id="fleeting, in an event about the person",
        ),
        pytest.param(
            {"$current_url": "/a", "a": 1},
            Operations(set={"$current_url": "/b", "a": 2}),
            {"$current_url": "/b", "a": 2},
            True,
            id="fleeting, along with another",
        ),
    ],
)
def test_operations_change_properties(
    before: dict[str, Any], operations: Operations, after: dict[str, Any], worth: bool
) -> None:
    given = dict(before)
    assert apply(operations, given) == (after, worth)
    assert given == before, "the properties given are shared and stay as they are"


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ([1, {"a": 0}], [1, {"a": 0}], True),
        ([1, {"a": 0}], [1, {"a": False}], False),
        ({"a": [1]}, {"a": [True]}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 1], False),
    ],
)
def test_values_are_the_same_only_with_the_same_types(one: Any, other: Any, equal: bool) -> None:
    assert same(one, other) is equal


def test_of_two_persons_the_surviving_ones_properties_win() -> None:
    into, away = a_person("into", a=1, b=1), a_person("away", b=2, c=2)
    assert merged(into, away) == a_person("into", identified=True, a=1, b=1, c=2)


@pytest.mark.parametrize(("into_days", "away_days"), [(0, 3), (3, 0)])
def test_of_two_persons_the_earlier_time_is_kept(into_days: int, away_days: int) -> None:
    assert merged(a_person("into", days=into_days), a_person("away", days=away_days)).created_at == NOW


@pytest.mark.parametrize(
    ("identified", "forced", "refused"),
    [(False, False, False), (True, False, True), (True, True, False), (False, True, False)],
)
def test_an_identified_person_is_merged_away_only_by_force(identified: bool, forced: bool, refused: bool) -> None:
    assert is_refused(a_person(identified=identified), Merge(other="anon", forced=forced)) is refused

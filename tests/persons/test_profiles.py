"""Profiles as they are kept: what an event sees, what is written, and what becomes of two persons who are one."""

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from smspipe.db import Database
from smspipe.model.event import Event, Group
from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from smspipe.persons import Cache, distinct_ids_of, find, groups_of, person_of, preview, update
from smspipe.persons.tables import group_types, persons
from tests.persons.conftest import NOW, See, an_event


def identify(distinct_id: str, anonymous: str, **properties: Any) -> Event:
    return an_event("$identify", distinct_id, {"$anon_distinct_id": anonymous, **properties})


def tell(distinct_id: str, **properties: Any) -> Event:
    return an_event("$set", distinct_id, {"$set": properties})


def ids_of(connection: Connection, distinct_id: str) -> list[str]:
    person = person_of(connection, distinct_id)
    assert person is not None
    return distinct_ids_of(connection, person.id)


def known(connection: Connection, distinct_id: str) -> Person:
    person = person_of(connection, distinct_id)
    assert person is not None
    return person


# What an event sees


def test_an_event_sees_its_own_set(see: See) -> None:
    assert see(an_event(properties={"$set": {"phone": "+15005550009"}})).person.properties == {"phone": "+15005550009"}


def test_an_event_sees_what_earlier_events_of_its_group_set_and_not_what_later_ones_do(
    connection: Connection, cache: Cache
) -> None:
    events = [tell("ada", a=1), tell("ada", b=2), an_event("order shipped"), tell("ada", a=3)]
    seen = [each.person.properties for each in update(connection, events, NOW, cache)]
    assert seen == [{"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 3, "b": 2}]


def test_an_identify_sees_the_merged_person_with_its_own_set(see: See) -> None:
    see(tell("anon", cart=3), tell("ada", plan="pro", cart=1))
    seen = see(identify("ada", "anon", **{"$set": {"phone": "+15005550009"}}))
    assert seen.person.properties == {"cart": 1, "plan": "pro", "phone": "+15005550009"}


def test_an_event_sees_its_own_page_though_that_is_not_written(connection: Connection, see: See) -> None:
    see(an_event(properties={"$current_url": "/a", "utm_source": "mail"}))
    for page in ("/b", "/b", "/c"):
        seen = see(an_event(properties={"$current_url": page, "utm_source": "mail"}))
        assert seen.person.properties == {
            "$current_url": page,
            "$initial_current_url": "/a",
            "utm_source": "mail",
            "$initial_utm_source": "mail",
        }
        assert known(connection, "ada").properties["$current_url"] == "/a"
    assert see(an_event()).person.properties["$current_url"] == "/a"


@pytest.mark.parametrize("before", [{}, {"utm_source": "ads"}])
def test_a_page_is_written_along_with_another_change(connection: Connection, see: See, before: dict[str, str]) -> None:
    for page in ("/a", "/b"):
        see(an_event(properties={"$current_url": page, **before}))
    see(an_event(properties={"$current_url": "/c", "utm_source": "mail"}))
    assert known(connection, "ada").properties["$current_url"] == "/c"
    assert known(connection, "ada").properties["utm_source"] == "mail"


def test_a_page_in_an_event_about_the_person_is_written(connection: Connection, see: See) -> None:
    see(an_event(properties={"$current_url": "/a"}))
    see(an_event("$identify", properties={"$current_url": "/b"}))
    assert known(connection, "ada").properties["$current_url"] == "/b"


def test_the_first_campaign_is_kept_though_nulls_came_before(see: See) -> None:
    for source in (None, "mail", None, "ads"):
        seen = see(an_event(properties={"utm_source": source, "$browser": "Firefox"}))
        assert seen.person.properties["utm_source"] == source
    assert seen.person.properties["$initial_utm_source"] == "mail"


def test_a_browser_property_that_was_null_gets_its_first_value_when_it_comes(connection: Connection, see: See) -> None:
    for referrer in (None, None, "/x"):
        see(an_event(properties={"$referrer": referrer, "$browser": "Firefox"}))
    assert known(connection, "ada").properties["$initial_referrer"] == "/x"


def test_true_is_not_taken_for_one(see: See) -> None:
    for value in (1, 1, True, 1, 1.5, True, [1], [1], [True], {"a": [0]}, {"a": [False]}):
        seen = see(an_event(properties={"utm_term": value, "$browser": "Firefox"}))
        assert repr(seen.person.properties["utm_term"]) == repr(value)


def test_a_person_is_known_since_its_first_event(see: See) -> None:
    assert see(an_event(number=5), an_event(number=9)).person.created_at == NOW + timedelta(seconds=5)


@pytest.mark.parametrize("name", ["$groupidentify", "$exception", "$$heatmap"])
def test_events_that_tell_nothing_still_have_a_person(connection: Connection, see: See, name: str) -> None:
    assert see(an_event(name, properties={"$set": {"a": 1}, "$browser": "x"})).person == known(connection, "ada")
    assert known(connection, "ada").properties == {}


# Events without a profile


def test_an_event_without_a_profile_makes_no_person(connection: Connection, see: See) -> None:
    seen = see(an_event(properties={"$process_person_profile": False, "$set": {"a": 1}, "$browser": "x"}))
    assert (seen.person.profile, seen.person.properties) == (False, {})
    assert person_of(connection, "ada") is None


def test_an_event_without_a_profile_shows_and_changes_nothing_of_one_that_exists(
    connection: Connection, see: See
) -> None:
    before = see(tell("ada", plan="pro")).person
    seen = see(an_event(properties={"$process_person_profile": False, "$set": {"plan": "free"}}))
    assert (seen.person.profile, seen.person.properties) == (False, {})
    assert known(connection, "ada") == before


def test_the_person_of_an_event_without_a_profile_has_always_the_same_id(see: See) -> None:
    without = {"$process_person_profile": False}
    first = see(an_event(properties=without)).person.id
    assert see(an_event("other", number=7, properties=without)).person.id == first
    assert see(an_event(distinct_id="bob", properties=without)).person.id != first
    # what `uuid.uuid5` makes of "1/ada"; it may never change
    assert first == "efe7a24f-6001-5f1c-a124-ed1ba05597ba"


# Merges


def test_identify_of_two_unknown_ids_makes_one_person_with_both(connection: Connection, see: See) -> None:
    seen = see(identify("ada", "anon"))
    assert seen.person.identified
    assert ids_of(connection, "ada") == ids_of(connection, "anon") == ["ada", "anon"]
    assert known(connection, "anon") == seen.person


@pytest.mark.parametrize("first", ["ada", "anon"])
def test_identify_gives_the_person_of_one_known_id_the_other(connection: Connection, see: See, first: str) -> None:
    before = see(tell(first, plan="pro")).person
    seen = see(identify("ada", "anon"))
    assert seen.person.id == before.id
    assert seen.person.identified
    assert seen.person.properties == {"plan": "pro"}
    assert ids_of(connection, "ada") == ["ada", "anon"]


def test_identify_of_two_known_ids_keeps_the_person_of_the_distinct_id(connection: Connection, see: See) -> None:
    away, into = see(tell("anon", a=1, b=1)).person, see(tell("ada", b=2)).person
    seen = see(identify("ada", "anon"))
    assert seen.person.id == into.id
    assert seen.person.properties == {"a": 1, "b": 2}
    assert ids_of(connection, "anon") == ["ada", "anon"]
    assert find(connection, away.id) is None


def test_all_ids_of_the_merged_person_move(connection: Connection, see: See) -> None:
    see(an_event("$create_alias", "anon", {"alias": "a1"}), an_event(distinct_id="ada"))
    see(an_event("$merge_dangerously", "ada", {"alias": "a1"}))
    assert ids_of(connection, "ada") == ["a1", "ada", "anon"]


@pytest.mark.parametrize("name", ["$identify", "$create_alias"])
def test_a_person_that_is_identified_is_not_merged_away(connection: Connection, see: See, name: str) -> None:
    see(identify("bob", "b1"), tell("bob", who="bob"), an_event(distinct_id="ada"))
    property_ = "$anon_distinct_id" if name == "$identify" else "alias"
    seen = see(an_event(name, "ada", {property_: "bob", "$set": {"who": "ada"}}))
    assert seen.person.properties == {"who": "ada"}
    assert seen.person.identified, "being the goal of an identify counts, even of one that is refused"
    assert ids_of(connection, "bob") == ["b1", "bob"]
    assert ids_of(connection, "ada") == ["ada"]


def test_a_person_that_is_identified_is_merged_away_by_force(connection: Connection, see: See) -> None:
    see(identify("bob", "b1"), an_event(distinct_id="ada"))
    see(an_event("$merge_dangerously", "ada", {"alias": "bob"}))
    assert ids_of(connection, "ada") == ["ada", "b1", "bob"]


@pytest.mark.parametrize("illegal", ["undefined", "", "'null'"])
def test_an_illegal_id_is_merged_with_nobody(connection: Connection, see: See, illegal: str) -> None:
    seen = see(identify("ada", illegal))
    assert not seen.person.identified
    assert ids_of(connection, "ada") == ["ada"]
    assert person_of(connection, illegal) is None


def test_identify_with_the_same_id_does_nothing(connection: Connection, see: See) -> None:
    assert not see(identify("ada", "ada")).person.identified


def test_a_merge_of_two_ids_of_one_person_does_nothing_but_identify(connection: Connection, see: See) -> None:
    first = see(identify("ada", "anon", **{"$set": {"a": 1}})).person
    assert see(identify("anon", "ada")).person == first


def test_merges_in_one_group_follow_each_other(connection: Connection, cache: Cache) -> None:
    events = [
        tell("a", a=1),
        tell("b", b=1),
        tell("c", c=1),
        an_event("$merge_dangerously", "b", {"alias": "a"}),
        tell("a", later=1),
        an_event("$merge_dangerously", "c", {"alias": "b"}),
        an_event("order shipped", "a"),
    ]
    seen = update(connection, events, NOW, cache)
    assert seen[-1].person.properties == {"a": 1, "b": 1, "c": 1, "later": 1}
    assert seen[-1].person.id == seen[2].person.id
    assert ids_of(connection, "a") == ["a", "b", "c"]
    assert connection.scalar(select(func.count()).select_from(persons)) == 1


def test_a_stored_person_may_be_merged_through_one_that_is_never_stored(connection: Connection, cache: Cache) -> None:
    update(connection, [tell("a", a=1)], NOW, cache)
    through = [an_event("$merge_dangerously", new, {"alias": old}) for new, old in (("b", "a"), ("c", "b"))]
    update(connection, [tell("b", b=1), tell("c", c=1), *through], NOW, cache)
    assert ids_of(connection, "a") == ["a", "b", "c"]
    assert known(connection, "a").properties == {"a": 1, "b": 1, "c": 1}


def test_merges_move_ids_that_the_cache_never_saw(connection: Connection) -> None:
    update(connection, [identify("anon", "old id"), an_event(distinct_id="ada")], NOW, Cache())
    update(connection, [an_event("$merge_dangerously", "ada", {"alias": "anon"})], NOW, Cache())
    assert ids_of(connection, "old id") == ["ada", "anon", "old id"]


# Groups


def company(key: str = "acme", **told: Any) -> Event:
    properties = {"$group_type": "company", "$group_key": key, "$group_set": told}
    return an_event("$groupidentify", properties=properties)


def test_an_event_sees_the_groups_it_names_with_what_was_told_of_them(see: See) -> None:
    see(company(tier="gold", size=3), company(size=4))
    seen = see(an_event(properties={"$groups": {"company": "acme", "team": "blue"}}))
    assert seen.groups == (
        Group(type="company", key="acme", index=0, properties={"tier": "gold", "size": 4}),
        Group(type="team", key="blue", index=1, properties={}),
    )


def test_a_groupidentify_sees_its_own_group(see: See) -> None:
    assert see(company(tier="gold")).groups == (
        Group(type="company", key="acme", index=0, properties={"tier": "gold"}),
    )


def test_an_event_names_a_group_only_by_a_text(see: See) -> None:
    assert see(an_event(properties={"$groups": {"company": 5, "team": None}})).groups == ()


def test_five_types_of_groups_are_known_and_keep_their_index(connection: Connection, see: See) -> None:
    for number in range(7):
        see(an_event(properties={"$groups": {f"type {number}": "x"}}))
    seen = see(an_event(properties={"$groups": {f"type {number}": "x" for number in reversed(range(7))}}))
    assert [(group.type, group.index) for group in seen.groups] == [(f"type {n}", n) for n in reversed(range(5))]
    assert connection.scalar(select(func.count()).select_from(group_types)) == 5


def test_an_event_without_a_profile_has_groups(see: See) -> None:
    see(company(tier="gold"))
    seen = see(an_event(properties={"$process_person_profile": False, "$groups": {"company": "acme"}}))
    assert [group.properties for group in seen.groups] == [{"tier": "gold"}]


def test_groups_can_be_asked_for_and_unknown_types_are_left_out(connection: Connection, see: See) -> None:
    see(company(tier="gold"))
    event = an_event(properties={"$groups": {"company": "acme", "team": "blue"}})
    assert groups_of(connection, event) == (Group(type="company", key="acme", index=0, properties={"tier": "gold"}),)
    assert groups_of(connection, an_event()) == ()


# What is written, and when


def test_nothing_is_executed_for_events_that_say_nothing_new(see: See, statements: list[str]) -> None:
    event = an_event(properties={"$browser": "Firefox", "$set": {"a": 1}, "$groups": {"company": "acme"}})
    plain = an_event(properties={"$browser": "Firefox", "$current_url": "/a"})
    again = [event, plain, company(tier="gold"), identify("ada", "anon", **{"$browser": "Firefox"})]
    see(*again)
    statements.clear()
    see(*again, an_event(properties={"$browser": "Firefox", "$current_url": "/b"}))
    assert statements == []


def test_a_group_of_events_is_written_in_few_statements(see: See, statements: list[str]) -> None:
    """Two hundred rows are six statements of 32 and one of 8, in each of two tables."""
    see(*(tell(f"person {number}", n=number) for number in range(200)))
    assert statements == ["select", *["insert"] * 14]


def test_many_unknown_ids_are_read_in_one_statement(see: See, statements: list[str]) -> None:
    see(*(an_event(distinct_id=f"person {number}") for number in range(1100)))
    assert statements.count("select") == 1


def test_an_empty_group_of_events_is_nothing(connection: Connection, cache: Cache, statements: list[str]) -> None:
    assert update(connection, [], NOW, cache) == []
    assert statements == []


def test_a_preview_sees_what_the_update_will_and_writes_nothing(connection: Connection, statements: list[str]) -> None:
    update(connection, [tell("anon", cart=3), company(tier="gold")], NOW, Cache())
    event = identify("ada", "anon", **{"$set": {"a": 1}, "$groups": {"company": "acme", "team": "blue"}})
    statements.clear()
    seen = preview(connection, event, NOW)
    assert set(statements) == {"select"}
    assert update(connection, [event], NOW, Cache()) == [seen]


def test_a_preview_of_a_new_person_has_the_id_that_it_will_have(connection: Connection) -> None:
    seen = preview(connection, an_event(), NOW)
    assert update(connection, [an_event()], NOW + timedelta(hours=1), Cache()) == [seen]


def test_a_person_is_found_by_either_kind_of_id(connection: Connection, see: See) -> None:
    person = see(tell("ada", plan="pro")).person
    assert find(connection, "ada") == find(connection, person.id) == person
    assert find(connection, "bob") is None
    assert distinct_ids_of(connection, PersonId("nobody")) == []


# The cache


def test_what_another_writer_wrote_before_the_start_is_seen(connection: Connection) -> None:
    update(connection, [tell("ada", a=1)], NOW, Cache())
    (seen,) = update(connection, [tell("ada", b=2)], NOW, Cache())
    assert seen.person.properties == {"a": 1, "b": 2}


def test_two_ids_of_one_person_meet_in_the_cache(connection: Connection, see: See) -> None:
    update(connection, [identify("ada", "anon")], NOW, Cache())
    see(tell("ada", a=1))
    assert see(tell("anon", b=2)).person.properties == {"a": 1, "b": 2}
    assert see(an_event()).person.properties == {"a": 1, "b": 2}


@pytest.mark.parametrize("often", [tell("often", a=1), an_event(distinct_id="often", properties={"$browser": "x"})])
def test_a_small_cache_forgets_the_least_recent_and_stays_right(connection: Connection, often: Event) -> None:
    small = Cache(limit=2)
    for number in range(20):
        update(connection, [tell(f"person {number % 5}", **{f"n{number}": number}), often], NOW, small)
        update(connection, [often, tell(f"person {number % 3}")], NOW, small)
        update(connection, [often], NOW, small)
        assert list(small.profiles) == [f"person {number % 3}", "often"]
        assert len(small.persons) == 2
    assert known(connection, "person 3").properties == {"n3": 3, "n8": 8, "n13": 13, "n18": 18}


def test_a_small_cache_forgets_the_least_recent_groups(connection: Connection) -> None:
    small = Cache(limit=2)
    often = an_event(properties={"$groups": {"company": "often"}})
    for number in range(4):
        update(connection, [company(f"company {number}", n=number), often], NOW, small)
        assert list(small.groups) == [(0, f"company {number}"), (0, "often")]
    assert update(connection, [company("company 1")], NOW, small)[0].groups[0].properties == {"n": 1}


def test_a_cleared_cache_knows_nothing_of_a_transaction_that_was_undone(database: Database) -> None:
    cache = Cache()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("savepoint job")
        update(connection, [tell("ada", a=1), company(tier="gold")], NOW, cache)
        connection.exec_driver_sql("rollback to job")
        cache.clear()
        seen = update(connection, [tell("ada", b=2), company()], NOW, cache)
        assert seen[0].person.properties == {"b": 2}
        assert seen[1].groups[0].properties == {}
        assert known(connection, "ada").properties == {"b": 2}


def test_an_update_that_fails_leaves_the_cache_empty(connection: Connection, cache: Cache) -> None:
    update(connection, [tell("ada", a=1)], NOW, cache)
    connection.exec_driver_sql("drop table distinct_ids")
    with pytest.raises(sqlite3.Error):
        update(connection, [an_event(distinct_id="bob")], NOW, cache)
    assert not cache.profiles
    assert not cache.persons

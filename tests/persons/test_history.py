"""Whatever the events, in whatever groups and whatever company: the same history makes the same profiles."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from smspipe.db import Database
from smspipe.db.engine import begin_write
from smspipe.model.event import Event
from smspipe.persons import Cache, Seen, update
from smspipe.persons.tables import distinct_ids, groups, persons
from tests.persons.conftest import NOW, an_event

pytestmark = pytest.mark.slow

IDS = ("a", "b", "c", "d")
SCALARS = st.sampled_from([None, True, 1, 0, "x", "y"])
FEW = st.sampled_from([None, 1, True, "x"])
PAGE = st.fixed_dictionaries({"$browser": FEW, "$current_url": FEW, "utm_source": st.sampled_from([None, "x"])})
"""What a browser tells: again and again the same names with few values, so that events repeat each other."""
COPIES = PAGE | st.dictionaries(st.sampled_from(["$browser", "$is_server", "$os_name", "$os"]), SCALARS, max_size=3)
WORDS = st.dictionaries(st.sampled_from(["p", "q", "$browser", "utm_source"]), SCALARS, max_size=2)


@st.composite
def requests(draw: st.DrawFn, ids: Sequence[str] = IDS) -> tuple[str, str, dict[str, Any]]:
    """Draw what one event says: its name, distinct_id and properties."""
    own, other = draw(st.sampled_from(ids)), draw(st.sampled_from(ids))
    properties: dict[str, Any] = draw(COPIES)
    if draw(st.integers(0, 3)) == 0:
        properties[draw(st.sampled_from(["$set", "$set_once"]))] = draw(WORDS)
    match draw(st.integers(0, 12)):
        case 0:
            return "$identify", own, {**properties, "$anon_distinct_id": other}
        case 1:
            return "$create_alias", own, {**properties, "alias": other}
        case 2:
            return "$merge_dangerously", own, {**properties, "alias": other}
        case 3:
            return "order", own, {**properties, "$unset": [draw(st.sampled_from(["p", "q", "$browser"]))]}
        case 4:
            return "order", own, {**properties, "$process_person_profile": False}
        case 5:
            told = {"$group_type": "company", "$group_key": own, "$group_set": draw(WORDS)}
            return "$groupidentify", own, {**properties, **told}
        case 6:
            return "order", own, {**properties, "$groups": {"company": other}}
        case 7:
            return "$set", own, properties
        case _:
            return "order", own, properties


def numbered(drawn: Sequence[tuple[str, str, dict[str, Any]]]) -> list[Event]:
    """Make events of them; every third is trusted."""
    return [
        msgspec.structs.replace(an_event(name, id_, properties, number=number), trusted=number % 3 == 1)
        for number, (name, id_, properties) in enumerate(drawn)
    ]


Rows = tuple[list[Any], ...]


def play(database: Database, turns: Sequence[Sequence[Event]], *, forgetful: bool) -> tuple[list[Seen], Rows]:
    """Give the profiles these groups of events; tell what the events saw and what there is in the end, and undo it."""
    cache, seen = Cache(), []
    with database.engine.connect() as connection:
        begin_write(connection)
        for events in turns:
            if forgetful:
                cache.clear()
            seen += update(connection, events, NOW, cache)
        rows = tuple(
            [tuple(map(repr, row)) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in (persons, distinct_ids, groups)
        )
        connection.rollback()
    return seen, rows


calm = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""An example writes to a database: slow beside what hypothesis expects, and on a busy machine slower."""


@calm
@given(st.lists(requests(), min_size=1, max_size=14), st.integers(1, 5))
def test_it_does_not_matter_how_events_are_grouped(
    database: Database, drawn: list[tuple[str, str, dict[str, Any]]], size: int
) -> None:
    events = numbered(drawn)
    whole = play(database, [events], forgetful=False)
    alone = play(database, [[event] for event in events], forgetful=True)
    some = play(database, [events[at : at + size] for at in range(0, len(events), size)], forgetful=False)
    assert repr(whole) == repr(alone) == repr(some)


@calm
@given(
    st.lists(requests(("a", "b")), max_size=7),
    st.lists(requests(("c", "d")), max_size=7),
    st.lists(st.booleans(), min_size=14, max_size=14),
)
def test_events_of_others_in_between_change_nothing(
    database: Database,
    ones: list[tuple[str, str, dict[str, Any]]],
    others: list[tuple[str, str, dict[str, Any]]],
    turns: list[bool],
) -> None:
    mine, theirs = numbered(ones), numbered(others)
    left, right, mixed = list(mine), list(theirs), []
    for turn in turns:
        if (turn or not right) and left:
            mixed.append(left.pop(0))
        elif right:
            mixed.append(right.pop(0))
    _, after_each_other = play(database, [mine, theirs], forgetful=False)
    _, between = play(database, [mixed], forgetful=False)
    assert between == after_each_other


@calm
@given(st.lists(requests(), min_size=1, max_size=14))
def test_no_distinct_id_is_lost_and_each_leads_to_a_person(
    database: Database, drawn: list[tuple[str, str, dict[str, Any]]]
) -> None:
    events = numbered(drawn)
    _, (people, ids, _) = play(database, [events], forgetful=False)
    profiled = {event.distinct_id for event in events if event.properties.get("$process_person_profile") is not False}
    assert set(map(repr, profiled)) <= {distinct_id for distinct_id, _ in ids}
    assert {person_id for _, person_id in ids} == {row[0] for row in people}, (
        "no person without an id, and no id astray"
    )


@calm
@given(st.lists(requests(), min_size=1, max_size=10), WORDS)
def test_an_event_sees_its_own_set_whatever_came_before(
    database: Database, drawn: list[tuple[str, str, dict[str, Any]]], told: dict[str, Any]
) -> None:
    for name in ("order", "$set", "$identify", "$merge_dangerously"):
        own = an_event(name, "a", {"$set": told, "$anon_distinct_id": "b", "alias": "c"}, number=99)
        seen, _ = play(database, [[*numbered(drawn), own]], forgetful=False)
        assert repr({key: seen[-1].person.properties[key] for key in told}) == repr(told)

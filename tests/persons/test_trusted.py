"""Which properties of a person are trusted: those whose value a trusted event set, until another one changes it."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from smspipe.model.event import Event
from smspipe.persons import Cache, person_of, update
from tests.persons.conftest import NOW, See, an_event

ONE, TWO = "+14155550101", "+14155550102"


def told(properties: dict[str, Any], *, name: str = "order", who: str = "ada", number: int = 0) -> Event:
    """Make an event from the outside."""
    return an_event(name, who, properties, number=number)


def vouched(properties: dict[str, Any], *, name: str = "order", who: str = "ada", number: int = 0) -> Event:
    """Make an event that came with the secret key."""
    return msgspec.structs.replace(told(properties, name=name, who=who, number=number), trusted=True)


CASES: list[tuple[str, list[Event], set[str]]] = [
    ("set from outside", [told({"$set": {"phone": ONE}})], set()),
    ("set by a trusted event", [vouched({"$set": {"phone": ONE}})], {"phone"}),
    ("set once by a trusted event", [vouched({"$set_once": {"phone": ONE}})], {"phone"}),
    ("set by a trusted $set event", [vouched({"$set": {"phone": ONE}}, name="$set")], {"phone"}),
    ("changed from outside", [vouched({"$set": {"phone": ONE}}), told({"$set": {"phone": TWO}})], set()),
    ("said again from outside", [vouched({"$set": {"phone": ONE}}), told({"$set": {"phone": ONE}})], {"phone"}),
    ("said again by a trusted event", [told({"$set": {"phone": ONE}}), vouched({"$set": {"phone": ONE}})], {"phone"}),
    ("set once, but it was there", [told({"$set": {"phone": ONE}}), vouched({"$set_once": {"phone": ONE}})], set()),
    ("set once from outside, but it was there",
     [vouched({"$set": {"phone": ONE}}), told({"$set_once": {"phone": TWO}})], {"phone"}),
    ("unset and set from outside",
     [vouched({"$set": {"phone": ONE}}), told({"$unset": ["phone"]}), told({"$set": {"phone": ONE}})], set()),
    ("changed and changed back from outside",
     [vouched({"$set": {"phone": ONE}}), told({"$set": {"phone": TWO}}), told({"$set": {"phone": ONE}})], set()),
    ("true is not 1", [vouched({"$set": {"phone": 1}}), told({"$set": {"phone": True}})], set()),
    ("another property from outside",
     [vouched({"$set": {"phone": ONE}}), told({"$set": {"city": "Rome"}})], {"phone"}),
    ("copied, not named", [vouched({"utm_source": ONE})], set()),
    ("named and changed by a copy", [vouched({"$set": {"utm_source": ONE}}), told({"utm_source": TWO})], set()),
    ("fleeting", [vouched({"$set": {"$current_url": ONE}})], set()),
    ("without a profile", [vouched({"$set": {"phone": ONE}, "$process_person_profile": False})], set()),
]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False], ids=["in one group", "each read from disk"])
@pytest.mark.parametrize(("events", "trusted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_property_is_trusted_while_its_value_is_a_trusted_event_s(
    connection: Connection, events: list[Event], trusted: set[str], whole: bool
) -> None:
    if whole:
        last = update(connection, events, NOW, Cache())[-1]
    else:
        last = [update(connection, [event], NOW, Cache())[0] for event in events][-1]
    assert last.person.trusted == trusted
    stored = person_of(connection, "ada")
    assert (frozenset() if stored is None else stored.trusted) == trusted


MERGES: list[tuple[str, Event, Event, str | None, set[str]]] = [
    ("the one that stays wins", vouched({"$set": {"phone": ONE}}), told({"$set": {"phone": TWO}}, who="anon"), ONE,
     {"phone"}),
    ("the one that goes does not lend its trust", told({"$set": {"phone": ONE}}),
     vouched({"$set": {"phone": TWO}}, who="anon"), ONE, set()),
    ("nor for the same value", told({"$set": {"phone": ONE}}), vouched({"$set": {"phone": ONE}}, who="anon"), ONE,
     set()),
    ("what only the other has comes with its trust", told({}), vouched({"$set": {"phone": TWO}}, who="anon"), TWO,
     {"phone"}),
    ("and without, if it had none", vouched({"$set": {"city": "Rome"}}), told({"$set": {"phone": TWO}}, who="anon"),
     TWO, {"city"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "other", "phone", "trusted"), [case[1:] for case in MERGES], ids=[case[0] for case in MERGES]
)
def test_a_merge_keeps_the_trust_of_the_value_that_wins(
    see: See, connection: Connection, own: Event, other: Event, phone: str | None, trusted: set[str]
) -> None:
    person = see(own, other, told({"$anon_distinct_id": "anon"}, name="$identify")).person
    assert person.properties.get("phone") == phone
    assert person.trusted == trusted
    assert person_of(connection, "anon") == person


def test_an_ordinary_event_sees_the_trust_that_there_is(see: See) -> None:
    see(vouched({"$set": {"phone": ONE}}))
    assert see(told({"$browser": "Firefox", "$current_url": "a"})).person.trusted == {"phone"}
    assert see(told({"$browser": "Firefox", "$current_url": "b"})).person.trusted == {"phone"}
    assert see(told({})).person.trusted == {"phone"}

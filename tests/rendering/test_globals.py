"""What a template can name: PostHog's shapes and names."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.event import Event, Group
from smspipe.model.ids import EventUuid, PersonId
from smspipe.model.person import Person
from smspipe.rendering import ROOTS, globals_for
from smspipe.rendering.globals import encode_component

AT = datetime(2026, 1, 2, 3, 4, 5, 678999, tzinfo=UTC)
PROJECT = {"id": 1, "name": "Acme", "url": "https://sms.example/project/1"}
SOURCE = {"name": "Twilio", "url": "https://sms.example/project/1/destinations/d1"}
EVENT = Event(
    uuid=EventUuid("0190a000-0000-7000-8000-000000000001"),
    event="signup",
    distinct_id="u/1 ü",
    timestamp=AT,
    received_at=AT,
    properties={"plan": "pro", "$groups": {"company": "acme & co"}},
)
PERSON = Person(
    id=PersonId("018f"),
    properties={"email": "ada@example.com", "phone": "+15005550009"},
    created_at=AT,
    identified=True,
)
GROUP = Group(type="company", key="acme & co", index=0, properties={"tier": "gold"})


def build(event: Event = EVENT, person: Person | None = PERSON, **more: Any) -> dict[str, Any]:
    return globals_for(event, person, [GROUP], project=PROJECT, source=SOURCE, inputs={"greeting": "Hi"}, **more)


def named(properties: dict[str, Any]) -> Any:
    person = msgspec.structs.replace(PERSON, properties=properties)
    return build(msgspec.structs.replace(EVENT, distinct_id=" u-1 "), person)["person"]["name"]


def test_the_globals_have_posthogs_shape() -> None:
    assert build() == {
        "project": PROJECT,
        "source": SOURCE,
        "event": {
            "uuid": "0190a000-0000-7000-8000-000000000001",
            "event": "signup",
            "distinct_id": "u/1 ü",
            "elements_chain": "",
            "timestamp": "2026-01-02T03:04:05.678Z",
            "url": "https://sms.example/project/1/events/0190a000-0000-7000-8000-000000000001/2026-01-02T03%3A04%3A05.678Z",
            "properties": {"plan": "pro", "$groups": {"company": "acme & co"}},
        },
        "person": {
            "id": "018f",
            "distinct_id": "u/1 ü",
            "name": "ada@example.com",
            "url": "https://sms.example/project/1/person/u%2F1%20%C3%BC",
            "properties": {"email": "ada@example.com", "phone": "+15005550009"},
        },
        "groups": {
            "company": {
                "id": "acme & co",
                "type": "company",
                "index": 0,
                "url": "https://sms.example/project/1/groups/0/acme%20%26%20co",
                "properties": {"tier": "gold"},
            }
        },
        "inputs": {"greeting": "Hi"},
    }


def test_an_event_without_a_person_has_the_person_null() -> None:
    assert build(person=None)["person"] is None


@pytest.mark.parametrize("root", sorted(ROOTS))
def test_only_the_wanted_roots_are_built(root: str) -> None:
    assert build(roots={root, "no such root"}) == {root: build()[root]}


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        pytest.param({"username": "ada1", "name": "Ada", "email": "a@b.c"}, "a@b.c", id="email first"),
        pytest.param({"username": "ada1", "name": "Ada"}, "Ada", id="then name"),
        pytest.param({"username": "ada1", "name": ""}, "ada1", id="empty is passed over"),
        pytest.param({"email": None, "name": 0, "username": False}, "u-1", id="null, zero, false are passed over"),
        pytest.param({"name": "  Ada "}, "Ada", id="trimmed"),
        pytest.param({"name": "  "}, "", id="blanks are a name"),
        pytest.param({"name": 5}, "5", id="number"),
        pytest.param({"name": {"first": "Ada"}}, '{"first":"Ada"}', id="object as JSON"),
        pytest.param({"name": []}, "[]", id="empty list is true in JavaScript"),
        pytest.param({"name": True}, "true", id="true"),
        pytest.param({}, "u-1", id="else the distinct_id"),
    ],
)
def test_a_person_has_the_name_that_posthog_would_show(properties: dict[str, Any], name: str) -> None:
    assert named(properties) == name


def test_the_elements_chain_is_that_of_autocapture() -> None:
    event = msgspec.structs.replace(EVENT, properties={"$elements_chain": "a.b:text"})
    assert build(event)["event"]["elements_chain"] == "a.b:text"
    assert build(msgspec.structs.replace(EVENT, properties={"$elements_chain": 5}))["event"]["elements_chain"] == ""


def test_components_are_encoded_as_javascript_does() -> None:
    """`encodeURIComponent`: everything but letters, digits and -_.!~*'() as UTF-8 in upper-case hexadecimals."""
    assert encode_component("aZ09-_.!~*'()") == "aZ09-_.!~*'()"
    assert (
        encode_component(' +/:?#[]@$&,;=%"é€😀')
        == "%20%2B%2F%3A%3F%23%5B%5D%40%24%26%2C%3B%3D%25%22%C3%A9%E2%82%AC%F0%9F%98%80"
    )


@given(st.text(st.characters(exclude_categories=())))
def test_any_distinct_id_makes_addresses(distinct_id: str) -> None:
    built = build(msgspec.structs.replace(EVENT, distinct_id=distinct_id))
    assert built["person"]["url"].isascii()

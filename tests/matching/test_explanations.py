"""What a filter says about an event that it does not match, in words for whoever wrote the filter."""

from typing import Any

import pytest

from smspipe.model.event import Group
from tests.matching.conftest import MISSING, NOW, make_event, make_matcher, make_person


def why(document: Any, event: Any, person: Any = None, groups: Any = (), **more: Any) -> tuple[str, str]:
    mismatch = make_matcher(document, **more).explain(event, person, groups, NOW)
    assert mismatch is not None
    return mismatch.field, mismatch.saw


def test_the_name_is_told_first() -> None:
    document: dict[str, Any] = {"events": [{"id": "order shipped", "properties": [{"key": "x", "value": 1}]}]}
    assert why(document, make_event("signup")) == (
        "filters__events",
        "the event is named signup, this destination listens to order shipped",
    )
    document = {"events": [{"id": "order shipped"}, {"id": "refund"}], "properties": [{"key": "x", "value": 1}]}
    assert why(document, make_event("signup"))[1] == (
        "the event is named signup, this destination listens to order shipped or refund"
    )


@pytest.mark.parametrize(
    ("value", "operator", "wanted", "saw"),
    [
        (20, "gt", 100, "property x of the event is 20, which is not greater than 100"),
        (20, "gte", 100, "property x of the event is 20, which is not at least 100"),
        (200, "lt", 100, "property x of the event is 200, which is not less than 100"),
        (0.5, "between", [1, 5], "property x of the event is 0.5, which is not between 1 and 5"),
        (2, "not_between", [1, 5], "property x of the event is 2, which is not below 1 or above 5"),
        ("free", "exact", "pro", "property x of the event is free, which is not pro"),
        ("", "exact", "pro", "property x of the event is empty, which is not pro"),
        (True, "exact", "pro", "property x of the event is true, which is not pro"),
        (["a"], "exact", "pro", "property x of the event is ['a'], which is not pro"),
        (
            "free",
            "exact",
            ["pro", "team", "solo"],
            "property x of the event is free, which is none of pro, team or solo",
        ),
        ("free", "is_not", "free", "property x of the event is free, but must not be free"),
        ("free", "not_in", ["free", "b"], "property x of the event is free, but must not be in free or b"),
        (MISSING, "exact", "pro", "property x of the event is not set, but must be pro"),
        (None, "gt", 5, "property x of the event is not set, but must be greater than 5"),
        (MISSING, "is_set", None, "property x of the event is not set, but must be set"),
        (5, "is_not_set", None, "property x of the event is 5, but must not be set"),
        ("Munich", "icontains", "berlin", "property x of the event is Munich, which does not contain berlin"),
        ("Berlin", "not_icontains", "berlin", "property x of the event is Berlin, but must not contain berlin"),
        ("abc", "regex", "^b", "property x of the event is abc, which does not match the pattern ^b"),
        ("1.0.0", "semver_gt", "1.2.3", "property x of the event is 1.0.0, which is not a version above 1.2.3"),
        ("2026-01-01", "is_date_after", "-7d", "property x of the event is 2026-01-01, which is not a date after -7d"),
        ("z", "in", list("abcdefg"), "property x of the event is z, which is not in a, b, c, d, e or 2 more"),
    ],
)
def test_a_condition_tells_the_value_it_saw(value: Any, operator: str, wanted: Any, saw: str) -> None:
    event = make_event("e", {} if value is MISSING else {"x": value})
    condition = {"key": "x", "operator": operator, "value": wanted}
    assert why({"properties": [{"key": "y", "operator": "is_not_set"}, condition]}, event) == (
        "filters__properties__1",
        saw,
    )


def test_a_condition_turned_around_says_so() -> None:
    document = {"properties": [{"key": "x", "operator": "gt", "value": 5, "negation": True}]}
    assert why(document, make_event(x=6))[1] == "property x of the event is 6, but must not be greater than 5"


def test_the_owner_of_a_property_is_named() -> None:
    person = {"properties": [{"key": "plan", "value": "pro", "type": "person"}]}
    assert why(person, make_event(), make_person(plan="free"))[1] == (
        "property plan of the person is free, which is not pro"
    )
    assert why(person, make_event())[1] == "property plan of the person is not set, but must be pro"
    group = {"properties": [{"key": "tier", "value": "gold", "type": "group", "group_type_index": 0}]}
    acme = Group(type="company", key="acme", index=0, properties={"tier": "tin"})
    assert why(group, make_event(), None, [acme])[1] == "property tier of the event's group 0 is tin, which is not gold"
    field = {"properties": [{"key": "distinct_id", "value": "u-2", "type": "event_metadata"}]}
    assert why(field, make_event())[1] == "the event's distinct_id is u-1, which is not u-2"


def test_an_expression_is_quoted_with_its_result() -> None:
    document = {"properties": [{"key": "properties.amount > 10", "type": "hogql"}]}
    assert why(document, make_event(amount=5))[1] == "the expression properties.amount > 10 gives false, not true"
    document = {"properties": [{"key": "properties.amount", "type": "hogql"}]}
    assert why(document, make_event(amount=5))[1] == "the expression properties.amount gives 5, not true"


def test_alternatives_are_told_together() -> None:
    values = [{"key": name, "value": 1} for name in "abcd"]
    document = {"properties": [{"key": "e", "operator": "is_not_set"}, {"type": "OR", "values": values}]}
    assert why(document, make_event(a=2, b=3, c=4, d=5)) == (
        "filters__properties__1__values",
        (
            "property a of the event is 2, which is not 1; property b of the event is 3, which is not 1; "
            "property c of the event is 4, which is not 1; and 1 more"
        ),
    )


def test_of_several_entries_those_for_this_event_are_told() -> None:
    document = {
        "events": [
            {"id": "order", "properties": [{"key": "plan", "value": "pro"}]},
            {"id": "refund", "properties": [{"key": "never", "value": 1}]},
            {"id": "order", "properties": [{"key": "paid", "operator": "is_set"}]},
        ]
    }
    assert why(document, make_event("order", plan="free"))[1] == (
        "property plan of the event is free, which is not pro; property paid of the event is not set, but must be set"
    )


def test_an_action_tells_what_it_asked_for() -> None:
    steps = [{"event": "$autocapture", "selector": "a.buy"}, {"event": "$pageview", "url": "/paid"}]
    actions = [{"id": 7, "name": "Bought", "steps": steps}]
    document = {"actions": [{"id": 7}]}
    assert why(document, make_event("signup"), actions=actions)[1] == (
        "the event is named signup, this destination listens to $autocapture or $pageview"
    )
    clicked = make_event("$autocapture", {"$elements_chain": "b"})
    assert "what was clicked is not a.buy" in why(document, clicked, actions=actions)[1]
    paged = make_event("$pageview", {"$current_url": "/open"})
    assert "the event comes from the page /open, this action asks for /paid" in why(document, paged, actions=actions)[1]


def test_what_was_clicked_is_told() -> None:
    event = make_event("$autocapture", {"$elements_chain": 'a:text="Buy";b:text="Now"'})
    document = {"properties": [{"key": "text", "value": "Pay", "type": "element"}]}
    assert why(document, event)[1] == "the text that was clicked is Buy and Now, but must be Pay"
    assert why(document, make_event())[1] == "the text that was clicked is not recorded, but must be Pay"
    document = {"properties": [{"key": "tag_name", "value": "a", "operator": "is_not", "type": "element"}]}
    assert why(document, event)[1] == "what was clicked is a, which it must not be"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("+15005550009", "+15•••••••09"),
        ("+1 (500) 555-0009", "+1 ••••••••••••09"),
        ("call +15005550009 now", "call +15•••••••09 now"),
        (15005550009, "150••••••09"),
        ("5005550009", "500•••••09"),
        ({"phone": "+15005550009"}, "{'phone': '+15•••••••09'}"),
        ("x" * 75 + "+15005550009", "x" * 75 + "+15•…"),
        (1500000, "1500000"),
        (3.14159265358979, "3.14159265358979"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("order 17", "order 17"),
    ],
)
def test_phone_numbers_are_masked_and_other_values_are_not(value: Any, shown: str) -> None:
    saw = why({"properties": [{"key": "x", "value": "pro"}]}, make_event(x=value))[1]
    assert saw == f"property x of the event is {shown}, which is not pro"


def test_a_filters_own_numbers_are_masked_too() -> None:
    document = {"properties": [{"key": "x", "value": ["+15005550009", "+15005550010"]}]}
    assert why(document, make_event(x="+15005550001"))[1] == (
        "property x of the event is +15•••••••01, which is none of +15•••••••09 or +15•••••••10"
    )
    document = {"properties": [{"key": "properties.x = '+15005550009'", "type": "hogql"}]}
    assert "5005550009" not in why(document, make_event())[1]

"""What a filter asks about, with the place of each."""

import pytest

from smspipe.matching import read_filter
from smspipe.matching.mentions import mentions
from smspipe.model.filter import Action, ActionStep, Mode


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"events": [{"id": "a", "type": "events"}]}, [("name", "a", "filters__events__0__id")]),
        ({"events": [{"id": None, "type": "events"}]}, []),
        (
            {"events": [{"id": "a", "type": "events", "properties": [{"key": "plan", "type": "event", "value": "x"}]}]},
            [("name", "a", "filters__events__0__id"), ("event", "plan", "filters__events__0__properties__0__key")],
        ),
        (
            {"properties": [{"key": "email", "type": "person", "operator": "is_set"}]},
            [("person", "email", "filters__properties__0__key")],
        ),
        ({"properties": [{"key": "distinct_id", "type": "person", "value": "x"}]}, []),
        ({"properties": [{"key": "name", "type": "group", "group_type_index": 0, "value": "x"}]}, []),
        (
            {"properties": [{"key": "properties.a = 1 and person.properties.b = 2 or event = 'x'", "type": "hogql"}]},
            [("person", "b", "filters__properties__0__key"), ("event", "a", "filters__properties__0__key")],
        ),
        ({"properties": [{"key": "properties.", "type": "hogql"}]}, []),
        ({"actions": [{"id": "3", "type": "actions"}]}, [("name", "bought", "filters__actions__0")]),
        ({"actions": [{"id": "4", "type": "actions"}]}, []),
    ],
)
def test_names_and_properties_are_listed(given: dict[str, object], asked: list[tuple[str, str, str]]) -> None:
    actions = {"3": Action(id="3", name="Bought", steps=(ActionStep(event="bought"),))}
    found = mentions(read_filter({"source": "events", **given}, mode=Mode.SANE), actions)
    assert [(each.kind, each.key, each.field) for each in found] == asked

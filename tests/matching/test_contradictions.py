"""What is said never to match never does."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smspipe.matching import FilterError, compile_filter, contradictions, read_action, read_filter, read_properties
from smspipe.model.event import Event
from smspipe.model.filter import Mode
from smspipe.model.person import Person
from tests.matching.conftest import NOW
from tests.matching.strategies import KEYS, actions, conditions, events, filters, modes, people, tests


def of(document: Any, mode: Mode = Mode.SANE, **more: Any) -> list[str]:
    return contradictions(read_filter(document, mode=mode), **more)


def p(key: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"key": key, "operator": operator, "value": value, **more}


IMPOSSIBLE = {
    "two values": (
        [p("plan", "exact", "pro"), p("plan", "exact", "free")],
        "Property plan of the event must be pro and must be free, which no value but false is.",
    ),
    "a value and its absence": (
        [p("plan", "exact", "pro"), p("plan", "is_not_set")],
        "Property plan of the event must be pro and must not be set, which no value is.",
    ),
    "set and not set": (
        [p("plan", "is_set"), p("plan", "is_not_set")],
        "Property plan of the event must be set and must not be set, which is the opposite.",
    ),
    "a value and another's pattern": (
        [p("plan", "in", ["pro", "team"]), p("plan", "regex", "^free")],
        "Property plan of the event must be in pro or team and must match the pattern ^free, which no value is.",
    ),
    "lists without a common value": (
        [p("plan", "exact", ["a", "b"]), p("plan", "exact", ["c", "d"])],
        "Property plan of the event must be a or b and must be c or d, which no value is.",
    ),
    "a condition and its opposite": (
        [p("email", "icontains", "@x", type="person"), p("email", "not_icontains", "@x", type="person")],
        "Property email of the person must contain @x and must not contain @x, which is the opposite.",
    ),
    "negation": (
        [p("a", "regex", "^p"), p("a", "regex", "^p", negation=True)],
        "Property a of the event must match the pattern ^p and must not match the pattern ^p, which is the opposite.",
    ),
    "above and below": (
        [p("amount", "gt", 10), p("amount", "lt", 5)],
        "Property amount of the event must be greater than 10 and must be less than 5, which no value is.",
    ),
    "above and at most the same": (
        [p("amount", "gt", 10), p("amount", "lte", 10)],
        "Property amount of the event must be greater than 10 and must be at most 10, which no value is.",
    ),
    "between and outside": (
        [p("amount", "between", [1, 5]), p("amount", "gte", 6)],
        "Property amount of the event must be at least 6 and must be between 1 and 5, which no value is.",
    ),
    "a number and less": (
        [p("amount", "exact", 5), p("amount", "lt", 5)],
        "Property amount of the event must be 5 and must be less than 5, which no value is.",
    ),
    "dates": (
        [p("t", "is_date_after", "2026-02-01"), p("t", "is_date_before", "2025-01-01")],
        (
            "Property t of the event must be a date after 2026-02-01 and must be a date before 2025-01-01, "
            "which no value is."
        ),
    ),
    "versions": (
        [p("v", "semver_gte", "2.0.0"), p("v", "semver_lt", "1.10.0")],
        "Property v of the event must be version 2.0.0 or above and must be a version below 1.10.0, which no value is.",
    ),
    "an empty pattern": (
        [p("plan", "regex", "")],
        "Property plan of the event must match the pattern empty, and an empty pattern matches nothing.",
    ),
    "a person without an id": (
        [p("distinct_id", "is_not_set", type="person")],
        "The distinct_id must not be set, which nothing is.",
    ),
}


@pytest.mark.parametrize(("properties", "sentence"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize("mode", Mode)
def test_what_cannot_hold_together_is_told(properties: list[Any], sentence: str, mode: Mode) -> None:
    assert of({"properties": properties}, mode) == [sentence]
    assert of({"events": [{"id": "order", "properties": properties}]}, mode) == [sentence]
    assert of({"events": [{"id": "order", "properties": properties}, {"id": "signup"}]}, mode) == []
    assert of({"properties": {"type": "OR", "values": [*properties, p("other", "is_set")]}}, mode) == []


POSSIBLE: dict[str, list[Any]] = {
    "an empty list is no condition": [p("plan", "in", []), p("plan", "exact", [])],
    "text may be put in order": [p("plan", "gt", "abc"), p("plan", "lt", "abd")],
    "text is not compared by its number": [p("plan", "gt", "9"), p("plan", "lt", "10")],
    "a number is its text": [p("plan", "exact", "5"), p("plan", "exact", 5)],
    "bounds that meet": [p("amount", "gte", 10), p("amount", "lte", 10)],
    "several bounds are any": [p("amount", "gt", [10, 1]), p("amount", "lt", 5)],
    "other properties": [p("a", "exact", "x"), p("b", "exact", "y"), p("a", "exact", "x", type="person")],
    "texts that were clicked are many": [
        p("text", "exact", "a", type="element"),
        p("text", "exact", "b", type="element"),
    ],
    "expressions are not looked into": [{"type": "hogql", "key": "false"}],
    "dates that move": [p("at", "is_date_after", "-1d"), p("at", "is_date_before", "-2d")],
}


@pytest.mark.parametrize("properties", POSSIBLE.values(), ids=POSSIBLE)
@pytest.mark.parametrize("mode", Mode)
def test_nothing_is_said_of_what_may_match_or_is_not_known(properties: list[Any], mode: Mode) -> None:
    assert of({"properties": properties}, mode) == []


def test_every_alternative_must_be_impossible() -> None:
    never = [p("plan", "exact", "a"), p("plan", "exact", "b")]
    document = {"events": [{"id": "x", "properties": never}, {"id": "y", "properties": [p("plan", "is_not_set")]}]}
    assert of(document) == []
    assert of({**document, "properties": [p("plan", "is_set")]}) == [
        "Property plan of the event must be set and must be a and must be b, which no value but false is.",
        "Property plan of the event must be set and must not be set, which is the opposite.",
    ]


def test_an_event_that_has_another_name_is_impossible() -> None:
    document = {"events": [{"id": "order"}], "properties": [p("event", "exact", "signup", type="event_metadata")]}
    assert of(document) == ["The event's event must be signup and must be order, which no value is."]
    assert of({**document, "events": [{"id": "order"}, {"id": None}]}) == []


def test_an_action_is_looked_into() -> None:
    action = read_action({"id": 1, "steps": [{"event": "a", "properties": [p("x", "is_not_set")]}]})
    document = {"actions": [{"id": 1, "properties": [p("x", "exact", "1")]}]}
    assert of(document, actions={"1": action}) == [
        "Property x of the event must not be set and must be 1, which no value is."
    ]


def test_test_accounts_count_where_they_are_left_out() -> None:
    document = {"filter_test_accounts": True, "properties": [p("email", "exact", "a@x.example", type="person")]}
    ours = read_properties([p("email", "not_icontains", "@x.example", type="person")])
    assert of(document, test_accounts=ours) == [
        "Property email of the person must not contain @x.example and must be a@x.example, which no value but false is."
    ]
    assert of({**document, "filter_test_accounts": False}, test_accounts=ours) == []


@pytest.mark.parametrize("kind", ["AND", "OR"])
def test_a_filter_of_any_size_is_answered(kind: str) -> None:
    choices = [{"type": "OR", "values": [p(f"a{index}", "is_set"), p(f"b{index}", "is_set")]} for index in range(210)]
    assert of({"properties": {"type": kind, "values": choices}}) == []


def test_a_date_that_is_none_never_matches_where_it_is_taken() -> None:
    assert of({"properties": [p("at", "is_date_after", "soon")]}, Mode.POSTHOG) == [
        "Property at of the event must be a date after soon, which is no date."
    ]


def test_what_does_not_compile_never_matches() -> None:
    (sentence,) = of({"properties": [p("plan", "regex", "(")]})
    assert sentence == "It cannot be evaluated: This is not a regular expression: missing ): (."


# ---- soundness ---------------------------------------------------------------------------------------

_clashing = st.lists(st.builds(lambda key, test: {"key": key} | test, st.sampled_from(KEYS[:2]), tests), min_size=2)
_documents = filters | st.fixed_dictionaries({"properties": _clashing}) | st.fixed_dictionaries(
    {"events": st.lists(st.fixed_dictionaries({"id": st.sampled_from(["order", None]), "properties": _clashing}))}
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(_documents, modes, actions, st.lists(conditions, max_size=2), st.lists(events, min_size=2, max_size=4), people)
def test_no_event_matches_what_is_said_never_to(
    document: Any, mode: Mode, steps_of: Any, accounts: list[Any], asked: list[Event], person: Person | None
) -> None:
    known = {str(index): read_action({"id": index, "steps": steps}) for index, steps in enumerate(steps_of, 1)}
    ours = read_properties(accounts)
    read = read_filter(document, mode=mode)
    found = contradictions(read, actions=known, test_accounts=ours)
    if not found:
        return
    matcher = compile_filter(read, actions=known, test_accounts=ours)
    for event in asked:
        values = [*event.properties.values(), *(person.properties.values() if person is not None else ())]
        if any(" but " in sentence for sentence in found) and any(type(value) is bool for value in values):
            continue
        try:
            assert not matcher.matches(event, person, (), NOW + timedelta(days=1))
        except FilterError:
            continue

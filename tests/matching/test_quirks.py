"""The quirks that a filter's answer depends on, each with a value about which the modes disagree."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smspipe.matching import (
    FilterError,
    Matcher,
    Quirk,
    QuirkName,
    compile_filter,
    quirks,
    read_action,
    read_filter,
    read_properties,
)
from smspipe.matching.quirks import WHAT
from smspipe.model.clock import EPOCH
from smspipe.model.errors import Invalid
from smspipe.model.event import Event
from smspipe.model.filter import Filter, Mode
from smspipe.model.person import Person
from tests.matching.conftest import make_event
from tests.matching.strategies import KEYS, actions, filters, tests, texts


def of(document: Any, mode: Mode = Mode.POSTHOG, **more: Any) -> list[Quirk]:
    return quirks(read_filter(document, mode=mode), **more)


def p(key: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"key": key, "operator": operator, "value": value, **more}


EACH = [
    (p("a", "lt", 10), QuirkName.MISSING_IS_ZERO, None, True),
    (p("a", "gte", 0, type="person"), QuirkName.MISSING_IS_ZERO, None, True),
    (p("a", "between", [-1, 1]), QuirkName.MISSING_IS_ZERO, None, True),
    (p("a", "not_between", [1, 5]), QuirkName.MISSING_IS_ZERO, None, True),
    (p("a", "icontains", "nul"), QuirkName.MISSING_READS_NULL, None, True),
    (p("a", "not_icontains_multi", ["l", "x"]), QuirkName.MISSING_READS_NULL, None, False),
    (p("a", "regex", "^null$"), QuirkName.MISSING_READS_NULL, None, True),
    (p("a", "not_regex", "."), QuirkName.MISSING_READS_NULL, None, False),
    (p("a", "exact", ["5", "6"]), QuirkName.STRICT_MEMBERS, 5, False),
    (p("a", "in", [5]), QuirkName.STRICT_MEMBERS, "5", False),
    (p("a", "not_in", ["5"]), QuirkName.STRICT_MEMBERS, 5, True),
    (p("a", "in", ["b", None]), QuirkName.NULL_MEMBER, None, True),
    (p("a", "semver_lt", "1.2.3"), QuirkName.NO_VERSION_IS_LOWEST, None, True),
    (p("a", "is_date_before", "soon"), QuirkName.UNREADABLE_VALUE, None, False),
    (p("a", "semver_gt", "five"), QuirkName.UNREADABLE_VALUE, None, False),
    (p("$elements_chain", "is_set"), QuirkName.NO_CLICK_IS_EMPTY, None, True),
]


@pytest.mark.parametrize(("condition", "name", "example", "posthog"), EACH, ids=lambda each: str(each)[:60])
def test_each_quirk_is_told_with_a_value(condition: Any, name: QuirkName, example: Any, posthog: bool) -> None:
    (quirk,) = of({"events": [{"id": "order", "properties": [condition]}]})
    assert (quirk.name, quirk.example, quirk.posthog) == (name, example, posthog)
    assert quirk.field == "filters__events__0__properties__0"
    assert quirk.sane is (None if name is QuirkName.UNREADABLE_VALUE else not posthog)
    assert quirk.decisive is (quirk.sane is not None)
    assert quirk.made.event.event == ("order" if quirk.decisive else "an event")
    assert quirk.sentence.startswith(WHAT[name])


def test_an_unfinished_condition_among_alternatives_is_told() -> None:
    (quirk,) = of({"properties": {"type": "OR", "values": [{"key": "a"}, p("b", "exact", "x")]}})
    assert (quirk.name, quirk.field, quirk.decisive) == (QuirkName.UNFINISHED, "filters__properties__0", True)
    assert of({"properties": [{"key": "a"}, p("b", "exact", "x")]}) == []


def test_the_sentence_says_what_is_seen_and_what_differs() -> None:
    missing, members = of({"properties": [p("amount", "lt", 10)]}) + of({"properties": [p("plan", "in", [5])]})
    assert missing.sentence == (
        "To PostHog a missing value is 0 when it is put in order. "
        "Where property amount of the event is missing the condition holds; in the mode sane it does not."
    )
    assert members.sentence == (
        "To PostHog a number and its text are not the same among several values. "
        "Where property plan of the event is 5 the condition does not hold; in the mode sane it does."
    )


@pytest.mark.parametrize(
    "properties",
    [
        [p("a", "lt", 10), p("a", "is_set")],
        [p("a", "gt", 10)],
        [p("a", "between", [1, 5])],
        [p("a", "exact", ["free", "pro"])],
        [p("a", "icontains", "x")],
        [p("a", "exact", 5), p("b", "is_set"), p("c", "is_date_after", "-7d")],
    ],
)
def test_a_quirk_without_effect_is_not_told(properties: list[Any]) -> None:
    assert of({"events": [{"id": "order"}, {"id": "paid"}], "properties": properties}) == []


def test_a_filter_of_the_other_mode_has_no_quirks() -> None:
    assert of({"properties": [p("a", "lt", 10)]}, Mode.SANE) == []


def test_actions_and_test_accounts_are_looked_into() -> None:
    action = read_action({"id": 1, "steps": [{"event": "a", "properties": [p("x", "lt", 1)]}]})
    ours = read_properties([p("email", "not_regex", "l$", type="person")])
    found = of(
        {"actions": [{"id": 1}], "filter_test_accounts": True}, actions={"1": action}, test_accounts=ours
    )  # fmt: skip
    assert [(quirk.field, quirk.decisive) for quirk in found] == [
        ("test_account_filters__0", True),
        ("filters__actions__0__steps__0__properties__0", True),
    ]


def test_where_no_event_is_found_the_condition_alone_is_told() -> None:
    (quirk,) = of({"properties": [p("a", "lt", 10), {"type": "hogql", "key": "properties.b = 'never guessed'"}]})
    assert (quirk.name, quirk.decisive) == (QuirkName.MISSING_IS_ZERO, False)


def test_in_a_very_large_filter_each_condition_is_told_by_itself() -> None:
    found = of({"properties": {"type": "OR", "values": [p(f"k{index}", "lt", 10) for index in range(1000)]}})
    assert [(quirk.name, quirk.decisive) for quirk in found] == [(QuirkName.MISSING_IS_ZERO, False)] * 1000


def test_the_reference_lists_the_quirks_and_no_others() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "filters.md").read_text("utf-8")
    section = page.split("\n## Quirks\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(QuirkName) == set(WHAT)


# ---- properties --------------------------------------------------------------------------------------

_conditions = st.builds(lambda key, test: {"key": key} | test, st.sampled_from(KEYS[:2]), tests)
_plain = st.fixed_dictionaries(
    {"properties": st.lists(_conditions, min_size=1, max_size=3)},
    optional={"events": st.lists(st.fixed_dictionaries({"id": st.just("order"), "properties": st.lists(_conditions)}))},
)

_values = st.none() | st.booleans() | st.integers(-1, 6) | texts
_events = st.builds(
    make_event, st.sampled_from(["order", "other"]), st.dictionaries(st.sampled_from(KEYS[:2]), _values)
)


def _both(read: Filter, **given: Any) -> list[Matcher] | None:
    try:
        return [compile_filter(msgspec.structs.replace(read, mode=mode), **given) for mode in Mode]
    except Invalid:
        return None


def _ask(matcher: Matcher, event: Event, person: Person | None, groups: Any) -> bool:
    try:
        return matcher.matches(event, person, groups, EPOCH)
    except FilterError:
        return False


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(filters | _plain, actions)
def test_about_the_example_the_modes_really_disagree(document: Any, steps_of: Any) -> None:
    known = {str(index): read_action({"id": index, "steps": steps}) for index, steps in enumerate(steps_of, 1)}
    read = read_filter(document, mode=Mode.POSTHOG)
    whole = _both(read, actions=known)
    for quirk in quirks(read, actions=known):
        assert quirk.posthog is not quirk.sane
        if quirk.decisive:
            assert whole is not None
            posthog, sane = (_ask(each, quirk.made.event, quirk.made.person, quirk.made.groups) for each in whole)
            assert posthog is not sane


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(_plain, st.lists(_events, min_size=4, max_size=6))
def test_without_a_quirk_no_event_is_judged_differently(document: Any, asked: list[Event]) -> None:
    read = read_filter(document, mode=Mode.POSTHOG)
    if quirks(read):
        return
    whole = _both(read)
    assert whole is not None
    for event in asked:
        posthog, sane = (_ask(each, event, None, ()) for each in whole)
        assert posthog is sane

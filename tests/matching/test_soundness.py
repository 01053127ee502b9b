"""Properties that hold for any filter and any event."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from smspipe.matching import FilterError, Matcher, compile_filter, read_action, read_filter
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Mode
from smspipe.model.person import Person
from tests.matching.conftest import NOW, make_event
from tests.matching.strategies import (
    KEYS,
    actions,
    conditions,
    events,
    filters,
    json,
    memberships,
    modes,
    people,
    places,
    tests,
)

pytestmark = pytest.mark.slow
unhurried = settings(deadline=None)  # the first expression loads the parser


def compiled(document: Any, mode: Mode, steps_of: Any = ((), ())) -> Matcher | None:
    """Compile a filter; None when it is refused, which it may be only with the place of the mistake."""
    read = [read_action({"id": index, "steps": list(listed)}) for index, listed in enumerate(steps_of, 1)]
    try:
        return compile_filter(read_filter(document, mode=mode), actions={action.id: action for action in read})
    except Invalid as refused:
        if not (refused.field or "").startswith("filters"):
            raise
        return None


def outcome(ask: Any) -> Any:
    """What asking leads to: the answer, or the words of the filter error."""
    try:
        return ask()
    except FilterError as error:
        return str(error)


@unhurried
@given(json, modes)
def test_any_json_is_read_as_a_filter_or_refused(document: Any, mode: Mode) -> None:
    compiled(document, mode)


@unhurried
@given(
    st.dictionaries(st.sampled_from(["events", "actions", "properties", "filter_test_accounts", "source"]), json), modes
)
def test_any_json_in_a_filters_places_is_read_or_refused(document: Any, mode: Mode) -> None:
    compiled(document, mode)


@unhurried
@given(places | conditions, st.sampled_from(["key", "operator", "value", "type"]), json, modes)
def test_any_json_in_a_conditions_places_is_read_or_refused(condition: Any, place: str, value: Any, mode: Mode) -> None:
    matcher = compiled({"properties": [{**condition, place: value}]}, mode)
    if matcher is not None:
        assert outcome(lambda: matcher.matches(make_event(plan="pro"), None, (), NOW)) is not None


@unhurried
@given(filters, modes, actions, events, people, memberships, st.timedeltas(timedelta(0), timedelta(9)))
def test_every_event_is_answered_and_the_explanation_agrees(
    document: Any, mode: Mode, steps_of: Any, event: Event, person: Person | None, groups: list[Group], later: timedelta
) -> None:
    """A yes, a no with its reason, or a filter error; and never a yes for a name that is not listened to."""
    matcher = compiled(document, mode, steps_of)
    assert matcher is not None
    now = NOW + later
    answer = outcome(lambda: matcher.matches(event, person, groups, now))
    reason = outcome(lambda: matcher.explain(event, person, groups, now))
    if isinstance(answer, str):
        assert reason == answer
    elif answer is True:
        assert reason is None
    else:
        assert answer is False
        assert reason.field.startswith("filters")
        assert reason.saw
    assert outcome(lambda: matcher.matches(event, person, groups, now)) == answer
    if matcher.event_names is not None and event.event not in matcher.event_names:
        assert answer is False


@unhurried
@given(conditions, modes, events, people, memberships)
def test_negation_is_the_opposite(
    condition: Any, mode: Mode, event: Event, person: Person | None, groups: list[Group]
) -> None:
    """Beside another condition, where an expression counts by its truth; what is no condition has no opposite."""
    beside = {"key": "distinct_id", "type": "person", "operator": "is_set"}
    assume(condition.get("value", 1) not in (None, []))
    answers = []
    for negation in (False, True):
        matcher = compiled({"properties": [beside, {**condition, "negation": negation}]}, mode)
        assert matcher is not None
        answers.append(outcome(lambda ask=matcher.matches: ask(event, person, groups, NOW)))
    assert answers[0] == answers[1] if isinstance(answers[0], str) else answers[0] is not answers[1]


@unhurried
@given(st.sampled_from(KEYS), tests, events)
def test_the_modes_part_only_over_missing_values_and_members(key: str, test: dict[str, Any], event: Event) -> None:
    value, operator = event.properties.get(key), test["operator"]
    if value is None or operator in ("in", "not_in") or isinstance(test["value"], list):
        return
    if operator.startswith("semver") and not (isinstance(value, str) and value.lstrip("v").startswith("1.")):
        return
    posthog, sane = (compiled({"properties": [{"key": key, **test}]}, mode) for mode in (Mode.POSTHOG, Mode.SANE))
    assert posthog is not None
    assert sane is not None
    assert posthog.matches(event, None, (), NOW) is sane.matches(event, None, (), NOW)

"""Properties that hold for any filter and any event."""

from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from smspipe.matching import FilterError, Matcher, compile_filter, read_action, read_filter
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Mode
from smspipe.model.person import Person
from tests.matching.conftest import NOW, make_event, make_person

pytestmark = pytest.mark.slow
unhurried = settings(deadline=None)  # the first expression loads the parser
NAMES: Final = ("order", "signup", "$autocapture", "$pageview")
KEYS: Final = ("plan", "amount", "seen", "version")
CHAINS: Final = ('a.b:text="Buy"href="/a";div:text="x"', 'div.b;a:nth-child="1"attr_id="i"')

# ---- values, few enough that conditions and events meet ----------------------------------------------

texts = st.sampled_from(
    ["", "pro", "Pro team", "null", "5", " 5 ", "0x5", "2026-03-10", "1.2.3", "v1.10.0", "true", "Köln"]
)
numbers = st.integers(-1, 6) | st.sampled_from([5.0, 0.5, 2**53, 2**53 + 1, 10**400])
values = st.none() | st.booleans() | numbers | texts | st.text(max_size=3)
json = st.recursive(
    values | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)

# ---- filters, mostly of the right shape --------------------------------------------------------------


def operators(names: str, wanted: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Operators with values that they take."""
    return st.fixed_dictionaries({"operator": st.sampled_from(names.split()), "value": wanted})


def one_or_more(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return of | st.lists(of, max_size=3)


tests = st.one_of(
    operators("exact is_not in not_in is_cleaned_path_exact is_set is_not_set", one_or_more(values)),
    operators("icontains not_icontains icontains_multi not_icontains_multi", one_or_more(values | st.just("a%m"))),
    operators("regex not_regex", one_or_more(st.sampled_from(["", "^p", "[0-9]+$", "null", "(?i)TEAM"]))),
    operators("gt gte lt lte min max", one_or_more(numbers | texts | st.booleans())),
    operators("between not_between", st.sampled_from([[0, 5], ["1", "5"], [-1, 0], [5, 5]])),
    operators(
        "is_date_exact is_date_before is_date_after", one_or_more(st.sampled_from(["2026-03-10", "-5d", "dStart"]))
    ),
    operators("semver_eq semver_neq semver_gt semver_gte semver_lt semver_lte", one_or_more(st.just("1.2.3"))),
    operators("semver_tilde semver_caret semver_wildcard", st.sampled_from(["1.2.3", "1.2"])),
)
places = st.one_of(
    st.fixed_dictionaries({"key": st.sampled_from(KEYS)}, optional={"type": st.sampled_from(["event", "person"])}),
    st.fixed_dictionaries(
        {"type": st.just("group"), "key": st.sampled_from(KEYS), "group_type_index": st.integers(0, 1)}
    ),
    st.fixed_dictionaries({"type": st.just("element"), "key": st.sampled_from(["text", "href"])}),
    st.fixed_dictionaries(
        {"type": st.just("event_metadata"), "key": st.sampled_from(["event", "$group_0", "timestamp"])}
    ),
)
structures = st.fixed_dictionaries(
    {"type": st.just("element"), "operator": st.sampled_from(["exact", "is_not"])}
    | {"key": st.sampled_from(["selector", "tag_name"]), "value": one_or_more(st.sampled_from(["a", "div", "b"]))}
)
expressions = st.fixed_dictionaries(
    {
        "type": st.just("hogql"),
        "key": st.sampled_from(["properties.amount > 1", "person.properties.plan", "'a' in properties.x"]),
    }
)
negations = st.fixed_dictionaries({}, optional={"negation": st.booleans()})
conditions = st.builds(
    lambda place, negation: place | negation,
    st.builds(lambda place, test: place | test, places, tests) | structures | expressions,
    negations,
)
groups_of_conditions = st.recursive(
    conditions,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["AND", "OR"]), "values": st.lists(inner, max_size=3)}
    ),
    max_leaves=5,
).map(lambda group: group if "values" in group else [group])
properties = st.fixed_dictionaries({}, optional={"properties": groups_of_conditions})
entries = st.builds(lambda name, more: {"id": name} | more, st.sampled_from([*NAMES, None]), properties)
action_entries = st.builds(lambda index, more: {"id": index} | more, st.integers(1, 2), properties)
filters = st.fixed_dictionaries(
    {},
    optional={
        "events": st.lists(entries, max_size=3),
        "actions": st.lists(action_entries, max_size=2),
        "properties": groups_of_conditions,
    },
)
steps = st.fixed_dictionaries(
    {"event": st.sampled_from([*NAMES, None])},
    optional={
        "url": st.sampled_from(["/a", "%"]),
        "selector": st.sampled_from(["a", "div > a.b"]),
        "text": st.sampled_from(["Buy", ""]),
        "text_matching": st.sampled_from(["exact", "contains"]),
        "properties": groups_of_conditions,
    },
)
actions = st.lists(st.lists(steps, max_size=2), min_size=2, max_size=2)

# ---- events ------------------------------------------------------------------------------------------

known = st.dictionaries(st.sampled_from(KEYS), values | json, max_size=4)
clicks = st.fixed_dictionaries(
    {}, optional={"$elements_chain": st.sampled_from(CHAINS) | json, "$elements": json, "$current_url": texts | json}
)
events = st.builds(
    lambda name, own, click: make_event(name, own | click), st.sampled_from([*NAMES, "other"]), known, clicks
)
people = st.none() | known.map(lambda own: make_person(**own))
memberships = st.lists(
    st.builds(lambda index, own: Group(type="t", key="k", index=index, properties=own), st.integers(0, 4), known),
    max_size=2,
)
modes = st.sampled_from(Mode)


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

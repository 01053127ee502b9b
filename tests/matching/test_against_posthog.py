"""
The compatible mode against PostHog's own machine, which runs beside the tests.

Each filter is compiled twice: by this room, and by `posthog.py` to the bytecode that PostHog's backend writes. Both are
asked about the same events, and must agree: yes, no, or failed. `DIFFERENTIAL_EXAMPLES` raises the number of generated
filters from the 600 of every test run. What differs on purpose is a name in `DIFFERENCES` and in the reference.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smspipe.matching import FilterError, compile_filter, read_action, read_filter, read_properties
from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.model.event import Group
from smspipe.model.filter import Mode
from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from tests.matching import posthog
from tests.matching.conftest import MISSING, NOW, decide, make_event, make_matcher
from tests.matching.posthog import Machine

EXAMPLES: Final = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "600"))


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """PostHog's machine, started once."""
    started = Machine()
    yield started
    started.stop()


# ---- a table of every operator -----------------------------------------------------------------------

VALUES: Final[list[Any]] = [
    MISSING, None, "", " ", "pro", "Pro", "null", "NULL", "5", "5.0", " 5 ", "5px", "0x5", "1e1", "true", "True",
    "false", "no", "1", 5, 5.5, 0, -1, 1, 100, True, False, ["a"], ["1"], [1, 9], [], {"a": 1}, {}, "2026-01-31",
    "2026-01-31T00:00:00Z", "2026-01-31 01:00", "2026-02-30", 20260131, "v1.20.3-beta", "1.20", "1.2.3", "1.10.0", "2",
    "20", "100", "Köln", "a--b", "a%b", "line\nbreak", "1.2.3.4", "2026", "ſun", "\N{KELVIN SIGN}n", "a[b", "a.b", "+1",
    "\N{GRINNING FACE}", "Infinity", "-0", "1_0", "١", "\u00a05",
]  # fmt: skip
_EQUAL: Final[list[Any]] = [
    "pro", "5", "", 5, 0, 1, True, False, "true", "null", 5.5, "2026-01-31", ["a", "pro"], ["5", 6], [5, 6],
    [True, "x"], [1, 2], ["pro"], [5], [],
]  # fmt: skip
_MEMBERS: Final[list[Any]] = [["a", "pro"], ["5", 6], [5, 6], "pro", 5, [None, "a"], [True]]
_PRESENT: Final[list[Any]] = ["is_set", None]
_PARTS: Final[list[Any]] = [
    "pro", "nul", "5", "a%b", "a_b", "KÖLN", "k%n", "true", "1, 9", ["pro", "nul"], ["a%b", "zz"], "line%break", "sun",
    ".", "[", "\\", "", 5, ["k", 5], "{'a'", "%", "_", "a-", [],
]  # fmt: skip
_PATTERNS: Final[list[Any]] = [
    "^p", "", "null", "[0-9]+", ".*", "^$", "line.break", "(?i)^PRO$", "a\\.b", ["^a", "^p"], ["", "5$"], ["null"],
]  # fmt: skip
_ORDER: Final[list[Any]] = [
    5, 0, -1, 1, "5", "pro", True, False, "", ["100", 5], 1.5, "2026-01-31", [0], [], "1.10.0",
]  # fmt: skip
_RANGES: Final[list[Any]] = [[0, 5], ["1", "5"], [-1, 1], [5, 100], [0, 0], [1.5, 5.5]]
_DATES: Final[list[Any]] = [
    "2026-01-31", "2026-01-31T00:00:00Z", "2026-01-31 01:00", "2026-01-31T02:00:00+02:00", "soon",
    ["2026-01-31", "2020-01-01"], [],
]  # fmt: skip
_VERSIONS: Final[list[Any]] = ["1.2.3", "1.20", "1.20.3", ["1.2.3", "1.10.0"], "5", "v1.2.3", []]
_SPANS: Final[list[Any]] = ["1.2.3", "1.2", "0.2.3", "0.0.3"]
TABLE: Final[dict[str, list[Any]]] = {
    **dict.fromkeys(("exact", "is_not", "is_cleaned_path_exact"), _EQUAL),
    **dict.fromkeys(("in", "not_in"), _MEMBERS),
    **dict.fromkeys(("is_set", "is_not_set"), _PRESENT),
    **dict.fromkeys(("icontains", "not_icontains", "icontains_multi", "not_icontains_multi"), _PARTS),
    **dict.fromkeys(("regex", "not_regex"), _PATTERNS),
    **dict.fromkeys(("gt", "gte", "min", "lt", "lte", "max"), _ORDER),
    **dict.fromkeys(("between", "not_between"), _RANGES),
    **dict.fromkeys(("is_date_exact", "is_date_before", "is_date_after"), _DATES),
    **dict.fromkeys(("semver_eq", "semver_neq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"), _VERSIONS),
    **dict.fromkeys(("semver_tilde", "semver_caret"), _SPANS),
    "semver_wildcard": ["1.*", "1.2.*", "1.2.3.*", "0.*"],
}


@pytest.mark.parametrize(
    ("operator", "wanted"), [(operator, wanted) for operator, listed in TABLE.items() for wanted in listed], ids=repr
)
def test_every_value_is_judged_as_posthog_judges_it(machine: Machine, operator: str, wanted: Any) -> None:
    condition = {"key": "x", "operator": operator, "value": wanted}
    events = [make_event("e", {} if value is MISSING else {"x": value}) for value in VALUES]
    matcher = make_matcher({"properties": [condition]}, Mode.POSTHOG)
    code = posthog.compile_filter({"properties": [condition]})
    scopes = [posthog.globals_of({"event": "e", "properties": event.properties}, None, {}) for event in events]
    judged = {repr(value): str(decide(matcher, event)).lower() for value, event in zip(VALUES, events, strict=True)}
    assert judged == dict(zip(map(repr, VALUES), machine.run(code, scopes), strict=True))


# ---- filters and events that nobody thought of -------------------------------------------------------

_KEYS: Final = ("plan", "amount", "seen", "version", "a.b")
_NAMES: Final = ("order", "signup", "$autocapture", "$pageview")
_EXPRESSIONS: Final = {
    "properties.amount > 1": posthog.compare(13, posthog.field("properties", "amount"), posthog.constant(1)),
    "person.properties.plan": posthog.field("person", "properties", "plan"),
    "properties.plan = null or event = 'order'": posthog.any_of(
        [
            posthog.compare(11, posthog.field("properties", "plan"), posthog.constant(None)),
            posthog.compare(11, posthog.field("event"), posthog.constant("order")),
        ]
    ),
    "length(toString(properties.plan))": posthog.call(
        "length", posthog.call("toString", posthog.field("properties", "plan"))
    ),
    "jsonParse(toString(properties.plan)) = 5": posthog.compare(
        11,
        posthog.call("jsonParse", posthog.call("toString", posthog.field("properties", "plan"))),
        posthog.constant(5),
    ),
    "not(group_0.properties.plan)": posthog.negate(posthog.field("group_0", "properties", "plan")),
}
"""Expressions, and what PostHog compiles them to; among them some that give no boolean, and one that fails."""
_CHAINS: Final = (
    'button.buy:attr_id="b1"href="/a"nth-child="1"text="Buy";div.cart:text="Cart"',
    'a:href="/b"text="Buy now";span:nth-child="2"',
    'div:nth-child="1"',
)

scalars = st.sampled_from(
    [each for each in VALUES if each is not MISSING and not isinstance(each, list | dict)]
) | st.text(
    st.characters(codec="utf-8", exclude_characters="\r\u2028\u2029"), max_size=4
)  # fmt: skip
values = scalars | st.sampled_from([each for each in VALUES if isinstance(each, list | dict)])
tests = st.sampled_from(sorted(TABLE)).flatmap(
    lambda operator: st.fixed_dictionaries(
        {"operator": st.just(operator), "value": st.sampled_from(TABLE[operator]) | _more(operator)}
    )
)


def _more(operator: str) -> st.SearchStrategy[Any]:
    """Values that the operator takes beside those of the table."""
    if operator in ("exact", "is_not", "in", "not_in"):
        return scalars.filter(lambda value: value is not None) | st.lists(scalars, min_size=1, max_size=4)
    if operator.endswith(("icontains", "icontains_multi")):
        texts = scalars.filter(lambda value: isinstance(value, str))
        return texts | st.lists(texts, min_size=1, max_size=3)
    if operator in ("gt", "gte", "lt", "lte", "min", "max"):
        ordered = scalars.filter(lambda value: value is not None)
        return ordered | st.lists(ordered, min_size=1, max_size=3)
    return st.nothing()


_places = st.one_of(
    st.fixed_dictionaries({"key": st.sampled_from(_KEYS)}, optional={"type": st.sampled_from(["event", "feature"])}),
    st.fixed_dictionaries({"key": st.sampled_from([*_KEYS, "distinct_id"]), "type": st.just("person")}),
    st.fixed_dictionaries(
        {"key": st.sampled_from(_KEYS), "type": st.just("group"), "group_type_index": st.integers(0, 1)}
    ),
    st.fixed_dictionaries(
        {"key": st.sampled_from(["event", "distinct_id", "uuid", "timestamp"]), "type": st.just("event_metadata")}
    ),
    st.fixed_dictionaries({"key": st.sampled_from(["text", "href"]), "type": st.just("element")}),
    st.just({"key": "$elements_chain"}),
)
_conditions = st.one_of(
    st.builds(lambda place, test: place | test, _places, tests),
    st.builds(lambda place, test: place | test, _places, tests),
    st.fixed_dictionaries({"key": st.sampled_from(sorted(_EXPRESSIONS)), "type": st.just("hogql")}),
    st.fixed_dictionaries(
        {
            "type": st.just("element"),
            "key": st.just("tag_name"),
            "operator": st.sampled_from(["exact", "is_not"]),
            "value": st.sampled_from(["a", "button", "div", ["a", "span"]]),
        }
    ),
    st.sampled_from([{"key": "plan"}, {"key": "", "value": 1}, {"operator": "exact"}]),
)
_groups = st.recursive(
    st.lists(_conditions, min_size=1, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {
            "type": st.sampled_from(["AND", "OR"]),
            "values": st.lists(_conditions | inner.filter(lambda group: isinstance(group, dict)), max_size=3),
        }
    ),
    max_leaves=4,
)
_own = st.fixed_dictionaries({}, optional={"properties": _groups})
_entries = st.builds(lambda name, own: {"id": name} | own, st.sampled_from([*_NAMES, None]), _own)
_action_entries = st.builds(lambda id_, own: {"id": id_, "type": "actions"} | own, st.sampled_from([1, "2"]), _own)
_filters = st.fixed_dictionaries(
    {},
    optional={
        "events": st.lists(_entries, max_size=2),
        "actions": st.lists(_action_entries, max_size=2),
        "properties": _groups,
        "filter_test_accounts": st.booleans(),
    },
)
_matchings = st.sampled_from(["exact", "contains", "regex"])
_steps = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from([*_NAMES, None]),
        "url": st.sampled_from(["/a", "shop.%/b", "https://shop.example/a"]),
        "url_matching": _matchings,
        "text": st.sampled_from(["Buy", "buy", "Cart"]),
        "text_matching": _matchings,
        "href": st.sampled_from(["/a", "/A", "/"]),
        "href_matching": _matchings,
        "tag_name": st.sampled_from(["a", "button", "div"]),
        "properties": _groups,
    },
)
_actions = st.lists(st.lists(_steps, max_size=2), min_size=2, max_size=2).map(
    lambda listed: {index: {"id": index, "name": "", "steps": steps} for index, steps in enumerate(listed, 1)}
)
_properties = st.dictionaries(st.sampled_from(_KEYS), values, max_size=5).flatmap(
    lambda own: st.fixed_dictionaries(
        {},
        optional={
            "$elements_chain": st.sampled_from(_CHAINS),
            "$current_url": st.sampled_from(["https://shop.example/a", "https://shop.example/b", "/A"]),
        },
    ).map(lambda click: own | click)
)
_events = st.tuples(
    st.sampled_from([*_NAMES, "other"]),
    _properties,
    st.none() | st.dictionaries(st.sampled_from(_KEYS), values, max_size=4),
    st.dictionaries(st.integers(0, 1), st.dictionaries(st.sampled_from(_KEYS), values, max_size=3), max_size=2),
)
_accounts = st.lists(_conditions, max_size=2)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(_filters, _actions, _accounts, st.lists(_events, min_size=4, max_size=8))
def test_every_filter_is_judged_as_posthog_judges_it(
    machine: Machine,
    document: dict[str, Any],
    actions: dict[int, dict[str, Any]],
    accounts: list[dict[str, Any]],
    events: list[tuple[str, dict[str, Any], dict[str, Any] | None, dict[int, dict[str, Any]]]],
) -> None:
    read = [read_action(action) for action in actions.values()]
    matcher = compile_filter(
        read_filter(document, mode=Mode.POSTHOG),
        actions={action.id: action for action in read},
        test_accounts=read_properties(accounts),
    )
    scopes, judged = [], []
    for name, properties, known, groups in events:
        event = make_event(name, properties)
        person = None if known is None else Person(id=PersonId("p"), properties=known, created_at=NOW)
        memberships = [
            Group(type="t", key=f"key-{index}", index=index, properties=own) for index, own in groups.items()
        ]
        try:
            judged.append(str(decide(matcher, event, person, memberships)).lower())
        except FilterError:
            judged.append("error")
        shape = {
            "event": name,
            "uuid": event.uuid,
            "distinct_id": event.distinct_id,
            "timestamp": to_iso(event.timestamp),
            "properties": properties,
        }
        scopes.append(posthog.globals_of(shape, None if known is None else {"id": "p", "properties": known}, groups))
    answers = machine.run(posthog.compile_filter(document, actions, accounts, _EXPRESSIONS), scopes)
    names = _names(document, actions)
    expected = []
    for scope, answer in zip(scopes, answers, strict=True):
        if names is not None and scope["event"] not in names:
            # PostHog looks at names first where there are no actions, and smspipe also where there are: `names_first`.
            assert answer != "true"
            expected.append("false")
        else:
            # What is neither true nor false is no match, as false is.
            expected.append("error" if answer.startswith("error") else "false" if answer == "other" else answer)
    assert judged == expected


def _names(document: dict[str, Any], actions: dict[int, dict[str, Any]]) -> set[str] | None:
    """Collect the only names of events that can match; None when any may."""
    names = [entry["id"] for entry in document.get("events", ())]
    for entry in document.get("actions", ()):
        names += [step.get("event") for step in actions[int(entry["id"])]["steps"]] or [None]
    return set(names) if names and None not in names else None


# ---- what differs on purpose -------------------------------------------------------------------------

DIFFERENCES: Final[dict[str, Callable[[Machine], None]]] = {}
"""By the names under which the reference lists them: what shows that there is this difference, and that it is one."""


def difference(show: Callable[[Machine], None]) -> Callable[[Machine], None]:
    """Note a difference under its function's name."""
    DIFFERENCES[show.__name__] = show
    return show


def _both(
    machine: Machine,
    condition: Mapping[str, Any],
    event: dict[str, Any],
    *,
    theirs: Mapping[str, Any] | None = None,
    now: datetime = NOW,
) -> tuple[str, str]:
    """Ask both about one condition; `theirs` is what PostHog's backend makes of it where it makes something else."""
    code = posthog.compile_filter({"properties": [dict(theirs or condition)]}, expressions=_EXPRESSIONS | _FAILING)
    (answer,) = machine.run(code, [posthog.globals_of({"event": "e", "properties": event}, None, {})])
    matcher = make_matcher({"properties": [dict(condition)]}, Mode.POSTHOG)
    try:
        ours = str(decide(matcher, make_event("e", event), now=now)).lower()
    except FilterError:
        ours = "error"
    return ours, answer.split(":")[0]


_FAILING: Final = {"length(properties.plan) = 1": posthog.compare(
    11, posthog.call("length", posthog.field("properties", "plan")), posthog.constant(1)
)}  # fmt: skip


@difference
def relative_dates(machine: Machine) -> None:
    condition = {"key": "x", "operator": "is_date_after", "value": "-7d"}
    frozen = {**condition, "value": "2026-03-08 12:30:45"}
    event = {"x": "2026-03-10"}
    assert _both(machine, condition, event, theirs=frozen) == ("true", "true")
    assert _both(machine, condition, event, theirs=frozen, now=NOW + timedelta(days=3)) == ("false", "true")


@difference
def boolean_properties(machine: Machine) -> None:
    condition = {"key": "x", "operator": "exact", "value": "false"}
    known = {**condition, "value": False}
    assert _both(machine, condition, {"x": "no"}, theirs=known) == ("false", "true")


@difference
def cohorts(_: Machine) -> None:
    with pytest.raises(Invalid, match="cohorts that can't be used"):
        make_matcher({"filter_test_accounts": True}, test_accounts=[{"key": "id", "type": "cohort", "value": 1}])


@difference
def cleaned_paths(machine: Machine) -> None:
    condition = {"key": "x", "operator": "is_cleaned_path_exact", "value": "/users/:id"}
    cleaned = {"x": "/users/:id"}  # what a project's rule would make of /users/7
    assert _both(machine, condition, cleaned) == ("true", "true")
    assert _both(machine, condition, {"x": "/users/7"})[0] == "false"


@difference
def elements(machine: Machine) -> None:
    condition = {"type": "element", "key": "tag_name", "operator": "exact", "value": "button"}
    chain = {"$elements_chain": 'div:text="press;button.buy"'}
    assert _both(machine, condition, chain) == ("false", "true")


@difference
def quotes_in_elements(machine: Machine) -> None:
    condition = {"type": "element", "key": "text", "operator": "exact", "value": 'say "hi"'}
    assert _both(machine, condition, {"$elements_chain": 'a:text="say \\"hi\\""'}) == ("true", "false")


@difference
def null_in_expressions(machine: Machine) -> None:
    assert _both(machine, {"type": "hogql", "key": next(iter(_FAILING))}, {}) == ("false", "error")


@difference
def names_first(machine: Machine) -> None:
    fails = "jsonParse(toString(properties.plan)) = 5"
    document = {"actions": [{"id": 1, "type": "actions"}], "properties": [{"type": "hogql", "key": fails}]}
    action = {"id": 1, "name": "", "steps": [{"event": "order"}]}
    code = posthog.compile_filter(document, {1: action}, expressions=_EXPRESSIONS)
    (answer,) = machine.run(code, [posthog.globals_of({"event": "e", "properties": {"plan": "{"}}, None, {})])
    assert answer.startswith("error")
    assert not decide(make_matcher(document, Mode.POSTHOG, actions=[action]), make_event("e", plan="{"))


@difference
def workflow_variables(_: Machine) -> None:
    with pytest.raises(Invalid, match="cannot be evaluated when an event arrives"):
        make_matcher({"properties": [{"type": "workflow_variable", "key": "x", "operator": "is_not_set"}]})


@difference
def sources(_: Machine) -> None:
    with pytest.raises(Invalid, match="are not possible here"):
        make_matcher({"source": "person-updates"})


@difference
def limits(machine: Machine) -> None:
    condition = {"key": "x", "operator": "icontains", "value": "a" * 2001}
    code = posthog.compile_filter({"properties": [condition]})
    scope = posthog.globals_of({"event": "e", "properties": {"x": "a" * 2001}}, None, {})
    assert machine.run(code, [scope]) == ["true"]
    with pytest.raises(Invalid, match="at most 2000 characters"):
        make_matcher({"properties": [condition]}, Mode.POSTHOG)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_each_difference_is_there(machine: Machine, name: str) -> None:
    DIFFERENCES[name](machine)


def test_the_reference_lists_the_differences_and_no_others() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "filters.md").read_text("utf-8")
    section = page.split("\n## Differences from PostHog\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(DIFFERENCES)

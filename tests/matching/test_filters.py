"""How a filter's parts join, where its conditions read their values, and in which shapes it may be written."""

import json
from typing import Any

import pytest

from smspipe.matching import FilterError, compile_filter, read_filter, read_properties
from smspipe.model.errors import Invalid
from smspipe.model.event import Group
from smspipe.model.filter import Filter, Mode, Property, PropertyGroup
from tests.matching.conftest import NOW, decide, make_event, make_matcher, make_person

PLAN_PRO = {"key": "plan", "value": "pro", "operator": "exact", "type": "event"}
PAID = {"key": "paid", "operator": "is_set", "value": "is_set"}
BIG = {"key": "amount", "operator": "gt", "value": 100}


@pytest.mark.parametrize("document", [None, {}, {"bytecode": ["_H", 1, 29]}, {"events": [], "actions": None}])
def test_an_empty_filter_matches_everything(document: Any) -> None:
    matcher = make_matcher(document)
    assert decide(matcher, make_event("anything"))
    assert matcher.event_names is None


def test_an_entry_is_its_name_and_all_its_properties() -> None:
    matcher = make_matcher({"events": [{"id": "order", "properties": [PLAN_PRO, BIG]}]})
    assert decide(matcher, make_event("order", plan="pro", amount=200))
    assert not decide(matcher, make_event("order", plan="pro", amount=20))
    assert not decide(matcher, make_event("order", amount=200))
    assert not decide(matcher, make_event("signup", plan="pro", amount=200))


def test_any_entry_will_do_and_every_property_must() -> None:
    matcher = make_matcher(
        {"events": [{"id": "order", "properties": [BIG]}, {"id": "signup"}], "properties": [PLAN_PRO]}
    )
    assert decide(matcher, make_event("signup", plan="pro"))
    assert decide(matcher, make_event("order", plan="pro", amount=101))
    assert not decide(matcher, make_event("order", plan="pro"))
    assert not decide(matcher, make_event("signup"))
    assert matcher.event_names == frozenset({"order", "signup"})


@pytest.mark.parametrize("entry", [{"id": None}, {"name": "All events", "type": "events"}])
def test_an_entry_without_a_name_is_any_event(entry: dict[str, Any]) -> None:
    matcher = make_matcher({"events": [{"id": "order"}, {**entry, "properties": [PAID]}]})
    assert decide(matcher, make_event("order"))
    assert decide(matcher, make_event("anything", paid=1))
    assert not decide(matcher, make_event("anything"))
    assert matcher.event_names is None


def test_test_accounts_are_left_out_only_when_the_filter_says_so() -> None:
    ours = [{"key": "email", "operator": "not_icontains", "value": "@acme.test", "type": "person"}]
    staff, customer = make_person(email="ada@acme.test"), make_person(email="eve@example.com")
    strict = make_matcher({"filter_test_accounts": True}, test_accounts=ours)
    assert decide(strict, make_event(), customer)
    assert not decide(strict, make_event(), staff)
    assert decide(make_matcher({"filter_test_accounts": False}, test_accounts=ours), make_event(), staff)
    assert decide(make_matcher({"filter_test_accounts": True}), make_event(), staff)


# ---- groups ------------------------------------------------------------------------------------------


def either(*values: Any) -> dict[str, Any]:
    return {"type": "OR", "values": list(values)}


def both(*values: Any) -> dict[str, Any]:
    return {"type": "AND", "values": list(values)}


@pytest.mark.parametrize("place", ["top", "entry"])
@pytest.mark.parametrize(
    ("group", "plan", "paid", "amount", "expected"),
    [
        (either(PLAN_PRO, PAID), "pro", None, 0, True),
        (either(PLAN_PRO, PAID), "free", 1, 0, True),
        (either(PLAN_PRO, PAID), "free", None, 0, False),
        (both(PLAN_PRO, PAID), "pro", None, 0, False),
        (both(PLAN_PRO, PAID), "pro", 1, 0, True),
        (both(either(PLAN_PRO, PAID), BIG), "free", 1, 101, True),
        (both(either(PLAN_PRO, PAID), BIG), "free", 1, 100, False),
        (either(both(PLAN_PRO, BIG), both(PAID, BIG)), "pro", 1, 100, False),
        (either(both(PLAN_PRO, BIG), both(PAID)), "free", 1, 0, True),
        ([either(PLAN_PRO, PAID), BIG], "pro", None, 101, True),
        ([either(PLAN_PRO, PAID), BIG], "pro", None, 99, False),
        (either(), "free", None, 0, True),
        (both(either(), both()), "free", None, 0, True),
    ],
)
@pytest.mark.parametrize("mode", Mode)
def test_groups_join_what_is_in_them(
    place: str, group: Any, plan: str, paid: Any, amount: int, expected: bool, mode: Mode
) -> None:
    document = {"properties": group} if place == "top" else {"events": [{"id": "e", "properties": group}]}
    assert decide(make_matcher(document, mode), make_event("e", plan=plan, paid=paid, amount=amount)) is expected


INCOMPLETE = [
    {},
    {"key": None, "value": "x"},
    {"key": "", "operator": "exact", "value": "x"},
    {"key": "plan"},
    {"key": "plan", "operator": "exact", "value": None},
    {"type": "empty"},
    {"type": "group", "key": "tier", "value": "gold"},
    {"type": "hogql"},
]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("incomplete", INCOMPLETE)
def test_an_incomplete_condition_is_ignored(incomplete: dict[str, Any], mode: Mode) -> None:
    assert decide(make_matcher({"properties": [incomplete]}, mode), make_event())
    assert decide(make_matcher({"properties": [incomplete, PAID]}, mode), make_event(paid=1))
    assert not decide(make_matcher({"properties": [incomplete, PAID]}, mode), make_event())


def test_an_incomplete_alternative_opens_the_gate_only_for_posthog() -> None:
    document = {"properties": either({"key": "plan"}, PAID)}
    assert decide(make_matcher(document, Mode.POSTHOG), make_event())
    assert not decide(make_matcher(document, Mode.SANE), make_event())
    assert decide(make_matcher(document, Mode.SANE), make_event(paid=1))


# ---- where values are read ---------------------------------------------------------------------------

GROUPS = (
    Group(type="company", key="acme", index=0, properties={"tier": "gold"}),
    Group(type="project", key="p-1", index=2, properties={}),
)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"key": "a.b", "value": 1}, True),
        ({"key": "a", "operator": "is_set"}, False),
        ({"key": "$feature/new", "value": "on", "type": "feature"}, True),
        ({"key": "email", "value": "ada@example.com", "type": "person"}, True),
        ({"key": "distinct_id", "value": "u-1", "type": "person"}, True),
        ({"key": "tier", "value": "gold", "type": "group", "group_type_index": 0}, True),
        ({"key": "tier", "value": "gold", "type": "group", "group_type_index": "0"}, True),
        ({"key": "tier", "operator": "is_set", "type": "group", "group_type_index": 2}, False),
        ({"key": "tier", "operator": "is_set", "type": "group", "group_type_index": 1}, False),
        ({"key": "event", "value": "order shipped", "type": "event_metadata"}, True),
        ({"key": "distinct_id", "value": ["u-1", "u-2"], "type": "event_metadata"}, True),
        ({"key": "timestamp", "operator": "is_date_after", "value": "-2M", "type": "event_metadata"}, True),
        ({"key": "timestamp", "operator": "is_date_after", "value": "-30s", "type": "event_metadata"}, False),
        ({"key": "uuid", "operator": "icontains", "value": "0190A", "type": "event_metadata"}, True),
        ({"key": "$group_0", "value": "acme", "type": "event_metadata"}, True),
        ({"key": "$group_1", "operator": "is_set", "type": "event_metadata"}, False),
        ({"key": "$elements_chain", "operator": "icontains", "value": "a.buy"}, True),
        ({"key": "elements_chain", "operator": "regex", "value": "^a\\.buy", "type": "event_metadata"}, True),
    ],
)
def test_a_conditions_type_says_where_its_value_is_read(condition: dict[str, Any], expected: bool, mode: Mode) -> None:
    event = make_event(properties={"a.b": 1, "$feature/new": "on", "$elements_chain": 'a.buy:text="Buy"'})
    person = make_person(email="ada@example.com")
    assert decide(make_matcher({"properties": [condition]}, mode), event, person, GROUPS) is expected


def test_the_chain_of_an_event_without_elements_is_empty_text_to_posthog_and_missing_to_a_person() -> None:
    document = {"properties": [{"key": "$elements_chain", "operator": "is_set"}]}
    assert decide(make_matcher(document, Mode.POSTHOG), make_event())
    assert not decide(make_matcher(document, Mode.SANE), make_event())


@pytest.mark.parametrize("person", [None, make_person()])
def test_without_a_person_its_properties_are_missing(person: Any) -> None:
    unset = make_matcher({"properties": [{"key": "email", "operator": "is_not_set", "type": "person"}]})
    assert decide(unset, make_event(), person)


@pytest.mark.parametrize("kind", ["cohort", "static-cohort", "precalculated-cohort", "dynamic-cohort"])
def test_cohorts_are_refused_with_what_to_do_instead(kind: str) -> None:
    cohort = {"key": "id", "value": 12, "operator": "in", "type": kind}
    with pytest.raises(Invalid, match="Cohort membership can't be evaluated in real-time filters") as refused:
        make_matcher({"properties": [PLAN_PRO, cohort]})
    assert refused.value.field == "filters__properties__1"
    assert refused.value.hint is not None
    assert "inline person property filters" in refused.value.hint
    with pytest.raises(Invalid, match="Cohort membership"):
        make_matcher({"properties": [{"type": kind}]})
    with pytest.raises(Invalid, match="Your internal/test user filters include cohorts that can't be used") as refused:
        make_matcher({"filter_test_accounts": True}, test_accounts=[cohort])
    assert refused.value.field == "test_account_filters__0"


@pytest.mark.parametrize(
    "kind", ["session", "recording", "log_entry", "data_warehouse", "workflow_variable", "flag", "made up"]
)
def test_types_without_meaning_when_an_event_arrives_are_refused(kind: str) -> None:
    with pytest.raises(Invalid) as refused:
        make_matcher({"events": [{"id": "e", "properties": [{"key": "x", "value": 1, "type": kind}]}]})
    assert refused.value.field == "filters__events__0__properties__0__type"


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        ({"key": "tier", "value": 1, "type": "group", "group_type_index": 5}, "group_type_index"),
        ({"key": "colour", "value": 1, "type": "event_metadata"}, "key"),
        ({"key": "$group_7", "value": 1, "type": "event_metadata"}, "key"),
        ({"key": "colour", "value": "x", "type": "element"}, "key"),
        ({"key": "selector", "value": "a", "operator": "regex", "type": "element"}, "operator"),
        ({"key": "selector", "value": "a:hover", "type": "element"}, "value"),
        ({"key": "tag_name", "value": 5, "type": "element"}, "value"),
        ({"key": "nope(1)", "type": "hogql"}, "key"),
        ({"key": "1 +", "type": "hogql"}, "key"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_is_refused_where_it_stands(condition: dict[str, Any], place: str) -> None:
    with pytest.raises(Invalid) as refused:
        make_matcher({"properties": either(PLAN_PRO, both(PAID, condition))})
    assert refused.value.field == f"filters__properties__1__values__1__{place}"


# ---- expressions -------------------------------------------------------------------------------------


def expression(source: str, **more: Any) -> dict[str, Any]:
    return {"key": source, "type": "hogql", **more}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("properties.amount > 10", True),
        ("event = 'order shipped' and distinct_id = 'u-1'", True),
        ("uuid = '0190a1b2-0000-7000-8000-000000000001'", True),
        ("timestamp = '2026-03-15T12:29:45.678Z'", True),
        ("person.properties.email ilike '%@EXAMPLE.com'", True),
        ("person.id = '018f-person' and pdi.person_id = person.id", True),
        ("pdi.person.properties.email = person.properties.email and pdi.distinct_id = distinct_id", True),
        ("group_0.properties.tier = 'gold' and $group_0 = 'acme'", True),
        ("group_4.properties.tier = null and $group_4 = null", True),
        ("elements_chain like 'a.buy%' and elements_chain_href = '/pay'", True),
        ("'Buy' in elements_chain_texts and 'b-1' in elements_chain_ids and 'a' in elements_chain_elements", True),
        ("variables.x = null", True),
        ("toDateTime(timestamp) < now()", True),
        ("properties.amount > 1000", False),
    ],
)
def test_an_expression_knows_the_event_its_person_and_its_groups(source: str, expected: bool, mode: Mode) -> None:
    event = make_event(amount=20, properties={"$elements_chain": 'a.buy:attr_id="b-1"href="/pay"text="Buy"'})
    person = make_person(email="ada@example.com")
    assert decide(make_matcher({"properties": [expression(source)]}, mode), event, person, GROUPS) is expected


@pytest.mark.parametrize("mode", Mode)
def test_alone_an_expression_must_be_true_itself_and_among_others_like_true(mode: Mode) -> None:
    event = make_event(amount=20, paid=1)
    alone = expression("properties.amount")
    assert not decide(make_matcher({"properties": [alone]}, mode), event)
    assert not decide(make_matcher({"properties": either(alone)}, mode), event)
    assert decide(make_matcher({"properties": [alone, PAID]}, mode), event)
    assert decide(make_matcher({"properties": either(alone, BIG)}, mode), event)
    assert decide(make_matcher({"events": [{"id": None, "properties": [alone]}]}, mode), event)
    assert decide(make_matcher({"properties": [expression("properties.amount > 100", negation=True)]}, mode), event)


def test_without_a_person_an_expression_sees_null() -> None:
    assert decide(make_matcher({"properties": [expression("person = null and pdi = null")]}), make_event())


FAULTY = expression("'x' in properties.missing")


@pytest.mark.parametrize("mode", Mode)
def test_a_fault_at_run_time_is_a_filter_error(mode: Mode) -> None:
    matcher = make_matcher({"events": [{"id": "order"}], "properties": [FAULTY]}, mode)
    with pytest.raises(FilterError, match="The filter could not be evaluated: "):
        matcher.matches(make_event("order"), None, (), NOW)
    with pytest.raises(FilterError):
        matcher.explain(make_event("order"), None, (), NOW)
    assert not decide(matcher, make_event("signup"))


def test_a_fault_beside_an_answer_shows_only_in_posthogs_mode() -> None:
    """Hog evaluates both sides of `or` and `and`; a person is content with the first that decides."""
    for group, expected in ((either(PAID, FAULTY), True), (both(BIG, FAULTY), False)):
        assert decide(make_matcher({"properties": group}, Mode.SANE), make_event(paid=1)) is expected
        with pytest.raises(FilterError):
            make_matcher({"properties": group}, Mode.POSTHOG).matches(make_event(paid=1), None, (), NOW)


def test_an_explanation_never_asks_further_than_the_match_did() -> None:
    matcher = make_matcher({"events": [{"id": "e"}, {"id": "e", "properties": [FAULTY]}], "properties": [PAID]})
    assert not decide(matcher, make_event("e"))


# ---- shapes ------------------------------------------------------------------------------------------


def test_a_filter_is_read_in_posthogs_shape() -> None:
    document = json.loads("""
        {"source": "events", "filter_test_accounts": true, "bytecode": ["_H", 1, 29], "unknown": 1,
         "events": [{"id": "signup", "name": "signup", "type": "events", "order": 0, "properties": [
             {"key": "plan", "value": ["pro", "team"], "operator": "exact", "type": "event", "label": "Plan"}]},
            {"id": null, "name": "All events", "type": "events", "order": 1}],
         "actions": [{"id": 7, "name": "Bought", "type": "actions", "order": 2, "properties": []}, {"id": "8"}],
         "properties": {"type": "OR", "values": [
             {"type": "AND", "values": [{"key": "a", "value": 1, "type": "group", "group_type_index": 2}]}]}}""")
    read = read_filter(document, mode=Mode.POSTHOG)
    assert read.mode is Mode.POSTHOG
    assert read.filter_test_accounts is True
    assert [entry.id for entry in read.events] == ["signup", None]
    assert read.events[0].properties.values == (
        Property(key="plan", value=["pro", "team"], operator="exact", type="event"),
    )
    assert [entry.id for entry in read.actions] == ["7", "8"]
    assert read.properties == PropertyGroup(
        type="OR",
        values=(PropertyGroup(values=(Property(key="a", value=1, type="group", group_type_index=2),)),),
    )


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], ""),
        ("x", ""),
        ({"events": {}}, "__events"),
        ({"events": ["signup"]}, "__events__0"),
        ({"events": [{"id": True}]}, "__events__0__id"),
        ({"actions": [{"id": "seven"}]}, "__actions__0__id"),
        ({"actions": [{"name": "Bought"}]}, "__actions__0__id"),
        ({"properties": [5]}, "__properties__0"),
        ({"properties": [None]}, "__properties__0"),
        ({"properties": {"email": "x"}}, "__properties"),
        ({"properties": {"type": "XOR", "values": []}}, "__properties__type"),
        ({"properties": [{"type": "OR", "values": 5}]}, "__properties__0__values"),
        ({"properties": [PAID, {"key": "x", "operator": 5}]}, "__properties__1__operator"),
        ({"properties": [{"key": ["x"]}]}, "__properties__0__key"),
        ({"properties": [{"key": "x", "group_type_index": "a"}]}, "__properties__0__group_type_index"),
        ({"properties": [{"key": "x", "negation": "yes"}]}, "__properties__0__negation"),
        ({"filter_test_accounts": 1}, "__filter_test_accounts"),
        ({"source": 1}, "__source"),
    ],
)
def test_a_document_of_another_shape_is_refused_where_it_goes_wrong(document: Any, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_filter(document, mode=Mode.SANE)
    assert refused.value.field == f"filters{place}"


def test_groups_may_be_nested_but_not_without_end() -> None:
    document: Any = [PAID]
    for _ in range(20):
        document = [{"type": "OR", "values": document}]
    assert decide(make_matcher({"properties": document}), make_event(paid=1))
    for deeper in (1, 500):
        for _ in range(deeper):
            document = [{"type": "OR", "values": document}]
        with pytest.raises(Invalid, match="nested more than 20 levels deep"):
            read_properties(document)
    with pytest.raises(Invalid, match="at most 1000 conditions"):
        read_properties([PAID] * 1001)


def test_only_events_can_be_filtered() -> None:
    with pytest.raises(Invalid) as refused:
        make_matcher({"source": "person-updates"})
    assert refused.value.field == "filters__source"


def test_messages_name_places_within_the_document_that_the_filter_came_from() -> None:
    read = read_filter({"properties": [{"key": "x", "operator": "??", "value": 1}]}, mode=Mode.SANE)
    with pytest.raises(Invalid) as refused:
        compile_filter(read, field="mappings__2__filters")
    assert refused.value.field == "mappings__2__filters__properties__0__operator"


def test_a_group_of_unknown_type_is_refused_even_when_made_by_hand() -> None:
    with pytest.raises(Invalid):
        compile_filter(Filter(properties=PropertyGroup(type="XOR", values=(Property(key="x", value=1),))))

"""Actions: alternatives of what an event may be, down to the element that was clicked."""

from typing import Any

import pytest

from smspipe.matching import Matcher, read_action
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode
from tests.matching.conftest import NOW, decide, make_event, make_matcher

CHAIN = (
    'a.btn.primary:attr__data-id="7"href="/pay"nth-child="2"text="Pay \\"now\\""'
    ';div.cart:attr_id="basket"nth-child="1";body:nth-child="1"'
)


def matcher_of(*steps: dict[str, Any], mode: Mode = Mode.SANE, **entry: Any) -> Matcher:
    action = {"id": 7, "name": "Bought", "steps": list(steps)}
    return make_matcher({"actions": [{"id": "7", **entry}]}, mode, [action])


def test_an_action_without_steps_matches_everything() -> None:
    matcher = matcher_of()
    assert decide(matcher, make_event("anything"))
    assert matcher.event_names is None


def test_any_step_will_do_and_all_of_its_parts_must() -> None:
    matcher = matcher_of(
        {"event": "order", "properties": [{"key": "amount", "operator": "gt", "value": 100}]},
        {"event": "invoice", "url": "/paid"},
    )
    assert decide(matcher, make_event("order", amount=101))
    assert not decide(matcher, make_event("order", amount=100))
    assert decide(matcher, make_event("invoice", {"$current_url": "https://acme.test/paid?x=1"}))
    assert not decide(matcher, make_event("invoice", {"$current_url": "https://acme.test/open"}))
    assert not decide(matcher, make_event("signup", amount=101))
    assert matcher.event_names == frozenset({"order", "invoice"})


def test_a_step_without_an_event_is_open_to_every_event() -> None:
    matcher = matcher_of({"event": "order"}, {"event": None, "url": "/paid"})
    assert matcher.event_names is None
    assert decide(matcher, make_event("anything", {"$current_url": "/paid"}))
    assert not decide(matcher, make_event("anything"))


def test_the_entrys_own_properties_must_hold_as_well() -> None:
    matcher = matcher_of({"event": "order"}, properties=[{"key": "plan", "value": "pro"}])
    assert decide(matcher, make_event("order", plan="pro"))
    assert not decide(matcher, make_event("order"))
    assert matcher.event_names == frozenset({"order"})


def test_actions_and_events_are_alternatives() -> None:
    actions = [{"id": 7, "steps": [{"event": "order"}]}, {"id": 8, "steps": [{"event": "refund"}]}]
    matcher = make_matcher({"events": [{"id": "signup"}], "actions": [{"id": 7}, {"id": 8}]}, actions=actions)
    assert matcher.event_names == frozenset({"signup", "order", "refund"})
    for name in ("signup", "order", "refund"):
        assert decide(matcher, make_event(name))
    assert not decide(matcher, make_event("other"))


def test_an_entry_is_an_action_when_it_says_so_wherever_it_stands() -> None:
    matcher = make_matcher(
        {"events": [{"id": 7, "type": "actions"}]}, actions=[{"id": 7, "steps": [{"event": "order"}]}]
    )
    assert decide(matcher, make_event("order"))
    assert not decide(matcher, make_event("7"))


def test_the_matched_actions_are_named_for_routing() -> None:
    actions = [
        {"id": 7, "steps": [{"event": "order"}]},
        {"id": 8, "steps": [{"event": "order", "properties": [{"key": "plan", "value": "pro"}]}]},
        {"id": 9, "steps": [{"event": "refund"}]},
    ]
    listed = [{"id": 8}, {"id": 9}, {"id": 7, "properties": [{"key": "paid", "operator": "is_set"}]}, {"id": 8}]
    matcher = make_matcher({"events": [{"id": "order"}], "actions": listed}, actions=actions)
    assert matcher.actions_matched(make_event("order", plan="pro", paid=1), None, (), NOW) == ("8", "7")
    assert matcher.actions_matched(make_event("order", paid=1), None, (), NOW) == ("7",)
    assert matcher.actions_matched(make_event("order"), None, (), NOW) == ()


def test_an_action_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Invalid, match="Action ID 8 does not exist!") as refused:
        make_matcher({"actions": [{"id": 7}, {"id": 8}]}, actions=[{"id": 7, "steps": []}])
    assert refused.value.field == "filters__actions__1"


URL = "https://acme.test/Cart?step=2"


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("url", "matching", "expected"),
    [
        ("/Cart", None, True),
        ("/cart", None, False),
        ("/Cart", "contains", True),
        ("acme%step", "contains", True),
        ("acme_test", "contains", True),
        ("acme_step", "contains", False),
        (URL, "exact", True),
        ("/Cart", "exact", False),
        ("/[A-Z]art\\?", "regex", True),
        ("^/Cart", "regex", False),
    ],
)
def test_a_steps_url_is_held_against_the_page(url: str, matching: str | None, expected: bool, mode: Mode) -> None:
    matcher = matcher_of({"event": "$pageview", "url": url, "url_matching": matching}, mode=mode)
    assert decide(matcher, make_event("$pageview", {"$current_url": URL})) is expected
    assert not decide(matcher, make_event("$pageview"))


CLICKS = [
    ({"tag_name": "a"}, True),
    ({"tag_name": "div"}, True),
    ({"tag_name": "button"}, False),
    ({"tag_name": "bt"}, False),
    ({"text": 'Pay "now"'}, True),
    ({"text": "pay"}, False),
    ({"text": "PAY", "text_matching": "contains"}, True),
    ({"text": "^Pay.*now", "text_matching": "regex"}, True),
    ({"text": "^now", "text_matching": "regex"}, False),
    ({"href": "/pay"}, True),
    ({"href": "/p"}, False),
    ({"href": "/P", "href_matching": "contains"}, True),
    ({"href": "^/p", "href_matching": "regex"}, True),
    ({"selector": "div.cart > a.primary"}, True),
    ({"selector": "div.cart > a.secondary"}, False),
    ({"selector": "#basket a", "text": "Pay", "text_matching": "contains"}, True),
    ({"selector": "#basket a", "text": "Buy", "text_matching": "contains"}, False),
]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(("parts", "expected"), CLICKS)
def test_an_autocapture_step_looks_at_what_was_clicked(parts: dict[str, Any], expected: bool, mode: Mode) -> None:
    matcher = matcher_of({"event": "$autocapture", **parts}, mode=mode)
    assert decide(matcher, make_event("$autocapture", {"$elements_chain": CHAIN})) is expected
    assert not decide(matcher, make_event("$autocapture"))
    assert not decide(matcher, make_event("order", {"$elements_chain": CHAIN}))


def test_what_was_clicked_counts_only_in_a_step_for_autocapture() -> None:
    matcher = matcher_of({"event": "order", "selector": "button", "text": "Buy", "href": "/", "tag_name": "button"})
    assert decide(matcher, make_event("order"))


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ({"event": "e", "url": "(", "url_matching": "regex"}, "url"),
        ({"event": "e", "url": "x", "url_matching": "fuzzy"}, "url_matching"),
        ({"event": "$autocapture", "selector": "a + b"}, "selector"),
        ({"event": "$autocapture", "text": "(", "text_matching": "regex"}, "text"),
        ({"event": "$autocapture", "href": "_" * 20000, "href_matching": "contains"}, "href"),
        ({"event": "e", "properties": [{"key": "x", "operator": "??", "value": 1}]}, "properties__0__operator"),
    ],
)
def test_a_step_that_cannot_be_evaluated_is_refused(step: dict[str, Any], place: str) -> None:
    with pytest.raises(Invalid) as refused:
        matcher_of({"event": "first"}, step)
    assert refused.value.field == f"filters__actions__0__steps__1__{place}"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (5, ""),
        ({"name": "x"}, "__id"),
        ({"id": 1, "steps": 5}, "__steps"),
        ({"id": 1, "steps": [{"url": 5}]}, "__steps__0__url"),
    ],
)
def test_an_action_of_another_shape_is_refused(document: Any, place: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_action(document)
    assert refused.value.field == f"action{place}"

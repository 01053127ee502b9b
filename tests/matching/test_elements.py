"""The chain of what was clicked, and the selectors and conditions that look into it."""

import time
from typing import Any

import pytest

from smspipe.matching.elements import chain_of
from smspipe.matching.selectors import read_selector
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode
from tests.matching.conftest import decide, make_event, make_matcher

CHAIN = (
    'span.hover:bg-blue.w-1/2:nth-child="1"nth-of-type="1"text="Buy; now"'
    ';a.btn.shadow-[0_4px]:attr__data-attr="x"attr__style="a: b; c"href="/pay"nth-child="2"text="Say \\"hi\\""'
    ';form#x:attr_id="checkout"'
    ';div.cart.wide:attr__data-attr="cart"nth-child="3";body'
)


def test_a_chain_is_read_element_by_element() -> None:
    chain = chain_of({"$elements_chain": CHAIN})
    assert [element.tag for element in chain.elements] == ["span", "a", "form#x", "div", "body"]
    assert chain.elements[0].classes == {"hover:bg-blue", "w-1/2"}
    assert chain.elements[1].attributes["attr__style"] == "a: b; c"
    assert chain.href == "/pay"
    assert chain.texts == ("Buy; now", 'Say "hi"')
    assert chain.ids == ("checkout",)
    assert chain.tags == ("a",)


@pytest.mark.parametrize("properties", [{}, {"$elements_chain": ""}, {"$elements_chain": 5}, {"$elements": []}])
def test_without_a_chain_there_are_no_elements(properties: dict[str, Any]) -> None:
    assert chain_of(properties).elements == ()


def test_the_list_that_posthog_js_sends_reads_as_the_chain_it_stands_for() -> None:
    listed = [
        {"tag_name": "a", "$el_text": 'Say "hi"', "classes": ["btn", "primary"], "nth_child": 2, "nth_of_type": 1,
         "attr__href": "/pay", "attr__id": "b-1", "attr__class": "btn primary", "attr__data-id": "7"},
        {"tag_name": "body", "nth_child": 1, "nth_of_type": 1},
        "junk",
    ]  # fmt: skip
    chain = chain_of({"$elements": listed})
    assert chain.text == (
        'a.btn.primary:attr__class="btn primary"attr__data-id="7"attr__href="/pay"attr__id="b-1"attr_id="b-1"'
        'href="/pay"nth-child="2"nth-of-type="1"text="Say \\"hi\\"";body:nth-child="1"nth-of-type="1"'
    )
    assert (chain.href, chain.texts, chain.ids) == ("/pay", ('Say "hi"',), ("b-1",))
    assert read_selector('body > a#b-1.primary[data-id="7"]:nth-child(2)', "f").found_in(chain.elements)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("a", True),
        ("span", True),
        ("button", False),
        ("*", True),
        (".btn", True),
        ("a.btn", True),
        ("span.btn", False),
        (".wide.cart", True),
        (".cart.narrow", False),
        ("#checkout", True),
        ('[id="checkout"]', True),
        ('[data-attr="x"]', True),
        ("[data-attr='cart']", True),
        ("[data-attr=cart]", True),
        ('[data-attr="y"]', False),
        ('[attr="x"]', False),
        ("[data-attr]", True),
        ('[href="/pay"]', True),
        ('[text="Say \\"hi\\""]', True),
        ("a:nth-child(2)", True),
        ("a:nth-child(3)", False),
        ("span:nth-of-type(1)", True),
        (".btn:nth-child(2)", True),
        ("a > span", True),
        ("a>span", True),
        ("div > span", False),
        ("div span", True),
        ("span a", False),
        ("body > div.cart a > span", True),
        ("body > a > span", False),
        ("div > * > a", True),
        (".hover\\:bg-blue", True),
        (".hover:bg-blue", True),
        (".w-1/2", True),
        (".shadow-[0_4px]", True),
        ("  a  ", True),
    ],
)
def test_a_selector_finds_elements_as_css_does(selector: str, expected: bool) -> None:
    chain = chain_of({"$elements_chain": CHAIN})
    assert read_selector(selector, "f").found_in(chain.elements) is expected


def test_of_several_ways_to_lay_a_selector_on_the_chain_any_will_do() -> None:
    """The first `div` that lies around the link is no child of the form; the second is."""
    chain = chain_of({"$elements_chain": 'a:x="";div;div;form'})
    assert read_selector("form > div a", "f").found_in(chain.elements)
    assert not read_selector("form > div > a", "f").found_in(chain.elements)


@pytest.mark.parametrize(
    ("selector", "position"),
    [
        ("", 0),
        ("   ", 0),
        ("a:hover", 1),
        (".btn:hover", 4),
        ("a + b", 2),
        ("a ~ b", 2),
        ("a, b", 1),
        ("> a", 0),
        ("a >", 1),
        ("a[x^='1']", 1),
        ("a[x", 1),
        ("a*", 1),
        (":not(a)", 0),
    ],
)
def test_a_selector_beyond_what_a_chain_can_answer_is_refused_with_its_place(selector: str, position: int) -> None:
    with pytest.raises(Invalid) as refused:
        read_selector(selector, "place")
    assert (refused.value.field, refused.value.position) == ("place", position)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"key": "text", "value": "Buy; now"}, True),
        ({"key": "text", "value": ["nope", "Buy; now"]}, True),
        ({"key": "text", "value": "buy", "operator": "icontains"}, True),
        ({"key": "text", "value": "^Say", "operator": "regex"}, True),
        ({"key": "text", "value": "^hi", "operator": "regex"}, False),
        # Some text that is another one is enough, as at PostHog.
        ({"key": "text", "value": "Buy; now", "operator": "is_not"}, True),
        ({"key": "text", "value": ["Buy; now", 'Say "hi"'], "operator": "is_not"}, True),
        ({"key": "text", "value": "Buy; now", "negation": True}, False),
        ({"key": "text", "operator": "is_set"}, True),
        ({"key": "text", "value": []}, True),
        ({"key": "href", "value": "/pay"}, True),
        ({"key": "href", "value": "/PAY", "operator": "icontains"}, True),
        ({"key": "href", "value": "/pay", "operator": "is_not"}, False),
        ({"key": "tag_name", "value": "a"}, True),
        ({"key": "tag_name", "value": ["button", "a"]}, True),
        ({"key": "tag_name", "value": ["button", "a"], "operator": "is_not"}, False),
        ({"key": "tag_name", "value": "button", "operator": "is_not"}, True),
        ({"key": "tag_name", "value": "a", "negation": True}, False),
        ({"key": "tag_name", "value": []}, True),
        ({"key": "selector", "value": ".cart a"}, True),
        ({"key": "selector", "value": ".cart a", "operator": "is_not"}, False),
        ({"key": "selector", "value": ["b", "i"], "operator": "exact"}, False),
    ],
)
def test_a_condition_may_ask_about_what_was_clicked(condition: dict[str, Any], expected: bool, mode: Mode) -> None:
    matcher = make_matcher({"properties": [{"type": "element", **condition}]}, mode)
    assert decide(matcher, make_event("$autocapture", {"$elements_chain": CHAIN})) is expected


@pytest.mark.parametrize(("text", "expected"), [("Buy", False), ("Pay", False), ("Sell", True)])
def test_a_text_must_differ_from_every_value_that_it_must_not_be(text: str, expected: bool) -> None:
    document = {"properties": [{"type": "element", "key": "text", "operator": "is_not", "value": ["Buy", "Pay"]}]}
    assert decide(make_matcher(document), make_event("e", {"$elements_chain": f'a:text="{text}"'})) is expected


@pytest.mark.parametrize(
    "chain",
    [";" * 1_000_000, "\\" * 1_000_000, '"' + "\\" * 1_000_000, '"\\' * 500_000, ":" * 1_000_000, 'a="' * 300_000],
)
def test_a_hostile_chain_is_read_in_time_linear_in_its_length(chain: str) -> None:
    """Quadratic reading of a megabyte would take minutes."""
    before = time.process_time()
    assert len(chain_of({"$elements_chain": chain}).elements) <= 1000
    assert time.process_time() - before < 5

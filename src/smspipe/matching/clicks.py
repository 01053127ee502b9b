"""Conditions on what was clicked: its text, link, tag, or a selector that finds it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from smspipe.matching.elements import Chain, chain_of
from smspipe.matching.leaves import value_leaf
from smspipe.matching.operators import Test, compile_test, needs_value
from smspipe.matching.selectors import Selector, read_selector
from smspipe.matching.sentences import show, show_list
from smspipe.matching.tree import Leaf
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Mode, Property
from smspipe.model.person import Person


def compile_element(condition: Property, mode: Mode, field: str) -> Leaf:
    """Compile a condition on what was clicked; texts are all of the chain's, of which any one must do."""
    key = condition.key
    if key in ("selector", "tag_name"):
        return _compile_structure(condition, field)
    test = compile_test(condition.operator, condition.value, mode, field)
    if key == "href":
        return value_leaf(
            lambda e, _p, _g: chain_of(e.properties).href, "the link that was clicked", test, condition, field
        )
    if key != "text":
        raise Invalid(
            f"Elements have no {show(key)} to filter by.",
            field=f"{field}__key",
            hint="Use text, href, tag_name or selector.",
        )
    return _compile_text(condition, test, mode, field)


def _compile_text(condition: Property, test: Test, mode: Mode, field: str) -> Leaf:
    """Ask about each value on its own: some text must do for it. All values must be met by a not_…, else any."""
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    pairs = condition.operator in ("between", "not_between") or not needs_value(condition.operator)
    tests = [test] if pairs else [compile_test(condition.operator, value, mode, field) for value in values]
    join, negation = (any if test.wanted else all), condition.negation

    def check(event: Event, _person: Person | None, _groups: Sequence[Group], now: datetime) -> bool:
        texts = chain_of(event.properties).texts
        return join([any(each.probe(text, now) is each.wanted for text in texts) for each in tests]) is not negation

    def tell(event: Event, _person: Person | None, _groups: Sequence[Group], _now: datetime) -> str:
        texts = chain_of(event.properties).texts
        must = "must" if test.wanted is not negation else "must not"
        return (
            f"the text that was clicked is {show_list(texts, 'and') if texts else 'not recorded'}, but {must} {test.do}"
        )

    return Leaf(check=check, tell=tell, field=field)


def _compile_structure(condition: Property, field: str) -> Leaf:
    operator = condition.operator or "exact"
    if operator not in ("exact", "is_not"):
        raise Invalid(
            f"An element's {condition.key} cannot be compared with {show(operator)}.",
            field=f"{field}__operator",
            hint="Use exact or is_not.",
        )
    values = condition.value if isinstance(condition.value, list) else [condition.value]
    wanted = (operator == "exact") is not condition.negation
    if not all(isinstance(value, str) for value in values):
        raise Invalid(f"An element's {condition.key} must be text.", field=f"{field}__value")
    if condition.key == "selector":
        find = find_selectors([read_selector(value, f"{field}__value") for value in values])
    else:
        find = find_tags(values)

    def check(event: Event, _person: Person | None, _groups: Sequence[Group], _now: datetime) -> bool:
        return find(chain_of(event.properties)) is wanted

    saw = (
        f"what was clicked is {'not ' if wanted else ''}{show_list(values)}{'' if wanted else ', which it must not be'}"
    )
    return Leaf(check=check, tell=lambda _e, _p, _g, _n: saw, field=field)


def find_selectors(selectors: Sequence[Selector]) -> Callable[[Chain], bool]:
    """Make the function that looks for any of the selectors in a chain."""
    return lambda chain: any(selector.found_in(chain.elements) for selector in selectors)


def find_tags(tags: Sequence[str]) -> Callable[[Chain], bool]:
    """Make the function that looks for an element with any of the tags in a chain."""
    wanted = frozenset(tags)
    return lambda chain: any(element.tag in wanted for element in chain.elements)

"""Expressions, templates and calls of the library give the value and the printed text that PostHog's machine gives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.hog_calls import NAMES, calls, write_call
from tests.differential.hog_differences import SAME_WORDS, Answer, Case, ask_posthog, ask_us, difference_of
from tests.differential.hog_grammar import Choices, expressions, shallow_expressions, templates
from tests.differential.hog_oracle import EXAMPLES, Oracle
from tests.differential.test_hog_parsing import ORDINARY


def check(oracle: Oracle, source: str, *, template: bool = False, call: tuple[str, ...] = ()) -> Answer:
    theirs, ours = ask_posthog(oracle, source, template=template), ask_us(source, template=template)
    case = Case(source, theirs, ours, call[0] if call else "", call[1:])
    if theirs != ours:
        assert difference_of(case), case
    if theirs[0] == "fails" and SAME_WORDS.match(theirs[1]):
        assert ours == theirs or difference_of(case) not in (None, "own-words"), case
    return theirs


@pytest.mark.slow
@settings(ORDINARY, max_examples=100 * EXAMPLES)
@given(expressions)
def test_an_expression_has_the_same_value(oracle: Oracle, source: str) -> None:
    check(oracle, source)


@pytest.mark.slow
@settings(ORDINARY, max_examples=700 * EXAMPLES)
@given(shallow_expressions)
def test_a_short_expression_has_the_same_value_and_text(oracle: Oracle, source: str) -> None:
    check(oracle, source)
    check(oracle, f"<{{{source}\n}}>", template=True)


@pytest.mark.slow
@settings(ORDINARY, max_examples=300 * EXAMPLES)
@given(templates)
def test_a_template_renders_alike(oracle: Oracle, source: str) -> None:
    check(oracle, source, template=True)


@pytest.mark.slow
@settings(ORDINARY, max_examples=3000 * EXAMPLES)
@given(calls)
def test_a_call_of_the_library_has_the_same_value(oracle: Oracle, call: tuple[str, ...]) -> None:
    name, *arguments = call
    check(oracle, f"{name}({', '.join(arguments)})", call=call)


@pytest.mark.slow
@settings(ORDINARY, max_examples=8 * EXAMPLES)
@given(drawn=st.binary(min_size=16, max_size=16))
@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_called(oracle: Oracle, name: str, drawn: bytes) -> None:
    call = write_call(Choices(drawn), name)
    check(oracle, f"{call[0]}({', '.join(call[1:])})", call=call)

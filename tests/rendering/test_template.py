"""Templates in their two languages, and none."""

from datetime import UTC, datetime
from typing import Any

import pytest

from smspipe.model.destination import Templating, Text
from smspipe.model.errors import Invalid
from smspipe.model.message import Encoding, Message
from smspipe.model.phone import E164
from smspipe.rendering import CompiledText, TemplateError, compile_text, message

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
GLOBALS: dict[str, Any] = {
    "event": {"event": "signup", "properties": {"whole": 2.0, "half": 1.5, "list": [1, "a", None], "none": None}},
    "person": {"name": "O'Brien & Co", "properties": {"phone": "+15005550009"}},
    "groups": {},
}


def compiled(source: str, templating: Templating = Templating.HOG) -> CompiledText:
    return compile_text(Text(source=source, templating=templating, field="inputs__message"))


def refused(source: str, templating: Templating) -> Invalid:
    with pytest.raises(Invalid) as caught:
        compiled(source, templating)
    return caught.value


@pytest.mark.parametrize("templating", list(Templating))
def test_text_without_expressions_is_itself(templating: Templating) -> None:
    template = compiled("Hi & <you>, it's 5 o’clock", templating)
    assert template.text({}, NOW) == "Hi & <you>, it's 5 o’clock"
    assert template.constant
    assert template.roots == frozenset()
    assert template.field == "inputs__message"


@pytest.mark.parametrize("source", ["{event.event}", "{{ event.event }}", "{% if", "{", "\\{"])
def test_without_templating_the_text_is_taken_as_it_stands(source: str) -> None:
    assert compiled(source, Templating.NONE).text({}, NOW) == source


@pytest.mark.parametrize(
    ("source", "value", "text"),
    [
        pytest.param("Hi {person.name}!", "Hi O'Brien & Co!", "Hi O'Brien & Co!", id="mixed"),
        pytest.param("{event.properties.whole}", 2.0, "2", id="whole number"),
        pytest.param("{event.properties.half}", 1.5, "1.5", id="fraction"),
        pytest.param("{event.properties.list}", [1, "a", None], "[1, 'a', null]", id="list"),
        pytest.param("{event.properties.none}", None, None, id="null"),
        pytest.param("{event.properties.missing.deeper}", None, None, id="missing"),
        pytest.param("a{event.properties.none}", "a", "a", id="null in text"),
        pytest.param("{{'a': 1}}", {"a": 1}, "{'a': 1}", id="an object, not Liquid"),
    ],
)
def test_a_hog_template_gives_a_value_and_its_text(source: str, value: Any, text: str | None) -> None:
    template = compiled(source)
    assert template(GLOBALS, NOW) == value
    assert template.text(GLOBALS, NOW) == text


def test_a_template_tells_which_roots_it_reads() -> None:
    assert compiled("{event.event} {person.name}").roots == {"event", "person"}
    assert compiled("{% if event.event %}{{ 1 | plus: person.name }}{% endif %}", Templating.LIQUID).roots == {
        "event",
        "person",
    }
    assert compiled("{{ [event.event] }}", Templating.LIQUID).roots >= {"event", "person", "groups", "inputs"}
    assert not compiled("{event.event}").constant
    assert not compiled("{{ event.event }}", Templating.LIQUID).constant


def test_a_template_that_fails_says_so_in_a_sentence() -> None:
    with pytest.raises(TemplateError, match="nowhere"):
        compiled("Hi {nowhere.x}").text(GLOBALS, NOW)
    with pytest.raises(TemplateError, match="encoded"):
        compiled("{{ '%' | url_decode }}", Templating.LIQUID).text(GLOBALS, NOW)


@pytest.mark.parametrize(
    ("source", "position"),
    [
        pytest.param("{{ event.event }}", 0, id="output"),
        pytest.param("Hi {{ person.name | upcase }}", 3, id="filter"),
        pytest.param("Hi {event.event} {{person.name}}", 17, id="after a Hog expression"),
        pytest.param("{% if event.event %}x{% endif %}", 0, id="tag"),
        pytest.param("Hi {{ person.name", 3, id="unclosed"),
    ],
)
def test_liquid_in_a_hog_field_is_refused_with_a_hint(source: str, position: int) -> None:
    error = refused(source, Templating.HOG)
    assert error.position == position
    assert error.field == "inputs__message"
    assert error.hint
    assert "single" in error.hint
    assert "Liquid" in error.hint


@pytest.mark.parametrize(
    ("source", "position"),
    [
        pytest.param("{event.event}", 0, id="path"),
        pytest.param("Hi {person?.name}", 3, id="null-safe path"),
        pytest.param("{{ event.event }} {event.properties['a-b']}", 18, id="after a Liquid expression"),
        pytest.param("{upper(trim(person.name))}", 0, id="function"),
        pytest.param("{ person.name ?? 'friend' }", 0, id="operator"),
    ],
)
def test_hog_in_a_liquid_field_is_refused_with_a_hint(source: str, position: int) -> None:
    error = refused(source, Templating.LIQUID)
    assert error.position == position
    assert error.field == "inputs__message"
    assert error.hint
    assert "double" in error.hint
    assert "Hog" in error.hint


@pytest.mark.parametrize(
    "source", ["{event}", "{a, b}", "{eventual.x}", "{your person.}", "{}", "{ {", "} {", '{"event": "x.y"}']
)
def test_braces_that_are_no_hog_are_text_in_liquid(source: str) -> None:
    assert compiled(source, Templating.LIQUID).text(GLOBALS, NOW) == source


def test_hog_between_raw_and_endraw_is_text_in_liquid() -> None:
    assert compiled("{% raw %}{event.event}{% endraw %}", Templating.LIQUID).text(GLOBALS, NOW) == "{event.event}"
    assert compiled("{% comment %}{event.event}{% endcomment %}x", Templating.LIQUID).text(GLOBALS, NOW) == "x"


@pytest.mark.parametrize("templating", [Templating.HOG, Templating.LIQUID])
def test_a_template_over_100_kb_is_refused(templating: Templating) -> None:
    assert refused("é" * 52_000, templating).field == "inputs__message"
    assert compiled("é" * 49_000, templating).constant


def test_a_mistake_is_refused_where_it_is() -> None:
    error = refused("Hi {event.", Templating.HOG)
    assert error.position == 10
    assert error.field == "inputs__message"


def test_a_message_tells_what_twilio_will_bill() -> None:
    assert message(E164("+15005550009"), "+15005550006", "é" * 161) == Message(
        to=E164("+15005550009"), sender="+15005550006", body="é" * 161, encoding=Encoding.GSM_7, segments=2
    )

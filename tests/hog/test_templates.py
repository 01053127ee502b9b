"""Template strings: what is text, what is a hole, and what a mistake is answered with."""

from datetime import UTC, datetime
from typing import Any

import pytest

from smspipe.hog import compile_expression, compile_template
from smspipe.model.errors import Invalid

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
PROPERTIES = {
    "n": 5,
    "half": 1.5,
    "name": "Ada",
    "nothing": None,
    "yes": True,
    "items": [1, "a", None],
    "deep": {"k": {"x": 1}},
    "phone-number": "+15005550009",
    "in": "keyword",
}
GLOBALS: dict[str, Any] = {"event": {"event": "signup", "properties": PROPERTIES}, "person": None}


def render(source: str, **more: Any) -> Any:
    return compile_template(source)(GLOBALS | more, NOW)


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("hello", "hello"),
        ("", ""),
        ("Hi {event.event}!", "Hi signup!"),
        ("100% 'quoted' \"twice\"\nnew line", "100% 'quoted' \"twice\"\nnew line"),
        (r"\{b}", "{b}"),
        (r"a\\b", r"a\b"),
        (r"\\{x}", r"\{x}"),
        (r"\n\t\r\b\f\0", "\n\t\r\b\f"),
        (r"\q \u0041 \' \}", r"\q \u0041 \' \}"),
        ("lone } brace", "lone } brace"),
        ("ends with \\", "ends with \\"),
        ("{'it''s'}", "it's"),
        (r"{'it\'s'}", "it's"),
        (r"{'a\nb'}", "a\nb"),
        ('{"event"."event"}', "signup"),
        ("{`event`.`event`}", "signup"),
        ("{event.properties.nothing ?? 'b'}", "b"),
        ("{event.properties.name ?? 'b'}", "Ada"),
        ("{event.properties.yes ? 'x' : 'y'}", "x"),
        ("{person?.properties?.phone}.", "."),
        ("{person.properties.phone}.", "."),
        ("{f'x {event.event}'}", "x signup"),
        ("{f'a{f'b{event.event}c'}d'}", "absignupcd"),
        (r"{f'it\'s {event.event} ''now'' \{x}'}", "it's signup 'now' {x}"),
        ("{event.properties['phone-number']}", "+15005550009"),
        ("{event['properties']['name']}", "Ada"),
        ("{event.properties.in}", "keyword"),
        ("{event.properties.items[1]}", 1),
        ("{event.properties.items.2}", "a"),
        ("{event.properties.items[-2]}", "a"),
        ("{event.properties.items[9]}", None),
        ("{event.properties.items?.[2]}", "a"),
        ("{event.properties.items?.2}", "a"),
        ("{event.properties.deep.k.x}", 1),
        ("{/* note */ event.event}", "signup"),
        ("{event.event -- note\n}", "signup"),
        ("-- text /* text */ {event.event}", "-- text /* text */ signup"),
        ("{(x -> x + 1)(2)}", 3),
        ("{'a{b}c'}", "a{b}c"),
        ("  {event.event}  ", "  signup  "),
    ],
)
def test_a_template_renders(source: str, rendered: object) -> None:
    result = render(source)
    assert result == rendered
    assert type(result) is type(rendered)


@pytest.mark.parametrize("value", [1, 1.5, True, None, [1, "a"], {"a": 1}, "text"])
def test_a_template_that_is_one_expression_keeps_its_type(value: object) -> None:
    result = render("{value}", value=value)
    assert result == value
    assert type(result) is type(value)


def test_an_object_may_be_written_in_a_hole() -> None:
    assert render("{{'a': 1, 'b': event.event}}") == {"a": 1, "b": "signup"}


@pytest.mark.parametrize(("source", "value"), [("{n-1}", 4), ("{n - half}", 3.5), ("{n -half}", 3.5), ("{2-n}", -3)])
def test_a_hyphen_that_cannot_be_part_of_a_name_subtracts(source: str, value: float) -> None:
    assert render(source, n=5, half=1.5) == value


def test_an_unknown_function_of_an_expression_is_worded_as_filters_word_it() -> None:
    with pytest.raises(Invalid, match=r"^Hog function `nope` is not implemented$"):
        compile_expression("nope(1)")


def test_paths_are_the_chains_of_names_read_from_globals() -> None:
    template = compile_template(
        "{event.properties.name} {person?.properties['a b'].1} {arrayMap(x -> x.y + n, lower(z.list))} "
        "{arrayMap(upper, now())}"
    )
    assert template.paths == {
        ("event", "properties", "name"),
        ("person", "properties", "a b"),
        ("n",),
        ("z", "list"),
    }


@pytest.mark.parametrize(
    ("source", "constant"),
    [("hello", True), ("{'a'} {1 + 2}", True), ("{event.event}", False), ("{now()}", False), ("", True)],
)
def test_a_template_that_depends_on_nothing_is_constant(source: str, constant: bool) -> None:
    assert compile_template(source).constant is constant


def test_a_program_keeps_its_source() -> None:
    assert compile_template("Hi {event.event}").source == "Hi {event.event}"
    assert compile_expression("1 + 1").source == "1 + 1"

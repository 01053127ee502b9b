"""Liquid as PostHog's templates are written in it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.destination import Templating, Text
from smspipe.model.errors import Invalid
from smspipe.rendering import TemplateError, compile_text
from smspipe.rendering.liquid_filters import FILTERS

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
GLOBALS: dict[str, Any] = {
    "event": {
        "event": "signup",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "properties": {
            "whole": 2.0,
            "half": 1.5,
            "small": 1e-7,
            "yes": True,
            "no": False,
            "none": None,
            "text": "abc",
            "list": [1, "a", None],
            "object": {"a": 1, "b": [2.0]},
            "items": [{"sku": "A1", "price": 3.0}, {"sku": "B2", "price": 1.5}],
            "long": "x" * 900_000,
            "digits": "9" * 900_000,
        },
    },
    "person": {"name": "O'Brien & Co", "properties": {"phone": "+15005550009", "secret": "s3cret-value"}},
}


def rendered(source: str, **more: Any) -> str | None:
    return compile_text(Text(source=source, templating=Templating.LIQUID)).text({**GLOBALS, **more}, NOW)


def failed(source: str) -> str:
    with pytest.raises(TemplateError) as caught:
        rendered(source)
    return str(caught.value)


def refused(source: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        compile_text(Text(source=source, templating=Templating.LIQUID))
    return caught.value


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("event.properties.whole == 2", True),
        ("'2' == 2", False),
        ("'150' > 100", True),
        ("2 < '10'", True),
        ("'b' > 'a'", True),
        ("'a' > 1", False),
        ("'a' <= 1", False),
        ("nothing > 1", False),
        ("nothing <= 1", False),
        ("nothing == nil", True),
        ("nothing == blank", True),
        ("nothing != blank", False),
        ("' ' == blank", True),
        ("event.event != blank", True),
        ("not nothing", True),
        ("event.event contains 'ign'", True),
        ("event.properties.list contains 'a'", True),
        ("0", True),
        ("''", True),
        ("true and false or true", True),
    ],
)
def test_conditions_hold_as_in_posthog(condition: str, holds: bool) -> None:
    assert rendered(f"{{% if {condition} %}}yes{{% else %}}no{{% endif %}}") == ("yes" if holds else "no")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ person.name }}", "O&#39;Brien &amp; Co"),
        ("<{{ person.name | raw }}>", "<O'Brien & Co>"),
        ("{{ person.name | raw | upcase }}", "O&#39;BRIEN &amp; CO"),
        ("{{ person.name | escape }}", "O&amp;#39;Brien &amp;amp; Co"),
        ("{% echo person.name %} & {{ nothing }}", "O&#39;Brien &amp; Co & "),
        ("{% echo person.name | raw %}", "O'Brien & Co"),
        ("{% capture x %}{{ person.name }}{% endcapture %}{{ x | raw }}", "O&#39;Brien &amp; Co"),
    ],
)
def test_what_is_printed_is_escaped_as_for_a_web_page_when_that_is_asked_for(source: str, text: str) -> None:
    template = compile_text(Text(source=source, templating=Templating.LIQUID, escape=True))
    assert template.text(GLOBALS, NOW) == text


def test_nothing_is_escaped() -> None:
    assert rendered("Hi {{ person.name }}") == "Hi O'Brien & Co"
    assert rendered("{{ person.name | raw }}") == "O'Brien & Co"
    assert rendered("{{ person.name | escape }}") == "O&#39;Brien &amp; Co"


@pytest.mark.parametrize(
    "expression",
    [
        *[
            "nothing",
            "event.nothing",
            "event.properties.nothing.deeper",
            "event.properties.none",
            "event.event.nothing",
        ],
        *["nothing | upcase", "nothing | first", "nothing | date: '%Y'", "nothing | json", "nothing | join", "today"],
        *["event.properties.none | upcase", "event.properties.list[9]", "nothing | nothing", "nothing | truncate: 5"],
    ],
)
def test_missing_values_print_as_nothing(expression: str) -> None:
    assert rendered(f"[{{{{ {expression} }}}}]") == "[]"


def test_missing_values_take_the_default() -> None:
    assert rendered("{{ nothing | default: 'friend' }}") == "friend"
    assert rendered("{% if nothing %}a{% else %}b{% endif %}") == "b"
    assert rendered("{% for item in nothing %}a{% endfor %}") == ""


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        pytest.param("event.properties.whole", "2", id="whole number"),
        pytest.param("event.properties.half", "1.5", id="fraction"),
        pytest.param("event.properties.small", "1e-7", id="exponent"),
        pytest.param("event.properties.yes", "true", id="boolean"),
        pytest.param("event.properties.list", "1a", id="list"),
        pytest.param("event.properties.object", "[object Object]", id="object"),
        pytest.param("event.properties.object | json", '{"a":1,"b":[2]}', id="json"),
        pytest.param("event.properties.object | jsonify", '{"a":1,"b":[2]}', id="jsonify"),
        pytest.param("(1..3)", "123", id="range"),
        pytest.param("now", "Fri Jan 02 2026 03:04:05 GMT+0000 (Coordinated Universal Time)", id="now"),
        pytest.param("now | json", '"2026-01-02T03:04:05.678Z"', id="now as json"),
        pytest.param("event.properties.whole | append: '!'", "2!", id="whole number into a text filter"),
        pytest.param("event.properties.yes | append: '!'", "true!", id="boolean into a text filter"),
        pytest.param("'a' | append: event.properties.whole", "a2", id="whole number as an argument"),
        pytest.param("person.name | escape | append: '<'", "O&#39;Brien &amp; Co<", id="escape ends with itself"),
        pytest.param("person.name | no_such_filter: 1, a: 2", "O'Brien & Co", id="unknown filter"),
    ],
)
def test_values_print_as_in_posthog(expression: str, text: str) -> None:
    assert rendered(f"{{{{ {expression} }}}}") == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("7 | divided_by: 2", "3.5"),
        ("10 | divided_by: 2", "5"),
        ("7 | divided_by: 2, true", "3"),
        ("'1.5' | times: 2", "3"),
        ("0.1 | plus: 0.5", "0.6"),
        ("event.properties.whole | plus: 1", "3"),
        ("5.456 | round: 2", "5.46"),
        ("2.5 | round", "3"),
        ("-5.5 | round", "-6"),
        ("person.name | first", "O"),
        ("person.name[0]", "O"),
        ("event.properties.list | join: '+'", "1+a+"),
        ("event.properties.list | sort | json", '[1,"a",null]'),
        ("event.properties.list | where: 'a', 1 | json", "[]"),
        ("event.properties.items | reject: 'sku', 'B2' | map: 'sku' | join", "A1"),
        ("event.properties.items | find: 'sku', 'B2' | map: 'price' | size", "1"),
        ("event.properties.items | find_index: 'sku', 'B2'", "1"),
        ("event.properties.items | has: 'sku', 'C3'", "false"),
        ("event.properties.items | sort: 'price' | map: 'sku' | join", "B2 A1"),
        ("event.properties.items | group_by: 'sku' | map: 'name' | join", "A1 B2"),
        ("'a' | append: event.properties.list", "a1a"),
        ("'<&lt;' | escape_once", "&lt;&lt;"),
        ("'12' | to_integer", "12"),
        ("'Hello  big\n world' | normalize_whitespace", "Hello big world"),
        ("'a b  c' | number_of_words", "3"),
        ("'a,b,c' | split: ',' | array_to_sentence_string", "a, b, and c"),
        ("'a,b' | split: ',' | array_to_sentence_string: 'or'", "a or b"),
        ("'a,b' | split: ',' | push: 'c' | join: '-'", "a-b-c"),
        ("'a,b' | split: ',' | unshift: 'c' | join: '-'", "c-a-b"),
        ("'a,b,c' | split: ',' | pop | shift | join: '-'", "b"),
        ("'a b&c/d' | cgi_escape", "a+b%26c%2Fd"),
        ("'a b&c/d' | uri_escape", "a%20b&c/d"),
        ("'Hello, World!' | slugify", "hello-world"),
        ("'<a b=\"c\">' | xml_escape", "&lt;a b=&#34;c&#34;&gt;"),
        ("'a' | sha256", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("event.properties.items | map: 'sku' | join: ', '", "A1, B2"),
        ("event.properties.items | sum: 'price'", "4.5"),
        ("event.properties.items | where: 'sku', 'B2' | first | json", '{"sku":"B2","price":1.5}'),
    ],
)
def test_filters_do_as_in_posthog(expression: str, text: str) -> None:
    assert rendered(f"{{{{ {expression} }}}}") == text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("now | date: '%Y-%m-%d %H:%M:%S'", "2026-01-02 03:04:05"),
        ("'now' | date: '%Y'", "2026"),
        ("event.timestamp | date: '%d %b, %-I %P'", "02 Jan, 3 am"),
        ("event.timestamp | date: '%H:%M', 'America/New_York'", "22:04"),
        ("event.timestamp | date: '%s.%L %-d%q 100%%'", "1767323045.678 2nd 100%"),
        ("event.timestamp | date", "Friday, January 2, 2026 at 3:04 am +0000"),
        ("1767323045 | date: '%Y-%m-%d %H:%M:%S'", "2026-01-02 03:04:05"),
        ("'1767323045' | date: '%Y'", "2026"),
        ("'2026-01-02' | date: '%A'", "Friday"),
        ("event.timestamp | date_to_string", "02 Jan 2026"),
        ("event.timestamp | date_to_long_string", "02 January 2026"),
        ("event.timestamp | date_to_xmlschema", "2026-01-02T03:04:05+00:00"),
        ("event.timestamp | date_to_rfc822", "Fri, 02 Jan 2026 03:04:05 +0000"),
        ("'soon' | date: '%A'", "soon"),
        ("event.properties.list | date: '%A'", "1a"),
    ],
)
def test_dates_are_formatted_in_utc_by_the_time_that_is_told(expression: str, text: str) -> None:
    assert rendered(f"{{{{ {expression} }}}}") == text


def test_html_entities_inside_of_tags_are_decoded() -> None:
    assert (
        rendered("{% if event.properties.half &gt; 1 %}&gt;{{ &quot;a&quot; | append: &#x27;b&#x27; }}{% endif %}")
        == "&gt;ab"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% assign a = event.event | upcase %}{{ a }}", "SIGNUP"),
        ("{% capture a %}{{ 1.0 }}{% endcapture %}{{ a }}", "1"),
        ("{% for i in event.properties.items %}{{ forloop.index }}{{ i.sku }} {% endfor %}", "1A1 2B2 "),
        ("{% for i in (1..9) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}", "12"),
        ("{% case event.event %}{% when 'signup' %}a{% else %}b{% endcase %}", "a"),
        ("{% unless event.properties.no %}a{% endunless %}", "a"),
        ("{% echo event.properties.whole %}", "2"),
        ("{% increment a %}{% increment a %}{% decrement b %}", "01-1"),
        ("{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}", "ab"),
        ("a {%- comment %} b {% endcomment -%} c", "ac"),
        ("{% liquid assign a = 1\necho a %}", "1"),
        ("{% # note %}a", "a"),
    ],
)
def test_tags_do_as_in_posthog(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    ("source", "position"),
    [
        ("a {% nope %}", 2),
        ("a {{ x", 2),
        ("a {{ x | : 1 }}", 9),
        ("a {{ }}", 5),
        ("a {{ x 'b }}", 7),
        ("{{ (1..x }}", 3),
        ("{{ a[1 }}", 4),
        ("a {% if x %} {{ x }}", 2),
        ("{% if x %}{% if y %}{% endif %}", 0),
        ("a {% if %}{% endif %}", 7),
        ("{% if x %}{% endfor %}", 10),
        ("{{ &quot;a&quot; }} {{ | }}", 23),
        ("{% include 'x' %}", 0),
        ("{% render 'x' %}", 0),
        ("{% layout 'x' %}", 0),
    ],
)
def test_a_mistake_is_refused_where_it_is(source: str, position: int) -> None:
    assert refused(source).position == position


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("{% if a %}" * 500 + "{% endif %}" * 500, id="blocks"),
        pytest.param("{{ a" + "[a" * 9000 + "]" * 9000 + " }}", id="paths"),
    ],
)
def test_what_is_nested_too_deeply_is_refused(source: str) -> None:
    assert "nest" in str(refused(source))


@pytest.mark.parametrize("opening", ["{{", "{%", "{% raw %}", "{% comment %}", "{% doc %}", "{{ a " + " " * 9000])
def test_many_openings_that_are_never_closed_are_refused_at_once(opening: str) -> None:
    """Looking for each one's end would take minutes; a test over the time limit fails."""
    assert refused(opening * (90_000 // len(opening))).position == 0


@pytest.mark.parametrize(
    ("source", "text"),
    [
        pytest.param("{% raw %}" + "{{" * 40_000 + "&amp;{% endraw %}", "{{" * 40_000 + "&amp;", id="in raw text"),
        pytest.param("{% comment %}" + "{{" * 40_000 + "}}{% endcomment %}", "", id="in a comment"),
        pytest.param("{% if " + "a and " * 9000 + "a %}{% endif %}", "", id="conditions"),
        pytest.param("{event." * 12_000, "{event." * 12_000, id="braces"),
        pytest.param("{" + "a(" * 40_000, "{" + "a(" * 40_000, id="calls"),
    ],
)
def test_a_large_source_is_parsed_at_once(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("{% for i in (1..100000000) %}x{% endfor %}", id="long loop"),
        pytest.param("{% for i in (1..200) %}{% for j in (1..900) %}{% endfor %}{% endfor %}", id="nested loops"),
        pytest.param("{% for i in (1..9000) %}{% endfor %}" * 20, id="loops one after the other"),
        pytest.param("{% tablerow i in (1..100000000) %}x{% endtablerow %}", id="table"),
        pytest.param("{{ (1..1000000000) | join }}", id="long range"),
        pytest.param("{{ (1..1000000000) }}", id="printed range"),
        pytest.param("{{ 'xxxxxxxxxx'" + " | replace: 'x', 'xxxxxxxxxx'" * 20 + " }}", id="replace upon replace"),
        pytest.param("{{ event.properties.long | split: '' | size }}", id="long list"),
        pytest.param(
            "{% for i in (1..12000) %}{{ event.properties.long | upcase | size }}{% endfor %}", id="long texts"
        ),
        pytest.param(
            "{% for i in (1..12000) %}{% if event.properties.long contains 'y' %}{% endif %}{% endfor %}",
            id="long comparisons",
        ),
        pytest.param(
            "{% for i in (1..5000) %}{% capture a %}{{ event.properties.long }}{% endcapture %}{% endfor %}",
            id="long captures",
        ),
        pytest.param(
            "{% for i in (1..9000) %}{% assign a = event.properties.digits | abs %}{% endfor %}", id="long numbers"
        ),
        pytest.param("{{ now | date: '%999999999d' }}", id="wide date"),
        pytest.param("{% for i in (1..9000) %}{{ now | date: '%9999N' }}{% endfor %}", id="many wide dates"),
        pytest.param(
            "{% assign a = '1' | split: '' %}" + "{% assign a = a | push: a %}" * 60 + "{{ a }}", id="shared list"
        ),
        pytest.param(
            "{% assign a = '1' | split: '' %}" + "{% assign a = a | push: a %}" * 60 + "{{ a | json }}",
            id="shared json",
        ),
        pytest.param(
            "{% assign a = '1' | split: '' %}{% assign b = '1' | split: '' %}"
            + "{% assign a = a | push: a %}{% assign b = b | push: b %}" * 60
            + "{% if a == b %}{% endif %}",
            id="shared lists compared",
        ),
        pytest.param(
            "{% assign a = '1' | split: '' %}" + "{% assign a = a | push: a %}" * 60 + "{% if a > 1 %}{% endif %}",
            id="shared list as text",
        ),
        pytest.param("{{ event.properties.long | slugify }}" * 9, id="patterns"),
        pytest.param(
            "{% for i in (1..9000) %}{{ event.properties.list | where_exp: 'i', 'i > 1' }}{% endfor %}",
            id="expressions",
        ),
        pytest.param("{% assign a = 'x' %}" + "{% assign a = a | append: a %}" * 40, id="doubled"),
        pytest.param("{{ event.properties.long }}{{ event.properties.long }}", id="long output"),
    ],
)
def test_a_template_that_would_take_long_or_grow_large_fails(source: str) -> None:
    assert failed(source).endswith(".")


def test_a_long_value_can_be_cut() -> None:
    assert rendered("{{ event.properties.long | truncate: 5 }}") == "xx..."


@pytest.mark.parametrize(
    "source",
    [
        "{{ person.properties.secret | base64_decode }}",
        "{{ person.properties.secret | append: '%' | url_decode }}",
        "{{ now | date: '%F', person.properties.secret }}",
        "{{ person.properties.secret | append }}",
        "{{ person.properties.items | where_exp: person.properties.secret, '(' }}{{ 1 | append: 1, 2 }}",
    ],
)
def test_a_failure_shows_no_data(source: str) -> None:
    assert "s3cret" not in failed(source)


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        pytest.param("Hi {% iff x %}", 'There is no tag "iff"', "Did you mean if?", id="misspelt tag"),
        pytest.param("{% if x %}Hi", "{% if %} is never closed", "Close it with {% endif %}.", id="open block"),
        pytest.param("Hi {{ person.name", "A {{ is never closed", "Close it with }}.", id="open output"),
        pytest.param(
            "Hi {% endfor %}", "{% endfor %} closes nothing here", "Open it with {% for … %} before.", id="end"
        ),
        pytest.param(
            "{{ person.name upcase: 'a' }}",
            "A | is missing before",
            "Filters follow after a bar, and their arguments after a colon: {{ name | default: 'friend' }}.",
            id="no bar",
        ),
        pytest.param("Hi {event.event}", "A Hog expression stands in", "double braces", id="Hog in a Liquid field"),
    ],
)
def test_a_mistake_is_told_in_words_with_what_would_be_right(source: str, message: str, hint: str) -> None:
    error = refused(source)
    assert message in str(error)
    assert hint in (error.hint or "")


def test_a_mistake_shows_its_line_and_a_caret_below_the_place() -> None:
    told = refused("Dear {{ person.name }},\n\twelcome {% fi x %} and {{ goodbye }}")
    line, caret = (told.excerpt or "").split("\n")
    assert str(told) == 'The Liquid template has a mistake in line 2, column 10: There is no tag "fi".'
    assert line == " welcome {% fi x %} and {{ goodbye }}"
    assert line[caret.index("^") :].startswith("{% fi")
    line, caret = (refused("x" * 500 + "{% nope %}" + "y" * 500).excerpt or "").split("\n")
    assert line[caret.index("^") :].startswith("{% nope %}")
    assert max(len(line), len(caret)) <= 84


def test_a_failure_says_where_in_the_template_it_is() -> None:
    assert failed("a\n b {{ 'x' | url_decode | append }}").endswith("(line 2, column 4).")


@pytest.mark.parametrize(
    "path",
    [
        *["__class__", "__class__.__mro__", "__init__.__globals__", "['__class__']", "upper", "format", "keys", "items",
          "copy", "__dict__", "__subclasses__", "__len__", "real", "year", "astimezone", "value", "fields", "next",
          "constructor", "prototype", "__proto__", "toString", "valueOf", "join", "equals"],
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "root",
    ["person", "event.event", "event.properties.whole", "event.properties.list", "event.properties.yes", "now", "nil",
     "empty", "blank", "nothing", "(1..2)", "forloop", "'text'", "1"],
)  # fmt: skip
def test_nothing_of_python_or_javascript_is_within_reach(root: str, path: str) -> None:
    key = path if path.startswith("[") else f".{path}"
    inside = f'[{{{{ {root}{key} }}}}{{{{ {root} | map: "{path}" | json }}}}]'
    shown = rendered(f"{{% for i in (1..1) %}}{inside}{{% endfor %}}") or ""
    assert not set(shown) - set("[]nul,"), shown


def test_a_filter_gets_at_properties_alone() -> None:
    for name in ("map", "where", "sum", "sort", "group_by", "find", "has", "reject"):
        assert "<" not in (rendered(f"{{{{ person | {name}: '__class__.__name__' | json }}}}") or "")
    assert rendered("{{ person | where_exp: 'x', 'x.__class__' | size }}") == "0"
    assert rendered("{{ '{0.__class__}' | append: '%s' }}") == "{0.__class__}%s"


def test_running_a_template_changes_none_of_its_globals() -> None:
    before = repr(GLOBALS)
    rendered("{% assign event = 1 %}{{ event.properties.list | push: 5 | reverse | sort }}{% increment person %}")
    assert repr(GLOBALS) == before


PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{",
        "}",
        "|",
        ":",
        "'",
        "a",
        "event",
        ".properties",
        ".list",
        "[0]",
        "1",
        "2.5",
        "if",
        "endif",
        "for",
        "i",
        "in",
        "(1..3)",
        "endfor",
        "assign",
        "=",
        "else",
        "&quot;",
        "&gt;",
        "-",
        "nil",
        "raw",
        "endraw",
        "comment",
        "endcomment",
        " ",
        "\n",
    ]
)
VALUES = st.sampled_from(
    [
        "nothing",
        "now",
        "1",
        "0",
        "-2.5",
        "'text'",
        "''",
        "nil",
        "true",
        "(1..3)",
        "event",
        "event.properties.list",
        "event.properties.object",
        "event.properties.items",
        "event.properties.whole",
        "1767323045",
        "'now'",
        "'%Y'",
    ]
)
FILTER_NAMES = st.sampled_from(
    [
        *sorted(FILTERS),
        "abs",
        "append",
        "at_least",
        "base64_decode",
        "capitalize",
        "ceil",
        "compact",
        "concat",
        "default",
        "downcase",
        "floor",
        "minus",
        "modulo",
        "newline_to_br",
        "plus",
        "prepend",
        "remove",
        "replace",
        "reverse",
        "slice",
        "sort_natural",
        "split",
        "strip_html",
        "sum",
        "times",
        "truncate",
        "truncatewords",
        "uniq",
        "url_decode",
        "unknown",
    ]
)
APPLIED = st.tuples(FILTER_NAMES, st.lists(VALUES, max_size=3)).map(
    lambda named: f" | {named[0]}" + (": " + ", ".join(named[1]) if named[1] else "")
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_source_is_compiled_or_refused(source: str) -> None:
    try:
        text = rendered(source)
    except Invalid as error:
        assert error.position is None or 0 <= error.position <= len(source)  # noqa: PT017 (either way is fine)
    except TemplateError as error:
        assert str(error).endswith(".")  # noqa: PT017 (either way is fine)
    else:
        assert isinstance(text, str)


@given(VALUES, st.lists(APPLIED, max_size=4).map("".join))
def test_any_filter_on_any_value_gives_text_or_fails_in_a_sentence(value: str, applied: str) -> None:
    try:
        text = rendered(f"{{{{ {value}{applied} }}}}")
    except TemplateError as error:
        assert str(error).endswith(".")  # noqa: PT017 (either way is fine)
    else:
        assert isinstance(text, str)

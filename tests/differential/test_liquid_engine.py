"""
Our Liquid against LiquidJS, the engine of PostHog: the same text, or both refuse.

SMSPIPE_TEST_EXAMPLES raises the number of templates that are made up; every row of the tables is always compared.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from smspipe.model.destination import Templating, Text
from smspipe.model.errors import Invalid
from smspipe.rendering import TemplateError, compile_text
from smspipe.rendering.liquid_filters import FILTERS
from smspipe.rendering.liquid_tags import TAGS
from tests.differential.liquid_oracle import NOW, Oracle
from tests.differential.liquid_templates import GLOBALS, SCRAPS, TEMPLATES

pytestmark = pytest.mark.slow
EXAMPLES: Final = int(os.environ.get("SMSPIPE_TEST_EXAMPLES", "500"))
MADE_UP = settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "templates.md"

DATA: Final[dict[str, Any]] = {
    "event": {
        "event": "signup",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "properties": {
            "whole": 2.0, "half": 1.5, "small": 1e-7, "yes": True, "no": False, "none": None, "text": "abc",
            "empty": "",
            "list": [1, "a", None], "nested": [[1, [2, None]], ["b"]], "object": {"b": 1, "10": 2, "2": [2.0]},
            "items": [
                {"sku": "A1", "price": 3.0, "in": True}, {"sku": "B2", "price": 1.5},
                {"sku": "c3", "price": None, "tags": ["x"]},
            ],
            "nums": [3, 1, 2, 10, 1], "words": ["b", "a", "B", None, "é"], "emoji": "a😀b", "none_left": [],
            "big": 12345678901234567890, "html": '<b>A & "B"</b>', "long": "the quick  brown\nfox",
        },
    },
    "person": {"name": "O'Brien & Co", "properties": {}},
}  # fmt: skip


class Difference(NamedTuple):
    """Where the texts differ on purpose: an example with theirs and ours, None where it is refused."""

    source: str
    theirs: str | None
    ours: str | None


DIFFERENCES: Final = {
    "nothing to load": Difference("a{% if false %}{% include 'x' %}{% endif %}", "a", None),
    "whole characters": Difference("{{ event.properties.emoji | split: '' | size }}", "4", "3"),
    "repeatable sample": Difference("{{ event.properties.list | sample: 9 | size }}", "3", "3"),
    "no methods": Difference("{% for i in (1..2) %}{{ forloop.next }}{{ forloop.i }}{% endfor %}", "13", "01"),
    "limits": Difference("{{ (1..20000) | size }}", "20000", None),
    "nesting": Difference("{% if true %}" * 70 + "a" + "{% endif %}" * 70, "a", None),
    "no hog": Difference("Hi {event.event}", "Hi {event.event}", None),
}
"""By the names that docs/reference/templates.md gives them."""


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    asked = Oracle()
    yield asked
    asked.close()


def ours(source: str, globals: dict[str, Any] = DATA, *, escape: bool = False) -> str | None:  # noqa: A002
    try:
        return compile_text(Text(source=source, templating=Templating.LIQUID, escape=escape)).text(globals, NOW)
    except (Invalid, TemplateError):
        return None


# ---- the table of filters: every filter, on every kind of value, with every kind of argument -----------------

VALUES: Final = (
    *["nothing", "now", "1", "-2.5", "3.7", "''", "' a b '", "nil", "true", "false", "(1..3)", "empty", "blank"],
    *["event.timestamp", "1767323045", "'now'", "'2026-01-02'", "'Jan 5, 2024 3:04 PM'", "'YWJj'", "'a+b%20c'"],
    *["person.name", "event", *(f"event.properties.{name}" for name in DATA["event"]["properties"])],
)
ARGUMENTS: Final = (
    *["", ": nothing", ": nil", ": 0", ": 1", ": -1", ": 2.5", ": true", ": ''", ": 'a'", ": 'sku'", ": 'price'"],
    *[": 'b', 'x'", ": 1, 2", ": 0, 5, true", ": 2, '…'", ": 'sku', 'A1'", ": event.properties.list", ": a: 1"],
    *[": 'x', allow_false: true", ": 'i', 'i.price > 2'", ": 'latin', true", ": 'cjk'", ": 'ordinal', 'US'"],
    *[": '%a %A %b %B %c %C %d %e %H %I %j %k %l %L %m %M'", ": '%N %p %P %q %s %S %u %U %w %W %x %X %y %Y %z %Z %%'"],
    *[": '%-d %_m %05Y %^b %#p %:z %3N %h %n%t %Q %', 'Europe/Berlin'", ": '%H:%M %Z', -90", ": '%H', 'No/Where'"],
    *[": '%d.%m.%y %l', 'america/new_york'", ": '%c', '+05:30'"],
)


@pytest.mark.parametrize("name", [*sorted(set(FILTERS) - {"sample"}), "unknown"])
def test_a_filter_does_with_any_value_and_argument_what_liquidjs_does(name: str, oracle: Oracle) -> None:
    differ = [
        (source, theirs, mine)
        for value in VALUES
        for argument in ARGUMENTS
        if "emoji" not in value or name not in ("map", "split", "slice", "sum")
        for source in [f"{{{{ {value} | {name}{argument} }}}}"]
        if (theirs := oracle.answer(source, DATA)) != (mine := ours(source))
    ]
    assert not differ


# ---- the table of tags and the rest of the language ----------------------------------------------------------

SOURCES: Final = {
    "assign": "{% assign a = event.event | upcase %}{{ a }}{{ b }}{% assign event = 1 %}{{ event }}",
    "block": "{% block b %}x{{ block }}{% endblock %}",
    "break": "{% for i in (1..9) %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}after{% break %}never",
    "capture": "{% capture a %}{{ 1.0 }}{{ person.name }}{% endcapture %}{{ a }}"
    "{% capture 'b' %}2{% endcapture %}{{ b }}",
    "case": "{% case event.event %}x{% when 'a', 'signup' %}1{% when 'b' or 'signup' %}2{% else %}3{% endcase %}",
    "case else": "{% case 1 %}{% when 2 %}a{% else %}b{% when 1 %}c{% else %}d{% endcase %}",
    "comment": "a {%- comment %} b {{ x }} {% nope %} {% endcomment -%} c{% comment %}{{ {% endcomment %}",
    "continue": "{% for i in (1..5) %}{% if i == 3 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "cycle": "{% for i in (1..4) %}{% cycle 'a', 'b' %}{% cycle 'g': 0, 1 %}{% cycle i: person.name %}{% endfor %}",
    "decrement": "{% decrement a %}{% decrement a %}{{ a }}",
    "echo": "{% echo person.name | upcase %}{% echo %}",
    "for": "{% for i in event.properties.items %}{{ forloop.index }}{{ forloop.last }}{{ i.sku }}{% endfor %}",
    "for else": "{% for i in nothing %}a{% else %}b{% endfor %}{% for i in '' %}a{% else %}c{% endfor %}",
    "for limits": "{% for i in (1..9) reversed limit:3 offset:2 %}{{ i }}{% endfor %}"
    "{% for i in (1..9) limit: 2 %}{{ i }}{% endfor %}{% for i in (1..9) offset:continue %}{{ i }}{% endfor %}",
    "for object": "{% for i in event.properties.object %}{{ i[0] }}={{ i[1] }};{% endfor %}{{ forloop }}",
    "for text": "{% for i in 'abc' %}{{ i }},{{ forloop }}{% endfor %}",
    "if": "{% if event.properties.no %}a{% elsif event.properties.half > 1 and true %}b{% else %}c{% endif %}",
    "if else twice": "{% if 1 %}a{% else %}b{% else %}c{% endif %}",
    "elsif after else": "{% if 1 %}a{% else %}b{% elsif 1 %}c{% endif %}",
    "else with arguments": "{% if 1 %}a{% else if 2 %}b{% endif %}",
    "include": "{% include 'a' %}",
    "increment": "{% increment a %}{% increment a %}{{ a }}{% assign a = 'x' %}{% increment a %}{{ a }}",
    "inline comment": "{% # note %}a{% # one\n # two %}b",
    "inline comment unmarked": "{% # one\n two %}",
    "layout": "a{% layout none %}b{{ 1 }}",
    "layout file": "{% layout 'a' %}",
    "liquid": "{% liquid\n assign a = 1\n echo a\n\n if a\n echo 'b'\n endif\n # note\n"
    " for i in (1..2)\n echo i\n endfor %}",
    "raw": "{% raw %} {{ a }} {% b %} {%- endraw -%} {% endraw -%} c {%- raw -%} d {% endraw %}",
    "render": "{% render 'a' %}",
    "tablerow": "{% tablerow i in (1..5) cols:2 limit:4 offset:1 %}{{ i }}{{ tablerowloop.col_last }}{% endtablerow %}",
    "unless": "{% unless 0 %}a{% elsif nothing %}b{% else %}c{% endunless %}{% unless nil %}d{% endunless %}",
    "#": "{%# x %}a{% # y %}",
    "unknown tag": "{% nope %}",
    "stray end": "{% endif %}",
    "open block": "{% if 1 %}",
    "open output": "{{ a",
    "open quote": "{{ 'a }}",
    "open tag": "{% if",
    "open raw": "{% raw %}",
    "closed in quotes": "{{ '}}' }}{% assign a = '%}' %}",
    "whitespace control": "a \n {{- 1 -}} \n b {%- if 1 -%} \n c {% endif %} d",
    "entities": "{% if event.properties.half &gt; 1 %}&gt;{{ &quot;a&quot; | append: &#x27;b&#x27; }}{% endif %}&amp;",
    "escapes in quotes": r"{{ 'a\n\t\'\u00e9\101\q\\' }}",
    "junk after a value": "{{ 1 2 }}{{ 'a' 'b' | upcase | }}{{ 1 == }}{{ == 1 }}",
    "operators": "{{ 1 == 1 and 2 > 1 or false }}{{ not 1 == 2 }}{{ 'abc' contains 'b' }}{{ '10' > 9 }}{{ 'b' > 'a' }}",
    "nothing compared": "{{ nothing == nil }}{{ nothing == event.properties.none }}{{ nil > 1 }}{{ '' == empty }}"
    "{{ ' ' == blank }}{{ event.properties.none_left == empty }}{{ false == blank }}",
    "access": "{{ event['event'] }}{{ event.properties.list[-1] }}{{ event.properties.list[1] }}{{ 'abc'.size }}"
    "{{ event.properties.list.first }}{{ event.properties.object.size }}{{ event.properties.object['10'] }}{{ size }}",
    "numbers": "{{ 0.1 | plus: 0.2 }} {{ 1 | divided_by: 0 }} {{ 1e3 }} {{ 1.50 }} {{ -0 }} {{ event.properties.big }}",
    "printing": "{{ event.properties.list }}{{ event.properties.nested }}{{ event.properties.object }}"
    "{{ now }}{{ (1..3) }}",
}


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in SOURCES.items()])
@pytest.mark.parametrize("escape", [False, True], ids=["plain", "escaped"])
def test_the_language_is_that_of_liquidjs(source: str, escape: bool, oracle: Oracle) -> None:
    assert ours(source, escape=escape) == oracle.answer(source, DATA, escape=escape)


def test_every_tag_has_a_row() -> None:
    assert set(TAGS) <= set(SOURCES)


def test_an_example_of_each_row_is_a_text_and_not_only_a_refusal(oracle: Oracle) -> None:
    texts = [name for name, source in SOURCES.items() if oracle.answer(source, DATA) is not None]
    assert len(texts) > 30


def test_what_is_printed_is_escaped_as_in_liquidjs_where_that_is_asked_for(oracle: Oracle) -> None:
    source = (
        "{{ event.properties.html }}{{ event.properties.html | raw }}{% echo person.name %}{{ person.name | escape }}"
    )
    assert ours(source, escape=True) == oracle.answer(source, DATA, escape=True)
    assert "&lt;b&gt;" in (ours(source, escape=True) or "")
    assert (ours(source) or "").startswith('<b>A & "B"</b>')


DATES: Final = (
    *[
        "2026",
        "2026-02",
        "2026-02-31",
        "2026-13-01",
        "2026-02-03T04:05",
        "2026-02-03T04:05:06.7891Z",
        "2026-02-03T24:00",
    ],
    *["2026-02-03T04:05:06+02:30", "2026-02-03 04:05:06", "2026-02-03 04:05:06 +0200", "2026-02-03 04:05 PM", "3/4/26"],
    *[
        "3/4/2026 15:16",
        "2026/3/4",
        "4.3.2026",
        "31.12.2026",
        "Mar 5",
        "March 5, 2026",
        "5 March 2026 3pm",
        "Sept 3 99",
    ],
    *["Fri, 02 Jan 2026 03:04:05 GMT", "Fri Jan 02 2026 03:04:05 GMT+0100 (CET)", "Jan 2 2026 12:30 AM EST", "soon"],
    *["soon 2026", "item 12", "1.5", "-1", "12:30", "1e3", "99", "1/2/3/4", "+012026-01-01T00:00:00Z", "-000001-06-01"],
    *["2026-02-03T04:05:06Z junk", "2026-02-03T04:05:06,5Z", "(x) 2026-1-1", "2026-1-1", "1 2 50", "1 2 49", "T10:00"],
)


@pytest.mark.parametrize("text", DATES)
def test_a_date_is_read_from_text_as_by_liquidjs(text: str, oracle: Oracle) -> None:
    source = f"{{{{ '{text}' | date: '%Y-%m-%d %H:%M:%S.%L' }}}} {{{{ '{text}' | date_to_rfc822 }}}}"
    assert ours(source) == oracle.answer(source, DATA)


# ---- made-up templates ---------------------------------------------------------------------------------------


def test_any_template_gives_the_text_of_liquidjs_or_is_refused_by_both(oracle: Oracle) -> None:
    outcomes: list[bool] = []

    @MADE_UP
    @given(TEMPLATES, GLOBALS, st.booleans())
    def agree(source: str, globals: dict[str, Any], escape: bool) -> None:  # noqa: A002
        theirs = oracle.answer(source, globals, escape=escape)
        assert ours(source, globals, escape=escape) == theirs
        outcomes.append(theirs is not None)

    agree()
    assert sum(outcomes) > EXAMPLES // 4


def test_any_scraps_of_a_template_are_taken_by_both_or_refused_by_both(oracle: Oracle) -> None:
    @MADE_UP
    @given(SCRAPS, GLOBALS)
    def agree(source: str, globals: dict[str, Any]) -> None:  # noqa: A002
        assert ours(source, globals) == oracle.answer(source, globals)

    agree()


# ---- where they differ on purpose ----------------------------------------------------------------------------


@pytest.mark.parametrize("difference", [pytest.param(value, id=name) for name, value in DIFFERENCES.items()])
def test_a_difference_on_purpose_is_as_described(difference: Difference, oracle: Oracle) -> None:
    assert oracle.answer(difference.source, DATA) == difference.theirs
    assert ours(difference.source) == difference.ours


def test_a_sample_is_of_the_list_and_the_same_again() -> None:
    first = ours("{{ event.properties.nums | sample: 5 | join }} {{ event.properties.nums | sample }}")
    assert first == ours("{{ event.properties.nums | sample: 5 | join }} {{ event.properties.nums | sample }}")
    assert sorted((first or "").split()[:5]) == sorted(["3", "1", "2", "10", "1"])


def test_the_differences_are_those_that_the_reference_names() -> None:
    section = PAGE.read_text().split("### Where our Liquid differs")[1].split("\n#")[0]
    assert re.findall(r"^\| \*\*(.+?)\*\* \|", section, re.MULTILINE) == list(DIFFERENCES)

"""What a template says by its source: the values it reads, and the text that is its own."""

import pytest

from smspipe.model.destination import Templating, Text
from smspipe.rendering.mentions import literals_of, paths_of


@pytest.mark.parametrize(
    ("templating", "source", "paths"),
    [
        ("hog", "Hi {person.properties.name ?? 'you'}", {("person", "properties", "name")}),
        ("hog", "{upper(event.properties['a b'])}", {("event", "properties", "a b")}),
        ("hog", "no hole", set()),
        ("liquid", "Hi {{ person.properties.name | default: 'you' }}", {("person", "properties", "name")}),
        ("liquid", "{% if event.properties['a b'] %}x{% endif %}", {("event", "properties", "a b")}),
        ("liquid", '{{ event.properties["$ip"] }} {{ event.properties.$os }}',
         {("event", "properties", "$ip"), ("event", "properties", "$os")}),
        ("liquid", "{% raw %}{{ event.properties.no }}{% endraw %}", set()),
        ("none", "{event.properties.no}", set()),
    ],
)  # fmt: skip
def test_the_values_that_a_template_reads(templating: str, source: str, paths: set[tuple[str, ...]]) -> None:
    assert paths_of(Text(source=source, templating=Templating(templating))) == paths


@pytest.mark.parametrize(
    ("templating", "source", "said"),
    [
        ("hog", "a {event.event == 'x’' ? 'yes…' : 'no'} b", ["a ", "yes…", "no", " b"]),
        ("hog", "{event.properties['naïve']}", []),
        ("liquid", "a {{ 'x' }} b", ["a           b"]),
        ("none", "a {x} b", ["a {x} b"]),
    ],
)
def test_the_text_that_is_a_templates_own(templating: str, source: str, said: list[str]) -> None:
    found = literals_of(Text(source=source, templating=Templating(templating)))
    assert [text for _, text in found] == said

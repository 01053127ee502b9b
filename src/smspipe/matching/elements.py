"""
The elements of an autocaptured click: the chain of what was clicked and all that it lies in.

PostHog writes the chain as text, the clicked element first, then its parent, and so on:

    button.primary.wide:attr__data-id="buy"nth-child="2"text="Buy";div.cart:nth-child="1"

posthog-js sends either that text (`$elements_chain`) or the list it is made from (`$elements`); both are read.
PostHog translates a selector into a regular expression over the text. Here it is compared with the
elements themselves: the same answers, without a class name that reads like an attribute ever matching.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

_NO_CHAIN: Final = ""
_USEFUL: Final = frozenset({"a", "button", "form", "input", "select", "textarea", "label"})
_ATTRIBUTES_BEGIN: Final = re.compile(r":[a-zA-Z_\-0-9]*=")
# One search for either character: two finds side by side would each run to the far end again and again.
_SEMICOLON_OR_QUOTE: Final = re.compile('[;"]')
_QUOTE_OR_BACKSLASH: Final = re.compile(r'["\\]')
_MOST_ELEMENTS: Final = 1000


class Element(msgspec.Struct, frozen=True):
    """One element: its tag, its classes, and its attributes by their names in the chain (`attr__data-id`, `text`)."""

    tag: str
    classes: frozenset[str]
    attributes: dict[str, str]


class Chain(msgspec.Struct, frozen=True):
    """A chain, and what filters ask of it."""

    text: str
    elements: tuple[Element, ...] = ()
    href: str = ""
    """The first link in it; empty without one."""
    texts: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """Which of the elements that people click on (links, buttons, fields) are in it."""


def chain_of(properties: Mapping[str, Any]) -> Chain:
    """Give the chain of an event's elements; an empty one for an event without."""
    text = properties.get("$elements_chain")
    if not isinstance(text, str) or not text:
        listed = properties.get("$elements")
        text = _write_chain(listed) if isinstance(listed, list) and listed else _NO_CHAIN
    return _EMPTY if not text else _read_chain(text)


@functools.lru_cache(maxsize=64)
def _read_chain(text: str) -> Chain:
    """Read a chain. Remembered, since one click is held against many destinations, each asking several times."""
    elements = tuple(_read_element(part) for part in _split(text))
    values = {
        name: tuple(dict.fromkeys(value for element in elements if (value := element.attributes.get(name))))
        for name in ("text", "attr_id", "href", "attr__href")
    }
    hrefs = values["href"] or values["attr__href"]
    return Chain(
        text=text,
        elements=elements,
        href=hrefs[0] if hrefs else "",
        texts=values["text"],
        ids=values["attr_id"],
        tags=tuple(dict.fromkeys(element.tag for element in elements if element.tag in _USEFUL)),
    )


def _split(text: str) -> list[str]:
    """Split a chain at the semicolons outside of quotes, in one pass."""
    parts: list[str] = []
    start = position = 0
    while len(parts) < _MOST_ELEMENTS and (found := _SEMICOLON_OR_QUOTE.search(text, position)):
        if found[0] == '"':
            position = _closing_quote(text, found.end()) + 1
        else:
            parts.append(text[start : found.start()])
            start = position = found.end()
    return [part for part in (*parts, text[start:]) if part][:_MOST_ELEMENTS]


def _closing_quote(text: str, position: int) -> int:
    """Find the quote that ends a value, past escaped ones; the end of the text when there is none."""
    while found := _QUOTE_OR_BACKSLASH.search(text, position):
        if found[0] == '"':
            return found.start()
        position = found.end() + 1
    return len(text)


def _read_element(part: str) -> Element:
    """Read `tag.class.class:name="value"name="value"`; a class may have a colon in it."""
    begin = _ATTRIBUTES_BEGIN.search(part)
    head = part[: begin.start()] if begin else part.removesuffix(":")
    tag, *classes = head.split(".")
    attributes: dict[str, str] = {}
    position = begin.start() + 1 if begin else len(part)
    while (equals := part.find('="', position)) != -1:
        end = _closing_quote(part, equals + 2)
        attributes[part[position:equals]] = part[equals + 2 : end].replace('\\"', '"')
        position = end + 1
    return Element(tag, frozenset(name for name in classes if name), attributes)


def _write_chain(elements: Sequence[Any]) -> str:
    """Write the list that posthog-js sends as the text that PostHog makes of it."""
    return ";".join(_write_element(element) for element in elements[:_MOST_ELEMENTS] if isinstance(element, dict))


def _write_element(element: Mapping[str, Any]) -> str:
    names = {"$el_text": "text", "text": "text", "attr__id": "attr_id", "attr__href": "href"}
    attributes = {"nth-child": element.get("nth_child") or 0, "nth-of-type": element.get("nth_of_type") or 0}
    attributes |= {names[name]: value for name, value in element.items() if name in names and value}
    attributes |= {name: value for name, value in element.items() if name.startswith("attr__") and value is not None}
    classes = element.get("attr__class")
    listed = classes.split() if isinstance(classes, str) else classes if isinstance(classes, list) else []
    dotted = "".join("." + str(name).replace('"', "") for name in sorted(map(str, listed)))
    written = "".join(
        '{}="{}"'.format(*(str(part).replace('"', '\\"') for part in pair)) for pair in sorted(attributes.items())
    )
    return f"{element.get('tag_name') or ''}{dotted}:{written}"


_EMPTY: Final = Chain(text=_NO_CHAIN)

"""CSS selectors over a chain of elements: tags, classes, ids, attributes, `:nth-child`, descendants and children."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from smspipe.matching.elements import Element
from smspipe.model.errors import Invalid

# Tailwind's classes may hold a bracket after a hyphen (`shadow-[0_4px]`) and a colon (`hover:bg-blue`).
_CLASS: Final = r"(?:-\[[^\]\s]*\]|\\.|(?!:nth-(?:child|of-type)\()[^\s.#\[\]>+~*,\"'=\\])+"
_TOKEN: Final = re.compile(
    r"(?P<space>\s*>\s*|\s+)"
    rf"|\.(?P<cls>{_CLASS})"
    r"|\#(?P<id>(?:\\.|[^\s.#\[\]:>+~*,\"'=\\])+)"
    r"|\[\s*(?P<key>[^\]\s=~^$*|\"']+)\s*(?:=\s*(?:\"(?P<double>(?:\\.|[^\"\\])*)\"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<bare>[^\]\s\"']+))\s*)?\]"
    r"|:(?P<nth>nth-child|nth-of-type)\(\s*(?P<place>[0-9]+)\s*\)"
    r"|(?P<any>\*)"
    r"|(?P<tag>[a-zA-Z][a-zA-Z0-9_-]*)"
)
_MOST_PARTS: Final = 50
_PSEUDO_CLASSES: Final = frozenset(
    (
        *("active", "after", "before", "checked", "disabled", "empty", "enabled", "first-child", "first-of-type"),
        *("focus", "focus-visible", "focus-within", "hover", "invalid", "last-child", "last-of-type", "only-child"),
        *("optional", "required", "root", "target", "valid", "visited"),
    )
)
"""What no recorded element can tell; after a class and a colon they read like part of a Tailwind class."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one element must be; `child` when the part before it (to the left) must be its direct parent."""

    tag: str | None = None
    classes: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, str | None], ...] = ()
    """Name and wanted value; None for any."""
    child: bool = False

    def fits(self, element: Element) -> bool:
        """Tell whether `element` is what this part asks for."""
        return (
            (self.tag is None or self.tag == element.tag)
            and self.classes <= element.classes
            and all(_has(element, name, wanted) for name, wanted in self.attributes)
        )


def _has(element: Element, name: str, wanted: str | None) -> bool:
    value = element.attributes.get(f"attr__{name}")
    if value is None:
        value = element.attributes.get(name)
    return value is not None and (wanted is None or value == wanted)


class Selector(msgspec.Struct, frozen=True):
    """A selector read: its parts from right to left, as the chain goes from the clicked element outwards."""

    parts: tuple[Part, ...]

    def found_in(self, elements: Sequence[Element]) -> bool:
        """Tell whether any element of the chain, with those it lies in, is what the selector asks for."""
        # For each element: whether the parts so far can be laid on the chain with the last of them on it.
        first, *rest = self.parts
        reachable = [first.fits(element) for element in elements]
        child = first.child
        for part in rest:
            following, seen = [], False
            for index, element in enumerate(elements):
                below = index > 0 and reachable[index - 1]
                seen = seen or below
                following.append((below if child else seen) and part.fits(element))
            reachable, child = following, part.child
        return any(reachable)


class _Unfinished:
    """The part that is being read."""

    def __init__(self, *, child: bool) -> None:
        self.child = child
        self.tag: str | None = None
        self.classes: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def empty(self) -> bool:
        return self.tag is None and not self.classes and not self.attributes

    def finish(self) -> Part:
        return Part(
            tag=None if self.tag == "*" else self.tag,
            classes=frozenset(self.classes),
            attributes=tuple(self.attributes),
            child=self.child,
        )

    def add(self, token: re.Match[str], field: str) -> None:
        """Add one token: a tag, a class, an id, an attribute or a place among siblings."""
        if token["cls"]:
            name, colon, last = token["cls"].rpartition(":")
            if colon and last in _PSEUDO_CLASSES:
                raise _unreadable(token.start() + 1 + len(name), field)
            self.classes.append(_unescape(token["cls"]))
        elif token["id"]:
            self.attributes.append(("attr_id", _unescape(token["id"])))
        elif token["key"]:
            quoted = token["double"] if token["double"] is not None else token["single"]
            value = token["bare"] if quoted is None else _unescape(quoted)
            self.attributes.append(("attr_id" if token["key"] == "id" else token["key"], value))
        elif token["nth"]:
            self.attributes.append((token["nth"], token["place"]))
        elif self.empty():
            self.tag = token["tag"] or "*"
        else:
            raise _unreadable(token.start(), field)


def read_selector(text: str, field: str) -> Selector:
    """
    Read a selector such as `div.cart > button#buy[data-id="7"]:nth-child(2)`.

    Raises:
        Invalid: it is empty, or uses what an element chain cannot answer (`:hover`, `+`, `~`, lists with commas);
            `position` is where, in the text without blanks around it.
    """
    parts: list[Part] = []
    part = _Unfinished(child=False)
    text = text.strip()
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or len(parts) == _MOST_PARTS:
            raise _unreadable(position, field)
        position = token.end()
        if token["space"] is None:
            part.add(token, field)
        elif part.empty() or position == len(text):
            raise _unreadable(token.start(), field)
        else:
            parts.append(part.finish())
            part = _Unfinished(child=">" in token["space"])
    if part.empty():
        raise _unreadable(0, field)
    return Selector(tuple(reversed((*parts, part.finish()))))


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _unreadable(position: int, field: str) -> Invalid:
    return Invalid(
        "This selector cannot be read.",
        field=field,
        position=position,
        hint='Use tags, .classes, #ids, [attribute="value"], :nth-child(2), spaces and >, as in div.cart > button#buy.',
    )

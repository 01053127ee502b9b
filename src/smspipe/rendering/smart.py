r"""
Smart Encoding: what Twilio puts in for characters that would turn a text into UCS-2, so that its cost can be told.

A look-alike in GSM-7 is put in for each character that the map has; everything else stays, and one such character left
(an emoji, `ë`, `™`) makes the whole text UCS-2 all the same. Only segments are counted on what comes out: the text is
sent as it was written, and Twilio does the replacing.

The map is what Twilio's own calculator (npm `sms-segments-calculator` 1.3.0) replaces, its oddities included: spaces of
other widths become two, a tab seven. Most of it follows from how Unicode describes the characters, and is built so.

Source:
    https://www.twilio.com/docs/messaging/services#smart-encoding
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

_WRITTEN_OUT: Final = {
    "'": "`´ʹʻʼʽˈˊˋ\u0313\u0314‘’‛❛❜\ufe10\ufe11",
    '"': "«»ʺˮ“”„‟❝❞〝〞",
    "-": "‐–—―•⁃⎼⎽",
    "*": "⁎∗⊛✢✣✤✥✱✲✳✺✻✼✽❃❉❊❋⧆",
    "/": "÷\u0337\u0338⁄∕⧸",
    "\\": "\u20e5⧵⧹",
    "|": "\u20d2\u20d3∣⎜⎟⎸⎹⏐",
    "~": "˜˷\u0303\u0330\u0334∼",
    "^": "ˆ\u0302\u1dcd",
    "_": "\u0332‗",
    "=": "\u0347꞊",
    "+": "˖",
    ":": "ː˸⦂꞉",
    ";": "⁏",
    ",": "\u0326‚、﹑､",
    ".": "。｡",
    "!": "ǃ",
    "(": "❨❪⟮⦅",
    ")": "❩❫⟯⦆",
    "{": "❴",
    "}": "❵",
    "<": "‹",
    ">": "›",
    "!!": "‼",
    "...": "…",
    "1/4": "¼",
    "1/2": "½",
    "3/4": "¾",
    " ": "\u2001\u2028\u2029",
    "  ": "\x80\x8d\x90\x9b\x9f",  # controls of the second kind
    " " * 7: "\t",
    "": "\x00\x03\x04\x10\x11\x12\x13\x14\x17\x19\u200b\u200c\u2060\ufeff",
}
_LOWER_CASE: Final = range(0xFF40, 0xFF5B)
"""Of the full-width forms these stay."""
_COMPATIBLE: Final = (*range(0xFE13, 0xFE17), *range(0xFE50, 0xFE6C), *range(0xFF01, 0xFF5F))
"""Vertical punctuation, small and full-width forms: Unicode itself says what each is a form of."""
_STAYING: Final = frozenset("﹕\u1680 ") | frozenset(map(chr, _LOWER_CASE))
"""They are like their neighbours in Unicode, yet not in Twilio's map; and the space itself."""


def smart_encode(body: str) -> str:
    """Give the text that Twilio sends for `body` under Smart Encoding."""
    return body if body.isascii() and body.isprintable() and "`" not in body else body.translate(_MAP)


def _pairs() -> Iterator[tuple[str, str]]:
    """Give what follows from Unicode first: what is written out has the last word."""
    for character in map(chr, _COMPATIBLE):
        if (plain := unicodedata.normalize("NFKC", character)) != character and plain.isascii():
            yield character, plain
    for letter in "ABCDEFGHIJKLMNOPRSTUVWYZ":
        yield unicodedata.lookup(f"LATIN LETTER SMALL CAPITAL {letter}"), letter
    for character in map(chr, range(0x80, 0x3001)):
        if unicodedata.category(character) == "Zs":
            yield character, "  "
    for instead, characters in _WRITTEN_OUT.items():
        yield from ((character, instead) for character in characters)


_MAP: Final = {ord(character): instead for character, instead in _pairs() if character not in _STAYING}

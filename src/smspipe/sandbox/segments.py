r"""
How many SMS segments a text takes, and which look-alikes Smart Encoding puts in.

A text whose every character is in the GSM 7-bit alphabet costs one septet a character, two for
the ten characters reached through an escape; any other text goes out in UTF-16. One segment
carries 160 septets or 70 code units. Several segments each lose six bytes to a header and carry
153 or 67, and no character is cut in two: an escape pair, or all code points that a reader
takes for one character (a grapheme, `\X`), moves whole into the next segment.

Sources:
    3GPP TS 23.038, section 6.2.1; https://www.twilio.com/docs/glossary/what-sms-character-limit
    https://www.twilio.com/docs/messaging/services#smart-encoding
"""

from typing import Final

import regex

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED: Final = frozenset("\f^{}\\[~]|€")
_GRAPHEME: Final = regex.compile(r"\r|\n|\X")

_LOOK_ALIKES: Final[dict[str, str]] = {
    "«»“”„‟″‶˝ʺ‴‷＂❝❞": '"',
    "‘’‚‛′‵`´ˊˋʻʼʽ＇❛❜": "'",
    "‐‑‒–—―−⁃•‧∙": "-",
    "…": "...",
    "‼": "!!",
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000": " ",
    "\u200b\u2060\ufeff": "",
    "\u2028\u2029": "\n",
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
    "⁄∕": "/",
    "‹": "<",
    "›": ">",
    "÷": "/",
}
_SMART: Final = str.maketrans(
    {character: plain for characters, plain in _LOOK_ALIKES.items() for character in characters}
    # The full-width forms repeat ASCII's "!" to "~" at a fixed distance.
    | {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}
)


def count_segments(body: str) -> int:
    """Count the segments that `body` is sent in; an empty one (a text with media alone) takes one."""
    if all(character in _BASIC or character in _ESCAPED for character in body):
        return _fill([2 if character in _ESCAPED else 1 for character in body], single=160, several=153)
    graphemes = _GRAPHEME.findall(body)
    return _fill([len(grapheme.encode("utf-16-le")) // 2 for grapheme in graphemes], single=70, several=67)


def smart_encode(body: str) -> str:
    """Replace what has a look-alike in the GSM alphabet: curly quotes, dashes, ellipses, wide spaces."""
    return body.translate(_SMART)


def _fill(sizes: list[int], *, single: int, several: int) -> int:
    if sum(sizes) <= single:
        return 1
    segments, free = 1, several
    for size in sizes:
        while size > several:  # one grapheme longer than a segment: it has to be cut
            segments, size, free = segments + (free < several), size - several, 0
        if size > free:
            segments, free = segments + 1, several
        free -= size
    return segments

"""
What a text costs and what may leave as one: its encoding, its segments, and the limit of 1600.

A text leaves in one of two encodings. GSM-7 has 127 characters of one septet, and ten more that need an escape before
them, so two septets. A single character outside these 137 turns the whole text into UCS-2, counted in UTF-16 code
units. One segment holds 160 septets or 70 units; of several segments each gives six bytes to a header that tells the
phone how to join them, which leaves 153 septets or 67 units. What belongs together (an escape and its character, the
code points of one grapheme) is not cut: it moves to the next segment whole, and the units left free are lost.

Sources: 3GPP TS 23.038, section 6.2.1; https://www.twilio.com/docs/glossary/what-sms-character-limit;
https://www.twilio.com/docs/api/errors/21617 (the limit).
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec
import regex

from smspipe.model.message import Encoding
from smspipe.model.outcome import Reason, Refusal

BODY_UNITS: Final = 1600
"""
The longest text that Twilio takes.

Its page says "characters" and that emoji count as several: UTF-16 code units are the reading under which we are never
more lenient than Twilio.
"""

GSM_7_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENSION: Final = "\f^{}\\[~]|€"

_SINGLE: Final = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}
_JOINED: Final = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}

_is_basic = re.compile(f"[{re.escape(GSM_7_BASIC)}]*").fullmatch
_is_gsm_7 = re.compile(f"[{re.escape(GSM_7_BASIC + GSM_7_EXTENSION)}]*").fullmatch
_extensions = re.compile(f"[{re.escape(GSM_7_EXTENSION)}]").findall

# Characters of one unit that never join a neighbour, so that counting needs no look for graphemes (which costs
# twenty times as much): Latin, Greek, the first half of Cyrillic, quotes and dashes, currencies, CJK ideographs.
_stand_alone = re.compile(
    "[\n\r\x20-\x7e\xa0-\u02ff\u0370-\u0482\u2010-\u2027\u2030-\u205e\u20a0-\u20c0\u3001-\u3029\u4e00-\u9fff]*"
).fullmatch

# CR LF is one grapheme, but two characters that Twilio cuts between; so it comes before `\X`.
_graphemes = regex.compile(r"\r|\n|\X").findall
_has_surrogate = re.compile("[\ud800-\udfff]").search


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """What Twilio bills for a text. `units` are septets (GSM-7) or UTF-16 code units (UCS-2), headers not counted."""

    encoding: Encoding
    segments: int
    units: int


def count_segments(body: str) -> Segments:
    """
    Count the SMS segments that Twilio bills for `body`.

    An empty text counts as one empty segment, as in Twilio's own calculator; `check_body` refuses it.
    """
    if _is_basic(body):
        return _sized(Encoding.GSM_7, len(body))
    if _is_gsm_7(body):
        units = len(body) + len(_extensions(body))
        if units <= _SINGLE[Encoding.GSM_7]:
            return _sized(Encoding.GSM_7, units)
        sizes = (2 if character in GSM_7_EXTENSION else 1 for character in body)
        return Segments(encoding=Encoding.GSM_7, segments=_fill(sizes, _JOINED[Encoding.GSM_7]), units=units)
    units = utf16_units(body)
    if units <= _SINGLE[Encoding.UCS_2] or _stand_alone(body):
        return _sized(Encoding.UCS_2, units)
    return Segments(
        encoding=Encoding.UCS_2, segments=_fill(_grapheme_sizes(body), _JOINED[Encoding.UCS_2]), units=units
    )


def utf16_units(text: str) -> int:
    """Count the UTF-16 code units of `text`: two for each character beyond U+FFFF (an emoji), one for any other."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def check_body(body: str | None, *, truncate: bool) -> str | Refusal:
    """
    Say whether Twilio would take `body`, and give the text that may leave.

    Args:
        body: rendered text; None is what a template gives whose one expression is null.
        truncate: cut a text that is too long at the last grapheme that fits whole, instead of refusing it.

    Returns:
        The text itself, at most 1600 UTF-16 units. Halves of surrogate pairs, which no encoding can carry (a template
        that cuts by UTF-16 units leaves them), are replaced by U+FFFD. Or a refusal: BODY_EMPTY for nothing but white
        space, BODY_TOO_LONG with the count in `saw`.
    """
    if body is None or not body or body.isspace():
        return Refusal(reason=Reason.BODY_EMPTY, saw="The text is empty.")
    if _has_surrogate(body):
        body = body.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    # Twice the code points is the most that the units can be: no need to count them in a short text.
    if len(body) * 2 <= BODY_UNITS or (units := utf16_units(body)) <= BODY_UNITS:
        return body
    if not truncate:
        return Refusal(
            reason=Reason.BODY_TOO_LONG, saw=f"The text has {units} characters; Twilio takes {BODY_UNITS} at most."
        )
    return check_body(_cut(body), truncate=False)


def _sized(encoding: Encoding, units: int) -> Segments:
    """Count a text in which nothing needs to be kept whole."""
    if units <= _SINGLE[encoding]:
        return Segments(encoding=encoding, segments=1, units=units)
    return Segments(encoding=encoding, segments=-(-units // _JOINED[encoding]), units=units)


def _fill(sizes: Iterable[int], room: int) -> int:
    """Count the segments of `room` units that items of these sizes fill in their order, none of them cut."""
    segments, used = 1, 0
    for size in sizes:
        used += size
        if used > room:
            segments, used = segments + 1, size
    return segments


def _grapheme_sizes(body: str) -> Iterable[int]:
    """Give the sizes in UTF-16 units of what must not be cut; a grapheme too big for any segment, by code points."""
    for grapheme in _graphemes(body):
        # Most are one character of one unit, which needs no encoding to be measured.
        size = 1 if len(grapheme) == 1 and grapheme <= "\uffff" else utf16_units(grapheme)
        if size <= _JOINED[Encoding.UCS_2]:
            yield size
        else:
            yield from (utf16_units(character) for character in grapheme)


def _cut(body: str) -> str:
    """Cut `body` to the limit, between graphemes; inside one only where the first is longer than the limit."""
    for pieces in (_graphemes(body), body):
        units = end = 0
        for piece in pieces:
            units += utf16_units(piece)
            if units > BODY_UNITS:
                break
            end += len(piece)
        if end:
            break
    return body[:end]

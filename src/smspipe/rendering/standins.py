"""Which characters make a text dearer, and what may stand in for them: GSM-7 has 137, any other doubles the price."""

import re
import unicodedata
from typing import Final

from smspipe.rendering.segments import GSM_7_BASIC, GSM_7_EXTENSION

_GSM_7: Final = frozenset(GSM_7_BASIC + GSM_7_EXTENSION)
_outside = re.compile(f"[^{re.escape(GSM_7_BASIC + GSM_7_EXTENSION)}]").finditer

_STAND_INS: Final = {
    "\t": " ",
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "`": "'", "´": "'", "ʼ": "'",
    "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"', "‹": "'", "›": "'",
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
    "…": "...", "•": "*", "·": "*", "×": "x", "÷": "/", "⁄": "/", "→": "->", "←": "<-",
    "©": "(c)", "®": "(r)", "™": "TM", "№": "No.",
    "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ı": "i", "þ": "th", "Þ": "Th", "ð": "d", "œ": "oe",
    "Œ": "OE",
}  # fmt: skip


_INVISIBLE: Final = frozenset("\xad\u200b\u200c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\ufeff")
"""They take no place: they may simply go."""


def outside_gsm_7(text: str) -> list[tuple[int, str]]:
    """List the characters of a text that GSM-7 has not, each with its offset."""
    return [(found.start(), found[0]) for found in _outside(text)]


def stand_in(character: str) -> str | None:
    """
    Give what GSM-7 has in place of a character: text that says the same, "" for what nobody sees, None for nothing.

    Spaces of any width are a space, accents that GSM-7 has not are left out, typographic marks become plain ones.
    """
    if character in _STAND_INS:
        return _STAND_INS[character]
    if character in _INVISIBLE:
        return ""
    if unicodedata.category(character) == "Zs":
        return " "
    for form in ("NFKC", "NFKD"):
        parts = (each for each in unicodedata.normalize(form, character) if not unicodedata.combining(each))
        written = "".join(_STAND_INS.get(each, each) for each in parts)
        if written and set(written) <= _GSM_7:
            return written
    return None


def name_of(character: str) -> str:
    """Name a character as Unicode does, in lower case: `right single quotation mark`."""
    return unicodedata.name(character, f"character U+{ord(character):04X}").lower()

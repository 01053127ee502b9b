"""
LZ-string's `compressToBase64`, undone: what posthog-js sent before it learnt gzip (`compression=lz64`).

The format is LZ78 over UTF-16 code units. A stream of codes, each read with its lowest bit first,
grows a dictionary: code 0 and 1 bring a new unit of 8 or 16 bits in full, 2 ends the text, any other
repeats an entry; each step also enters the previous output plus the first unit of the present one.
A code has as many bits as the dictionary's size needs, the one about to be entered included.

Source:
    https://pieroxy.net/blog/pages/lz-string/index.html
"""

import binascii
from typing import Final

from smspipe.capture.door import too_big, undecodable

ENCODED_LIMIT: Final = 512 * 1024
"""
Most bytes of base64 text that are looked at. Decoding is ours and in Python, so it is kept to a
fraction of a second; the browsers that still send this send a few kilobytes at once.
"""
DECODED_LIMIT: Final = 2 * 1024 * 1024
"""Most UTF-16 units that may come out."""
_UNIT_8, _UNIT_16, _END = 0, 1, 2
_FIRST_FREE: Final = 3


def unlz64(data: bytes) -> bytes:
    """
    Decode LZ-string's base64 text to UTF-8.

    Raises:
        Refused: 413 when one of the two limits is passed, 400 when `data` are no such text.
    """
    if len(data) > ENCODED_LIMIT:
        raise too_big("lz64 payload", ENCODED_LIMIT)
    units = _decode(_bits(data))
    try:
        # Pairs of surrogates arrive as two units; together they are one character.
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le").encode()
    except UnicodeError:
        raise undecodable("invalid lz64 data") from None


def _bits(data: bytes) -> str:
    """Write out the stream as zeros and ones. LZ-string pads oddly, so the padding is made anew: zeros are inert."""
    text = data.rstrip(b"=")
    try:
        packed = binascii.a2b_base64(text + b"A" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        raise undecodable("invalid lz64 data") from None
    return f"{int.from_bytes(packed, 'big'):0{len(packed) * 8}b}"


def _decode(bits: str) -> str:
    entries = ["", "", ""]
    pieces: list[str] = []
    previous = ""
    at, size, width = 0, 0, 2
    while True:
        code, at = _take(bits, at, width)
        if code == _END:
            return "".join(pieces)
        if code <= _UNIT_16:
            unit, at = _take(bits, at, 16 if code else 8)
            entry = chr(unit)
            entries.append(entry)
        elif code < len(entries):
            entry = entries[code]
        elif code == len(entries) and previous:
            entry = previous + previous[0]
        else:
            raise undecodable("invalid lz64 data")
        if previous:
            entries.append(previous + entry[0])
        pieces.append(entry)
        size += len(entry)
        if size > DECODED_LIMIT:
            raise too_big("decompressed lz64 payload", DECODED_LIMIT)
        previous = entry
        width = len(entries).bit_length()


def _take(bits: str, at: int, width: int) -> tuple[int, int]:
    """Read the number of `width` bits at `at`, lowest bit first; give it and the place after it."""
    end = at + width
    if end > len(bits):
        raise undecodable("invalid lz64 data")
    return int(bits[at:end][::-1], 2), end

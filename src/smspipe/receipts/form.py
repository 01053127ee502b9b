"""The form that Twilio posts, read without loss: the signature is over every one of its fields."""

from typing import Final
from urllib.parse import unquote_to_bytes

LARGEST_BODY_BYTES: Final = 64 * 1024
"""What a door should take at most: the largest webhooks of Twilio are a few kilobytes."""


def split_form(body: bytes) -> list[tuple[bytes, bytes]]:
    """
    Split a form into its decoded names and values, in their order, blank values and repeated names included.

    They stay bytes: text that is not UTF-8 has a signature as well. A piece without `=` is a name with a blank value.
    """
    pieces = (piece.partition(b"=") for piece in body.split(b"&") if piece)
    return [(_decode(name), _decode(value)) for name, _, value in pieces]


def read_form(body: bytes) -> dict[str, str]:
    """Read a form as text: of a repeated name the first value, U+FFFD for what is not UTF-8."""
    fields: dict[str, str] = {}
    for name, value in split_form(body):
        fields.setdefault(name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
    return fields


def _decode(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))

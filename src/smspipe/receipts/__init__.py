"""Deciders: what Twilio tells us after it took a text (status callbacks, incoming texts), and whether it was Twilio."""

from smspipe.receipts.form import LARGEST_BODY_BYTES, read_form, split_form
from smspipe.receipts.signature import Algorithm, SigningKey, address_of, is_signed

__all__ = [
    "LARGEST_BODY_BYTES",
    "Algorithm",
    "SigningKey",
    "address_of",
    "is_signed",
    "read_form",
    "split_form",
]

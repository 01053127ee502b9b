"""Deciders: what Twilio tells us after it took a text (status callbacks, incoming texts), and whether it was Twilio."""

from smspipe.receipts.callbacks import (
    Inbound,
    MessageStatus,
    OptOutType,
    Receipt,
    read_inbound,
    read_receipt,
    receipt_of,
    status_of,
)
from smspipe.receipts.form import LARGEST_BODY_BYTES, read_form, split_form
from smspipe.receipts.ranking import ORDER, Conclusion, Effect, Standing, conclude, join, progress, standing_of
from smspipe.receipts.signature import Algorithm, SigningKey, address_of, is_signed

__all__ = [
    "LARGEST_BODY_BYTES",
    "ORDER",
    "Algorithm",
    "Conclusion",
    "Effect",
    "Inbound",
    "MessageStatus",
    "OptOutType",
    "Receipt",
    "SigningKey",
    "Standing",
    "address_of",
    "conclude",
    "is_signed",
    "join",
    "progress",
    "read_form",
    "read_inbound",
    "read_receipt",
    "receipt_of",
    "split_form",
    "standing_of",
    "status_of",
]

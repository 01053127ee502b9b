"""Words for explanations: how a value, a list of them and a condition read, phone numbers masked."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from smspipe.hog import HogError, to_string
from smspipe.model.phone import mask

_LONGEST: Final = 80
_MOST_LISTED: Final = 5
_PHONE: Final = re.compile(r"\+?\(?[0-9](?:[ ().\-/]{0,2}[0-9]){6,18}(?![0-9])")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")
_LARGEST_AMOUNT: Final = 99_999_999
"""Whole numbers up to here are shown: amounts far more often than phone numbers without their country."""


def show(value: Any) -> str:
    """Write a value for a person: at most 80 characters of it, and whatever looks like a phone number masked."""
    if value == "":
        return "empty"
    try:
        text = to_string(value)
    except (HogError, RecursionError):
        return "a value too deep to show"
    if type(value) is float or (type(value) is int and abs(value) <= _LARGEST_AMOUNT):
        return text
    # Masked before it is cut: half a number would no longer look like one.
    text = mask_phones(text[: 4 * _LONGEST])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def mask_phones(text: str) -> str:
    """Mask each run of 7 to 19 digits, spaced as phone numbers are; dates stay."""
    return _PHONE.sub(lambda found: found[0] if _DATE.match(found[0]) else mask(found[0]), text)


def show_list(values: Sequence[Any], last: str = "or") -> str:
    """Write `a`, `a or b`, `a, b or c`; of more than five the first five and how many more."""
    shown = [show(value) for value in values[:_MOST_LISTED]]
    if len(values) > _MOST_LISTED:
        return f"{', '.join(shown)} {last} {len(values) - _MOST_LISTED} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def join_reasons(reasons: Iterable[str], most: int = 3) -> str:
    """Join the reasons why each of several alternatives failed, without repeats, `most` of them."""
    unique = list(dict.fromkeys(reasons))
    rest = f"; and {len(unique) - most} more" if len(unique) > most else ""
    return "; ".join(unique[:most]) + rest

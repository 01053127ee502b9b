"""What lint finds, as values: one closed list of codes, each finding two sentences for a person."""

from datetime import datetime
from enum import StrEnum

import msgspec

from smspipe.rendering.standins import name_of, stand_in


class Code(StrEnum):
    """What is warned of. A word is added only together with its entry in `docs/reference/destinations.md`."""

    UNKNOWN_EVENT = "unknown_event"
    UNKNOWN_PROPERTY = "unknown_property"
    NEVER_MATCHES = "never_matches"
    TEMPLATE_FAILS = "template_fails"
    BODY_EMPTY = "body_empty"
    BODY_TOO_LONG = "body_too_long"
    MANY_SEGMENTS = "many_segments"
    UCS2_IN_TEMPLATE = "ucs2_in_template"
    UCS2_IN_VALUES = "ucs2_in_values"
    COOLDOWN_KEY_EMPTY = "cooldown_key_empty"
    RECIPIENT_MISSING = "recipient_missing"
    RECIPIENT_INVALID = "recipient_invalid"
    DOES_NOT_COMPILE = "does_not_compile"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One warning. It holds no phone number and no rendered text."""

    code: Code
    field: str
    """The part of the destination that is meant, as errors name it: `inputs__smsBody`."""
    saw: str
    """A sentence for a person on what was found."""
    hint: str
    """A sentence on what to do."""
    position: int | None = None
    """Offset (code points, from 0) in the template's source."""
    share: float | None = None
    """The part of the matching events that it is true of, 0 to 1."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what was found."""

    events: int
    matched: int
    """How many of the events the filter lets through."""
    since: datetime | None
    until: datetime | None
    warnings: tuple[Finding, ...]


def shown(character: str) -> str:
    """Write a character with its name; what cannot be seen by its name alone."""
    printed = f"{character} " if character.isprintable() and not character.isspace() else ""
    return f"{printed}({name_of(character)})"


def replacement(character: str) -> str:
    """Say what to write in place of a character that GSM-7 has not."""
    instead = stand_in(character)
    if instead is None:
        return "GSM-7 has nothing like it: leave it out, or pay for it."
    if not instead:
        return "Nobody sees it: leave it out."
    return "Write a space." if instead == " " else f"Write {instead}"

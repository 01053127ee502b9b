"""What becomes of one event at one destination: an outcome, and one word of a closed list for why."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Reason(StrEnum):
    """
    Why there was no text, or not yet. The same word in API, page, command line and metrics.

    A word is added only together with its entry in `docs/reference/reasons.md`.
    """

    NO_MATCH = "no_match"
    FILTER_ERROR = "filter_error"
    TEMPLATE_ERROR = "template_error"
    RECIPIENT_MISSING = "recipient_missing"
    RECIPIENT_INVALID = "recipient_invalid"
    BODY_EMPTY = "body_empty"
    BODY_TOO_LONG = "body_too_long"
    COOLDOWN = "cooldown"
    FREQUENCY_CAP = "frequency_cap"
    OPTED_OUT = "opted_out"
    QUIET_HOURS = "quiet_hours"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    UNTRUSTED_RECIPIENT = "untrusted_recipient"
    VELOCITY = "velocity"
    BUDGET = "budget"
    HISTORICAL = "historical"
    TOO_OLD = "too_old"
    DUPLICATE = "duplicate"
    PAUSED = "paused"
    DESTINATION_DELETED = "destination_deleted"
    TWILIO_REJECTED = "twilio_rejected"
    TWILIO_UNREACHABLE = "twilio_unreachable"
    CREDENTIALS = "credentials"
    UNCONFIRMED = "unconfirmed"
    UNDELIVERED = "undelivered"
    ERASED = "erased"


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One step of a decision, kept so that it can be explained later.

    `name` is the step's word (match, render, recipient, body, too_old, historical, cooldown …),
    `ok` whether the event may go on, `saw` a sentence for a person on what the step looked at
    and found. Phone numbers in it are masked, message bodies never in it.
    """

    name: str
    ok: bool
    saw: str = ""
    reason: Reason | None = None
    data: dict[str, Any] | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A considered no. `until` is the first instant of a yes, None for never (or not known)."""

    reason: Reason
    saw: str = ""
    until: datetime | None = None

"""The register's values: an opt-out, what makes one, and one line of the history."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from smspipe.model.phone import E164

EVERYWHERE: Final = "*"
"""The scope of an opt-out that counts for every sender."""
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


class Source(StrEnum):
    """Where an opt-out, or its end, is known from."""

    KEYWORD = "keyword"
    """The person texted STOP, START or one of their families."""
    TWILIO_21610 = "twilio_21610"
    """Twilio refused a text, because the person unsubscribed."""
    CARRIER_30004 = "carrier_30004"
    """The toll-free network blocked a text."""
    PERSON = "person"
    """Somebody, through the API, the page or the command line."""
    IMPORT = "import"


class Action(StrEnum):
    """What a line of the history tells."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """One number that gets no texts from one sender."""

    id: int
    number_hash: str
    number: E164 | None
    """None after it was erased; the hash still keeps texts away from it."""
    scope: str
    """A sender (see `scope_of`), or `*` for all of them."""
    service: str | None
    """The messaging service that the person answered to; a START to any of its numbers ends the opt-out."""
    since: datetime
    source: Source
    who: str | None
    """Who wrote it down, None for what came from Twilio."""
    why: str | None
    keyword: str | None
    """The word that the person wrote last."""


class New(msgspec.Struct, frozen=True, kw_only=True):
    """An opt-out to be written down."""

    number: E164 | None
    """None where only the hash is known: an erased one that is imported again."""
    source: Source
    number_hash: str | None = None
    """For an erased number; otherwise the number is hashed."""
    scope: str = EVERYWHERE
    service: str | None = None
    since: datetime | None = None
    """None for now."""
    who: str | None = None
    why: str | None = None
    keyword: str | None = None
    message_sid: str | None = None
    """The incoming text that said so."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history."""

    action: Action
    scope: str
    at: datetime
    source: Source
    who: str | None
    why: str | None
    keyword: str | None
    message_sid: str | None


def scope_of(sender: str) -> str:
    """
    Write a sender so that two spellings of one are the same: a service's SID and a name are known in any case.

    A number in E.164, a short code, `*` and an address of another channel stay as they are.
    """
    text = sender.strip()
    if _SERVICE.fullmatch(text):
        return "MG" + text[2:].lower()
    return text if ":" in text else text.upper()

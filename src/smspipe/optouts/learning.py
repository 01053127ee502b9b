"""
What the register learns by itself: from incoming texts, and from what Twilio says of texts that were refused.

What Twilio says is not doubted. It knows of every STOP, those included that came before this service was asked to hear
them; a register that learns them does not try again and again.
"""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from smspipe.model.phone import E164
from smspipe.optouts.entries import New, OptOut, Source
from smspipe.optouts.hashing import Hasher
from smspipe.optouts.keywords import Keyword, is_toll_free
from smspipe.optouts.register import add_many, is_heard, remove
from smspipe.optouts.words import Family

UNSUBSCRIBED: Final = 21610
"""Twilio's code for a text to somebody who wrote STOP, or was taken off by the Compliance Toolkit."""
BLOCKED: Final = 30004
"""The code of a blocked text; from a toll-free number it means that the person wrote STOP to the network."""


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """An incoming text that was a keyword."""

    number: E164
    """Who wrote it."""
    sender: str
    """Which of our senders it was written to."""
    service: str | None
    """The messaging service that the sender belongs to, None where there is none."""
    message_sid: str
    keyword: Keyword


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a keyword did: how many opt-outs it began, or the ones that it ended."""

    begun: int = 0
    ended: tuple[OptOut, ...] = ()
    repeated: bool = False
    """The same text was heeded before, so nothing was done."""


def apply_keyword(connection: Connection, hasher: Hasher, inbound: Inbound, *, now: datetime) -> Applied:
    """
    Heed an incoming keyword. A text that comes again, even after others, does nothing.

    STOP opts out of the sender and of its messaging service. START ends both, and what was opted out of through the
    service at its other numbers; an opt-out everywhere stays. HELP changes nothing.

    Raises:
        Permanent: the register's key is lost.
        Temporary: the register could not be read or written: Twilio should deliver the text again.
    """
    if inbound.keyword.family is Family.HELP:
        return Applied()
    if is_heard(connection, inbound.message_sid):
        return Applied(repeated=True)
    if inbound.keyword.family is Family.STOP:
        begun = _begin(
            connection,
            hasher,
            New(
                number=inbound.number,
                source=Source.KEYWORD,
                scope=inbound.sender,
                service=inbound.service,
                keyword=inbound.keyword.word,
                message_sid=inbound.message_sid,
            ),
            now,
        )
        return Applied(begun=begun)
    ended = remove(
        connection,
        hasher(inbound.number),
        scope=inbound.sender,
        service=inbound.service,
        source=Source.KEYWORD,
        keyword=inbound.keyword.word,
        message_sid=inbound.message_sid,
        now=now,
    )
    return Applied(ended=tuple(ended))


def learn(
    connection: Connection,
    hasher: Hasher,
    *,
    number: E164,
    sender: str,
    code: int,
    now: datetime,
    service: str | None = None,
) -> bool:
    """
    Learn from the code that a text was refused with; True if it told of an opt-out that was not known.

    Args:
        connection: in a transaction that writes.
        hasher: the register's.
        number: who the text was for.
        sender: who it was from: for 30004 the number that Twilio chose, not the messaging service alone.
        code: Twilio's. 21610 counts for every sender, 30004 for toll-free numbers; no other tells of an opt-out.
        now: the instant of the answer.
        service: the messaging service that it went through, if any; the opt-out counts for it as well.

    Source:
        https://www.twilio.com/docs/api/errors/21610, https://www.twilio.com/docs/api/errors/30004
    """
    if code == UNSUBSCRIBED:
        source = Source.TWILIO_21610
    elif code == BLOCKED and is_toll_free(sender):
        source = Source.CARRIER_30004
    else:
        return False
    return _begin(connection, hasher, New(number=number, source=source, scope=sender, service=service), now) > 0


def _begin(connection: Connection, hasher: Hasher, new: New, now: datetime) -> int:
    """Write an opt-out down for its sender, and for the sender's messaging service."""
    news = [new]
    if new.service is not None:
        news.append(msgspec.structs.replace(new, scope=new.service))
    return add_many(connection, hasher, news, now=now)

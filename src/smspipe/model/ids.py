"""Ids that never change, and how a new one is made. Each has its own type, so that none lands in another's place."""

import hashlib
import os
from datetime import datetime
from typing import NewType

EventUuid = NewType("EventUuid", str)
"""Lower-case, hyphenated text of an event's uuid, as the SDK gave it or as `event_uuid_for` derived it."""
PersonId = NewType("PersonId", str)
DestinationId = NewType("DestinationId", str)
DeliveryId = NewType("DeliveryId", str)
IntegrationId = NewType("IntegrationId", int)
MessageSid = NewType("MessageSid", str)


def uuid7(at: datetime, randomness: bytes | None = None) -> str:
    """
    Make a version 7 uuid: ids made later sort later, so that inserts stay at an index's end.

    Args:
        at: the instant that the id carries, milliseconds of it.
        randomness: ten bytes that make the id a function of its arguments; None takes fresh ones.

    Source:
        RFC 9562, section 5.7.
    """
    rest = int.from_bytes(os.urandom(10) if randomness is None else randomness, "big")
    milliseconds = int(at.timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    value = milliseconds << 80 | 0x7 << 76 | (rest >> 68 & 0xFFF) << 64 | 0b10 << 62 | rest & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def event_uuid_for(at: datetime, request: bytes, index: int) -> EventUuid:
    """
    Derive the uuid of an event that came without one.

    It is a function of the request (when it came, its own random bytes, the event's place in it),
    so reading the request again from the log after a crash gives the same event, not a second one.
    """
    digest = hashlib.blake2b(request + index.to_bytes(4, "big"), digest_size=10).digest()
    return EventUuid(uuid7(at, digest))

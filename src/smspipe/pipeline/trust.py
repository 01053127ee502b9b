"""Who vouches for a recipient: the destination, the event's sender, or the person's profile."""

import re
from typing import Any, Final

from smspipe.model.event import Door, Event
from smspipe.model.person import Person
from smspipe.model.trust import CLAIMED, Trust, Voucher
from smspipe.rendering import Recipient, find_recipient

_OF_DESTINATION: Final = Trust(by=Voucher.DESTINATION)
_OF_KEY: Final = Trust(by=Voucher.SECRET_KEY)
_OF_HOOK: Final = Trust(by=Voucher.HOOK)
_LONGEST: Final = 64
_MAY_BE_NUMBER: Final = re.compile(r"(?:[^A-Za-z\d]*\d){7}|\s*(?:tel|sms):", re.IGNORECASE).match
"""Reading a value as a number costs more than seeing that it is a name."""


def find_trust(to: str, *, constant: bool, event: Event, person: Person | None, default_country: str | None) -> Trust:
    """
    Say who vouches for a recipient.

    Args:
        to: the recipient, as `find_recipient` gave it.
        constant: it stands in the destination as it is, and no event has a say in it.
        event: the event.
        person: its person, with the trusted properties.
        default_country: as for the recipient: numbers in profiles are read alike.
    """
    if constant:
        return _OF_DESTINATION
    if event.trusted:
        return _OF_HOOK if event.door is Door.HOOK else _OF_KEY
    if person is None or not person.trusted:
        return CLAIMED
    number = to[to.find(":") + 1 :]
    for name in sorted(person.trusted):
        if _is(person.properties.get(name), number, default_country):
            return Trust(by=Voucher.PERSON, property=name)
    return CLAIMED


def _is(value: Any, number: str, default_country: str | None) -> bool:
    if value == number:
        return True
    if isinstance(value, str):
        if len(value) > _LONGEST or not _MAY_BE_NUMBER(value):
            return False
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return False
    found = find_recipient(value, default_country)
    return isinstance(found, Recipient) and found.number == number

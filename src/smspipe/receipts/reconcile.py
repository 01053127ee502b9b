"""
Find the text of a lost answer in Twilio's list: it is there, it is not, or the list cannot tell.

Twilio keeps no reference of ours with a message, so a text is known by its sender, its number, its words and its time.
The ledger sees to it that of two texts with the same number and words only one is ever in doubt, and it knows the SIDs
of all the others. Whatever is left and looks the same is either ours or a stranger's, and time tells which: far from
our attempt, by clocks that may be wrong, nobody can say, and nothing is concluded.

Where Twilio may have replaced characters (Smart Encoding), letters and digits alone tell a text. The plain ones among
them stay and keep their order, whatever is put in for the rest, so a text that lacks some of ours is another; one that
has them all and yet differs may be ours, and again nothing is concluded.

Source:
    https://www.twilio.com/docs/messaging/api/message-resource
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

_TRIAL: Final = "Sent from your Twilio trial account - "
_NEAR: Final = timedelta(seconds=10)
"""How much earlier than our attempt Twilio's time of creation may lie: it is cut to seconds, and clocks differ."""
_FAR: Final = timedelta(hours=25)
"""A text that looks the same and was made less than this from our attempt may be ours, if a clock was set wrong."""


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """The text whose fate is not known."""

    to: str
    sender: str
    """A number, a sender's name, or a Messaging Service's SID."""
    body: str
    sent_at: datetime
    """When its request was written down as leaving, by our clock."""
    rewritten: bool = False
    """Twilio may have replaced characters of `body`, which is as we expect it to come out."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The text is there."""

    message: Mapping[str, Any]
    """As Twilio's API writes it; the first, where there are several."""
    others: tuple[str, ...] = ()
    """SIDs of further messages that look the same: perhaps sent twice, by us or by another program."""


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """The list, read to where it can matter, does not show it."""


class Unsure(msgspec.Struct, frozen=True, kw_only=True):
    """There is a text that looks the same, but its time does not fit: it is ours only if a clock was wrong."""

    sids: tuple[str, ...]


Verdict = Found | Absent | Unsure


def search(
    sought: Sought, messages: Iterable[Mapping[str, Any]], known: Collection[str], *, ahead: timedelta = timedelta()
) -> Verdict:
    """
    Look for a text in Twilio's list.

    Args:
        sought: the text.
        messages: the list of texts to its number, read until `enough` says that what follows is too old to matter.
        known: SIDs that the ledger knows to be other deliveries'.
        ahead: how far Twilio's clock is ahead of ours.
    """
    near: list[tuple[datetime, Mapping[str, Any]]] = []
    far: list[str] = []
    for message in messages:
        sid = message.get("sid")
        if not isinstance(sid, str) or sid in known:
            continue
        alike = _alike(sought, message)
        if alike is False:
            continue
        made = made_at(message)
        if made is None:
            far.append(sid)
            continue
        made -= ahead
        if alike and made >= sought.sent_at - _NEAR:
            near.append((made, message))
        elif made >= sought.sent_at - _FAR:
            far.append(sid)
    if near:
        near.sort(key=lambda each: (each[0], str(each[1].get("sid"))))
        (_, first), *rest = near
        return Found(message=first, others=tuple(str(message.get("sid")) for _, message in rest))
    return Unsure(sids=tuple(far)) if far else Absent()


def enough(sought: Sought, messages: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether a page of the list, newest first, reaches so far back that no later page can matter."""
    times = [made for message in messages if (made := made_at(message)) is not None]
    return bool(times) and min(times) < sought.sent_at - 2 * _FAR


def made_at(message: Mapping[str, Any]) -> datetime | None:
    """Give the time of a message's creation by Twilio's clock, None when it cannot be read."""
    given = message.get("date_created")
    try:
        at = parsedate_to_datetime(given) if isinstance(given, str) else None
    except (ValueError, OverflowError):
        return None
    return at if at is not None and at.tzinfo is not None else None


def _alike(sought: Sought, message: Mapping[str, Any]) -> bool | None:
    """Say whether a message looks like the text that is sought; None where nobody can say."""
    if message.get("to") != sought.to or not str(message.get("direction", "outbound")).startswith("outbound"):
        return False
    if sought.sender not in (message.get("from"), message.get("messaging_service_sid")):
        return False
    body = message.get("body")
    # An account may have its texts' words discarded: then time and number alone must do.
    if not isinstance(body, str) or not body or _plain(body) == _plain(sought.body):
        return True
    if not sought.rewritten:
        return False
    ours, theirs = _words(sought.body), _words(body)
    if ours and ours == theirs:
        return True
    left = iter(theirs)
    return None if all(character in left for character in ours if character.isascii()) else False


def _words(body: str) -> str:
    """Write down the letters and digits of a text: what is left of it when other characters are replaced."""
    written = unicodedata.normalize("NFKC", body.removeprefix(_TRIAL))
    return "".join(character for character in written if character.isalnum())


def _plain(body: str) -> str:
    """Write a text so that what a gateway may do to it on its way makes no difference."""
    return unicodedata.normalize("NFC", body.removeprefix(_TRIAL).replace("\r\n", "\n")).strip()

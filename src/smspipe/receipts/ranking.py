"""
How far a text has come, whatever the order in which we hear of it.

Twilio's callbacks overtake each other, come twice, or never. So what is known of a text, its `Standing`, is not the
last thing heard but the join of all of them: of each part the furthest value in one fixed order. A join does not care
for order, repetition or grouping, so every way of hearing the same things ends in the same standing, and none goes
backwards.

    scheduled < accepted < queued < sending < sent < canceled < failed < undelivered
              < partially_delivered < delivered < read

Where two ends contradict each other the later one in this line wins. That it arrived is evidence, that it did not may
be a guess of some carrier on the way: so `delivered` beats `undelivered`. And `undelivered` beats `failed`, because
`failed` claims that nothing left Twilio, and the carrier's answer proves that something did.

A status that is not known here (or is one of incoming texts) is kept, and moves nothing: what it means nobody knows.

Source:
    https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from smspipe.model.errors import Invalid
from smspipe.model.ids import MessageSid
from smspipe.model.outcome import Reason
from smspipe.receipts.callbacks import MessageStatus, Receipt

ORDER: Final = (
    MessageStatus.SCHEDULED,
    MessageStatus.ACCEPTED,
    MessageStatus.QUEUED,
    MessageStatus.SENDING,
    MessageStatus.SENT,
    MessageStatus.CANCELED,
    MessageStatus.FAILED,
    MessageStatus.UNDELIVERED,
    MessageStatus.PARTIALLY_DELIVERED,
    MessageStatus.DELIVERED,
    MessageStatus.READ,
)
"""From the least to the furthest. The statuses of incoming texts are not in it."""

_RANKS: Final = {status: rank for rank, status in enumerate(ORDER)}
_FIRST_END: Final = _RANKS[MessageStatus.CANCELED]
_MOST_WORDS: Final = 8
_VAGUE: Final = 30008
"""The carrier gave no reason: any other code says more."""
_MAY_HAVE_ARRIVED: Final = frozenset({30410})
"""Codes of `failed` that do not mean that nothing left Twilio: its partner did not answer in time."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a text from what Twilio said of it so far."""

    sid: MessageSid
    status: MessageStatus | None = None
    """The furthest one heard of, None as long as none was understood."""
    error_code: int | None = None
    """The one that came with `status`."""
    segments: int | None = None
    """The most that Twilio counted."""
    price: Decimal | None = None
    """The most that Twilio named, without sign."""
    price_unit: str | None = None
    words: tuple[str, ...] = ()
    """Statuses that were not understood, sorted; the first eight of them."""

    @property
    def final(self) -> bool:
        """Say whether the text has come to an end. A contradicting end may still come, though hardly ever does."""
        return self.status is not None and _RANKS[self.status] >= _FIRST_END


class Effect(StrEnum):
    """What a standing does to the delivery. Each of them proves as well that Twilio took the text."""

    ACCEPT = "accept"
    """Twilio has it; how it ends is not known yet."""
    CONFIRM = "confirm"
    """It arrived, or part of it."""
    UNDELIVER = "undeliver"
    """It left Twilio, or may have, and did not arrive as far as anybody knows."""
    REJECT = "reject"
    """Twilio gave it up before it left: certainly not sent."""


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger is to do, and why."""

    effect: Effect
    saw: str
    """A sentence for a person. What a code means is told by `sending.explain_delivery_error`."""
    reason: Reason | None = None
    """Why there was no text; None when it arrived or may yet. An opt-out is told by the code, not here."""
    error_code: int | None = None


def standing_of(receipt: Receipt) -> Standing:
    """Say how far a text has come if this is all that is known of it."""
    if receipt.status not in _RANKS:
        return _with_money(Standing(sid=receipt.sid, words=(receipt.word,)), receipt)
    # A code of a text that arrives, or is on its way, would be a slip of Twilio's: it explains nothing.
    code = receipt.error_code if _FIRST_END <= _RANKS[receipt.status] < _RANKS[MessageStatus.DELIVERED] else None
    return _with_money(Standing(sid=receipt.sid, status=receipt.status, error_code=code), receipt)


def progress(known: Standing | None, receipt: Receipt) -> Standing:
    """
    Add one more thing that Twilio said to what is known.

    Raises:
        Invalid: the receipt is of another message. Two messages of one delivery must be noticed, never merged.
    """
    return standing_of(receipt) if known is None else join(known, standing_of(receipt))


def join(one: Standing, other: Standing) -> Standing:
    """
    Bring together what is known from two sides; commutative, associative and idempotent.

    Raises:
        Invalid: they are of different messages.
    """
    if one.sid != other.sid:
        raise Invalid("These are statuses of two different messages.", field="sid")
    furthest = max(one, other, key=_furthest)
    dearest = max(one, other, key=_dearest)
    return Standing(
        sid=one.sid,
        status=furthest.status,
        error_code=furthest.error_code,
        segments=max((each.segments for each in (one, other) if each.segments is not None), default=None),
        price=dearest.price,
        price_unit=dearest.price_unit,
        words=tuple(sorted({*one.words, *other.words})[:_MOST_WORDS]),
    )


def conclude(standing: Standing) -> Conclusion:
    """Say what a standing means for the delivery: the same standing always means the same."""
    code = standing.error_code
    match standing.status:
        case MessageStatus.DELIVERED:
            return Conclusion(effect=Effect.CONFIRM, saw="The carrier says that it arrived.")
        case MessageStatus.READ:
            return Conclusion(effect=Effect.CONFIRM, saw="It arrived and was read.")
        case MessageStatus.PARTIALLY_DELIVERED:
            return Conclusion(effect=Effect.CONFIRM, saw="The carrier says that a part of it arrived.", error_code=code)
        case MessageStatus.UNDELIVERED:
            return _end(Effect.UNDELIVER, "The carrier says that it did not arrive", code)
        case MessageStatus.FAILED if code in _MAY_HAVE_ARRIVED:
            return _end(Effect.UNDELIVER, "Twilio heard nothing from the carrier: it may have arrived", code)
        case MessageStatus.FAILED:
            return _end(Effect.REJECT, "Twilio gave it up before it left", code)
        case MessageStatus.CANCELED:
            return _end(Effect.REJECT, "It was scheduled at Twilio, and taken back before its time", code)
        case MessageStatus.SENT:
            return Conclusion(effect=Effect.ACCEPT, saw="The carrier has it, and has not said whether it arrived.")
        case MessageStatus.SCHEDULED:
            return Conclusion(effect=Effect.ACCEPT, saw="It waits at Twilio for its time.")
        case None:
            return Conclusion(effect=Effect.ACCEPT, saw="Twilio has it, with a status that is not known here.")
        case _:
            return Conclusion(effect=Effect.ACCEPT, saw="Twilio has it and is sending it.")


def _end(effect: Effect, saw: str, code: int | None) -> Conclusion:
    reason = Reason.UNDELIVERED if effect is Effect.UNDELIVER else Reason.TWILIO_REJECTED
    told = f"{saw} (error {code})." if code is not None else f"{saw}."
    return Conclusion(effect=effect, saw=told, reason=reason, error_code=code)


def _furthest(standing: Standing) -> tuple[int, bool, bool, int]:
    """Order standings by status, then by how much the code says, then by the code: any order will do, if it is one."""
    code = standing.error_code
    rank = -1 if standing.status is None else _RANKS[standing.status]
    return rank, code is not None, code != _VAGUE, code or 0


def _dearest(standing: Standing) -> tuple[bool, Decimal, str]:
    return standing.price is not None, standing.price or Decimal(), standing.price_unit or ""


def _with_money(standing: Standing, receipt: Receipt) -> Standing:
    # Twilio names the currency before there is a price: alone it says nothing.
    unit = receipt.price_unit if receipt.price is not None else None
    return msgspec.structs.replace(standing, segments=receipt.segments, price=receipt.price, price_unit=unit)

"""
Settle: what Twilio says of a text becomes what the ledger says of its delivery.

It comes by callback, or as the answer when we asked; here that makes no difference. Everything is kept first. What the
delivery becomes is concluded from all that was ever said of it, so no order, repetition or loss leads elsewhere.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection

from smspipe import destinations, optouts
from smspipe.deliveries import budget, evidence, ledger, queries
from smspipe.deliveries.evidence import Told
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.redrive import FORGONE, UNKNOWN_SID
from smspipe.deliveries.retry import next_look
from smspipe.deliveries.states import Move, sources, target
from smspipe.model.delivery import Delivery
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.model.outcome import Reason
from smspipe.model.phone import E164
from smspipe.pipeline.prepare import why_paused
from smspipe.receipts import Conclusion, Effect, Receipt, Standing, conclude, join, standing_of, status_of
from smspipe.sending import Kind, explain_delivery_error
from smspipe.telemetry import count

log = structlog.get_logger("smspipe.settle")

_MOVE_OF: Final = {
    Effect.ACCEPT: Move.ACCEPT,
    Effect.CONFIRM: Move.CONFIRM,
    Effect.UNDELIVER: Move.UNDELIVER,
    Effect.REJECT: Move.REJECT,
}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt led to."""

    delivery: Delivery
    """As it was before."""
    settlement: Settlement | None = None
    """The move that was made, None when nothing moved."""
    repeated: bool = False
    """The same was said before."""
    paused: DestinationId | None = None
    """The destination that was paused, since nothing sent for it arrives."""


def hear(
    connection: Connection,
    receipt: Receipt,
    *,
    of: DeliveryId,
    attempt: int,
    source: str,
    now: datetime,
    told: bool,
    hasher: optouts.Hasher,
) -> Heard | None:
    """
    Keep what Twilio said of a delivery's text, and make the move that all that it said leads to.

    Args:
        connection: in a transaction that writes.
        receipt: what was said; certain to be Twilio's.
        of: the delivery.
        attempt: which of its attempts.
        source: `callback`, `fetch` or `list`.
        now: the time.
        told: status callbacks are asked for, so that there is less to ask about.
        hasher: of the register of opt-outs.

    Returns:
        None when there is no such delivery (any more).
    """
    delivery = queries.get(connection, of)
    if delivery is None:
        return None
    said = evidence.receipts_of(connection, of)
    new = evidence.add_receipt(
        connection,
        of,
        sid=receipt.sid,
        status=receipt.word,
        error_code=receipt.error_code,
        at=now,
        source=source,
        attempt=attempt,
    )
    if _is_forgone(said, receipt, attempt):
        return Heard(delivery=delivery, repeated=not new)
    if delivery.sid is not None and delivery.sid != receipt.sid:
        if new and not any(each.sid == receipt.sid for each in said):
            count("smspipe_second_texts_total")
            log.error("second_text", delivery=of, sid=receipt.sid, attempt=attempt,
                      why="Twilio took another text for a delivery that has one.")  # fmt: skip
        return Heard(delivery=delivery, repeated=not new)
    standing = _standing(said, receipt)
    conclusion = conclude(standing)
    settlement = _settlement(delivery, receipt, standing, conclusion, now, told=told)
    moved = False
    if delivery.status in sources(settlement.move):
        moved = ledger.settle(connection, [settlement]) == 1
    elif delivery.status is target(settlement.move):
        _learn(connection, delivery, settlement)
    elif new and delivery.sid is None:
        count("smspipe_faults_total")
        log.error("receipt_contradicts", delivery=of, status=delivery.status.value, twilio_status=receipt.word)
    paused = _act_on_code(connection, delivery, receipt, conclusion.error_code, now, hasher) if new else None
    return Heard(delivery=delivery, settlement=settlement if moved else None, repeated=not new, paused=paused)


def _is_forgone(said: list[Told], receipt: Receipt, attempt: int) -> bool:
    """Is it about a message that a person gave up for another? One in doubt then is known by its attempt alone."""
    return any(
        each.sid == receipt.sid or (each.sid == UNKNOWN_SID and attempt <= each.attempt)
        for each in said
        if each.status == FORGONE
    )


def _standing(said: list[Told], receipt: Receipt) -> Standing:
    """Join all that was said of a message."""
    standing = standing_of(receipt)
    for each in said:
        if each.sid == receipt.sid:
            standing = join(standing, standing_of(_to_receipt(each, receipt)))
    return standing


def _to_receipt(told: Told, like: Receipt) -> Receipt:
    return Receipt(
        sid=like.sid,
        account_sid=like.account_sid,
        status=status_of(told.status),
        word=told.status,
        error_code=told.error_code,
    )


def _settlement(
    delivery: Delivery, receipt: Receipt, standing: Standing, conclusion: Conclusion, now: datetime, *, told: bool
) -> Settlement:
    move = _MOVE_OF[conclusion.effect]
    code, reason, why = conclusion.error_code, conclusion.reason, None
    if reason is not None:
        meant = explain_delivery_error(code, receipt.sender or delivery.sender)
        why = f"{conclusion.saw} {meant.meaning} {meant.advice}"
        if meant.kind is Kind.OPT_OUT:
            reason = Reason.OPTED_OUT
    moves = delivery.status is not target(move)
    ask_at = next_look(target(move), 0, now, told=told) if moves else delivery.ask_at
    price = _dearer(standing.price, delivery.price)
    if standing.final and price is not None:
        ask_at = None
    return Settlement(
        delivery=delivery,
        move=move,
        at=now,
        sid=receipt.sid,
        reason=reason,
        error_code=code,
        error_message=why,
        ask_at=ask_at,
        looks=0 if moves else None,
        twilio_status=None if standing.status is None else standing.status.value,
        billed_segments=standing.segments,
        price=price,
        price_unit=standing.price_unit,
    )


def _dearer(told: Decimal | None, known: str | None) -> str | None:
    """Give the higher price: Twilio corrects it upwards, and an answer may be older than what is known."""
    if told is None or (known is not None and Decimal(known) >= told):
        return known
    return f"{told:f}"


def _learn(connection: Connection, delivery: Delivery, new: Settlement) -> None:
    """Write down what is new of a delivery that stays where it is."""
    names = ("twilio_status", "billed_segments", "price", "price_unit")
    learnt = {
        name: value for name in names if (value := getattr(new, name)) is not None and value != getattr(delivery, name)
    }
    # Why it ended is concluded from all that was said, so a code that says more comes to stand here in any order.
    for name in ("reason", "error_code", "error_message"):
        if getattr(new, name) != getattr(delivery, name):
            learnt[name] = getattr(new, name)
    if delivery.sid is None:
        learnt["sid"] = new.sid
    if new.ask_at != delivery.ask_at:
        learnt["ask_at"] = new.ask_at
    if learnt:
        evidence.learn(connection, delivery.id, **learnt)
        budget.follow(connection, [delivery.id], new.at)


def _act_on_code(
    connection: Connection,
    delivery: Delivery,
    receipt: Receipt,
    code: int | None,
    now: datetime,
    hasher: optouts.Hasher,
) -> DestinationId | None:
    """Do what a delivery error asks for beyond its own text; give the destination that was paused for it."""
    if code is None or delivery.to is None:
        return None
    sender = receipt.sender or delivery.sender or ""
    meant = explain_delivery_error(code, sender)
    if meant.kind is Kind.OPT_OUT:
        optouts.learn(
            connection,
            hasher,
            number=E164(delivery.to),
            sender=sender,
            code=code,
            now=now,
            service=receipt.service_sid,
        )
    elif meant.kind in (Kind.ACCOUNT, Kind.SENDER):
        why = why_paused(f"{meant.meaning} {meant.advice}", sender_alone=meant.kind is Kind.SENDER)
        if destinations.pause(connection, delivery.destination_id, why, now):
            return delivery.destination_id
    return None

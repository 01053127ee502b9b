"""
Another try for what a person wants sent again: what it would mean, and doing it.

Without force only what was certainly not sent gets one: what failed (Twilio never took it, or gave it up before it
left) and what is held, but for what is held because nobody knows. With force, and a person's word for why, also what
may have been sent. Then the old message is forgone: what is still said of it moves the delivery no more, and its SID
stays known as one of ours.

Both look at the same rows by the same conditions, so that the count shown before is the count that is done. Nothing
that changed after the instant `as_of` is among them: a text that gets its try, and fails again while others wait for
theirs, does not get a second one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from smspipe.deliveries.cooldowns import take_back
from smspipe.deliveries.queries import Query, conditions
from smspipe.deliveries.states import Move, sources, target
from smspipe.deliveries.tables import deliveries, receipts
from smspipe.model.clock import to_iso
from smspipe.model.delivery import Status
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.model.outcome import Reason

FORGONE: Final = "forgone"
"""Kept like a status when a person has a text sent again: what is said of this message moves nothing more."""
UNKNOWN_SID: Final = ""
"""Stands for the message of a text in doubt: whatever was said of its attempts up to the one that is kept with it."""
STEP: Final = "redrive"
"""The name of the step by which a delivery's history tells of it."""
_AT_ONCE: Final = 500
"""Rows that are looked at, or moved, with one statement."""
_json = msgspec.json.Encoder().encode


class LeftAlone(StrEnum):
    """Why a delivery that was meant gets no other try."""

    DELIVERED = "delivered"
    MAY_HAVE_BEEN_SENT = "may_have_been_sent"
    """It is being sent, Twilio has it, or nobody knows: another try could be a second text."""
    WAITING = "waiting"
    """It waits for its try already."""
    SUPPRESSED = "suppressed"
    """It was decided against."""
    NO_TEXT = "no_text"
    """The decision came to no text that could be sent."""
    CHANGED = "changed"
    """It failed, or was held, after the count."""
    OPTED_OUT = "opted_out"
    """The recipient wants no texts from this sender."""
    DESTINATION_OFF = "destination_off"
    """Its destination is switched off, deleted or stopped, or has no account: it would be held at once."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries a person wants sent again."""

    query: Query = Query()
    ids: tuple[DeliveryId, ...] | None = None
    """Only these; None for all that `query` means."""
    as_of: datetime | None = None
    """What changed after this instant is left alone; None leaves nothing alone for that."""
    force: bool = False
    """Also those that may have been sent."""


class Candidate(msgspec.Struct, frozen=True):
    """A delivery whose state allows another try."""

    id: DeliveryId
    destination_id: DestinationId
    status: Status
    reason: Reason | None
    to: str | None
    sender: str | None
    segments: int | None
    cooldown_key: str | None


Judge = Callable[[Connection, Sequence[Candidate]], Mapping[DeliveryId, LeftAlone]]
"""Says which of some candidates get no other try for a reason that the ledger does not know."""


class Outlook(msgspec.Struct, kw_only=True):
    """What a redrive would do."""

    texts: int = 0
    segments: int = 0
    recipients: int = 0
    counts: Counter[tuple[Status, Reason | None]] = msgspec.field(default_factory=Counter)
    """The texts by where they stand now."""
    left_alone: Counter[LeftAlone] = msgspec.field(default_factory=Counter)


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of a redrive did."""

    redriven: int
    last: DeliveryId | None
    """The place to go on from, None when the end is reached."""


def look_ahead(connection: Connection, wish: Wish, judge: Judge) -> Outlook:
    """
    Count what would be sent, and what would be left alone and why.

    It reads in pieces, so that a large ledger takes time but no memory: what is kept is one number for each recipient.
    """
    found = Outlook(left_alone=_count_others(connection, wish))
    recipients: set[str | None] = set()
    last: DeliveryId | None = None
    while piece := _candidates(connection, wish, last):
        last = piece[-1].id
        against = judge(connection, piece)
        found.left_alone.update(against.values())
        for each in piece:
            if each.id not in against:
                found.texts += 1
                found.segments += each.segments or 0
                found.counts[each.status, each.reason] += 1
                recipients.add(each.to)
    found.recipients = len(recipients)
    return found


def redrive(
    connection: Connection,
    wish: Wish,
    judge: Judge,
    *,
    now: datetime,
    expires_at: datetime,
    after: DeliveryId | None = None,
    most: int = _AT_ONCE,
    why: str | None = None,
) -> Done:
    """
    Give the next deliveries another try, the oldest first: one step, short enough for one transaction.

    Args:
        connection: in a transaction that writes.
        wish: which.
        judge: says which of them shall not be, by what other rooms know.
        now: they are due from now on.
        expires_at: until when they may still be sent; one that had more time keeps it.
        after: the place that the step before came to.
        most: how many at most.
        why: a person's reason, for the history; not None where it is forced.
    """
    piece = _candidates(connection, wish, after, limit=min(most, _AT_ONCE))
    against = judge(connection, piece) if piece else {}
    chosen = [each for each in piece if each.id not in against]
    if chosen:
        _forgo(connection, wish, chosen, now)
        _give_another_try(connection, wish, chosen, now, expires_at, why)
        take_back(connection, _places(chosen))
    return Done(redriven=len(chosen), last=piece[-1].id if len(piece) == min(most, _AT_ONCE) else None)


def redrive_all(
    connection: Connection, wish: Wish, judge: Judge, *, now: datetime, expires_at: datetime, why: str | None = None
) -> int:
    """Give all of them another try in this one transaction, for when they are few; give how many."""
    made, last, more = 0, None, True
    while more:
        done = redrive(connection, wish, judge, now=now, expires_at=expires_at, after=last, why=why)
        made, last, more = made + done.redriven, done.last, done.last is not None
    return made


# ---- which -------------------------------------------------------------------------------------------


def _meant(wish: Wish) -> list[ColumnElement[bool]]:
    meant = conditions(wish.query)
    if wish.ids is not None:
        listed = func.json_each(_json(wish.ids).decode()).table_valued("value").c.value
        meant.append(deliveries.c.id.in_(select(listed)))
    return meant


def _may_by_state(wish: Wish) -> ColumnElement[bool]:
    """Say which states allow another try."""
    certain = and_(
        deliveries.c.status.in_((*sources(Move.REDRIVE), *sources(Move.RELEASE))),
        # what is held since it may have been sent is not among what was certainly not
        func.coalesce(deliveries.c.reason, "") != Reason.UNCONFIRMED,
    )
    return or_(certain, deliveries.c.status.in_(sources(Move.FORCE))) if wish.force else certain


def _unchanged(wish: Wish) -> ColumnElement[bool]:
    return true() if wish.as_of is None else func.coalesce(deliveries.c.settled_at <= wish.as_of, true())


def _candidates(connection: Connection, wish: Wish, after: DeliveryId | None, limit: int = _AT_ONCE) -> list[Candidate]:
    columns = [deliveries.c[name] for name in Candidate.__struct_fields__]
    chosen = select(*columns).where(
        *_meant(wish), _may_by_state(wish), _unchanged(wish), deliveries.c.body.is_not(None)
    )
    if after is not None:
        chosen = chosen.where(deliveries.c.id > after)
    rows = connection.execute(chosen.order_by(deliveries.c.id).limit(limit))
    return [
        Candidate(
            DeliveryId(row.id),
            DestinationId(row.destination_id),
            Status(row.status),
            None if row.reason is None else Reason(row.reason),
            row.to,
            row.sender,
            row.segments,
            row.cooldown_key,
        )
        for row in rows
    ]


def _count_others(connection: Connection, wish: Wish) -> Counter[LeftAlone]:
    """Count those that are meant and whose state allows no other try, by why."""
    in_state = _may_by_state(wish)
    why = case(
        (and_(in_state, deliveries.c.body.is_(None)), LeftAlone.NO_TEXT),
        (and_(in_state, ~_unchanged(wish)), LeftAlone.CHANGED),
        (in_state, None),
        *((deliveries.c.status == status, word) for status, word in _WHY_NOT.items()),
    ).label("why")
    rows = connection.execute(select(why, func.count().label("n")).where(*_meant(wish)).group_by(why))
    return Counter({LeftAlone(row.why): row.n for row in rows if row.why is not None})


_WHY_NOT: Final[Mapping[Status, LeftAlone]] = {
    Status.PENDING: LeftAlone.WAITING,
    Status.SENDING: LeftAlone.MAY_HAVE_BEEN_SENT,
    Status.UNCONFIRMED: LeftAlone.MAY_HAVE_BEEN_SENT,
    Status.ACCEPTED: LeftAlone.MAY_HAVE_BEEN_SENT,
    Status.UNDELIVERED: LeftAlone.MAY_HAVE_BEEN_SENT,
    Status.HELD: LeftAlone.MAY_HAVE_BEEN_SENT,  # which is held since nobody knows
    Status.DELIVERED: LeftAlone.DELIVERED,
    Status.SUPPRESSED: LeftAlone.SUPPRESSED,
}


# ---- doing it ----------------------------------------------------------------------------------------


def _of(wish: Wish, chosen: Sequence[Candidate]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    listed = func.json_each(_json([each.id for each in chosen]).decode()).table_valued("value").c.value
    return deliveries.c.id.in_(select(listed)), _may_by_state(wish)


def _forgo(connection: Connection, wish: Wish, chosen: Sequence[Candidate], now: datetime) -> None:
    """
    Note of the messages that these had, or may have had, that what is said of them moves nothing more.

    What was certainly never taken has none: should Twilio speak of one after all, that must stop the second try.
    """
    had = select(
        deliveries.c.id,
        func.coalesce(deliveries.c.sid, UNKNOWN_SID),
        literal(FORGONE),
        literal(0),
        literal(now, receipts.c.at.type),
        literal("person"),
        deliveries.c.attempts,
    ).where(
        *_of(wish, chosen),
        or_(
            deliveries.c.sid.is_not(None),
            deliveries.c.status == Status.UNCONFIRMED,
            deliveries.c.reason == Reason.UNCONFIRMED,
        ),
    )
    names = ["delivery_id", "sid", "status", "error_code", "at", "source", "attempt"]
    noted = insert(receipts).from_select(names, had)
    connection.execute(
        # the second time that one in doubt is forced
        noted.on_conflict_do_update(
            index_elements=names[:4], set_={"attempt": noted.excluded.attempt, "at": noted.excluded.at}
        )
    )


def _give_another_try(
    connection: Connection,
    wish: Wish,
    chosen: Sequence[Candidate],
    now: datetime,
    expires_at: datetime,
    why: str | None,
) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("reason", "error_code", "error_message", "sid", "twilio_status", "billed_segments", "price", "price_unit",
         "ask_at", "settled_at")
    )  # fmt: skip
    connection.execute(
        update(deliveries)
        .where(*_of(wish, chosen))
        .values(
            **nothing,
            status=target(Move.REDRIVE),
            looks=0,
            not_before=now,
            expires_at=case(
                (deliveries.c.expires_at > expires_at, deliveries.c.expires_at),
                else_=literal(expires_at, deliveries.c.expires_at.type),
            ),
            steps=func.json_insert(
                func.coalesce(type_coerce(deliveries.c.steps, Text), "[]"), "$[#]", _step(wish, now, why)
            ),
        )
    )


def _step(wish: Wish, now: datetime, why: str | None) -> ColumnElement[Any]:
    """Write the step that tells of it, with what the row forgets of the try before."""
    word = "A person had it sent again" + (", though it may have been sent" if wish.force else "")
    saw = f"{word}: {why}" if why else f"{word}."
    return func.json_object(
        "name",
        STEP,
        "ok",
        func.json("true"),
        "saw",
        bindparam("saw", saw),
        "data",
        func.json_object(
            "at",
            bindparam("told_at", to_iso(now)),
            "was",
            deliveries.c.status,
            "reason",
            deliveries.c.reason,
            "attempts",
            deliveries.c.attempts,
            "sent_at",
            func.strftime("%Y-%m-%dT%H:%M:%fZ", type_coerce(deliveries.c.sent_at, BigInteger) / 1e6, "unixepoch"),
            "error_code",
            deliveries.c.error_code,
            "sid",
            deliveries.c.sid,
            "price",
            deliveries.c.price,
            "price_unit",
            deliveries.c.price_unit,
        ),
    )


def _places(chosen: Sequence[Candidate]) -> Iterator[tuple[DestinationId, str, DeliveryId]]:
    for each in chosen:
        if each.cooldown_key is not None:
            yield each.destination_id, each.cooldown_key, each.id

"""
The ledger: one row for each (event, destination, route) that matched, and every move that it makes.

Every change of a status is an update on the condition that the row is still in a state that the move may start from
(`states.MOVES`). What is not there any more was moved by someone else first, and nothing is done twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Update,
    bindparam,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from smspipe.db import Hot
from smspipe.deliveries import budget
from smspipe.deliveries.cooldowns import give_back
from smspipe.deliveries.queries import to_delivery
from smspipe.deliveries.states import Move, sources, target
from smspipe.deliveries.steps import pack
from smspipe.deliveries.tables import deliveries, stopped_texts
from smspipe.model.clock import from_micros, to_micros
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, MessageSid
from smspipe.model.outcome import Reason

_json = msgspec.json.Encoder().encode
_LEARNT = ("ask_at", "looks", "twilio_status", "billed_segments", "price", "price_unit")
"""What no delivery is born with."""
_FIELDS = tuple(field.name for field in msgspec.structs.fields(Delivery) if field.name not in _LEARNT)

NONE_REMEMBERED: Final[Mapping[DeliveryId, Delivery]] = MappingProxyType({})

_OPEN = Hot(insert(deliveries), _FIELDS, insert=True)
_KNOWN = Hot(
    select(deliveries.c.event_uuid, deliveries.c.destination_id, deliveries.c.route).where(
        # one list as one value, so that the statement's text does not change with its length
        deliveries.c.event_uuid.in_(select(func.json_each(bindparam("uuids")).table_valued("value").c.value))
    ),
    ("uuids",),
)
_IS_PENDING = deliveries.c.status == literal_column(repr(Status.PENDING.value))
"""Written out as in the index, or SQLite would not see that it may use that."""


def _next_head(after: ColumnElement[str] | None) -> Select[Any]:
    chosen = select(func.min(deliveries.c.destination_id)).where(_IS_PENDING)
    return chosen if after is None else chosen.where(deliveries.c.destination_id > after)


def _heads() -> Select[Any]:
    """Jump through the index from destination to destination: its length does not matter, however much waits."""
    first = _next_head(None).cte("heads", recursive=True)
    name = first.c[0]
    heads = first.union_all(select(_next_head(name).scalar_subquery()).where(name.is_not(None)))
    oldest = select(func.min(deliveries.c.not_before, type_=BigInteger)).where(
        _IS_PENDING, deliveries.c.destination_id == heads.c[0]
    )
    return select(heads.c[0], oldest.scalar_subquery()).where(heads.c[0].is_not(None))


_HEADS = Hot(_heads(), ())
_DUE = Hot(
    select(deliveries.c.id)
    .where(
        _IS_PENDING,
        deliveries.c.destination_id == bindparam("of"),
        deliveries.c.not_before <= bindparam("due", type_=BigInteger),
    )
    .order_by(deliveries.c.not_before, deliveries.c.id)
    .limit(bindparam("most"))
    .offset(bindparam("past"))
    .with_for_update(skip_locked=True),
    ("of", "due", "most", "past"),
)
_CLAIM = Hot(
    update(deliveries)
    .where(_IS_PENDING, deliveries.c.id.in_(select(func.json_each(bindparam("ids")).table_valued("value").c.value)))
    .values(
        status=literal_column(repr(target(Move.CLAIM).value)),
        attempts=deliveries.c.attempts + literal_column("1"),
        sent_at=bindparam("now", type_=BigInteger),
    )
    .returning(deliveries.c.id, deliveries.c.attempts),
    ("ids", "now"),
)
_ACCEPT = Hot(
    update(deliveries)
    .where(
        deliveries.c.id == bindparam("of"),
        deliveries.c.attempts == bindparam("attempt"),
        or_(*(deliveries.c.status == literal_column(repr(source.value)) for source in sources(Move.ACCEPT))),
    )
    .values(
        status=literal_column(repr(target(Move.ACCEPT).value)),
        reason=null(),
        error_code=null(),
        error_message=null(),
        not_before=null(),
        sid=bindparam("new_sid"),
        settled_at=bindparam("at", type_=BigInteger),
        ask_at=bindparam("ask", type_=BigInteger),
        twilio_status=bindparam("word"),
        billed_segments=bindparam("billed"),
    ),
    ("of", "attempt", "new_sid", "at", "ask", "word", "billed"),
)
"""The move that nearly all deliveries make; `_moving` builds the others."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt about one delivery, and the move that it asks for."""

    delivery: Delivery
    move: Move
    at: datetime
    sid: MessageSid | None = None
    """None leaves the one that is there, as with every field of `_LEARNT` but `ask_at`."""
    reason: Reason | None = None
    error_code: int | None = None
    error_message: str | None = None
    not_before: datetime | None = None
    pause: str | None = None
    """Why the whole destination must stop sending, where the answer says so."""
    ask_at: datetime | None = None
    """When to ask Twilio about it next, None not to."""
    looks: int | None = None
    twilio_status: str | None = None
    billed_segments: int | None = None
    price: str | None = None
    price_unit: str | None = None


def known(connection: Connection, uuids: Sequence[EventUuid]) -> set[tuple[EventUuid, DestinationId, int]]:
    """Tell which (event, destination, route) of these events already stand in the ledger."""
    return set(_KNOWN.read(connection, (_json(uuids).decode(),)))


def open_deliveries(connection: Connection, opened: Iterable[Delivery]) -> None:
    """Write new rows; none of them may be `known`."""
    rows = [
        (
            d.id, d.destination_id, d.version, d.event_uuid, d.route, d.event, d.distinct_id, d.status.value,
            to_micros(d.created_at), None if d.reason is None else d.reason.value, d.to, d.sender, d.body, d.segments,
            d.encoding, d.sid, d.attempts, d.error_code, d.error_message, _micros(d.not_before), _micros(d.expires_at),
            _micros(d.sent_at), _micros(d.settled_at), pack(d.steps), d.cooldown_key,
            None if d.extras is None else _json(d.extras).decode(),
        )
        for d in opened
    ]  # fmt: skip
    if rows:
        _OPEN.run(connection, rows)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def heads(connection: Connection) -> list[tuple[DestinationId, datetime]]:
    """Name the destinations that something waits for, each with the time of its oldest; the oldest first."""
    found = [(DestinationId(of), from_micros(oldest)) for of, oldest in _HEADS.read(connection) if oldest is not None]
    return sorted(found, key=lambda head: head[1])


def due(
    connection: Connection,
    destination: DestinationId,
    now: datetime,
    most: int,
    past: int,
    remembered: Mapping[DeliveryId, Delivery] = NONE_REMEMBERED,
) -> list[Delivery]:
    """
    Give what waits for a destination and is due, the oldest first.

    On PostgreSQL workers look side by side, each skipping what another holds;
    SQLite has one writer at a time and leaves the lock out.

    Args:
        connection: in the transaction that claims.
        destination: whose.
        now: what is due by then.
        most: how many at most.
        past: how many of them to pass by.
        remembered: rows as they were written, by id; those are not read again.
    """
    ids = [DeliveryId(row[0]) for row in _DUE.read(connection, (destination, to_micros(now), most, past))]
    found = {id_: remembered[id_] for id_ in ids if id_ in remembered}
    if len(found) < len(ids):
        rows = connection.execute(select(deliveries).where(deliveries.c.id.in_([i for i in ids if i not in found])))
        found |= {row["id"]: to_delivery(row) for row in rows.mappings()}
    return [found[id_] for id_ in ids]


def claim(connection: Connection, chosen: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Take waiting deliveries: they are SENDING, with one more attempt, once this is committed."""
    if not chosen:
        return []
    ids = _json([each.id for each in chosen]).decode()
    claimed = dict(_CLAIM.read(connection, (ids, to_micros(now))))
    return [
        msgspec.structs.replace(each, status=target(Move.CLAIM), attempts=claimed[each.id], sent_at=now)
        for each in chosen
        if each.id in claimed
    ]


def put_off(connection: Connection, waiting: Iterable[tuple[Delivery, datetime]]) -> None:
    """Let waiting deliveries wait until an instant."""
    rows = [{"of": delivery.id, "until": until} for delivery, until in waiting]
    if rows:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("of"), deliveries.c.status == Status.PENDING)
            .values(not_before=bindparam("until", type_=deliveries.c.not_before.type)),
            rows,
        )


@cache
def _moving(move: Move) -> Update:
    """Build the one statement for `move`; what is learnt but once stays as it is where there is nothing new."""
    return (
        update(deliveries)
        .where(
            deliveries.c.id == bindparam("of"),
            # an answer to an earlier attempt says nothing of the one that is under way
            deliveries.c.attempts == bindparam("attempt"),
            or_(*(deliveries.c.status == source for source in sources(move))),
        )
        .values(
            status=target(move),
            sid=func.coalesce(bindparam("new_sid"), deliveries.c.sid),
            reason=bindparam("new_reason"),
            error_code=bindparam("new_code"),
            error_message=bindparam("new_message"),
            not_before=bindparam("new_time", type_=deliveries.c.not_before.type),
            settled_at=bindparam("at", type_=deliveries.c.settled_at.type),
            ask_at=bindparam("ask", type_=deliveries.c.ask_at.type),
            looks=func.coalesce(bindparam("so_far"), deliveries.c.looks),
            twilio_status=func.coalesce(bindparam("word"), deliveries.c.twilio_status),
            billed_segments=func.coalesce(bindparam("billed"), deliveries.c.billed_segments),
            price=func.coalesce(bindparam("new_price"), deliveries.c.price),
            price_unit=func.coalesce(bindparam("unit"), deliveries.c.price_unit),
        )
    )


def settle(connection: Connection, settlements: Sequence[Settlement]) -> int:
    """
    Make the moves that answers ask for, and give cooldown places back where it is certain that nothing was sent.

    Returns:
        How many moves were made; fewer than asked for means that someone else moved a delivery first.
    """
    by_move: dict[Move, list[dict[str, Any]]] = {}
    accepted = [
        (
            each.delivery.id, each.delivery.attempts, each.sid, to_micros(each.at), _micros(each.ask_at),
            each.twilio_status, each.billed_segments,
        )
        for each in settlements
        if each.move is Move.ACCEPT
    ]  # fmt: skip
    made = _ACCEPT.run(connection, accepted) if accepted else 0
    for each in settlements:
        if each.move is Move.ACCEPT:
            continue
        by_move.setdefault(each.move, []).append(
            {
                "of": each.delivery.id,
                "attempt": each.delivery.attempts,
                "new_sid": each.sid,
                "new_reason": each.reason,
                "new_code": each.error_code,
                "new_message": each.error_message,
                "new_time": each.not_before,
                "at": each.at,
                "ask": each.ask_at,
                "so_far": each.looks,
                "word": each.twilio_status,
                "billed": each.billed_segments,
                "new_price": each.price,
                "unit": each.price_unit,
            }
        )
    for move, rows in by_move.items():
        made += connection.execute(_moving(move), rows).rowcount
    _give_back(connection, [each.delivery for each in settlements if each.move in _NOTHING_SENT])
    if settlements:
        budget.follow(connection, [each.delivery.id for each in settlements], settlements[0].at)
    return made


_NOTHING_SENT: Final = frozenset({Move.FAIL, Move.SUPPRESS, Move.EXPIRE})


def _give_back(connection: Connection, failed: Iterable[Delivery]) -> None:
    """Give the cooldown places of these back, but for those that someone else has moved elsewhere first."""
    holders = {each.id: each for each in failed if each.cooldown_key is not None}
    if not holders:
        return
    gone = select(deliveries.c.id).where(
        deliveries.c.id.in_(list(holders)),
        deliveries.c.status.in_((Status.FAILED, Status.SUPPRESSED)),
        deliveries.c.sid.is_(None),
    )
    give_back(
        connection,
        [
            (each.destination_id, each.cooldown_key, each.id)
            for id_ in connection.scalars(gone)
            if (each := holders[id_]).cooldown_key is not None
        ],
    )


def lose_sending(connection: Connection, now: datetime, ask_at: datetime) -> int:
    """
    Mark every delivery that a dead process left SENDING as unconfirmed: its request may have left.

    For the start of the only process that sends, before it sends anything; `ask_at` is when Twilio is asked about them.
    """
    lost = connection.execute(
        update(deliveries)
        .where(deliveries.c.status.in_((Status.SENDING,)))
        .values(
            status=target(Move.LOSE),
            reason=Reason.UNCONFIRMED,
            error_message="The service ended while the request was on its way.",
            settled_at=now,
            ask_at=ask_at,
            looks=0,
        )
    )
    return lost.rowcount


_MENDABLE: Final = (
    deliveries.c.status == Status.HELD,
    # what is held because it may have been sent waits for a person, not for a destination to be mended
    deliveries.c.reason.in_((Reason.CREDENTIALS, Reason.PAUSED)),
    # nor does what everything was stopped for
    deliveries.c.id.not_in(select(stopped_texts.c.delivery_id)),
)


def holding(connection: Connection) -> list[DestinationId]:
    """Name the destinations that deliveries are held for."""
    rows = connection.execute(select(deliveries.c.destination_id).where(*_MENDABLE).distinct())
    return [DestinationId(row.destination_id) for row in rows]


def release(connection: Connection, destination: DestinationId, now: datetime) -> int:
    """Let go what is held for a destination, after what held it was mended; give how many."""
    freed = connection.execute(
        update(deliveries)
        .where(deliveries.c.destination_id == destination, *_MENDABLE)
        .values(status=target(Move.RELEASE), reason=None, not_before=now, settled_at=None)
    )
    return freed.rowcount

"""
The last look before a text leaves, in the transaction that writes its attempt down.

Things can have changed since it was decided: its recipient said STOP, the same words are on their way to the same
number and nobody knows yet whether they arrived, night has fallen where it goes, the money that it gave back is spent,
or its sender's pace leaves no room. The first ends it, the others let it wait. What waits for one destination never
keeps another's waiting: they are served in turn, each its oldest first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from smspipe import optouts
from smspipe.deliveries import evidence, ledger, paces, stop
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.states import Move
from smspipe.guards.pace import take_turn
from smspipe.model.delivery import Delivery
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.model.outcome import Reason
from smspipe.pipeline.leaving import Gate
from smspipe.pipeline.prepare import Plan

PaceOf = Callable[[DestinationId, str], float | None]
"""The pace of a destination's sender in segments per second, None for none."""

_FOR_A_TWIN: Final = timedelta(seconds=2)
"""How long a text waits before it looks again whether the one with the same words is settled."""
_HELD_AT_ONCE: Final = 500
_NO_RULES: Final = Plan()
_OPTED_OUT: Final = "The recipient opted out of texts from this sender before it was sent."


class Claim(msgspec.Struct, kw_only=True):
    """What a claim led to."""

    sending: list[Delivery] = []
    stopped: list[Settlement] = []
    """Texts that there shall not be after all; these moves are made already."""
    blocked: dict[DestinationId, datetime] = {}
    """Destinations whose sender's pace leaves no room until an instant."""
    next_due: datetime | None = None
    """When the next text may be due, None when nothing waits; told only when fewer were claimed than asked for."""


class Turnstile:
    """Lets texts pass at their senders' pace, and only one of those that look alike; for one transaction."""

    def __init__(self, connection: Connection, pace_of: PaceOf, now: datetime) -> None:
        self._connection = connection
        self._pace_of = pace_of
        self._now = now
        self._ready: dict[str, datetime | None] = {}
        self._changed: set[str] = set()
        self._alike: set[tuple[str | None, str | None]] = set()

    def expect(self, coming: Sequence[Delivery]) -> None:
        """Read what is needed to judge these at once."""
        twins = evidence.in_doubt(self._connection, {each.to for each in coming if each.to is not None})
        self._alike.update((twin.to, twin.body) for twin in twins)
        senders = {
            each.sender
            for each in coming
            if each.sender is not None and self._pace_of(each.destination_id, each.sender) is not None
        } - self._ready.keys()
        if senders:
            found = paces.read(self._connection, senders)
            self._ready.update((sender, found.get(sender)) for sender in senders)

    def must_wait_for_twin(self, delivery: Delivery) -> datetime | None:
        """Say until when a text waits since its like is in doubt; None when there is no such text."""
        return self._now + _FOR_A_TWIN if (delivery.to, delivery.body) in self._alike else None

    def must_wait_for_pace(self, delivery: Delivery) -> datetime | None:
        """Say when the sender has room for this text; None when it has now, and then the room is taken."""
        sender = delivery.sender or ""
        pace = self._pace_of(delivery.destination_id, sender)
        if pace is None:
            return None
        known = self._ready.get(sender)
        ready_at, wait = take_turn(known, self._now, delivery.segments or 1, pace)
        # Where it must wait, too: what a clock that was set back has cut must stay cut, or the wait would never end.
        if ready_at != known and (wait is None or known is not None):
            self._ready[sender] = ready_at
            self._changed.add(sender)
        return wait

    def passed(self, delivery: Delivery) -> None:
        """Note that a text goes: its like must wait from now on."""
        self._alike.add((delivery.to, delivery.body))

    def write(self) -> None:
        """Write down when the senders are ready again."""
        if self._changed:
            paces.write(self._connection, [(each, at) for each in self._changed if (at := self._ready[each])])


def admit(
    connection: Connection, born: Sequence[Delivery], pace_of: PaceOf, now: datetime
) -> dict[DeliveryId, datetime]:
    """
    Look at deliveries about to be born SENDING; give those that must wait, each with the instant until which.

    Their recipients were looked up in the register of opt-outs when they were decided, in this same transaction.
    """
    turnstile = Turnstile(connection, pace_of, now)
    turnstile.expect(born)
    waiting: dict[DeliveryId, datetime] = {}
    for each in born:
        until = turnstile.must_wait_for_twin(each) or turnstile.must_wait_for_pace(each)
        if until is None:
            turnstile.passed(each)
        else:
            waiting[each.id] = until
    turnstile.write()
    return waiting


def claim(
    connection: Connection,
    now: datetime,
    limit: int,
    *,
    hasher: optouts.Hasher,
    pace_of: PaceOf,
    plan: Plan = _NO_RULES,
    blocked: Mapping[DestinationId, datetime],
    remembered: Mapping[DeliveryId, Delivery] = ledger.NONE_REMEMBERED,
) -> Claim:
    """
    Take up to `limit` of the deliveries that are due, from all destinations in turn.

    While everything is stopped none is taken, and what is due is held.

    Args:
        connection: in the transaction that makes the claim.
        now: what is due by then.
        limit: how many at most.
        hasher: of the register of opt-outs.
        pace_of: the senders' paces.
        plan: the destinations' own rules.
        blocked: destinations that need not be looked at before an instant.
        remembered: rows as they were written, by id.

    Raises:
        Fault: the register of opt-outs cannot be read; nothing is claimed then.
    """
    if stop.is_stopped(connection):
        return _hold(connection, now, limit)
    made = Claim()
    turnstile = Turnstile(connection, pace_of, now)
    gate = Gate(connection, plan, now)
    heads = ledger.heads(connection)
    waits = [max(oldest, blocked.get(of, oldest)) for of, oldest in heads]
    ready = [of for (of, _), at in zip(heads, waits, strict=True) if at <= now]
    later = [at for at in waits if at > now]
    chosen: list[Delivery] = []
    seen: dict[DestinationId, int] = dict.fromkeys(ready, 0)
    while ready and len(chosen) < limit:
        share = -(-(limit - len(chosen)) // len(ready))
        for of in list(ready):
            most = min(share, limit - len(chosen))
            found = ledger.due(connection, of, now, most, seen[of], remembered)
            goes, put_off, until = _choose(connection, found, made, turnstile, gate, hasher, now)
            chosen += goes
            seen[of] += len(found) - put_off  # which are due no more
            if until is not None:
                made.blocked[of] = until
                later.append(until)
            if until is not None or len(found) < most:
                ready.remove(of)
            if len(chosen) >= limit:
                break
    made.sending = ledger.claim(connection, chosen, now)
    gate.write()
    ledger.settle(connection, made.stopped)
    turnstile.write()
    if len(made.sending) < limit:
        # What came to wait while we looked, or waits behind what was chosen, is later than what the heads say.
        more = [at for _, at in ledger.heads(connection) if at > now]
        made.next_due = min([*later, *more], default=None)
    return made


def _hold(connection: Connection, now: datetime, limit: int) -> Claim:
    """Hold what is due during a stop. It holds no slot and sends nothing, so more is done at once than asked for."""
    made = Claim(stopped=stop.hold_due(connection, now, max(limit, _HELD_AT_ONCE)))
    made.next_due = min([at for _, at in ledger.heads(connection)], default=None)
    return made


def _choose(
    connection: Connection,
    found: Sequence[Delivery],
    made: Claim,
    turnstile: Turnstile,
    gate: Gate,
    hasher: optouts.Hasher,
    now: datetime,
) -> tuple[list[Delivery], int, datetime | None]:
    """Give those of a destination that may go, how many are put off, and until when a pace holds the rest back."""
    if not found:
        return [], 0, None
    turnstile.expect(found)
    gate.expect(found)
    out = optouts.opted_out(connection, hasher, _pairs(found))
    goes: list[Delivery] = []
    waiting: list[tuple[Delivery, datetime]] = []
    until = None
    for each in found:
        if (each.to, each.sender) in out:
            made.stopped.append(
                Settlement(delivery=each, move=Move.SUPPRESS, at=now, reason=Reason.OPTED_OUT, error_message=_OPTED_OUT)
            )
        elif (twin := turnstile.must_wait_for_twin(each)) is not None:
            waiting.append((each, twin))
        elif (stay := gate.stays(each)) is not None and stay.until is None:
            made.stopped.append(
                Settlement(delivery=each, move=Move.SUPPRESS, at=now, reason=stay.reason, error_message=stay.saw)
            )
        elif stay is not None and stay.until is not None:
            waiting.append((each, stay.until))
        elif (until := turnstile.must_wait_for_pace(each)) is not None:
            break
        else:
            turnstile.passed(each)
            goes.append(each)
    ledger.put_off(connection, waiting)
    return goes, len(waiting), until


def _pairs(found: Iterable[Delivery]) -> list[tuple[str, str]]:
    return [(each.to, each.sender) for each in found if each.to is not None and each.sender is not None]

"""
Fan-out: every event meets its person and the destinations that listen, and leaves deliveries behind.

All of it is one transaction for a group of requests: profiles, decisions, cooldown places, deliveries, counts, and the
cursor that says how far the log was read. A crash undoes all of it or none of it, so an event is decided on once.

A delivery for which a sender is free is born SENDING, its attempt written in the same transaction: one insert where
there would be an insert and an update. All others are born PENDING and claimed later, oldest first.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from smspipe import eventlog, optouts, persons
from smspipe.deliveries import budget, cooldowns, ledger, passes, velocity
from smspipe.model.cooldown import Window
from smspipe.model.delivery import Delivery, Status
from smspipe.model.event import Event
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, uuid7
from smspipe.model.limits import Passed, Purse, Spent
from smspipe.model.message import Message
from smspipe.model.outcome import Reason
from smspipe.model.trust import Place
from smspipe.optouts import Hasher
from smspipe.pipeline.claim import admit
from smspipe.pipeline.decide import Decision, decide
from smspipe.pipeline.prepare import Plan, Prepared, obstacle
from smspipe.telemetry import reached

READER = "fanout"

Entry = tuple[int, Sequence[Event]]
"""A request's position in the log, and its events."""
Heard = tuple[Event, persons.Seen, Sequence[Prepared]]
"""An event, its person and groups, and the destinations that listen to it."""


class Done(msgspec.Struct, kw_only=True):
    """What a group of events led to; to be acted on after the commit."""

    position: int
    """How far the log was read."""
    sending: list[Delivery] = []
    """Born SENDING: their requests may leave now."""
    waiting: list[Delivery] = []
    """Born PENDING."""
    outcomes: Counter[tuple[DestinationId, str, str]] = msgspec.field(default_factory=Counter)
    """(destination, outcome, reason) → how often; of events that matched."""
    events: int = 0
    matched: Counter[DestinationId] = msgspec.field(default_factory=Counter)
    """How many of the events matched at each destination; at all others of the plan none did."""
    low: list[Purse] = []
    """Days and months of budgets of which four fifths are spent now, and were not before."""
    identical: int = 0
    """Texts of which another destination sends the same words to the same number."""


class Desk:
    """What one group's decisions look up and write: the `Known` of the real run, for one transaction."""

    def __init__(self, connection: Connection, hasher: Hasher, now: datetime) -> None:
        self._connection = connection
        self._hasher = hasher
        self._nobody: bool | None = None
        """The register of opt-outs is empty; None before it was looked at."""
        self._seen: set[tuple[EventUuid, DestinationId, int]] = set()
        self._asked: set[EventUuid] = set()
        self._now = now
        self._said: dict[tuple[str, str], DestinationId] = {}
        """Which destination let which words through to which number, in this group."""
        self.identical = 0
        self.low: list[Purse] = []
        self.passes = passes.Passes(connection, now)
        self.till = budget.Till(connection)
        self.book = cooldowns.Book(connection, now)
        self.counts = velocity.Counts(connection, now)

    def expect(self, uuids: Sequence[EventUuid]) -> None:
        """Look up the events of a group at once that a destination listens to."""
        self._asked.update(uuids)
        self._seen.update(ledger.known(self._connection, uuids))

    def known(self, event: EventUuid, destination: DestinationId, route: int) -> bool:
        """Was it decided on before, in the ledger or in this very group?"""
        return (event, destination, route) in self._seen

    def opted_out(self, to: str, sender: str) -> bool:
        """Does the recipient want no texts from this sender?"""
        if self._nobody is None:
            self._nobody = optouts.is_empty(self._connection)
        return not self._nobody and bool(optouts.opted_out(self._connection, self._hasher, [(to, sender)]))

    def add(self, event: EventUuid, destination: DestinationId, route: int) -> None:
        """Remember that it is decided on now."""
        self._seen.add((event, destination, route))

    def window(self, destination: DestinationId, key: str, ttl: timedelta) -> Window:
        """Give the window of a key, as the events before this one in the group have left it."""
        return self.book.window(destination, cooldowns.hash_key(key), ttl)

    def let_through(self, destination: DestinationId, place: Place) -> int:
        """Count this hour's texts at a place, as the events before this one in the group have left them."""
        return self.counts.let_through(destination, place)

    def texted(self, to: str) -> bool:
        """Was there ever a text for this recipient, in the ledger or in this very group?"""
        return self.counts.texted(to)

    def passed(self, destination: DestinationId, who: str) -> Sequence[Passed]:
        """Give the texts that may count for a cap, those of this group too."""
        return self.passes.of(destination, who)

    def held_back(self, destination: DestinationId, to: str) -> int:
        """Count the texts that were held back since the last, in this group too."""
        return self.passes.held_back(destination, to)

    def twin(self, destination: DestinationId, to: str, body: str, within: timedelta | None) -> DestinationId | None:
        """Name another destination that said the same, in this group or in the ledger."""
        twin = self._said.get((to, body))
        if twin is not None and twin != destination:
            self.identical += 1
            return twin
        if within is None:
            return None
        return passes.twin_of(self._connection, destination, to, body, self._now - within)

    def spent(self, scope: str, period: str) -> Spent:
        """Say what a period has cost, this group's texts included."""
        return self.till.spent(scope, period)

    def price(self, country: str, sender: str, currency: str) -> int | None:
        """Give what Twilio charged last."""
        return self.till.price(country, sender, currency)

    def let_go(self, delivery: DeliveryId, decision: Decision, text: Message) -> None:
        """Book a text that is let through, wherever it counts."""
        destination = decision.destination.id
        self._said.setdefault((text.to, text.body), destination)
        self.counts.add(destination, decision.places, text.to)
        if decision.whos:
            self.passes.add(delivery, destination, decision.whos, decision.until or self._now)
        if decision.charge is not None:
            self.low += self.till.reserve(delivery, decision.charge, self._now)

    def write(self, opened: Sequence[Delivery]) -> None:
        """Write down what the decisions led to: the deliveries that they opened, and the places that these took."""
        ledger.open_deliveries(self._connection, opened)
        self.book.write()
        self.counts.write()
        self.passes.write()
        self.till.write()


def run(
    connection: Connection,
    entries: Sequence[Entry],
    plan: Plan,
    cache: persons.Cache,
    now: datetime,
    *,
    hasher: Hasher,
    free: int,
) -> Done:
    """
    Decide on all events of a group, in order.

    Args:
        connection: in the transaction that is committed with the cursor.
        entries: the requests behind the cursor, without a gap.
        plan: the destinations that are switched on.
        cache: the profiles' cache; whoever rolls this transaction back clears it.
        now: the time of the whole group.
        hasher: of the register of opt-outs.
        free: how many deliveries may be born SENDING.
    """
    reached("fanout.before")
    events = [event for _, batch in entries for event in batch]
    seen = persons.update(connection, events, now, cache)
    heard = [(event, who, listening) for event, who in zip(events, seen, strict=True)
             if (listening := plan.listening(event.event))]  # fmt: skip
    done = Done(position=entries[-1][0], events=len(events))
    desk = Desk(connection, hasher, now)
    opened: list[Delivery] = []
    for _, prepared, decided in decide_on(heard, desk, now, free=free):
        done.matched[prepared.destination.id] += 1
        for decision, delivery in decided:
            done.outcomes[prepared.destination.id, outcome_of(delivery, decision), decision.reason or ""] += 1
            if delivery is None:
                continue
            opened.append(delivery)
            if delivery.status is Status.SENDING:
                done.sending.append(delivery)
            elif delivery.status is Status.PENDING:
                done.waiting.append(delivery)
    done.low, done.identical = desk.low, desk.identical
    _let_wait(connection, done, opened, plan, now)
    reached("fanout.during")
    desk.write(opened)
    eventlog.remember(connection, [(event.uuid, position) for position, batch in entries for event in batch])
    eventlog.move_cursor(connection, READER, done.position)
    reached("fanout.after")
    return done


def decide_on(
    heard: Sequence[Heard], desk: Desk, now: datetime, *, free: int
) -> Iterator[tuple[Event, Prepared, list[tuple[Decision, Delivery | None]]]]:
    """
    Decide on events in order, each as those before it have left things; give what came of those that match.

    The real run, a replay and a forecast all decide here. Each decision comes with the ledger's row that it makes,
    None for a repeated event; nothing is written before `desk.write`.

    Args:
        heard: the events, each with its person and the destinations that listen to it.
        desk: what is known, and what is booked.
        now: the time of the whole group.
        free: how many deliveries may be born SENDING.
    """
    if heard:
        desk.expect([event.uuid for event, _, _ in heard])
    for event, who, listening in heard:
        for prepared in listening:
            decisions = decide(event, who.person, who.groups, prepared, desk, now)
            if not decisions:
                continue
            decided: list[tuple[Decision, Delivery | None]] = []
            for decision in decisions:
                delivery = _open(decision, event, prepared, desk, now, free=free > 0)
                if delivery is not None and delivery.status is Status.SENDING:
                    free -= 1
                decided.append((decision, delivery))
            yield event, prepared, decided


def _let_wait(connection: Connection, done: Done, opened: list[Delivery], plan: Plan, now: datetime) -> None:
    """Turn those that were to be born SENDING and must wait into PENDING ones."""
    if not done.sending:
        return
    waiting = admit(connection, done.sending, plan.pace_of, now)
    if not waiting:
        return
    changed = {
        each.id: msgspec.structs.replace(
            each, status=Status.PENDING, attempts=0, sent_at=None, not_before=waiting[each.id]
        )
        for each in done.sending
        if each.id in waiting
    }
    done.sending = [each for each in done.sending if each.id not in changed]
    done.waiting += changed.values()
    opened[:] = [changed.get(each.id, each) for each in opened]


def outcome_of(delivery: Delivery | None, decision: Decision) -> str:
    """Name what a decision led to, for the counts: a delivery's status, where `sending` is `pending` still."""
    if delivery is None:
        return Status.SUPPRESSED.value if decision.reason is not None else Status.PENDING.value
    return Status.PENDING.value if delivery.status is Status.SENDING else delivery.status.value


def _open(
    decision: Decision, event: Event, prepared: Prepared, desk: Desk, now: datetime, *, free: bool
) -> Delivery | None:
    """Make the ledger's row of a decision; None for a repeated event, which has its row."""
    destination = prepared.destination
    if decision.reason is Reason.DUPLICATE or desk.known(event.uuid, destination.id, decision.route):
        return None
    desk.add(event.uuid, destination.id, decision.route)
    id_ = DeliveryId(uuid7(now))
    text = decision.message
    key = cooldowns.hash_key(decision.cooldown_key) if decision.cooldown_key else None
    if key is not None and (text is not None or decision.reason is Reason.COOLDOWN):
        desk.book.enter(destination.id, key, id_ if text is not None else None)
    if text is not None:
        desk.let_go(id_, decision, text)
    elif decision.reason is Reason.VELOCITY:
        desk.counts.refuse(destination.id)
    if "suppressed" in prepared.roots and decision.to is not None and (text is not None or reason_counts(decision)):
        desk.passes.count(destination.id, decision.to, let_through=text is not None)
    status, reason, why = Status.SUPPRESSED, decision.reason, None
    if text is not None:
        status = Status.SENDING if free and decision.until is None else Status.PENDING
        if why := obstacle(destination):
            status, reason = Status.HELD, Reason.CREDENTIALS
    return Delivery(
        id=id_,
        destination_id=destination.id,
        version=destination.version,
        event_uuid=event.uuid,
        route=decision.route,
        event=event.event,
        distinct_id=event.distinct_id,
        status=status,
        created_at=now,
        reason=reason,
        to=decision.to,
        sender=None if text is None else text.sender,
        body=None if text is None else text.body,
        segments=None if text is None else text.segments,
        encoding=None if text is None else text.encoding.value,
        attempts=1 if status is Status.SENDING else 0,
        error_message=why,
        not_before=decision.until or (now if text is not None else None),
        expires_at=None if text is None else event.timestamp + destination.max_age,
        sent_at=now if status is Status.SENDING else None,
        settled_at=now if status is Status.SUPPRESSED else None,
        steps=decision.steps,
        cooldown_key=key if text is not None else None,
        extras=None if text is None else text.extras,
    )


def reason_counts(decision: Decision) -> bool:
    """Is it a text that was held back only because of how many there are, so that the next one may say so?"""
    return decision.reason in _HELD_BACK


_HELD_BACK: Final = frozenset(
    {Reason.COOLDOWN, Reason.FREQUENCY_CAP, Reason.VELOCITY, Reason.BUDGET, Reason.QUIET_HOURS}
)

METRIC_OF: Mapping[tuple[str, str], str] = {
    ("no_match", Reason.NO_MATCH): "filtered",
    ("suppressed", Reason.FILTER_ERROR): "filtering_failed",
    ("suppressed", Reason.TEMPLATE_ERROR): "inputs_failed",
    ("suppressed", Reason.RECIPIENT_MISSING): "inputs_failed",
    ("suppressed", Reason.RECIPIENT_INVALID): "inputs_failed",
    ("suppressed", Reason.COOLDOWN): "masked",
    ("held", Reason.CREDENTIALS): "disabled_temporarily",
    ("held", Reason.PAUSED): "disabled_temporarily",
    ("unconfirmed", Reason.UNCONFIRMED): "unconfirmed",
}
"""How an outcome for a reason is called in PostHog's metrics."""
_WHATEVER_THE_REASON: Mapping[str, str] = {
    "pending": "triggered",
    "accepted": "succeeded",
    "delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
}
"""How an outcome is called otherwise (`delivered`, `undelivered` and `unconfirmed` are ours); all else is `dropped`."""


def metric_of(outcome: str, reason: str) -> str:
    """Give PostHog's name for an outcome."""
    return METRIC_OF.get((outcome, reason)) or _WHATEVER_THE_REASON.get(outcome, "dropped")

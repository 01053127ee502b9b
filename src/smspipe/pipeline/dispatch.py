"""
Dispatch: a delivery whose attempt is written down becomes one request, and its answer one move in the ledger.

Only deliveries that are SENDING in the committed ledger come here, from fan-out or from a claim. The number that may be
SENDING at once is bounded (`slots`), since each of them would be in doubt if the process died.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import assert_never

import msgspec
import structlog
from sqlalchemy import Connection

from smspipe import destinations, optouts
from smspipe.db import Writer
from smspipe.deliveries import evidence, ledger, queries
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.retry import next_look, next_try
from smspipe.deliveries.states import Move, target
from smspipe.model.delivery import Delivery, Status
from smspipe.model.destination import Account
from smspipe.model.errors import Temporary
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason
from smspipe.model.phone import E164
from smspipe.optouts import Hasher
from smspipe.pipeline.claim import Claim, claim
from smspipe.pipeline.lanes import Lanes
from smspipe.pipeline.prepare import Plan, Prepared, obstacle, why_paused
from smspipe.sending import Accepted, AccountFault, Answer, Client, Later, OptedOut, Refused, Unconfirmed, build_request
from smspipe.telemetry import count, gauge, reached

log = structlog.get_logger("smspipe.dispatch")

_MOST_REMEMBERED = 2_000
_UNKNOWN = 1_000_000
"""Counts as waiting until a claim has found the end."""
_DRAIN_SECONDS = 10.0
_TOO_MANY = 429
_A_MOMENT = 3.0
_STOPPED_SECONDS = 3600.0
"""How long a STOP is remembered for texts that were claimed before it: longer than any request waits."""
_WAIT_AFTER_FAULT = 1.0
"""Seconds until a settlement that the database refused is tried again."""
_LONGEST_SLEEP = 60.0
"""Seconds without a look at the ledger while something waits: the clock that says when it is due may be set."""


class _Job(msgspec.Struct, kw_only=True):
    """One trip to the ledger: what it settled and what it claimed."""

    settled: list[Settlement] = []
    claimed: Claim = msgspec.field(default_factory=Claim)
    asked: int = 0
    """Slots reserved for claiming."""
    backlog: int = 0
    """How much was known to wait when it was submitted."""
    unmade: dict[DeliveryId, Delivery | None] = {}
    """Deliveries that had been moved by someone else, as they stand."""


class Dispatch:
    """The sender: everything but its jobs runs on the event loop."""

    def __init__(
        self,
        *,
        client: Client,
        writer: Writer,
        clock: Callable[[], datetime],
        plan: Callable[[], Plan],
        paused: Callable[[DestinationId], None],
        settled: Callable[[DestinationId, Status, Reason | None], None],
        asks: Callable[[datetime], None],
        callback: Callable[[Delivery], str] | None,
        hasher: Hasher,
        slots: int = 64,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Prepare; `start` begins.

        Args:
            client: who makes the requests.
            writer: who commits.
            clock: what time it is.
            plan: the destinations as they are now.
            paused: told when a destination was paused because of its account.
            settled: told of every delivery that an answer moved, retries aside.
            asks: told when Twilio is to be asked about a text.
            callback: gives the address that Twilio reports a delivery's fate to; None to ask for no reports.
            hasher: of the register of opt-outs.
            slots: how many deliveries may be SENDING at once.
            chance: random numbers from 0 to 1, which spread retries.
        """
        self._client = client
        self._writer = writer
        self._clock = clock
        self._plan = plan
        self._paused = paused
        self._settled = settled
        self._asks = asks
        self._callback = callback
        self._hasher = hasher
        self._lanes = Lanes(client.concurrency)
        self._looked_at = clock()
        self._blocked: dict[DestinationId, datetime] = {}
        """Destinations whose sender's pace leaves no room until an instant."""
        self._stopped: dict[tuple[str, str], float] = {}
        """Who said STOP to which sender, and when: texts to them may have been claimed before."""
        self._free = slots
        self._answers: deque[Settlement] = deque()
        self._remembered: dict[DeliveryId, Delivery] = {}
        """Rows that wait, as they were written just now: a claim need not read them again."""
        self._submitted = False
        self._backlog = 0
        """Deliveries that wait in the ledger and are due, as far as is known; never less than there are."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: datetime | None = None
        self._under_way = 0
        self._busy_until = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending = False
        self._chance = chance

    @property
    def busy(self) -> bool:
        """Say whether texts are leaving, or left a moment ago."""
        return self._under_way > 0 or asyncio.get_running_loop().time() < self._busy_until

    def start(self) -> None:
        """Look for what waits in the ledger."""
        self.wake()

    def wake(self, waiting: int | None = None) -> None:
        """Say that so many deliveries in the ledger are due now; None when nobody knows how many."""
        self._backlog += _UNKNOWN if waiting is None else waiting
        self._submit()

    def stop_texts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """
        Let no request leave for (number, sender) pairs that was claimed before their opt-out was written down.

        For the moment after that commit. What is claimed from then on was looked up in the register, which alone counts
        there: an opt-out may be taken back.
        """
        now = asyncio.get_running_loop().time()
        self._stopped = {pair: at for pair, at in self._stopped.items() if now - at < _STOPPED_SECONDS}
        self._stopped.update(dict.fromkeys(pairs, now))

    def allow_texts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take back what `stop_texts` said."""
        for pair in pairs:
            self._stopped.pop(pair, None)

    def unblock(self) -> None:
        """Forget what was known of paces, which may have been set anew."""
        self._blocked = {}

    def reserve(self, most: int) -> int:
        """Set aside up to `most` slots for deliveries about to be born SENDING, after those that wait already."""
        if self._ending or self._client.halted is not None:
            return 0
        taken = max(0, min(self._free - self._backlog, most))
        self._free -= taken
        return taken

    def take(self, sending: Iterable[Delivery], reserved: int, waiting: Sequence[Delivery] = ()) -> None:
        """Send deliveries that were born SENDING, give unused slots back, and look for those born PENDING."""
        for delivery in sending:
            reserved -= 1
            self._begin(delivery)
        self._free += reserved
        if waiting:
            if len(self._remembered) < _MOST_REMEMBERED:
                self._remembered.update((delivery.id, delivery) for delivery in waiting)
            self._backlog += len(waiting)
        # Also when nothing new waits: whoever was woken while the slots were set aside found none.
        self._submit()

    async def stop(self) -> None:
        """
        Let requests under way end (the client gives them its drain time), and write down every answer.

        A database that cannot be written is not waited for longer than that: the deliveries stay SENDING there, and the
        next start takes them for unconfirmed.
        """
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        await self._client.close()
        await self._idle.wait()
        until = asyncio.get_running_loop().time() + _DRAIN_SECONDS
        while (self._answers or self._submitted) and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 (two ends)
            await asyncio.sleep(0.01)  # the writer answers within a commit, and a trip that failed is made again
        if self._answers:
            count("smspipe_faults_total")
            log.error("answers_not_written", answers=len(self._answers))

    def _begin(self, delivery: Delivery) -> None:
        """Make the request of a delivery that is SENDING, unless a last look says otherwise."""
        reached("dispatch.claimed")
        now = self._clock()
        prepared = self._plan().destinations.get(delivery.destination_id)
        settlement = _check(delivery, prepared, now)
        account = None if prepared is None else prepared.destination.account
        if settlement is not None or account is None:
            assert settlement is not None  # noqa: S101 (_check holds back what has no account)
            self._settle(settlement)
            return
        self._under_way += 1
        self._idle.clear()
        begun = asyncio.get_running_loop().time()
        self._lanes.enter(account.sid, lambda: self._request(delivery, account, begun))

    def _is_stopped(self, delivery: Delivery, begun: float) -> bool:
        """Has the recipient said STOP since a delivery came here from its claim?"""
        return bool(self._stopped) and self._stopped.get((delivery.to or "", delivery.sender or ""), -1.0) >= begun

    def _request(self, delivery: Delivery, account: Account, begun: float) -> None:
        if self._is_stopped(delivery, begun):
            # It was recorded after the claim had looked, and before the request left.
            self._ended(account, too_many=False)
            self._settle(_opted_out(delivery, self._clock()))
            return
        reached("dispatch.before_request")
        count("smspipe_attempts_total")
        callback = None if self._callback is None else self._callback(delivery)
        request = build_request(_message(delivery), account, status_callback=callback, attempt=delivery.attempts)
        self._client.post(
            request,
            lambda answer: self._answered(delivery, account, answer),
            # While a connection is opened somebody may say STOP: then it waits again, and the next claim ends it.
            withdrawn=lambda: self._is_stopped(delivery, begun),
        )
        reached("dispatch.during_request")

    def _answered(self, delivery: Delivery, account: Account, answer: Answer) -> None:
        reached("dispatch.after_answer")
        self._ended(account, too_many=isinstance(answer, Later) and answer.http_status == _TOO_MANY)
        self._settle(self._settlement(delivery, answer))

    def _ended(self, account: Account, *, too_many: bool) -> None:
        self._under_way -= 1
        self._busy_until = asyncio.get_running_loop().time() + _A_MOMENT
        if not self._under_way:
            self._idle.set()
        self._lanes.leave(account.sid, too_many=too_many)

    def _settle(self, settlement: Settlement) -> None:
        """Give the slot back and have the ledger told."""
        self._free += 1
        self._answers.append(settlement)
        self._submit()

    def _settlement(self, delivery: Delivery, answer: Answer) -> Settlement:
        now = self._clock()
        asks = pause = None
        match answer:
            case Accepted():
                return Settlement(
                    delivery=delivery,
                    move=Move.ACCEPT,
                    at=now,
                    sid=answer.sid,
                    twilio_status=answer.status or None,
                    billed_segments=answer.segments,
                    ask_at=next_look(Status.ACCEPTED, 0, _leaves_at(delivery, now), told=self._callback is not None),
                )
            case Refused() | OptedOut():
                move = Move.FAIL
            case Unconfirmed():
                move = Move.LOSE
                asks = next_look(Status.UNCONFIRMED, 0, now, told=self._callback is not None)
            case AccountFault():
                move = Move.HOLD
                pause = why_paused(answer.saw, sender_alone=answer.sender_alone)
            case Later():
                again = next_try(delivery.attempts, answer.retry_after, now, self._chance())
                if self._ending:
                    again = now
                in_time = delivery.expires_at is None or again <= delivery.expires_at
                return Settlement(
                    delivery=delivery,
                    move=Move.RETRY if in_time else Move.FAIL,
                    at=now,
                    reason=None if in_time else Reason.TWILIO_UNREACHABLE,
                    error_code=answer.code,
                    error_message=answer.error_message or answer.saw,
                    not_before=again if in_time else None,
                )
            case _:
                assert_never(answer)
        return Settlement(
            delivery=delivery,
            move=move,
            at=now,
            reason=answer.reason,
            error_code=answer.code,
            error_message=answer.error_message or answer.saw,
            pause=pause,
            ask_at=asks,
            looks=0 if asks is not None else None,
        )

    def _submit(self) -> None:
        """Ask for a trip to the ledger, if there is a reason and none is asked for yet."""
        claim = self._backlog > 0 and self._free > 0 and not self._ending
        if self._submitted or not (self._answers or claim):
            return
        self._submitted = True
        job = _Job(asked=min(self._free, self._backlog) if claim else 0, backlog=self._backlog)
        self._free -= job.asked
        now = self._clock()
        if now < self._looked_at:
            self._blocked = {}  # by a clock that has been set back since
        self._looked_at = now
        try:
            self._writer.submit(
                lambda connection: self._go(connection, job, now), lambda _, fault: self._back(job, fault)
            )
        except Temporary:
            self._submitted = False
            raise

    def _go(self, connection: Connection, job: _Job, now: datetime) -> None:
        """Settle all answers that are there by now, then claim; in the writer's thread."""
        answers = self._answers
        while answers:
            job.settled.append(answers.popleft())
        if job.settled:
            if ledger.settle(connection, job.settled) < len(job.settled):
                job.unmade = _find_unmade(connection, job.settled)
            for each in job.settled:
                if each.pause is not None:
                    destinations.pause(connection, each.delivery.destination_id, each.pause, now)
                if each.reason is Reason.OPTED_OUT and each.error_code is not None:
                    self._learn(connection, each)
        if job.asked:
            job.claimed = claim(
                connection,
                now,
                job.asked,
                hasher=self._hasher,
                pace_of=self._plan().pace_of,
                plan=self._plan(),
                blocked=self._blocked,
                remembered=self._remembered,
            )
        reached("settle.before_commit")

    def _learn(self, connection: Connection, each: Settlement) -> None:
        """Write down the opt-out that Twilio knew of and the register did not."""
        delivery = each.delivery
        assert delivery.to is not None and each.error_code is not None  # noqa: S101, PT018 (it was sent, and refused)
        optouts.learn(
            connection,
            self._hasher,
            number=E164(delivery.to),
            sender=delivery.sender or "",
            code=each.error_code,
            now=each.at,
        )

    def _back(self, job: _Job, error: BaseException | None) -> None:
        """Act on a trip's end; on the event loop, after the commit."""
        self._submitted = False
        if error is not None:
            self._free += job.asked
            self._answers.extendleft(reversed(job.settled))
            log.error("ledger_unwritable", error=str(error), answers=len(self._answers))
            asyncio.get_running_loop().call_later(_WAIT_AFTER_FAULT, self._submit)
            return
        reached("settle.after_commit")
        for each in job.settled:
            if each.delivery.id in job.unmade:
                _tell_unmade(each, job.unmade[each.delivery.id])
            else:
                self._tell(each)
        gauge("smspipe_sending", self._under_way)
        claimed = job.claimed
        for each in claimed.stopped:
            self._remembered.pop(each.delivery.id, None)
            self._tell(each)
        self._blocked = {of: until for of, until in self._blocked.items() if until > self._clock()} | claimed.blocked
        self._free += job.asked - len(claimed.sending)
        # Before any of them begins: one that is held at once asks for the next trip, which must see the right count.
        if job.asked and len(claimed.sending) < job.asked:
            # That was all there was; what has been added to the count since then came later.
            self._backlog -= job.backlog
            self._wake_at(claimed.next_due)
        else:
            self._backlog = max(self._backlog - len(claimed.sending), 0)
        for delivery in claimed.sending:
            self._remembered.pop(delivery.id, None)
            self._begin(delivery)
        self._submit()

    def _tell(self, each: Settlement) -> None:
        delivery = each.delivery
        status = target(each.move)
        if each.move is not Move.RETRY:
            self._settled(delivery.destination_id, status, each.reason)
            if each.pause is not None:
                self._paused(delivery.destination_id)
        elif each.not_before is not None:
            self._wake_at(each.not_before)
        if each.ask_at is not None:
            self._asks(each.ask_at)
        _log_attempt(each, status)

    def _wake_at(self, at: datetime | None) -> None:
        """Set the one timer to the earliest due time known."""
        if at is None or self._ending or (self._timer_at is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        # A little later than the very instant: a timer may ring early by the clock's grain and then find nothing due.
        delay = max(0.0, (at - self._clock()).total_seconds()) + 0.002
        self._timer = asyncio.get_running_loop().call_later(min(delay, _LONGEST_SLEEP), self._ring)

    def _ring(self) -> None:
        self._timer = self._timer_at = None
        self.wake()


def _find_unmade(connection: Connection, settled: Sequence[Settlement]) -> dict[DeliveryId, Delivery | None]:
    """Give the deliveries of settlements that were not made, as they stand, and keep the SID of what Twilio took."""
    unmade: dict[DeliveryId, Delivery | None] = {}
    for each in settled:
        found = queries.get(connection, each.delivery.id)
        if found is not None and found.status is target(each.move) and found.settled_at == each.at:
            continue
        unmade[each.delivery.id] = found
        if found is not None and each.sid is not None and each.sid != found.sid:
            evidence.add_receipt(connection, found.id, sid=each.sid, status=each.twilio_status or "", error_code=None,
                                 at=each.at, source="answer", attempt=each.delivery.attempts)  # fmt: skip
    return unmade


def _tell_unmade(each: Settlement, found: Delivery | None) -> None:
    """Tell of an answer whose delivery had been moved: by a receipt that overtook it, or else by a fault of ours."""
    if found is None or found.sid is None:
        count("smspipe_faults_total")
        log.error("settlement_found_its_delivery_moved", delivery=each.delivery.id)
        return
    if each.sid is not None and each.sid != found.sid:
        count("smspipe_second_texts_total")
        log.error("second_text", delivery=found.id, sid=each.sid, attempt=each.delivery.attempts,
                  why="An earlier attempt, of which nothing was to be found, had been taken after all.")  # fmt: skip
    _log_attempt(each, found.status)


def _log_attempt(each: Settlement, status: Status) -> None:
    delivery = each.delivery
    log.info(
        "attempt",
        delivery=delivery.id,
        destination=delivery.destination_id,
        event_uuid=delivery.event_uuid,
        attempt=delivery.attempts,
        status=status.value,
        reason=each.reason,
        code=each.error_code,
        sid=each.sid,
    )


def _check(delivery: Delivery, prepared: Prepared | None, now: datetime) -> Settlement | None:
    """Look once more just before the request: is there still a destination to send it for, and is it in time?"""
    if prepared is None:
        return Settlement(
            delivery=delivery,
            move=Move.HOLD,
            at=now,
            reason=Reason.PAUSED,
            error_message="The destination is switched off or deleted.",
        )
    if why := obstacle(prepared.destination):
        return Settlement(delivery=delivery, move=Move.HOLD, at=now, reason=Reason.CREDENTIALS, error_message=why)
    if delivery.expires_at is not None and now > delivery.expires_at:
        return Settlement(
            delivery=delivery,
            move=Move.FAIL,
            at=now,
            reason=Reason.TOO_OLD if delivery.attempts <= 1 else Reason.TWILIO_UNREACHABLE,
            error_message="The text was not sent in time; it is no longer news.",
        )
    return None


def _opted_out(delivery: Delivery, now: datetime) -> Settlement:
    return Settlement(
        delivery=delivery,
        move=Move.SUPPRESS,
        at=now,
        reason=Reason.OPTED_OUT,
        error_message="The recipient opted out of texts from this sender just before it was sent.",
    )


def _leaves_at(delivery: Delivery, now: datetime) -> datetime:
    """Say when Twilio sends a text that it took now: nothing is to be learnt of it before."""
    at = None if delivery.extras is None else delivery.extras.send_at
    return now if at is None else max(now, at)


def _message(delivery: Delivery) -> Message:
    return Message(
        to=E164(delivery.to or ""),
        sender=delivery.sender or "",
        body=delivery.body or "",
        encoding=Encoding(delivery.encoding or Encoding.GSM_7),
        segments=delivery.segments or 0,
        extras=delivery.extras,
    )

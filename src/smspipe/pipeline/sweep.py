"""
Sweep: ask Twilio about the texts that it has said nothing of.

Two kinds are asked about. A text whose answer was lost: Twilio's list of texts to its number shows it, or proves, after
a settling time, that there is none, and only then is it sent again or held, as its destination wishes. And a text that
Twilio took and whose end nobody reported, or whose price is not known yet. Asking changes nothing, so it may be
repeated, delayed and lost; it is done at a polite pace, beside the sending.

No path guesses: while Twilio cannot be asked, or its list cannot be read to the end, what is in doubt stays in doubt.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy import Connection

from smspipe import destinations, optouts
from smspipe.db import Writer
from smspipe.deliveries import evidence, ledger, queries
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.retry import next_look
from smspipe.deliveries.states import Move
from smspipe.destinations import Keyring
from smspipe.model.delivery import Delivery, Status
from smspipe.model.destination import Account, Destination, WhenAbsent
from smspipe.model.errors import Invalid, Temporary
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.model.outcome import Reason
from smspipe.pipeline.settle import Heard, hear
from smspipe.receipts import receipt_of
from smspipe.receipts.reconcile import Absent, Found, Sought, Unsure, enough, search
from smspipe.rendering import smart_encode
from smspipe.sending import AccountFault, Client, Later, Missing, Page, Shown, Verified
from smspipe.telemetry import count, gauge, reached

log = structlog.get_logger("smspipe.sweep")

SETTLING: Final = timedelta(seconds=60)
"""How long after an attempt Twilio's list must have been asked for, for absence to prove anything."""
_AT_ONCE: Final = 8
"""Questions under way."""
_A_SECOND: Final = 20.0
"""Questions a second, at most: Twilio's limits are for sending."""
_AGAIN_AFTER_FAULT: Final = 30.0
_PATIENCE: Final = timedelta(minutes=2)
"""How long a question that is not about a text in doubt waits while texts are leaving: those come first."""
_LOOK_AGAIN: Final = timedelta(seconds=1)
_FIRST_PROBE: Final = 60.0
_LONGEST_PROBE: Final = 3600.0

_ABSENT_AND_LATE: Final = "Twilio never took the text, and by now it is no longer news."
_ABSENT_AND_HELD: Final = (
    "The answer was lost, and Twilio's list shows that it never took the text. Held for you: send it again, or not."
)
_UNSURE: Final = (
    "Twilio's list has a text that looks the same, but its time does not fit: it is ours only if a clock was wrong. "
    "Look at it in Twilio's message log, then send it again, or not."
)


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What Twilio answered about one delivery."""

    delivery: Delivery
    began_at: datetime
    began: float
    """By the clock that nobody can set."""
    shown: Mapping[str, Any] | None = None
    listed: tuple[Mapping[str, Any], ...] | None = None
    ahead: timedelta = timedelta()
    """How far Twilio's clock is ahead of ours."""
    missing: bool = False
    unable: str | None = None
    """Why nothing was learnt, a sentence."""


class Sweep:
    """Asks, one timer for all; belongs to the event loop but for its jobs."""

    def __init__(
        self,
        *,
        client: Client,
        writer: Writer,
        keyring: Keyring,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        told: bool,
        hasher: optouts.Hasher,
        heard: Callable[[Heard], None],
        moved: Callable[[Settlement], None],
        mended: Callable[[], None],
        busy: Callable[[], bool],
        settling: timedelta = SETTLING,
    ) -> None:
        """
        Prepare; `start` begins.

        Args:
            client: who asks.
            writer: who commits.
            keyring: opens the accounts' secrets.
            clock: what time it is.
            monotonic: seconds by a clock that nobody sets.
            told: status callbacks are asked for, so that there is less to ask about.
            hasher: of the register of opt-outs.
            heard: told what a text's answer led to.
            moved: told of every move that a look at the list made.
            mended: told when a paused account works again.
            busy: says whether texts are leaving: what is not in doubt is asked about later then.
            settling: how long after an attempt a look must begin, for absence to prove anything.
        """
        self._client = client
        self._writer = writer
        self._keyring = keyring
        self._clock = clock
        self._monotonic = monotonic
        self._told = told
        self._hasher = hasher
        self._heard = heard
        self._moved = moved
        self._mended = mended
        self._busy = busy
        self._settling = settling
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: datetime | None = None
        self._probe_timer: asyncio.TimerHandle | None = None
        self._probe_waits: dict[DestinationId, float] = {}
        self._probe_next: dict[DestinationId, float] = {}
        self._known_since: dict[DeliveryId, float] = {}
        """When this process first learnt that a text is in doubt: a clock that was set proves no time has passed."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: set[DeliveryId] = set()
        self._looking = False
        self._ending = False
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._next_question = 0.0
        self._complained_at = -math.inf

    def start(self) -> None:
        """Look for what is to be asked about."""
        self._look()
        self._probe_timer = asyncio.get_running_loop().call_later(_FIRST_PROBE, self._probe)

    async def stop(self) -> None:
        """Ask no more; what was not learnt is asked about after the next start."""
        self._ending = True
        for timer in (self._timer, self._probe_timer):
            if timer is not None:
                timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def expect(self, at: datetime) -> None:
        """Say that something is to be asked about at an instant."""
        if self._ending or (self._timer_at is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        delay = max(0.0, (at - self._clock()).total_seconds()) + 0.005
        self._timer = asyncio.get_running_loop().call_later(min(delay, _LONGEST_PROBE), self._ring)

    def _ring(self) -> None:
        self._timer = self._timer_at = None
        self._look()

    def _look(self) -> None:
        """Read from the ledger what is due to be asked about, unless that is under way or enough is."""
        if self._looking or self._ending or len(self._asking) >= _AT_ONCE:
            return
        self._looking = True
        now, room = self._clock(), len(self._asking) + _AT_ONCE
        patience = _PATIENCE if self._busy() else timedelta()

        def job(connection: Connection) -> tuple[list[tuple[Delivery, Destination | None]], datetime | None]:
            due = evidence.to_ask(connection, now, room, patience=patience)
            loaded: dict[DestinationId, Destination | None] = {}
            for each in due:
                if each.destination_id not in loaded:
                    loaded[each.destination_id] = destinations.load(connection, each.destination_id, self._keyring)
            return [(each, loaded[each.destination_id]) for each in due], evidence.next_ask(connection, now)

        try:
            self._writer.submit(job, self._looked)
        except Temporary:
            self._looking = False

    def _looked(
        self,
        found: tuple[list[tuple[Delivery, Destination | None]], datetime | None] | None,
        error: BaseException | None,
    ) -> None:
        self._looking = False
        if self._ending:
            return
        if error is not None or found is None:
            self._complain(error)
            asyncio.get_running_loop().call_later(_AGAIN_AFTER_FAULT, self._look)
            return
        due, later = found
        for delivery, destination in due:
            if delivery.id not in self._asking:
                self._asking.add(delivery.id)
                task = asyncio.get_running_loop().create_task(self._ask(delivery, destination))
                self._tasks.add(task)
                task.add_done_callback(self._asked)
        gauge("smspipe_asking", len(self._asking))
        if self._busy():
            # thousands may come to be due while texts are leaving: one look a second for all of them
            self.expect(self._clock() + _LOOK_AGAIN)
        elif later is not None:
            self.expect(later)

    def _asked(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._complain(error)
            asyncio.get_running_loop().call_later(_AGAIN_AFTER_FAULT, self._look)
        else:
            self._look()

    def _complain(self, error: BaseException | None) -> None:
        """Count a fault, and say so once a second at most: what meets one question meets all that are under way."""
        count("smspipe_faults_total")
        now = asyncio.get_running_loop().time()
        if now - self._complained_at >= 1.0:
            self._complained_at = now
            log.error("sweep_failed", error=str(error), kind=type(error).__name__)

    async def _ask(self, delivery: Delivery, destination: Destination | None) -> None:
        try:
            account = None if destination is None else destination.account
            if account is None:
                answer = self._began(delivery, unable="Its Twilio account is gone, so Twilio cannot be asked about it.")
            else:
                async with self._turn:
                    await self._wait_for_turn()
                    count("smspipe_questions_total")
                    reached("sweep.before_question")
                    answer = await self._question(delivery, account)
            policy = WhenAbsent.HOLD if destination is None else destination.unconfirmed
            await self._write(answer, policy)
        finally:
            self._asking.discard(delivery.id)

    async def _wait_for_turn(self) -> None:
        loop = asyncio.get_running_loop()
        at = max(loop.time(), self._next_question)
        self._next_question = at + 1.0 / _A_SECOND
        await asyncio.sleep(at - loop.time())

    def _began(self, delivery: Delivery, *, unable: str | None = None) -> _Asked:
        return _Asked(delivery=delivery, began_at=self._clock(), began=self._monotonic(), unable=unable)

    async def _question(self, delivery: Delivery, account: Account) -> _Asked:
        """Ask for the text by its SID where there is one, else for the list of all to its number."""
        asked = self._began(delivery)
        if delivery.sid is not None:
            match await self._client.fetch(account, delivery.sid):
                case Shown(message=message):
                    return msgspec.structs.replace(asked, shown=message)
                case Missing():
                    return msgspec.structs.replace(asked, missing=True)
                case AccountFault() | Later() as unable:
                    return msgspec.structs.replace(asked, unable=unable.saw)
        listed: list[Mapping[str, Any]] = []
        async for page in self._client.list_to(account, delivery.to or ""):
            if not isinstance(page, Page):
                return msgspec.structs.replace(asked, unable=page.saw)
            if page.answered_at is not None:
                # Twilio writes whole seconds: less than two of them are no difference of the clocks.
                ahead = page.answered_at - self._clock()
                asked = msgspec.structs.replace(asked, ahead=ahead if abs(ahead) > _SECONDS else timedelta())
            listed += page.messages
            if enough(_sought(delivery), page.messages):
                break
        return msgspec.structs.replace(asked, listed=tuple(listed))

    async def _write(self, asked: _Asked, policy: WhenAbsent) -> None:
        """Write down what was learnt, and act on it after the commit."""
        reached("sweep.asked")
        now = self._clock()

        def job(connection: Connection) -> tuple[Heard | None, Settlement | None, datetime | None]:
            concluded = self._conclude(connection, asked, policy, now)
            reached("sweep.before_commit")
            return concluded

        heard, settlement, ask_at = await asyncio.wrap_future(self._writer.run_job(job))
        reached("sweep.after_commit")
        if heard is not None:
            self._heard(heard)
        if settlement is not None:
            self._moved(settlement)
        if ask_at is not None:
            self.expect(ask_at)
        if ask_at is None or heard is not None:
            # it is in doubt no more; if it comes to be again, time is counted anew
            self._known_since.pop(asked.delivery.id, None)

    def _conclude(
        self, connection: Connection, asked: _Asked, policy: WhenAbsent, now: datetime
    ) -> tuple[Heard | None, Settlement | None, datetime | None]:
        """Give what a receipt led to, the move that absence led to, and when to ask again."""
        delivery = queries.get(connection, asked.delivery.id)
        if delivery is None or delivery.status is not asked.delivery.status:
            self._known_since.pop(asked.delivery.id, None)
            return None, None, None if delivery is None else delivery.ask_at
        looks = delivery.looks + 1
        later = next_look(delivery.status, looks, now, told=self._told)
        if asked.unable is not None:
            return None, None, self._unable(connection, delivery, asked.unable, later, looks)
        if asked.shown is not None:
            heard = self._hear(connection, delivery, asked.shown, "fetch", now)
            if heard is not None and heard.settlement is not None:
                return heard, None, heard.settlement.ask_at
            learnt = queries.get(connection, delivery.id)
            if learnt is not None and learnt.ask_at is None:
                return heard, None, None  # the price was the last thing to learn
            return heard, None, self._ask_later(connection, delivery, later, looks)
        if asked.missing or asked.listed is None or delivery.status is not Status.UNCONFIRMED:
            # a text that Twilio has deleted: its last word stands
            return None, None, self._ask_later(connection, delivery, None, looks)
        known = evidence.sids_to(connection, delivery.to or "").keys()
        match search(_sought(delivery), asked.listed, known, ahead=asked.ahead):
            case Found(message=message, others=others):
                for sid in others:
                    count("smspipe_second_texts_total")
                    log.error("second_text", delivery=delivery.id, sid=sid, attempt=delivery.attempts,
                              why="Twilio's list shows more than one text that looks the same.")  # fmt: skip
                heard = self._hear(connection, delivery, message, "list", now)
                if heard is None or heard.settlement is None:
                    # it could not be read: asked again, and not at once
                    return heard, None, self._ask_later(connection, delivery, later, looks)
                return heard, None, heard.settlement.ask_at
            case Unsure():
                settlement = _settle(delivery, Move.DOUBT, now, Reason.UNCONFIRMED, _UNSURE)
            case Absent():
                since = self._known_since.setdefault(delivery.id, asked.began)
                # An instant that lies ahead was written by a clock that has been set back: then the other one decides.
                moments = [at for at in (delivery.sent_at, delivery.settled_at) if at is not None and at <= now]
                proved = asked.began - since >= self._settling.total_seconds() and all(
                    asked.began_at - at >= self._settling for at in moments
                )
                if not proved:
                    return None, None, self._ask_later(connection, delivery, later, looks)
                settlement = _absent(delivery, policy, now)
        return None, settlement if ledger.settle(connection, [settlement]) else None, None

    def _hear(
        self, connection: Connection, delivery: Delivery, message: Mapping[str, Any], source: str, now: datetime
    ) -> Heard | None:
        try:
            receipt = receipt_of(message)
        except Invalid as error:
            log.warning("receipt_unreadable", delivery=delivery.id, error=str(error))
            return None
        return hear(
            connection,
            receipt,
            of=delivery.id,
            attempt=delivery.attempts,
            source=source,
            now=now,
            told=self._told,
            hasher=self._hasher,
        )

    def _unable(
        self, connection: Connection, delivery: Delivery, why: str, later: datetime | None, looks: int
    ) -> datetime | None:
        """Let what is in doubt wait, visibly, while Twilio cannot be asked."""
        if delivery.status is Status.UNCONFIRMED:
            evidence.learn(connection, delivery.id, error_message=f"Perhaps sent. {why}")
        return self._ask_later(connection, delivery, later, looks)

    def _ask_later(
        self, connection: Connection, delivery: Delivery, at: datetime | None, looks: int
    ) -> datetime | None:
        evidence.ask_later(connection, [(delivery.id, at, looks)])
        return at

    # Paused accounts: asked with a harmless question, less and less often

    def _probe(self) -> None:
        if self._ending:
            return
        task = asyncio.get_running_loop().create_task(self._probe_paused())
        self._tasks.add(task)
        task.add_done_callback(self._probed)

    def _probed(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._complain(error)
        if not self._ending:
            self._probe_timer = asyncio.get_running_loop().call_later(_FIRST_PROBE, self._probe)

    async def _probe_paused(self) -> None:
        """Ask for each paused account whether its credentials work, and let its destinations go on when they do."""
        paused = await asyncio.wrap_future(
            self._writer.run_job(lambda connection: destinations.load_paused(connection, self._keyring))
        )
        now = self._monotonic()
        # What was paused again since the last question waits longer each time; what has run meanwhile begins anew.
        self._probe_next = {each.id: self._probe_next.get(each.id, now) for each in paused}
        self._probe_waits = {of: wait for of, wait in self._probe_waits.items() if of in self._probe_next}
        mended: list[DestinationId] = []
        for each in paused:
            if each.account is None or self._probe_next[each.id] > now:
                continue
            if isinstance(await self._client.check(each.account), Verified):
                mended.append(each.id)
            wait = min(_LONGEST_PROBE, 2 * self._probe_waits.get(each.id, _FIRST_PROBE / 2))
            self._probe_waits[each.id], self._probe_next[each.id] = wait, now + wait
        if mended:
            resumed = await asyncio.wrap_future(
                self._writer.run_job(lambda connection: destinations.resume(connection, mended))
            )
            log.info("destinations_resumed", destinations=resumed, why="Their Twilio account works again.")
            self._mended()


_SECONDS: Final = timedelta(seconds=2)


def _sought(delivery: Delivery) -> Sought:
    rewritten = delivery.extras is not None and delivery.extras.smart_encoded
    body = delivery.body or ""
    return Sought(
        to=delivery.to or "",
        sender=delivery.sender or "",
        body=smart_encode(body) if rewritten else body,
        sent_at=delivery.sent_at or delivery.created_at,
        rewritten=rewritten,
    )


def _absent(delivery: Delivery, policy: WhenAbsent, now: datetime) -> Settlement:
    """Choose what becomes of a text that Twilio never took."""
    if policy is WhenAbsent.HOLD:
        return _settle(delivery, Move.DOUBT, now, Reason.UNCONFIRMED, _ABSENT_AND_HELD)
    if delivery.expires_at is not None and now > delivery.expires_at:
        return _settle(delivery, Move.EXPIRE, now, Reason.TOO_OLD, _ABSENT_AND_LATE)
    again = _settle(delivery, Move.DISPROVE, now, None, None)
    return msgspec.structs.replace(again, not_before=now)


def _settle(delivery: Delivery, move: Move, now: datetime, reason: Reason | None, why: str | None) -> Settlement:
    return Settlement(delivery=delivery, move=move, at=now, reason=reason, error_message=why)

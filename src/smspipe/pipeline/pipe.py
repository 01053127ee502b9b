"""
The pipe: accept, fan-out and dispatch on one machine, woken by one another.

Nothing polls: a commit wakes fan-out, fan-out wakes dispatch, a timer wakes dispatch for the next retry. The events of
a commit are handed to fan-out in memory, but memory is never their only place: after a crash, or when too much waits,
fan-out reads them from the log behind its cursor.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog
from sqlalchemy import Connection

from smspipe import destinations, eventlog, persons
from smspipe.capture import events_of
from smspipe.db import Writer
from smspipe.deliveries import budget, cooldowns, ledger, metrics, paces, passes, velocity
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.states import target
from smspipe.destinations import Keyring
from smspipe.model.delivery import Delivery, Status
from smspipe.model.destination import Destination
from smspipe.model.errors import Fault, Temporary
from smspipe.model.event import Event, Payload
from smspipe.model.filter import Shared
from smspipe.model.ids import DestinationId
from smspipe.model.outcome import Reason
from smspipe.optouts import Hasher
from smspipe.pipeline import fanout
from smspipe.pipeline.accept import Accept, Then
from smspipe.pipeline.dispatch import Dispatch
from smspipe.pipeline.fanout import Done, Entry, metric_of
from smspipe.pipeline.halt import Halt
from smspipe.pipeline.prepare import Plan, Site, obstacle, prepare_all
from smspipe.pipeline.settle import Heard
from smspipe.pipeline.sweep import Sweep
from smspipe.sending import Client
from smspipe.telemetry import before_reading, count, count_outcome, gauge

log = structlog.get_logger("smspipe.pipe")

_GROUP_EVENTS = 1000
"""Events in one fan-out transaction, so that no commit waits long for another's group."""
_READ_BYTES = 8 * 2**20
_MEMORY_BYTES = 32 * 2**20
"""Bodies handed over in memory; beyond it fan-out reads from the log."""
_PERSONS = 4000
"""Profiles in memory, 3 KiB each with what browsers tell of them."""
_HOUSEKEEPING_SECONDS = 3600.0
_WAIT_AFTER_FAULT = 1.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait where."""

    accept_bytes: int = 64 * 2**20
    """Bodies that wait for their commit."""
    backlog_requests: int = 100_000
    """Requests in the log that fan-out has not come to; beyond it capture answers 503."""
    slots: int = 64
    """Deliveries that may be SENDING at once."""


class Pipe:
    """One machine's pipeline. All of it belongs to the event loop, but for the jobs that it hands to the writer."""

    def __init__(
        self,
        *,
        writer: Writer,
        client: Client,
        keyring: Keyring,
        hasher: Hasher,
        site: Site,
        clock: Callable[[], datetime],
        limits: Limits,
        callback: Callable[[Delivery], str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Prepare; `start` begins.

        Args:
            writer: who commits.
            client: who speaks to Twilio.
            keyring: opens the destinations' secrets.
            hasher: of the register of opt-outs.
            site: what all destinations share.
            clock: what time it is.
            limits: how much may wait where.
            callback: gives the address that Twilio reports a delivery's fate to; None to ask for no reports.
            monotonic: seconds by a clock that nobody sets.
            chance: random numbers from 0 to 1, which spread retries.
        """
        self._writer = writer
        self._keyring = keyring
        self._clock = clock
        self._limits = limits
        self._cache = persons.Cache(limit=_PERSONS)
        self._entries: deque[tuple[int, Sequence[Event], int]] = deque()
        self._entries_bytes = 0
        self._position = 0
        """How far fan-out has come."""
        self._last = 0
        """The newest position in the log."""
        self._behind = True
        self._fanning = False
        self._fan_idle = asyncio.Event()
        self._fan_idle.set()
        self._cannot_write = False
        self._careful_until = 0
        """Up to this position requests are decided on one at a time, to find the one that cannot be."""
        self._reloading = False
        self._reload_again = False
        self._metrics: Counter[tuple[DestinationId, str]] = Counter()
        self._unmatched_of = 0
        """Events that the plan has met since their misses were counted, and at which destinations they matched."""
        self._matched: Counter[DestinationId] = Counter()
        self._flush: asyncio.TimerHandle | None = None
        self._ending = False
        self._loop: asyncio.AbstractEventLoop | None = None
        """None until it starts."""
        self._site = site
        self._hasher = hasher
        self.plan = Plan()
        self.accept = Accept(writer, self._committed, most_bytes=limits.accept_bytes)
        self.dispatch = Dispatch(
            client=client,
            writer=writer,
            clock=clock,
            plan=lambda: self.plan,
            paused=lambda _: self.changed(),
            settled=self._settled,
            asks=lambda at: self.sweep.expect(at),
            callback=callback,
            hasher=hasher,
            slots=limits.slots,
            chance=chance,
        )
        self.halt = Halt(writer=writer, client=client, clock=clock, settled=self._settled)
        self.sweep = Sweep(
            client=client,
            writer=writer,
            keyring=keyring,
            clock=clock,
            monotonic=monotonic,
            told=callback is not None,
            hasher=hasher,
            heard=self.heard,
            moved=self._moved,
            mended=self.changed,
            busy=lambda: self.dispatch.busy,
        )

    async def start(self) -> None:
        """Take up what the last run left: deliveries in doubt, destinations, events not looked at."""
        self._loop = asyncio.get_running_loop()
        self._position, self._last, lost = await asyncio.wrap_future(self._writer.run_job(self._take_up))
        if lost:
            log.warning("deliveries_unconfirmed", deliveries=lost, why="The last run ended while they were being sent.")
        await self._reload()
        before_reading(self._count_unmatched)
        self.dispatch.start()
        self.sweep.start()
        self._fan_out()
        self._keep_house()

    async def stop(self) -> None:
        """Finish what was begun: answers are written down, counts too; what waits, waits in the ledger and the log."""
        self._ending = True
        await self.sweep.stop()
        await self.dispatch.stop()
        await self._fan_idle.wait()
        await self.dispatch.stop()
        if self._metrics or self._unmatched_of:
            try:
                await asyncio.wrap_future(self._writer.run_job(self._write_metrics(self._take_metrics())))
            except Temporary as error:
                log.error("counts_not_written", error=str(error))

    def offer(self, payload: Payload, events: Sequence[Event], then: Then) -> bool:
        """Take a request for the log; False when too much waits, so that its answer must be 503."""
        if self._ending or self._last - self._position > self._limits.backlog_requests:
            return False
        return self.accept.offer(payload, events, then)

    def changed(self) -> None:
        """Say that destinations changed: they are loaded and compiled anew, and what is mended is let go."""
        if self._reloading:
            self._reload_again = True
            return
        self._reloading = True
        task = asyncio.get_running_loop().create_task(self._reload())
        task.add_done_callback(self._reloaded)

    async def reload(self) -> None:
        """Load and compile the destinations now, and return when new events meet them."""
        await self._reload()

    def erased(self, delivery: Delivery) -> None:
        """Count a text that waited, and whose recipient was erased."""
        self._count(delivery.destination_id, Status.SUPPRESSED.value, Reason.ERASED, 1)

    def forget_memory(self) -> None:
        """Read profiles and events from the database again; in the writer's thread, in a job that changes them."""
        self._cache.clear()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._read_again)

    def _read_again(self) -> None:
        self._entries.clear()
        self._entries_bytes = 0
        self._behind = True
        self._fan_out()

    def longest_age(self) -> timedelta:
        """Give the age up to which some destination that is switched on texts of an event."""
        return max((each.destination.max_age for each in self.plan.destinations.values()), default=timedelta())

    def unready(self) -> str | None:
        """Say in a sentence why this service should get no events now; None when it should."""
        if self._ending:
            return "The service is stopping."
        if self._last - self._position > self._limits.backlog_requests:
            return "Too many events wait to be decided on."
        if self._cannot_write:
            return "The database cannot be written."
        return None

    def _reloaded(self, task: "asyncio.Task[None]") -> None:
        self._reloading = False
        if (error := task.exception()) is not None:
            log.error("reload_failed", error=str(error))
            asyncio.get_running_loop().call_later(_WAIT_AFTER_FAULT, self.changed)
        elif self._reload_again:
            self._reload_again = False
            self.changed()

    def _take_up(self, connection: Connection) -> tuple[int, int, int]:
        now = self._clock()
        self.halt.take_up(connection)
        lost = ledger.lose_sending(connection, now, now)
        return eventlog.position_of(connection, fanout.READER), eventlog.last_position(connection), lost

    async def _reload(self) -> None:
        loaded, shared = await asyncio.wrap_future(self._writer.run_job(self._load))
        self._count_unmatched()
        self.plan = prepare_all(loaded, self._site.sharing(shared), _tell_broken, self.plan)
        self.dispatch.unblock()
        self.dispatch.wake()

    def _load(self, connection: Connection) -> tuple[list[Destination], Shared]:
        """Read the destinations that are on, and what filters refer to; let go what was held for those that run."""
        loaded = [each for each in destinations.load_all(connection, self._keyring) if each.enabled]
        for destination in ledger.holding(connection):
            if any(each.id == destination and obstacle(each) is None for each in loaded):
                ledger.release(connection, destination, self._clock())
        return loaded, destinations.load_shared(connection)

    def _committed(self, requests: Sequence[tuple[int, Sequence[Event], int]]) -> None:
        """Hand the requests of a commit to fan-out."""
        if not requests:
            return
        self._last = requests[-1][0]
        if not self._behind:
            self._entries.extend(requests)
            self._entries_bytes += sum(size for _, _, size in requests)
            if self._entries_bytes > _MEMORY_BYTES:
                self._behind = True
                self._entries.clear()
                self._entries_bytes = 0
        self._fan_out()

    def _fan_out(self) -> None:
        """Decide on the next group, unless one is being decided on."""
        gauge("smspipe_backlog_events", self._last - self._position)
        if self._fanning or self._position >= self._last:
            self._behind = self._behind and self._position < self._last
            return
        if self._ending and not self._entries:
            return
        entries: list[Entry] = []
        events = 0
        while self._entries and events < _GROUP_EVENTS:
            position, batch, size = self._entries.popleft()
            self._entries_bytes -= size
            events += len(batch)
            entries.append((position, batch))
        self._fanning = True
        self._fan_idle.clear()
        reserved = self.dispatch.reserve(self._limits.slots)
        plan = self.plan
        one = self._position < self._careful_until
        self._writer.submit(
            lambda connection: self._run(connection, entries, plan, reserved, one=one),
            lambda done, error: self._fanned(done, error, reserved),
        )

    def _run(self, connection: Connection, entries: list[Entry], plan: Plan, free: int, *, one: bool) -> Done:
        """Fan out in the writer's thread; without entries, read them behind the cursor (`one`: only the next)."""
        if not entries:
            after = eventlog.position_of(connection, fanout.READER)
            entries = [
                (at, events_of(payload))
                for at, payload in eventlog.read_after(connection, after, 0 if one else _READ_BYTES)
            ]
            if not entries:
                return Done(position=after)
        return fanout.run(connection, entries, plan, self._cache, self._clock(), hasher=self._hasher, free=free)

    def _fanned(self, done: Done | None, error: BaseException | None, reserved: int) -> None:
        self._fanning = False
        self._fan_idle.set()
        if error is not None or done is None:
            self.dispatch.take((), reserved)
            self._undone(error)
            return
        self._position = done.position
        self._cannot_write = False
        self.dispatch.take(done.sending, reserved, done.waiting)
        for (destination, outcome, reason), n in done.outcomes.items():
            self._count(destination, outcome, reason, n)
            if outcome == Status.HELD:
                self._held(destination)
        self._tell_of_limits(done)
        self._unmatched_of += done.events
        self._matched.update(done.matched)
        self._flush_soon()
        self._fan_out()

    def replayed(self, done: Done) -> None:
        """Act on what a transaction of a replay led to, after its commit."""
        for (destination, outcome, reason), n in done.outcomes.items():
            self._count(destination, outcome, reason, n)
        if done.waiting:
            self.dispatch.wake(len(done.waiting))

    def heard(self, heard: Heard) -> None:
        """Act on a receipt, after its commit."""
        if heard.settlement is not None:
            self._moved(heard.settlement)
        if heard.paused is not None:
            self.changed()

    def _tell_of_limits(self, done: Done) -> None:
        """Tell of budgets that run out, and count texts that another destination sends, too."""
        if done.identical:
            count("smspipe_identical_texts_total", done.identical)
        for purse in done.low:
            count("smspipe_budget_warnings_total")
            log.warning(
                "budget_low",
                destination=purse.scope or None,
                period=purse.period,
                why="Four fifths of the budget are spent or set aside; at its limit no more texts are sent.",
            )

    def _moved(self, settlement: Settlement) -> None:
        """Act on a move that what Twilio told about a text led to, after its commit."""
        delivery, status = settlement.delivery, target(settlement.move)
        if status is Status.PENDING:
            self.dispatch.wake(1)
        else:
            self._count(delivery.destination_id, status.value, settlement.reason or "", 1)
        if delivery.sid is None and status in (Status.DELIVERED, Status.UNDELIVERED):
            # it came to its end without the answer that says that Twilio took it
            self._metrics[delivery.destination_id, metric_of(Status.ACCEPTED, "")] += 1
        if settlement.ask_at is not None:
            self.sweep.expect(settlement.ask_at)
        log.info(
            "receipt",
            delivery=delivery.id,
            destination=delivery.destination_id,
            event_uuid=delivery.event_uuid,
            status=status.value,
            was=delivery.status.value,
            reason=settlement.reason,
            code=settlement.error_code,
            sid=settlement.sid,
        )

    def _settled(self, destination: DestinationId, status: Status, reason: Reason | None) -> None:
        self._count(destination, status.value, reason or "", 1)
        if status is Status.HELD:
            self._held(destination)

    def _held(self, destination: DestinationId) -> None:
        """Let go again what was held by a plan that had just been replaced: nobody else would."""
        prepared = self.plan.destinations.get(destination)
        if prepared is not None and obstacle(prepared.destination) is None:
            self.changed()

    def _count(self, destination: DestinationId, outcome: str, reason: str, n: int) -> None:
        """Count what became of `n` events; a pending delivery will count once more when it ends."""
        if outcome != "pending":
            count_outcome(destination, outcome, reason, n)
        self._metrics[destination, metric_of(outcome, reason)] += n
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flush is None and not self._ending:
            self._flush = asyncio.get_running_loop().call_later(1.0, self._flush_metrics)

    def _count_unmatched(self) -> None:
        """
        Count the events that plainly did not match, for each destination of the plan that they met.

        Done when somebody looks, at each flush, and before the plan changes: with a thousand destinations, counting
        them for every group would cost more than deciding on it.
        """
        events, matched = self._unmatched_of, self._matched
        if not events:
            return
        self._unmatched_of, self._matched = 0, Counter()
        for destination in self.plan.destinations:
            if missed := events - matched[destination]:
                count_outcome(destination, "no_match", Reason.NO_MATCH, missed)
                self._metrics[destination, metric_of("no_match", Reason.NO_MATCH)] += missed

    def _undone(self, error: BaseException | None) -> None:
        """
        Begin again after a group that could not be decided on.

        A database that cannot be written is asked again a second later. Anything else is a fault of ours that one of
        the group's requests meets: they are taken one at a time, and the one that fails alone is passed over, loudly,
        so that it does not stop all that come after it. It stays in the log.
        """
        # Profiles in memory may be ahead of those on disk, and what was handed over is behind the cursor no more.
        self._cache.clear()
        self._entries.clear()
        self._entries_bytes = 0
        self._behind = True
        count("smspipe_faults_total")
        log.error("fanout_failed", error=str(error), kind=type(error).__name__, after=self._position)
        if isinstance(error, Temporary):
            self._cannot_write = True
            asyncio.get_running_loop().call_later(_WAIT_AFTER_FAULT, self._fan_out)
        elif self._position >= self._careful_until:
            self._careful_until = self._last
            self._fan_out()
        else:
            self._fanning = True
            self._writer.submit(self._pass_over, lambda done, fault: self._fanned(done, fault, 0))

    def _pass_over(self, connection: Connection) -> Done:
        position = eventlog.position_of(connection, fanout.READER) + 1
        eventlog.move_cursor(connection, fanout.READER, position)
        log.error(
            "request_passed_over", position=position, why="Its events could not be decided on; see the fault before."
        )
        return Done(position=position)

    def _keep_house(self) -> None:
        """Forget, once an hour, the cooldown windows that have ended, the senders that are ready, and old counts."""
        if self._ending:
            return
        now = self._clock()

        def then(_: None, error: BaseException | None) -> None:
            if error is not None:
                log.error("housekeeping_failed", error=str(error))

        def job(connection: Connection) -> None:
            cooldowns.forget_ended(connection, now)
            velocity.forget_old(connection, now)
            paces.forget_ready(connection, now)
            passes.forget_old(connection, now)
            budget.forget_old(connection, now)

        self._writer.submit(job, then)
        asyncio.get_running_loop().call_later(_HOUSEKEEPING_SECONDS, self._keep_house)

    def _flush_metrics(self) -> None:
        self._flush = None
        taken = self._take_metrics()

        def then(_: None, error: BaseException | None) -> None:
            if error is not None:
                self._metrics.update(taken)

        try:
            self._writer.submit(self._write_metrics(taken), then)
        except Temporary:
            self._metrics.update(taken)

    def _take_metrics(self) -> Counter[tuple[DestinationId, str]]:
        self._count_unmatched()
        taken, self._metrics = self._metrics, Counter()
        return taken

    def _write_metrics(self, taken: Counter[tuple[DestinationId, str]]) -> Callable[[Connection], None]:
        now = self._clock()
        return lambda connection: metrics.add(connection, taken, now)


def _tell_broken(destination: Destination, fault: Fault) -> None:
    count("smspipe_faults_total")
    log.error("destination_does_not_compile", destination=destination.id, error=str(fault))

"""
What happens to a text after it was accepted, and the callbacks that tell of it.

    no service ─► queued ─┐
    service ─► accepted ──┴► (queued) ─► sending ─► sent ─► delivered
    scheduled ─► accepted          any ─► failed      └───► undelivered, or `sent` for ever
        └─► canceled

No callback tells of the first status: it is in the answer of the request. Callbacks of one text
go out one after the other, as fast as the customer takes them; the text itself does not wait.

Besides the rules of `faults`, the number itself decides: a recipient whose last five digits are
a delivery code (`+1415553|0003` has none, `+141555|30003` has) meets that outcome.

Source:
    https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, NamedTuple

from smspipe.sandbox.account import Account
from smspipe.sandbox.checks import is_toll_free
from smspipe.sandbox.codes import DELIVERY_FAILURES, NEVER_LEFT_TWILIO
from smspipe.sandbox.faults import Fault, Plan, chance
from smspipe.sandbox.messages import API_VERSION, Message, Status
from smspipe.sandbox.webhooks import Webhooks


class _Ending(NamedTuple):
    """How a text ends: its last status, None to stay `sent`."""

    status: Status | None
    code: int | None = None


class Lives:
    """All texts on their way, as background tasks."""

    def __init__(self, account: Account, webhooks: Webhooks) -> None:
        self._account = account
        self._webhooks = webhooks
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled: list[tuple[Message, Plan, _Reports]] = []
        self._watch: asyncio.Task[None] | None = None

    def begin(self, message: Message, plan: Plan) -> None:
        """Send an accepted text on its way, or keep a scheduled one until its time."""
        reports = _Reports(self, message, plan)
        if message.status is Status.SCHEDULED:
            self._scheduled.append((message, plan, reports))
            if self._watch is None or self._watch.done():
                self._watch = asyncio.create_task(self._watch_schedule())
        else:
            self._start(self._live(message, plan, reports))

    def release_due(self) -> None:
        """Start every scheduled text whose time has come by the account's clock, and drop what was canceled."""
        now = self._account.clock()
        waiting = []
        for message, plan, reports in self._scheduled:
            if message.status is Status.CANCELED:
                reports.add(callback_fields(message, now))
                reports.finish()
            elif message.send_at is not None and message.send_at > now:
                waiting.append((message, plan, reports))
            else:
                self._move(message, Status.ACCEPTED, reports)
                self._start(self._live(message, plan, reports))
        self._scheduled = waiting

    async def drain(self) -> None:
        """Wait until every text but the scheduled has reached its end, and every callback was answered or given up."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """End all tasks where they are."""
        tasks = self._tasks | ({self._watch} if self._watch else set())
        self._scheduled.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watch_schedule(self) -> None:
        """Look for due texts once a second; every request looks as well, so a clock of tests needs no wait."""
        while self._scheduled:
            await asyncio.sleep(1)
            self.release_due()

    async def _live(self, message: Message, plan: Plan, reports: "_Reports") -> None:
        if message.status is Status.ACCEPTED:
            await self._step()
            self._choose_sender(message)
            self._move(message, Status.QUEUED, reports)
        await self._leave_queue(message, self._ending_of(message, plan), reports)
        reports.finish()

    async def _leave_queue(self, message: Message, ending: _Ending, reports: "_Reports") -> None:
        step = self._account.settings.step_seconds
        if step > message.validity.total_seconds():
            await asyncio.sleep(message.validity.total_seconds())
            self._move(message, Status.FAILED, reports, 30036)
            return
        await self._step()
        self._move(message, Status.SENDING, reports)
        await self._step()
        if ending.status is Status.FAILED:
            self._move(message, Status.FAILED, reports, ending.code)
            return
        self._move(message, Status.SENT, reports)
        if ending.status is not None:
            await self._step()
            self._move(message, ending.status, reports, ending.code)

    async def _step(self) -> None:
        await asyncio.sleep(self._account.settings.step_seconds)

    def _choose_sender(self, message: Message) -> None:
        if message.service is None:
            return
        if message.sender is None:
            pool = self._account.pool(message.service)
            # One recipient always hears from the same sender of a pool.
            message.sender = pool[int(chance(message.to) * len(pool))] if pool else None
        if message.sender is not None:
            self._account.note_sender(message.sender, message.service)

    def _ending_of(self, message: Message, plan: Plan) -> _Ending:
        if plan.delivery is not None:
            code = plan.delivery.code
            match plan.delivery.fault:
                case Fault.NO_RECEIPT:
                    return _Ending(None)
                case Fault.FAILED:
                    return _Ending(Status.FAILED, code or 30008)
                case _:
                    return _Ending(Status.UNDELIVERED, code or 30003)
        sender = message.sender
        if sender is None:
            return _Ending(Status.FAILED, 30001)
        if is_toll_free(sender) and self._account.has_opted_out(message.to, sender):
            return _Ending(Status.UNDELIVERED, 30004)
        digits = message.to[-5:]
        if digits.isdecimal() and int(digits) in DELIVERY_FAILURES:
            code = int(digits)
            return _Ending(Status.FAILED if code in NEVER_LEFT_TWILIO else Status.UNDELIVERED, code)
        return _Ending(Status.DELIVERED)

    def _move(self, message: Message, status: Status, reports: "_Reports", code: int | None = None) -> None:
        now = self._account.clock()
        message.move(status, now, code)
        reports.add(callback_fields(message, now))

    def post_after(
        self,
        previous: "asyncio.Task[None] | None",
        message: Message,
        url: str,
        fields: list[tuple[str, str]],
        *,
        token: str,
        delay_seconds: float,
    ) -> "asyncio.Task[None]":
        """Post a status callback once `previous` was answered or given up, and keep what became of it."""

        async def post() -> None:
            await asyncio.sleep(delay_seconds)
            if previous is not None:
                await asyncio.wait({previous})
            outcome = await self._webhooks.post(url, fields, token)
            self._account.callbacks.append(
                {
                    "sid": message.sid,
                    "message_status": dict(fields)["MessageStatus"],
                    "url": url,
                    "attempts": outcome.attempts,
                    "status": outcome.status,
                    "problem": outcome.problem,
                }
            )

        return self._start(post())


class _Reports:
    """The callbacks of one text, in order, unless a fault has it otherwise."""

    def __init__(self, lives: Lives, message: Message, plan: Plan) -> None:
        self._lives = lives
        self._message = message
        self._fault = plan.callbacks.fault if plan.callbacks else None
        self._delay_seconds = plan.seconds_of(Fault.CALLBACKS_DELAYED)
        self._last: asyncio.Task[None] | None = None
        self._held: list[list[tuple[str, str]]] = []
        self._sent = 0

    def add(self, fields: list[tuple[str, str]]) -> None:
        """Tell of one status, now or at the end."""
        if self._fault is Fault.CALLBACKS_REORDERED:
            self._held.append(fields)
        elif self._fault is not Fault.CALLBACKS_LOST:
            self._send(fields)

    def finish(self) -> None:
        """Send what was held back, the last status first."""
        for fields in reversed(self._held):
            self._send(fields)
        self._held.clear()

    def _send(self, fields: list[tuple[str, str]]) -> None:
        url = self._message.callback_url
        if url is None:
            return
        self._sent += 1
        token = f"{self._message.sid}-{self._sent}"
        for _ in range(2 if self._fault is Fault.CALLBACKS_DOUBLED else 1):
            self._last = self._lives.post_after(
                self._last, self._message, url, fields, token=token, delay_seconds=self._delay_seconds
            )


def callback_fields(message: Message, now: datetime) -> list[tuple[str, str]]:
    """Write the form fields of a status callback."""
    fields = {
        "AccountSid": message.account_sid,
        "ApiVersion": API_VERSION,
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": message.status.value,
        "SmsStatus": message.status.value,
        "From": message.sender or "",
        "To": message.to,
    }
    if message.service is not None:
        fields["MessagingServiceSid"] = message.service
    if message.error_code is not None:
        fields["ErrorCode"] = str(message.error_code)
        fields["ErrorMessage"] = DELIVERY_FAILURES.get(message.error_code, "Unknown error")
    if message.status in {Status.DELIVERED, Status.UNDELIVERED}:
        fields["RawDlrDoneDate"] = now.astimezone(UTC).strftime("%y%m%d%H%M")
    return list(fields.items())

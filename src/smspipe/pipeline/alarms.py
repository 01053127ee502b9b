"""
Alarms: ask every few seconds what is wrong, raise each trouble once, and tell of it.

Each trouble is told to the log and the API, and, if wished, to a webhook and by text to the person on call: when it
begins, once a day while it lasts, and when it is over. What a webhook has not taken is told again, less and less often;
a text is tried once, at most one an hour for the same trouble.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from smspipe import optouts
from smspipe.db import Database, Writer
from smspipe.deliveries import alarms
from smspipe.deliveries.alarms import Alarm, Kind, State
from smspipe.destinations import Keyring
from smspipe.destinations.oncall import OnCall, get_on_call, get_secret
from smspipe.model.ids import DestinationId
from smspipe.pipeline.conditions import QUESTIONS, Condition, Question
from smspipe.pipeline.prepare import Plan, obstacle
from smspipe.pipeline.telling import body_of, post, sign
from smspipe.rendering import message
from smspipe.sending import Accepted, Client, build_request
from smspipe.telemetry import count, gauge

log = structlog.get_logger("smspipe.alarms")

EVERY_SECONDS: Final = 15.0
REMINDED_AFTER: Final = timedelta(days=1)
_TEXTED_AFTER: Final = timedelta(hours=1)
_TOLD_AGAIN: Final = timedelta(seconds=30)
_MOST_TRIES: Final = 12
"""Half a minute, doubled eleven times: for seventeen hours."""
_LONGEST_TEXT: Final = 300


class Alarms:
    """The one timer; belongs to the event loop but for its jobs."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        client: Client,
        keyring: Keyring,
        hasher: optouts.Hasher,
        clock: Callable[[], datetime],
        plan: Callable[[], Plan],
        private: bool = False,
        questions: Mapping[Kind, Question] = QUESTIONS,
    ) -> None:
        """
        Prepare; `start` begins.

        Args:
            database: what is wrong is asked of it.
            writer: who commits.
            client: who texts the person on call.
            keyring: opens the secret that a webhook's messages are signed with.
            hasher: of the register of opt-outs, which holds for that person too.
            clock: what time it is.
            plan: the destinations as they are now.
            private: webhooks at private addresses are told as well.
            questions: what can be wrong.
        """
        self._database = database
        self._writer = writer
        self._client = client
        self._keyring = keyring
        self._hasher = hasher
        self._clock = clock
        self._plan = plan
        self._private = private
        self._questions = questions
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look every few seconds until `stop`."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Look no more; what was not told is told after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 (whatever it is, the next round must come)
                count("smspipe_faults_total")
                log.error("alarms_failed", error=str(error), kind=type(error).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Ask once what is wrong, write down what is new or over, and tell of it."""
        now, plan = self._clock(), self._plan()
        wrong, known = await asyncio.to_thread(self._ask, plan, now)
        changed: list[Alarm] = []
        if _differ(wrong, known, now):
            changed = await asyncio.wrap_future(self._writer.run_job(lambda connection: _write(connection, wrong, now)))
        gauge("smspipe_alarms", len(wrong))
        for each in changed:
            log.warning("alarm", alarm=each.id, kind=each.kind.value, state=each.state.value,
                        destination=each.destination_id or None, what=each.what)  # fmt: skip
        await self._tell(changed, plan, now)

    def _ask(self, plan: Plan, now: datetime) -> tuple[list[Condition], list[Alarm]]:
        with self._database.read() as connection:
            wrong = [each for ask in self._questions.values() for each in ask(connection, plan, now)]
            return wrong, alarms.list_open(connection)

    async def _tell(self, changed: Sequence[Alarm], plan: Plan, now: datetime) -> None:
        """Tell the webhook of everything that is due, and text what changed."""

        def read() -> tuple[OnCall, list[Alarm], str | None]:
            with self._database.read() as connection:
                on_call, due = get_on_call(connection), alarms.to_tell(connection, now)
                return on_call, due, get_secret(connection, self._keyring) if on_call.webhook_url and due else None

        on_call, due, secret = await asyncio.to_thread(read)
        if on_call.text_to is not None and changed:
            await self._text(on_call, changed, plan, now)
        await asyncio.gather(*(self._post(on_call.webhook_url, each, secret, plan, now) for each in due))

    async def _post(self, url: str | None, alarm: Alarm, secret: str | None, plan: Plan, now: datetime) -> None:
        why = None
        if url is not None:
            prepared = plan.destinations.get(DestinationId(alarm.destination_id))
            body = body_of(alarm, None if prepared is None else prepared.destination.name, now)
            signature = None if secret is None else sign(secret, body, now)
            why = await post(url, body, signature, private=self._private)
        again = None
        if why is not None:
            if alarm.tries < _MOST_TRIES:
                again = now + _TOLD_AGAIN * 2**alarm.tries
            log.warning("alarm_not_told", alarm=alarm.id, kind=alarm.kind.value, why=why, tries=alarm.tries + 1)
        await asyncio.wrap_future(self._writer.run_job(lambda connection: alarms.tell_again(connection, alarm, again)))

    async def _text(self, on_call: OnCall, changed: Sequence[Alarm], plan: Plan, now: datetime) -> None:
        """Text the person on call, once for each trouble an hour; no answer leads to another try."""
        prepared = plan.destinations.get(on_call.destination_id) if on_call.destination_id is not None else None
        account = None if prepared is None else prepared.destination.account
        why, sender, to = None, "", on_call.text_to
        if prepared is None or account is None or (why := obstacle(prepared.destination)) is not None:
            why = why or "The destination that it would leave with is off, or has no account."
        elif isinstance(prepared.sender, str):
            sender = prepared.sender
        else:
            why = "The sender of the destination that it would leave with is a template."
        if to is not None and why is None and account is not None:

            def choose(connection: Connection) -> list[Alarm]:
                if optouts.opted_out(connection, self._hasher, [(to, sender)]):
                    return []
                return alarms.may_text(connection, changed, now - _TEXTED_AFTER, now)

            for each in await asyncio.wrap_future(self._writer.run_job(choose)):
                text = f"smspipe: {each.kind.value} {each.state.value}. {each.what}"[:_LONGEST_TEXT]
                answer = await self._client.send(build_request(message(to, sender, text), account))
                if not isinstance(answer, Accepted):
                    log.warning("alarm_not_told", alarm=each.id, kind=each.kind.value, why=answer.saw, tries=1)
        elif why is not None:
            for each in changed:
                log.warning("alarm_not_told", alarm=each.id, kind=each.kind.value, why=why, tries=0)


Identity = tuple[Kind, str]


def _differ(wrong: Sequence[Condition], known: Sequence[Alarm], now: datetime) -> bool:
    """Say whether anything is to be written down."""
    open_ = {(each.kind, each.destination_id) for each in known}
    return open_ != {(each.kind, each.destination_id) for each in wrong} or any(
        now - each.reminded_at >= REMINDED_AFTER for each in known
    )


def _write(connection: Connection, wrong: Sequence[Condition], now: datetime) -> list[Alarm]:
    """Raise what is new, remind of what has lasted for a day, end what is over; give all that is to be told."""
    known = {(each.kind, each.destination_id): each for each in alarms.list_open(connection)}
    changed: list[Alarm] = []
    still: dict[Identity, Condition] = {(each.kind, each.destination_id): each for each in wrong}
    for (kind, destination), each in still.items():
        alarm = known.get((kind, destination))
        if alarm is None:
            changed.append(alarms.open_(connection, kind, destination, each.what, now))
        elif now - alarm.reminded_at >= REMINDED_AFTER:
            changed.append(alarms.change(connection, alarm.id, State.REMINDED, each.what, now))
    changed += [
        alarms.change(connection, each.id, State.RESOLVED, each.what, now)
        for identity, each in known.items()
        if identity not in still
    ]
    return changed


__all__ = ["Alarms"]

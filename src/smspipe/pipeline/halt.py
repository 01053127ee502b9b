"""
Stop everything, and go on.

From the moment a stop is asked for, the client lets no request for a text out of the process, wherever it waits: for a
turn, for a connection, or in the ledger. The stop is answered once it is on disk too, where the next start finds it.
Capture, receipts and questions go on. What comes to be due meanwhile is held.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
import structlog
from sqlalchemy import Connection

from smspipe.db import Writer
from smspipe.deliveries import stop
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.stop import Stopped
from smspipe.model.delivery import Status
from smspipe.model.ids import DestinationId
from smspipe.model.outcome import Reason
from smspipe.sending import Client

log = structlog.get_logger("smspipe.halt")

_SAYS: Final = "Everything is stopped, so nothing was sent."
T = TypeVar("T")

_AT_ONCE: Final = 500
"""Texts that one transaction moves, so that events need not wait for all of them."""


class Held(StrEnum):
    """What becomes of what was held, when the stop ends."""

    SEND = "send"
    DROP = "drop"
    KEEP = "keep"
    """It stays held, until somebody resumes with another word."""


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """What ending a stop did."""

    was_stopped: bool
    sent: int = 0
    """Let go; they leave at their senders' pace."""
    dropped: int = 0
    kept: int = 0


class Halt:
    """The one switch; belongs to the event loop but for its jobs."""

    def __init__(
        self,
        *,
        writer: Writer,
        client: Client,
        clock: Callable[[], datetime],
        settled: Callable[[DestinationId, Status, Reason | None], None],
    ) -> None:
        """
        Prepare.

        Args:
            writer: who commits.
            client: who must let no request out.
            clock: what time it is.
            settled: told of every text that was dropped.
        """
        self._writer = writer
        self._client = client
        self._clock = clock
        self._settled = settled
        self._turn = asyncio.Lock()
        self._asked = 0
        """How often a stop was asked for: whoever ends one sees that another has come."""

    def take_up(self, connection: Connection) -> None:
        """Keep to the stop that an earlier run left; before anything is sent."""
        if stop.is_stopped(connection):
            self._client.halted = _SAYS

    async def stop(self, why: str, by: str) -> Stopped:
        """
        Stop everything, and return once that will outlive the process; a stop that is there is given back.

        Raises:
            Temporary: it could not be written down. Nothing leaves all the same, until this process ends.
        """
        self._client.halted = _SAYS
        self._asked += 1
        async with self._turn:
            asked = Stopped(at=self._clock(), why=why, by=by)
            made = await self._write(lambda connection: stop.begin(connection, asked))
        if made == asked:
            log.warning("everything_stopped", why=why, by=by)
        return made

    async def resume(self, held: Held) -> Resumed:
        """
        End the stop; whoever calls this wakes the sender.

        What is dropped is dropped before anything leaves; what is sent is let go after the stop has ended, in steps. A
        process that ends between two steps, or a new stop, leaves the rest held for another `resume`. Without a stop
        this decides on what an earlier one left held.
        """
        dropped = sent = 0
        asked = self._asked
        async with self._turn:
            step = self._drop if held is Held.DROP else self._end
            was_stopped, moves = await self._write(step)
            dropped += self._tell(moves)
            while len(moves) == _AT_ONCE and self._asked == asked:
                was_stopped, moves = await self._write(step)
                dropped += self._tell(moves)
            if self._asked == asked:
                self._client.halted = None
            while held is Held.SEND and self._asked == asked and (n := await self._write(self._release)):
                sent += n
            kept = await self._write(stop.held)
        log.warning("everything_resumed", was_stopped=was_stopped, sent=sent, dropped=dropped, kept=kept)
        return Resumed(was_stopped=was_stopped, sent=sent, dropped=dropped, kept=kept)

    def _tell(self, moves: Sequence[Settlement]) -> int:
        for each in moves:
            self._settled(each.delivery.destination_id, Status.SUPPRESSED, each.reason)
        return len(moves)

    def _end(self, connection: Connection) -> tuple[bool, list[Settlement]]:
        return stop.end(connection), []

    def _release(self, connection: Connection) -> int:
        return stop.release(connection, self._clock(), _AT_ONCE)

    def _drop(self, connection: Connection) -> tuple[bool, list[Settlement]]:
        """Drop the next of them, and end the stop with the last: what became due since is among them."""
        now = self._clock()
        if stop.is_stopped(connection):
            stop.hold_due(connection, now, _AT_ONCE)
        moves = stop.drop(connection, now, _AT_ONCE)
        return len(moves) < _AT_ONCE and stop.end(connection), moves

    async def _write(self, job: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._writer.run_job(job))

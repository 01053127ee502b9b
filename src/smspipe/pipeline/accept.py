"""
Accept: requests become durable together, and only then are answered.

All requests that arrive while the writer commits the group before them are the next group: one commit, one wait for the
disk, however many there are. What waits is bounded in bytes; beyond the bound the answer is 503, not a longer queue.
"""

from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from smspipe import eventlog
from smspipe.db import Writer
from smspipe.model.event import Event, Payload
from smspipe.telemetry import count, reached

Then = Callable[[bool], None]
"""Told whether the request is on disk."""
_Request = tuple[Payload, Sequence[Event], Then]


class Accept:
    """The way of requests into the event log. Everything but the job itself runs on the event loop."""

    def __init__(
        self,
        writer: Writer,
        committed: Callable[[Sequence[tuple[int, Sequence[Event], int]]], None],
        *,
        most_bytes: int = 64 * 2**20,
    ) -> None:
        """
        Prepare.

        Args:
            writer: who commits.
            committed: told each commit's requests as (position, events, body bytes), in order.
            most_bytes: how much may wait for its commit.
        """
        self._writer = writer
        self._committed = committed
        self._most_bytes = most_bytes
        self._waiting: deque[_Request] = deque()
        self._waiting_bytes = 0
        self._submitted = False

    def offer(self, payload: Payload, events: Sequence[Event], then: Then) -> bool:
        """
        Take a request and promise to call `then`; False, and no promise, when too much waits already.

        A request larger than all the room is taken when nothing else waits.
        """
        size = len(payload.body)
        if self._waiting_bytes and self._waiting_bytes + size > self._most_bytes:
            return False
        self._waiting_bytes += size
        self._waiting.append((payload, events, then))
        if not self._submitted:
            self._submitted = True
            group: list[_Request] = []
            self._writer.submit(lambda connection: self._append(connection, group), self._answer_group(group))
        return True

    def _append(self, connection: Connection, group: list[_Request]) -> int:
        """Write all that waits by now: the job looks when it runs, not when it was submitted."""
        reached("accept.before_log")
        self._submitted = False
        waiting = self._waiting
        while waiting:
            group.append(waiting.popleft())
        first = eventlog.append(connection, [payload for payload, _, _ in group]) if group else 0
        reached("accept.after_log")
        return first

    def _answer_group(self, group: list[_Request]) -> Callable[[int | None, BaseException | None], None]:
        def then(first: int | None, error: BaseException | None) -> None:
            if error is not None and not group:
                # The transaction ended before the job's turn came: what it would have taken waits still.
                self._submitted = False
                group.extend(self._waiting)
                self._waiting.clear()
            self._waiting_bytes -= sum(len(payload.body) for payload, _, _ in group)
            if error is None and first is not None:
                reached("accept.after_commit")
                self._committed(
                    [(first + place, events, len(payload.body)) for place, (payload, events, _) in enumerate(group)]
                )
                count("smspipe_events_accepted_total", sum(len(events) for _, events, _ in group))
            else:
                count("smspipe_requests_deferred_total", len(group))
            for _, _, answer in group:
                answer(error is None)

        return then

"""
How many requests each Twilio account gets at once: more while all goes well, half as many when Twilio says: too many.

Twilio limits the requests under way for an account and does not publish where; 429 is its only word about it.

Source:
    https://www.twilio.com/docs/usage/troubleshooting/error-handling-twilio-rest-api (429)
"""

from collections import deque
from collections.abc import Callable
from typing import Final

_FIRST: Final = 10.0
Start = Callable[[], None]


class _Lane:
    __slots__ = ("limit", "since_cut", "under_way", "waiting")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.under_way = 0
        self.since_cut = 0
        self.waiting: deque[Start] = deque()


class Lanes:
    """One lane an account, by its SID."""

    def __init__(self, most: int) -> None:
        """`most`: what no account gets more than."""
        self._most = float(most)
        self._lanes: dict[str, _Lane] = {}

    def enter(self, account: str, start: Start) -> None:
        """Begin a request now, or when one of the account's others has ended."""
        lane = self._lanes.get(account)
        if lane is None:
            lane = self._lanes[account] = _Lane(min(_FIRST, self._most))
        if lane.under_way >= int(lane.limit):
            lane.waiting.append(start)
            return
        lane.under_way += 1
        start()

    def leave(self, account: str, *, too_many: bool) -> None:
        """
        Note that a request has ended, and begin the next.

        After a window of answers without a complaint the limit is one more; `too_many` halves it, once for all the
        requests that were under way together.
        """
        lane = self._lanes[account]
        lane.under_way -= 1
        lane.since_cut += 1
        if not too_many:
            lane.limit = min(self._most, lane.limit + 1.0 / lane.limit)
        elif lane.since_cut >= lane.limit:
            lane.limit = max(1.0, lane.limit / 2)
            lane.since_cut = 0
        while lane.waiting and lane.under_way < int(lane.limit):
            lane.under_way += 1
            lane.waiting.popleft()()

    def limit(self, account: str) -> int:
        """Tell how many requests an account gets at once now."""
        lane = self._lanes.get(account)
        return int(lane.limit) if lane is not None else int(min(_FIRST, self._most))

"""
How fast a sender may go, in segments per second, so that texts wait here and not in Twilio's queue.

What waits here can still be stopped: by STOP, by quiet hours, by a person. What waits at Twilio cannot. Twilio drains a
sender's queue at these rates anyway, so nobody gets a text later for it.
"""

import math
import re
from datetime import datetime, timedelta
from typing import Final

_SHORT_CODE: Final = re.compile(r"\d{3,8}").fullmatch
_TOLL_FREE: Final = re.compile(r"\+1(?:800|833|844|855|866|877|888)\d{7}").fullmatch
_NORTH_AMERICAN: Final = re.compile(r"\+1\d{10}").fullmatch
_CHANNEL: Final = re.compile(r"[a-z]+:").match
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}").fullmatch

LONGEST_SEGMENTS: Final = 24
"""Segments of the longest text that Twilio takes (1600 UTF-16 units in UCS-2)."""


def default_pace(sender: str) -> float | None:
    """
    Give the segments per second that Twilio sends for a sender unless it was told otherwise; None for no limit of ours.

    A Messaging Service has as many as its senders have together, which only its owner knows.

    Source:
        https://www.twilio.com/docs/messaging/guides/scaling-queueing-latency (defaults; registered senders have more)
    """
    if _SERVICE(sender):
        return None
    if _CHANNEL(sender):
        return 80.0
    if _SHORT_CODE(sender):
        return 100.0
    if _TOLL_FREE(sender):
        return 3.0
    if _NORTH_AMERICAN(sender):
        return 1.0
    return 10.0


def take_turn(ready_at: datetime | None, now: datetime, segments: int, pace: float) -> tuple[datetime, datetime | None]:
    """
    Let a text of a sender leave now, or say when it may.

    A second's worth may leave at once, and at 1 a second or less one text; over any time T no more than
    `pace` × (T + 1 s) segments begin, and one text.

    Args:
        ready_at: when all that was let go before will have left, None when there was nothing.
        now: the time.
        segments: of the text.
        pace: segments per second.

    Returns:
        The new `ready_at`, and None when the text may leave; else `ready_at` as it was, and when to come again.

    Source:
        https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
    """
    ahead = timedelta(seconds=max(0.0, 1.0 - 1.0 / pace))
    # No clock that is right can be further behind than this: one that was set back must not silence the sender.
    latest = now + ahead + timedelta(seconds=LONGEST_SEGMENTS / pace)
    at = max(now, min(ready_at, latest)) if ready_at is not None else now
    if at - now > ahead:
        return at, at - ahead
    return at + timedelta(seconds=max(1, segments) / pace), None


def spell_pace(pace: float) -> str:
    """Write a pace for a person: `3 segments a second`, `1 segment every 2 seconds`."""
    if pace >= 1:
        return f"{pace:g} segment{'' if pace == 1 else 's'} a second"
    return f"1 segment every {math.ceil(1 / pace)} seconds"

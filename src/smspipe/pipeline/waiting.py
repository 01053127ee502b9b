"""Waiting time: when a text that waits for its sender's pace is likely to leave, and what is before it."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from smspipe.deliveries import paces, queries
from smspipe.guards.pace import spell_pace
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DestinationId

PaceOf = Callable[[DestinationId, str], float | None]
"""The pace of a destination's sender in segments per second, None for none."""


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """How long a text is likely to wait for its sender."""

    sends_at: datetime
    segments_before: int
    """Segments of the older texts that wait for the same sender."""
    whole: bool
    """False when there are more than were looked at, so that it takes longer."""
    pace: float
    """Segments a second."""


def estimate(connection: Connection, delivery: Delivery, pace_of: PaceOf, now: datetime) -> Wait | None:
    """
    Estimate when a text that waits will leave; None for one that does not wait, or whose sender has no pace.

    Destinations that share a sender are served in turn, and here by age alone: the sum is the same for all of them.
    What somebody else puts before it (a retry, a text put off) is not known yet.
    """
    if delivery.status is not Status.PENDING or delivery.sender is None:
        return None
    pace = pace_of(delivery.destination_id, delivery.sender)
    if pace is None:
        return None
    before, whole = queries.segments_before(connection, delivery)
    ready_at = max(paces.read(connection, [delivery.sender]).get(delivery.sender, now), now)
    # a second's worth leaves at once, as the guard lets it
    burst = timedelta(seconds=max(0.0, 1.0 - 1.0 / pace))
    sends_at = max(now, ready_at + timedelta(seconds=before / pace) - burst)
    if delivery.not_before is not None:
        sends_at = max(sends_at, delivery.not_before)
    return Wait(sends_at=sends_at, segments_before=before, whole=whole, pace=pace)


def spell_wait(wait: Wait, now: datetime) -> str:
    """Say it for a person: `It leaves in about 4 minutes: 231 segments are before it at 1 segment a second.`"""
    least = "" if wait.whole else "at least "
    segments = f"{wait.segments_before} segment{' is' if wait.segments_before == 1 else 's are'}"
    return f"It leaves in {_spell_span(wait.sends_at - now)}: {least}{segments} before it, at {spell_pace(wait.pace)}."


def _spell_span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 1.5 * size:
            return f"about {round(seconds / size)} {name}s"
    return f"about {round(seconds)} seconds" if seconds >= 2 else "a moment"

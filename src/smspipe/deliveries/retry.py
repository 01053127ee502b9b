"""When to try again what was certainly not sent, and when to ask about what may have been."""

from datetime import datetime, timedelta
from typing import Final

from smspipe.model.delivery import Status

_FIRST = timedelta(seconds=0.5)
_LONGEST = timedelta(seconds=60)


def next_try(attempts: int, asked: timedelta | None, now: datetime, chance: float) -> datetime:
    """
    Choose the time of the next attempt.

    The wait doubles with each attempt up to a minute, and is spread evenly from nothing to that ("full jitter"), so
    that those that failed together do not come back together. What Twilio asked for is the least wait.

    Args:
        attempts: how many were made, 1 or more.
        asked: Twilio's `Retry-After`, None when it named none.
        now: the time of the answer.
        chance: a random number from 0 to 1.

    Source:
        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    longest: timedelta = min(_LONGEST, _FIRST * 2 ** min(attempts, 10))
    return now + max(longest * chance, asked or timedelta())


_IN_DOUBT: Final = tuple(timedelta(seconds=n) for n in (2, 5, 15, 42))
_DOUBT_AGAIN: Final = timedelta(seconds=60)
_TAKEN_ASKING: Final = tuple(
    [timedelta(seconds=n) for n in (5, 10, 30)]
    + [timedelta(minutes=n) for n in (2, 10, 60)]
    + [timedelta(hours=n) for n in (6, 24, 48)]
)
_TAKEN_TOLD: Final = tuple(timedelta(hours=n) for n in (0.25, 2, 24, 48))
_PRICE: Final = tuple(timedelta(minutes=n) for n in (5, 60, 24 * 60))


def next_look(status: Status, looks: int, now: datetime, *, told: bool) -> datetime | None:
    """
    Choose when to ask Twilio about a text (again), None for never.

    What is in doubt is asked about soon and until it is settled. What Twilio took is asked about for three days, after
    which a carrier that has said nothing will not; seldom where callbacks come (`told`), from the first seconds on
    where they do not. What has ended is asked about for its price, which comes later than the end.

    Args:
        status: the delivery's.
        looks: how often it was asked about in this status.
        now: the time of the last look, or of the move into this status.
        told: status callbacks are asked for.
    """
    match status:
        case Status.UNCONFIRMED:
            return now + (_IN_DOUBT[looks] if looks < len(_IN_DOUBT) else _DOUBT_AGAIN)
        case Status.ACCEPTED:
            waits = _TAKEN_TOLD if told else _TAKEN_ASKING
        case Status.DELIVERED | Status.UNDELIVERED:
            waits = _PRICE
        case _:
            return None
    return now + waits[looks] if looks < len(waits) else None

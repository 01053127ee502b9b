"""When to try again what was certainly not sent."""

from datetime import datetime, timedelta

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

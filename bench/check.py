"""The checker: holds every message that the double saw against what the accepted events must have become."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import msgspec

from bench.events import SENDER, Events, Text, number_of


class Received(msgspec.Struct, frozen=True, array_like=True):
    """One POST as the double saw it."""

    at_ns: int
    """When it was there in full, on the monotonic clock that all processes of a machine share."""
    message: int
    """The message that it created, whatever the answer was; 0 for none. They are counted from 1."""
    form: bytes


@dataclass(slots=True)
class Post:
    """One request of the generator."""

    first: int
    """The number of its first event."""
    due_ns: int
    """When it was to leave; in a closed loop, when it left."""
    status: int = 0
    """Of the answer; 0 while, or if, there is none."""
    answered_ns: int = 0

    @property
    def accepted(self) -> bool:
        """Did the service promise to keep its events?"""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of the accepted events that match; all are counts of events."""

    due: int
    """They must become a text."""
    delivered: int
    """A text was created for them, once or more."""
    in_doubt: int
    """No text was created, and the service's ledger says that it does not know (`unconfirmed`)."""
    lost: int
    """No text was created, and nobody says so."""
    doubled: int
    """Texts created beyond the first of an event."""
    wrong: int
    """Texts whose recipient, sender or body are not what they must be, or that must not be at all."""
    latencies_ns: Sequence[int]
    """From when the event was due to the first request for its text, ascending."""


def check(
    posts: Iterable[Post],
    received: Iterable[Received],
    events: Events,
    *,
    batch: int,
    unconfirmed: Collection[int] = (),
) -> Verdict:
    """
    Judge a measurement.

    Args:
        posts: what the generator sent.
        received: what the double saw.
        events: what was sent.
        batch: events in a request.
        unconfirmed: numbers of the events whose delivery the ledger shows as unconfirmed.
    """
    due_at: dict[int, int] = {}
    accepted: set[int] = set()
    for post in posts:
        for number in range(post.first, post.first + batch):
            if events.matches(number):
                # A request without an answer may have been accepted: its texts are no mistake, but none is owed.
                due_at[number] = post.due_ns
                if post.accepted:
                    accepted.add(number)
    created: Counter[int] = Counter()
    asked_at: dict[int, int] = {}
    wrong = 0
    for each in received:
        found = _judge(each.form, events, due_at)
        if found is None:
            wrong += 1
        else:
            asked_at.setdefault(found, each.at_ns)
            created[found] += each.message > 0
    missing = {number for number in accepted if not created[number]}
    in_doubt = missing & set(unconfirmed)
    return Verdict(
        due=len(accepted),
        delivered=len(accepted) - len(missing),
        in_doubt=len(in_doubt),
        lost=len(missing) - len(in_doubt),
        doubled=sum(times - 1 for times in created.values() if times > 1),
        wrong=wrong,
        latencies_ns=sorted(at - due_at[number] for number, at in asked_at.items()),
    )


def quantile(ascending: Sequence[int], share: float) -> int:
    """Give the value that `share` of the values do not exceed (nearest rank); 0 of none."""
    if not ascending:
        return 0
    rank = -int(-share * len(ascending) // 1)  # rounded up
    return ascending[min(max(rank, 1), len(ascending)) - 1]


def _judge(form: bytes, events: Events, due: Collection[int]) -> int | None:
    """Find which event a request is for; None when it is for none of those, or not exactly as it must be."""
    fields = parse_qs(form.decode("ascii", "replace"), keep_blank_values=True)
    to, body = ("".join(fields.get(name, [])) for name in ("To", "Body"))
    number = number_of(body)
    if number is None or number not in due:
        return None
    right = Text(to=to, body=body) == events.text(number) and fields.get("From") == [SENDER]
    return number if right else None

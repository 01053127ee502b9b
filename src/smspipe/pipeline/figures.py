"""Decisions to figures: counts, a chart, the worst minute and examples, in memory that does not grow with texts."""

import heapq
import sqlite3
import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from smspipe.guards.country import bare, look_up
from smspipe.guards.pace import default_pace
from smspipe.guards.prices import MICROS, kind_of
from smspipe.model.event import Event
from smspipe.model.message import Message
from smspipe.model.outcome import Reason
from smspipe.model.phone import mask
from smspipe.pipeline.decide import Decision
from smspipe.pipeline.prepare import Prepared

_NUMBERS_AT_ONCE: Final = 2_000
_MOST_SENDERS: Final = 100
"""Senders that are told apart; a template may make any number of them."""
_OTHERS: Final = "others"
_DIFFERENCES: Final = 5
_REPEATED: Final = "The same event came before."


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day, in UTC. A text that waits, for the end of quiet hours say, counts on the day on which it may leave."""

    day: str
    texts: int
    segments: int
    refused: int


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """How often a reason kept a text from being sent, and what the last step of one such decision saw."""

    reason: Reason
    count: int
    saw: str


class Worst(msgspec.Struct, frozen=True, kw_only=True):
    """The minute in which a sender would be given the most segments, against its pace."""

    at: datetime
    sender: str
    texts: int
    segments: int
    pace: float | None
    """Segments a second; None for no limit of ours."""
    longest_wait_seconds: float
    """How long a text of this sender would wait for its turn at worst."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A text as it would be, its number masked."""

    event_uuid: str
    event: str
    at: datetime
    to: str
    sender: str
    body: str
    segments: int
    waits_until: datetime | None = None
    waits_for: Reason | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one version of a destination would do."""

    matched: int
    texts: int
    recipients: int
    """Distinct numbers that would get a text."""
    segments: int
    cost: str
    """Estimated by the price table, a decimal number."""
    currency: str
    refused: tuple[Refused, ...]
    """The most frequent first."""
    waiting: Mapping[str, int]
    """Texts that would wait, by reason; they are among `texts`."""
    days: tuple[Day, ...]
    """In order, from the first day with a decision to the last, days without any included."""
    worst: Worst | None
    examples: tuple[Example, ...]
    """Drawn from all texts evenly, and always the same ones, in order."""


class Tally:
    """Counts what one version does."""

    def __init__(self, prepared: Prepared, examples: int) -> None:
        self._prepared = prepared
        self._examples = examples
        self._matched = 0
        self._refused: Counter[Reason] = Counter()
        self._saw: dict[Reason, str] = {Reason.DUPLICATE: _REPEATED}
        self._waiting: Counter[str] = Counter()
        self._texts: Counter[int] = Counter()
        self._segments: Counter[int] = Counter()
        self._refused_on: Counter[int] = Counter()
        self._minutes: dict[tuple[str, int], tuple[int, int]] = {}
        self._ready: dict[str, float] = {}
        self._waits: dict[str, float] = {}
        self._drawn: list[tuple[int, str, int, Example]] = []
        self._numbers = _Numbers()
        self._micros = 0

    def count_match(self) -> None:
        """Count an event that the filter lets through."""
        self._matched += 1

    def count_repeat(self, at: datetime) -> None:
        """Count an event that came again: it was decided on before, whatever would become of it now."""
        self._refused[Reason.DUPLICATE] += 1
        self._refused_on[at.toordinal()] += 1

    def count(self, event: Event, decision: Decision, at: datetime) -> None:
        """Count what became of it on one route."""
        text = decision.message
        if text is None:
            if decision.reason is not None:
                self._refused[decision.reason] += 1
                self._refused_on[at.toordinal()] += 1
                if decision.reason not in self._saw and decision.steps:
                    self._saw[decision.reason] = decision.steps[-1].saw
            return
        leaves = decision.until or at
        if decision.until is not None and decision.reason is not None:
            self._waiting[decision.reason.value] += 1
        day = leaves.toordinal()
        self._texts[day] += 1
        self._segments[day] += text.segments
        self._numbers.add(text.to)
        price = self._prepared.site.prices.of(look_up(bare(text.to)).region, kind_of(text.sender))
        self._micros += price * max(1, text.segments)
        self._count_pace(text, leaves)
        self._draw(event, decision, text, at)

    def _count_pace(self, text: Message, leaves: datetime) -> None:
        sender = text.sender if text.sender in self._ready or len(self._ready) < _MOST_SENDERS else _OTHERS
        seconds = leaves.timestamp()
        minute = (sender, int(seconds // 60))
        texts, segments = self._minutes.get(minute, (0, 0))
        self._minutes[minute] = (texts + 1, segments + text.segments)
        ready = max(self._ready.get(sender, 0.0), seconds)
        pace = self._pace_of(sender)
        self._waits[sender] = max(self._waits.get(sender, 0.0), ready - seconds)
        self._ready[sender] = ready + (text.segments / pace if pace else 0.0)

    def _pace_of(self, sender: str) -> float | None:
        own = self._prepared.destination.pace
        return own if own is not None else None if sender == _OTHERS else default_pace(sender)

    def _draw(self, event: Event, decision: Decision, text: Message, at: datetime) -> None:
        """Keep the texts whose events' ids hash lowest: a fair draw that comes out the same every time."""
        lot = -zlib.crc32(event.uuid.encode())
        if self._examples == 0 or (len(self._drawn) >= self._examples and lot <= self._drawn[0][0]):
            return
        example = Example(
            event_uuid=event.uuid,
            event=event.event,
            at=at,
            to=mask(text.to),
            sender=text.sender,
            body=text.body,
            segments=text.segments,
            waits_until=decision.until,
            waits_for=decision.reason if decision.until is not None else None,
        )
        push = heapq.heappush if len(self._drawn) < self._examples else heapq.heapreplace
        push(self._drawn, (lot, event.uuid, decision.route, example))

    def figures(self) -> Figures:
        """Sum up."""
        return Figures(
            matched=self._matched,
            texts=self._texts.total(),
            recipients=self._numbers.count(),
            segments=self._segments.total(),
            cost=f"{Decimal(self._micros) / MICROS:.2f}",
            currency=self._prepared.site.prices.currency,
            refused=tuple(
                Refused(
                    reason=reason,
                    count=count,
                    saw=self._saw.get(reason, ""),
                )
                for reason, count in self._refused.most_common()
            ),
            waiting=dict(self._waiting),
            days=tuple(self._days()),
            worst=self._worst(),
            examples=tuple(sorted((each for *_, each in self._drawn), key=lambda each: (each.at, each.event_uuid))),
        )

    def _days(self) -> list[Day]:
        known = self._texts.keys() | self._refused_on.keys()
        if not known:
            return []
        return [
            Day(
                day=datetime.fromordinal(day).date().isoformat(),
                texts=self._texts[day],
                segments=self._segments[day],
                refused=self._refused_on[day],
            )
            for day in range(min(known), max(known) + 1)
        ]

    def _worst(self) -> Worst | None:
        if not self._minutes:
            return None
        (sender, minute), (texts, segments) = max(self._minutes.items(), key=lambda item: (item[1][1], -item[0][1]))
        return Worst(
            at=datetime.fromtimestamp(minute * 60, UTC),
            sender=sender,
            texts=texts,
            segments=segments,
            pace=self._pace_of(sender),
            longest_wait_seconds=round(self._waits[sender], 1),
        )


class _Numbers:
    """Counts distinct numbers, in a temporary database that goes to disk when it grows."""

    def __init__(self) -> None:
        self._store = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._store.execute("create table numbers (number text primary key) without rowid")
        self._new: set[str] = set()

    def add(self, number: str) -> None:
        self._new.add(number)
        if len(self._new) >= _NUMBERS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._store.execute("begin")
        self._store.executemany("insert or ignore into numbers values (?)", [(each,) for each in self._new])
        self._store.execute("commit")
        self._new.clear()

    def count(self) -> int:
        self._flush()
        found: int = self._store.execute("select count(*) from numbers").fetchone()[0]
        self._store.close()
        return found


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """One event on which the two versions differ: what each would send, None for nothing, and why not."""

    event_uuid: str
    to: str
    here: str | None
    running: str | None
    why: Reason | None = None
    """Why the one that sends nothing does not; None when the event does not match there."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How this version differs from the one that runs, over the same events."""

    only_here: int
    only_running: int
    text_differs: int
    """Texts for the same event and number with other words, or from another sender."""
    same: int
    examples: tuple[Changed, ...]
    """Five of each kind at most."""


class Versus:
    """Compares two versions event by event."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: list[Changed] = []

    def compare(self, here: Mapping[tuple[str, int], Decision], running: Mapping[tuple[str, int], Decision]) -> None:
        """Take what both made of the same events."""
        ours, theirs = _texts(here), _texts(running)
        for place in [*ours, *(place for place in theirs if place not in ours)]:
            mine, other = ours.get(place), theirs.get(place)
            if mine is not None and other is not None:
                kind = "same" if (mine.body, mine.sender) == (other.body, other.sender) else "text_differs"
            else:
                kind = "only_here" if mine is not None else "only_running"
            self._counts[kind] += 1
            if kind != "same" and self._counts[kind] <= _DIFFERENCES:
                uuid, to = place
                self._examples.append(
                    Changed(
                        event_uuid=uuid,
                        to=mask(to),
                        here=None if mine is None else mine.body,
                        running=None if other is None else other.body,
                        why=_why(running if other is None else here, uuid) if mine is None or other is None else None,
                    )
                )

    def result(self) -> Difference:
        """Sum up."""
        return Difference(
            only_here=self._counts["only_here"],
            only_running=self._counts["only_running"],
            text_differs=self._counts["text_differs"],
            same=self._counts["same"],
            examples=tuple(self._examples),
        )


def _texts(decisions: Mapping[tuple[str, int], Decision]) -> dict[tuple[str, str], Message]:
    return {(uuid, each.message.to): each.message for (uuid, _), each in decisions.items() if each.message is not None}


def _why(decisions: Mapping[tuple[str, int], Decision], uuid: str) -> Reason | None:
    return next((each.reason for (of, _), each in decisions.items() if of == uuid and each.message is None), None)

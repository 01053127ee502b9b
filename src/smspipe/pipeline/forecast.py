"""
Forecast: what a destination would do with events that are stored already. Nothing is sent.

The events go through the same `decide_on` as in the real run, with the same desk on a ledger of the forecast's own, and
time is theirs: each is decided at the moment at which it came. So what is forecast of events that then come is what
happens, decision by decision.

What the past cannot tell: profiles are taken as they are today and live through the events from there (persons that
began within the range begin with nothing), no cooldown runs when the range begins, and who has opted out by now counts
as opted out from the beginning.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import msgspec

from smspipe import optouts, persons
from smspipe.db import Database
from smspipe.model.errors import Fault
from smspipe.model.event import Event
from smspipe.model.ids import DestinationId
from smspipe.optouts import Hasher
from smspipe.pipeline.decide import Decision
from smspipe.pipeline.fanout import Heard
from smspipe.pipeline.figures import Difference, Figures, Tally, Versus
from smspipe.pipeline.prepare import Plan, Prepared, obstacle
from smspipe.pipeline.scratch import OptedOut, Profiles, World, open_scratch
from smspipe.pipeline.sources import Arrived, Source

Told = Callable[[int, float], bool]
"""Told how many events were looked at and which share that is, 0 to 1; answers whether to go on."""


Watch = Callable[[Event, Decision], None]
"""Told each decision of the version in question, in order."""


class Cancelled(Fault):
    """Somebody wished it to end."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination would do, and what it would do otherwise than the version that runs."""

    name: str
    """The destination's."""
    events: int
    """All that were looked at, whether or not it listens to them."""
    unreadable: int
    """Rows or requests that hold no event."""
    why_unreadable: str | None
    since: datetime | None
    """When the first event came; None when there is none."""
    until: datetime | None
    here: Figures
    running: Figures | None = None
    """Of the version that runs, where it is another one."""
    difference: Difference | None = None
    notes: tuple[str, ...] = ()
    """What to know when reading the numbers, a sentence each."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Whose forecast is wanted."""

    candidate: Prepared
    running: Prepared | None = None
    """The version to compare with; None for none."""
    beside: Sequence[Prepared] = ()
    """The other destinations that are on: caps, budgets and like texts look across all, so they decide as well."""
    examples: int = 10


def forecast(
    source: Source,
    question: Question,
    *,
    hasher: Hasher,
    real: Database | None = None,
    known_before: datetime | None = None,
    opted_out: OptedOut | None = None,
    told: Told = lambda _events, _share: True,
    watch: Watch | None = None,
) -> Forecast:
    """
    Run events through a destination, and through the version that runs.

    Args:
        source: the events, in order.
        question: whose forecast is wanted.
        hasher: of the register of opt-outs.
        real: the database that profiles and opt-outs are taken from, and to which nothing is written; None begins with
            nobody known.
        known_before: as for `scratch.Profiles`.
        opted_out: who knows who opted out; None for the register of `real`.
        told: how far it has come.
        watch: for who wants more than figures.

    Raises:
        Cancelled: `told` said so.
        Invalid: the source is a file that cannot be read.
    """
    with ExitStack() as ending:
        asked = opted_out if opted_out is not None or real is None else register_of(real, hasher)
        lives = [
            _Life(ending, each, question, hasher, asked, watch if each is question.candidate else None)
            for each in (question.candidate, question.running)
            if each is not None
        ]
        versus = Versus() if len(lives) > 1 else None
        profiles = Profiles(ending.enter_context(open_scratch()), real, known_before)
        events = 0
        for part in source.read(lambda name: any(life.plan.listening(name) for life in lives)):
            events += len(part)
            if not told(events + source.passed_by, source.share):
                raise Cancelled("The forecast was cancelled.")
            for at, met in groupby(_meet(part, profiles), key=itemgetter(0)):
                group = [(event, who) for _, event, who in met]
                sides = [life.decide(group, at) for life in lives]
                if versus is not None:
                    versus.compare(sides[0], sides[1])
        return Forecast(
            name=question.candidate.destination.name,
            events=events + source.passed_by,
            unreadable=source.unreadable,
            why_unreadable=source.why_unreadable,
            since=source.first,
            until=source.last,
            here=lives[0].tally.figures(),
            running=lives[1].tally.figures() if versus is not None else None,
            difference=None if versus is None else versus.result(),
            notes=tuple(_notes(question.candidate)),
        )


def register_of(real: Database, hasher: Hasher) -> OptedOut:
    """Ask the register of a database, which is only read."""

    def asked(to: str, sender: str) -> bool:
        with real.read() as connection:
            return bool(optouts.opted_out(connection, hasher, [(to, sender)]))

    return asked


def _meet(part: Sequence[Arrived], profiles: Profiles) -> Iterator[tuple[datetime, Event, persons.Seen]]:
    """Give each event its person: the one that it brings along, or the one that the profiles know after it."""
    evolving = [each for each in part if each.person is None]
    seen = iter(profiles.see([each.event for each in evolving], part[-1].at) if evolving else ())
    for each in part:
        yield each.at, each.event, next(seen) if each.person is None else persons.Seen(person=each.person)


class _Life:
    """One version of a destination in a world of its own."""

    def __init__(
        self,
        ending: ExitStack,
        prepared: Prepared,
        question: Question,
        hasher: Hasher,
        asked: OptedOut | None,
        watch: Watch | None,
    ) -> None:
        self._watch = watch
        self._id = prepared.destination.id
        others = [each for each in question.beside if each.destination.id != self._id]
        # in the order of the real plan, where who comes first takes the last place of a cap
        self.plan = Plan(sorted([*others, prepared], key=lambda each: each.destination.id))
        self._world = World(ending.enter_context(open_scratch()), hasher, asked)
        self.tally = Tally(prepared, question.examples)

    def decide(self, group: Sequence[tuple[Event, persons.Seen]], at: datetime) -> dict[tuple[str, int], Decision]:
        """Decide on the events of one moment; give the decisions by event and place."""
        heard: list[Heard] = [
            (event, who, listening) for event, who in group if (listening := self.plan.listening(event.event))
        ]
        found: dict[tuple[str, int], Decision] = {}
        if not heard:
            return found
        for event, prepared, decided in self._world.decide(heard, at):
            if prepared.destination.id != self._id:
                continue
            self.tally.count_match()
            for decision, delivery in decided:
                if delivery is None:
                    self.tally.count_repeat(at)
                    continue
                self.tally.count(event, decision, at)
                if self._watch is not None:
                    self._watch(event, decision)
                found[event.uuid, decision.route] = decision
        return found


def _notes(prepared: Prepared) -> Iterator[str]:
    destination = prepared.destination
    if not destination.enabled and destination.id != DestinationId("new"):
        yield "The destination is switched off: it sends nothing until it is enabled."
    if destination.paused is not None:
        yield f"The destination is stopped: {destination.paused}"
    elif obstacle(destination) is not None:
        yield "The destination has no Twilio account: its texts would be held until it has one."

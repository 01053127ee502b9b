"""
What can be wrong, each as one question to the database that an index answers.

A question gives a condition for everything that is wrong now. What it no longer gives is over.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from smspipe import eventlog
from smspipe.deliveries import alarms, budget, queries, stop, velocity
from smspipe.deliveries.alarms import Kind
from smspipe.deliveries.queries import Query
from smspipe.destinations import registry
from smspipe.guards.budget import budgets_of, purses_of
from smspipe.model.clock import to_iso
from smspipe.model.delivery import Status
from smspipe.model.limits import Purse
from smspipe.pipeline import fanout
from smspipe.pipeline.prepare import Plan

LAST: Final = 20
"""Texts of a destination that are looked at."""
LEAST: Final = 5
"""Ends that are known among them, before any share of them means something."""
SHARE: Final = 0.5
"""From which share of failures on a destination is failing."""
_LOOKED_BACK: Final = timedelta(hours=1)
UNCONFIRMED_FOR: Final = timedelta(minutes=15)
BACKLOG_FOR: Final = timedelta(seconds=60)
VELOCITY_FOR: Final = timedelta(minutes=10)


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong now."""

    kind: Kind
    destination_id: str = ""
    what: str


Question = Callable[[Connection, Plan, datetime], Iterator[Condition]]


def failing(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:
    """Look at each destination's last texts of the last hour whose end is known."""
    for id_, prepared in plan.destinations.items():
        ends = alarms.last_ends(connection, id_, now - _LOOKED_BACK, LAST)
        failed = sum(each in (Status.FAILED, Status.UNDELIVERED) for each in ends)
        if len(ends) >= LEAST and failed >= SHARE * len(ends):
            what = f"{failed} of the last {len(ends)} texts of {prepared.destination.name!r} failed."
            yield Condition(kind=Kind.FAILING, destination_id=id_, what=what)


def credentials(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:  # noqa: ARG001 (a Question)
    """Name the destinations that Twilio refuses to work for."""
    for id_, prepared in plan.destinations.items():
        if (why := prepared.destination.paused) is not None:
            what = f"{prepared.destination.name!r} is paused: {why}"
            yield Condition(kind=Kind.CREDENTIALS, destination_id=id_, what=what)


def silence(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:
    """Name the destinations that have met no matching event for as long as they name."""
    for id_, prepared in plan.destinations.items():
        hours = prepared.destination.silence
        if hours is None:
            continue
        newest = queries.list_deliveries(connection, Query(destination=id_), limit=1)
        kept = registry.get(connection, id_)
        since = newest[0].created_at if newest else kept.updated_at if kept is not None else now
        if now - since >= hours:
            what = f"No event has matched {prepared.destination.name!r} since {to_iso(since)}."
            yield Condition(kind=Kind.SILENCE, destination_id=id_, what=what)


def unconfirmed(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:
    """Count, for each destination, the texts that have been in doubt for a while."""
    minutes = int(UNCONFIRMED_FOR.total_seconds() // 60)
    for id_, n in alarms.in_doubt(connection, now - UNCONFIRMED_FOR).items():
        prepared = plan.destinations.get(id_)
        name = repr(prepared.destination.name) if prepared is not None else "a destination that is off"
        what = f"{n} text{'' if n == 1 else 's'} of {name} in doubt for more than {minutes} minutes."
        yield Condition(kind=Kind.UNCONFIRMED, destination_id=id_, what=what)


def stopped(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:  # noqa: ARG001 (a Question)
    """Say that everything is stopped."""
    found = stop.current(connection)
    if found is not None:
        yield Condition(kind=Kind.STOPPED, what=f"Everything is stopped since {to_iso(found.at)}, by {found.by}.")


def backlog(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:  # noqa: ARG001 (a Question)
    """Say that the oldest event that nobody has looked at waits for too long."""
    waiting = eventlog.read_from(connection, eventlog.position_of(connection, fanout.READER), 1, 0)
    if waiting and now - waiting[0][1].received_at >= BACKLOG_FOR:
        what = f"Events have waited to be decided on since {to_iso(waiting[0][1].received_at)}."
        yield Condition(kind=Kind.BACKLOG, what=what)


def refused_by_velocity(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:
    """Name the destinations at which limits on claimed numbers have refused texts in this hour."""
    for id_, n in velocity.refused_since(connection, now - VELOCITY_FOR).items():
        prepared = plan.destinations.get(id_)
        if n and prepared is not None:
            what = f"Texts of {prepared.destination.name!r} to numbers that nobody vouches for are refused: too many."
            yield Condition(kind=Kind.VELOCITY, destination_id=id_, what=what)


def budgets(connection: Connection, plan: Plan, now: datetime) -> Iterator[Condition]:
    """Name the budgets, of all and of each destination, that are spent to four fifths or wholly."""
    named: dict[str, tuple[str, list[Purse]]] = {}
    for id_, prepared in plan.destinations.items():
        for scope, each in budgets_of(id_, prepared.destination.budget, prepared.site.budget):
            if scope not in named:
                name = f"The budget of {prepared.destination.name!r}" if scope == id_ else "The budget of all"
                named[scope] = name, list(purses_of(scope, each, now))
    places = [(purse.scope, purse.period) for _, purses in named.values() for purse in purses]
    spent = budget.read(connection, places) if places else {}
    for scope, (name, purses) in named.items():
        share, period = max(
            ((purse.share(spent[place]), purse.period) for purse in purses
             if (place := (purse.scope, purse.period)) in spent), default=(0.0, "")
        )  # fmt: skip
        if share >= budget.LOW:
            how = "is spent: no more texts are sent" if share >= 1 else f"is spent to {share:.0%}"
            destination = scope if scope in plan.destinations else ""
            yield Condition(kind=Kind.BUDGET, destination_id=destination, what=f"{name} for {period} {how}.")


QUESTIONS: Final[dict[Kind, Question]] = {
    Kind.FAILING: failing,
    Kind.CREDENTIALS: credentials,
    Kind.BUDGET: budgets,
    Kind.VELOCITY: refused_by_velocity,
    Kind.SILENCE: silence,
    Kind.UNCONFIRMED: unconfirmed,
    Kind.STOPPED: stopped,
    Kind.BACKLOG: backlog,
}

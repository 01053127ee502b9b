"""What budgets there are, and what is left of each."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from smspipe.deliveries import budget
from smspipe.guards.budget import next_period, purses_of
from smspipe.guards.prices import Prices
from smspipe.model.destination import Destination
from smspipe.model.limits import ALL, Budget, Purse, Spent


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One day or month of a budget."""

    scope: str
    """The destination; empty for all together."""
    name: str
    purse: Purse
    spent: Spent
    ends_at: datetime


def standings(
    connection: Connection, destinations: Iterable[Destination], project: Budget | None, now: datetime
) -> Iterator[Standing]:
    """Say of every budget what its running day and month have cost, the project's first."""
    budgets = [(ALL, "All destinations", project)] + [(each.id, each.name, each.budget) for each in destinations]
    found = [
        (scope, name, each.timezone, purse)
        for scope, name, each in budgets
        if each is not None
        for purse in purses_of(scope, each, now)
    ]
    spent = budget.read(connection, [(purse.scope, purse.period) for *_, purse in found]) if found else {}
    for scope, name, zone, purse in found:
        yield Standing(
            scope=scope,
            name=name,
            purse=purse,
            spent=spent.get((scope, purse.period), Spent()),
            ends_at=next_period(purse.period, zone),
        )


def describe_prices(prices: Prices) -> str:
    """Say in a sentence what estimates are made of."""
    dated = f" of {prices.as_of}" if prices.as_of else ""
    return f"Estimated by a table{dated} in {prices.currency}, and by what Twilio charged last. {prices.note}".strip()

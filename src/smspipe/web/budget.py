"""Doors to budgets: what may be spent, and what was."""

import asyncio
from decimal import Decimal
from typing import Any, Final

import msgspec
from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy import Connection

from smspipe.destinations.budget import change_budget, get_budget
from smspipe.model.clock import to_iso
from smspipe.pipeline.budgets import Standing
from smspipe.web.problems import PROBLEMS
from smspipe.web.services import Services

_MICROS: Final = 1_000_000


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts as decimal text; `limit` is null where there is none."""

    limit: str | None
    used: str
    reserved: str
    currency: str


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of segments; `limit` is null where there is none."""

    limit: int | None
    used: int
    """Of texts that Twilio took."""
    reserved: int
    """Of texts that were let through and may still leave."""


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """The running day or month of one budget."""

    destination_id: str | None
    """Null for the budget of all together."""
    name: str
    period: str
    ends_at: str
    segments: Segments
    money: Money
    share: float
    """How much of the nearest limit is spent or set aside, 1 for all of it."""


class BudgetInFull(msgspec.Struct, frozen=True, kw_only=True):
    """The project's limits, and where every budget stands."""

    limits: dict[str, Any]
    periods: list[Period]
    prices: str
    """What estimates are made of."""


def _period(standing: Standing) -> Period:
    purse, spent = standing.purse, standing.spent
    return Period(
        destination_id=standing.scope or None,
        name=standing.name,
        period=purse.period,
        ends_at=to_iso(standing.ends_at),
        segments=Segments(limit=purse.segments, used=spent.used_segments, reserved=spent.reserved_segments),
        money=Money(
            limit=None if purse.micros is None else _amount(purse.micros),
            used=_amount(spent.used_micros),
            reserved=_amount(spent.reserved_micros),
            currency=purse.currency,
        ),
        share=round(purse.share(spent), 4),
    )


def _amount(micros: int) -> str:
    return f"{Decimal(micros) / _MICROS:.6f}"


def _show(connection: Connection, services: Services) -> BudgetInFull:
    return BudgetInFull(
        limits=get_budget(connection),
        periods=[_period(each) for each in services.budgets(connection)],
        prices=services.prices,
    )


@get("/budget", sync_to_thread=True, operation_id="get_budget", responses=PROBLEMS)
def read_budget(services: NamedDependency[Services]) -> BudgetInFull:
    """Tell the project's limits, and how much of every budget's day and month is used, set aside and left."""
    with services.database.read() as connection:
        return _show(connection, services)


@patch("/budget", operation_id="change_budget", responses=PROBLEMS)
async def patch_budget(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> BudgetInFull:
    """Change the limits of all destinations together; null takes one away. They hold from the next event on."""
    now = services.clock()

    def job(connection: Connection) -> BudgetInFull:
        change_budget(connection, data, now)
        return _show(connection, services)

    changed = await asyncio.wrap_future(services.writer.run_job(job))
    await services.changed()
    return changed


HANDLERS: Final = (read_budget, patch_budget)

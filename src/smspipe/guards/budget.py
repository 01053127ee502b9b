"""
Is there money left? Segments and money per day and month, of a destination and of all together.

What a text will cost is estimated, and that much is set aside in the transaction that lets it through; what is set
aside counts as spent. So the limit is not passed by however many decide at once. Once Twilio has said what it billed,
that counts in place of the estimate.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from smspipe.guards.case import Case, Verdict
from smspipe.guards.country import bare, look_up
from smspipe.guards.prices import MICROS, Prices, kind_of
from smspipe.model.destination import Destination
from smspipe.model.ids import DestinationId
from smspipe.model.limits import ALL, Budget, Charge, Purse, Spent
from smspipe.model.message import Message
from smspipe.model.outcome import Reason, Refusal, Step

STEP: Final = "budget"


def check_budget(case: Case) -> Verdict:
    """Refuse a text that would pass a limit."""
    charge = charge_of(case)
    if charge is None:
        return None
    short = shortage(charge, case.known.spent)
    if short is not None:
        return _refuse(short, charge, case)
    return Step(name=STEP, ok=True, saw=f"{charge.segments} segment{'' if charge.segments == 1 else 's'} "
                f"{_price(charge)}fits.")  # fmt: skip


def charge_of(case: Case) -> Charge | None:
    """Say what a text sets aside; None where no budget asks."""
    return charge_for(case.message, case.destination, case.budget, case.prices, case.known.price, case.now)


def charge_for(
    text: Message,
    destination: Destination,
    project: Budget | None,
    prices: Prices,
    learnt: Callable[[str, str, str], int | None],
    now: datetime,
) -> Charge | None:
    """
    Say what a text sets aside.

    Args:
        text: the text.
        destination: whose it is, with its own budget.
        project: the budget of all together.
        prices: the table to estimate by.
        learnt: gives what Twilio charged last for a segment to a country from a kind of sender, in a currency.
        now: which day and month it is.
    """
    budgets = budgets_of(destination.id, destination.budget, project)
    if not budgets:
        return None
    currency = budgets[-1][1].currency
    country, kind = look_up(bare(text.to)).region, kind_of(text.sender)
    price = learnt(country, kind, currency)
    if price is None and prices.currency == currency:
        price = prices.of(country, kind)
    segments = max(1, text.segments)
    return Charge(
        segments=segments,
        micros=None if price is None else price * segments,
        currency=currency,
        country=country,
        sender=kind,
        purses=tuple(purse for scope, budget in budgets for purse in purses_of(scope, budget, now)),
    )


def budgets_of(of: DestinationId, own: Budget | None, project: Budget | None) -> list[tuple[str, Budget]]:
    """List the budgets that a destination's texts are paid from, each with its scope."""
    found = [(of, own), (ALL, project)]
    return [(scope, budget) for scope, budget in found if budget is not None]


def purses_of(scope: str, budget: Budget, now: datetime) -> Iterator[Purse]:
    """Give the running day and month of a budget, each with its limits; one without a limit is counted all the same."""
    local = now.astimezone(ZoneInfo(budget.timezone))
    for period, segments, money in (
        (f"{local:%Y-%m-%d}", budget.segments_per_day, budget.money_per_day),
        (f"{local:%Y-%m}", budget.segments_per_month, budget.money_per_month),
    ):
        micros = None if money is None else int(money * MICROS)
        yield Purse(scope=scope, period=period, segments=segments, micros=micros, currency=budget.currency)


def shortage(charge: Charge, spent: Callable[[str, str], Spent]) -> Purse | None:
    """Give the first purse that a text does not fit into what is left of; None when it fits into all."""
    for purse in charge.purses:
        so_far = spent(purse.scope, purse.period)
        if purse.segments is not None and so_far.segments + charge.segments > purse.segments:
            return purse
        if purse.micros is not None and not (
            is_priced(purse, charge) and so_far.micros + (charge.micros or 0) <= purse.micros
        ):
            return purse
    return None


def is_priced(purse: Purse, charge: Charge) -> bool:
    """Is the price of a text known in a purse's currency?"""
    return charge.micros is not None and charge.currency == purse.currency


def next_period(period: str, timezone: str) -> datetime:
    """Give the instant at which the day or month after this one begins."""
    zone = ZoneInfo(timezone)
    parts = [int(part) for part in period.split("-")]
    if len(parts) == len(("year", "month")):
        year, month = parts
        start = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)
    else:
        year, month, day = parts
        start = datetime(year, month, day, tzinfo=zone) + timedelta(days=1)
    return start.astimezone(UTC)


def _refuse(purse: Purse, charge: Charge, case: Case) -> Refusal:
    spent = case.known.spent(purse.scope, purse.period)
    whose = "All destinations together" if purse.scope == ALL else "This destination"
    if purse.micros is not None and not is_priced(purse, charge):
        return Refusal(
            reason=Reason.BUDGET,
            saw=f"{whose} may spend {purse.micros / MICROS:g} {purse.currency}, and no price in {purse.currency} is "
            f"known. Give a price table in that currency, or a budget in {case.prices.currency}.",
        )
    budget = case.budget if purse.scope == ALL else case.destination.budget
    assert budget is not None  # noqa: S101 (the purse is a budget's)
    until = next_period(purse.period, budget.timezone)
    span = "month" if len(purse.period) == len("2026-11") else "day"
    if purse.segments is not None and spent.segments + charge.segments > purse.segments:
        saw = f"{whose} may send {purse.segments} segments a {span}, and {spent.segments} are spent or set aside"
    else:
        assert purse.micros is not None  # noqa: S101 (or there would be room)
        saw = (
            f"{whose} may spend {purse.micros / MICROS:g} {purse.currency} a {span}, and "
            f"{spent.micros / MICROS:g} are spent or set aside"
        )
    saw = f"{saw}; the next {span} begins at {until:%Y-%m-%d %H:%M} UTC."
    return Refusal(reason=Reason.BUDGET, saw=saw, until=until)


def _price(charge: Charge) -> str:
    return "" if charge.micros is None else f"for about {charge.micros / MICROS:.4g} {charge.currency} "

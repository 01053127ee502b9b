"""The door to what the texts cost."""

from typing import Any, Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from smspipe.deliveries.cost import By, Span, Sum, sum_costs
from smspipe.destinations import registry
from smspipe.model.clock import to_iso
from smspipe.model.ids import DestinationId
from smspipe.web.deliveries import read_word
from smspipe.web.problems import PROBLEMS
from smspipe.web.queries import read_instant
from smspipe.web.services import Services


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of money."""

    amount: str
    """A decimal number without sign, exact."""
    currency: str


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What some texts cost."""

    texts: int
    segments: int
    billed_segments: int
    billed_share: float
    """How many of the texts Twilio has told the segments of, 0 to 1; 1 when there are no texts."""
    prices: list[Price]
    """One for each currency."""
    priced: int
    """How many of the texts have a price."""
    priced_share: float


class CostOf(Cost, frozen=True, kw_only=True):
    """What the texts of one destination, country or day cost."""

    key: str
    """The destination's id, the country's two letters, or the day (`2026-01-02`)."""
    name: str
    """The destination's name; else the key."""


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What the texts of a span cost."""

    by: By
    after: str | None
    before: str | None
    results: list[CostOf]
    total: Cost


@get("/deliveries/cost", sync_to_thread=True, operation_id="sum_costs", responses=PROBLEMS)
def get_costs(
    services: NamedDependency[Services],
    by: FromQuery[str | None] = None,
    destination: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    before: FromQuery[str | None] = None,
) -> Costs:
    """
    Sum the texts that Twilio took, their segments and their prices, by `destination`, `country` or `day`.

    `after` and `before` are about the time at which the request left.
    """
    now = services.clock()
    wanted = read_word(By, by, "by") or By.DESTINATION
    span = Span(
        after=read_instant(after, "after", now),
        before=read_instant(before, "before", now),
        destination=DestinationId(destination) if destination else None,
    )
    with services.database.read() as connection:
        found = sum_costs(connection, wanted, span)
        names: dict[str, str] = {}
        if wanted is By.DESTINATION:
            records = ((key, registry.get(connection, DestinationId(key))) for key in found)
            names = {key: str(record.document.get("name") or key) for key, record in records if record is not None}
    total = Sum()
    for each in found.values():
        total.add(each)
    return Costs(
        by=wanted,
        after=None if span.after is None else to_iso(span.after),
        before=None if span.before is None else to_iso(span.before),
        results=[CostOf(key=key, name=names.get(key, key), **_fields(each)) for key, each in found.items()],
        total=Cost(**_fields(total)),
    )


def _fields(found: Sum) -> dict[str, Any]:
    return {
        "texts": found.texts,
        "segments": found.segments,
        "billed_segments": found.billed_segments,
        "billed_share": found.billed / found.texts if found.texts else 1.0,
        "prices": [Price(amount=f"{amount:f}", currency=currency) for currency, amount in sorted(found.prices.items())],
        "priced": found.priced,
        "priced_share": found.priced / found.texts if found.texts else 1.0,
    }


HANDLERS: Final = (get_costs,)

"""Budgets: what a text needs, what there is, and when there will be more."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from smspipe.guards.budget import charge_of, check_budget, next_period
from smspipe.guards.prices import ESTIMATE, kind_of, read_prices
from smspipe.model.errors import Invalid
from smspipe.model.limits import Budget, Purse, Spent
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import E164
from tests.guards.test_check import a_case
from tests.pipeline.conftest import NOW, Ledger, a_destination

DAY, MONTH = "2026-03-01", "2026-03"


def ask(spent: dict[tuple[str, str], Spent], own: Budget | None, project: Budget | None = None, **fields: Any) -> Any:
    known = Ledger()
    known.costs = spent
    text = Message(to=E164("+15005550009"), sender="+15005550006", body="Hi", encoding=Encoding.GSM_7, segments=2)
    return check_budget(a_case(known, destination=a_destination(budget=own), budget=project, message=text, **fields))


@pytest.mark.parametrize(
    ("own", "project", "spent", "until"),
    [
        (Budget(segments_per_day=10), None, {}, None),
        (Budget(segments_per_day=10), None, {("shop", DAY): Spent(used_segments=8)}, None),
        (Budget(segments_per_day=10), None, {("shop", DAY): Spent(used_segments=9)}, datetime(2026, 3, 2, tzinfo=UTC)),
        (
            Budget(segments_per_day=10),
            None,
            {("shop", DAY): Spent(used_segments=4, reserved_segments=5)},
            datetime(2026, 3, 2, tzinfo=UTC),
        ),
        (
            Budget(segments_per_month=2),
            None,
            {("shop", MONTH): Spent(used_segments=1)},
            datetime(2026, 4, 1, tzinfo=UTC),
        ),
        (Budget(segments_per_day=0), None, {}, datetime(2026, 3, 2, tzinfo=UTC)),
        (Budget(money_per_day=Decimal("0.0166")), None, {}, None),
        (Budget(money_per_day=Decimal("0.0165")), None, {}, datetime(2026, 3, 2, tzinfo=UTC)),
        (None, Budget(segments_per_day=10), {("shop", DAY): Spent(used_segments=100)}, None),
        (None, Budget(segments_per_day=10), {("", DAY): Spent(used_segments=9)}, datetime(2026, 3, 2, tzinfo=UTC)),
        (
            Budget(segments_per_day=10, timezone="America/New_York"),
            None,
            {("shop", DAY): Spent(used_segments=9)},
            datetime(2026, 3, 2, 5, tzinfo=UTC),
        ),
    ],
    ids=[
        "empty", "to the last", "one too many", "what is set aside counts", "month", "nothing at all",
        "money that fits", "money", "another's do not count", "all together", "another zone",
    ],
)  # fmt: skip
def test_a_text_passes_while_it_fits(
    own: Budget | None, project: Budget | None, spent: dict[tuple[str, str], Spent], until: datetime | None
) -> None:
    verdict = ask(spent, own, project)
    if until is None:
        assert isinstance(verdict, Step)
    else:
        assert isinstance(verdict, Refusal)
        assert (verdict.reason, verdict.until) == (Reason.BUDGET, until)


def test_without_a_budget_nobody_is_asked() -> None:
    assert ask({}, None) is None


def test_a_currency_without_prices_lets_nothing_through_and_says_what_to_do() -> None:
    verdict = ask({}, Budget(money_per_day=Decimal(5), currency="EUR"))
    assert isinstance(verdict, Refusal)
    assert "no price in EUR is known" in verdict.saw


def test_what_twilio_charged_last_comes_before_the_table() -> None:
    known = Ledger()
    known.prices = {("US", "number", "EUR"): 5_000}
    charge = charge_of(
        a_case(known, destination=a_destination(budget=Budget(money_per_day=Decimal(5), currency="EUR")))
    )
    assert charge is not None
    assert charge.micros == 5_000


@pytest.mark.parametrize(
    ("period", "zone", "begins"),
    [
        ("2026-12-31", "UTC", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12", "UTC", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-03-08", "America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC)),
        ("2026-03-07", "America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC)),
        ("2028-02", "Asia/Tokyo", datetime(2028, 2, 29, 15, tzinfo=UTC)),
    ],
)
def test_the_next_period_begins_at_midnight_in_the_budgets_zone(period: str, zone: str, begins: datetime) -> None:
    assert next_period(period, zone) == begins


def test_the_share_is_that_of_the_nearest_limit() -> None:
    purse = Purse(scope="", period=DAY, segments=100, micros=1_000_000, currency="USD")
    assert purse.share(Spent(used_segments=50, reserved_micros=900_000)) == 0.9


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("+15005550006", "number"), ("+18885550006", "toll_free"), ("12345", "short_code"), ("Shop", "name"),
        ("MG" + "0" * 32, "service"), ("whatsapp:+15005550006", "channel"),
    ],
)  # fmt: skip
def test_every_sender_has_a_kind(sender: str, kind: str) -> None:
    assert kind_of(sender) == kind


def test_a_table_may_have_a_price_for_a_country_or_for_each_kind_of_sender() -> None:
    prices = read_prices(
        {"currency": "EUR", "default": "0.1", "countries": {"AT": 0.05, "US": {"any": "0.01", "short_code": "0.02"}}}
    )
    assert prices.of("AT", "name") == 50_000
    assert (prices.of("US", "number"), prices.of("US", "short_code")) == (10_000, 20_000)
    assert prices.of("FR", "number") == 100_000


def test_our_own_table_says_when_it_was_written_and_that_it_is_an_estimate() -> None:
    assert ESTIMATE.as_of
    assert "estimate" in ESTIMATE.note


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "prices"),
        ({}, "prices__default"),
        ({"default": -1}, "prices__default"),
        ({"default": "NaN"}, "prices__default"),
        ({"default": 1, "curency": "EUR"}, "prices"),
        ({"default": 1, "currency": "euro"}, "prices__currency"),
        ({"default": 1, "countries": {"us": 1}}, "prices__countries__us"),
        ({"default": 1, "countries": {"US": {"pigeon": 1}}}, "prices__countries__US"),
    ],
)
def test_a_table_of_another_shape_is_refused(given: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_prices(given)
    assert refused.value.field == field


def test_now_is_in_the_day_that_the_cases_name() -> None:
    assert f"{NOW:%Y-%m-%d}" == DAY

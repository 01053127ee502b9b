"""The doors to budgets."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.destinations.budget import load_budget
from smspipe.pipeline.budgets import Standing, standings
from tests.web.conftest import CURRENT, NOW, Api

PATH = "/api/projects/1/budget/"


@pytest.fixture
def whole(running: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Let the doors tell of the project's budget, as the whole service does."""

    def tell(connection: Connection) -> Iterator[Standing]:
        return standings(connection, [], load_budget(connection), running.clock())

    before = CURRENT.budgets
    object.__setattr__(CURRENT, "budgets", tell)
    yield running
    object.__setattr__(CURRENT, "budgets", before)


async def test_without_a_budget_there_is_nothing_to_tell(whole: Api) -> None:
    status, told = await whole.call("GET", PATH)
    assert (status, told["limits"], told["periods"]) == (200, {}, [])


async def test_the_limits_of_all_are_set_and_the_running_day_and_month_are_told(whole: Api) -> None:
    limits = {"segments_per_day": 500, "money_per_month": "200.00"}
    status, told = await whole.call("PATCH", PATH, limits)
    assert (status, told["limits"]) == (200, limits)
    day, month = told["periods"]
    assert (day["period"], month["period"]) == (f"{NOW:%Y-%m-%d}", f"{NOW:%Y-%m}")
    assert day["destination_id"] is None
    assert day["segments"] == {"limit": 500, "used": 0, "reserved": 0}
    assert month["money"] == {"limit": "200.000000", "used": "0.000000", "reserved": "0.000000", "currency": "USD"}
    assert day["share"] == 0
    assert whole.changes != []  # the destinations follow at once
    assert await whole.call("GET", PATH) == (200, told)


@pytest.mark.parametrize(
    ("body", "attr"),
    [({"segments_per_dya": 1}, "budget__segments_per_dya"), ({"timezone": "Vienna"}, "budget__timezone")],
    ids=["unknown key", "unknown zone"],
)
async def test_a_mistake_is_answered_with_its_place_and_changes_nothing(whole: Api, body: Any, attr: str) -> None:
    status, problem = await whole.call("PATCH", PATH, body)
    assert (status, problem["attr"]) == (400, attr)
    assert whole.changes == []

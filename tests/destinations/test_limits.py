"""The options for caps, budgets and quiet hours: what is read, and what is said of a mistake."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.destinations.budget import change_budget, get_budget, load_budget
from smspipe.destinations.options import read_options
from smspipe.model.errors import Invalid
from smspipe.model.limits import Budget, By, Cap, QuietHours, QuietWindow, Then
from tests.destinations.conftest import NOW

SPAN = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("key", "given", "meant"),
    [
        ("caps", [{"texts": 1, "per": 60}], (Cap(texts=1, per=SPAN),)),
        (
            "caps",
            [{"texts": 2, "per": 60, "by": "person", "across": True}],
            (Cap(texts=2, per=SPAN, by=By.PERSON, across=True),),
        ),
        ("caps", [], ()),
        ("refuse_identical", 60, SPAN),
        ("budget", {"segments_per_day": 5}, Budget(segments_per_day=5)),
        (
            "budget",
            {"money_per_month": "10.50", "currency": "EUR", "timezone": "Europe/Vienna", "segments_per_day": None},
            Budget(money_per_month=Decimal("10.50"), currency="EUR", timezone="Europe/Vienna"),
        ),
        ("budget", {"money_per_day": 0.1}, Budget(money_per_day=Decimal("0.1"))),
        ("budget", {}, None),
        (
            "quiet_hours",
            {"windows": [{"days": ["sat", "sun"], "from": "21:30", "to": "24:00"}], "then": "drop", "max_hold": 60},
            QuietHours(
                windows=(QuietWindow(days=frozenset({5, 6}), start=time(21, 30), end=time(0)),),
                then=Then.DROP,
                max_hold=SPAN,
            ),
        ),
    ],
)
def test_an_option_is_read(key: str, given: Any, meant: Any) -> None:
    kept, options = read_options({key: given})
    assert getattr(options, key) == meant
    assert kept == {key: given}


@pytest.mark.parametrize(
    ("key", "given", "field"),
    [
        ("caps", {"texts": 1, "per": 60}, "caps"),
        ("caps", [{"texts": 1, "per": 60}] * 9, "caps"),
        ("caps", [{"texts": 0, "per": 60}], "caps__0__texts"),
        ("caps", [{"texts": 1}], "caps__0__per"),
        ("caps", [{"texts": 1, "per": 2_678_401}], "caps__0__per"),
        ("caps", [{"texts": True, "per": 60}], "caps__0__texts"),
        ("caps", [{"texts": 1, "per": 60, "by": "email"}], "caps__0__by"),
        ("caps", [{"texts": 1, "per": 60, "across": 1}], "caps__0__across"),
        ("caps", [{"texts": 1, "pre": 60}], "caps__0__pre"),
        ("refuse_identical", 0, "refuse_identical"),
        ("budget", 5, "budget"),
        ("budget", {"segments_per_day": -1}, "budget__segments_per_day"),
        ("budget", {"money_per_day": "much"}, "budget__money_per_day"),
        ("budget", {"money_per_day": "NaN"}, "budget__money_per_day"),
        ("budget", {"money_per_day": 1, "currency": "dollars"}, "budget__currency"),
        ("budget", {"money_per_day": 1, "timezone": "Vienna"}, "budget__timezone"),
        ("quiet_hours", {}, "quiet_hours__windows"),
        ("quiet_hours", {"windows": [{"from": "9:00", "to": "10:00"}]}, "quiet_hours__windows__0__from"),
        ("quiet_hours", {"windows": [{"from": "24:00", "to": "10:00"}]}, "quiet_hours__windows__0__from"),
        ("quiet_hours", {"windows": [{"from": "09:00"}]}, "quiet_hours__windows__0__to"),
        ("quiet_hours", {"windows": [{"days": ["monday"], "from": "09:00", "to": "10:00"}]},
         "quiet_hours__windows__0__days"),
        ("quiet_hours", {"windows": [{"from": "00:00", "to": "24:00"}]}, "quiet_hours__windows"),
        ("quiet_hours", {"windows": [{"from": "08:00", "to": "20:00"}, {"from": "19:00", "to": "08:00"}]},
         "quiet_hours__windows"),
        ("quiet_hours", {"windows": [{"from": "21:00", "to": "08:00"}], "timezone": "Vienna"},
         "quiet_hours__timezone"),
        ("quiet_hours", {"windows": [{"from": "21:00", "to": "08:00"}], "then": "wait"}, "quiet_hours__then"),
        ("quiet_hours", {"windows": [{"from": "21:00", "to": "08:00"}], "max_hold": 0}, "quiet_hours__max_hold"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_where_it_is(key: str, given: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_options({key: given})
    assert refused.value.field == f"smspipe__{field}"


def test_the_nearest_key_is_named() -> None:
    with pytest.raises(Invalid, match="Did you mean 'segments_per_day'"):
        read_options({"budget": {"segment_per_day": 1}})


def test_the_projects_budget_is_changed_key_by_key(connection: Connection) -> None:
    assert load_budget(connection) is None
    change_budget(connection, {"segments_per_day": 5, "money_per_month": "10"}, NOW)
    assert change_budget(connection, {"segments_per_day": None}, NOW) == {"money_per_month": "10"}
    assert get_budget(connection) == {"money_per_month": "10"}
    assert load_budget(connection) == Budget(money_per_month=Decimal(10))


def test_a_mistake_in_the_projects_budget_changes_nothing(connection: Connection) -> None:
    with pytest.raises(Invalid) as refused:
        change_budget(connection, {"segments_per_day": 5, "timezone": "Vienna"}, NOW)
    assert refused.value.field == "budget__timezone"
    assert get_budget(connection) == {}

"""The drill: strangers with the public key have texts sent to numbers that they earn from, and are stopped."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe import persons
from smspipe.deliveries.velocity import refused_since
from smspipe.model.destination import ANY, Destination
from smspipe.model.event import Event
from smspipe.model.ids import DestinationId
from smspipe.model.outcome import Reason
from smspipe.model.trust import PROTECTIVE
from smspipe.pipeline import fanout
from smspipe.pipeline.prepare import Plan, prepare
from tests.pipeline.conftest import HASHER, NOW, SITE, a_destination, an_event

LIVE = type(SITE)(project=SITE.project, live=True)
POSTS, NUMBERS = 5000, 300
SHOP = DestinationId("shop")

Outcomes = Counter[tuple[str, str]]
Run = Callable[..., Outcomes]


@pytest.fixture
def run(connection: Connection) -> Run:
    """Give `run(destination, events, …)`: decide on events in groups of 250; count outcomes and their reasons."""
    cache, positions = persons.Cache(), iter(range(1, 10_000))

    def run_all(destination: Destination, events: list[Event], *, live: bool, now: datetime = NOW) -> Outcomes:
        plan = Plan([prepare(destination, LIVE if live else SITE)], live=live)
        outcomes: Outcomes = Counter()
        for start in range(0, len(events), 250):
            entries = [(next(positions), events[start : start + 250])]
            done = fanout.run(connection, entries, plan, cache, now, hasher=HASHER, free=0)
            for (_, outcome, reason), n in done.outcomes.items():
                outcomes[outcome, reason] += n
        return outcomes

    return run_all


def posts(numbers: list[str], *, first: int = 0, posts: int = POSTS, **fields: Any) -> list[Event]:
    """Make posts that name these numbers in turn, each of another visitor, from ever other networks unless said."""
    return [
        an_event(
            first + nth,
            distinct_id=f"visitor {first + nth}",
            properties={"phone": numbers[nth % len(numbers)], "text": "Your code"},
            **({"ip": f"8.{nth // 200}.{nth % 200}.1"} | fields),
        )
        for nth in range(posts)
    ]


PREMIUM = [f"+3719000{nth:04d}" for nth in range(NUMBERS)]
BLOCK = [f"+14155552{nth:03d}" for nth in range(NUMBERS)]
SPREAD = [f"+1415555{nth * 29:04d}" for nth in range(NUMBERS)]


def test_premium_numbers_get_nothing(run: Run) -> None:
    assert run(a_destination(), posts(PREMIUM), live=True) == {("suppressed", Reason.COUNTRY_NOT_ALLOWED): POSTS}


def test_premium_numbers_get_nothing_where_every_country_is_texted_to(run: Run) -> None:
    anywhere = a_destination(countries=frozenset({ANY}))
    assert run(anywhere, posts(PREMIUM), live=True) == {("suppressed", Reason.COUNTRY_NOT_ALLOWED): POSTS}


@pytest.mark.slow
def test_premium_numbers_that_are_asked_for_get_no_more_than_the_limit(run: Run, connection: Connection) -> None:
    careless = a_destination(countries=frozenset({ANY}), number_types=frozenset({"premium"}))
    sent = run(careless, posts(PREMIUM), live=True)["pending", ""]
    assert sent == PROTECTIVE.per_prefix
    assert refused_since(connection, NOW) == {SHOP: POSTS - sent}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("own", "numbers", "fields", "limit"),
    [
        ({"per_prefix": 7}, BLOCK, {}, 7),
        ({"per_prefix": None, "per_source": 7}, BLOCK, {"ip": "8.8.8.8"}, 7),
        ({"per_country": 7}, SPREAD, {}, 7),
        ({"new_numbers": 7, "per_prefix": None, "per_country": None}, SPREAD, {}, 7 * 4),
        ({"per_source": 0}, SPREAD, {}, 0),
        ({"per_prefix": None, "private_sources": True, "per_source": 7}, BLOCK, {"ip": "127.0.0.1"}, 7),
    ],
    ids=["block", "network", "country", "new numbers", "nobody", "a proxy's network"],
)
@pytest.mark.parametrize("live", [True, False], ids=["at Twilio", "at a double"])
def test_ordinary_numbers_get_no_more_than_a_limit_that_is_set(
    run: Run, own: dict[str, Any], numbers: list[str], fields: dict[str, Any], limit: int, live: bool
) -> None:
    """New numbers are limited in number, not in texts: those that were let in may be texted again."""
    outcomes = run(a_destination(velocity=own), posts(numbers, posts=4 * NUMBERS, **fields), live=live)
    assert outcomes == {
        key: n for key, n in ((("pending", ""), limit), (("suppressed", Reason.VELOCITY), 4 * NUMBERS - limit)) if n
    }


@pytest.mark.slow
def test_a_block_of_ordinary_numbers_gets_no_more_than_the_limit(run: Run, connection: Connection) -> None:
    sent = run(a_destination(velocity={"per_prefix": 7}), posts(BLOCK), live=False)["pending", ""]
    assert sent == 7
    assert refused_since(connection, NOW) == {SHOP: POSTS - 7}


def test_where_nothing_is_spent_nothing_is_limited_unless_it_is_said(run: Run) -> None:
    assert run(a_destination(), posts(BLOCK, posts=500), live=False) == {("pending", ""): 500}


def test_those_with_the_secret_key_are_not_limited(run: Run) -> None:
    destination = a_destination(velocity={"per_prefix": 0})
    assert run(destination, posts(BLOCK, posts=500, trusted=True), live=True) == {("pending", ""): 500}


def test_the_next_hour_has_room_again(run: Run) -> None:
    destination = a_destination(velocity={"per_prefix": 3, "per_source": None})
    hours = [
        run(destination, posts(BLOCK, first=100 * hour, posts=10), live=True, now=NOW + timedelta(hours=hour))
        for hour in range(3)
    ]
    assert [outcomes["pending", ""] for outcomes in hours] == [3, 3, 3]


def test_limits_hold_across_groups_as_within_one(run: Run) -> None:
    destination = a_destination(velocity={"per_prefix": 3, "per_source": None})
    events = posts(BLOCK, posts=10)
    alone = [run(destination, [event], live=True)["pending", ""] for event in events]
    assert alone == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]


def test_a_repeated_post_neither_counts_nor_is_texted(run: Run) -> None:
    destination = a_destination(velocity={"per_prefix": 2})
    (event, other) = posts(BLOCK, posts=2)
    outcomes = [run(destination, [each], live=True)["pending", ""] for each in (event, event, event, other)]
    assert outcomes == [1, 0, 0, 1]

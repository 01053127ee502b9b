"""The door through which deliveries get another try."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smspipe.model.delivery import Status
from smspipe.model.ids import DestinationId
from smspipe.model.outcome import Reason
from smspipe.optouts import EVERYWHERE, New, Source, register
from tests.web.conftest import NOW, Api, put_behind
from tests.web.test_ledger import delivery, keep

PATH = "/api/projects/1/deliveries/redrive/"
FAILED: dict[str, Any] = {"status": Status.FAILED, "reason": Reason.TWILIO_UNREACHABLE, "sid": None}
HELD: dict[str, Any] = {"status": Status.HELD, "reason": Reason.CREDENTIALS, "sid": None}
LOST: dict[str, Any] = {"status": Status.UNCONFIRMED, "reason": Reason.UNCONFIRMED, "sid": None}


@pytest.fixture
async def shop(running: Api, body: dict[str, Any]) -> DestinationId:
    """A destination that can send; it is a minute later than its deliveries."""
    running.clock.pass_(timedelta(minutes=1))
    return DestinationId((await running.create(body))["id"])


async def redrive(running: Api, **given: Any) -> Any:
    """Ask for it in a way that is right."""
    status, answer = await running.call("POST", PATH, given)
    assert status == 200, answer
    return answer


async def states(running: Api) -> dict[str, str]:
    """Give the status of each text."""
    return {each["body"]: each["status"] for each in (await running.get("/deliveries/"))["results"]}


async def test_failed_and_held_deliveries_get_another_try_and_no_others(running: Api, shop: DestinationId) -> None:
    woken: list[int] = []
    put_behind(replace(running.services, wake=lambda: woken.append(1)))
    own = {"destination_id": shop}
    all_of_them = [
        delivery(1, **own),
        delivery(2, **own, **FAILED),
        delivery(3, **own, **HELD),
        delivery(4, **own, **LOST),
    ]
    await keep(running, *all_of_them)
    ids = [each.id for each in all_of_them] + ["nobody"]
    assert await redrive(running, ids=ids) == {"redriven": 2}
    assert woken == [1]
    assert await states(running) == {"Hi 1": "accepted", "Hi 2": "pending", "Hi 3": "pending", "Hi 4": "unconfirmed"}
    assert await redrive(running, ids=ids) == {"redriven": 0}
    assert woken == [1], "nothing new waits"


async def test_the_count_comes_before_the_sending(running: Api, shop: DestinationId) -> None:
    await keep(
        running,
        delivery(1, destination_id=shop, **FAILED | {"segments": 3}),
        delivery(2, destination_id=shop, **FAILED),
        delivery(3, destination_id=shop, **HELD | {"to": "+15005550001"}),
        delivery(4, destination_id=shop),
        delivery(5, **FAILED),
        delivery(6, destination_id=shop, **FAILED | {"to": "+15005550002"}),
        delivery(7, destination_id=shop, **FAILED | {"body": None}),
    )
    stopped = New(
        number=running.services.read_number("+15005550002"), scope=EVERYWHERE, source=Source.PERSON, who="Ada"
    )
    await running.write(lambda connection: register.add(connection, running.services.hasher, stopped, now=NOW))
    before = await states(running)
    forecast = await redrive(running, filter={}, dry_run=True)
    assert forecast == {
        "would_send": 3,
        "segments": 5,
        "recipients": 2,
        "counts": [
            {"status": "failed", "reason": "twilio_unreachable", "texts": 2},
            {"status": "held", "reason": "credentials", "texts": 1},
        ],
        "left_alone": {"may_have_been_sent": 1, "no_text": 1, "opted_out": 1, "destination_off": 1},
        "as_of": "2026-01-02T03:05:05.000Z",
    }
    assert await states(running) == before
    done = await redrive(running, filter={}, expected=3, as_of=forecast["as_of"])
    assert done == {"redriven": 3, "cursor": None}
    after = await states(running)
    assert {text for text, status in after.items() if status == "pending"} == {"Hi 1", "Hi 2", "Hi 3"}


async def test_a_count_that_no_longer_fits_is_refused_with_the_new_one(running: Api, shop: DestinationId) -> None:
    await keep(running, *(delivery(n, destination_id=shop, **FAILED) for n in (1, 2)))
    forecast = await redrive(running, filter={"status": "failed"}, dry_run=True)
    await keep(running, delivery(3, destination_id=shop, **FAILED))
    given = {"filter": {"status": "failed"}, "expected": forecast["would_send"], "as_of": forecast["as_of"]}
    status, answer = await running.call("POST", PATH, given)
    assert (status, answer["attr"], answer["detail"]) == (
        400,
        "expected",
        "By now 3 would be sent, not 2. Nothing was sent.",
    )
    assert set((await states(running)).values()) == {"failed"}
    assert await redrive(running, **given | {"expected": 3}) == {"redriven": 3, "cursor": None}


async def test_doing_it_twice_sends_nothing_new(running: Api, shop: DestinationId) -> None:
    await keep(running, delivery(1, destination_id=shop, **FAILED))
    given = {"filter": {}, "expected": 1, "as_of": "2026-01-02T03:05:05Z"}
    assert (await redrive(running, **given))["redriven"] == 1
    status, answer = await running.call("POST", PATH, given)
    assert (status, answer["detail"]) == (400, "By now 0 would be sent, not 1. Nothing was sent.")


async def test_many_are_sent_in_steps_each_where_the_one_before_stopped(running: Api, shop: DestinationId) -> None:
    await keep(running, *(delivery(n, destination_id=shop, **FAILED) for n in range(1, 8)))
    forecast = await redrive(running, filter={}, dry_run=True)
    given = {"filter": {}, "as_of": forecast["as_of"], "limit": 3}
    left, cursor, sizes = 7, None, []
    while left:
        done = await redrive(running, **given, expected=left, cursor=cursor)
        sizes.append(done["redriven"])
        left, cursor = left - done["redriven"], done["cursor"]
    assert sizes == [3, 3, 1]
    assert set((await states(running)).values()) == {"pending"}


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"reason": "credentials"}, 1),
        ({"status": "failed"}, 2),
        ({"error_code": 30003}, 1),
        ({"error_code": "30003"}, 1),
        ({"to": "+15005550001"}, 1),
        ({"destination": "nobody"}, 0),
        ({"event_uuid": "01912E4C-0000-7000-8000-000000000001"}, 1),
        ({"distinct_id": "u-1"}, 2),
        ({"after": "2026-01-02T03:04:07Z"}, 2),
        ({"before": "2026-01-02T03:04:07Z", "status": None}, 1),
        ({"after": "-1h"}, 3),
    ],
    ids=str,
)
async def test_every_filter_chooses(chosen: dict[str, Any], found: int, running: Api, shop: DestinationId) -> None:
    await keep(
        running,
        delivery(1, destination_id=shop, **FAILED | {"error_code": 30003}),
        delivery(2, destination_id=shop, **FAILED | {"to": "+15005550001"}),
        delivery(3, destination_id=shop, **HELD),
    )
    assert (await redrive(running, filter=chosen, dry_run=True))["would_send"] == found


async def test_what_may_have_been_sent_needs_force_and_a_reason(running: Api, shop: DestinationId) -> None:
    await keep(running, lost := delivery(1, destination_id=shop, **LOST))
    status, answer = await running.call("POST", PATH, {"ids": [lost.id], "force": True})
    assert (status, answer["attr"]) == (400, "why")
    assert await redrive(running, ids=[lost.id], why="She called.") == {"redriven": 0}
    forecast = await redrive(running, filter={"status": "unconfirmed"}, force=True, dry_run=True)
    assert forecast["would_send"] == 1
    assert await redrive(running, ids=[lost.id], force=True, why="She called.") == {"redriven": 1}
    shown = await running.get(f"/deliveries/{lost.id}/")
    assert shown["status"] == "pending"
    assert shown["steps"][-1]["saw"] == "A person had it sent again, though it may have been sent: She called."
    assert shown["steps"][-1]["data"]["was"] == "unconfirmed"


@pytest.mark.parametrize(
    ("given", "attr"),
    [
        ({}, "ids"),
        ({"ids": "x"}, "ids"),
        ({"ids": [1]}, "ids"),
        ({"ids": ["x"] * 501}, "ids"),
        ({"ids": [], "filter": {}}, "filter"),
        ({"ids": [], "force": 1}, "force"),
        ({"ids": [], "why": 1}, "why"),
        ({"ids": [], "dry_run": "yes"}, "dry_run"),
        ({"ids": [], "expected": -1}, "expected"),
        ({"ids": [], "expcted": 1}, "expcted"),
        ({"filter": {}}, "expected"),
        ({"filter": []}, "filter"),
        ({"filter": {"stats": "held"}}, "filter__stats"),
        ({"filter": {"status": "lost"}}, "filter__status"),
        ({"filter": {"to": 1}}, "filter__to"),
        ({"filter": {"error_code": "x"}}, "filter__error_code"),
        ({"filter": {"error_code": True}}, "filter__error_code"),
        ({"filter": {"after": "yesterday"}}, "filter__after"),
        ({"filter": {}, "expected": 0, "as_of": 1}, "as_of"),
        ({"filter": {}, "expected": 0, "cursor": 1}, "cursor"),
        ({"filter": {}, "force": True, "why": "So."}, "filter__status"),
    ],
    ids=str,
)
async def test_what_means_nothing_is_refused(given: dict[str, Any], attr: str, running: Api) -> None:
    status, answer = await running.call("POST", PATH, given)
    assert (status, answer["attr"]) == (400, attr)

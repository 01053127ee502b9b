"""The door to what the texts cost."""

from functools import partial
from typing import Any

import pytest

from smspipe.deliveries import evidence
from smspipe.model.ids import DestinationId
from tests.web.conftest import Api
from tests.web.test_ledger import delivery, keep


@pytest.fixture
async def sent(running: Api, body: dict[str, Any]) -> DestinationId:
    """Three texts, two of which have a price."""
    shop = DestinationId((await running.create(body))["id"])
    texts = [delivery(1, destination_id=shop), delivery(2, destination_id=shop, segments=2), delivery(3)]
    await keep(running, *texts)
    for text, price in zip(texts, ("0.0079", "0.0158"), strict=False):
        told: dict[str, Any] = {"price": price, "price_unit": "USD", "billed_segments": 2}
        await running.write(partial(evidence.learn, delivery=text.id, **told))
    return shop


async def test_costs_are_summed_by_destination(running: Api, sent: DestinationId) -> None:
    answer = await running.get("/deliveries/cost/")
    first, second = answer["results"]
    assert first == {
        "key": sent,
        "name": "Welcome",
        "texts": 2,
        "segments": 3,
        "billed_segments": 4,
        "billed_share": 1.0,
        "prices": [{"amount": "0.0237", "currency": "USD"}],
        "priced": 2,
        "priced_share": 1.0,
    }
    assert (second["key"], second["name"], second["prices"], second["priced_share"]) == ("d-1", "d-1", [], 0.0)
    assert (answer["total"]["texts"], answer["total"]["prices"]) == (3, first["prices"])
    assert answer["total"]["priced_share"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("by=day", ["2026-01-02"]),
        ("by=country", ["US"]),
        ("by=destination&after=2026-01-02T03:04:08Z", ["d-1"]),
        ("before=2026-01-02", []),
        ("destination=d-1&by=day", ["2026-01-02"]),
    ],
)
async def test_keys_and_spans(query: str, keys: list[str], running: Api, sent: DestinationId) -> None:
    assert [each["key"] for each in (await running.get(f"/deliveries/cost?{query}"))["results"]] == keys


async def test_nothing_costs_nothing(running: Api) -> None:
    answer = await running.get("/deliveries/cost/?by=country")
    assert (answer["results"], answer["total"]["texts"], answer["total"]["prices"]) == ([], 0, [])


@pytest.mark.parametrize(("query", "attr"), [("by=person", "by"), ("after=x", "after"), ("before=x", "before")])
async def test_what_means_nothing_is_refused(query: str, attr: str, running: Api) -> None:
    status, answer = await running.call("GET", f"/api/projects/1/deliveries/cost/?{query}")
    assert (status, answer["attr"]) == (400, attr)

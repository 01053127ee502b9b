from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from smspipe.sandbox.account import KEPT_MESSAGES, KEPT_RECORDS, Account, Settings
from smspipe.sandbox.api import Api
from smspipe.sandbox.checks import Draft, check_create
from smspipe.sandbox.faults import FaultPlan
from smspipe.sandbox.life import Lives
from smspipe.sandbox.webhooks import Webhooks
from tests.sandbox.conftest import MESSAGES, PHONE, SENDER, START, Town


async def test_requests_are_recorded_in_order_with_what_became_of_them(town: Town) -> None:
    await town.create(Body="first")
    await town.create(To="+15005550009")
    await town.control("POST", "/faults", [{"fault": "500_after"}])
    await town.create(Body="third")

    _, shown = await town.control("GET", "/requests")

    assert shown["total"] == 3
    assert shown["posts"] == {PHONE: 2, "+15005550009": 1}
    assert [
        (record["number"], record["outcome"], record["status"], record["code"], record["fault"])
        for record in shown["results"]
    ] == [(1, "created", 201, None, None), (2, "refused", 400, 21614, None), (3, "fault", 500, None, "500_after")]
    assert shown["results"][0]["form"] == {"To": PHONE, "From": SENDER, "Body": "first"}


async def test_a_request_without_credentials_is_recorded_too(town: Town) -> None:
    async with town.http.post(town.base + MESSAGES, data={"To": PHONE}) as response:
        assert response.status == 401

    _, shown = await town.control("GET", "/requests")
    assert [(record["outcome"], record["code"]) for record in shown["results"]] == [("refused", 20003)]


async def test_requests_of_one_recipient_can_be_asked_for(town: Town) -> None:
    await town.create()
    await town.create(To="+14155550101")

    _, shown = await town.control("GET", "/requests?to=%2B14155550101")

    assert shown["posts"] == {"+14155550101": 1}
    assert [record["to"] for record in shown["results"]] == ["+14155550101"]


async def test_repeated_fields_are_recorded_whole(town: Town) -> None:
    form = aiohttp.FormData([("To", PHONE), ("MediaUrl", "https://a.example"), ("MediaUrl", "https://b.example")])
    async with town.http.post(town.base + MESSAGES, data=form) as response:
        assert response.status == 401

    _, shown = await town.control("GET", "/requests")
    assert shown["results"][0]["form"]["MediaUrl"] == ["https://a.example", "https://b.example"]


async def test_cleared_records_start_again_at_one(town: Town) -> None:
    await town.create()
    assert await town.control("DELETE", "/requests") == (204, None)
    await town.create()

    _, shown = await town.control("GET", "/requests")
    assert (shown["total"], [record["number"] for record in shown["results"]]) == (1, [1])


async def test_reset_brings_the_first_state_back(town: Town) -> None:
    await town.control("POST", "/config", {"inbound_url": town.hook(), "step_seconds": 60})
    await town.control("POST", "/faults", [{"fault": "latency", "seconds": 0}])
    await town.control("POST", f"/phones/{PHONE}/reply", {"to": SENDER, "body": "STOP"})
    await town.create(To="+14155550101")

    assert await town.control("POST", "/reset") == (204, None)

    assert (await town.control("GET", "/inbox"))[1] == {"results": []}
    assert (await town.control("GET", "/faults"))[1] == {"rules": []}
    assert (await town.control("GET", "/requests"))[1] == {"total": 0, "posts": {}, "results": []}
    assert (await town.control("GET", "/config"))[1]["inbound_url"] is None
    assert (await town.create())[0] == 201


async def test_settings_change_one_by_one_and_secrets_are_not_shown(town: Town) -> None:
    await town.control("POST", "/config", {"step_seconds": 0.5})
    key = {"id": "webhooks_sharedkey_1", "secret": "hush"}
    status, config = await town.control("POST", "/config", {"shared_key": key, "api_keys": {"SK1": "hush"}})

    assert status == 200
    assert config["step_seconds"] == 0.5
    assert "hush" not in str(config)


def make_account(seed: int, now: datetime) -> Account:
    return Account(sid="AC", auth_token="", seed=seed, clock=lambda: now, settings=Settings())


def test_the_same_seed_and_clock_make_the_same_sids() -> None:
    def sids(account: Account) -> list[str]:
        return [account.make_sid("SM") for _ in range(3)]

    first = sids(make_account(1, START))

    assert len(set(first)) == 3
    assert sids(make_account(1, START)) == first
    assert set(first).isdisjoint(sids(make_account(2, START)))
    assert set(first).isdisjoint(sids(make_account(1, START + timedelta(microseconds=1))))


async def test_another_seed_meets_other_faults(town: Town) -> None:
    async def met() -> list[int]:
        await town.control("DELETE", "/faults")
        await town.control("POST", "/faults", [{"fault": "429", "probability": 0.5}])
        return [(await town.create(To=f"+141555501{number:02}"))[0] for number in range(20)]

    first = await met()

    assert await met() == first
    assert await town.control("POST", "/seed", {"seed": 7}) == (204, None)
    assert await met() != first


BAD: dict[str, tuple[str, Any, str]] = {
    "rules that are no list": ("/faults", {"fault": "429"}, "array"),
    "an unknown fault": ("/faults", [{"fault": "gremlins"}], "gremlins"),
    "an unknown key": ("/faults", [{"fault": "429", "chance": 1}], "chance"),
    "an impossible probability": ("/faults", [{"fault": "429", "probability": 2}], "<= 1"),
    "no times at all": ("/faults", [{"fault": "429", "times": 0}], ">= 1"),
    "a refusal without code": ("/faults", [{"fault": "refuse"}], "code"),
    "a delivery fault of a list": ("/faults", [{"fault": "undelivered", "match": {"operation": "list"}}], "creating"),
    "an unknown setting": ("/config", {"colour": "red"}, "colour"),
    "a setting of another type": ("/config", {"step_seconds": "soon"}, "step_seconds"),
    "a URL of another scheme": ("/config", {"inbound_url": "ftp://example.com"}, "inbound_url"),
    "a config that is no object": ("/config", [], "object"),
    "no seed": ("/seed", {}, "seed"),
    "an unknown key in a reply": (f"/phones/{PHONE}/reply", {"to": SENDER, "text": "hi"}, "text"),
    "a reply to nobody": (f"/phones/{PHONE}/reply", {"body": "hi"}, "to"),
}


@pytest.mark.parametrize(("path", "body", "hint"), BAD.values(), ids=BAD.keys())
async def test_bad_input_is_answered_with_what_is_wrong(town: Town, path: str, body: Any, hint: str) -> None:
    status, answer = await town.control("POST", path, body)

    assert status == 400
    assert hint in answer["error"]


async def test_a_body_that_is_no_json_is_answered_with_400(town: Town) -> None:
    for path in ("/faults", "/config", "/seed", f"/phones/{PHONE}/reply"):
        async with town.http.post(town.base + path, data=b"\xff{") as response:
            assert response.status == 400
            assert "error" in await response.json()


async def test_bad_rules_leave_the_old_ones_as_they_were(town: Town) -> None:
    await town.control("POST", "/faults", [{"fault": "429"}])
    await town.control("POST", "/faults", [{"fault": "503"}, {"fault": "gremlins"}])

    _, shown = await town.control("GET", "/faults")
    assert [rule["fault"] for rule in shown["rules"]] == ["429"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/faults", 405), ("DELETE", "/inbox", 405), ("DELETE", f"/phones/{PHONE}", 405)],
)
async def test_unknown_paths_and_methods_are_told_apart(town: Town, method: str, path: str, status: int) -> None:
    given, answer = await town.control(method, path)

    assert given == status
    assert answer["error"]


@pytest.mark.slow
def test_what_is_kept_is_bounded() -> None:
    account = make_account(0, START)
    api = Api(account, FaultPlan(0), Lives(account, Webhooks(account)))
    form = {"To": [PHONE], "From": [SENDER], "Body": ["x"]}
    sids = []
    for _ in range(KEPT_MESSAGES + 5):
        account.record(form)
        draft = check_create(form, account)
        assert isinstance(draft, Draft)
        sids.append(api._accept(draft).sid)

    assert len(account.records) == KEPT_RECORDS
    assert account.post_count == KEPT_MESSAGES + 5
    assert [message.sid for message in account.messages.newest_first()] == sids[: -KEPT_MESSAGES - 1 : -1]
    assert account.messages.find(sids[0]) is None

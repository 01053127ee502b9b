"""Each fault as the client meets it."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import pytest

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from smspipe.sandbox.faults import Fault, FaultPlan, Match, Rule
from tests.sandbox.conftest import MESSAGES, PHONE, SENDER, Town, found_town

HEADERS = {"Authorization": aiohttp.encode_basic_auth(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN)}


async def order(town: Town, *rules: dict[str, Any]) -> None:
    status, answer = await town.control("POST", "/faults", list(rules))
    assert status == 200, answer


async def accepted(town: Town) -> int:
    """Count the texts that were accepted, which the inbox and the list agree on."""
    _, inbox = await town.control("GET", "/inbox")
    async with town.http.get(town.base + MESSAGES, headers=HEADERS) as response:
        listed = await response.json()
    assert [text["sid"] for text in inbox["results"]] == [message["sid"] for message in listed["messages"]]
    return len(inbox["results"])


async def only_record(town: Town) -> dict[str, Any]:
    _, shown = await town.control("GET", "/requests")
    (record,) = shown["results"]
    return dict(record)


@pytest.mark.parametrize(
    ("fault", "status", "code", "texts"),
    [
        ("429", 429, 20429, 0),
        ("500_before", 500, 20500, 0),
        ("500_after", 500, 20500, 1),
        ("503", 503, 20503, 0),
        ("queue_full", 429, 21611, 0),
    ],
)
async def test_an_error_is_answered_in_twilio_s_shape(
    town: Town, fault: str, status: int, code: int, texts: int
) -> None:
    await order(town, {"fault": fault})

    given, error = await town.create()

    assert (given, error["code"], error["status"]) == (status, code, status)
    assert await accepted(town) == texts
    record = await only_record(town)
    assert (record["outcome"], record["fault"], record["status"]) == ("fault", fault, status)
    assert (record["sid"] is not None) == bool(texts)


@pytest.mark.parametrize(("fault", "texts"), [("reset_before", 0), ("reset_after", 1)])
@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["httptools", "h11"])
async def test_a_reset_drops_the_connection_without_a_byte(fault: str, texts: int, protocol: str) -> None:
    async with found_town(http=protocol) as town:
        await order(town, {"fault": fault, "times": 1})

        with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
            await town.create()

        assert await accepted(town) == texts
        record = await only_record(town)
        assert (record["outcome"], record["fault"], record["status"]) == ("fault", fault, None)
        assert (await town.create())[0] == 201


async def test_a_reset_leaves_nothing_in_the_server_s_log(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    await order(town, {"fault": "reset_after"})

    with pytest.raises(aiohttp.ClientOSError):
        await town.create()

    assert caplog.records == []


@pytest.mark.parametrize(("fault", "texts"), [("no_answer", 1), ("no_answer_before", 0)])
async def test_no_answer_is_silence_until_the_client_gives_up(town: Town, fault: str, texts: int) -> None:
    await order(town, {"fault": fault})
    patience = aiohttp.ClientTimeout(sock_read=0.05)
    form = {"To": PHONE, "From": SENDER, "Body": "Hi"}

    with pytest.raises(aiohttp.SocketTimeoutError):
        await town.http.post(town.base + MESSAGES, data=form, headers=HEADERS, timeout=patience)

    assert await accepted(town) == texts


async def test_silence_ends_with_a_reset(town: Town) -> None:
    await order(town, {"fault": "no_answer", "seconds": 0.01})

    with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
        await town.create()


async def test_a_malformed_answer_hides_an_accepted_text(town: Town) -> None:
    await order(town, {"fault": "malformed"})
    form = {"To": PHONE, "From": SENDER, "Body": "Hi"}

    async with town.http.post(town.base + MESSAGES, data=form, headers=HEADERS) as response:
        assert response.status == 201
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            await response.json()

    assert await accepted(town) == 1


@pytest.mark.parametrize(("fault", "texts"), [("html_502", 0), ("html_502_after", 1)])
async def test_a_gateway_answers_in_html(town: Town, fault: str, texts: int) -> None:
    await order(town, {"fault": fault})
    form = {"To": PHONE, "From": SENDER, "Body": "Hi"}

    async with town.http.post(town.base + MESSAGES, data=form, headers=HEADERS) as response:
        assert (response.status, response.content_type) == (502, "text/html")
        assert (await response.text()).startswith("<html>")

    assert await accepted(town) == texts


async def test_refuse_answers_with_any_code(town: Town) -> None:
    await order(town, {"fault": "refuse", "code": 21408})

    status, error = await town.create()

    assert (status, error["code"]) == (400, 21408)
    assert await accepted(town) == 0


async def test_latency_delays_an_answer_that_is_otherwise_true(town: Town) -> None:
    await order(town, {"fault": "latency", "seconds": 0.05})
    loop = asyncio.get_running_loop()
    started = loop.time()

    status, _ = await town.create()

    assert status == 201
    assert loop.time() - started >= 0.05
    record = await only_record(town)
    assert (record["outcome"], record["fault"]) == ("created", "latency")


async def test_callbacks_can_overtake_the_answer(town: Town) -> None:
    await order(town, {"fault": "latency_after", "seconds": 0.1})

    answer = asyncio.create_task(town.create(StatusCallback=town.hook()))
    while len(town.customer.posted) < 3:
        assert not answer.done()
        await town.control("GET", "/inbox")

    status, message = await answer
    assert (status, message["status"], message["sid"]) == (201, "queued", town.customer.posted[0]["MessageSid"])
    assert (await only_record(town))["fault"] == "latency_after"


async def test_more_requests_at_once_than_the_limit_get_429(town: Town) -> None:
    await town.control("POST", "/config", {"concurrency_limit": 3})
    await order(town, {"fault": "latency", "seconds": 0.1})

    answers = await asyncio.gather(*(town.create() for _ in range(8)))

    assert Counter(status for status, _ in answers) == {201: 3, 429: 5}
    assert {error["code"] for status, error in answers if status == 429} == {20429}
    assert await accepted(town) == 3


async def test_times_is_how_often_a_rule_strikes(town: Town) -> None:
    await order(town, {"fault": "429", "times": 2}, {"fault": "500_before", "times": 1})

    assert [(await town.create())[0] for _ in range(4)] == [429, 429, 500, 201]
    _, shown = await town.control("GET", "/faults")
    assert [rule["struck"] for rule in shown["rules"]] == [2, 1]


@pytest.mark.parametrize("to", ["+1415*", "+1415", "+14155550101"])
async def test_a_rule_meets_only_whom_it_names(town: Town, to: str) -> None:
    await order(town, {"fault": "429", "match": {"to": to}})

    assert (await town.create(To="+14155550101"))[0] == 429
    assert (await town.create(To="+4915112345678"))[0] == 201


async def test_cleared_rules_strike_no_more(town: Town) -> None:
    await order(town, {"fault": "429"})
    await town.control("DELETE", "/faults")

    assert (await town.create())[0] == 201


async def test_other_operations_fail_when_a_rule_says_so(town: Town) -> None:
    await order(town, {"fault": "503", "match": {"operation": "list", "to": PHONE}})
    assert (await town.create())[0] == 201

    async with town.http.get(town.base + MESSAGES, params={"To": PHONE}, headers=HEADERS) as response:
        assert response.status == 503
    async with town.http.get(town.base + MESSAGES, headers=HEADERS) as response:
        assert response.status == 200


async def test_a_fault_and_a_delivery_outcome_can_meet(town: Town) -> None:
    await order(town, {"fault": "500_after"}, {"fault": "undelivered", "code": 30007})

    await town.create()
    await town.sandbox.drain()

    _, inbox = await town.control("GET", "/inbox")
    assert [text["status"] for text in inbox["results"]] == ["undelivered"]


async def test_a_wrong_request_is_told_so_even_when_its_answer_would_be_lost(town: Town) -> None:
    await order(town, {"fault": "500_after"})

    status, error = await town.create(To="+15005550001")

    assert (status, error["code"]) == (400, 21211)


def struck(seed: int, probability: float, recipients: list[str]) -> list[tuple[str, bool]]:
    plan = FaultPlan(seed)
    plan.add([Rule(fault=Fault.TOO_MANY_REQUESTS, probability=probability)])
    return [(to, plan.draw("create", to).answer is not None) for to in recipients]


def test_chance_depends_on_the_seed_and_not_on_the_order_of_recipients() -> None:
    recipients = [f"+1415555{number:04}" for number in range(200)] * 2
    first = struck(1, 0.3, recipients)

    assert struck(1, 0.3, recipients) == first
    assert sorted(struck(1, 0.3, recipients[::-1])) == sorted(first)
    assert struck(2, 0.3, recipients) != first
    assert 80 < sum(hit for _, hit in first) < 160


def test_chance_of_none_never_strikes_and_of_one_always() -> None:
    recipients = [f"+1415555{number:04}" for number in range(100)]

    assert not any(hit for _, hit in struck(1, 0.0, recipients))
    assert all(hit for _, hit in struck(1, 1.0, recipients))


def test_a_rule_without_a_recipient_meets_everyone() -> None:
    plan = FaultPlan(0)
    plan.add([Rule(fault=Fault.TOO_MANY_REQUESTS, match=Match(to=None))])

    assert plan.draw("create", "").answer is not None

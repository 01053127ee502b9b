import asyncio
from typing import Any

import pytest
from multidict import MultiDict
from twilio.request_validator import RequestValidator, get_signature_algorithm

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from smspipe.sandbox.webhooks import Overrides, read_overrides
from tests.sandbox.conftest import PHONE, SENDER, Customer, Posted, Town
from tests.support.serving import serve


def signed_by(posted: Posted, secret: str, url: str) -> bool:
    algorithm = get_signature_algorithm(posted.headers.get("x-twilio-webhooks-signature-settings"))
    signature = posted.headers["x-twilio-signature"]
    accepted: bool = RequestValidator(secret).validate(url, MultiDict(posted.fields), signature, algorithm)
    return accepted


async def send(town: Town, **form: str) -> str:
    """Create one text and wait until all that follows from it has happened."""
    status, message = await town.create(**form)
    assert status == 201, message
    await town.sandbox.drain()
    sid: str = message["sid"]
    return sid


async def test_callbacks_tell_of_every_status_but_the_first_in_order(town: Town) -> None:
    sid = await send(town, StatusCallback=town.hook())

    assert town.customer.statuses() == ["sending", "sent", "delivered"]
    assert {posted["MessageSid"] for posted in town.customer.posted} == {sid}


async def test_a_service_s_text_is_also_reported_when_it_is_queued(town: Town) -> None:
    service = "MG" + "a" * 32
    await send(town, From="", MessagingServiceSid=service, StatusCallback=town.hook())

    assert town.customer.statuses() == ["queued", "sending", "sent", "delivered"]
    assert {posted["MessagingServiceSid"] for posted in town.customer.posted} == {service}
    assert {posted["From"] for posted in town.customer.posted} == {SENDER}


async def test_a_callback_has_the_documented_fields(town: Town) -> None:
    sid = await send(town, StatusCallback=town.hook())

    assert dict(town.customer.posted[-1].fields) == {
        "AccountSid": DEMO_ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "MessageSid": sid,
        "SmsSid": sid,
        "MessageStatus": "delivered",
        "SmsStatus": "delivered",
        "From": SENDER,
        "To": PHONE,
        "RawDlrDoneDate": "2611221200",
    }


@pytest.mark.parametrize(
    ("to", "statuses", "code"),
    [
        ("+14155530003", ["sending", "sent", "undelivered"], "30003"),
        ("+14155530005", ["sending", "sent", "undelivered"], "30005"),
        ("+14155530006", ["sending", "sent", "undelivered"], "30006"),
        ("+14155530007", ["sending", "sent", "undelivered"], "30007"),
        ("+14155530001", ["sending", "failed"], "30001"),
        ("+14155530036", ["sending", "failed"], "30036"),
    ],
)
async def test_the_last_five_digits_of_a_recipient_choose_its_outcome(
    town: Town, to: str, statuses: list[str], code: str
) -> None:
    await send(town, To=to, StatusCallback=town.hook())

    assert town.customer.statuses() == statuses
    assert town.customer.posted[-1]["ErrorCode"] == code
    assert town.customer.posted[-1]["ErrorMessage"]


async def test_twilio_s_own_validator_accepts_a_callback(town: Town) -> None:
    url = town.hook("/status?m=42&name=Ada%20L&empty=")
    await send(town, StatusCallback=url + "#rc=2&rp=all")

    for posted in town.customer.posted:
        assert posted.at == "/hooks/status?m=42&name=Ada%20L&empty="
        assert signed_by(posted, DEMO_AUTH_TOKEN, url)
        assert not signed_by(posted, "f" * 32, url)
        assert not signed_by(posted, DEMO_AUTH_TOKEN, url + "1")


async def test_a_shared_key_signs_with_sha_256(town: Town) -> None:
    await town.control("POST", "/config", {"shared_key": {"id": "webhooks_sharedkey_1", "secret": "secret"}})
    await send(town, StatusCallback=town.hook())

    for posted in town.customer.posted:
        assert posted.headers["x-twilio-webhooks-signature-settings"] == (
            "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
        )
        assert signed_by(posted, "secret", town.hook())
        assert not signed_by(posted, DEMO_AUTH_TOKEN, town.hook())


async def test_a_failed_callback_is_not_repeated_by_default(town: Town) -> None:
    town.customer.answers = [(500, "", b"")]
    await send(town, StatusCallback=town.hook())

    assert town.customer.statuses() == ["sending", "sent", "delivered"]


@pytest.mark.parametrize(
    ("fragment", "answers", "tries"),
    [
        ("#rc=5&rp=5xx", [500, 503], 3),
        ("#rc=5&rp=4xx", [404], 2),
        ("#rc=5&rp=all", [500, 404], 3),
        ("#rc=1&rp=all", [500, 500, 500], 2),
        ("#rc=0&rp=all", [500], 1),
        ("#rc=5&rp=4xx", [500], 1),
        ("#rc=9&rp=5xx", [500, 500], 2),
    ],
)
async def test_the_url_s_fragment_says_how_often_a_callback_is_repeated(
    town: Town, fragment: str, answers: list[int], tries: int
) -> None:
    town.customer.answers = [(status, "", b"") for status in answers]
    await send(town, StatusCallback=town.hook() + fragment)

    first = [posted for posted in town.customer.posted if posted["MessageStatus"] == "sending"]
    assert len(first) == tries
    assert len({posted.headers["i-twilio-idempotency-token"] for posted in first}) == 1


async def test_different_callbacks_have_different_idempotency_tokens(town: Town) -> None:
    await send(town, StatusCallback=town.hook())

    assert len({posted.headers["i-twilio-idempotency-token"] for posted in town.customer.posted}) == 3


async def test_a_callback_that_finds_nobody_is_tried_once_more(town: Town) -> None:
    async with serve(Customer()) as gone:
        pass
    sid = await send(town, StatusCallback=gone)

    _, shown = await town.control("GET", f"/callbacks?sid={sid}")
    assert [(entry["attempts"], entry["status"], entry["problem"]) for entry in shown["results"]] == [
        (2, None, "ct")
    ] * 3


@pytest.mark.slow
async def test_a_customer_who_never_answers_is_given_up(town: Town) -> None:
    async def silent(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async with serve(silent) as url:
        sid = await send(town, StatusCallback=f"{url}/#rt=100&rc=1&rp=rt")
        _, shown = await town.control("GET", f"/callbacks?sid={sid}")

    assert [(entry["attempts"], entry["problem"]) for entry in shown["results"]] == [(2, "rt")] * 3


@pytest.mark.parametrize(
    ("fragment", "overrides"),
    [
        ("", Overrides()),
        ("#ct=100&rt=200&tt=300&rc=5&rp=4xx,5xx", Overrides(0.1, 0.2, 0.3, 5, frozenset({"4xx", "5xx"}))),
        ("#rp=all", Overrides(retry_on=frozenset({"4xx", "5xx", "ct", "rt"}))),
        ("#ct=99&rt=15001&rc=6&rp=sometimes", Overrides()),
        ("#e=ashburn,dublin&sni=n", Overrides()),
    ],
)
def test_overrides_are_read_and_bad_values_count_as_absent(fragment: str, overrides: Overrides) -> None:
    assert read_overrides("https://example.com/a?b=c" + fragment) == ("https://example.com/a?b=c", overrides)


async def test_lost_callbacks_never_come(town: Town) -> None:
    await town.control("POST", "/faults", [{"fault": "callbacks_lost", "times": 1}])
    sid = await send(town, StatusCallback=town.hook())
    assert town.customer.posted == []

    again = await send(town, StatusCallback=town.hook())
    assert {posted["MessageSid"] for posted in town.customer.posted} == {again} != {sid}


async def test_delayed_callbacks_come_late_and_in_order(town: Town) -> None:
    await town.control("POST", "/faults", [{"fault": "callbacks_delayed", "seconds": 0.05}])
    loop = asyncio.get_running_loop()
    started = loop.time()
    await send(town, StatusCallback=town.hook())

    assert town.customer.statuses() == ["sending", "sent", "delivered"]
    assert loop.time() - started >= 0.05


async def test_doubled_callbacks_are_the_same_webhook_twice(town: Town) -> None:
    await town.control("POST", "/faults", [{"fault": "callbacks_doubled"}])
    await send(town, StatusCallback=town.hook())

    assert town.customer.statuses() == ["sending", "sending", "sent", "sent", "delivered", "delivered"]
    assert len({posted.headers["i-twilio-idempotency-token"] for posted in town.customer.posted}) == 3


async def test_reordered_callbacks_come_with_the_last_status_first(town: Town) -> None:
    await town.control("POST", "/faults", [{"fault": "callbacks_reordered"}])
    await send(town, StatusCallback=town.hook())

    assert town.customer.statuses() == ["delivered", "sent", "sending"]


@pytest.mark.parametrize(
    ("rule", "statuses", "code"),
    [
        ({"fault": "undelivered"}, ["sending", "sent", "undelivered"], 30003),
        ({"fault": "undelivered", "code": 30006}, ["sending", "sent", "undelivered"], 30006),
        ({"fault": "failed", "code": 30002}, ["sending", "failed"], 30002),
        ({"fault": "no_receipt"}, ["sending", "sent"], None),
    ],
)
async def test_a_rule_chooses_the_outcome(town: Town, rule: Any, statuses: list[str], code: int | None) -> None:
    await town.control("POST", "/faults", [rule])
    sid = await send(town, StatusCallback=town.hook())

    assert town.customer.statuses() == statuses
    _, inbox = await town.control("GET", "/inbox")
    assert [(text["sid"], text["status"]) for text in inbox["results"]] == [(sid, statuses[-1])]
    assert dict(town.customer.posted[-1].fields).get("ErrorCode") == (str(code) if code else None)


@pytest.mark.slow
async def test_a_text_that_waits_longer_than_it_is_valid_fails(town: Town) -> None:
    await town.control("POST", "/config", {"step_seconds": 3600})
    await send(town, ValidityPeriod="1", StatusCallback=town.hook())

    (posted,) = town.customer.posted
    assert (posted["MessageStatus"], posted["ErrorCode"]) == ("failed", "30036")

from typing import Any

import pytest

from smspipe.sandbox import DEMO_AUTH_TOKEN
from smspipe.sandbox.phones import keyword_of
from tests.sandbox.conftest import PHONE, SENDER, Town
from tests.sandbox.test_callbacks import signed_by

SERVICE = "MG" + "a" * 32
TOLL_FREE = "+18885550100"


async def reply(town: Town, body: str, *, to: str = SENDER, phone: str = PHONE) -> Any:
    status, answer = await town.control("POST", f"/phones/{phone}/reply", {"to": to, "body": body})
    assert status == 200, answer
    return answer


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        *((word, "STOP") for word in ("STOP", "stop", " Stop\n", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT")),
        *((word, "STOP") for word in ("REVOKE", "OPTOUT")),
        *((word, "START") for word in ("START", "yes", "UNSTOP")),
        *((word, "HELP") for word in ("HELP", "Info")),
        *((text, None) for text in ("Stop please", "STOP.", "", "no")),
    ],
)
def test_only_a_whole_text_is_a_keyword_in_any_case(body: str, keyword: str | None) -> None:
    assert keyword_of(body, SENDER) == keyword


@pytest.mark.parametrize(("body", "keyword"), [("STOP", "STOP"), ("UNSTOP", "START"), ("CANCEL", None), ("HELP", None)])
def test_carriers_know_fewer_words_on_toll_free_numbers(body: str, keyword: str | None) -> None:
    assert keyword_of(body, TOLL_FREE) == keyword


async def test_stop_blocks_further_texts_from_that_sender_until_start(town: Town) -> None:
    assert (await reply(town, "Stop"))["opt_out"] == "STOP"

    status, error = await town.create()
    assert (status, error["code"]) == (400, 21610)
    assert (await town.create(From="+14155550199"))[0] == 201
    assert (await town.create(To="+14155550101"))[0] == 201

    assert (await reply(town, "START"))["opt_out"] == "START"
    assert (await town.create())[0] == 201


async def test_help_and_other_texts_block_nobody(town: Town) -> None:
    assert (await reply(town, "HELP"))["opt_out"] == "HELP"
    assert (await reply(town, "stop please"))["opt_out"] is None

    assert (await town.create())[0] == 201


async def test_stop_to_a_sender_of_a_service_stops_the_whole_service(town: Town) -> None:
    await town.create(From="", MessagingServiceSid=SERVICE)
    await town.sandbox.drain()
    await reply(town, "STOP")

    status, error = await town.create(From="", MessagingServiceSid=SERVICE)

    assert (status, error["code"]) == (400, 21610)


async def test_a_configured_service_is_stopped_at_any_of_its_senders(town: Town) -> None:
    await town.control("POST", "/config", {"messaging_services": {SERVICE: [SENDER, "+14155550100"]}})
    await reply(town, "STOP", to="+14155550100")

    assert (await town.create(From="", MessagingServiceSid=SERVICE))[1]["code"] == 21610
    assert (await town.create())[0] == 201


async def test_after_stop_to_a_toll_free_number_the_carrier_blocks_what_is_sent(town: Town) -> None:
    await reply(town, "STOP", to=TOLL_FREE)

    status, _ = await town.create(From=TOLL_FREE, StatusCallback=town.hook())
    await town.sandbox.drain()

    assert status == 201
    assert (town.customer.posted[-1]["MessageStatus"], town.customer.posted[-1]["ErrorCode"]) == (
        "undelivered",
        "30004",
    )


async def test_the_customer_hears_of_a_reply_signed_and_in_full(town: Town) -> None:
    await town.control("POST", "/config", {"inbound_url": town.hook("/inbound")})
    answer = await reply(town, "Where is it? ☎")

    (posted,) = town.customer.posted
    assert posted.at == "/hooks/inbound"
    assert signed_by(posted, DEMO_AUTH_TOKEN, town.hook("/inbound"))
    assert (posted["From"], posted["To"], posted["Body"]) == (PHONE, SENDER, "Where is it? ☎")
    assert posted["MessageSid"] == posted["SmsSid"] == posted["SmsMessageSid"] == answer["sid"]
    assert (posted["NumMedia"], posted["NumSegments"], posted["SmsStatus"]) == ("0", "1", "received")
    assert "OptOutType" not in dict(posted.fields)
    assert answer["webhook"] == {"status": 204, "attempts": 1, "error_code": None}


async def test_the_customer_hears_of_a_keyword_too(town: Town) -> None:
    await town.control("POST", "/config", {"inbound_url": town.hook(), "advanced_opt_out": True})
    await reply(town, "STOP")

    (posted,) = town.customer.posted
    assert (posted["Body"], posted["OptOutType"]) == ("STOP", "STOP")


async def test_media_of_a_reply_are_named_one_by_one(town: Town) -> None:
    await town.control("POST", "/config", {"inbound_url": town.hook()})
    media = ["https://example.com/a", "https://example.com/b"]
    await town.control("POST", f"/phones/{PHONE}/reply", {"to": SENDER, "media_urls": media})

    (posted,) = town.customer.posted
    assert (posted["NumMedia"], posted["MediaUrl0"], posted["MediaUrl1"]) == ("2", *media)
    assert posted["MessageSid"].startswith("MM")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ((200, "text/xml", b'<?xml version="1.0" encoding="UTF-8"?><Response/>'), None),
        ((204, "", b""), None),
        ((200, "application/json", b"{}"), 12300),
        ((200, "text/xml", b"fine"), 12100),
        ((500, "", b""), 11200),
    ],
    ids=["TwiML", "nothing", "JSON", "no TwiML", "an error"],
)
async def test_an_answer_that_twilio_could_not_use_is_named(town: Town, given: Any, code: int | None) -> None:
    await town.control("POST", "/config", {"inbound_url": town.hook()})
    town.customer.answers = [given]

    assert (await reply(town, "hello"))["webhook"]["error_code"] == code


async def test_the_inbox_shows_what_was_sent_newest_first(town: Town) -> None:
    first = (await town.create(Body="first"))[1]["sid"]
    second = (await town.create(To="+14155550101", Body="second"))[1]["sid"]
    await reply(town, "STOP")
    await town.sandbox.drain()

    _, inbox = await town.control("GET", "/inbox")
    assert [text["sid"] for text in inbox["results"]] == [second, first]
    assert inbox["results"][1] == {
        "sid": first,
        "to": PHONE,
        "from": SENDER,
        "body": "first",
        "status": "delivered",
        "created_at": "2026-11-22T12:00:00Z",
    }
    _, inbox = await town.control("GET", "/inbox?to=%2B14155552671")
    assert [text["sid"] for text in inbox["results"]] == [first]


async def test_a_phone_shows_both_sides_of_its_conversation(town: Town) -> None:
    await town.create(Body="Hi Ada")
    await reply(town, "STOP")
    await town.create(To="+14155550101")

    _, phone = await town.control("GET", f"/phones/{PHONE}")

    assert [text["direction"] for text in phone["results"]] == ["outbound-reply", "inbound", "outbound-api"]
    assert [text["body"] for text in phone["results"][1:]] == ["STOP", "Hi Ada"]


async def test_replies_are_messages_of_the_account(town: Town) -> None:
    sid = (await reply(town, "hello"))["sid"]

    message = await town.call(lambda: town.client().messages(sid).fetch())

    assert (message.direction, message.status, message.from_, message.to) == ("inbound", "received", PHONE, SENDER)


@pytest.mark.parametrize(
    ("phone", "to"),
    [("4155552671", SENDER), (PHONE, "Ada"), (PHONE, PHONE), (PHONE, "")],
    ids=["a phone without plus", "a sender name", "itself", "nobody"],
)
async def test_an_impossible_reply_is_explained(town: Town, phone: str, to: str) -> None:
    status, answer = await town.control("POST", f"/phones/{phone}/reply", {"to": to, "body": "hello"})

    assert status == 400
    assert answer["error"].endswith(".")

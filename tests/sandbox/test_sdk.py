"""Twilio's own Python SDK works against the sandbox, and what both say is as Twilio's document has it."""

from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from tests.sandbox.conftest import MESSAGES, PHONE, SENDER, START, Town
from tests.support.twilio_contract import ContractGate, twilio_contract

SERVICE = "MG" + "a" * 32
pytestmark = pytest.mark.slow


@pytest.fixture
def gate() -> ContractGate:
    return ContractGate(prefix="/sandbox")


@pytest.fixture
def client(town: Town, gate: ContractGate) -> Client:
    return town.client(http_client=TwilioHttpClient(request_hooks=gate.hooks))


async def refused(town: Town, action: Any) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        await town.call(action)
    return caught.value


async def test_create_answers_with_the_queued_message(town: Town, client: Client) -> None:
    message = await town.call(
        lambda: client.messages.create(
            to=PHONE,
            from_=SENDER,
            body="Hi Ada",
            media_url=["https://example.com/a.png", "https://example.com/b.png"],
            validity_period=60,
            provide_feedback=True,
        )
    )

    assert (message.to, message.from_, message.body, message.status) == (PHONE, SENDER, "Hi Ada", "queued")
    assert message.sid.startswith("MM")
    assert (message.num_segments, message.num_media, message.direction) == ("1", "2", "outbound-api")
    assert message.date_created == START
    assert (message.date_sent, message.error_code, message.price) == (None, None, None)


async def test_a_messaging_service_chooses_the_sender_later(town: Town, client: Client) -> None:
    message = await town.call(lambda: client.messages.create(to=PHONE, messaging_service_sid=SERVICE, body="Hi Ada"))
    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")

    await town.sandbox.drain()
    message = await town.call(message.fetch)

    assert (message.status, message.from_, message.num_segments) == ("delivered", SENDER, "1")
    assert message.messaging_service_sid == SERVICE


async def test_fetch_shows_how_the_message_ended(town: Town, client: Client) -> None:
    sid = (await town.call(lambda: client.messages.create(to="+14155530003", from_=SENDER, body="x"))).sid
    await town.sandbox.drain()

    message = await town.call(lambda: client.messages(sid).fetch())

    assert (message.status, message.error_code) == ("undelivered", 30003)
    assert message.error_message == "Unreachable destination handset"
    assert message.date_sent == START
    assert message.price == "-0.00750"


async def test_list_pages_through_everything_newest_first(town: Town, client: Client, gate: ContractGate) -> None:
    for number in range(5):
        await town.create(Body=f"text {number}")

    found = await town.call(lambda: client.messages.list(page_size=2))

    assert [message.body for message in found] == [f"text {number}" for number in (4, 3, 2, 1, 0)]
    assert gate.seen == [(f"GET {MESSAGES}", 200)] * 3


async def test_list_pages_do_not_shift_when_messages_arrive_between_them(town: Town, client: Client) -> None:
    for number in range(4):
        await town.create(Body=f"text {number}")
    first = await town.call(lambda: client.messages.page(page_size=2))
    await town.create(Body="late")

    second = await town.call(first.next_page)
    back = await town.call(second.previous_page)

    assert [message.body for message in second] == ["text 1", "text 0"]
    assert [message.body for message in back] == ["text 3", "text 2"]


async def test_list_filters_by_numbers_and_by_the_day_a_message_was_sent(town: Town, client: Client) -> None:
    await town.create(To="+14155550101", Body="first day")
    await town.sandbox.drain()
    town.advance(timedelta(days=1))
    await town.create(To="+14155550102", Body="second day")
    await town.sandbox.drain()

    async def bodies(**filters: Any) -> list[str]:
        return [message.body for message in await town.call(lambda: client.messages.list(**filters))]

    assert await bodies(to="+14155550101") == ["first day"]
    assert await bodies(from_=SENDER) == ["second day", "first day"]
    assert await bodies(from_="+15005550000") == []
    assert await bodies(date_sent_after=town.now - timedelta(hours=1)) == ["second day"]
    assert await bodies(date_sent_before=town.now - timedelta(hours=1)) == ["first day"]
    assert await bodies(date_sent=START) == ["first day"]


async def test_redaction_empties_the_body(town: Town, client: Client) -> None:
    sid = (await town.create())[1]["sid"]

    message = await town.call(lambda: client.messages(sid).update(body=""))

    assert message.body == ""
    assert (await town.call(lambda: client.messages(sid).fetch())).body == ""


async def test_a_scheduled_message_can_be_canceled_and_then_never_leaves(town: Town, client: Client) -> None:
    message = await town.call(
        lambda: client.messages.create(
            to=PHONE,
            messaging_service_sid=SERVICE,
            body="x",
            schedule_type="fixed",
            send_at=START + timedelta(hours=1),
            status_callback=town.hook(),
        )
    )
    assert message.status == "scheduled"

    assert (await town.call(lambda: message.update(status="canceled"))).status == "canceled"
    town.advance(timedelta(hours=2))

    assert (await town.call(message.fetch)).status == "canceled"
    await town.sandbox.drain()
    assert town.customer.statuses() == ["canceled"]


async def test_a_scheduled_message_leaves_when_its_time_has_come(town: Town, client: Client) -> None:
    send_at = START + timedelta(minutes=10)
    message = await town.call(
        lambda: client.messages.create(
            to=PHONE, messaging_service_sid=SERVICE, body="x", schedule_type="fixed", send_at=send_at
        )
    )
    town.advance(timedelta(minutes=9))
    assert (await town.call(message.fetch)).status == "scheduled"

    town.advance(timedelta(minutes=1))
    await town.call(message.fetch)
    await town.sandbox.drain()

    message = await town.call(message.fetch)
    assert (message.status, message.date_sent) == ("delivered", send_at)


async def test_only_a_scheduled_message_can_be_canceled(town: Town, client: Client) -> None:
    sid = (await town.create())[1]["sid"]

    error = await refused(town, lambda: client.messages(sid).update(status="canceled"))

    assert (error.status, error.code) == (400, 20422)


async def test_a_finished_message_can_be_deleted(town: Town, client: Client) -> None:
    sid = (await town.create())[1]["sid"]
    await town.sandbox.drain()

    assert await town.call(lambda: client.messages(sid).delete()) is True

    error = await refused(town, lambda: client.messages(sid).fetch())
    assert (error.status, error.code) == (404, 20404)
    assert await town.call(client.messages.list) == []


async def test_a_message_on_its_way_cannot_be_deleted(town: Town, client: Client) -> None:
    await town.control("POST", "/config", {"step_seconds": 60})
    sid = (await town.create())[1]["sid"]

    error = await refused(town, lambda: client.messages(sid).delete())

    assert (error.status, error.code) == (400, 20009)


async def test_feedback_and_media_are_subresources_of_a_message(town: Town, client: Client) -> None:
    sid = (await town.create(MediaUrl="https://example.com/a.png"))[1]["sid"]

    feedback = await town.call(lambda: client.messages(sid).feedback.create(outcome="confirmed"))
    (media,) = await town.call(lambda: client.messages(sid).media.list())

    assert (feedback.message_sid, feedback.outcome) == (sid, "confirmed")
    assert media.parent_sid == sid


async def test_the_account_and_its_numbers_can_be_read(town: Town, client: Client) -> None:
    account = await town.call(lambda: client.api.v2010.accounts(DEMO_ACCOUNT_SID).fetch())
    (number,) = await town.call(client.incoming_phone_numbers.list)

    assert (account.status, account.type) == ("active", "Full")
    assert (number.phone_number, number.capabilities["sms"]) == (SENDER, True)


async def test_an_error_answer_has_code_sentence_and_page(town: Town, client: Client) -> None:
    error = await refused(town, lambda: client.messages.create(to="+15005550009", from_=SENDER, body="x"))

    assert (error.status, error.code) == (400, 21614)
    assert "mobile" in error.msg
    async with town.http.get(town.base + MESSAGES) as response:
        assert await response.json() == {
            "code": 20003,
            "message": "Authenticate",
            "more_info": "https://www.twilio.com/docs/errors/20003",
            "status": 401,
        }


async def test_wrong_credentials_are_refused(town: Town) -> None:
    wrong = Client(DEMO_ACCOUNT_SID, "f" * 32)
    wrong.api.base_url = town.base

    error = await refused(town, lambda: wrong.messages.create(to=PHONE, from_=SENDER, body="x"))

    assert (error.status, error.code) == (401, 20003)


async def test_an_api_key_serves_in_place_of_the_token(town: Town) -> None:
    key = "SK" + "b" * 32
    await town.control("POST", "/config", {"api_keys": {key: "secret"}})
    client = Client(key, "secret", account_sid=DEMO_ACCOUNT_SID)
    client.api.base_url = town.base

    assert await town.call(client.messages.list) == []


async def test_another_account_is_not_found(town: Town, client: Client) -> None:
    other = client.api.v2010.accounts("AC" + "1" * 32)

    error = await refused(town, lambda: other.messages.create(to=PHONE, from_=SENDER, body="x"))

    assert (error.status, error.code) == (404, 20404)


@pytest.mark.parametrize("size", ["0", "1001", "many", "-1"])
async def test_a_page_size_outside_1_to_1000_is_refused(town: Town, size: str) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN)}

    async with town.http.get(town.base + MESSAGES, params={"PageSize": size}, headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (400, 20007)


async def test_answers_carry_the_headers_that_support_asks_for(town: Town) -> None:
    async with town.http.get(town.base + MESSAGES) as response:
        assert response.headers["Twilio-Request-Id"].startswith("RQ")
        assert float(response.headers["Twilio-Request-Duration"]) >= 0
        assert response.headers["Twilio-Concurrent-Requests"] == "1"


def test_the_contract_gate_notices_a_wrong_request_and_a_wrong_answer() -> None:
    headers = {"Authorization": "Basic eDp5"}
    form = "application/x-www-form-urlencoded"
    good = MockRequest("https://api.twilio.com", "POST", MESSAGES, headers=headers, data=b"To=x", content_type=form)
    without_to = MockRequest(
        "https://api.twilio.com", "POST", MESSAGES, headers=headers, data=b"A=x", content_type=form
    )

    with pytest.raises(OpenAPIError):
        twilio_contract().validate_request(without_to)
    with pytest.raises(OpenAPIError):
        twilio_contract().validate_response(good, MockResponse(b'{"num_segments": 1}', 201))
    with pytest.raises(OpenAPIError):
        twilio_contract().validate_response(good, MockResponse(b'{"status": "sent "}', 201))

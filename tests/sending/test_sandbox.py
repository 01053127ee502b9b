"""The sender against the sandbox, which was written from Twilio's documents and shares no code with it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from smspipe.model.destination import Account, Secret
from smspipe.model.message import Encoding, Message
from smspipe.model.phone import E164
from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox, keep_drop
from smspipe.sending import (
    Accepted,
    AccountFault,
    Answer,
    Client,
    Later,
    OptedOut,
    Refused,
    Unconfirmed,
    Verified,
    build_request,
)
from tests.support.serving import serve

ACCOUNT = Account(sid=DEMO_ACCOUNT_SID, username=DEMO_ACCOUNT_SID, password=Secret(DEMO_AUTH_TOKEN))
SENDER = "+15005550006"
PHONE = "+14155552671"


@dataclass
class Town:
    """A running sandbox, a client that sends to it, and a way to order faults and look at the phones."""

    client: Client
    http: aiohttp.ClientSession
    url: str

    async def send(self, to: str = PHONE, sender: str = SENDER, body: str = "Hi", account: Account = ACCOUNT) -> Answer:
        message = Message(to=E164(to), sender=sender, body=body, encoding=Encoding.GSM_7, segments=1)
        return await self.client.send(build_request(message, account))

    async def order(self, **rule: Any) -> None:
        async with self.http.post(self.url + "/faults", json=[rule]) as answered:
            answered.raise_for_status()

    async def inbox(self) -> list[dict[str, Any]]:
        async with self.http.get(self.url + "/inbox") as answered:
            results: list[dict[str, Any]] = (await answered.json())["results"]
            return results


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    sandbox = Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, prefix="/sandbox", step_seconds=0)
    async with serve(keep_drop(sandbox)) as url, aiohttp.ClientSession() as http:
        url += "/sandbox"
        async with Client(url) as client:
            yield Town(client, http, url)
        await sandbox.close()


async def test_a_text_arrives_as_it_was_written(town: Town) -> None:
    body = "50 % off + Ångström & Søn = 👋 (it's ~1!)\r\nnew line"
    sent = await town.send(body=body)
    assert isinstance(sent, Accepted)
    (text,) = await town.inbox()
    assert (text["sid"], text["to"], text["from"], text["body"]) == (sent.sid, PHONE, SENDER, body)


@pytest.mark.parametrize(
    ("to", "sender", "expected", "code"),
    [
        ("+15005550001", SENDER, Refused, 21211),
        ("+15005550002", SENDER, Refused, 21612),
        ("+15005550003", SENDER, Refused, 21408),
        ("+15005550004", SENDER, OptedOut, 21610),
        ("+15005550009", SENDER, Refused, 21614),
        (PHONE, "+15005550001", AccountFault, 21212),
        (PHONE, "+15005550007", AccountFault, 21606),
        (PHONE, "+15005550008", Later, 21611),
    ],
)
async def test_twilios_magic_numbers_fail_as_documented(
    town: Town, to: str, sender: str, expected: type[Answer], code: int
) -> None:
    sent = await town.send(to=to, sender=sender)
    assert type(sent) is expected
    assert not isinstance(sent, Accepted)
    assert sent.code == code
    assert to[1:] not in repr(sent)
    assert await town.inbox() == []


async def test_wrong_credentials_are_a_fault_of_the_account(town: Town) -> None:
    wrong = Account(sid=DEMO_ACCOUNT_SID, username=DEMO_ACCOUNT_SID, password=Secret("wrong"))
    sent = await town.send(account=wrong)
    assert isinstance(sent, AccountFault)
    assert sent.code == 20003
    assert isinstance(await town.client.check(wrong), AccountFault)


async def test_right_credentials_are_verified(town: Town) -> None:
    assert isinstance(await town.client.check(ACCOUNT), Verified)


@pytest.mark.parametrize(
    ("fault", "expected", "arrived"),
    [
        ("429", Later, 0),
        ("queue_full", Later, 0),
        ("500_before", Unconfirmed, 0),
        ("500_after", Unconfirmed, 1),
        ("503", Unconfirmed, 0),
        ("reset_before", Unconfirmed, 0),
        ("reset_after", Unconfirmed, 1),
        ("malformed", Unconfirmed, 1),
        ("html_502", Unconfirmed, 0),
        ("html_502_after", Unconfirmed, 1),
    ],
)
async def test_each_fault_is_told_apart_as_far_as_it_can_be_and_nothing_is_sent_twice(
    town: Town, fault: str, expected: type[Answer], arrived: int
) -> None:
    assert isinstance(await town.send(), Accepted)  # a kept connection is where resending would tempt
    await town.order(fault=fault)
    assert type(await town.send()) is expected
    assert len(await town.inbox()) == 1 + arrived

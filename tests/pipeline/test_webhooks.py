"""Nobody but Twilio is believed: a callback is signed by a key that we know, for the address that we gave out."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN
from smspipe.sandbox.signature import sign
from tests.acceptance.service import eventually, twilio_destination
from tests.pipeline.town import Sender, Twin, number, sender_in, twin_in

NEXT_TOKEN = "the-token-that-is-coming-in"
SHARED_ID, SHARED_SECRET = "webhooks_sharedkey_7", "the-secret-of-the-shared-key"
SIGNATURE, SETTINGS = "X-Twilio-Signature", "X-Twilio-Webhooks-Signature-Settings"
PUBLIC = "https://texts.example.com/behind/a/proxy"
"""The address that Twilio was given; what arrives here has lost it on its way through a proxy."""

pytestmark = pytest.mark.slow


class Door(NamedTuple):
    """A service behind a proxy, a text of it that Twilio has taken, and the address for what becomes of that."""

    service: Sender
    path: str
    sid: str

    def fields(self, **more: str) -> dict[str, str]:
        """Write a callback's form."""
        return {"AccountSid": DEMO_ACCOUNT_SID, "MessageSid": self.sid, "MessageStatus": "sent",
                "To": number(1), "From": "+15005550006"} | more  # fmt: skip

    def post(
        self,
        fields: Mapping[str, str],
        *,
        path: str | None = None,
        secret: str = DEMO_AUTH_TOKEN,
        algorithm: str = "HMAC_SHA1",
        signed: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> int:
        """Post a form, signed as Twilio does unless said otherwise; give the answer's status."""
        path = self.path if path is None else path
        signature = sign(signed or PUBLIC + path, fields.items(), secret, algorithm)
        sent = {"Content-Type": "application/x-www-form-urlencoded", SIGNATURE: signature} | dict(headers or {})
        with closing(http.client.HTTPConnection(*self.service.host, timeout=10)) as connection:
            content = urlencode(fields).encode() if body is None else body
            connection.request("POST", path, content, {name: value for name, value in sent.items() if value})
            answer = connection.getresponse()
            assert answer.read() == b"" or answer.status not in (204, 403)
            return answer.status

    def row(self) -> dict[str, Any]:
        """Read the delivery."""
        (row,) = self.service.deliveries(sid=self.sid)
        return row


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("webhooks")
    keys = f"{NEXT_TOKEN},{SHARED_ID}:{SHARED_SECRET}"
    with twin_in(folder) as twin, sender_in(folder, twin, public_url=PUBLIC, twilio_webhook_keys=keys) as service:
        service.start()
        service.create(twilio_destination("Plain", to="{event.properties.phone}", body="Hi"))
        yield a_text(service, twin)


def a_text(service: Sender, twin: Twin) -> Door:
    """Have a text sent, and give the door for its reports."""
    service.capture({"event": "x", "distinct_id": "ada", "properties": {"phone": number(1)}})
    (request,) = eventually(lambda: twin.requests(), what="a request")
    eventually(lambda: service.deliveries(sid=request["sid"]), what="its answer")
    address, _, fragment = request["form"]["StatusCallback"].partition("#")
    assert address.startswith(PUBLIC + "/twilio/status/")
    assert fragment == "rc=5&rp=all"
    return Door(service, address.removeprefix(PUBLIC), request["sid"])


@pytest.fixture
def door(opened: Door) -> Iterator[Door]:
    """The door; a test leaves the delivery where it was, unless its report is believed."""
    yield opened
    assert opened.service.take_faults() == []


def refuses(door: Door, *args: Any, **kwargs: Any) -> bool:
    """Is a post answered with 403, counted, and without effect?"""
    row, counted = door.row(), door.service.counted("smspipe_callbacks_refused_total")
    kept = door.service.rows("select * from receipts")
    status = door.post(*args, **kwargs)
    assert door.service.counted("smspipe_callbacks_refused_total") - counted == (status == 403)
    if status == 403:
        assert (door.row(), door.service.rows("select * from receipts")) == (row, kept)
    return status == 403


def shared(algorithm: str, key: str = SHARED_ID) -> dict[str, str]:
    """Write the header of a shared key."""
    return {SETTINGS: f"key={key},algorithm={algorithm}"}


def test_what_twilio_signed_is_believed_once_and_its_repetition_changes_nothing(door: Door) -> None:
    fields = door.fields(MessageStatus="sent")
    assert door.post(fields) == 204
    row, kept = door.row(), door.service.rows("select * from receipts")
    for _ in range(3):
        assert door.post(fields) == 204
    assert (door.row(), door.service.rows("select * from receipts")) == (row, kept)


@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
def test_a_shared_key_signs_as_its_header_says(door: Door, algorithm: str) -> None:
    assert door.post(door.fields(), secret=SHARED_SECRET, algorithm=algorithm, headers=shared(algorithm)) == 204


def test_while_a_token_is_changed_both_the_old_and_the_new_one_sign(door: Door) -> None:
    assert door.post(door.fields(), secret=DEMO_AUTH_TOKEN) == 204
    assert door.post(door.fields(), secret=NEXT_TOKEN) == 204


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"secret": "another token"}, id="signed by somebody else"),
        pytest.param({"headers": {SIGNATURE: ""}}, id="not signed"),
        pytest.param({"headers": {SIGNATURE: "Zm9yZ2Vk"}}, id="made up"),
        pytest.param({"headers": {SIGNATURE: "é"}}, id="no base64"),
        pytest.param({"body": b"MessageStatus=delivered"}, id="another body"),
        pytest.param({"body": b""}, id="no body"),
        pytest.param({"body": b"x=" + b"y" * 70_000}, id="too long"),
        pytest.param({"signed": "https://elsewhere.example.com/twilio/status/x"}, id="signed for another address"),
        pytest.param({"headers": {"Content-Type": "application/json"}}, id="no form"),
        pytest.param({"secret": SHARED_SECRET}, id="shared key without its header"),
        pytest.param({"secret": SHARED_SECRET, "headers": shared("HMAC_SHA256")}, id="weaker hash than told"),
        pytest.param({"secret": SHARED_SECRET, "headers": shared("HMAC_SHA1", "other")}, id="shared key not known"),
        pytest.param({"secret": SHARED_SECRET, "headers": shared("HMAC_MD5")}, id="hash not known"),
        pytest.param({"headers": shared("HMAC_SHA1")}, id="token that says it is the shared key"),
    ],
)
def test_what_twilio_did_not_sign_is_refused_and_counted(door: Door, given: dict[str, Any]) -> None:
    assert refuses(door, door.fields(MessageStatus="undelivered", ErrorCode="30005"), **given)


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_truncated_callback_is_refused(door: Door, cut: int) -> None:
    fields = door.fields(MessageStatus="delivered")
    assert refuses(door, fields, body=urlencode(fields).encode()[:-cut])


def test_an_account_that_is_none_of_ours_is_refused(door: Door) -> None:
    assert refuses(door, door.fields(AccountSid="AC" + "9" * 32, MessageStatus="delivered"))


@pytest.mark.parametrize("change", ["cut", "digit", "attempt", "empty", "other"])
def test_an_address_that_was_not_made_here_is_refused_however_well_it_is_signed(door: Door, change: str) -> None:
    path = {
        "cut": door.path[:-1],
        "digit": door.path[:-1] + ("0" if door.path[-1] != "0" else "1"),
        "attempt": door.path.replace("-1-", "-2-"),
        "empty": "/twilio/status/x",
        "other": "/twilio/status/" + "0" * 8 + "-0000-0000-0000-" + "0" * 12 + "-1-" + "a" * 32,
    }[change]
    assert path != door.path
    assert refuses(door, door.fields(MessageStatus="delivered"), path=path)


def test_a_signed_report_of_another_message_moves_nothing(door: Door) -> None:
    row = door.row()
    other = "SM" + "e" * 32
    assert door.post(door.fields(MessageSid=other, MessageStatus="delivered")) == 204
    assert door.row() == row
    assert door.service.counted("smspipe_second_texts_total") >= 1
    assert [fault for fault in door.service.take_faults() if "second_text" not in fault] == []


def test_a_signed_callback_that_says_nothing_is_a_mistake_and_moves_nothing(door: Door) -> None:
    row = door.row()
    assert door.post({"AccountSid": DEMO_ACCOUNT_SID}) == 400
    assert door.row() == row


def test_the_door_is_only_posted_to(door: Door) -> None:
    assert door.service.ask("GET", door.path).status == 405


def test_an_incoming_text_that_twilio_did_not_sign_is_refused(door: Door) -> None:
    fields = {"AccountSid": DEMO_ACCOUNT_SID, "MessageSid": "SM" + "d" * 32, "From": number(5), "To": "+15005550006",
              "Body": "STOP"}  # fmt: skip
    assert refuses(door, fields, path="/twilio/inbound", secret="another token")
    assert door.service.rows("select * from opt_outs") == []
    assert door.post(fields, path="/twilio/inbound") == 200
    assert len(door.service.rows("select * from opt_outs")) == 1
    assert door.post(fields, path="/twilio/inbound") == 200, "a repetition is answered like the first"
    assert len(door.service.rows("select * from opt_out_history")) == 1

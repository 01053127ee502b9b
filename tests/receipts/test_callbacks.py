"""What Twilio says of a text is read into the same value, whether it is posted to us or asked for."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.errors import Invalid
from smspipe.receipts import (
    Inbound,
    MessageStatus,
    OptOutType,
    Receipt,
    read_form,
    read_inbound,
    read_receipt,
    receipt_of,
    standing_of,
    status_of,
)
from smspipe.sandbox.life import callback_fields
from smspipe.sandbox.messages import Direction, Message
from smspipe.sandbox.messages import Status as SandboxStatus
from smspipe.sandbox.phones import inbound_fields

S = MessageStatus
SID = "SM0123456789abcdef0123456789abcdef"
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
SERVICE = "MG0123456789abcdef0123456789abcdef"
AT = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
CALLBACK = {
    "AccountSid": ACCOUNT,
    "ApiVersion": "2010-04-01",
    "MessageSid": SID,
    "SmsSid": SID,
    "MessageStatus": "undelivered",
    "SmsStatus": "undelivered",
    "From": "+15005550006",
    "To": "+14155552671",
    "MessagingServiceSid": SERVICE,
    "ErrorCode": "30003",
    "ErrorMessage": "Unreachable destination handset",
    "RawDlrDoneDate": "2611220102",
}
RESOURCE: dict[str, Any] = {
    "account_sid": ACCOUNT,
    "api_version": "2010-04-01",
    "body": "Hi",
    "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    "date_sent": "Thu, 24 Aug 2023 07:01:46 +0200",
    "date_updated": "Thu, 24 Aug 2023 05:01:47 GMT",
    "direction": "outbound-api",
    "error_code": 30003,
    "error_message": None,
    "from": "+15005550006",
    "messaging_service_sid": SERVICE,
    "num_media": "0",
    "num_segments": "2",
    "price": "-0.01500",
    "price_unit": "USD",
    "sid": SID,
    "status": "undelivered",
    "subresource_uris": {"media": "/2010-04-01/…"},
    "to": "+14155552671",
    "uri": "/2010-04-01/…",
}
INCOMING = {
    "MessageSid": SID,
    "SmsSid": SID,
    "SmsMessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": "+14155552671",
    "To": "+15005550006",
    "Body": "Stop 😀",
    "NumMedia": "2",
    "NumSegments": "1",
    "SmsStatus": "received",
    "FromCountry": "US",
    "MessagingServiceSid": SERVICE,
    "OptOutType": "STOP",
}


# ---- status callbacks ------------------------------------------------------------------------------------------------


def test_a_callback_is_read() -> None:
    assert read_receipt(read_form(urlencode(CALLBACK).encode())) == Receipt(
        sid=read_receipt(CALLBACK).sid,
        account_sid=ACCOUNT,
        status=MessageStatus.UNDELIVERED,
        word="undelivered",
        error_code=30003,
        to="+14155552671",
        sender="+15005550006",
        service_sid=SERVICE,
        carrier_done_at="2611220102",
    )
    assert read_receipt(CALLBACK).sid == SID


def test_a_callback_of_another_channel_says_which_and_what_it_said() -> None:
    receipt = read_receipt(
        {
            **CALLBACK,
            "MessageStatus": "read",
            "EventType": "READ",
            "ChannelPrefix": "whatsapp",
            "ChannelStatusMessage": "x" * 999,
            "To": "whatsapp:+14155552671",
        }
    )
    assert receipt.status is MessageStatus.READ
    assert (receipt.channel, receipt.channel_note, receipt.to) == ("whatsapp", "x" * 200, "whatsapp:+14155552671")


@pytest.mark.parametrize("status", MessageStatus)
def test_every_status_is_read(status: MessageStatus) -> None:
    assert read_receipt({**CALLBACK, "MessageStatus": status.value}).status is status
    assert receipt_of({**RESOURCE, "status": status.value}).status is status


@pytest.mark.parametrize(("word", "kept"), [("teleported", "teleported"), ("x" * 99, "x" * 40), ("Sent!", "Sent!")])
def test_a_status_that_is_not_known_is_kept_as_its_word(word: str, kept: str) -> None:
    for receipt in (read_receipt({**CALLBACK, "MessageStatus": word}), receipt_of({**RESOURCE, "status": word})):
        assert (receipt.status, receipt.word) == (None, kept)


@pytest.mark.parametrize(
    ("word", "status"),
    [("sent", S.SENT), (" Sent ", S.SENT), ("READ", S.READ), ("", None), ("SENT!", None), ("ｓent", None)],
)
def test_a_word_is_read_in_any_case(word: str, status: MessageStatus | None) -> None:
    assert status_of(word) is status


def test_the_older_names_are_enough() -> None:
    older = {name: value for name, value in CALLBACK.items() if not name.startswith("Message")}
    receipt = read_receipt(older)
    assert (receipt.sid, receipt.status, receipt.word) == (SID, MessageStatus.UNDELIVERED, "undelivered")


@pytest.mark.parametrize(
    ("given", "code"),
    [("30003", 30003), ("", None), ("0", None), ("x", None), ("-5", None), ("٣", None), ("9" * 40, None)],
)
def test_an_error_code_is_a_whole_number_or_none(given: str, code: int | None) -> None:
    assert read_receipt({**CALLBACK, "ErrorCode": given}).error_code == code
    assert receipt_of({**RESOURCE, "error_code": given}).error_code == code


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (("MessageSid", "SmsSid"), "MessageSid"),
        (("AccountSid",), "AccountSid"),
        (("MessageStatus", "SmsStatus"), "MessageStatus"),
    ],
)
@pytest.mark.parametrize("blank", [True, False])
def test_a_callback_without_a_needed_field_is_refused_by_its_name(
    names: tuple[str, ...], field: str, blank: bool
) -> None:
    fields = {name: value for name, value in CALLBACK.items() if name not in names}
    if blank:
        fields |= dict.fromkeys(names, "")
    with pytest.raises(Invalid, match=rf"\b{field}\b") as caught:
        read_receipt(fields)
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["MessageSid", "AccountSid"])
@pytest.mark.parametrize("given", ["SM", "+14155552671", "XX" + "0" * 32, "SM" + "g" * 32, SID + "\n", SERVICE])
def test_what_is_no_sid_is_refused_without_being_told(field: str, given: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_receipt({**CALLBACK, field: given})
    assert caught.value.field == field
    assert len(given) < 3 or given not in str(caught.value)


# ---- the API's messages ----------------------------------------------------------------------------------------------


def test_a_message_of_the_api_is_read() -> None:
    assert receipt_of(RESOURCE) == Receipt(
        sid=receipt_of(RESOURCE).sid,
        account_sid=ACCOUNT,
        status=MessageStatus.UNDELIVERED,
        word="undelivered",
        error_code=30003,
        to="+14155552671",
        sender="+15005550006",
        service_sid=SERVICE,
        segments=2,
        price=Decimal("0.015"),
        price_unit="USD",
        created_at=datetime(2023, 8, 24, 5, 1, 45, tzinfo=UTC),
        sent_at=datetime(2023, 8, 24, 5, 1, 46, tzinfo=UTC),
        updated_at=datetime(2023, 8, 24, 5, 1, 47, tzinfo=UTC),
    )


def test_a_message_with_nothing_but_its_name_and_status_is_read() -> None:
    message = dict.fromkeys(RESOURCE) | {"sid": SID, "account_sid": ACCOUNT, "status": "accepted"}
    assert receipt_of(message) == Receipt(
        sid=receipt_of(message).sid, account_sid=ACCOUNT, status=MessageStatus.ACCEPTED, word="accepted"
    )


@pytest.mark.parametrize("field", ["sid", "account_sid", "status"])
@pytest.mark.parametrize("given", [None, "", 5, [], {}])
def test_a_message_without_a_needed_field_is_refused_by_its_name(field: str, given: object) -> None:
    with pytest.raises(Invalid, match=rf"\b{field}\b") as caught:
        receipt_of({**RESOURCE, field: given})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("given", "price"),
    [
        ("-0.00750", Decimal("0.0075")),
        ("0.1", Decimal("0.1")),
        ("-12", Decimal(12)),
        (None, None),
        ("", None),
        ("NaN", None),
        ("1e9", None),
        ("-1" + "0" * 40, None),
        (-0.0075, None),
    ],
)
def test_a_price_is_text_and_told_without_its_sign(given: object, price: Decimal | None) -> None:
    assert receipt_of({**RESOURCE, "price": given}).price == price


@pytest.mark.parametrize("given", [None, "", "soon", 5, "Thu, 24 Aug 2023 05:01:45", "Thu, 99 Aug 99999 05:01:45 GMT"])
def test_what_is_no_date_is_none(given: object) -> None:
    assert receipt_of({**RESOURCE, "date_sent": given}).sent_at is None


@given(st.dictionaries(st.sampled_from(sorted(RESOURCE)), st.none() | st.text() | st.integers() | st.just([1])))
def test_any_message_is_read_or_refused(given: dict[str, object]) -> None:
    message = {**RESOURCE, **given}
    status = message["status"]
    if message["sid"] == SID and message["account_sid"] == ACCOUNT and isinstance(status, str) and status:
        assert receipt_of(message).word == status[:40]
    else:
        with pytest.raises(Invalid):
            receipt_of(message)


# ---- both ways -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [each for each in SandboxStatus if each is not SandboxStatus.RECEIVED])
@pytest.mark.parametrize("service", [None, SERVICE])
def test_a_text_says_the_same_of_itself_posted_and_asked_for(status: SandboxStatus, service: str | None) -> None:
    message = Message(
        number=1, sid=SID, account_sid=ACCOUNT, direction=Direction.API, to="+14155552671", sender="+15005550006",
        service=service, body="Hi", segments=1, status=SandboxStatus.QUEUED, created_at=AT, updated_at=AT,
    )  # fmt: skip
    message.move(status, AT, 30007 if status in (SandboxStatus.UNDELIVERED, SandboxStatus.FAILED) else None)

    posted = read_receipt(read_form(urlencode(callback_fields(message, AT)).encode()))
    asked = receipt_of(msgspec.json.decode(msgspec.json.encode(message.document())))

    for name in ("sid", "account_sid", "status", "word", "error_code", "to", "sender", "service_sid"):
        assert getattr(posted, name) == getattr(asked, name)
    for name in ("sid", "status", "error_code", "words"):
        assert getattr(standing_of(posted), name) == getattr(standing_of(asked), name)


# ---- incoming texts --------------------------------------------------------------------------------------------------


def test_an_incoming_text_is_read() -> None:
    assert read_inbound(read_form(urlencode(INCOMING).encode())) == Inbound(
        sid=read_inbound(INCOMING).sid,
        account_sid=ACCOUNT,
        sender="+14155552671",
        to="+15005550006",
        body="Stop 😀",
        service_sid=SERVICE,
        opt_out_type=OptOutType.STOP,
        media=2,
        segments=1,
        country="US",
    )


def test_an_incoming_text_of_the_sandbox_is_read() -> None:
    message = Message(
        number=1, sid=SID, account_sid=ACCOUNT, direction=Direction.INBOUND, to="+15005550006", sender="+14155552671",
        service=None, body="", segments=1, status=SandboxStatus.RECEIVED, created_at=AT, updated_at=AT,
        media=("https://x/1",),
    )  # fmt: skip
    inbound = read_inbound(read_form(urlencode(inbound_fields(message, None)).encode()))
    assert (inbound.sender, inbound.to, inbound.body, inbound.media) == ("+14155552671", "+15005550006", "", 1)
    assert (inbound.opt_out_type, inbound.service_sid, inbound.country) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("STOP", OptOutType.STOP),
        ("START", OptOutType.START),
        ("help", OptOutType.HELP),
        ("", None),
        ("BYE", None),
    ],
)
def test_what_twilio_made_of_a_keyword_is_read(given: str, kind: OptOutType | None) -> None:
    assert read_inbound({**INCOMING, "OptOutType": given}).opt_out_type is kind


@pytest.mark.parametrize("field", ["MessageSid", "AccountSid", "From", "To"])
def test_an_incoming_text_without_a_needed_field_is_refused_by_its_name(field: str) -> None:
    fields: Mapping[str, str] = {
        name: value for name, value in INCOMING.items() if name != field and not name.startswith("Sms")
    }
    with pytest.raises(Invalid, match=rf"\b{field}\b") as caught:
        read_inbound(fields)
    assert caught.value.field == field
    for value in INCOMING.values():
        assert len(value) < 6 or value not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"a=1&a=2", {"a": "1"}),
        (b"a=%ff", {"a": "\ufffd"}),
        (b"a=%F0%9F%98%80+b&c", {"a": "😀 b", "c": ""}),
    ],
)
def test_a_form_is_read_as_text(body: bytes, fields: dict[str, str]) -> None:
    assert read_form(body) == fields

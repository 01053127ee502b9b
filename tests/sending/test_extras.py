"""What is asked for beside the text, as bytes of the form."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from smspipe.model.message import Extras, RiskCheck
from smspipe.sending import build_request, form_of
from tests.sending.conftest import ACCOUNT, MESSAGE

PLAIN = build_request(MESSAGE, ACCOUNT).body
AT = datetime(2026, 12, 24, 18, 30, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("extras", "more"),
    [
        (Extras(), b""),
        (
            Extras(media_urls=("https://example.com/a?b=1&c=ü", "http://b.example/")),
            b"&MediaUrl=https%3A%2F%2Fexample.com%2Fa%3Fb%3D1%26c%3D%C3%BC&MediaUrl=http%3A%2F%2Fb.example%2F",
        ),
        (Extras(validity_period=1), b"&ValidityPeriod=1"),
        (Extras(smart_encoded=True), b"&SmartEncoded=true"),
        (Extras(risk_check=RiskCheck.ENABLE), b"&RiskCheck=enable"),
        (Extras(send_at=AT), b"&SendAt=2026-12-24T17%3A30%3A05Z&ScheduleType=fixed"),
    ],
)
def test_extras_come_after_the_text(extras: Extras, more: bytes) -> None:
    message = msgspec.structs.replace(MESSAGE, extras=extras)
    assert build_request(message, ACCOUNT).body == PLAIN + more


def test_the_callback_comes_last_and_is_no_part_of_what_is_shown() -> None:
    message = msgspec.structs.replace(MESSAGE, extras=Extras(send_at=AT.astimezone(UTC), smart_encoded=True))
    body = build_request(message, ACCOUNT, status_callback="https://a.example/", attempt=2).body
    assert body.endswith(b"&ScheduleType=fixed&StatusCallback=https%3A%2F%2Fa.example%2F&Attempt=2")
    assert [name for name, _ in form_of(message)] == ["To", "From", "Body", "SmartEncoded", "SendAt", "ScheduleType"]

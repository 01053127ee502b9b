"""The bytes of the one POST, and what they do not give away."""

import base64
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from smspipe.model.destination import Account, Secret
from smspipe.model.message import Encoding, Message
from smspipe.model.phone import E164
from smspipe.sending import build_check, build_request, encode_form
from tests.sending.conftest import ACCOUNT, BODY, MESSAGE, PHONE, SID, TOKEN

UNICODE = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("+15005550006", "%2B15005550006", id="a plus stays a plus"),
        pytest.param("a b", "a%20b", id="a space is never a plus"),
        pytest.param("AZaz09-_.!~*'()", "AZaz09-_.!~*'()", id="unreserved characters stay raw"),
        pytest.param("&=%;/?:@#$,", "%26%3D%25%3B%2F%3F%3A%40%23%24%2C", id="reserved characters are escaped"),
        pytest.param('"<>[]\\^`{|}', "%22%3C%3E%5B%5D%5C%5E%60%7B%7C%7D", id="other punctuation is escaped"),
        pytest.param("é€", "%C3%A9%E2%82%AC", id="UTF-8 in upper-case hex"),
        pytest.param("👋", "%F0%9F%91%8B", id="beyond the basic plane"),
        pytest.param("\r\n\t\0", "%0D%0A%09%00", id="control characters"),
        pytest.param("\ud83d\udc4b", "%F0%9F%91%8B", id="two halves of a pair are joined"),
        pytest.param("a\ud83db", "a%EF%BF%BDb", id="half a pair becomes the replacement character"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_values_are_encoded_as_javascript_does(value: str, expected: str) -> None:
    assert encode_form([("Body", value)]) == f"Body={expected}".encode()


def test_fields_keep_their_order_and_may_repeat() -> None:
    assert encode_form([("b", "1"), ("a", "2"), ("b", "3")]) == b"b=1&a=2&b=3"


@pytest.mark.slow
@given(st.lists(st.tuples(UNICODE, UNICODE)))
def test_what_is_encoded_can_be_read_back(fields: list[tuple[str, str]]) -> None:
    fields = [(f"n{name}", value) for name, value in fields]
    assert parse_qsl(encode_form(fields).decode("ascii"), keep_blank_values=True) == fields


@given(st.text(st.characters()))
def test_any_text_makes_a_request(body: str) -> None:
    message = Message(to=E164(PHONE), sender="Acme & Co", body=body, encoding=Encoding.UCS_2, segments=1)
    form = parse_qsl(build_request(message, ACCOUNT).body.decode("ascii"), keep_blank_values=True)
    assert [name for name, _ in form] == ["To", "From", "Body"]
    assert form[1] == ("From", "Acme & Co")


def test_the_fields_come_in_the_order_that_posthog_sends_them() -> None:
    request = build_request(MESSAGE, ACCOUNT)
    assert request.method == "POST"
    assert request.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.body == b"To=%2B14155552671&From=%2B15005550006&Body=Hi%20Ada%2C%20it%20is%20secret"


def test_a_messaging_service_takes_the_place_of_the_sender() -> None:
    service = "MG" + "0" * 31 + "a"
    message = Message(to=E164(PHONE), sender=service, body="x", encoding=Encoding.GSM_7, segments=1)
    assert build_request(message, ACCOUNT).body == f"To=%2B14155552671&MessagingServiceSid={service}&Body=x".encode()


def test_a_sender_id_that_begins_like_a_service_is_still_a_sender() -> None:
    message = Message(to=E164(PHONE), sender="MGM Grand", body="x", encoding=Encoding.GSM_7, segments=1)
    assert b"&From=MGM%20Grand&" in build_request(message, ACCOUNT).body


def test_optional_fields_follow_the_required_ones() -> None:
    callback = "https://sms.example/twilio/status/t?m=1&a=2#rc=5&rp=all"
    body = build_request(MESSAGE, ACCOUNT, status_callback=callback, attempt=2).body
    form = parse_qsl(body.decode())
    assert form[2:] == [("Body", BODY), ("StatusCallback", callback), ("Attempt", "2")]


def test_the_credentials_go_into_a_basic_authorization() -> None:
    account = Account(sid=SID, username="SK" + "2" * 32, password=Secret("pä:ss"))
    lines = build_request(MESSAGE, account).headers.decode("ascii").split("\r\n")
    token = base64.b64encode(f"SK{'2' * 32}:pä:ss".encode()).decode()
    assert f"Authorization: Basic {token}" in lines
    assert lines[-1] == ""


def test_accounts_that_differ_in_the_password_alone_do_not_share_it() -> None:
    one, other = (
        build_request(MESSAGE, Account(sid=SID, username=SID, password=Secret(password))).headers
        for password in ("one", "other")
    )
    assert one != other


@pytest.mark.parametrize("sid", ["AC/../x", "AC 1", "AC\r\nX: 1", "ACé", "AC?x#y", "AC\ud800"])
def test_an_account_sid_cannot_leave_its_place_in_the_path(sid: str) -> None:
    request = build_request(MESSAGE, Account(sid=sid, username=sid, password=Secret("x")))
    middle = request.path.removeprefix("/2010-04-01/Accounts/").removesuffix("/Messages.json")
    assert not set(middle) & set("/ \r\n?#")
    assert middle.isascii()


@pytest.mark.parametrize("show", [repr, str, pretty_repr])
def test_a_request_shows_no_secret_number_or_text(show: object) -> None:
    assert callable(show)
    shown = show(build_request(MESSAGE, ACCOUNT))
    assert "POST" in shown
    encoded = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
    for hidden in (TOKEN, encoded, PHONE[1:], "Ada", SID):
        assert hidden not in shown


def test_a_check_reads_the_account_with_its_own_token() -> None:
    request = build_check(ACCOUNT)
    assert (request.method, request.path, request.body) == ("GET", f"/2010-04-01/Accounts/{SID}.json", b"")
    assert b"Content-Type" not in request.headers


def test_a_check_with_an_api_key_reads_what_a_sending_key_may_read() -> None:
    request = build_check(Account(sid=SID, username="SK" + "2" * 32, password=Secret("x")))
    assert request.path == f"/2010-04-01/Accounts/{SID}/Messages.json?PageSize=1"

"""What Twilio answers when it is asked about texts is sorted, and whatever the bytes nothing is raised."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.sending import AccountFault, Later, Missing, Page, Shown
from smspipe.sending.lookup import build_fetch, build_list, build_next, sort_fetch, sort_list
from tests.sending.conftest import ACCOUNT, PHONE, SID

MESSAGE = "SM" + "5" * 32
PATH = f"/2010-04-01/Accounts/{SID}/Messages"


def page(*messages: Any, **more: Any) -> bytes:
    return json.dumps({"messages": messages} | more).encode()


@given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=40))
def test_no_answer_raises(status: int, body: bytes, date: str) -> None:
    assert isinstance(sort_fetch(status, {"date": date}, body), Shown | Missing | AccountFault | Later)
    assert isinstance(sort_list(status, {"date": date}, body), Page | AccountFault | Later)


def test_a_text_that_is_there_is_shown_and_one_that_is_not_is_missing() -> None:
    assert sort_fetch(200, {}, json.dumps({"sid": MESSAGE}).encode()) == Shown(message={"sid": MESSAGE})
    assert sort_fetch(404, {}, b"") == Missing()


def test_a_list_tells_its_next_page_and_twilios_time() -> None:
    headers = {"date": "Sun, 01 Mar 2026 12:00:00 GMT"}
    found = sort_list(200, headers, page({"sid": MESSAGE}, next_page_uri=PATH + ".json?Page=1"))
    assert isinstance(found, Page)
    assert found.next == PATH + ".json?Page=1"
    assert found.answered_at is not None
    assert found.answered_at.isoformat() == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", page({"sid": "x"}), page({}), page(None), page({"sid": MESSAGE})[:-2]]
)
def test_a_list_with_an_entry_that_cannot_be_read_is_no_list(body: bytes) -> None:
    assert isinstance(sort_list(200, {}, body), Later)


@pytest.mark.parametrize(("status", "kind"), [(401, AccountFault), (429, Later), (500, Later), (302, AccountFault)])
def test_what_is_no_success_is_not_taken_for_one(status: int, kind: type) -> None:
    body = json.dumps({"code": 20003 if status == 401 else 20500, "status": status}).encode()
    assert isinstance(sort_list(status, {}, body), kind)
    assert isinstance(sort_fetch(status, {}, body), kind)


def test_the_number_is_written_so_that_its_plus_survives() -> None:
    assert build_list(ACCOUNT, PHONE).path == f"{PATH}.json?To=%2B{PHONE[1:]}&PageSize=100"
    assert build_fetch(ACCOUNT, MESSAGE).path == f"{PATH}/{MESSAGE}.json"


@pytest.mark.parametrize("uri", ["//elsewhere/x", "https://elsewhere/", "/2010-04-01/Accounts/AC9/Messages.json", "",
                                 PATH + ".json?a b", PATH + ".json?\r\nX: y", PATH + ".json?é"])  # fmt: skip
def test_a_next_page_that_is_none_of_the_accounts_messages_is_not_asked_for(uri: str) -> None:
    assert build_next(ACCOUNT, uri) is None

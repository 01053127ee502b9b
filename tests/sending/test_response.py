"""How Twilio's answers are sorted: by the table of codes, by status, by range, and never by guessing "not sent"."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.ids import MessageSid
from smspipe.model.outcome import Reason
from smspipe.sending import (
    CODES,
    Accepted,
    AccountFault,
    Answer,
    Later,
    OptedOut,
    Refused,
    Unconfirmed,
    Verified,
    describe,
    sort_answer,
    sort_check,
)
from tests.sending.conftest import sid_of

# As Twilio documents them: HTTP status, codes, and what they mean for the message.
CREATE = [
    (401, [20003], AccountFault),
    (401, [20005], AccountFault),
    (403, [20005, 20006, 20008, 20010, 20403], AccountFault),
    (404, [20404], AccountFault),
    (400, [20001, 20422], Refused),
    (426, [20426], AccountFault),
    (429, [20429], Later),
    (500, [20500], Unconfirmed),
    (503, [20503], Unconfirmed),
    (400, [21211, 21214, 21217, 21265, 21266, 21268], Refused),
    (400, [21212, 21267], AccountFault),
    (400, [21408], Refused),
    (400, [21601, 21606], AccountFault),
    (400, [21602, 21603, 21604, 21619], Refused),
    (400, [21608], Refused),
    (400, [21609], AccountFault),
    (400, [21610], OptedOut),
    (400, [21611], Later),
    (429, [21611], Later),
    (400, [21612, 21614], Refused),
    (400, [21616], AccountFault),
    (400, [21617, 21618, 21620, 21623], Refused),
    (400, [21624, 30012, 30013, 30045], Refused),
    (400, [21635], Refused),
    (400, [21654, 21655, 21656, 21658], Refused),
    (400, [21657, 21709], AccountFault),
    (400, [21659, 21660, 21661], AccountFault),
    (404, [21701], AccountFault),
    (400, [21702, 21703, 21704, 21705], AccountFault),
    (400, [35111, 35114, 35115, 35116, 35117, 35118, 35126], Refused),
    (400, [35125], Later),
    (400, [14107], Refused),
    (400, [21621, 21664, 21666, 21667, 30029, 30030], Refused),
    (400, [30001], Later),
    (429, [30001], Later),
]


def error(code: object, message: object = "words") -> bytes:
    return json.dumps({"code": code, "message": message, "more_info": "x", "status": 400}).encode()


@pytest.mark.parametrize(
    ("status", "code", "expected"), [(status, code, kind) for status, codes, kind in CREATE for code in codes]
)
def test_a_code_of_the_table_is_sorted_by_it(status: int, code: int, expected: type[Answer]) -> None:
    sorted_answer = sort_answer(status, {}, error(code))
    assert type(sorted_answer) is expected
    assert not isinstance(sorted_answer, Accepted)
    assert (sorted_answer.code, sorted_answer.http_status) == (code, status)
    known = describe(code)
    assert known
    assert sorted_answer.saw.startswith(known.meaning) or status == 429


SENDERS_FAULT = {
    21212,
    21267,
    21601,
    21606,
    21616,
    21657,
    21659,
    21660,
    21661,
    21701,
    21702,
    21703,
    21704,
    21705,
    21709,
}


@pytest.mark.parametrize(
    ("status", "code"), [(status, code) for status, codes, kind in CREATE if kind is AccountFault for code in codes]
)
def test_a_fault_of_the_sender_is_told_from_one_of_the_account(status: int, code: int) -> None:
    fault = sort_answer(status, {}, error(code))
    assert isinstance(fault, AccountFault)
    assert fault.sender_alone == (code in SENDERS_FAULT)


@pytest.mark.parametrize(("status", "body"), [(401, b""), (403, b"<html>"), (409, error(20999)), (308, error(21606))])
def test_a_fault_that_no_known_code_explains_is_the_accounts(status: int, body: bytes) -> None:
    fault = sort_answer(status, {}, body)
    assert isinstance(fault, AccountFault)
    assert not fault.sender_alone


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        pytest.param(400, error(21999), Refused, id="400 with an unknown code"),
        pytest.param(400, b"<html>", Refused, id="400 with HTML"),
        pytest.param(401, b"", AccountFault, id="401 with nothing"),
        pytest.param(403, b"<html>", AccountFault, id="403 of a gateway"),
        pytest.param(404, b"<html>", AccountFault, id="404 of another server"),
        pytest.param(405, b"", AccountFault, id="405 of another server"),
        pytest.param(407, b"", AccountFault, id="407 of a proxy"),
        pytest.param(408, error(20001), Unconfirmed, id="408 whatever the code"),
        pytest.param(409, b"", AccountFault, id="409 without a code"),
        pytest.param(409, error(20999), AccountFault, id="unknown code of the account's range"),
        pytest.param(409, error(21999), Refused, id="unknown code of the message's range"),
        pytest.param(409, error(30999), Refused, id="unknown code of the delivery's range"),
        pytest.param(409, error(35999), Refused, id="unknown code of the schedule's range"),
        pytest.param(409, error(63999), Refused, id="unknown code of the channels' range"),
        pytest.param(409, error(30025), Refused, id="a notice is no reason"),
        pytest.param(413, b"", Refused, id="413"),
        pytest.param(422, b"", Refused, id="422"),
        pytest.param(425, b"", Later, id="425 too early"),
        pytest.param(429, b"<html>", Later, id="429 with HTML"),
        pytest.param(429, error(21211), Later, id="429 whatever the code"),
        pytest.param(500, error(21211), Unconfirmed, id="500 whatever the code"),
        pytest.param(502, b"<html>", Unconfirmed, id="502 with HTML"),
        pytest.param(503, error(20429), Unconfirmed, id="503 whatever the code"),
        pytest.param(999, b"", Unconfirmed, id="999"),
        pytest.param(301, b"", AccountFault, id="301"),
        pytest.param(308, error(21211), AccountFault, id="308"),
    ],
)
def test_what_the_table_does_not_settle_is_sorted_by_status_then_range(
    status: int, body: bytes, expected: type[Answer]
) -> None:
    assert type(sort_answer(status, {}, body)) is expected


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ("21610", 21610),
        (21610, 21610),
        (21610.0, None),
        (True, None),
        ("", None),
        (None, None),
        ([21610], None),
        (-21610, None),
        (10**30, None),
        ("٢١٦١٠", None),
    ],
)
def test_a_code_is_a_whole_number_perhaps_as_text(told: object, code: int | None) -> None:
    sorted_answer = sort_answer(400, {}, error(told))
    assert not isinstance(sorted_answer, Accepted)
    assert sorted_answer.code == code


# Accepted


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("kind", ["SM", "MM"])
def test_any_2xx_with_a_sid_is_accepted(status: int, kind: str) -> None:
    sid = MessageSid(kind + "0123456789abcdefABCDEF0123456789")
    document = {"sid": sid, "status": "accepted", "num_segments": "0", "code": 20500, "new": {"a": [1]}}
    sorted_answer = sort_answer(status, {"twilio-request-id": "RQ1"}, json.dumps(document).encode())
    assert sorted_answer == Accepted(sid=sid, status="accepted", segments=None, request_id="RQ1")


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        None,
        "SM" + "0" * 32,
        {"sid": None},
        {"sid": 5},
        {"sid": "SM" + "0" * 31},
        {"sid": "SM" + "0" * 33},
        {"sid": "SM" + "0" * 32 + "\n"},
        {"sid": "AC" + "0" * 32},
        {"SID": sid_of(1)},
        {"message": {"sid": sid_of(1)}},
    ],
)
def test_2xx_without_a_proper_sid_is_unconfirmed(document: object) -> None:
    assert isinstance(sort_answer(201, {}, json.dumps(document).encode()), Unconfirmed)


@pytest.mark.parametrize(
    ("told", "segments"), [("2", 2), (2, 2), ("0", None), (None, None), ("x", None), ("-1", None), (1.5, None)]
)
def test_segments_are_read_from_text(told: object, segments: int | None) -> None:
    body = json.dumps({"sid": sid_of(1), "num_segments": told, "status": 5}).encode()
    sorted_answer = sort_answer(201, {}, body)
    assert isinstance(sorted_answer, Accepted)
    assert (sorted_answer.segments, sorted_answer.status) == (segments, "")


# When to come back

DATE = "Sun, 22 Nov 2026 01:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"retry-after": "30"}, timedelta(seconds=30), id="seconds"),
        pytest.param({"retry-after": " 0 "}, timedelta(), id="now"),
        pytest.param({"retry-after": "9" * 40}, timedelta(hours=1), id="far too long"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "1.5"}, None, id="a fraction"),
        pytest.param({"retry-after": "soon"}, None, id="a word"),
        pytest.param({"retry-after": "²"}, None, id="a digit that is none"),
        pytest.param({"retry-after": "Sun, 22 Nov 2026 01:02:00 GMT", "date": DATE}, timedelta(minutes=2), id="a date"),
        pytest.param({"retry-after": "Sun, 22 Nov 2020 01:02:00 GMT", "date": DATE}, timedelta(), id="a past date"),
        pytest.param({"retry-after": "Sun, 22 Nov 2099 01:02:00 GMT", "date": DATE}, timedelta(hours=1), id="2099"),
        pytest.param({"retry-after": "Sun, 22 Nov 2026 01:02:00 GMT"}, None, id="a date without today's"),
        pytest.param({"retry-after": "Sun, 22 Nov 2026 01:02:00", "date": DATE}, None, id="no zone"),
        pytest.param({"retry-after": "Sun, 22 Nov 2026 01:02:00 GMT", "date": "today"}, None, id="a broken today"),
        pytest.param({"retry-after": "Sun, 99 Nov 99999 01:02:00 GMT", "date": DATE}, None, id="no such day"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_own_clock(
    headers: dict[str, str], expected: timedelta | None
) -> None:
    sorted_answer = sort_answer(429, headers, error(20429))
    assert isinstance(sorted_answer, Later)
    assert sorted_answer.retry_after == expected


@pytest.mark.parametrize(("headers", "minutes"), [({}, 5), ({"retry-after": "1"}, 5), ({"retry-after": "600"}, 10)])
def test_a_full_queue_is_given_some_minutes_at_least(headers: dict[str, str], minutes: int) -> None:
    sorted_answer = sort_answer(400, headers, error(21611))
    assert isinstance(sorted_answer, Later)
    assert sorted_answer.retry_after == timedelta(minutes=minutes)


# Twilio's words


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("The 'To' number +15005550001 is not valid", "The 'To' number +15•••••••01 is not valid"),
        ("15005550001", "150••••••01"),
        ("+1 (500) 555-0001.", "+15•••••••01."),
        ("+49 30 1234567 or +14155552671", "+49•••••••67 or +14•••••••71"),
        ("whatsapp:+14155552671", "whatsapp:+14•••••••71"),
        ("5550001", "•••••••"),
        ("See https://www.twilio.com/docs/errors/21608", "See https://www.twilio.com/docs/errors/21608"),
        ("The number +917000XXXX is unverified.", "The number +917000XXXX is unverified."),
    ],
)
def test_numbers_in_twilios_words_are_masked(words: str, kept: str) -> None:
    sorted_answer = sort_answer(400, {}, error(21211, words))
    assert isinstance(sorted_answer, Refused)
    assert sorted_answer.error_message == kept
    assert words not in sorted_answer.saw


@given(
    st.text(max_size=400),
    st.text("0123456789", min_size=7, max_size=15),
    st.sampled_from(["", "+"]),
    st.text(max_size=99),
)
def test_no_number_in_twilios_words_is_ever_shown(before: str, digits: str, plus: str, after: str) -> None:
    words = f"{before} {plus}{digits} {after}"
    for status, code in ((400, 21211), (400, None), (401, 20003), (429, 20429), (500, None)):
        assert digits not in repr(sort_answer(status, {}, error(code, words)))


def test_long_words_are_cut_after_they_were_masked() -> None:
    sorted_answer = sort_answer(400, {}, error(21211, "x" * 294 + "14155552671" + "y" * 99))
    assert isinstance(sorted_answer, Refused)
    assert sorted_answer.error_message == "x" * 294 + "141••…"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"code": 21211, "detail": "long", "title": "short", "type": "about:blank"}, "long"),
        ({"code": 21211, "title": "short"}, "short"),
        ({"code": 21211, "message": 5}, None),
        ({"code": 21211, "message": ""}, None),
    ],
)
def test_words_are_found_in_both_shapes_of_errors(document: object, words: str | None) -> None:
    sorted_answer = sort_answer(400, {}, json.dumps(document).encode())
    assert isinstance(sorted_answer, Refused)
    assert sorted_answer.error_message == words


def test_twilios_id_of_the_request_is_kept_for_its_support() -> None:
    sorted_answer = sort_answer(500, {"twilio-request-id": "RQ9"}, b"")
    assert isinstance(sorted_answer, Unconfirmed)
    assert sorted_answer.request_id == "RQ9"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Refused, Reason.TWILIO_REJECTED),
        (OptedOut, Reason.OPTED_OUT),
        (Later, Reason.TWILIO_UNREACHABLE),
        (AccountFault, Reason.CREDENTIALS),
        (Unconfirmed, Reason.UNCONFIRMED),
    ],
)
def test_each_way_of_not_being_accepted_has_its_reason(kind: type[Refused], reason: Reason) -> None:
    assert kind(saw="x").reason is reason


# Whatever comes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([sid_of(1), *CODES]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["sid", "status", "num_segments", "code", "message", "detail", "title", "type", "friendly_name"]
)
BODIES = st.binary() | st.dictionaries(FIELDS, VALUES).map(lambda body: json.dumps(body).encode())
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "date", "twilio-request-id"]), st.text() | st.just(DATE))


@pytest.mark.slow
@given(st.integers(200, 999), HEADERS, BODIES)
def test_any_answer_is_sorted_and_none_that_may_have_been_sent_as_not_sent(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    sorted_answer = sort_answer(status, headers, body)
    if status < 300:
        assert isinstance(sorted_answer, Accepted | Unconfirmed)
    else:
        assert not isinstance(sorted_answer, Accepted)
    if status == 408 or status >= 500:
        assert isinstance(sorted_answer, Unconfirmed)
    if not isinstance(sorted_answer, Accepted):
        assert sorted_answer.saw.endswith(".") or "https://" in sorted_answer.saw


@pytest.mark.slow
@given(st.integers(200, 999), HEADERS, BODIES)
def test_any_answer_to_a_check_is_sorted(status: int, headers: dict[str, str], body: bytes) -> None:
    assert isinstance(sort_check(status, headers, body), Verified | AccountFault | Later)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"code":' * 100_000, b'{"message":' + b"[" * 100_000])
def test_brackets_without_end_are_no_answer(body: bytes) -> None:
    assert isinstance(sort_answer(201, {}, body), Unconfirmed)


# The check


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        pytest.param(
            200,
            {"friendly_name": "Acme", "status": "active", "type": "Trial"},
            Verified(name="Acme", trial=True),
            id="trial",
        ),
        pytest.param(
            200,
            {"friendly_name": "Acme", "status": "active", "type": "Full"},
            Verified(name="Acme", trial=False),
            id="full",
        ),
        pytest.param(200, {"messages": [], "page": 0}, Verified(), id="an API key"),
    ],
)
def test_working_credentials_are_verified(status: int, document: object, expected: Verified) -> None:
    assert sort_check(status, {}, json.dumps(document).encode()) == expected


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        pytest.param(200, {"status": "suspended"}, AccountFault, id="suspended"),
        pytest.param(200, {"status": "closed"}, AccountFault, id="closed"),
        pytest.param(401, {"code": 20003}, AccountFault, id="wrong token"),
        pytest.param(404, {"code": 20404}, AccountFault, id="wrong account"),
        pytest.param(400, {"code": 21211}, AccountFault, id="any other refusal"),
        pytest.param(429, {"code": 20429}, Later, id="too many"),
        pytest.param(500, {"code": 20500}, Later, id="500"),
        pytest.param(502, None, Later, id="502"),
    ],
)
def test_other_answers_to_a_check_are_faults_or_passing(
    status: int, document: object, expected: type[AccountFault | Later]
) -> None:
    assert type(sort_check(status, {}, json.dumps(document).encode())) is expected

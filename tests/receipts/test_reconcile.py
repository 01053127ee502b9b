"""Whether the text of a lost answer is in Twilio's list: there, not there, or nobody can say."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from smspipe.receipts.reconcile import Absent, Found, Sought, Unsure, enough, search

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TO, SENDER, SERVICE, BODY = "+14155550123", "+15005550006", "MG" + "a" * 32, "Café 1001 is on\nits way."
SOUGHT = Sought(to=TO, sender=SENDER, body=BODY, sent_at=NOW)
SID = "SM" + "1" * 32


def listed(seconds: float = 1, **fields: Any) -> dict[str, Any]:
    """Write an entry of the list, made so many seconds after the attempt."""
    made = format_datetime(NOW + timedelta(seconds=seconds))
    return {"sid": SID, "to": TO, "from": SENDER, "body": BODY, "direction": "outbound-api", "date_created": made,
            "messaging_service_sid": None} | fields  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="as it was sent"),
        pytest.param({"body": "Sent from your Twilio trial account - " + BODY}, id="trial account"),
        pytest.param({"body": ""}, id="words discarded"),
        pytest.param({"body": None}, id="words not told"),
        pytest.param({"body": BODY.replace("\n", "\r\n") + " "}, id="line ends and space"),
        pytest.param({"body": BODY.replace("é", "e\u0301")}, id="composed otherwise"),
    ],
)
def test_a_text_is_known_whatever_was_done_to_its_words(fields: dict[str, Any]) -> None:
    found = search(SOUGHT, [listed(**fields)], ())
    assert isinstance(found, Found)
    assert (found.message["sid"], found.others) == (SID, ())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"body": "Café 1002 is on\nits way."}, id="other words"),
        pytest.param({"to": "+14155550124"}, id="other number"),
        pytest.param({"from": "+15005550007"}, id="other sender"),
        pytest.param({"direction": "inbound"}, id="incoming"),
        pytest.param({"sid": None}, id="no SID"),
    ],
)
def test_another_text_is_not_taken_for_it(fields: dict[str, Any]) -> None:
    assert search(SOUGHT, [listed(**fields)], ()) == Absent()


def test_a_text_of_a_messaging_service_is_known_by_the_service_whichever_sender_it_chose() -> None:
    sought = Sought(to=TO, sender=SERVICE, body=BODY, sent_at=NOW)
    assert isinstance(search(sought, [listed(messaging_service_sid=SERVICE)], ()), Found)
    assert isinstance(search(sought, [listed(messaging_service_sid=SERVICE) | {"from": None}], ()), Found)
    assert search(sought, [listed()], ()) == Absent()


def test_what_the_ledger_knows_to_be_anothers_is_left_out() -> None:
    assert search(SOUGHT, [listed()], {SID}) == Absent()


def test_of_two_alike_the_first_is_ours_and_the_other_is_told() -> None:
    later = listed(9, sid="SM" + "2" * 32)
    for messages in ([listed(), later], [later, listed()]):
        found = search(SOUGHT, messages, ())
        assert isinstance(found, Found)
        assert (found.message["sid"], found.others) == (SID, (later["sid"],))


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        (-9, Found),
        (0, Found),
        (3600, Found),
        (-11, Unsure),
        (-3600, Unsure),
        (-24 * 3600, Unsure),
        (-26 * 3600, Absent),
    ],
)
def test_time_tells_ours_from_an_older_one_and_near_it_nobody_can_say(seconds: int, verdict: type) -> None:
    assert isinstance(search(SOUGHT, [listed(seconds)], ()), verdict)


def test_a_text_whose_time_cannot_be_read_is_left_to_a_person() -> None:
    assert search(SOUGHT, [listed(date_created="yesterday")], ()) == Unsure(sids=(SID,))


def test_the_difference_of_the_clocks_is_taken_into_account() -> None:
    hour = timedelta(hours=1)
    assert isinstance(search(SOUGHT, [listed(-3600)], (), ahead=-hour), Found)
    assert isinstance(search(SOUGHT, [listed(0)], (), ahead=hour), Unsure)


def test_the_list_is_read_to_where_it_cannot_matter_any_more() -> None:
    assert not enough(SOUGHT, [])
    assert not enough(SOUGHT, [listed(-3600)])
    assert not enough(SOUGHT, [listed(date_created="yesterday")])
    assert enough(SOUGHT, [listed(), listed(-51 * 3600)])

"""A lost answer of a text in which Twilio may have replaced characters: letters and digits tell it, or nothing does."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from smspipe.receipts.reconcile import Absent, Found, Sought, Unsure, search

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SID = "SM" + "1" * 32


def sought(body: str, *, rewritten: bool = True) -> Sought:
    return Sought(to="+14155552671", sender="+15005550006", body=body, sent_at=AT, rewritten=rewritten)


def listed(body: str, after: timedelta = timedelta(seconds=1)) -> list[dict[str, Any]]:
    return [{"sid": SID, "to": "+14155552671", "from": "+15005550006", "body": body, "direction": "outbound-api",
             "date_created": format_datetime(AT + after)}]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("It's 1/2 - now", id="as we expect it"),
        pytest.param("It’s 1/2 – now", id="as it was written"),
        pytest.param("It s  1/2 -  now", id="with other stand-ins"),
        pytest.param("Sent from your Twilio trial account - It's 1/2 - now", id="on a trial account"),
    ],
)
def test_the_same_letters_and_digits_are_the_same_text(body: str) -> None:
    assert isinstance(search(sought("It's 1/2 - now"), listed(body), known=()), Found)


@pytest.mark.parametrize("body", ["Your code is 77", "It's 1/3 - now", "now - 1/2 s'tI"])
def test_a_text_that_lacks_letters_of_ours_is_another(body: str) -> None:
    assert search(sought("It's 1/2 - now"), listed(body), known=()) == Absent()


@pytest.mark.parametrize("body", ["It's 1/2 - now TM", "It's 1/2 - now or never"])
def test_a_text_with_all_letters_of_ours_and_more_proves_nothing(body: str) -> None:
    assert search(sought("It's 1/2 - now"), listed(body), known=()) == Unsure(sids=(SID,))


def test_where_no_plain_letters_are_another_text_proves_nothing() -> None:
    assert search(sought("Привет…"), listed("Пока..."), known=()) == Unsure(sids=(SID,))
    assert isinstance(search(sought("Привет..."), listed("Привет…"), known=()), Found)


def test_a_text_that_is_sent_as_it_was_written_is_known_by_every_character() -> None:
    assert search(sought("It's now", rewritten=False), listed("It’s now"), known=()) == Absent()
    assert isinstance(search(sought("It's now", rewritten=False), listed("It's now"), known=()), Found)


def test_far_from_the_attempt_the_same_letters_prove_nothing_either() -> None:
    assert search(sought("It's now"), listed("It's now", -timedelta(hours=3)), known=()) == Unsure(sids=(SID,))

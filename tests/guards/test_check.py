"""The guards' order and words."""

from datetime import timedelta
from typing import Any

import pytest

from smspipe.guards import Case, check_guards
from smspipe.guards.spans import spell
from smspipe.model.cooldown import Window
from smspipe.model.event import Event
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.phone import E164
from tests.pipeline.conftest import HOUR, NOW, Ledger, a_cooldown, a_destination, an_event

TAKEN = Window(ends_at=NOW + HOUR, entered=1)
OLD = an_event(timestamp=NOW - timedelta(days=2), historical=True)


def a_case(known: Ledger | None = None, **fields: Any) -> Case:
    """Make the case of a text that nothing speaks against; fields as given."""
    given: dict[str, Any] = {
        "event": an_event(),
        "person": None,
        "destination": a_destination(cooldown=a_cooldown()),
        "route": 0,
        "message": Message(
            to=E164("+15005550009"), sender="+15005550006", body="Hi", encoding=Encoding.GSM_7, segments=1
        ),
        "cooldown_key": "ann",
        "known": known or Ledger(),
        "now": NOW,
    }
    return Case(**(given | fields))


def names(case: Case) -> list[str]:
    """Give the guards' answers in order, a refusal by its reason."""
    return [each.name if isinstance(each, Step) else each.reason.value for each in check_guards(case)]


def test_what_has_nothing_to_look_at_leaves_no_step() -> None:
    assert names(a_case()) == ["trust", "country", "opted_out", "duplicate", "age", "cooldown"]


@pytest.mark.parametrize(
    ("known", "event", "answers"),
    [
        (Ledger(opted_out=True, known=True, window=TAKEN), OLD, ["trust", "country", "opted_out"]),
        (Ledger(known=True, window=TAKEN), OLD, ["trust", "country", "opted_out", "duplicate"]),
        (Ledger(window=TAKEN), OLD, ["trust", "country", "opted_out", "duplicate", "historical"]),
        (Ledger(window=TAKEN), an_event(), ["trust", "country", "opted_out", "duplicate", "age", "cooldown"]),
    ],
    ids=["all four", "duplicate, age and cooldown", "age and cooldown", "cooldown alone"],
)
def test_the_first_refusal_wins(known: Ledger, event: Event, answers: list[str]) -> None:
    given = list(check_guards(a_case(known, event=event)))
    assert [each.name if isinstance(each, Step) else each.reason.value for each in given] == answers
    assert isinstance(given[-1], Refusal)


def test_without_a_cooldown_none_is_asked() -> None:
    assert names(a_case(Ledger(window=TAKEN), destination=a_destination())) == [
        "trust", "country", "opted_out", "duplicate", "age"
    ]  # fmt: skip


def test_a_place_that_was_given_back_lets_the_next_through() -> None:
    *_, last = check_guards(a_case(Ledger(window=Window(ends_at=NOW + HOUR, entered=5, vacant=True))))
    assert isinstance(last, Step)
    assert last.ok


def test_too_old_names_the_age_and_the_limit() -> None:
    event = an_event(timestamp=NOW - timedelta(days=3))
    *_, last = check_guards(a_case(event=event, destination=a_destination(max_age=HOUR)))
    assert isinstance(last, Refusal)
    assert last.reason is Reason.TOO_OLD
    assert "3 days" in last.saw
    assert "60 min" in last.saw


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=0.9), "0 s"),
        (timedelta(seconds=119), "119 s"),
        (timedelta(seconds=120), "2 min"),
        (timedelta(minutes=119, seconds=59), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=365), "365 days"),
    ],
    ids=str,
)
def test_a_span_is_written_in_its_largest_unit_of_which_there_are_two(span: timedelta, words: str) -> None:
    assert spell(span) == words

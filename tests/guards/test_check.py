"""The guards' order and words."""

from datetime import timedelta

import pytest

from smspipe.guards import Facts, check_guards
from smspipe.guards.check import spell
from smspipe.model.cooldown import Window
from smspipe.model.outcome import Reason, Refusal, Step
from tests.pipeline.conftest import HOUR, NOW, a_cooldown, a_destination, an_event

FREE = Facts(opted_out=False, duplicate=False, window=None)
TAKEN = Window(ends_at=NOW + HOUR, entered=1)
OLD = an_event(timestamp=NOW - timedelta(days=2), historical=True)


def names(facts: Facts, event: object = None) -> list[str]:
    """Give the guards' answers in order, a refusal by its reason, up to the first refusal."""
    found = []
    for answer in check_guards(facts, an_event() if event is None else OLD, a_destination(cooldown=a_cooldown()), NOW):
        found.append(answer.reason.value if isinstance(answer, Refusal) else answer.name)
        if isinstance(answer, Refusal):
            break
    return found


def test_the_order_is_duplicate_age_cooldown() -> None:
    assert names(FREE) == ["opted_out", "duplicate", "age", "cooldown"]


@pytest.mark.parametrize(
    ("facts", "event", "answers"),
    [
        (Facts(opted_out=False, duplicate=True, window=TAKEN), OLD, ["opted_out", "duplicate"]),
        (Facts(opted_out=False, duplicate=False, window=TAKEN), OLD, ["opted_out", "duplicate", "historical"]),
        (Facts(opted_out=False, duplicate=False, window=TAKEN), None, ["opted_out", "duplicate", "age", "cooldown"]),
    ],
    ids=["all three", "age and cooldown", "cooldown alone"],
)
def test_the_first_refusal_wins(facts: Facts, event: object, answers: list[str]) -> None:
    assert names(facts, event) == answers


def test_without_a_cooldown_none_is_asked() -> None:
    steps = list(check_guards(Facts(opted_out=False, duplicate=False, window=TAKEN), an_event(), a_destination(), NOW))
    assert [step.name for step in steps if isinstance(step, Step)] == ["opted_out", "duplicate", "age"]


def test_a_place_that_was_given_back_lets_the_next_through() -> None:
    window = Window(ends_at=NOW + HOUR, entered=5, vacant=True)
    *_, last = check_guards(
        Facts(opted_out=False, duplicate=False, window=window), an_event(), a_destination(cooldown=a_cooldown()), NOW
    )
    assert isinstance(last, Step)
    assert last.ok


def test_too_old_names_the_age_and_the_limit() -> None:
    event = an_event(timestamp=NOW - timedelta(days=3))
    *_, last = check_guards(FREE, event, a_destination(max_age=HOUR), NOW)
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

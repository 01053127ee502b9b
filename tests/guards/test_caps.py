"""Frequency caps: when there is room, and when there will be."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from smspipe.guards.caps import check_caps, check_identical, keys_of
from smspipe.model.ids import DeliveryId, DestinationId
from smspipe.model.limits import By, Cap, Passed
from smspipe.model.outcome import Reason, Refusal, Step
from tests.guards.test_check import a_case
from tests.pipeline.conftest import ADA, NOW, Ledger, a_destination

MINUTE = timedelta(minutes=1)
ONE = Cap(texts=1, per=MINUTE)
TWO = Cap(texts=2, per=15 * MINUTE)


def left(minutes: float, *, here: bool = True) -> Passed:
    """Make a text that left so many minutes ago."""
    return Passed(id=DeliveryId("x"), here=here, left_at=NOW - minutes * MINUTE)


def waits(minutes: float | None, *, here: bool = True) -> Passed:
    """Make a text that is due in so many minutes; None for one that is held."""
    return Passed(id=DeliveryId("x"), here=here, due_at=None if minutes is None else NOW + minutes * MINUTE)


def ask(texts: list[Passed], *caps: Cap) -> Any:
    known = Ledger()
    known.texts = texts
    return check_caps(a_case(known, destination=a_destination(caps=caps)))


@pytest.mark.parametrize(
    ("texts", "caps", "until"),
    [
        ([], [ONE], 0),
        ([left(0.5)], [ONE], 0.5),
        ([left(1)], [ONE], 0),
        ([left(0)], [ONE], 1),
        ([left(14), left(2)], [TWO], 1),
        ([left(14)], [TWO], 0),
        ([left(14), left(0.5)], [ONE, TWO], 1),
        ([left(14), left(13), left(2)], [TWO], 2),
        ([waits(5)], [ONE], 6),
        ([waits(-5)], [ONE], 1),
        ([waits(None)], [ONE], None),
        ([waits(None)], [TWO], 0),
        ([waits(None), left(3)], [TWO], 12),
        ([waits(None), waits(None)], [ONE, TWO], None),
        ([left(0.5, here=False)], [ONE], 0),
        ([left(0.5, here=False)], [msgspec.structs.replace(ONE, across=True)], 0.5),
    ],
    ids=[
        "nothing yet", "within", "a minute ago is out", "this instant", "two of two", "one of two", "the later counts",
        "three of two", "waits", "is due", "held", "held, and room", "held, and one left", "all held",
        "another destination's", "across",
    ],
)  # fmt: skip
def test_the_first_instant_with_room(texts: list[Passed], caps: list[Cap], until: float | None) -> None:
    verdict = ask(texts, *caps)
    if until == 0:
        assert isinstance(verdict, Step)
        assert verdict.ok
        return
    assert isinstance(verdict, Refusal)
    assert verdict.reason is Reason.FREQUENCY_CAP
    assert verdict.until == (None if until is None else NOW + until * MINUTE)


def test_without_caps_nobody_is_asked() -> None:
    assert ask([left(0)]) is None


def test_the_sentence_names_the_cap_and_the_next_instant() -> None:
    verdict = ask([left(0.5)], ONE)
    assert verdict.saw == (
        "This number has had 1 text in 60 s from this destination; the next is possible at 2026-03-01 12:00:30 UTC."
    )


def test_a_text_counts_for_its_number_and_its_person() -> None:
    assert keys_of(a_case()) == ("number:+15005550009",)
    assert keys_of(a_case(person=ADA)) == ("number:+15005550009", f"person:{ADA.id}")


def test_a_cap_by_person_asks_for_the_person_and_without_one_for_the_number() -> None:
    asked: list[str] = []

    class Asked(Ledger):
        def passed(self, destination: DestinationId, who: str) -> list[Passed]:
            asked.append(who)
            return []

    of_person = a_destination(caps=(msgspec.structs.replace(ONE, by=By.PERSON),))
    check_caps(a_case(Asked(), destination=of_person, person=ADA))
    check_caps(a_case(Asked(), destination=of_person))
    assert asked == [f"person:{ADA.id}", "number:+15005550009"]


@pytest.mark.parametrize("within", [None, MINUTE], ids=["noticed", "refused"])
def test_the_same_words_from_another_destination_are_noticed_or_refused(within: timedelta | None) -> None:
    known = Ledger()
    assert check_identical(a_case(known, destination=a_destination(refuse_identical=within))) is None
    known.said = DestinationId("other")
    verdict = check_identical(a_case(known, destination=a_destination(refuse_identical=within)))
    assert isinstance(verdict, Step if within is None else Refusal)
    assert "other" in verdict.saw

"""Whoever waits is served in turn, and the last look before a text leaves stops it, or lets it wait."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe import optouts
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DestinationId
from smspipe.model.outcome import Reason
from smspipe.model.phone import E164
from smspipe.pipeline.claim import Claim, admit, claim
from tests.deliveries.conftest import a_delivery, put, row
from tests.pipeline.conftest import HASHER, NOW

SECOND = timedelta(seconds=1)


def waiting(of: str = "shop", place: int = 0, **fields: Any) -> Delivery:
    """Make a delivery that waits: the greater its place, the later it came."""
    given = {"destination_id": DestinationId(of), "to": f"+1415555{place:04d}", "not_before": NOW - timedelta(hours=1)
             + place * SECOND} | fields  # fmt: skip
    return a_delivery(Status.PENDING, **given)


def take(connection: Connection, limit: int, *, pace: float | None = None, **given: Any) -> Claim:
    """Claim as the sender does."""
    asked: dict[str, Any] = {"hasher": HASHER, "pace_of": lambda of, sender: pace, "blocked": {}} | given
    return claim(connection, asked.pop("now", NOW), limit, **asked)


def stop(connection: Connection, delivery: Delivery) -> None:
    number, scope = E164(delivery.to or ""), delivery.sender or ""
    new = optouts.New(number=number, scope=scope, source=optouts.Source.PERSON, who="me")
    optouts.add(connection, HASHER, new, now=NOW)


def test_the_oldest_of_a_destination_go_first(connection: Connection) -> None:
    made = [waiting(place=place) for place in range(6)]
    put(connection, *made[3:], *made[:3])
    assert [each.id for each in take(connection, 4).sending] == [each.id for each in made[:4]]
    assert {row(connection, each).status for each in made[:4]} == {Status.SENDING}
    assert {row(connection, each).status for each in made[4:]} == {Status.PENDING}


def test_many_that_wait_for_one_destination_do_not_keep_anothers_waiting(connection: Connection) -> None:
    many = [waiting("many", place) for place in range(50)]
    few = [waiting("few", 60 + place) for place in range(3)]
    put(connection, *many, *few)
    taken = take(connection, 10).sending
    assert sorted(each.destination_id for each in taken) == ["few"] * 3 + ["many"] * 7


def test_of_two_with_the_same_words_to_the_same_number_one_waits(connection: Connection) -> None:
    one, twin, other = waiting(), waiting(), waiting(body="Another")
    put(connection, one, twin, other)
    assert {each.id for each in take(connection, 10).sending} == {one.id, other.id}
    found = row(connection, twin)
    assert (found.status, found.not_before) == (Status.PENDING, NOW + 2 * SECOND)


@pytest.mark.parametrize("status", [Status.SENDING, Status.UNCONFIRMED])
def test_a_text_waits_while_its_like_is_in_doubt(connection: Connection, status: Status) -> None:
    put(connection, a_delivery(status, to="+14155550000"), waiting(place=0))
    assert take(connection, 10).sending == []


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.FAILED, Status.HELD])
def test_a_text_does_not_wait_for_one_that_is_settled(connection: Connection, status: Status) -> None:
    put(connection, a_delivery(status, to="+14155550000"), waiting(place=0))
    assert len(take(connection, 10).sending) == 1


def test_a_recipient_who_opted_out_since_is_stopped_in_the_same_transaction(connection: Connection) -> None:
    stopped, goes = waiting(place=1), waiting(place=2)
    put(connection, stopped, goes)
    stop(connection, stopped)
    made = take(connection, 10)
    assert [each.id for each in made.sending] == [goes.id]
    found = row(connection, stopped)
    assert (found.status, found.reason, found.attempts) == (Status.SUPPRESSED, Reason.OPTED_OUT, 0)


def test_a_sender_with_a_pace_is_given_no_more_and_the_rest_is_told_when(connection: Connection) -> None:
    made = [waiting(place=place) for place in range(8)]
    put(connection, *made)
    first = take(connection, 10, pace=2)
    assert 1 <= len(first.sending) <= 3
    until = first.blocked[DestinationId("shop")]
    assert NOW < until <= NOW + SECOND
    assert first.next_due == until
    assert take(connection, 10, pace=2).sending == []
    assert len(take(connection, 10, pace=2, now=until).sending) == 1


def test_one_destinations_slow_sender_holds_no_other_back(connection: Connection) -> None:
    put(connection, *(waiting("slow", place) for place in range(5)))
    put(connection, *(waiting("fast", 10 + place, sender="+15005550007") for place in range(5)))
    pace = {"slow": 1.0}
    made = take(connection, 10, pace_of=lambda of, sender: pace.get(of))
    assert sorted(each.destination_id for each in made.sending) == ["fast"] * 5 + ["slow"]


def test_two_destinations_share_the_pace_of_one_sender(connection: Connection) -> None:
    put(connection, waiting("one", 1), waiting("two", 2))
    assert len(take(connection, 10, pace=1.0).sending) == 1


def test_those_about_to_be_born_sending_meet_the_same_look(connection: Connection) -> None:
    born = [a_delivery(Status.SENDING, to="+14155550001"), a_delivery(Status.SENDING, to="+14155550001"),
            a_delivery(Status.SENDING, to="+14155550002")]  # fmt: skip
    waits = admit(connection, born, lambda of, sender: None, NOW)
    assert waits == {born[1].id: NOW + 2 * SECOND}
    waits = admit(connection, [born[0], born[2]], lambda of, sender: 1.0, NOW)
    assert waits == {born[2].id: NOW + SECOND}


def test_what_is_not_due_is_not_taken_and_its_time_is_told(connection: Connection) -> None:
    put(connection, waiting(not_before=NOW + 5 * SECOND))
    made = take(connection, 10)
    assert (made.sending, made.next_due) == ([], NOW + 5 * SECOND)

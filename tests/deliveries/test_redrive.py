"""Another try: who gets one, who is left alone and why, and what is forgotten and kept of the try before."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.deliveries import cooldowns, evidence, ledger
from smspipe.deliveries.cooldowns import Book, hash_key, read_window
from smspipe.deliveries.queries import Query
from smspipe.deliveries.redrive import (
    FORGONE,
    UNKNOWN_SID,
    Candidate,
    LeftAlone,
    Wish,
    look_ahead,
    redrive,
    redrive_all,
)
from smspipe.deliveries.states import MOVES, Move, sources
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, MessageSid
from smspipe.model.outcome import Reason, Step
from tests.deliveries.conftest import NOW, SECOND, SHOP, a_delivery, move, put, row

LATER = NOW + timedelta(hours=1)
CERTAIN = {Status.FAILED, Status.HELD}
OTHER = DestinationId("other")


def anyone(_: Connection, __: Sequence[Candidate]) -> Mapping[DeliveryId, LeftAlone]:
    """Object to nobody."""
    return {}


def again(connection: Connection, *, wish: Wish | None = None, why: str | None = None) -> int:
    """Give another try to all that are meant, an hour long."""
    return redrive_all(connection, wish or Wish(), anyone, now=NOW + SECOND, expires_at=LATER, why=why)


def one_of_each(connection: Connection, **fields: Any) -> dict[Status, Delivery]:
    """Write a delivery in each state."""
    made = {status: a_delivery(status, **fields) for status in Status}
    put(connection, *made.values())
    return made


@pytest.mark.parametrize("force", [False, True], ids=["unforced", "forced"])
def test_another_try_is_given_in_the_states_that_the_table_of_moves_names(connection: Connection, force: bool) -> None:
    allowed = CERTAIN | (set(sources(Move.FORCE)) if force else set())
    made = one_of_each(connection)
    assert look_ahead(connection, Wish(force=force), anyone).texts == len(allowed)
    assert again(connection, wish=Wish(force=force), why="They wrote.") == len(allowed)
    for status, delivery in made.items():
        now = row(connection, delivery)
        if status in allowed:
            assert {Move.REDRIVE, Move.RELEASE, Move.FORCE} & MOVES[status].keys()
            assert (now.status, now.not_before, now.settled_at) == (Status.PENDING, NOW + SECOND, None)
        else:
            assert now == delivery


@pytest.mark.parametrize("status", [each for each in Status if each not in CERTAIN])
def test_what_may_have_been_sent_is_never_sent_again_without_force(connection: Connection, status: Status) -> None:
    put(connection, a_delivery(status, sid=MessageSid("SM1")), a_delivery(Status.HELD, reason=Reason.UNCONFIRMED))
    assert again(connection) == 0


def test_what_twilio_gave_up_before_it_left_is_sent_again_and_the_old_message_is_forgone(
    connection: Connection,
) -> None:
    rejected = a_delivery(Status.FAILED, sid=MessageSid("SM1"), attempts=2, error_code=30001)
    put(connection, rejected)
    evidence.learn(connection, rejected.id, twilio_status="failed", price="0.0079", price_unit="USD", looks=3)
    assert again(connection) == 1
    now = row(connection, rejected)
    assert (now.sid, now.twilio_status, now.price, now.price_unit, now.looks) == (None, None, None, None, 0)
    (told,) = evidence.receipts_of(connection, rejected.id)
    assert (told.sid, told.status, told.attempt, told.source) == ("SM1", FORGONE, 2, "person")
    assert evidence.sids_to(connection, "+15005550009") == {"SM1": rejected.id}


def test_a_message_whose_sid_nobody_knows_is_forgone_by_its_attempts(connection: Connection) -> None:
    in_doubt = a_delivery(Status.UNCONFIRMED, attempts=1)
    held = a_delivery(Status.HELD, reason=Reason.UNCONFIRMED, attempts=4)
    put(connection, in_doubt, held)
    assert again(connection, wish=Wish(force=True), why="They wrote.") == 2
    for delivery in (in_doubt, held):
        (told,) = evidence.receipts_of(connection, delivery.id)
        assert (told.sid, told.status, told.attempt) == (UNKNOWN_SID, FORGONE, delivery.attempts)


def test_one_that_comes_into_doubt_again_can_be_forced_again(connection: Connection) -> None:
    delivery = a_delivery(Status.UNCONFIRMED, attempts=1)
    put(connection, delivery)
    assert again(connection, wish=Wish(force=True), why="First.") == 1
    ledger.claim(connection, [delivery], NOW + SECOND)
    ledger.settle(connection, [move(row(connection, delivery), Move.LOSE)])
    assert again(connection, wish=Wish(force=True), why="Second.") == 1
    (told,) = evidence.receipts_of(connection, delivery.id)
    assert told.attempt == 2
    assert [step.saw.rpartition(": ")[2] for step in row(connection, delivery).steps] == ["First.", "Second."]


def test_what_failed_without_a_message_has_none_to_forgo(connection: Connection) -> None:
    """News of one would be news that the text went after all, and must stop the second."""
    put(connection, failed := a_delivery(Status.FAILED, attempts=1))
    assert again(connection) == 1
    assert evidence.receipts_of(connection, failed.id) == []


def test_the_history_keeps_why_and_what_the_row_forgets(connection: Connection) -> None:
    match = Step(name="match", ok=True, saw="The filter matches.")
    failed = a_delivery(
        Status.FAILED,
        reason=Reason.TWILIO_REJECTED,
        error_code=21612,
        attempts=1,
        steps=(match,),
        sent_at=NOW + timedelta(milliseconds=7),
    )
    bare = a_delivery(Status.FAILED)
    put(connection, failed, bare)
    again(connection, why='The "route" was opened 👋')
    first, second = row(connection, failed).steps
    assert first == match
    assert (second.name, second.ok, second.saw) == (
        "redrive",
        True,
        'A person had it sent again: The "route" was opened 👋',
    )
    assert second.data is not None
    assert (second.data["was"], second.data["reason"]) == ("failed", "twilio_rejected")
    assert (second.data["error_code"], second.data["attempts"], second.data["sid"]) == (21612, 1, None)
    assert second.data["sent_at"] == "2026-03-01T12:00:00.007Z"
    assert second.data["at"] == "2026-03-01T12:00:01.000Z"
    assert [step.saw for step in row(connection, bare).steps] == [second.saw]


def test_a_redrive_gives_more_time_and_never_less(connection: Connection) -> None:
    short = a_delivery(Status.FAILED, expires_at=NOW)
    long = a_delivery(Status.FAILED, expires_at=NOW + timedelta(days=9))
    put(connection, short, long)
    again(connection)
    assert row(connection, short).expires_at == LATER
    assert row(connection, long).expires_at == NOW + timedelta(days=9)


def test_the_second_time_sends_nothing_new(connection: Connection) -> None:
    one_of_each(connection)
    wish = Wish(force=True)
    assert again(connection, wish=wish, why="They wrote.") > 0
    assert again(connection, wish=wish, why="They wrote.") == 0
    assert look_ahead(connection, wish, anyone).texts == 0


def test_what_fails_again_in_the_meantime_has_no_second_turn(connection: Connection) -> None:
    delivery = a_delivery(Status.FAILED, settled_at=NOW)
    put(connection, delivery)
    wish = Wish(as_of=NOW)
    assert again(connection, wish=wish) == 1
    ledger.claim(connection, [delivery], NOW + SECOND)
    ledger.settle(connection, [move(row(connection, delivery), Move.FAIL, reason=Reason.TWILIO_REJECTED)])
    assert again(connection, wish=wish) == 0
    assert look_ahead(connection, wish, anyone).left_alone == {LeftAlone.CHANGED: 1}
    assert again(connection, wish=Wish(as_of=NOW + SECOND)) == 1


# --- looking ahead -------------------------------------------------------------------------------------------------


def test_looking_ahead_counts_texts_segments_and_recipients_and_says_why_not(connection: Connection) -> None:
    one_of_each(connection, reason=None)
    put(
        connection,
        a_delivery(Status.FAILED, reason=Reason.TWILIO_REJECTED, segments=3),
        a_delivery(Status.FAILED, reason=Reason.TWILIO_REJECTED, to="+15005550001", segments=None),
        a_delivery(Status.FAILED, body=None),
        a_delivery(Status.HELD, reason=Reason.UNCONFIRMED),
    )
    found = look_ahead(connection, Wish(), anyone)
    assert (found.texts, found.segments, found.recipients) == (4, 5, 2)
    assert found.counts == {
        (Status.FAILED, Reason.TWILIO_REJECTED): 2,
        (Status.FAILED, None): 1,
        (Status.HELD, None): 1,
    }
    assert found.left_alone == {
        LeftAlone.MAY_HAVE_BEEN_SENT: 5,
        LeftAlone.NO_TEXT: 1,
        LeftAlone.DELIVERED: 1,
        LeftAlone.WAITING: 1,
        LeftAlone.SUPPRESSED: 1,
    }


def test_every_delivery_that_is_meant_is_counted_once(connection: Connection) -> None:
    for body in ("Hi", None):
        one_of_each(connection, body=body)
    for force in (False, True):
        found = look_ahead(connection, Wish(force=force), anyone)
        assert found.texts + found.left_alone.total() == 2 * len(Status)


def test_whom_the_judge_objects_to_is_counted_and_left_alone(connection: Connection) -> None:
    stopped, other = a_delivery(Status.FAILED), a_delivery(Status.FAILED)
    put(connection, stopped, other)

    def judge(_: Connection, found: Sequence[Candidate]) -> dict[DeliveryId, LeftAlone]:
        return {each.id: LeftAlone.OPTED_OUT for each in found if each.id == stopped.id}

    found = look_ahead(connection, Wish(), judge)
    assert (found.texts, found.left_alone) == (1, {LeftAlone.OPTED_OUT: 1})
    assert redrive_all(connection, Wish(), judge, now=NOW, expires_at=LATER) == 1
    assert row(connection, stopped).status is Status.FAILED


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (Query(destination=OTHER), {"destination_id": OTHER}),
        (Query(reason=Reason.CREDENTIALS), {"reason": Reason.CREDENTIALS}),
        (Query(error_code=30003), {"error_code": 30003}),
        (Query(to="+15005550001"), {"to": "+15005550001"}),
        (Query(after=NOW + SECOND), {"created_at": NOW + SECOND}),
        (Query(before=NOW), {"created_at": NOW - SECOND}),
        (Query(status=Status.HELD), {"status": Status.HELD}),
    ],
    ids=["destination", "reason", "error", "to", "after", "before", "status"],
)
def test_only_what_the_filter_means_is_looked_at_and_sent(
    connection: Connection, query: Query, fields: dict[str, Any]
) -> None:
    meant = a_delivery(fields.pop("status", Status.FAILED), **fields)
    put(connection, meant, other := a_delivery(Status.FAILED))
    wish = Wish(query=query)
    assert look_ahead(connection, wish, anyone).texts == 1
    assert again(connection, wish=wish) == 1
    assert (row(connection, meant).status, row(connection, other)) == (Status.PENDING, other)


# --- steps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3, 7, 100])
def test_steps_of_any_size_come_to_all_of_them_oldest_first(connection: Connection, most: int) -> None:
    made = [a_delivery(Status.FAILED) for _ in range(7)]
    put(connection, *made)
    sizes: list[int] = []
    last: DeliveryId | None = None
    while True:
        done = redrive(connection, Wish(), anyone, now=NOW, expires_at=LATER, after=last, most=most)
        sizes.append(done.redriven)
        assert {row(connection, each).status for each in made[: sum(sizes)]} == {Status.PENDING}
        last = done.last
        if last is None:
            break
    assert sum(sizes) == 7
    assert max(sizes) == min(most, 7)


def test_a_count_over_many_pieces_is_that_of_all(connection: Connection) -> None:
    put(connection, *(a_delivery(Status.FAILED, to=f"+1500555{place:04}") for place in range(1203)))
    found = look_ahead(connection, Wish(), anyone)
    assert (found.texts, found.recipients) == (1203, 1203)
    assert again(connection) == 1203


# --- the place in a cooldown ---------------------------------------------------------------------------------------


def in_a_window(connection: Connection) -> Delivery:
    """Write a failed delivery that was let through, and gave its place back."""
    key = hash_key("+15005550009")
    sending = a_delivery(Status.SENDING, cooldown_key=key)
    put(connection, sending)
    book = Book(connection, NOW)
    book.window(SHOP, key, timedelta(hours=1))
    book.enter(SHOP, key, sending.id)
    book.write()
    ledger.settle(connection, [move(sending, Move.FAIL)])
    assert is_vacant(connection)
    return sending


def is_vacant(connection: Connection) -> bool:
    """Tell whether the next event would be let through."""
    window = read_window(connection, SHOP, hash_key("+15005550009"), NOW)
    assert window is not None
    return window.vacant


def test_a_text_that_is_sent_after_all_takes_its_place_again(connection: Connection) -> None:
    sending = in_a_window(connection)
    again(connection)
    assert not is_vacant(connection)
    ledger.claim(connection, [sending], NOW + SECOND)
    ledger.settle(connection, [move(row(connection, sending), Move.FAIL)])
    assert is_vacant(connection), "it failed again"


def test_a_place_that_somebody_else_has_taken_stays_theirs(connection: Connection) -> None:
    in_a_window(connection)
    book = Book(connection, NOW)
    book.window(SHOP, hash_key("+15005550009"), timedelta(hours=1))
    other = DeliveryId("somebody-else")
    book.enter(SHOP, hash_key("+15005550009"), other)
    book.write()
    assert again(connection) == 1
    cooldowns.give_back(connection, [(SHOP, hash_key("+15005550009"), other)])
    assert is_vacant(connection)

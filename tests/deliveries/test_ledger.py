"""What the ledger promises, on every database that there is."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from smspipe.db import Database
from smspipe.deliveries import ledger, queries
from smspipe.deliveries.ledger import claim, due, heads, known, settle
from smspipe.deliveries.queries import Query
from smspipe.deliveries.states import MOVES, Move, target
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, MessageSid
from smspipe.model.outcome import Reason, Step
from tests.deliveries.conftest import NOW, SECOND, SHOP, a_delivery, move, put, row

OTHER = DestinationId("other")
ANSWERS = [each for each in Move if each not in (Move.CLAIM, Move.RELEASE, Move.REDRIVE, Move.FORCE)]
"""Moves that `settle` makes."""


def test_a_delivery_comes_back_as_it_was_written(connection: Connection) -> None:
    full = a_delivery(
        Status.SUPPRESSED,
        version=7,
        route=3,
        reason=Reason.COOLDOWN,
        sid=MessageSid("SM1"),
        attempts=2,
        error_code=30003,
        error_message='It\'s "so" 👋',
        not_before=NOW + SECOND,
        sent_at=NOW + 2 * SECOND,
        settled_at=NOW + timedelta(microseconds=1),
        steps=(Step(name="match", ok=True, saw="Ünïcode"), Step(name="body", ok=False, reason=Reason.BODY_EMPTY)),
        cooldown_key="abc",
    )
    bare = a_delivery(to=None, sender=None, body=None, segments=None, encoding=None, not_before=None, expires_at=None)
    put(connection, full, bare)
    assert row(connection, full) == full
    assert row(connection, bare) == bare


@pytest.mark.parametrize("n", [0, 1, 7, 8, 31, 33, 100])
def test_any_number_of_deliveries_is_written_whole(connection: Connection, n: int) -> None:
    """They are written many to a statement: none is left out, and none has another's values."""
    made = [a_delivery(event=f"event {place}", body=str(place)) for place in range(n)]
    put(connection, *made)
    assert queries.list_deliveries(connection, Query(), limit=1000)[::-1] == made


def test_an_event_is_known_at_the_destination_and_route_that_have_it(connection: Connection) -> None:
    here = a_delivery(route=2)
    put(connection, here, a_delivery())
    nobody = EventUuid("01930000-0000-7000-8000-ffffffffffff")
    assert known(connection, [here.event_uuid, nobody]) == {(here.event_uuid, SHOP, 2)}
    assert known(connection, []) == set()


def test_the_same_event_destination_and_route_cannot_stand_there_twice(connection: Connection) -> None:
    first = a_delivery()
    second = a_delivery(event_uuid=first.event_uuid)
    put(connection, first, a_delivery(event_uuid=first.event_uuid, route=1))
    with pytest.raises((IntegrityError, Exception), match="UNIQUE"):
        put(connection, second)


# --- claiming ------------------------------------------------------------------------------------------------------


def take(connection: Connection, now: datetime = NOW, most: int = 10) -> list[Delivery]:
    """Claim what is due for the shop, the oldest first."""
    return claim(connection, due(connection, SHOP, now, most, 0), now)


def test_what_is_due_is_given_oldest_first_and_no_more_than_asked(connection: Connection) -> None:
    late, early, middle = (a_delivery(not_before=NOW - n * SECOND) for n in (1, 3, 2))
    put(connection, late, early, middle, a_delivery(destination_id=OTHER))
    assert due(connection, SHOP, NOW, 2, 0) == [early, middle]
    assert due(connection, SHOP, NOW, 2, 2) == [late]
    assert due(connection, SHOP, NOW, 2, 3) == []


def test_a_claim_writes_the_attempt_down(connection: Connection) -> None:
    delivery = a_delivery(attempts=2)
    put(connection, delivery)
    (claimed,) = take(connection, NOW + SECOND)
    assert (claimed.status, claimed.attempts, claimed.sent_at) == (Status.SENDING, 3, NOW + SECOND)
    assert row(connection, delivery) == claimed


def test_what_somebody_else_has_claimed_meanwhile_is_not_claimed_again(connection: Connection) -> None:
    delivery = a_delivery()
    put(connection, delivery)
    assert len(claim(connection, [delivery], NOW)) == 1
    assert claim(connection, [delivery], NOW) == []


def test_rows_that_are_remembered_are_as_those_that_are_read(connection: Connection) -> None:
    remembered, read = a_delivery(), a_delivery()
    put(connection, remembered, read)
    assert due(connection, SHOP, NOW, 10, 0, {remembered.id: remembered}) == [remembered, read]


def test_what_is_not_due_yet_or_does_not_wait_is_not_given(connection: Connection) -> None:
    put(connection, a_delivery(not_before=NOW + timedelta(microseconds=1)))
    put(connection, *(a_delivery(status) for status in Status if status is not Status.PENDING))
    assert due(connection, SHOP, NOW, 100, 0) == []


def test_the_heads_are_the_oldest_that_wait_for_each_destination(connection: Connection) -> None:
    assert heads(connection) == []
    put(connection, a_delivery(Status.HELD, not_before=NOW), a_delivery(not_before=NOW + 9 * SECOND))
    put(connection, a_delivery(destination_id=OTHER, not_before=NOW + 5 * SECOND), a_delivery(destination_id=OTHER))
    assert heads(connection) == [(OTHER, NOW), (SHOP, NOW + 9 * SECOND)]


def test_what_is_put_off_waits_until_then(connection: Connection) -> None:
    delivery = a_delivery()
    put(connection, delivery)
    ledger.put_off(connection, [(delivery, NOW + SECOND)])
    assert take(connection) == []
    assert len(take(connection, NOW + SECOND)) == 1


# --- settling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "made"),
    [(status, made) for status, made in product(Status, ANSWERS) if made in MOVES.get(status, {})],
    ids=lambda each: each.value,
)
def test_each_move_of_the_table_is_made(connection: Connection, status: Status, made: Move) -> None:
    delivery = a_delivery(status)
    put(connection, delivery)
    assert settle(connection, [move(delivery, made, sid=MessageSid("SM1"))]) == 1
    moved = row(connection, delivery)
    assert (moved.status, moved.sid, moved.settled_at) == (target(made), "SM1", NOW + SECOND)


@pytest.mark.parametrize(
    ("status", "made"),
    [(status, made) for status, made in product(Status, ANSWERS) if made not in MOVES.get(status, {})],
    ids=lambda each: each.value,
)
def test_a_move_that_the_table_does_not_have_changes_nothing(
    connection: Connection, status: Status, made: Move
) -> None:
    """Someone else was first: the row stays as they left it."""
    delivery = a_delivery(status)
    put(connection, delivery)
    assert settle(connection, [move(delivery, made, sid=MessageSid("SM1"), reason=Reason.PAUSED)]) == 0
    assert row(connection, delivery) == delivery


def test_of_two_answers_about_one_delivery_the_first_counts(connection: Connection) -> None:
    delivery = a_delivery(Status.SENDING)
    put(connection, delivery)
    accepted = move(delivery, Move.ACCEPT, sid=MessageSid("SM1"))
    assert settle(connection, [accepted, move(delivery, Move.LOSE), accepted]) == 1
    assert row(connection, delivery).status is Status.ACCEPTED


def test_an_acceptance_takes_the_marks_of_earlier_troubles_away(connection: Connection) -> None:
    delivery = a_delivery(Status.SENDING, error_code=20429, error_message="Too many.", reason=Reason.TWILIO_UNREACHABLE)
    put(connection, delivery)
    settle(connection, [move(delivery, Move.ACCEPT, sid=MessageSid("SM1"))])
    moved = row(connection, delivery)
    assert (moved.error_code, moved.error_message, moved.reason, moved.not_before) == (None, None, None, None)


def test_a_retry_waits_until_its_time_and_says_why(connection: Connection) -> None:
    delivery = a_delivery(Status.SENDING)
    put(connection, delivery)
    later = NOW + 30 * SECOND
    settle(connection, [move(delivery, Move.RETRY, not_before=later, error_code=20429, error_message="Too many.")])
    assert take(connection, later - SECOND) == []
    (again,) = take(connection, later)
    assert (again.id, again.attempts, again.error_code, again.error_message) == (delivery.id, 2, 20429, "Too many.")


def test_a_later_move_keeps_the_sid(connection: Connection) -> None:
    delivery = a_delivery(Status.ACCEPTED, sid=MessageSid("SM1"))
    put(connection, delivery)
    settle(connection, [move(delivery, Move.CONFIRM)])
    assert row(connection, delivery).sid == "SM1"


def test_many_moves_of_all_kinds_are_counted(connection: Connection) -> None:
    made = [a_delivery(Status.SENDING) for _ in range(50)]
    put(connection, *made)
    kinds = [Move.ACCEPT, Move.RETRY, Move.HOLD, Move.LOSE, Move.FAIL]
    asked = [move(each, kinds[place % 5]) for place, each in enumerate(made)]
    assert settle(connection, asked) == 50
    assert settle(connection, asked) == 0, "each has been made"


# --- what a dead process left, what is let go ----------------------------------------------------------------------


def test_what_was_being_sent_when_the_process_died_is_in_doubt_and_nothing_else(connection: Connection) -> None:
    each_one = [a_delivery(status) for status in Status]
    put(connection, *each_one)
    assert ledger.lose_sending(connection, NOW + SECOND, NOW + 2 * SECOND) == 1
    for delivery in each_one:
        now = row(connection, delivery)
        if delivery.status is Status.SENDING:
            assert (now.status, now.reason, now.settled_at) == (Status.UNCONFIRMED, Reason.UNCONFIRMED, NOW + SECOND)
            assert now.ask_at == NOW + 2 * SECOND
            assert now.error_message
        else:
            assert now == delivery


def test_what_is_held_for_a_destination_is_let_go_and_nothing_else(connection: Connection) -> None:
    own = {status: a_delivery(status, reason=Reason.CREDENTIALS) for status in Status}
    others = a_delivery(Status.HELD, reason=Reason.PAUSED, destination_id=OTHER)
    in_doubt = a_delivery(Status.HELD, reason=Reason.UNCONFIRMED)
    put(connection, *own.values(), others, in_doubt)
    assert set(ledger.holding(connection)) == {SHOP, OTHER}
    assert ledger.release(connection, SHOP, NOW + SECOND) == 1
    assert ledger.holding(connection) == [OTHER]
    freed = row(connection, own.pop(Status.HELD))
    assert (freed.status, freed.reason, freed.not_before) == (Status.PENDING, None, NOW + SECOND)
    assert [row(connection, each) for each in (*own.values(), others, in_doubt)] == [*own.values(), others, in_doubt]


# --- listing -------------------------------------------------------------------------------------------------------

FILTERS: list[tuple[Query, dict[str, Any]]] = [
    (Query(destination=OTHER), {"destination_id": OTHER}),
    (Query(status=Status.HELD), {"status": Status.HELD}),
    (Query(reason=Reason.COOLDOWN), {"reason": Reason.COOLDOWN}),
    (Query(error_code=30003), {"error_code": 30003}),
    (Query(to="+15005550001"), {"to": "+15005550001"}),
    (Query(event_uuid=EventUuid("e-1")), {"event_uuid": "e-1"}),
    (Query(distinct_id="bob"), {"distinct_id": "bob"}),
    (Query(after=NOW + SECOND), {"created_at": NOW + SECOND}),
    (Query(before=NOW), {"created_at": NOW - SECOND}),
]


@pytest.mark.parametrize(("query", "fields"), FILTERS, ids=[next(iter(fields)) for _, fields in FILTERS])
def test_a_filter_lists_and_counts_what_it_names(connection: Connection, query: Query, fields: dict[str, Any]) -> None:
    plain = a_delivery()
    status = Status(str(fields.get("status", Status.PENDING)))
    meant = a_delivery(status, **{name: value for name, value in fields.items() if name != "status"})
    put(connection, plain, meant)
    assert queries.list_deliveries(connection, query, limit=10) == [meant]
    assert queries.count_by_status(connection, query) == {status: 1}
    assert len(queries.list_deliveries(connection, Query(), limit=10)) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_give_every_delivery_once_forwards_and_backwards(connection: Connection, size: int) -> None:
    made = [a_delivery() for _ in range(7)]
    put(connection, *made)
    newest_first = made[::-1]

    forwards: list[Delivery] = []
    cursor: DeliveryId | None = None
    while page := queries.list_deliveries(connection, Query(), limit=size, older_than=cursor):
        forwards += page
        cursor = page[-1].id
    assert forwards == newest_first

    backwards: list[Delivery] = []
    cursor = made[0].id
    while page := queries.list_deliveries(connection, Query(), limit=size, newer_than=cursor):
        backwards = page + backwards
        cursor = page[0].id
    assert backwards == newest_first[:-1]


def test_a_delivery_that_is_not_there_is_none(connection: Connection) -> None:
    assert queries.get(connection, DeliveryId("nobody")) is None


def test_a_reader_sees_nothing_of_a_transaction_that_is_not_committed(
    database: Database, connection: Connection
) -> None:
    put(connection, a_delivery())
    with database.read() as other:
        assert queries.list_deliveries(other, Query(), limit=10) == []


def test_an_answer_to_an_earlier_attempt_moves_nothing(connection: Connection) -> None:
    """A person had it sent again while the first request still hung: its end says nothing of the second."""
    delivery = a_delivery(Status.SENDING, attempts=2)
    put(connection, delivery)
    earlier = msgspec.structs.replace(delivery, attempts=1)
    for made in (Move.LOSE, Move.FAIL, Move.ACCEPT):
        assert settle(connection, [move(earlier, made)]) == 0
    assert row(connection, delivery).status is Status.SENDING

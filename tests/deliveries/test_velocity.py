"""Counts by the hour: exact within a transaction and from one to the next, and forgotten in time."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql

from smspipe.deliveries import ledger, velocity
from smspipe.deliveries.tables import velocity as table
from smspipe.deliveries.velocity import Counts, forget_old, refused_since
from smspipe.model.delivery import Status
from smspipe.model.ids import DestinationId
from smspipe.model.trust import Place
from tests.deliveries.conftest import NOW, a_delivery

SHOP, BANK = DestinationId("shop"), DestinationId("bank")
BLOCK: Place = ("per_prefix", "+14155552")
US: Place = ("per_country", "US")
NUMBER = "+14155552671"


def test_what_is_counted_is_seen_at_once_and_by_the_next_transaction(connection: Connection) -> None:
    first = Counts(connection, NOW)
    assert first.let_through(SHOP, BLOCK) == 0
    first.add(SHOP, [BLOCK, US], NUMBER)
    first.add(SHOP, [BLOCK], NUMBER)
    assert (first.let_through(SHOP, BLOCK), first.let_through(SHOP, US)) == (2, 1)
    first.write()
    second = Counts(connection, NOW)
    second.add(SHOP, [BLOCK], NUMBER)
    assert second.let_through(SHOP, BLOCK) == 3, "also when it is added to before it is asked for"
    second.write()
    assert Counts(connection, NOW).let_through(SHOP, BLOCK) == 3


def test_each_destination_and_place_is_counted_for_itself(connection: Connection) -> None:
    counts = Counts(connection, NOW)
    counts.add(SHOP, [BLOCK], NUMBER)
    counts.write()
    later = Counts(connection, NOW)
    assert [later.let_through(SHOP, US), later.let_through(BANK, BLOCK), later.let_through(SHOP, BLOCK)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("later", "seen"),
    [(timedelta(minutes=59, seconds=59), 1), (timedelta(hours=1), 0), (timedelta(hours=-1), 0)],
    ids=["the same hour", "the next hour", "the hour before"],
)
def test_an_hour_begins_anew(connection: Connection, later: timedelta, seen: int) -> None:
    counts = Counts(connection, NOW)
    counts.add(SHOP, [BLOCK], NUMBER)
    counts.write()
    assert Counts(connection, NOW + later).let_through(SHOP, BLOCK) == seen


def test_nothing_is_written_when_nothing_is_counted(connection: Connection) -> None:
    counts = Counts(connection, NOW)
    counts.let_through(SHOP, BLOCK)
    counts.write()
    assert connection.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.parametrize("status", Status)
def test_a_number_was_texted_if_any_delivery_to_it_was_let_through(connection: Connection, status: Status) -> None:
    ledger.open_deliveries(connection, [a_delivery(status, to=NUMBER)])
    counts = Counts(connection, NOW)
    assert counts.texted(NUMBER) is (status is not Status.SUPPRESSED)
    assert not counts.texted("+14155550000")


@pytest.mark.parametrize("place", [0, 25, 49], ids=["before", "amid", "after"])
def test_a_text_is_found_among_many_refusals_unless_it_lies_amid(connection: Connection, place: int) -> None:
    """A flood of refusals does not make the question dear; what is not found so counts as new, the safe side."""
    rows = [a_delivery(Status.ACCEPTED if nth == place else Status.SUPPRESSED, to=NUMBER) for nth in range(50)]
    ledger.open_deliveries(connection, rows)
    assert Counts(connection, NOW).texted(NUMBER) is (place != 25)


def test_a_number_that_this_group_texts_is_not_new_any_more(connection: Connection) -> None:
    counts = Counts(connection, NOW)
    assert not counts.texted(NUMBER)
    counts.add(SHOP, [], NUMBER)
    assert counts.texted(NUMBER)


def test_refusals_are_counted_by_destination_and_hour(connection: Connection) -> None:
    for at, destination in ((NOW - timedelta(hours=2), SHOP), (NOW, SHOP), (NOW, SHOP), (NOW, BANK)):
        counts = Counts(connection, at)
        counts.refuse(destination)
        counts.write()
    assert refused_since(connection, NOW) == {SHOP: 2, BANK: 1}
    assert refused_since(connection, NOW - timedelta(hours=2)) == {SHOP: 3, BANK: 1}
    assert refused_since(connection, NOW + timedelta(hours=1)) == {}


def test_counts_are_forgotten_after_a_day(connection: Connection) -> None:
    def write(at: datetime) -> None:
        counts = Counts(connection, at)
        counts.add(SHOP, [BLOCK], NUMBER)
        counts.write()

    for hours in (0, 23, 24, 25, 26):
        write(NOW - timedelta(hours=hours))
    forget_old(connection, NOW)
    left = connection.scalars(select(table.c.hour)).all()
    assert min(left) >= NOW - timedelta(hours=25)
    assert NOW.replace(minute=0, second=0, microsecond=0) in left


def test_several_writers_wait_for_each_other_on_postgresql() -> None:
    text, _ = velocity._READ._compile(postgresql.dialect(), 1)  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
    assert text.endswith("FOR UPDATE")
    made = str(velocity._MAKE.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
    assert made.endswith("ON CONFLICT DO NOTHING"), "a row that is not there cannot be locked"

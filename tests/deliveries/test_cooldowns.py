"""Cooldown windows: who is let through, who may come next, and when a place is given back."""

from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given
from sqlalchemy import Connection, select

from smspipe.deliveries import cooldowns
from smspipe.deliveries.cooldowns import Book, give_back, hash_key, read_window
from smspipe.deliveries.ledger import settle
from smspipe.deliveries.states import Move
from smspipe.deliveries.tables import cooldowns as table
from smspipe.model.cooldown import Window
from smspipe.model.delivery import Status
from smspipe.model.ids import DeliveryId
from tests.deliveries.conftest import NOW, SECOND, SHOP, a_delivery, move, put

MINUTE = timedelta(minutes=1)
KEY = hash_key("+15005550009")


def enter(book: Book, owner: str | None, key: str = KEY) -> bool:
    """Let one event at the window; tell whether it is let through, as `owner`."""
    admitted = book.window(SHOP, key, MINUTE).admits(None)
    book.enter(SHOP, key, DeliveryId(owner) if owner is not None and admitted else None)
    return admitted


@pytest.mark.parametrize("threshold", [1, 2, 3, 10])
def test_with_a_threshold_t_the_1st_the_t_plus_1st_and_the_2t_plus_1st_run(threshold: int) -> None:
    window = Window(ends_at=NOW)
    ran = []
    for nth in range(1, 4 * threshold + 2):
        if window.admits(threshold):
            ran.append(nth)
        window.entered += 1
    assert ran == [1, threshold + 1, 2 * threshold + 1, 3 * threshold + 1, 4 * threshold + 1]


@given(st.integers(0, 10**6))
def test_without_a_threshold_only_the_first_runs(entered: int) -> None:
    assert Window(ends_at=NOW, entered=entered).admits(None) is (entered == 0)


def test_the_first_event_of_a_key_begins_a_window_of_fixed_length(connection: Connection) -> None:
    book = Book(connection, NOW)
    assert [enter(book, name) for name in ("first", "second", "third")] == [True, False, False]
    book.write()
    assert read_window(connection, SHOP, KEY, NOW) == Window(
        ends_at=NOW + MINUTE, entered=3, owner=DeliveryId("first"), vacant=False
    )


def test_a_window_does_not_slide_and_ends_to_the_instant(connection: Connection) -> None:
    """Events that are held back do not make it longer."""
    first = Book(connection, NOW)
    enter(first, "first")
    first.write()
    held_back = Book(connection, NOW + 59 * SECOND)
    assert enter(held_back, "second") is False
    held_back.write()
    assert read_window(connection, SHOP, KEY, NOW + MINUTE - timedelta(microseconds=1)) is not None
    assert read_window(connection, SHOP, KEY, NOW + MINUTE) is None
    later = Book(connection, NOW + MINUTE)
    assert enter(later, "third") is True
    later.write()
    window = read_window(connection, SHOP, KEY, NOW + MINUTE)
    assert window is not None
    assert (window.ends_at, window.entered, window.owner) == (NOW + 2 * MINUTE, 1, "third")


def test_keys_and_destinations_have_windows_of_their_own(connection: Connection) -> None:
    book = Book(connection, NOW)
    enter(book, "first")
    assert enter(book, "other key", key=hash_key("+15005550001")) is True
    book.write()
    assert read_window(connection, type(SHOP)("elsewhere"), KEY, NOW) is None


def test_a_window_that_was_only_looked_at_is_not_written(connection: Connection) -> None:
    book = Book(connection, NOW)
    book.window(SHOP, KEY, MINUTE)
    book.write()
    assert connection.execute(select(table)).all() == []


def test_a_place_given_back_goes_to_the_next_and_the_window_keeps_its_end(connection: Connection) -> None:
    book = Book(connection, NOW)
    enter(book, "first")
    book.write()
    give_back(connection, [(SHOP, KEY, DeliveryId("first"))])
    again = Book(connection, NOW + 30 * SECOND)
    assert [enter(again, name) for name in ("second", "third")] == [True, False]
    again.write()
    window = read_window(connection, SHOP, KEY, NOW + 30 * SECOND)
    assert window == Window(ends_at=NOW + MINUTE, entered=3, owner=DeliveryId("second"), vacant=False)


def test_a_place_is_given_back_only_by_the_delivery_that_holds_it(connection: Connection) -> None:
    book = Book(connection, NOW)
    enter(book, "first")
    book.write()
    give_back(connection, [(SHOP, KEY, DeliveryId("another")), (type(SHOP)("else"), KEY, DeliveryId("first"))])
    window = read_window(connection, SHOP, KEY, NOW)
    assert window is not None
    assert not window.vacant
    give_back(connection, [])


GIVES_BACK = {
    Move.ACCEPT: False,
    Move.LOSE: False,
    Move.RETRY: False,
    Move.HOLD: False,
    Move.FAIL: True,
}


@pytest.mark.parametrize(("made", "free"), GIVES_BACK.items(), ids=lambda each: str(each))
def test_a_place_is_given_back_when_it_is_certain_that_nothing_was_and_will_be_sent(
    connection: Connection, made: Move, free: bool
) -> None:
    """A text in doubt keeps its place: rather none than two."""
    delivery = a_delivery(Status.SENDING, cooldown_key=KEY)
    put(connection, delivery)
    book = Book(connection, NOW)
    enter(book, delivery.id)
    book.write()
    settle(connection, [move(delivery, made)])
    window = read_window(connection, SHOP, KEY, NOW)
    assert window is not None
    assert window.vacant is free


def test_a_failure_that_came_too_late_gives_no_place_back(connection: Connection) -> None:
    """Twilio had delivered the text by then: the move is not made, and so its place stays taken."""
    delivery = a_delivery(Status.DELIVERED, cooldown_key=KEY)
    put(connection, delivery)
    book = Book(connection, NOW)
    enter(book, delivery.id)
    book.write()
    assert settle(connection, [move(delivery, Move.FAIL)]) == 0
    window = read_window(connection, SHOP, KEY, NOW)
    assert window is not None
    assert not window.vacant


@given(st.text())
def test_a_key_is_kept_as_a_digest_that_shows_nothing_of_it(key: str) -> None:
    digest = hash_key(key)
    assert len(digest) == 32
    assert set(digest) <= set("0123456789abcdef")
    assert len(key) < 4 or key not in digest
    assert digest == hash_key(key)


def test_a_phone_number_as_a_key_is_not_in_the_ledger(connection: Connection) -> None:
    book = Book(connection, NOW)
    enter(book, "first", key=hash_key("+15005550009"))
    book.write()
    (row,) = connection.execute(select(table)).all()
    assert "5005550009" not in repr(row)


def test_windows_that_have_ended_are_forgotten_and_others_are_not(connection: Connection) -> None:
    book = Book(connection, NOW)
    enter(book, "first")
    enter(book, "second", key="other")
    book.window(SHOP, "long", timedelta(days=365))
    book.enter(SHOP, "long", DeliveryId("third"))
    book.write()
    cooldowns.forget_ended(connection, NOW + MINUTE)
    assert [row.key for row in connection.execute(select(table))] == ["long"]

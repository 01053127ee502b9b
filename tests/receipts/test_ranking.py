"""No order, repetition or loss of what Twilio says moves a text backwards or changes where it ends."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.model.errors import Invalid
from smspipe.model.ids import MessageSid
from smspipe.model.outcome import Reason
from smspipe.receipts import (
    ORDER,
    Effect,
    MessageStatus,
    Receipt,
    Standing,
    conclude,
    join,
    progress,
    standing_of,
)

SID = MessageSid("SM0123456789abcdef0123456789abcdef")
S = MessageStatus


def said(word: str, code: int | None = None, **more: object) -> Receipt:
    """Make what Twilio says of one text."""
    status = S(word) if word in [status.value for status in S] else None
    receipt = Receipt(sid=SID, account_sid="AC" + "0" * 32, status=status, word=word, error_code=code)
    return msgspec.structs.replace(receipt, **more)


def hear(receipts: Iterable[Receipt]) -> list[Standing]:
    """Tell how a text stands after each of them."""
    standings: list[Standing] = []
    for receipt in receipts:
        standings.append(progress(standings[-1] if standings else None, receipt))
    return standings


def rank(standing: Standing) -> int:
    """Say how far a standing is, -1 when nothing was understood."""
    return -1 if standing.status is None else ORDER.index(standing.status)


# ---- all orders of five callbacks ------------------------------------------------------------------------------------

STORIES = {
    "delivered": [said("queued"), said("sending"), said("sent"), said("delivered"), said("read")],
    "with a service": [said("accepted"), said("queued"), said("sending"), said("sent"), said("delivered")],
    "undelivered": [said("accepted"), said("queued"), said("sending"), said("sent"), said("undelivered", 30003)],
    "failed": [said("scheduled"), said("accepted"), said("queued"), said("sending"), said("failed", 30036)],
    "contradicting ends": [
        said("sent"),
        said("failed", 30008),
        said("undelivered", 30005),
        said("undelivered", 30008),
        said("delivered"),
    ],
    "unknown words": [said("queued"), said("teleported"), said("sent"), said("beamed"), said("delivered")],
    "with a price": [
        said("queued", segments=1),
        said("sent", segments=2),
        said("delivered"),
        said("delivered", segments=2, price=Decimal("0.015"), price_unit="USD"),
        said("delivered", segments=2, price=Decimal("0.016"), price_unit="USD"),
    ],
}
ORDERS = list(permutations(range(5)))


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_all_orders_of_five_callbacks_end_alike_and_never_go_backwards(story: list[Receipt]) -> None:
    expected = hear(story)[-1]
    assert len(ORDERS) == 120
    for order in ORDERS:
        standings = hear(story[index] for index in order)
        assert standings[-1] == expected
        assert [rank(each) for each in standings] == sorted(rank(each) for each in standings)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_all_orders_of_five_callbacks_end_alike_when_each_comes_twice(story: list[Receipt]) -> None:
    expected = hear(story)[-1]
    for order in ORDERS:
        heard = [story[index] for index in order]
        for doubled in ([each for each in heard for _ in range(2)], heard + heard, heard + heard[::-1]):
            assert hear(doubled)[-1] == expected


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("missing", range(5))
def test_all_orders_of_callbacks_with_one_missing_end_alike(story: list[Receipt], missing: int) -> None:
    left = story[:missing] + story[missing + 1 :]
    ends = [hear(order)[-1] for order in permutations(left)]
    assert all(end == ends[0] for end in ends)
    assert rank(ends[0]) == max(rank(standing_of(each)) for each in left)
    # What is missing comes at last, or is asked for: nothing was lost by it.
    assert progress(ends[0], story[missing]) == hear(story)[-1]


@pytest.mark.parametrize("name", ["delivered", "with a service", "undelivered", "failed"])
@pytest.mark.parametrize("missing", range(4))
def test_no_callback_but_the_last_is_needed_to_know_the_end(name: str, missing: int) -> None:
    story = STORIES[name]
    left = story[:missing] + story[missing + 1 :]
    assert {conclude(hear(order)[-1]).effect for order in permutations(left)} == {conclude(hear(story)[-1]).effect}


# ---- the laws of a join ----------------------------------------------------------------------------------------------

CODES = st.none() | st.sampled_from([30003, 30005, 30008, 30410])
RECEIPTS = st.builds(
    said,
    st.sampled_from([*(status.value for status in S), *(f"word {number}" for number in range(12))]),
    CODES,
    segments=st.none() | st.integers(1, 3),
    price=st.none() | st.sampled_from([Decimal("0.0"), Decimal("0.0075"), Decimal("0.00750"), Decimal("1.5")]),
    price_unit=st.sampled_from([None, "EUR", "USD"]),
)
STANDINGS = st.lists(RECEIPTS, min_size=1, max_size=12).map(lambda receipts: hear(receipts)[-1])


@pytest.mark.slow
@given(STANDINGS, STANDINGS)
def test_a_join_does_not_care_which_side_comes_first(one: Standing, other: Standing) -> None:
    assert join(one, other) == join(other, one)


@pytest.mark.slow
@given(STANDINGS, STANDINGS, STANDINGS)
def test_a_join_does_not_care_how_its_parts_are_grouped(one: Standing, other: Standing, third: Standing) -> None:
    assert join(join(one, other), third) == join(one, join(other, third))


@pytest.mark.slow
@given(STANDINGS, STANDINGS)
def test_a_join_does_not_care_for_repetition(one: Standing, other: Standing) -> None:
    assert join(one, one) == one
    assert join(join(one, other), other) == join(one, other)


@pytest.mark.slow
@given(st.lists(RECEIPTS, min_size=1, max_size=8), st.data())
def test_any_order_with_any_repetition_ends_alike(receipts: list[Receipt], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(receipts + data.draw(st.lists(st.sampled_from(receipts)))))
    assert hear(shuffled)[-1] == hear(receipts)[-1]


@pytest.mark.slow
@given(st.lists(RECEIPTS, min_size=1, max_size=8))
def test_nothing_moves_a_text_backwards(receipts: list[Receipt]) -> None:
    ranks = [rank(standing) for standing in hear(receipts)]
    assert ranks == sorted(ranks)
    assert ranks[-1] == max(rank(standing_of(receipt)) for receipt in receipts)


@given(STANDINGS)
def test_a_standing_survives_being_written_down(standing: Standing) -> None:
    assert msgspec.json.decode(msgspec.json.encode(standing), type=Standing) == standing


def test_what_is_said_of_another_message_is_never_mixed_in() -> None:
    other = said("delivered", sid=MessageSid("SM" + "f" * 32))
    with pytest.raises(Invalid):
        progress(standing_of(said("sent")), other)


# ---- what is known ---------------------------------------------------------------------------------------------------


def test_every_status_of_an_outgoing_text_has_its_place() -> None:
    assert set(ORDER) == set(S) - {S.RECEIVING, S.RECEIVED}
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize(
    ("heard", "furthest"),
    [
        ([S.DELIVERED, S.UNDELIVERED], S.DELIVERED),
        ([S.UNDELIVERED, S.DELIVERED], S.DELIVERED),
        ([S.DELIVERED, S.FAILED], S.DELIVERED),
        ([S.FAILED, S.UNDELIVERED], S.UNDELIVERED),
        ([S.CANCELED, S.FAILED], S.FAILED),
        ([S.CANCELED, S.SENT], S.CANCELED),
        ([S.READ, S.DELIVERED], S.READ),
        ([S.PARTIALLY_DELIVERED, S.UNDELIVERED], S.PARTIALLY_DELIVERED),
        ([S.PARTIALLY_DELIVERED, S.DELIVERED], S.DELIVERED),
    ],
)
def test_of_contradicting_ends_the_stronger_evidence_wins(
    heard: Sequence[MessageStatus], furthest: MessageStatus
) -> None:
    assert hear(said(status.value) for status in heard)[-1].status is furthest


@pytest.mark.parametrize(
    ("codes", "kept"),
    [
        ([None, 30003], 30003),
        ([30008, 30003], 30003),
        ([30003, 30008], 30003),
        ([30003, 30005], 30005),
        ([None, 30008], 30008),
        ([None, None], None),
    ],
)
def test_of_two_codes_the_one_that_says_more_is_kept(codes: list[int | None], kept: int | None) -> None:
    assert hear(said("undelivered", code) for code in codes)[-1].error_code == kept


def test_the_code_of_an_end_that_lost_is_dropped() -> None:
    standing = hear([said("undelivered", 30008), said("delivered")])[-1]
    assert standing == Standing(sid=SID, status=S.DELIVERED)


@pytest.mark.parametrize("word", ["teleported", "received", "receiving"])
def test_a_word_that_is_not_understood_is_kept_and_moves_nothing(word: str) -> None:
    alone = standing_of(said(word, 30003))
    assert alone == Standing(sid=SID, words=(word,))
    assert conclude(alone).effect is Effect.ACCEPT
    after = progress(standing_of(said("delivered")), said(word))
    assert after == Standing(sid=SID, status=S.DELIVERED, words=(word,))


def test_of_words_that_are_not_understood_some_are_kept() -> None:
    standing = reduce(progress, [said(f"word {number:02}") for number in range(50)], standing_of(said("sent")))
    assert standing.words == tuple(f"word {number:02}" for number in range(8))


def test_money_and_segments_stay_once_they_are_known() -> None:
    priced = said("delivered", segments=2, price=Decimal("0.015"), price_unit="USD")
    for heard in ([priced, said("read")], [said("read"), priced]):
        standing = hear(heard)[-1]
        assert (standing.status, standing.segments, standing.price, standing.price_unit) == (
            S.READ,
            2,
            Decimal("0.015"),
            "USD",
        )


def test_a_currency_without_a_price_is_nothing() -> None:
    assert standing_of(said("queued", price_unit="USD")).price_unit is None


@pytest.mark.parametrize("status", ORDER)
def test_a_text_has_come_to_an_end_from_canceled_on(status: MessageStatus) -> None:
    assert standing_of(said(status.value)).final == (ORDER.index(status) >= ORDER.index(S.CANCELED))


def test_a_text_of_which_nothing_is_understood_has_not_come_to_an_end() -> None:
    assert not standing_of(said("teleported")).final


# ---- what follows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "code", "effect", "reason", "shown"),
    [
        ("scheduled", None, Effect.ACCEPT, None, None),
        ("accepted", None, Effect.ACCEPT, None, None),
        ("queued", None, Effect.ACCEPT, None, None),
        ("sending", None, Effect.ACCEPT, None, None),
        ("sent", 30003, Effect.ACCEPT, None, None),
        ("canceled", None, Effect.REJECT, Reason.TWILIO_REJECTED, None),
        ("failed", None, Effect.REJECT, Reason.TWILIO_REJECTED, None),
        ("failed", 30036, Effect.REJECT, Reason.TWILIO_REJECTED, 30036),
        ("failed", 30410, Effect.UNDELIVER, Reason.UNDELIVERED, 30410),
        ("undelivered", None, Effect.UNDELIVER, Reason.UNDELIVERED, None),
        ("undelivered", 30005, Effect.UNDELIVER, Reason.UNDELIVERED, 30005),
        ("partially_delivered", 30008, Effect.CONFIRM, None, 30008),
        ("delivered", 30008, Effect.CONFIRM, None, None),
        ("read", None, Effect.CONFIRM, None, None),
        ("teleported", 30008, Effect.ACCEPT, None, None),
    ],
)
def test_a_standing_says_what_becomes_of_the_delivery(
    word: str, code: int | None, effect: Effect, reason: Reason | None, shown: int | None
) -> None:
    conclusion = conclude(standing_of(said(word, code)))
    assert (conclusion.effect, conclusion.reason, conclusion.error_code) == (effect, reason, shown)
    assert conclusion.saw.endswith(".")
    assert (str(shown) in conclusion.saw) == (reason is not None and shown is not None)


@given(STANDINGS)
def test_a_delivery_is_only_given_up_at_an_end(standing: Standing) -> None:
    assert standing.final == (conclude(standing).effect is not Effect.ACCEPT)

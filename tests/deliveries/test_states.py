"""The one table of moves: what it promises, and that it is what the theory above it says."""

from itertools import product

import hypothesis.strategies as st
import pytest
from hypothesis import given

from smspipe.deliveries import states
from smspipe.deliveries.states import MOVES, Move, sources, target
from smspipe.model.delivery import Status

FINAL = {Status.DELIVERED, Status.SUPPRESSED}
SENT_PERHAPS = {Status.SENDING, Status.UNCONFIRMED, Status.ACCEPTED, Status.DELIVERED, Status.UNDELIVERED}
BIRTHS = (Status.PENDING, Status.SENDING, Status.HELD, Status.SUPPRESSED)

moves = st.lists(st.sampled_from(Move), max_size=12)


def walk(status: Status, made: list[Move]) -> list[Status]:
    """Make the moves that are possible, pass over the others; give every status on the way."""
    way = [status]
    for each in made:
        way.append(MOVES.get(way[-1], {}).get(each, way[-1]))
    return way


@given(st.sampled_from(Status), moves)
def test_no_sequence_of_moves_leaves_a_final_status(status: Status, made: list[Move]) -> None:
    way = walk(status, made)
    for place, each in enumerate(way):
        if each in FINAL:
            assert set(way[place:]) == {each}


def test_the_final_statuses_are_those_without_an_entry() -> None:
    assert set(Status) - set(MOVES) == FINAL


@given(st.sampled_from(BIRTHS), moves)
def test_a_delivery_is_claimed_before_every_request(born: Status, made: list[Move]) -> None:
    """SENDING is entered by birth or CLAIM alone, and nothing else leads to a request's answers."""
    way = walk(born, made)
    for before, after, each in zip(way, way[1:], made, strict=False):
        if after is Status.SENDING and before is not Status.SENDING:
            assert (before, each) == (Status.PENDING, Move.CLAIM)
        if after is Status.UNCONFIRMED and before is not Status.UNCONFIRMED:
            assert (before, each) == (Status.SENDING, Move.LOSE)


def test_what_may_have_been_sent_goes_back_to_waiting_by_knowledge_or_by_a_person_alone() -> None:
    """RETRY and DISPROVE say that it is known that nothing was sent; FORCE is a person's, who says why."""
    back = {(status, move) for status in SENT_PERHAPS for move, to in MOVES.get(status, {}).items()
            if to in (Status.PENDING, Status.SENDING)} - {(status, Move.FORCE) for status in Status}  # fmt: skip
    assert back == {(Status.SENDING, Move.RETRY), (Status.UNCONFIRMED, Move.DISPROVE)}


def test_no_evidence_moves_a_delivery_backwards() -> None:
    """However receipts come, a delivery gets no further from its end."""
    far = {Status.ACCEPTED: 1, Status.FAILED: 2, Status.UNDELIVERED: 3, Status.DELIVERED: 4}
    for status, move in product(Status, (Move.ACCEPT, Move.REJECT, Move.UNDELIVER, Move.CONFIRM)):
        if (to := MOVES.get(status, {}).get(move)) is not None:
            assert far[to] > far.get(status, 0)


def test_a_person_can_release_and_redrive_only_what_was_certainly_not_sent() -> None:
    assert not SENT_PERHAPS & {*sources(Move.RELEASE), *sources(Move.REDRIVE)}


@pytest.mark.parametrize("move", Move)
def test_every_move_has_a_source_and_exactly_one_target(move: Move) -> None:
    assert sources(move)
    assert {MOVES[status][move] for status in sources(move)} == {target(move)}


@pytest.mark.parametrize("move", Move)
def test_every_move_changes_the_status(move: Move) -> None:
    assert target(move) not in sources(move)


def test_every_status_can_be_reached() -> None:
    reached, more = set(BIRTHS), True
    while more:
        found = {to for status in reached for to in MOVES.get(status, {}).values()}
        more = not found <= reached
        reached |= found
    assert reached == set(Status)


def test_the_theory_above_the_table_names_the_births_and_what_leads_on_from_sending() -> None:
    theory = states.__doc__ or ""
    born = theory.partition("A delivery is born")[2].partition(". ")[0]
    assert {status for status in Status if status.name in born} == set(BIRTHS)
    leads_on = theory.partition("only knowledge leads on:")[2].partition("\nUNCONFIRMED")[0]
    assert {move for move in Move if move.name in leads_on} == set(MOVES[Status.SENDING])

"""
The states of a delivery: the only table of moves.

A delivery is born PENDING (there is a text to send), SENDING (it is sent at once), HELD or SUPPRESSED. What keeps a
text from being sent twice is that SENDING is written down, with its attempt, before the request leaves, and that from
there only knowledge leads on: an answer (ACCEPT, FAIL, RETRY, HOLD), or the knowledge that there will be none (LOSE).
UNCONFIRMED is left by evidence alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from smspipe.model.delivery import Status


class Move(StrEnum):
    """Why a delivery changes its state."""

    CLAIM = "claim"
    """A sender takes it and is about to send."""
    ACCEPT = "accept"
    """Twilio answered with a SID."""
    RETRY = "retry"
    """It is known that nothing was sent, and a later attempt may succeed."""
    HOLD = "hold"
    """It is known that nothing was sent, and nothing is to be until something is mended."""
    RELEASE = "release"
    """What held it is mended."""
    LOSE = "lose"
    """The request left, and the answer was lost."""
    FAIL = "fail"
    """It is known that nothing was sent, and nothing will be."""
    CONFIRM = "confirm"
    """The carrier says that it arrived."""
    UNDELIVER = "undeliver"
    """Twilio took it, and it did not arrive."""
    REDRIVE = "redrive"
    """A person asks for another try of what was certainly not sent."""


MOVES: Final[Mapping[Status, Mapping[Move, Status]]] = {
    Status.PENDING: {
        Move.CLAIM: Status.SENDING,
        Move.HOLD: Status.HELD,
        Move.FAIL: Status.FAILED,
    },
    Status.SENDING: {
        Move.ACCEPT: Status.ACCEPTED,
        Move.RETRY: Status.PENDING,
        Move.HOLD: Status.HELD,
        Move.LOSE: Status.UNCONFIRMED,
        Move.FAIL: Status.FAILED,
    },
    Status.HELD: {Move.RELEASE: Status.PENDING, Move.FAIL: Status.FAILED},
    Status.UNCONFIRMED: {Move.ACCEPT: Status.ACCEPTED, Move.RETRY: Status.PENDING, Move.FAIL: Status.FAILED},
    Status.ACCEPTED: {
        Move.CONFIRM: Status.DELIVERED,
        Move.UNDELIVER: Status.UNDELIVERED,
        Move.FAIL: Status.FAILED,
    },
    Status.FAILED: {Move.REDRIVE: Status.PENDING},
}
"""A status without an entry is final."""


def sources(move: Move) -> tuple[Status, ...]:
    """Name the states that `move` may start from: the condition of its update."""
    return tuple(status for status, moves in MOVES.items() if move in moves)


def target(move: Move) -> Status:
    """Name the one state that `move` leads to, wherever it starts."""
    (status,) = {moves[move] for moves in MOVES.values() if move in moves}
    return status

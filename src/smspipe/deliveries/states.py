"""
The states of a delivery: the only table of moves.

A delivery is born PENDING (there is a text to send), SENDING (it is sent at once), HELD or SUPPRESSED. What keeps a
text from being sent twice is that SENDING is written down, with its attempt, before the request leaves, and that from
there only knowledge leads on: an answer (ACCEPT, FAIL, RETRY, HOLD), a receipt that overtook it (CONFIRM, UNDELIVER,
REJECT), the knowledge that there will be none (LOSE), or that the request never left (SUPPRESS).
UNCONFIRMED is left by evidence alone: a receipt or Twilio's list shows the text (ACCEPT and what follows it), or the
list proves that there is none (RETRY, HOLD, EXPIRE).

Receipts may come in any order, and before the answer to the request itself. So ACCEPT, CONFIRM, UNDELIVER and REJECT,
which say that Twilio has the text, are made from every state that did not know it yet: a text about to be sent a second
time is stopped by the news that the first one went.
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
    SUPPRESS = "suppress"
    """It is decided, before the request, that there shall be no text after all."""
    DISPROVE = "disprove"
    """Twilio's list shows that the text in doubt was never taken: it may be sent."""
    DOUBT = "doubt"
    """The text in doubt stays so, or shall not be sent again by itself: a person decides."""
    EXPIRE = "expire"
    """The text in doubt was never taken, and it is too late for another try."""
    CONFIRM = "confirm"
    """The carrier says that it arrived."""
    UNDELIVER = "undeliver"
    """Twilio took it, and the carrier says that it did not arrive."""
    REJECT = "reject"
    """Twilio took it, and gave it up before it left."""
    REDRIVE = "redrive"
    """A person asks for another try of what was certainly not sent."""
    FORCE = "force"
    """A person asks for another try of what may have been sent, and says why."""


_TAKEN: Final[Mapping[Move, Status]] = {
    Move.ACCEPT: Status.ACCEPTED,
    Move.CONFIRM: Status.DELIVERED,
    Move.UNDELIVER: Status.UNDELIVERED,
    Move.REJECT: Status.FAILED,
}
"""Evidence that Twilio has the text."""

MOVES: Final[Mapping[Status, Mapping[Move, Status]]] = {
    Status.PENDING: {
        **_TAKEN,
        Move.CLAIM: Status.SENDING,
        Move.HOLD: Status.HELD,
        Move.FAIL: Status.FAILED,
        Move.SUPPRESS: Status.SUPPRESSED,
    },
    Status.SENDING: {
        **_TAKEN,
        Move.RETRY: Status.PENDING,
        Move.HOLD: Status.HELD,
        Move.LOSE: Status.UNCONFIRMED,
        Move.FAIL: Status.FAILED,
        Move.SUPPRESS: Status.SUPPRESSED,
    },
    Status.UNCONFIRMED: {
        **_TAKEN,
        Move.DISPROVE: Status.PENDING,
        Move.DOUBT: Status.HELD,
        Move.EXPIRE: Status.FAILED,
        Move.FORCE: Status.PENDING,
    },
    Status.HELD: {
        **_TAKEN,
        Move.RELEASE: Status.PENDING,
        Move.FAIL: Status.FAILED,
        Move.SUPPRESS: Status.SUPPRESSED,
        Move.FORCE: Status.PENDING,
    },
    Status.ACCEPTED: {
        Move.CONFIRM: Status.DELIVERED,
        Move.UNDELIVER: Status.UNDELIVERED,
        Move.REJECT: Status.FAILED,
        Move.FORCE: Status.PENDING,
    },
    # A carrier that takes its word back: that it arrived is the stronger evidence.
    Status.UNDELIVERED: {Move.CONFIRM: Status.DELIVERED, Move.FORCE: Status.PENDING},
    Status.FAILED: {
        Move.REDRIVE: Status.PENDING,
        Move.CONFIRM: Status.DELIVERED,
        Move.UNDELIVER: Status.UNDELIVERED,
        Move.FORCE: Status.PENDING,
    },
}
"""A status without an entry is final."""


def sources(move: Move) -> tuple[Status, ...]:
    """Name the states that `move` may start from: the condition of its update."""
    return tuple(status for status, moves in MOVES.items() if move in moves)


def target(move: Move) -> Status:
    """Name the one state that `move` leads to, wherever it starts."""
    (status,) = {moves[move] for moves in MOVES.values() if move in moves}
    return status

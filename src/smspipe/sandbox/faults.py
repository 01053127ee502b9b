"""
Failures on demand: which request fails, and how.

A rule names a fault, whom it meets and how often. Rules are asked in the order in which they
were given; of the faults that would contradict each other (answers, callback troubles, delivery
outcomes, each a family) the first that strikes wins. Chance is a function of the seed, the rule,
the recipient and how many requests went to that recipient: the same requests meet the same
faults, however they interleave with those to others.

`…_before` means that nothing was accepted; `…_after` that the text was accepted, is sent and
listed, and only the answer is lost: the two that no client can tell apart.
"""

import hashlib
from collections import OrderedDict
from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple

import msgspec


class Fault(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    """The request waits `seconds` (default 1) before anything is done."""
    LATENCY_AFTER = "latency_after"
    """Accepted at once, answered `seconds` later (default 1): callbacks overtake the answer."""
    TOO_MANY_REQUESTS = "429"
    SERVER_ERROR_BEFORE = "500_before"
    SERVER_ERROR_AFTER = "500_after"
    UNAVAILABLE = "503"
    """Not accepted; clients cannot know that."""
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    NO_ANSWER = "no_answer"
    """Accepted, then silence for `seconds` (default 30), then the connection is reset."""
    NO_ANSWER_BEFORE = "no_answer_before"
    MALFORMED = "malformed"
    """Accepted; the answer is 201 with half a JSON document."""
    HTML_502 = "html_502"
    """Not accepted; the answer is a gateway's HTML page."""
    HTML_502_AFTER = "html_502_after"
    QUEUE_FULL = "queue_full"
    """Refused with 21611."""
    REFUSE = "refuse"
    """Refused with `code`."""
    CALLBACKS_LOST = "callbacks_lost"
    CALLBACKS_DELAYED = "callbacks_delayed"
    """Each goes out `seconds` late (default 1)."""
    CALLBACKS_DOUBLED = "callbacks_doubled"
    CALLBACKS_REORDERED = "callbacks_reordered"
    UNDELIVERED = "undelivered"
    """The carrier refuses the text, with `code` (default 30003)."""
    FAILED = "failed"
    """The text never leaves Twilio, with `code` (default 30008)."""
    NO_RECEIPT = "no_receipt"
    """The text stays `sent`: some carriers never say more."""


ACCEPTED_FIRST: Final = frozenset(
    {Fault.SERVER_ERROR_AFTER, Fault.RESET_AFTER, Fault.NO_ANSWER, Fault.MALFORMED, Fault.HTML_502_AFTER}
)
"""Answer faults that strike after the text was accepted."""
NEEDS_DROP: Final = frozenset({Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.NO_ANSWER, Fault.NO_ANSWER_BEFORE})
"""Faults that end in a dropped connection."""
_LATENCY: Final = frozenset({Fault.LATENCY, Fault.LATENCY_AFTER})
_CALLBACKS: Final = frozenset(
    {Fault.CALLBACKS_LOST, Fault.CALLBACKS_DELAYED, Fault.CALLBACKS_DOUBLED, Fault.CALLBACKS_REORDERED}
)
_DELIVERY: Final = frozenset({Fault.UNDELIVERED, Fault.FAILED, Fault.NO_RECEIPT})
_CREATE_ONLY: Final = _CALLBACKS | _DELIVERY | {Fault.QUEUE_FULL, Fault.LATENCY_AFTER}
_REMEMBERED: Final = 100_000

Operation = Literal["create", "list", "fetch", "update", "delete"]


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a rule meets."""

    to: str | None = None
    """A recipient, or the beginning of its number, with or without a `*` at the end; None: everyone."""
    operation: Operation = "create"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault and its conditions."""

    fault: Fault
    match: Match = Match()
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Strikes at most this often; None: for ever."""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    """For latency, delay and silence."""
    code: Annotated[int, msgspec.Meta(ge=10_000, le=99_999)] | None = None
    """For `refuse`, `undelivered` and `failed`."""

    def __post_init__(self) -> None:
        if self.fault is Fault.REFUSE and self.code is None:
            raise ValueError("the fault 'refuse' needs a 'code'")
        if self.match.operation != "create" and (self.fault in _CREATE_ONLY or self.fault in ACCEPTED_FIRST):
            raise ValueError(f"the fault '{self.fault.value}' is one of creating a message, not of other operations")


class Plan(NamedTuple):
    """What goes wrong with one request: at most one rule of each family."""

    latency: Rule | None = None
    answer: Rule | None = None
    callbacks: Rule | None = None
    delivery: Rule | None = None

    def seconds_of(self, fault: Fault) -> float:
        """Say how long a fault of latency or delay takes in this plan; 0 when it is not in it."""
        for rule in (self.latency, self.callbacks):
            if rule is not None and rule.fault is fault:
                return 1.0 if rule.seconds is None else rule.seconds
        return 0.0


class FaultPlan:
    """All rules, and how often each has struck."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._rules: list[tuple[int, Rule]] = []
        self._strikes: dict[int, int] = {}
        self._added = 0
        self._requests: OrderedDict[tuple[str, str], int] = OrderedDict()

    def add(self, rules: list[Rule]) -> None:
        """Put rules behind those that are already there."""
        for rule in rules:
            self._added += 1
            self._rules.append((self._added, rule))
            self._strikes[self._added] = 0

    def clear(self) -> None:
        """Take all rules away, and start chance anew."""
        self._rules.clear()
        self._strikes.clear()
        self._requests.clear()
        self._added = 0

    def document(self) -> list[dict[str, object]]:
        """Show the rules, each with how often it has struck."""
        return [
            {"id": number, **msgspec.to_builtins(rule), "struck": self._strikes[number]} for number, rule in self._rules
        ]

    def draw(self, operation: Operation, to: str) -> Plan:
        """Decide what goes wrong with one request, and count it."""
        key = (operation, to)
        nth = self._requests[key] = self._requests.get(key, 0) + 1
        if len(self._requests) > _REMEMBERED:
            self._requests.popitem(last=False)
        struck: dict[str, Rule] = {}
        for number, rule in self._rules:
            family = _family(rule.fault)
            if family not in struck and self._strikes_now(number, rule, operation, to, nth):
                self._strikes[number] += 1
                struck[family] = rule
        return Plan(**struck)

    def _strikes_now(self, number: int, rule: Rule, operation: Operation, to: str, nth: int) -> bool:
        if rule.match.operation != operation or not to.startswith((rule.match.to or "").removesuffix("*")):
            return False
        if rule.times is not None and self._strikes[number] >= rule.times:
            return False
        return chance(self.seed, number, to, nth) < rule.probability


def chance(*of: object) -> float:
    """Give a number from 0 to below 1 that looks random and is a function of `of`."""
    digest = hashlib.blake2b(":".join(map(str, of)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


def _family(fault: Fault) -> str:
    if fault in _LATENCY:
        return "latency"
    if fault in _CALLBACKS:
        return "callbacks"
    return "delivery" if fault in _DELIVERY else "answer"

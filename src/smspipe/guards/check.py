"""
The guards in their order. The first refusal wins; every step that ran is kept with what it saw.

Each guard is one function of a `Case`: it sees facts that are read in the transaction that acts on the answer.
"""

from collections.abc import Iterator
from typing import Final

from smspipe.guards.budget import check_budget
from smspipe.guards.caps import check_caps, check_identical
from smspipe.guards.case import Case, Delay, Guard, Verdict
from smspipe.guards.country import check_country
from smspipe.guards.quiet_hours import check_quiet_hours
from smspipe.guards.spans import spell
from smspipe.guards.trust import check_trust
from smspipe.guards.velocity import check_velocity
from smspipe.model.outcome import Reason, Refusal, Step

_OK_OPTED_OUT = Step(name="opted_out", ok=True)
_OK_DUPLICATE = Step(name="duplicate", ok=True)
_OK_AGE = Step(name="age", ok=True)


def check_guards(case: Case) -> Iterator[Step | Refusal | Delay]:
    """Give each guard's answer, in order; a refusal is the last. A delay lets the later guards speak."""
    for guard in GUARDS:
        answer = guard(case)
        if answer is not None:
            yield answer
            if isinstance(answer, Refusal):
                return


def check_opted_out(case: Case) -> Verdict:
    """Refuse who said STOP to this sender."""
    if case.known.opted_out(case.message.to, case.message.sender):
        return Refusal(reason=Reason.OPTED_OUT, saw="The recipient has opted out of texts from this sender.")
    return _OK_OPTED_OUT


def check_duplicate(case: Case) -> Verdict:
    """Refuse an event that was decided on before."""
    if case.known.known(case.event.uuid, case.destination.id, case.route):
        return Refusal(reason=Reason.DUPLICATE, saw="The same event was decided on here before.")
    return _OK_DUPLICATE


def check_age(case: Case) -> Verdict:
    """Refuse what happened too long ago to be news: a text about it would surprise, not inform."""
    event, longest = case.event, case.destination.max_age
    if event.historical:
        return Refusal(reason=Reason.HISTORICAL, saw="The event came in a historical migration, which sends no texts.")
    if case.now - event.timestamp > longest:
        return Refusal(
            reason=Reason.TOO_OLD,
            saw=f"The event is {spell(case.now - event.timestamp)} old; this destination takes events up to "
            f"{spell(longest)} old.",
        )
    return _OK_AGE


def check_cooldown(case: Case) -> Verdict:
    """Refuse a text whose like was let through within the cooldown."""
    cooldown = case.destination.cooldown
    if cooldown is None:
        return None
    if not case.cooldown_key:
        return Step(name="cooldown", ok=True, saw="The cooldown's key is empty for this event: it holds nothing back.")
    window = case.known.window(case.destination.id, case.cooldown_key, cooldown.ttl)
    if not window.admits(cooldown.threshold):
        began = window.ends_at - cooldown.ttl
        return Refusal(
            reason=Reason.COOLDOWN,
            saw=f"A text with the same cooldown key was let through {spell(case.now - began)} ago; "
            f"the next is possible at {window.ends_at:%Y-%m-%d %H:%M:%S} UTC.",
            until=window.ends_at,
        )
    return Step(name="cooldown", ok=True, saw=f"No text with the same key within {spell(cooldown.ttl)}.")


GUARDS: Final[tuple[Guard, ...]] = (
    check_trust,
    check_country,
    check_opted_out,
    check_duplicate,
    check_age,
    check_cooldown,
    check_caps,
    check_identical,
    check_velocity,
    check_budget,
    check_quiet_hours,
)
"""In the order of `docs/explanation/guards-order.md`."""

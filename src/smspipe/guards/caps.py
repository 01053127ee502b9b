"""
Frequency caps: so many texts in any span, and no more.

A text that was let through and waits counts as if it left now, whenever that will be; one that has left counts for the
length of the cap from then on. So however long texts wait, the last of any that leave within one span has seen all the
others, and no more than the cap's number leave in it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from smspipe.guards.case import Case, Verdict
from smspipe.guards.spans import spell
from smspipe.model.ids import PersonId
from smspipe.model.limits import By, Cap, Passed
from smspipe.model.outcome import Reason, Refusal, Step

STEP: Final = "frequency_cap"
IDENTICAL: Final = "identical"


def check_caps(case: Case) -> Verdict:
    """Refuse a text when its recipient has had as many as one of the caps allows."""
    caps = case.destination.caps
    if not caps:
        return None
    full: list[tuple[Cap, datetime | None]] = []
    for cap in caps:
        who = who_of(case, cap.by)
        texts = [each for each in case.known.passed(case.destination.id, who) if cap.across or each.here]
        if (until := _first_room(texts, cap, case.now)) != case.now:
            full.append((cap, until))
    if not full:
        return Step(name=STEP, ok=True, saw=f"Fewer than {', '.join(_spell(cap) for cap in caps)}.")
    untils = [until for _, until in full]
    known = [until for until in untils if until is not None]
    until = max(known) if len(known) == len(untils) else None
    when = "when one that is held has left" if until is None else f"at {until:%Y-%m-%d %H:%M:%S} UTC"
    whose = "person" if full[0][0].by is By.PERSON else "number"
    where = "all destinations" if full[0][0].across else "this destination"
    return Refusal(
        reason=Reason.FREQUENCY_CAP,
        saw=f"This {whose} has had {_spell(full[0][0])} from {where}; the next is possible {when}.",
        until=until,
    )


def check_identical(case: Case) -> Verdict:
    """Notice that another destination sends the same words to the same number; refuse it where that is asked for."""
    within = case.destination.refuse_identical
    twin = case.known.twin(case.destination.id, case.message.to, case.message.body, within)
    if twin is None:
        return None
    saw = f"Another destination ({twin}) sends the same words to this number."
    if within is None:
        return Step(name=IDENTICAL, ok=True, saw=f"{saw} Both leave, unless the option refuse_identical is set.")
    return Refusal(
        reason=Reason.FREQUENCY_CAP,
        saw=f"{saw} This destination refuses what was said within {spell(within)}.",
    )


def who_of(case: Case, by: By) -> str:
    """Say under which key a case's texts are counted."""
    return key_of(case.message.to, None if case.person is None else case.person.id, by)


def keys_of(case: Case) -> tuple[str, ...]:
    """Give all keys that a case's text counts under, whoever counts."""
    return tuple(dict.fromkeys(who_of(case, by) for by in By))


def key_of(number: str, person: PersonId | None, by: By) -> str:
    """Make the key of a number, or of the person where there is one."""
    return f"person:{person}" if by is By.PERSON and person is not None else f"number:{number}"


def _first_room(texts: Sequence[Passed], cap: Cap, now: datetime) -> datetime | None:
    """Give the first instant at which the cap has room, `now` where it has; None when nobody knows."""
    since = now - cap.per
    counted = [each for each in texts if each.left_at is None or each.left_at > since]
    if len(counted) < cap.texts:
        return now
    leaves = [each.left_at or (None if each.due_at is None else max(each.due_at, now)) for each in counted]
    known = sorted((at for at in leaves if at is not None), reverse=True)
    unknown = len(leaves) - len(known)  # each of these takes a place for as long as it is held
    return None if unknown >= cap.texts else known[cap.texts - unknown - 1] + cap.per


def _spell(cap: Cap) -> str:
    return f"{cap.texts} text{'' if cap.texts == 1 else 's'} in {spell(cap.per)}"

"""The guards, one after the other. Each sees facts that were read in the transaction that acts on the answer."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from smspipe.model.cooldown import Window
from smspipe.model.destination import Cooldown, Destination
from smspipe.model.event import Event
from smspipe.model.outcome import Reason, Refusal, Step

_OK_OPTED_OUT = Step(name="opted_out", ok=True)
_OK_DUPLICATE = Step(name="duplicate", ok=True)
_OK_AGE = Step(name="age", ok=True)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the guards must know and an event cannot tell."""

    opted_out: bool
    """The recipient wants no texts from this sender."""
    duplicate: bool
    """The ledger already holds this event for this destination and recipient."""
    window: Window | None
    """The cooldown window of this text's key; None when there is no cooldown, or its key is empty."""


def check_guards(facts: Facts, event: Event, destination: Destination, now: datetime) -> Iterator[Step | Refusal]:
    """Give each guard's step, in order; a refusal is the last."""
    if facts.opted_out:
        yield Refusal(reason=Reason.OPTED_OUT, saw="The recipient has opted out of texts from this sender.")
        return
    yield _OK_OPTED_OUT
    if facts.duplicate:
        yield Refusal(reason=Reason.DUPLICATE, saw="The same event was decided on here before.")
        return
    yield _OK_DUPLICATE
    yield _check_age(event, destination, now)
    if destination.cooldown is not None:
        yield _check_cooldown(facts.window, destination.cooldown, now)


def _check_age(event: Event, destination: Destination, now: datetime) -> Step | Refusal:
    """Refuse what happened too long ago to be news: a text about it would surprise, not inform."""
    if event.historical:
        return Refusal(reason=Reason.HISTORICAL, saw="The event came in a historical migration, which sends no texts.")
    if now - event.timestamp > destination.max_age:
        return Refusal(
            reason=Reason.TOO_OLD,
            saw=f"The event is {spell(now - event.timestamp)} old; this destination takes events up to "
            f"{spell(destination.max_age)} old.",
        )
    return _OK_AGE


def _check_cooldown(window: Window | None, cooldown: Cooldown, now: datetime) -> Step | Refusal:
    if window is None:
        return Step(name="cooldown", ok=True, saw="The cooldown's key is empty for this event: it holds nothing back.")
    if not window.admits(cooldown.threshold):
        began = window.ends_at - cooldown.ttl
        return Refusal(
            reason=Reason.COOLDOWN,
            saw=f"A text with the same cooldown key was let through {spell(now - began)} ago; "
            f"the next is possible at {window.ends_at:%Y-%m-%d %H:%M:%S} UTC.",
            until=window.ends_at,
        )
    return Step(name="cooldown", ok=True, saw=f"No text with the same key within {spell(cooldown.ttl)}.")


def spell(span: timedelta) -> str:
    """Write a span for a person, in its largest whole unit: `45 s`, `4 min`, `3 h`, `12 days`."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("days", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= size:
            return f"{seconds // {'days': 86_400, 'h': 3_600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"

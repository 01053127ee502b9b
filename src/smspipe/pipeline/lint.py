"""
Lint: look at a destination with the newest events, and warn of what is probably not meant.

Nothing of it is refused: a name may be new, a text may well be long. Pure, like `decide`, and made of the same compiled
parts, so what it says of a text is what the text will be.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from smspipe.matching import FilterError
from smspipe.matching.contradictions import contradictions
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.pipeline.findings import Code, Finding, Report, replacement, shown
from smspipe.pipeline.looking import MOST_CHARACTERS, Look, is_smart
from smspipe.pipeline.names import unknown_names
from smspipe.pipeline.prepare import Prepared, Site, prepare
from smspipe.pipeline.recent import Met, Recent
from smspipe.rendering import smart_encode
from smspipe.rendering.mentions import literals_of
from smspipe.rendering.standins import outside_gsm_7

__all__ = ["MOST_SEGMENTS", "Code", "Finding", "Report", "lint", "lint_all"]

MOST_SEGMENTS: Final = 3
"""A text of more segments is warned of, unless said otherwise."""


def lint_all(
    destinations: Sequence[Destination],
    site: Site,
    recent: Recent,
    now: datetime,
    *,
    most_segments: int,
    seconds: float,
    clock: Callable[[], float],
) -> list[Report]:
    """
    Look at several destinations within a span of time, of which each gets the same part of what is left.

    Args:
        destinations: in the order of the answer.
        site: as `lint`, and so the following two.
        recent: the events.
        now: the time of the look.
        most_segments: as `lint`.
        seconds: how long all may take together; then each report tells of fewer events. A single event may take longer.
        clock: a monotonic one, in seconds.
    """
    ends = clock() + seconds
    reports = []
    for place, destination in enumerate(destinations):
        until = clock() + (ends - clock()) / (len(destinations) - place)
        enough = partial(_is_past, clock, until)
        reports.append(lint(destination, site, recent, now, most_segments=most_segments, enough=enough))
    return reports


def _is_past(clock: Callable[[], float], until: float) -> bool:
    return clock() > until


def lint(
    destination: Destination,
    site: Site,
    recent: Recent,
    now: datetime,
    *,
    most_segments: int = MOST_SEGMENTS,
    enough: Callable[[], bool] = lambda: False,
) -> Report:
    """
    Look at one destination.

    Args:
        destination: saved or not; it need not be switched on.
        site: what destinations share.
        recent: the events to look at it with; without any only what its own text shows is found.
        now: the time of the look.
        most_segments: texts of more segments are warned of.
        enough: asked before each event whether to look no further; the first is always looked at.
    """
    try:
        prepared = prepare(destination, site)
    except Invalid as error:
        return Report(events=len(recent.met), matched=0, since=recent.since, until=recent.until,
                      warnings=(_not_compiling(error),))  # fmt: skip
    look = Look(prepared, now, most_segments)
    looked = 0
    for each in recent.met:
        if looked and enough():
            break
        looked += 1
        if _matches(prepared, each, now):
            look.render(each)
    found = [
        Finding(code=Code.UNKNOWN_EVENT if each.kind == "name" else Code.UNKNOWN_PROPERTY, field=each.field,
                saw=each.saw, hint=each.hint)
        for each in unknown_names(prepared, site, recent)
    ]  # fmt: skip
    found += _contradictions(destination, site)
    found += _characters_of_template(destination)
    found += look.findings()
    return Report(
        events=looked,
        matched=look.events,
        since=recent.since,
        until=recent.until,
        warnings=tuple(found),
    )


def _not_compiling(error: Invalid) -> Finding:
    hint = error.hint or "While it is switched off nothing happens; it cannot be switched on."
    return Finding(
        code=Code.DOES_NOT_COMPILE, field=error.field or "", saw=str(error), hint=hint, position=error.position
    )


def _contradictions(destination: Destination, site: Site) -> Iterator[Finding]:
    proved = contradictions(destination.filter, actions=site.actions, test_accounts=site.test_accounts)
    if proved:
        saw = f"No event can ever match: {' '.join(each.rstrip('.') + '.' for each in proved)}"
        yield Finding(code=Code.NEVER_MATCHES, field="filters", saw=saw, hint="Take one of the conditions away.")


def _matches(prepared: Prepared, met: Met, now: datetime) -> bool:
    try:
        return prepared.matcher.matches(met.event, met.person, met.groups, now)
    except FilterError:
        return False


# ---- the template's own characters -----------------------------------------------------------------------------------


def _characters_of_template(destination: Destination) -> Iterator[Finding]:
    """Name each character of the body's own text that GSM-7 has not."""
    body, smart = destination.body, is_smart(destination)
    places: dict[str, list[int]] = {}
    for start, literal in literals_of(body):
        for _, character in outside_gsm_7(smart_encode(literal) if smart else literal):
            place = body.source.find(character, max([start, *(at + 1 for at in places.get(character, ()))]))
            if place >= 0:
                places.setdefault(character, []).append(place)
    for character, at in list(places.items())[:MOST_CHARACTERS]:
        times = f" and {len(at) - 1} more time{'s'[: len(at) > 2]}" if len(at) > 1 else ""
        yield Finding(
            code=Code.UCS2_IN_TEMPLATE,
            field=body.field,
            saw=f"{shown(character)} at character {at[0] + 1}{times} makes each text UCS-2: 70 characters in a "
            "segment in place of 160.",
            hint=replacement(character),
            position=at[0],
        )
    if rest := list(places)[MOST_CHARACTERS:]:
        yield Finding(
            code=Code.UCS2_IN_TEMPLATE,
            field=body.field,
            saw=f"{len(rest)} other characters make each text UCS-2 as well.",
            hint="Where they are the language that you write in, this is its price.",
            position=places[rest[0]][0],
        )

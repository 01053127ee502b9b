"""
Lint: look at a destination with the newest events, and warn of what is probably not meant.

Nothing of it is refused: a name may be new, a text may well be long. Pure, like `decide`, and made of the same compiled
parts, so what it says of a text is what the text will be.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from smspipe.matching import FilterError
from smspipe.matching.contradictions import contradictions
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.outcome import Reason, Refusal
from smspipe.pipeline.names import unknown_names
from smspipe.pipeline.prepare import Prepared, Site, prepare
from smspipe.pipeline.recent import Met, Recent
from smspipe.rendering import CompiledText, TemplateError, check_body, count_segments, find_recipient, globals_for
from smspipe.rendering.mentions import literals_of
from smspipe.rendering.standins import name_of, outside_gsm_7, stand_in

MOST_SEGMENTS: Final = 3
"""A text of more segments is warned of, unless said otherwise."""
_MOSTLY: Final = 0.5
_MOST_CHARACTERS: Final = 8
"""Characters that are named one by one; of more the rest is counted."""


class Code(StrEnum):
    """What is warned of. A word is added only together with its entry in `docs/reference/destinations.md`."""

    UNKNOWN_EVENT = "unknown_event"
    UNKNOWN_PROPERTY = "unknown_property"
    NEVER_MATCHES = "never_matches"
    TEMPLATE_FAILS = "template_fails"
    BODY_EMPTY = "body_empty"
    BODY_TOO_LONG = "body_too_long"
    MANY_SEGMENTS = "many_segments"
    UCS2_IN_TEMPLATE = "ucs2_in_template"
    UCS2_IN_VALUES = "ucs2_in_values"
    COOLDOWN_KEY_EMPTY = "cooldown_key_empty"
    RECIPIENT_MISSING = "recipient_missing"
    RECIPIENT_INVALID = "recipient_invalid"
    DOES_NOT_COMPILE = "does_not_compile"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One warning. It holds no phone number and no rendered text."""

    code: Code
    field: str
    """The part of the destination that is meant, as errors name it: `inputs__smsBody`."""
    saw: str
    """A sentence for a person on what was found."""
    hint: str
    """A sentence on what to do."""
    position: int | None = None
    """Offset (code points, from 0) in the template's source."""
    share: float | None = None
    """The part of the matching events that it is true of, 0 to 1."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what was found."""

    events: int
    matched: int
    """How many of the events the filter lets through."""
    since: datetime | None
    until: datetime | None
    warnings: tuple[Finding, ...]


def lint(
    destination: Destination, site: Site, recent: Recent, now: datetime, *, most_segments: int = MOST_SEGMENTS
) -> Report:
    """
    Look at one destination.

    Args:
        destination: saved or not; it need not be switched on.
        site: what destinations share.
        recent: the events to look at it with; without any only what its own text shows is found.
        now: the time of the look.
        most_segments: texts of more segments are warned of.
    """
    try:
        prepared = prepare(destination, site)
    except Invalid as error:
        return Report(events=len(recent.met), matched=0, since=recent.since, until=recent.until,
                      warnings=(_not_compiling(error),))  # fmt: skip
    matched = [each for each in recent.met if _matches(prepared, each, now)]
    found = [
        Finding(code=Code.UNKNOWN_EVENT if each.kind == "name" else Code.UNKNOWN_PROPERTY, field=each.field,
                saw=each.saw, hint=each.hint)
        for each in unknown_names(prepared, site, recent)
    ]  # fmt: skip
    found += _contradictions(destination, site)
    found += _characters_of_template(destination)
    if matched:
        found += _Look(prepared, matched, now, most_segments).findings()
    return Report(
        events=len(recent.met),
        matched=len(matched),
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
    body = destination.body
    places: dict[str, list[int]] = {}
    for start, literal in literals_of(body):
        for _, character in outside_gsm_7(literal):
            place = body.source.find(character, max([start, *(at + 1 for at in places.get(character, ()))]))
            if place >= 0:
                places.setdefault(character, []).append(place)
    for character, at in list(places.items())[:_MOST_CHARACTERS]:
        times = f" and {len(at) - 1} more time{'s'[: len(at) > 2]}" if len(at) > 1 else ""
        yield Finding(
            code=Code.UCS2_IN_TEMPLATE,
            field=body.field,
            saw=f"{_shown(character)} at character {at[0] + 1}{times} makes each text UCS-2: 70 characters in a "
            "segment in place of 160.",
            hint=_replacement(character),
            position=at[0],
        )
    if rest := list(places)[_MOST_CHARACTERS:]:
        yield Finding(
            code=Code.UCS2_IN_TEMPLATE,
            field=body.field,
            saw=f"{len(rest)} other characters make each text UCS-2 as well.",
            hint="Where they are the language that you write in, this is its price.",
            position=places[rest[0]][0],
        )


def _shown(character: str) -> str:
    printed = f"{character} " if character.isprintable() and not character.isspace() else ""
    return f"{printed}({name_of(character)})"


def _replacement(character: str) -> str:
    instead = stand_in(character)
    if instead is None:
        return "GSM-7 has nothing like it: leave it out, or pay for it."
    if not instead:
        return "Nobody sees it: leave it out."
    return "Write a space." if instead == " " else f"Write {instead}"


# ---- what comes out on events ----------------------------------------------------------------------------------------


class _Look:
    """All matching events rendered: counts of what came out."""

    def __init__(self, prepared: Prepared, matched: Sequence[Met], now: datetime, most_segments: int) -> None:
        self._prepared = prepared
        self._now = now
        self._most_segments = most_segments
        self._events = len(matched)
        self._failed: dict[str, tuple[int, str]] = {}
        self._empty = self._too_long = self._dear = self._worst = 0
        self._recipients: Counter[tuple[str, Reason | None]] = Counter()
        self._keyless = 0
        self._outside: Counter[str] = Counter()
        self._ucs2 = 0
        self._own = {each for _, text in literals_of(prepared.destination.body) for _, each in outside_gsm_7(text)}
        for each in matched:
            self._render(each)

    def findings(self) -> Iterator[Finding]:
        """Say what is worth a warning."""
        destination = self._prepared.destination
        body = destination.body.field
        for field, (count, saw) in self._failed.items():
            yield self._finding(Code.TEMPLATE_FAILS, field, count, "it fails on", saw)
        if self._empty:
            hint = "Give it text of its own, or a fallback: {event.properties.x ?? 'something'}."
            yield self._finding(Code.BODY_EMPTY, body, self._empty, "the text is empty for", hint)
        if self._too_long:
            hint = "Shorten it, or set the option truncate."
            yield self._finding(Code.BODY_TOO_LONG, body, self._too_long, "the text passes 1600 characters for", hint)
        if self._dear:
            saw = f"the text takes more than {self._most_segments} segments (up to {self._worst}) for"
            yield self._finding(Code.MANY_SEGMENTS, body, self._dear, saw, "Each segment is paid for: shorten it.")
        if self._ucs2:
            yield self._of_values(body)
        if self._keyless and destination.cooldown is not None:
            hint = "An empty key is never held back: give it a fallback, such as {person.id ?? event.distinct_id}."
            yield self._finding(Code.COOLDOWN_KEY_EMPTY, destination.cooldown.key.field, self._keyless,
                                "the cooldown's key is empty for", hint)  # fmt: skip
        yield from self._of_recipients()

    def _of_values(self, field: str) -> Finding:
        """Name what the values of events bring into texts."""
        named = [_shown(each) for each, _ in self._outside.most_common(_MOST_CHARACTERS)]
        more = len(self._outside) - len(named)
        listed = ", ".join(named) + (f" and {more} more" if more else "")
        replaced = {each: stand_in(each) for each in self._outside}
        known = [f"{each} → {instead or 'nothing'}" for each, instead in replaced.items() if instead is not None]
        hint = f"What GSM-7 has in their place: {', '.join(known[:_MOST_CHARACTERS])}." if known else ""
        return self._finding(
            Code.UCS2_IN_VALUES, field, self._ucs2, f"values bring in {listed}, which makes the text UCS-2 for",
            hint or "GSM-7 has nothing like them: it is the price of these values.",
        )  # fmt: skip

    def _of_recipients(self) -> Iterator[Finding]:
        asked: Counter[str] = Counter()
        for (field, _), count in self._recipients.items():
            asked[field] += count
        for code, reason, what, hint in (
            (Code.RECIPIENT_MISSING, Reason.RECIPIENT_MISSING, "there is no number for",
             "Check the property's name, and that the phone is set before the event."),
            (Code.RECIPIENT_INVALID, Reason.RECIPIENT_INVALID, "the number cannot be sent to for",
             "Numbers need + and the country code, unless the option default_country says the country."),
        ):  # fmt: skip
            for field, total in asked.items():
                count = self._recipients[field, reason]
                if count >= _MOSTLY * total and count:
                    yield self._finding(code, field, count, what, hint, total)

    def _finding(self, code: Code, field: str, count: int, what: str, hint: str, total: int | None = None) -> Finding:
        of = total or self._events
        events = "event" if of == 1 else "events"
        saw = f"{what[:1].upper()}{what[1:]} {_percent(count, of)} ({count} of {of} matching {events})."
        return Finding(code=code, field=field, saw=saw, hint=hint, share=round(count / of, 4))

    def _render(self, met: Met) -> None:
        prepared, event = self._prepared, met.event
        values = _values(prepared, met)
        if not self._render_inputs(values):
            return
        self._render_body(values)
        for route in prepared.routes_for(event, met.person, met.groups, self._now):
            to = self._try(route.to, values, printed=False)
            if to is _FAILED:
                continue
            recipient = find_recipient(to, prepared.default_country)
            refused = isinstance(recipient, Refusal)
            self._recipients[route.to.field, recipient.reason if isinstance(recipient, Refusal) else None] += 1
            if prepared.cooldown_key is not None and not refused:
                key = self._try(prepared.cooldown_key, {**values, "recipient": getattr(recipient, "number", None)})
                self._keyless += key is not _FAILED and not key

    def _render_inputs(self, values: dict[str, Any]) -> bool:
        rendered: dict[str, Any] = {}
        values["inputs"] = rendered
        for key, value in self._prepared.inputs.items():
            rendered[key] = self._try(value, values, printed=False) if isinstance(value, CompiledText) else value
            if rendered[key] is _FAILED:
                return False
        return True

    def _render_body(self, values: dict[str, Any]) -> None:
        body = self._try(self._prepared.body, values)
        if body is _FAILED:
            return
        checked = check_body(body, truncate=self._prepared.destination.truncate)
        if isinstance(checked, Refusal):
            self._empty += checked.reason is Reason.BODY_EMPTY
            self._too_long += checked.reason is Reason.BODY_TOO_LONG
            return
        if (segments := count_segments(checked).segments) > self._most_segments:
            self._dear += 1
            self._worst = max(self._worst, segments)
        brought = {character for _, character in outside_gsm_7(checked)} - self._own
        self._outside.update(brought)
        self._ucs2 += bool(brought)

    def _try(self, template: CompiledText, values: dict[str, Any], *, printed: bool = True) -> Any:
        """Run a template; one that fails is counted, and gives `_FAILED`."""
        try:
            return template.text(values, self._now) if printed else template(values, self._now)
        except TemplateError as error:
            count, _ = self._failed.get(template.field, (0, ""))
            self._failed[template.field] = (count + 1, str(error))
            return _FAILED


_FAILED: Final = object()


def _values(prepared: Prepared, met: Met) -> dict[str, Any]:
    person = met.person if met.person is not None and met.person.profile else None
    return globals_for(
        met.event, person, met.groups, project=prepared.project, source=prepared.source, inputs={}, roots=prepared.roots
    )


def _percent(count: int, total: int) -> str:
    share = 100 * count / total
    return f"{share:.0f} %" if share >= 1 else "less than 1 %"

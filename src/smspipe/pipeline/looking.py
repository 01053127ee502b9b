"""Render a destination's texts on events, and count what is worth a warning."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from smspipe.model.destination import Destination
from smspipe.model.outcome import Reason, Refusal
from smspipe.pipeline.findings import Code, Finding, shown
from smspipe.pipeline.prepare import Prepared
from smspipe.pipeline.recent import Met
from smspipe.rendering import (
    ANY_CHANNEL,
    CompiledText,
    TemplateError,
    channel_of,
    check_body,
    count_segments,
    find_recipient,
    globals_for,
    smart_encode,
)
from smspipe.rendering.mentions import literals_of
from smspipe.rendering.standins import name_of, outside_gsm_7, stand_in

MOST_CHARACTERS: Final = 8
"""Characters that are named one by one; of more the rest is counted."""
_MOSTLY: Final = 0.5
_FAILED: Final = object()


def is_smart(destination: Destination) -> bool:
    """Does Twilio replace characters that would make the texts dearer?"""
    return destination.extras is not None and destination.extras.smart_encoded


class Look:
    """All matching events rendered: counts of what came out."""

    def __init__(self, prepared: Prepared, now: datetime, most_segments: int) -> None:
        self._prepared = prepared
        self._now = now
        self._most_segments = most_segments
        self.events = 0
        self._failed: dict[str, tuple[int, str]] = {}
        self._empty = self._too_long = self._dear = self._worst = 0
        self._recipients: Counter[tuple[str, Reason | None]] = Counter()
        self._keyless = 0
        self._outside: Counter[str] = Counter()
        self._ucs2 = 0
        self._own = {each for _, text in literals_of(prepared.destination.body) for _, each in outside_gsm_7(text)}

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
        named = [shown(each) for each, _ in self._outside.most_common(MOST_CHARACTERS)]
        more = len(self._outside) - len(named)
        listed = ", ".join(named) + (f" and {more} more" if more else "")
        replaced = {each: stand_in(each) for each in self._outside}
        known = [
            f"{_brief(each)} → {instead or 'nothing'}" for each, instead in replaced.items() if instead is not None
        ]
        hint = f"What GSM-7 has in their place: {', '.join(known[:MOST_CHARACTERS])}." if known else ""
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
        of = total or self.events
        events = "event" if of == 1 else "events"
        saw = f"{what[:1].upper()}{what[1:]} {_percent(count, of)} ({count} of {of} matching {events})."
        return Finding(code=code, field=field, saw=saw, hint=hint, share=round(count / of, 4))

    def render(self, met: Met) -> None:
        """Render the texts of one matching event, and count what came out."""
        self.events += 1
        prepared, event = self._prepared, met.event
        values = _values(prepared, met)
        if not self._render_inputs(values):
            return
        self._render_body(values)
        for route in prepared.routes_for(event, met.person, met.groups, self._now):
            to = self._try(route.to, values, printed=False)
            if to is _FAILED:
                continue
            channel = channel_of(prepared.sender) if isinstance(prepared.sender, str) else ANY_CHANNEL
            recipient = find_recipient(to, prepared.default_country, channel)
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
        if is_smart(self._prepared.destination):
            checked = smart_encode(checked)
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


def _values(prepared: Prepared, met: Met) -> dict[str, Any]:
    person = met.person if met.person is not None and met.person.profile else None
    return globals_for(
        met.event, person, met.groups, project=prepared.project, source=prepared.source, inputs={}, roots=prepared.roots
    )


def _brief(character: str) -> str:
    return character if character.isprintable() and not character.isspace() else name_of(character)


def _percent(count: int, total: int) -> str:
    share = 100 * count / total
    return f"{share:.0f} %" if share >= 1 else "less than 1 %"

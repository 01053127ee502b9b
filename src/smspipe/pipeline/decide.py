"""
Say what becomes of one event at one destination: the text, or why there is none.

Pure but for what `Known` looks up, and that belongs to the caller's transaction: the pipeline, the test panel and
`explain` call this very function and cannot differ.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from smspipe.guards import Case, Delay, Known, charge_of, check_guards, keys_of, places
from smspipe.matching import FilterError
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.event import Event, Group
from smspipe.model.limits import Charge
from smspipe.model.message import Message
from smspipe.model.outcome import Reason, Refusal, Step
from smspipe.model.person import Person
from smspipe.model.phone import mask
from smspipe.model.trust import Place
from smspipe.pipeline.prepare import Prepared, PreparedRoute
from smspipe.pipeline.trust import find_trust
from smspipe.rendering import (
    CompiledText,
    Recipient,
    TemplateError,
    channel_of,
    check_body,
    check_sender,
    describe,
    find_recipient,
    globals_for,
    message,
)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of an event on one route of a destination: a message, or the reason why there is none."""

    destination: Destination
    route: int
    steps: tuple[Step, ...]
    message: Message | None = None
    reason: Reason | None = None
    until: datetime | None = None
    """When a refused text would be possible; or, of a message, until when it waits, for `reason`."""
    to: str | None = None
    """The recipient as far as it was found, for the ledger: also of a text that is not sent."""
    cooldown_key: str | None = None
    """The key that the cooldown counts under, where there is one."""
    places: tuple[Place, ...] = ()
    """Where its text counts for the limits on claimed numbers."""
    whos: tuple[str, ...] = ()
    """Whose caps its text counts for."""
    charge: Charge | None = None
    """What its text sets aside, where there is a budget."""


_MATCHED = Step(name="match", ok=True)


def decide(
    event: Event, person: Person | None, groups: Sequence[Group], prepared: Prepared, known: Known, now: datetime
) -> list[Decision]:
    """
    Decide on one event at one destination: one decision a route, none at all when it plainly does not match.

    Why it does not match is another question (`Matcher.explain`), asked when a person asks.
    """
    try:
        if not prepared.matcher.matches(event, person, groups, now):
            return []
        routes = prepared.routes_for(event, person, groups, now)
    except FilterError as error:
        step = Step(name="match", ok=False, saw=str(error), reason=Reason.FILTER_ERROR)
        return [Decision(destination=prepared.destination, route=0, steps=(step,), reason=Reason.FILTER_ERROR)]
    values = globals_for(
        event,
        person if person is not None and person.profile else None,
        groups,
        project=prepared.project,
        source=prepared.source,
        inputs={},
        roots=prepared.roots,
    )
    return [_Walk(event, person, prepared, route, values, now).decide(known) for route in routes]


class _Walk:
    """One event's way along one route: each step is noted, the first refusal ends it."""

    def __init__(
        self,
        event: Event,
        person: Person | None,
        prepared: Prepared,
        route: PreparedRoute,
        values: dict[str, Any],
        now: datetime,
    ) -> None:
        self.event = event
        self.person = person
        self.prepared = prepared
        self.route = route
        self.values = values
        self.now = now
        self.steps: list[Step] = [_MATCHED]
        self.to: str | None = None
        self.key: str | None = None

    def decide(self, known: Known) -> Decision:
        """Render, then ask the guards."""
        destination = self.prepared.destination
        text = self._render(known)
        if isinstance(text, Refusal):
            return self._refuse(text)
        if destination.cooldown is not None:
            try:
                self.key = self._cooldown_key()
            except TemplateError as error:
                return self._fail("cooldown", Reason.TEMPLATE_ERROR, str(error))
        case = Case(
            event=self.event,
            person=self.person,
            destination=destination,
            route=self.route.index,
            message=text,
            cooldown_key=self.key,
            known=known,
            now=self.now,
            trust=find_trust(
                text.to,
                constant=self.route.to.constant,
                event=self.event,
                person=self.person,
                default_country=self.prepared.default_country,
            ),
            velocity=self.prepared.velocity,
            budget=self.prepared.site.budget,
            prices=self.prepared.site.prices,
        )
        delay: Delay | None = None
        for answer in check_guards(case):
            if isinstance(answer, Refusal):
                return self._refuse(answer)
            if isinstance(answer, Delay):
                delay = answer if delay is None or answer.until > delay.until else delay
                self.steps.append(Step(name=answer.reason.value, ok=True, saw=answer.saw, reason=answer.reason,
                                       data=answer.data))  # fmt: skip
            else:
                self.steps.append(answer)
        return Decision(
            destination=destination,
            route=self.route.index,
            steps=tuple(self.steps),
            message=text,
            reason=None if delay is None else delay.reason,
            until=None if delay is None else delay.until,
            to=self.to,
            cooldown_key=self.key,
            places=places(case),
            whos=keys_of(case) if destination.caps or self.prepared.counted else (),
            charge=charge_of(case),
        )

    def _render(self, known: Known) -> Message | Refusal:
        try:
            self._render_inputs()
            recipient_value = self.route.to(self.values, self.now)
            sender = self.prepared.sender
            if not isinstance(sender, str):
                sender = check_sender(sender(self.values, self.now))
            if "suppressed" in self.prepared.roots:
                self._count_suppressed(recipient_value, sender, known)
            body = self.prepared.body.text(self.values, self.now)
        except TemplateError as error:
            return Refusal(reason=Reason.TEMPLATE_ERROR, saw=str(error))
        except Invalid as error:
            return Refusal(reason=Reason.TEMPLATE_ERROR, saw=f"The sender is not usable. {error}")
        recipient = find_recipient(recipient_value, self.prepared.default_country, channel_of(sender))
        if isinstance(recipient, Refusal):
            return recipient
        self._note_recipient(recipient)
        if recipient.number == sender:
            return Refusal(reason=Reason.RECIPIENT_INVALID, saw="The recipient is the sender itself.")
        checked = check_body(body, truncate=self.prepared.destination.truncate)
        if isinstance(checked, Refusal):
            return checked
        extras = None
        if self.prepared.extras is not None:
            try:
                extras = self.prepared.extras.render(self.values, self.now, sender)
            except (TemplateError, Invalid) as error:
                return Refusal(reason=Reason.TEMPLATE_ERROR, saw=str(error))
        text = message(recipient.number, sender, checked, extras)
        self.steps.append(
            Step(
                name="body",
                ok=True,
                saw=f"{len(checked)} characters, {text.encoding.value}, {text.segments} segment"
                f"{'' if text.segments == 1 else 's'}.",
            )
        )
        if extras is not None:
            self.steps.append(Step(name="extras", ok=True, saw=describe(extras)))
        return text

    def _render_inputs(self) -> None:
        """Render the inputs that templates may name, in an order in which each finds those that it names itself."""
        if not self.prepared.inputs:
            return
        rendered: dict[str, Any] = {}
        self.values["inputs"] = rendered
        for key, value in self.prepared.inputs.items():
            rendered[key] = value(self.values, self.now) if isinstance(value, CompiledText) else value

    def _count_suppressed(self, to: Any, sender: str, known: Known) -> None:
        """Let the text say how many were held back; asked only where it does, for it takes a look into the database."""
        recipient = find_recipient(to, self.prepared.default_country, channel_of(sender))
        if not isinstance(recipient, Refusal):
            self.values["suppressed"] = known.held_back(self.prepared.destination.id, recipient.number)

    def _note_recipient(self, recipient: Recipient) -> None:
        self.to = recipient.number
        saw = mask(recipient.number)
        self.steps.append(
            Step(name="recipient", ok=True, saw=saw if recipient.doubt is None else f"{saw}. {recipient.doubt}")
        )

    def _cooldown_key(self) -> str | None:
        assert self.prepared.cooldown_key is not None  # noqa: S101 (only asked where there is a cooldown)
        return self.prepared.cooldown_key.text({**self.values, "recipient": self.to}, self.now)

    def _fail(self, name: str, reason: Reason, saw: str) -> Decision:
        return self._refuse(Refusal(reason=reason, saw=saw), name=name)

    def _refuse(self, refusal: Refusal, name: str | None = None) -> Decision:
        step = Step(name=name or _STEP_OF.get(refusal.reason, refusal.reason.value), ok=False, saw=refusal.saw,
                    reason=refusal.reason)  # fmt: skip
        return Decision(
            destination=self.prepared.destination,
            route=self.route.index,
            steps=(*self.steps, step),
            reason=refusal.reason,
            until=refusal.until,
            to=self.to,
            cooldown_key=self.key,
        )


_STEP_OF: Mapping[Reason, str] = {
    Reason.TEMPLATE_ERROR: "render",
    Reason.RECIPIENT_MISSING: "recipient",
    Reason.RECIPIENT_INVALID: "recipient",
    Reason.BODY_EMPTY: "body",
    Reason.BODY_TOO_LONG: "body",
    Reason.HISTORICAL: "age",
    Reason.TOO_OLD: "age",
    Reason.UNTRUSTED_RECIPIENT: "trust",
    Reason.COUNTRY_NOT_ALLOWED: "country",
}
"""The step that gives a reason, where its name is another word."""

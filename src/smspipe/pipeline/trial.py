"""
Trial: one event through one destination, saved or not, for the test panel and `smspipe test`.

The decision is the real one, made by `decide`. Only what the ledger knows is left out, so that the same event can be
tried again and again, years later too: no cooldown, no duplicate, no age. Nothing is sent unless it is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from smspipe.matching import FilterError
from smspipe.model.cooldown import Window
from smspipe.model.event import Event, Group
from smspipe.model.ids import DestinationId, EventUuid, PersonId, uuid7
from smspipe.model.limits import Passed, Spent
from smspipe.model.message import Message
from smspipe.model.outcome import Reason, Step
from smspipe.model.person import Person
from smspipe.model.trust import Place
from smspipe.pipeline.decide import Decision, decide
from smspipe.pipeline.prepare import Prepared
from smspipe.sending import Accepted, Answer, Client, build_request, form_of


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """An event to try, with its person and groups."""

    event: Event
    person: Person | None
    groups: tuple[Group, ...] = ()


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What one route of the destination led to."""

    route: int
    steps: tuple[Step, ...]
    message: Message | None
    reason: Reason | None
    request: dict[str, Any] | None = None
    """The request as it would leave, or left: `url`, `method`, `body` as its fields in order; no credentials."""
    answer: Answer | None = None
    """Twilio's answer; None when nothing was sent."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trial: no attempts when the event does not match, and `mismatch` says why."""

    attempts: tuple[Attempt, ...]
    mismatch: str | None = None


OptedOut = Callable[[str, str], bool]
"""Says whether a number wants no texts from a sender."""


class _Untouched:
    """A ledger that has seen nothing; but who opted out has opted out of trials too."""

    def __init__(self, opted_out: OptedOut) -> None:
        self._opted_out = opted_out

    def opted_out(self, to: str, sender: str) -> bool:
        """Ask the register."""
        return self._opted_out(to, sender)

    def known(self, event: EventUuid, destination: DestinationId, route: int) -> bool:  # noqa: ARG002 (a `Known`)
        """Say no: a trial may be repeated."""
        return False

    def window(self, destination: DestinationId, key: str, ttl: timedelta) -> Window:  # noqa: ARG002 (a `Known`)
        """Give a window that nobody has entered."""
        return Window(ends_at=_FAR)

    def let_through(self, destination: DestinationId, place: Place) -> int:  # noqa: ARG002 (a `Known`)
        """Count none: a trial may be repeated."""
        return 0

    def texted(self, to: str) -> bool:  # noqa: ARG002 (a `Known`)
        """Say yes: a trial is no reason to look."""
        return True

    def passed(self, destination: DestinationId, who: str) -> Sequence[Passed]:  # noqa: ARG002 (a `Known`)
        """Give none: a trial may be repeated."""
        return ()

    def held_back(self, destination: DestinationId, to: str) -> int:  # noqa: ARG002 (a `Known`)
        """Count none."""
        return 0

    def twin(
        self,
        destination: DestinationId,  # noqa: ARG002 (a `Known`)
        to: str,  # noqa: ARG002 (a `Known`)
        body: str,  # noqa: ARG002 (a `Known`)
        within: timedelta | None,  # noqa: ARG002 (a `Known`)
    ) -> DestinationId | None:
        """Name none."""
        return None

    def spent(self, scope: str, period: str) -> Spent:  # noqa: ARG002 (a `Known`)
        """Count nothing: a trial costs nothing."""
        return Spent()

    def price(self, country: str, sender: str, currency: str) -> int | None:  # noqa: ARG002 (a `Known`)
        """Know none but the table's."""
        return None


_ANY_AGE = timedelta(days=36_500)
_FAR = datetime.max.replace(tzinfo=UTC)


def sample_of(globals_: Mapping[str, Any], now: datetime) -> Sample:
    """
    Read a sample in the shape of a template's globals: `{"event": {…}, "person": {…}, "groups": {…}}`.

    A bare event (`{"event": "signup", "distinct_id": …, "properties": {…}}`), as SDKs send it, will do as well. What is
    missing is made up: a uuid, the time, a distinct_id. With `"trusted": true` the event came with the secret key.
    """
    given = globals_.get("event")
    event: Mapping[str, Any] = given if isinstance(given, Mapping) else globals_
    properties = event.get("properties")
    distinct_id = event.get("distinct_id")
    person = globals_.get("person")
    groups = globals_.get("groups")
    return Sample(
        event=Event(
            uuid=EventUuid(str(event.get("uuid") or uuid7(now))),
            event=str(event.get("event") or "test"),
            distinct_id=str(distinct_id) if distinct_id not in (None, "") else "test-user",
            timestamp=_time(event.get("timestamp"), now),
            received_at=now,
            properties=dict(properties) if isinstance(properties, Mapping) else {},
            trusted=event.get("trusted") is True,
        ),
        person=_person(person, now) if isinstance(person, Mapping) else None,
        groups=_groups(groups) if isinstance(groups, Mapping) else (),
    )


def _time(given: Any, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        return now
    return at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo)


def _person(given: Mapping[str, Any], now: datetime) -> Person:
    properties = given.get("properties")
    return Person(
        id=PersonId(str(given.get("id") or uuid7(now))),
        properties=dict(properties) if isinstance(properties, Mapping) else {},
        created_at=now,
    )


def _groups(given: Mapping[str, Any]) -> tuple[Group, ...]:
    return tuple(
        Group(
            type=str(type_),
            key=str(group.get("id", "")),
            index=group["index"] if isinstance(group.get("index"), int) else place,
            properties=dict(group["properties"]) if isinstance(group.get("properties"), Mapping) else {},
        )
        for place, (type_, group) in enumerate(given.items())
        if isinstance(group, Mapping)
    )


async def run(
    prepared: Prepared, sample: Sample, now: datetime, *, opted_out: OptedOut, client: Client | None
) -> Trial:
    """
    Try one event.

    Args:
        prepared: the destination, compiled; it may be switched off, or never have been saved.
        sample: the event.
        now: the time of the decision.
        opted_out: the register of opt-outs.
        client: who sends for real; None to send nothing.
    """
    prepared = msgspec.structs.replace(
        prepared, destination=msgspec.structs.replace(prepared.destination, max_age=_ANY_AGE)
    )
    decisions = decide(sample.event, sample.person, sample.groups, prepared, _Untouched(opted_out), now)
    if not decisions:
        return Trial(attempts=(), mismatch=_why_not(prepared, sample, now))
    return Trial(attempts=tuple([await _attempt(prepared, decision, client) for decision in decisions]))


def _why_not(prepared: Prepared, sample: Sample, now: datetime) -> str:
    try:
        mismatch = prepared.matcher.explain(sample.event, sample.person, sample.groups, now)
    except FilterError as error:
        return str(error)
    return mismatch.saw if mismatch is not None else "None of the destination's recipients is for this event."


async def _attempt(prepared: Prepared, decision: Decision, client: Client | None) -> Attempt:
    account, text = prepared.destination.account, decision.message
    steps: Sequence[Step] = decision.steps
    if text is None:
        return Attempt(route=decision.route, steps=tuple(steps), message=None, reason=decision.reason)
    if account is None:
        step = Step(name="account", ok=False, saw="The destination has no Twilio account.", reason=Reason.CREDENTIALS)
        return Attempt(route=decision.route, steps=(*steps, step), message=text, reason=Reason.CREDENTIALS)
    request = {
        "url": f"/2010-04-01/Accounts/{account.sid}/Messages.json",
        "method": "POST",
        "body": form_of(text),
    }
    answer = None if client is None else await client.send(build_request(text, account))
    if answer is not None:
        saw = f"Twilio took it as {answer.sid}." if isinstance(answer, Accepted) else answer.saw
        reason = None if isinstance(answer, Accepted) else answer.reason
        steps = (*steps, Step(name="send", ok=reason is None, saw=saw, reason=reason))
        return Attempt(
            route=decision.route, steps=tuple(steps), message=text, reason=reason, request=request, answer=answer
        )
    return Attempt(route=decision.route, steps=tuple(steps), message=text, reason=None, request=request)

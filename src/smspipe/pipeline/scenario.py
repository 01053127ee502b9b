"""
Scenarios: events at given times, and the texts that are expected of them, run on a clock that only they move.

What decides is the fan-out's own loop on a ledger that is thrown away, so a scenario that holds here holds in the
service. It needs none, and nothing is sent.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from smspipe.destinations.document import create_document
from smspipe.destinations.meaning import read
from smspipe.destinations.short import expand
from smspipe.model.clock import to_iso
from smspipe.model.destination import Account, Secret
from smspipe.model.errors import Invalid
from smspipe.model.event import Event
from smspipe.model.ids import DestinationId, EventUuid, uuid7
from smspipe.model.outcome import Reason
from smspipe.model.phone import E164
from smspipe.optouts import Hasher, New, Source, add
from smspipe.pipeline.decide import Decision
from smspipe.pipeline.prepare import Plan, Prepared, Site, prepare
from smspipe.pipeline.scratch import Profiles, World, open_scratch

_SPAN: Final = re.compile(r"\+(\d{1,6})([smhd])")
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_START: Final = datetime(2026, 1, 5, 12, tzinfo=UTC)
_KEYS: Final = ("name", "destinations", "start", "country", "opted_out", "events")
_EVENT_KEYS: Final = ("at", "event", "person", "properties", "set", "uuid", "trusted", "texts", "refused")
_TEXT_KEYS: Final = ("to", "body", "from", "destination", "at")
_REFUSED_KEYS: Final = ("destination", "reason")
_HASHER: Final = Hasher(b"scenarios have a register of their own")
_ACCOUNT: Final = Account(sid="AC" + "0" * 32, username="AC" + "0" * 32, password=Secret("nothing is sent"))


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a scenario, and what was not as expected."""

    position: int
    """Its place among the events, from 0."""
    event: str
    at: datetime
    problems: tuple[str, ...]
    """Sentences; none when all was as expected."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a scenario."""

    name: str
    checks: tuple[Check, ...]

    @property
    def held(self) -> bool:
        """Was everything as expected?"""
        return not any(check.problems for check in self.checks)


def play(scenario: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], name: str) -> Played:
    """
    Play a scenario.

    Args:
        scenario: as it was read from its file.
        documents: its destinations, in the short form or PostHog's shape.
        name: what it is called unless it says itself.

    Raises:
        Invalid: it breaks a rule; `field` says where.
    """
    _refuse_unknown(scenario, _KEYS, "")
    country = scenario.get("country")
    site = Site(project={"id": 1, "name": "smspipe", "url": "http://localhost/project/1"}, default_country=country)
    plan = Plan([_prepare(document, place, site) for place, document in enumerate(documents)])
    at = _instant(scenario.get("start"), _START, "start") if scenario.get("start") else _START
    checks = []
    with ExitStack() as ending:
        connection = ending.enter_context(open_scratch())
        for number in scenario.get("opted_out") or ():
            add(connection, _HASHER, New(number=E164(str(number)), source=Source.PERSON), now=at)
        world = World(connection, _HASHER)
        profiles = Profiles(ending.enter_context(open_scratch()), None, None)
        for place, given in enumerate(_events(scenario)):
            field = f"events__{place}"
            at = _instant(given.get("at"), at, f"{field}__at")
            event = _event(given, at, place, field)
            (who,) = profiles.see([event], at)
            listening = plan.listening(event.event)
            met = world.decide([(event, who, listening)], at) if listening else ()
            decisions = [
                decision for _, _, decided in met for decision, row in decided if row is not None or _again(decision)
            ]
            problems = _compare_texts(given, decisions, field) + _compare_refusals(given, decisions, field)
            checks.append(Check(position=place, event=event.event, at=at, problems=tuple(problems)))
    return Played(name=str(scenario.get("name") or name), checks=tuple(checks))


def _again(decision: Decision) -> bool:
    return decision.reason is Reason.DUPLICATE


def _prepare(document: Mapping[str, Any], place: int, site: Site) -> Prepared:
    body = expand(document)
    inputs = body.get("inputs")
    if isinstance(inputs, Mapping) and "accountSid" in inputs and not inputs.get("authToken"):
        body["inputs"] = {**inputs, "authToken": {"value": "nothing is sent"}}
    draft = create_document(body)
    read_one = read(
        draft.document,
        draft.secrets,
        id=DestinationId(f"destination-{place:04d}"),
        version=1,
        find_account=lambda _: _ACCOUNT,
    )
    return prepare(read_one, site)


def _events(scenario: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    events = scenario.get("events")
    if not isinstance(events, list) or not events or not all(isinstance(each, Mapping) for each in events):
        raise Invalid("A scenario needs a list of events.", field="events")
    return events


def _event(given: Mapping[str, Any], at: datetime, place: int, field: str) -> Event:
    _refuse_unknown(given, _EVENT_KEYS, field)
    name = given.get("event")
    if not isinstance(name, str) or not name:
        raise Invalid("An event needs a name.", field=f"{field}__event")
    properties = given.get("properties") or {}
    told = given.get("set") or {}
    if not isinstance(properties, Mapping) or not isinstance(told, Mapping):
        raise Invalid("Must be an object.", field=f"{field}__properties")
    return Event(
        uuid=EventUuid(str(given.get("uuid") or uuid7(at, place.to_bytes(10, "big")))),
        event=name,
        distinct_id=str(given.get("person") or "somebody"),
        timestamp=at,
        received_at=at,
        properties={**properties, **({"$set": {**properties.get("$set", {}), **told}} if told else {})},
        trusted=given.get("trusted", True) is True,
    )


def _instant(given: Any, before: datetime, field: str) -> datetime:
    """Read a time: an instant, or a span after the event before."""
    if given is None:
        return before
    span = _SPAN.fullmatch(str(given))
    if span is not None:
        return before + int(span[1]) * _UNITS[span[2]]
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        raise Invalid("Write a time as 2026-03-01T09:00:00Z, or after the event before as +5m.", field=field) from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if at < before and field != "start":
        raise Invalid("It is before the event before; the clock only goes forward.", field=field)
    return at


def _compare_texts(given: Mapping[str, Any], decisions: Sequence[Decision], field: str) -> list[str]:
    """Match each expected text with one that there is; what is left on either side is a problem."""
    left = [each for each in decisions if each.message is not None]
    problems = []
    for place, wanted in enumerate(_list(given, "texts", "body", _TEXT_KEYS, field)):
        found = next((each for each in left if _fits(wanted, each)), None)
        if found is not None:
            left.remove(found)
            continue
        near = next((each for each in left if "to" not in wanted or each.to == str(wanted["to"])), None)
        problems.append(f"texts {place + 1}: expected {_spell(wanted)}")
        if near is not None:
            left.remove(near)
            problems.append(f"          but got {_spell(_shown(near))}")
        else:
            problems.append("          but there is none" + _because(wanted, decisions))
    problems += [f"texts: got {_spell(_shown(each))}, which is not expected" for each in left]
    return problems


def _because(wanted: Mapping[str, Any], decisions: Sequence[Decision]) -> str:
    for each in decisions:
        if each.message is None and wanted.get("destination", each.destination.name) == each.destination.name:
            return f": {each.destination.name} refused it, {each.reason}. {each.steps[-1].saw}".rstrip()
    return ": no destination matches" if not decisions else ""


def _fits(wanted: Mapping[str, Any], decision: Decision) -> bool:
    shown = _shown(decision)
    return all(
        (_instant(value, _START, "at") == decision.until) if key == "at" else str(value) == str(shown[key])
        for key, value in wanted.items()
    )


def _shown(decision: Decision) -> dict[str, Any]:
    message = decision.message
    assert message is not None  # noqa: S101 (only asked of texts)
    shown = {
        "to": message.to,
        "body": message.body,
        "from": message.sender,
        "destination": decision.destination.name,
    }
    return shown if decision.until is None else {**shown, "at": to_iso(decision.until)}


def _compare_refusals(given: Mapping[str, Any], decisions: Sequence[Decision], field: str) -> list[str]:
    if "refused" not in given:
        return []
    wanted = Counter(
        (each.get("destination"), each.get("reason"))
        for each in _list(given, "refused", "reason", _REFUSED_KEYS, field)
    )
    for _, reason in wanted:
        if reason not in list(Reason):
            raise Invalid(f"There is no reason {reason!r}.", field=f"{field}__refused")
    problems = []
    left = [each for each in decisions if each.message is None]
    for (destination, reason), count in wanted.items():
        for _ in range(count):
            found = next(
                (each for each in left if each.reason == reason and destination in (None, each.destination.name)), None
            )
            if found is None:
                problems.append(
                    f"refused: expected {reason}{f' at {destination}' if destination else ''}, but it was not"
                )
            else:
                left.remove(found)
    return problems + [
        f"refused: {each.destination.name} said {each.reason}, which is not expected. {each.steps[-1].saw}".rstrip()
        for each in left
    ]


def _list(given: Mapping[str, Any], key: str, short: str, known: Sequence[str], field: str) -> list[Mapping[str, Any]]:
    """Read a list of objects, of which each may be written as one word."""
    values = given.get(key) or []
    if not isinstance(values, list):
        raise Invalid("Must be a list.", field=f"{field}__{key}")
    found = [each if isinstance(each, Mapping) else {short: each} for each in values]
    for each in found:
        _refuse_unknown(each, known, f"{field}__{key}")
    return found


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], field: str) -> None:
    for key in given:
        if key not in known:
            raise Invalid(f"There is no key {str(key)[:60]!r}; there are {', '.join(known)}.", field=field or str(key))


def _spell(text: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {str(value)!r}" for key, value in text.items())

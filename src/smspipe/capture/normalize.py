"""
Raw events to events: ids, names and times settled, person properties gathered in one place.

A pure function of the request's body and of when it came, so that reading it again gives the same events.
This is the hot path of the whole service: the loop is long on purpose, a call per event would be felt.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from smspipe.capture.decode import RawEvent
from smspipe.capture.door import Refused, unparseable
from smspipe.capture.times import FUTURE, corrected, instant_of
from smspipe.model.event import Door, Event, Payload
from smspipe.model.ids import EventUuid, event_uuid_for

LONGEST_NAME: Final = 200
"""Characters of an event's name; the rest is cut off."""
LONGEST_DISTINCT_ID: Final = 200
"""Characters of a distinct_id; the rest is cut off."""

_CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BARE_UUID: Final = re.compile(r"([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")
_NUL, _REPLACEMENT = "\0", "\ufffd"


def normalize(
    raws: Sequence[RawEvent], payload: Payload, *, sent_at: datetime | None, historical: bool = False
) -> list[Event]:
    """
    Make events of what a body held, all or none.

    The properties of the raw events are taken over and changed, not copied.

    Args:
        raws: in the order of the body, which derived uuids depend on.
        payload: the request that they stood in.
        sent_at: the client's clock when it sent, None when unknown.
        historical: of a `historical_migration` batch.

    Raises:
        Refused: 400 when any event breaks a rule, or none is left.
    """
    received_at, seed, ip, door = payload.received_at, payload.seed, payload.ip, payload.door
    trusted = payload.trusted or door is Door.HOOK
    latest = received_at + FUTURE
    skew = None if sent_at is None else sent_at - received_at
    canonical = _CANONICAL_UUID.fullmatch
    events = []
    for index, raw in enumerate(raws):
        name = raw.event
        if not name:
            name = _missing_name(name, door)
        elif name == "$performance_event":
            continue
        elif len(name) > LONGEST_NAME:
            name = name[:LONGEST_NAME]

        properties = raw.properties
        if properties is None:
            properties = {}
        if raw.set_ is not None or raw.set_once is not None or raw.unset is not None:
            _merge_root(raw, properties)
        if ip is not None and "$ip" not in properties:
            properties["$ip"] = ip
        if "$cookieless_mode" in properties and not isinstance(properties["$cookieless_mode"], bool | None):
            raise _broken("event submitted with invalid cookieless mode", "invalid_options")

        distinct_id = raw.distinct_id
        if type(distinct_id) is not str or len(distinct_id) > LONGEST_DISTINCT_ID or distinct_id.isspace():
            distinct_id = _distinct_id_of(raw, properties)
        elif not distinct_id:
            raise _broken("event submitted without a distinct_id", "missing_distinct_id")

        uuid = raw.uuid
        if uuid is None or not canonical(uuid):
            uuid = _uuid_of(uuid, received_at, seed, index)

        written = raw.timestamp
        at = None if written is None else instant_of(written)
        if at is None or skew is not None or raw.offset is not None:
            corrects = None if properties.get("$ignore_sent_at") is True else skew
            at = corrected(at, raw.offset, corrects, received_at)
        elif at > latest:
            at = received_at

        events.append(
            Event(
                uuid=uuid,
                event=name,
                distinct_id=distinct_id,
                timestamp=at,
                received_at=received_at,
                properties=properties,
                historical=historical,
                door=door,
                trusted=trusted,
                ip=ip,
            )
        )
    if not events:
        raise _broken(
            "payload empty after filtering invalid event types" if raws else "request holds no event", "empty_batch"
        )
    if b"\\" in payload.body and b"\\u0000" in payload.body:
        return [_without_nul(event) for event in events]
    return events


def _broken(text: str, tag: str) -> Refused:
    return Refused(400, text, tag=tag)


def _missing_name(name: str | None, door: Door) -> str:
    if door is Door.ENGAGE:
        return "$identify"
    if name is None:
        raise _broken(
            "failed to hydrate events from request: non-engage request missing event name attribute",
            "missing_event_name",
        )
    raise _broken("event submitted with an empty event name", "missing_event_name")


def _distinct_id_of(raw: RawEvent, properties: dict[str, Any]) -> str:
    """Find the distinct_id wherever it may stand, the root first, and write it as text."""
    found = raw.distinct_id
    if found is None:
        found = raw.dollar_distinct_id
    if found is None:
        found = properties.get("distinct_id")
    if isinstance(found, str):
        text = found
    elif found is not None:
        # As compact JSON with sorted keys, which is how PostHog writes numbers, lists and objects here.
        text = msgspec.json.encode(found, order="sorted").decode()
    else:
        text = ""
    if not text or text.isspace():
        raise _broken("event submitted without a distinct_id", "missing_distinct_id")
    return text[:LONGEST_DISTINCT_ID]


def _uuid_of(text: str | None, received_at: datetime, seed: bytes, index: int) -> EventUuid:
    """Write a uuid as lower-case text with hyphens, however it was written, or derive one where there is none."""
    if not text:
        return event_uuid_for(received_at, seed, index)
    plain = text.lower().removeprefix("urn:uuid:")
    if plain.startswith("{") and plain.endswith("}"):
        plain = plain[1:-1]
    if _CANONICAL_UUID.fullmatch(plain):
        return EventUuid(plain)
    if parts := _BARE_UUID.fullmatch(plain):
        return EventUuid("-".join(parts.groups()))
    raise unparseable("invalid uuid")


def _merge_root(raw: RawEvent, properties: dict[str, Any]) -> None:
    """Lay `$set`, `$set_once` and `$unset` of the root over those inside the properties."""
    for key, over in (("$set", raw.set_), ("$set_once", raw.set_once)):
        if over is not None:
            under = properties.get(key)
            properties[key] = under | over if isinstance(under, dict) else over
    if raw.unset is not None:
        # Names once each, in order; both spellings of `$unset` iterate over names.
        under = properties.get("$unset")
        inside: Iterable[Any] = under if isinstance(under, list | dict) else ()
        properties["$unset"] = list(dict.fromkeys(name for name in (*inside, *raw.unset) if isinstance(name, str)))


def _without_nul(event: Event) -> Event:
    """Replace every NUL, which PostgreSQL cannot store as text, by U+FFFD."""
    return msgspec.structs.replace(
        event,
        event=event.event.replace(_NUL, _REPLACEMENT),
        distinct_id=event.distinct_id.replace(_NUL, _REPLACEMENT),
        properties=_replace_nul(event.properties),
    )


def _replace_nul(value: Any) -> Any:
    """Do it at every level; the depth of the text was limited when it was decoded."""
    if isinstance(value, str):
        return value.replace(_NUL, _REPLACEMENT)
    if isinstance(value, list):
        return [_replace_nul(item) for item in value]
    if isinstance(value, dict):
        return {key.replace(_NUL, _REPLACEMENT): _replace_nul(item) for key, item in value.items()}
    return value

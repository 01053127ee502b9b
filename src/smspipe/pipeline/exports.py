"""
Rows of events as PostHog exports them, to events and persons as the pipeline speaks of them.

What is taken: the columns of its batch exports (`event, distinct_id, properties, timestamp, uuid, person_id,
person_properties, elements_chain …`, objects as JSON text or as they are), the flat columns of its tables in the page
(`properties.$browser`, `person.properties.phone`), its API's events (`id` for the uuid, `person` an object), and what
its webhook destination sends (`{event: {…}, person: {…}}`).

Source:
    https://posthog.com/docs/cdp/batch-exports/s3 (columns of an event)
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from smspipe.capture.normalize import LONGEST_DISTINCT_ID, LONGEST_NAME
from smspipe.capture.times import instant_of
from smspipe.model.event import Event
from smspipe.model.ids import EventUuid, PersonId, uuid7
from smspipe.model.person import Person

TIMES: Final = ("timestamp", "created_at", "inserted_at", "_inserted_at")
"""The columns that may say when it happened, the best first."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted", enc_hook=str).encode


class Unreadable(Exception):
    """A row that is no event; the message says why, and holds nothing of the row."""


def flat(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unfold a row that holds its event as an object."""
    event = row.get("event")
    if isinstance(event, Mapping):
        return {**event, **{key: row[key] for key in ("person", "groups") if key in row}}
    return row


def time_of(row: Mapping[str, Any]) -> datetime | None:
    """Read when a row's event happened, None when it does not say."""
    for column in TIMES:
        value = row.get(column)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if isinstance(value, str | int | float) and value != "" and (at := instant_of(value)) is not None:
            return at
    return None


def read_row(row: Mapping[str, Any], *, trusted: bool) -> tuple[Event, Person | None]:
    """
    Read one row.

    Args:
        row: by column; see `flat`.
        trusted: believe its phone numbers, as those of events that came with the secret API key.

    Returns:
        The event, received when it happened, and its person where the row tells of one.

    Raises:
        Unreadable: it has no event name, no distinct_id or no time, or its properties are no object.
    """
    name = row.get("event")
    if not isinstance(name, str) or not name:
        raise Unreadable("a row has no event name")
    at = time_of(row)
    if at is None:
        raise Unreadable("a row has no time that can be read")
    properties = _object(row, "properties")
    if properties is None:
        properties = {}
    for column, key in (("$set", "$set"), ("$set_once", "$set_once")):
        if isinstance(row.get(column), Mapping):
            properties[key] = {**_mapping(properties.get(key)), **row[column]}
    if row.get("elements_chain"):
        properties.setdefault("$elements_chain", row["elements_chain"])
    if row.get("ip"):
        properties.setdefault("$ip", row["ip"])
    distinct_id = row.get("distinct_id")
    if distinct_id in (None, ""):
        distinct_id = properties.get("distinct_id")
    if distinct_id in (None, ""):
        raise Unreadable("a row has no distinct_id")
    event = Event(
        uuid=_uuid(row, at),
        event=name[:LONGEST_NAME],
        distinct_id=str(distinct_id)[:LONGEST_DISTINCT_ID],
        timestamp=at,
        received_at=at,
        properties=properties,
        trusted=trusted,
    )
    return event, _person(row, event)


def _person(row: Mapping[str, Any], event: Event) -> Person | None:
    person = row.get("person")
    if isinstance(person, Mapping):
        properties, id_ = _object(person, "properties"), person.get("id") or person.get("uuid")
    else:
        properties, id_ = _object(row, "person_properties"), None
        if properties is None:
            properties = _gather(row, "person.properties.")
    if properties is None:
        return None
    id_ = id_ or row.get("person_id") or row.get("person.id") or event.distinct_id
    return Person(
        id=PersonId(str(id_)),
        properties=properties,
        created_at=event.timestamp,
        trusted=frozenset(properties) if event.trusted else frozenset(),
    )


def _object(row: Mapping[str, Any], column: str) -> dict[str, Any] | None:
    """Read an object: as it is, as JSON text, or from columns of its own; None where there is none of these."""
    value = row.get(column)
    if isinstance(value, str | bytes):
        if not value.strip():
            return None
        try:
            value = _decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unreadable(f"{column} is no JSON") from error
    if value is None:
        return _gather(row, column + ".")
    if not isinstance(value, dict):
        raise Unreadable(f"{column} is no object")
    return value


def _gather(row: Mapping[str, Any], prefix: str) -> dict[str, Any] | None:
    found = {
        key[len(prefix) :]: value for key, value in row.items() if key.startswith(prefix) and value not in ("", None)
    }
    return found or None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _uuid(row: Mapping[str, Any], at: datetime) -> EventUuid:
    """Take the row's uuid, or derive one from all that the row says: the same row is the same event."""
    for column in ("uuid", "id"):
        value = row.get(column)
        if isinstance(value, str) and _UUID.fullmatch(value):
            return EventUuid(value.lower())
    digest = hashlib.blake2b(_encode({key: row[key] for key in sorted(row)}), digest_size=10).digest()
    return EventUuid(uuid7(at, digest))

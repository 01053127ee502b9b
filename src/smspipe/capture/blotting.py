"""
Blot events out of a stored body, so that the others stay what they are.

An event that is erased leaves an empty one in its place: uuids that were derived from an event's place in the batch
stay those of the same events.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from smspipe.model.event import Door, Payload
from smspipe.model.ids import event_uuid_for

BLOTTED: Final = "$erased"
"""The name, and the distinct_id, of what is left of an event."""


def blot(payload: Payload, meant: Callable[[Any], bool]) -> tuple[bytes, int]:
    """
    Erase events from a body out of the log.

    Args:
        payload: as the log keeps it.
        meant: says of one event, as JSON has it, whether it is to be erased.

    Returns:
        The body as it is to be kept, and how many events were erased: with 0 the body is the same.

    Raises:
        msgspec.DecodeError: the body is no JSON, which no door lets in.
    """
    root = msgspec.json.decode(payload.body)
    if payload.door is Door.HOOK:
        if not meant(root):
            return payload.body, 0
        return msgspec.json.encode({"event": _left_of(root.get("event"), payload, 0)}), 1
    if isinstance(root, dict) and not isinstance(root.get("batch"), list):
        if not meant(root):
            return payload.body, 0
        return msgspec.json.encode(_left_of(root, payload, 0)), 1
    batch = root if isinstance(root, list) else root["batch"]
    n = 0
    for index, each in enumerate(batch):
        if meant(each):
            batch[index] = _left_of(each, payload, index)
            n += 1
    return (msgspec.json.encode(root) if n else payload.body), n


def _left_of(event: Any, payload: Payload, index: int) -> dict[str, Any]:
    """Keep of an event its uuid and its time, with which nothing can be said of anybody."""
    given = event if isinstance(event, dict) else {}
    return {
        "event": BLOTTED,
        "distinct_id": BLOTTED,
        "uuid": given.get("uuid") or event_uuid_for(payload.received_at, payload.seed, index),
        "timestamp": given.get("timestamp") or payload.received_at.isoformat(),
        "properties": {"$process_person_profile": False},
    }

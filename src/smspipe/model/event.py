"""An analytics event, the request that brought it, and the groups that it belongs to."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from smspipe.model.ids import EventUuid


class Door(StrEnum):
    """Through which door a request came: it decides the body's shape and whom to believe."""

    CAPTURE = "capture"
    """The public routes for single events: `/e/`, `/capture/`, `/track/`, `/i/v0/e/`."""
    BATCH = "batch"
    """The public `/batch/`, larger."""
    ENGAGE = "engage"
    """The public `/engage/`: an object without an event name is an `$identify`."""
    V1 = "v1"
    """Capture v1, `/i/v1/analytics/events`."""
    HOOK = "hook"
    """`/hooks/posthog`, signed with a secret: what PostHog Cloud forwards."""


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """
    One accepted request, as the event log keeps it: everything that its events are made from.

    Reading it again gives the same events with the same uuids, so nothing that was answered
    with 200 depends on memory.
    """

    door: Door
    body: bytes
    """JSON text, decompressed and unwrapped."""
    received_at: datetime
    seed: bytes
    """Eight random bytes that uuids are derived from for events that came without one."""
    sent_at: datetime | None = None
    """The client's clock when it sent, from the query or (v1) a header; a body's own `sent_at` comes before it."""
    ip: str | None = None
    """The address that the request came from."""
    trusted: bool = False
    """It came with the secret API key: what it says of recipients is believed. (So is all that comes by the hook.)"""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """
    One event, normalized: its id fixed, its time corrected by the client's clock skew.

    `properties` hold what the SDK sent, with a root `$set`, `$set_once` and `$unset` merged over those inside.
    """

    uuid: EventUuid
    event: str
    """The event's name."""
    distinct_id: str
    timestamp: datetime
    received_at: datetime
    properties: dict[str, Any]
    historical: bool = False
    """Came in a `historical_migration` batch: backfilled, not something that just happened."""
    door: Door = Door.CAPTURE
    trusted: bool = False
    """Came with the secret API key, or by the hook: who sent it is known, so its phone numbers are believed."""
    ip: str | None = None
    """The address that the request came from, for limits on it; never in a log."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One group (a company, a project) that an event names in `$groups`, with what `$groupidentify` told of it."""

    type: str
    key: str
    index: int
    properties: dict[str, Any]

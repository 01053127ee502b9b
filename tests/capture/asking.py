"""Requests as SDKs would send them, with a word for each part that a test varies."""

import json
from datetime import UTC, datetime
from typing import Any

from smspipe.capture import Accepted, CaptureRequest, Refused, read
from smspipe.model.event import Door, Event

TOKEN = "phc_test"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SEED = b"12345678"
UUID = "01930000-0000-7000-8000-0000000000ab"


def signup(**parts: Any) -> dict[str, Any]:
    """An event with a name, a person and a token, changed by `parts`; a part given as `...` is left out."""
    event = {"api_key": TOKEN, "event": "signup", "distinct_id": "u-1"} | parts
    return {key: value for key, value in event.items() if value is not ...}


def request(body: Any = b"", **parts: Any) -> CaptureRequest:
    """A POST of `body`, which is written as JSON unless it is bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CaptureRequest(**({"method": "POST", "path": "/e/", "body": data} | parts))


def accept(body: Any, door: Door = Door.CAPTURE, **parts: Any) -> Accepted:
    """What `read` makes of a POST of `body`."""
    return read(request(body, **parts), door, NOW, SEED, TOKEN)


def only_event(body: Any, door: Door = Door.CAPTURE, **parts: Any) -> Event:
    """The one event that is in `body`."""
    (event,) = accept(body, door, **parts).events
    return event


def refusal(body: Any, door: Door = Door.CAPTURE, **parts: Any) -> Refused:
    """The refusal that a POST of `body` meets with."""
    try:
        accept(body, door, **parts)
    except Refused as refused:
        return refused
    raise AssertionError("the request was accepted")


V1_HEADERS = {
    "path": "/i/v1/analytics/events",
    "content_type": "application/json",
    "authorization": f"Bearer {TOKEN}",
    "sdk_info": "posthog-python/7.91.1",
    "attempt": "1",
    "request_id": "0190aaaa-0000-7000-8000-000000000001",
    "request_timestamp": "2026-01-02T03:04:05Z",
}


def v1_event(**parts: Any) -> dict[str, Any]:
    """An event of capture v1, changed by `parts`; a part given as `...` is left out."""
    event = {
        "event": "signup",
        "uuid": UUID,
        "distinct_id": "u-1",
        "timestamp": "2026-01-02T03:04:00Z",
        "options": {},
        "properties": {"plan": "pro"},
    } | parts
    return {key: value for key, value in event.items() if value is not ...}


def v1_batch(*events: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A body of capture v1."""
    return {"created_at": "2026-01-02T03:04:05Z", "batch": list(events)} | parts

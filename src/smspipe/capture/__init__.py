"""From the bytes of a capture request to its payload and events, and to the answer. Pure; `web` opens the doors."""

from smspipe.capture.answers import OK, cors, extras, overloaded, preflight, success
from smspipe.capture.door import (
    BODY_LIMITS,
    DECOMPRESSED_LIMIT,
    Accepted,
    Answer,
    CaptureRequest,
    Refused,
    Result,
    door_of,
)
from smspipe.capture.receive import events_of, read

__all__ = [
    "BODY_LIMITS",
    "DECOMPRESSED_LIMIT",
    "OK",
    "Accepted",
    "Answer",
    "CaptureRequest",
    "Refused",
    "Result",
    "cors",
    "door_of",
    "events_of",
    "extras",
    "overloaded",
    "preflight",
    "read",
    "success",
]

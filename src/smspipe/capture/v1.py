"""
Capture v1: strict headers, strict events, and an answer for each event of its own.

The rules for the request refuse the whole; the rules for an event drop that event and name the rule.
"""

import re
from datetime import datetime
from typing import Any, Final

import msgspec

from smspipe.capture.decode import RawEvent, RawV1, RawV1Event
from smspipe.capture.door import CaptureRequest, Refused, Result
from smspipe.capture.normalize import LONGEST_DISTINCT_ID, LONGEST_NAME
from smspipe.capture.times import strict_instant_of
from smspipe.capture.tokens import check_token
from smspipe.model.ids import EventUuid

_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_SDK_INFO: Final = 200
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})


class V1Headers(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers of a v1 request told, checked."""

    sent_at: datetime
    request_id: str


def check_headers(request: CaptureRequest, token: str) -> V1Headers:
    """
    Check what capture v1 wants to know before it looks at the body.

    The secret API key stands in the place of the token: whoever has it may do more than the token allows.

    Raises:
        Refused: 401 for a token that is missing or not ours, 400 for any other header, 415 for a body that is not JSON.
    """
    if request.authorization is None:
        raise Refused(401, "request is missing the Authorization header", tag="missing_authorization")
    required = {
        "PostHog-Sdk-Info": request.sdk_info,
        "PostHog-Attempt": request.attempt,
        "PostHog-Request-Id": request.request_id,
        "PostHog-Request-Timestamp": request.request_timestamp,
        "Content-Type": request.content_type,
    }
    if missing := [name for name, value in required.items() if value is None]:
        raise Refused(400, f"request is missing required headers: {', '.join(missing)}", tag="missing_required_headers")
    scheme, _, given = request.authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise _invalid_header("Authorization must use Bearer scheme")
    if not request.trusted:
        check_token(given, token)
    if (request.content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "unsupported content type: send application/json", tag="unsupported_content_type")
    request_id, attempt = request.request_id or "", request.attempt or ""
    if not _UUID.fullmatch(request_id):
        raise _invalid_header("PostHog-Request-Id is not a valid UUID")
    if not (attempt.isascii() and attempt.isdigit() and attempt.strip("0")):
        raise _invalid_header("PostHog-Attempt must be a positive integer")
    sent_at = strict_instant_of(request.request_timestamp)
    if sent_at is None:
        raise _invalid_header("PostHog-Request-Timestamp is not valid RFC 3339")
    return V1Headers(sent_at=sent_at, request_id=request_id)


def _invalid_header(what: str) -> Refused:
    return Refused(400, f"invalid header value: {what}", tag="invalid_header_value")


def with_sdk_info(text: bytes, sdk_info: str | None) -> bytes:
    """
    Write the SDK's name, which v1 tells in a header only, into the body that is kept.

    It stands first, so what is no object before is none afterwards, and decoding still says so.
    """
    if not sdk_info or len(sdk_info) > _LONGEST_SDK_INFO:
        return text
    start = text.find(b"{")
    if start < 0 or text[:start].strip():
        return text
    return b'{"$sdk_info":' + msgspec.json.encode(sdk_info) + b"," + text[start + 1 :]


def sort_events(batch: RawV1) -> tuple[list[RawEvent], dict[EventUuid, Result]]:
    """
    Tell the events that are taken from those that are dropped.

    Returns:
        The taken ones in the shape of the other routes, and what became of each, by uuid as it will be answered.

    Raises:
        Refused: 400 for a batch that is empty or has uuids that are no uuids or not unique.
    """
    if not batch.batch:
        raise Refused(400, "request batch is empty", tag="empty_batch")
    if strict_instant_of(batch.created_at) is None:
        raise Refused(400, "invalid batch: created_at is not valid RFC 3339", tag="invalid_batch")
    library = _library_of(batch.sdk_info)
    taken: list[RawEvent] = []
    results: dict[EventUuid, Result] = {}
    for event in batch.batch:
        uuid = _uuid_of(event)
        if uuid in results:
            raise Refused(400, "duplicate event uuid", tag="duplicate_event_uuid")
        properties = _properties_of(event, library)
        if isinstance(properties, str):
            results[uuid] = Result(result="drop", details=properties)
            continue
        results[uuid] = Result(result="ok")
        taken.append(
            RawEvent(
                event=event.event,
                uuid=uuid,
                distinct_id=event.distinct_id.strip(),
                timestamp=event.timestamp.upper(),
                properties=properties,
            )
        )
    return taken, results


def _uuid_of(event: RawV1Event) -> EventUuid:
    uuid = event.uuid.strip()
    if not uuid:
        raise Refused(400, "event submitted without a uuid", tag="missing_event_uuid")
    if not _UUID.fullmatch(uuid):
        raise Refused(400, "event submitted with an invalid uuid", tag="invalid_event_uuid")
    plain = uuid.lower().replace("-", "")
    return EventUuid(f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}")


def _library_of(sdk_info: str | None) -> dict[str, Any]:
    """Take `name/version` apart at the last slash; anything else tells nothing."""
    name, _, version = (sdk_info or "").rpartition("/")
    name, version = name.strip(), version.strip()
    return {"$lib": name, "$lib_version": version} if name and version else {}


def _properties_of(event: RawV1Event, library: dict[str, Any]) -> dict[str, Any] | str:
    """Give the event's properties, with what v1 keeps beside them put back in; a tag when it is to be dropped."""
    distinct_id = event.distinct_id.strip()
    tag = None
    if event.event == "$performance_event":
        tag = "dropped_performance_event"
    elif not event.event:
        tag = "missing_event_name"
    elif len(event.event) > LONGEST_NAME:
        tag = "event_name_too_long"
    elif not distinct_id:
        tag = "missing_distinct_id"
    elif len(distinct_id) > LONGEST_DISTINCT_ID:
        tag = "distinct_id_too_large"
    elif strict_instant_of(event.timestamp) is None:
        tag = "invalid_event_timestamp"
    elif not isinstance(event.properties, dict | None):
        tag = "malformed_event_properties"
    options = _options_of(event.options)
    if tag is None and options is None:
        tag = "invalid_options"
    if tag is not None or options is None:
        return tag or "invalid_options"
    properties: dict[str, Any] = event.properties or {}
    if event.session_id is not None:
        properties["$session_id"] = event.session_id
    if event.window_id is not None:
        properties["$window_id"] = event.window_id
    return properties | options | library


def _options_of(options: Any) -> dict[str, Any] | None:
    """Translate an event's options to the properties that they stand for; None when one has no such value."""
    if options is None:
        return {}
    if not isinstance(options, dict):
        return None
    properties: dict[str, Any] = {}
    for option, key in (
        ("cookieless_mode", "$cookieless_mode"),
        ("disable_skew_correction", "$ignore_sent_at"),
        ("process_person_profile", "$process_person_profile"),
    ):
        if (given := options.get(option)) is not None:
            if (claim := _to_bool(given)) is None:
                return None
            properties[key] = claim
    tour = options.get("product_tour_id")
    if isinstance(tour, str | int) and not isinstance(tour, bool):
        properties["$product_tour_id"] = str(tour)
    elif tour is not None:
        return None
    return properties


def _to_bool(value: Any) -> bool | None:
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None
    return bool(value) if isinstance(value, bool | int | float) else None

"""A request to its payload and events, and a payload from the log to the same events again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from smspipe.capture.decode import RawEvent, decode_hook, decode_legacy, decode_v1
from smspipe.capture.door import BODY_LIMITS, Accepted, CaptureRequest, Refused, Result, too_big
from smspipe.capture.hook import unfold
from smspipe.capture.normalize import normalize
from smspipe.capture.times import instant_of, query_instant_of
from smspipe.capture.tokens import check_token, token_of
from smspipe.capture.unwrap import fields_of, unwrap, unwrap_v1
from smspipe.capture.v1 import check_headers, sort_events, with_sdk_info
from smspipe.model.event import Door, Event, Payload
from smspipe.model.ids import EventUuid

_POST_ONLY: Final = (Door.V1, Door.HOOK)


def read(request: CaptureRequest, door: Door, received_at: datetime, seed: bytes, token: str) -> Accepted:
    """
    Understand one request.

    Args:
        request: as it came, its body still packed.
        door: where it came in, see `door_of`.
        received_at: now, aware and in UTC.
        seed: eight random bytes, which the uuids of events without one are derived from.
        token: the project's token. The hook's door does not look at it: whoever opens that door checks its secret.

    Returns:
        The payload to be kept and its events, decoded once.

    Raises:
        Refused: with the HTTP answer: 400 for what cannot be understood, 401 for a token that is missing or not
            ours, 405 for another method, 413 for too many bytes, 415 (v1 alone) for an unknown encoding.
    """
    match door:
        case Door.CAPTURE | Door.BATCH | Door.ENGAGE:
            return _read_legacy(request, door, received_at, seed, token)
        case Door.V1:
            try:
                return _read_v1(request, received_at, seed, token)
            except Refused as refused:
                refused.as_json = True
                raise
        case Door.HOOK:
            return _read_hook(request, received_at, seed)
        case _:
            assert_never(door)


def events_of(payload: Payload) -> list[Event]:
    """
    Make the events of a payload out of the log: the same, with the same uuids, that `read` gave with it.

    Raises:
        Refused: the payload never came from `read`.
    """
    match payload.door:
        case Door.CAPTURE | Door.BATCH | Door.ENGAGE:
            return _legacy_events(payload, token=None)
        case Door.V1:
            return _v1_events(payload)[0]
        case Door.HOOK:
            return _hook_events(payload)
        case _:
            assert_never(payload.door)


def _check_size(request: CaptureRequest, door: Door) -> None:
    limit = BODY_LIMITS[door]
    if len(request.body) > limit:
        raise too_big("body", limit)
    if request.method != "POST" and (request.method != "GET" or door in _POST_ONLY):
        allow = (("Allow", "POST, OPTIONS" if door in _POST_ONLY else "GET, POST, OPTIONS"),)
        raise Refused(405, "method not allowed: send a POST", tag="method_not_allowed", headers=allow)


def _read_legacy(request: CaptureRequest, door: Door, received_at: datetime, seed: bytes, token: str) -> Accepted:
    _check_size(request, door)
    query = fields_of(request.query)
    payload = Payload(
        door=door,
        body=unwrap(request, query),
        received_at=received_at,
        seed=seed,
        sent_at=query_instant_of(query.get("_") or query.get("sent_at")) if query else None,
        ip=request.ip,
        trusted=request.trusted,
    )
    events = _legacy_events(payload, token)
    return Accepted(payload=payload, events=events, beacon=query.get("beacon") == "1")


def _legacy_events(payload: Payload, token: str | None) -> list[Event]:
    """Make the events of a public route's body; `token` None leaves out who sent it, which was checked before."""
    root = decode_legacy(payload.body)
    raws: Sequence[RawEvent] = (root,) if root.batch is None else root.batch
    if not raws:
        raise Refused(400, "request holds no event", tag="empty_batch")
    if token is not None:
        check_token(token_of(root), token)
    sent_at = payload.sent_at
    if root.sent_at is not None:
        sent_at = (instant_of(root.sent_at) if isinstance(root.sent_at, str | int | float) else None) or sent_at
    return normalize(raws, payload, sent_at=sent_at, historical=root.historical_migration is True)


def _read_v1(request: CaptureRequest, received_at: datetime, seed: bytes, token: str) -> Accepted:
    _check_size(request, Door.V1)
    headers = check_headers(request, token)
    payload = Payload(
        door=Door.V1,
        body=with_sdk_info(unwrap_v1(request), request.sdk_info),
        received_at=received_at,
        seed=seed,
        sent_at=headers.sent_at,
        ip=request.ip,
        trusted=request.trusted,
    )
    events, results = _v1_events(payload)
    return Accepted(payload=payload, events=events, results=results, request_id=headers.request_id)


def _v1_events(payload: Payload) -> tuple[list[Event], dict[EventUuid, Result]]:
    batch = decode_v1(payload.body)
    raws, results = sort_events(batch)
    if not raws:
        return [], results
    return normalize(raws, payload, sent_at=payload.sent_at, historical=batch.historical_migration), results


def _read_hook(request: CaptureRequest, received_at: datetime, seed: bytes) -> Accepted:
    _check_size(request, Door.HOOK)
    # The address is PostHog's own, not that of the person.
    payload = Payload(door=Door.HOOK, body=unwrap(request, {}), received_at=received_at, seed=seed, trusted=True)
    return Accepted(payload=payload, events=_hook_events(payload))


def _hook_events(payload: Payload) -> list[Event]:
    return normalize((unfold(decode_hook(payload.body)),), payload, sent_at=None)

"""
The door for captures: reads a request, offers it to the pipeline, and answers when it is on disk.

Everything that is not decided by bytes alone (the clock, the project's token, the pipeline) meets capture here.
"""

import hmac
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from smspipe import capture
from smspipe.capture import BODY_LIMITS, CaptureRequest, Refused, door_of
from smspipe.model.destination import Secret
from smspipe.model.event import Door, Event, Payload
from smspipe.telemetry import count

log = structlog.get_logger("smspipe.web")

Answer = tuple[int, Iterable[tuple[bytes, bytes]], bytes]
"""Status, headers without the length, body."""

_JSON = ((b"content-type", b"application/json"),)
_TEXT = ((b"content-type", b"text/plain; charset=utf-8"),)
OK: Answer = (200, _JSON, capture.OK.body)
"""What nearly every request is answered with: the protocol has its bytes ready."""

_EXTRA_LIMIT = 2 * 2**20
_MOST_HELD_BYTES = 128 * 2**20
"""Of all bodies together that have not come in whole: room for six of the largest."""
_EXTRAS = (b"/flags", b"/decide", b"/array/", b"/i/", b"/s/", b"/api/surveys", b"/api/web_experiments",
           b"/api/product_tours", b"/static/array.js")  # fmt: skip
"""Beginnings of the paths, besides the doors, that SDKs ask at."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A request's head, as the protocol saw it. Header names are lower case."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    ip: str | None

    def header(self, name: bytes) -> str | None:
        """Give a header as text, None if it is not there."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Offer(Protocol):
    """The pipeline's way in."""

    def __call__(self, payload: Payload, events: Sequence[Event], then: Callable[[bool], None]) -> bool:
        """Take a request and promise to call `then(on_disk)`; False, and no promise, when too much waits already."""


class CaptureDoor:
    """The one door for all capture routes, and for the small questions that SDKs ask."""

    def __init__(
        self,
        *,
        offer: Offer,
        clock: Callable[[], datetime],
        token: str,
        hook_keys: Sequence[Secret],
        api_key: Secret | None = None,
    ) -> None:
        """
        Open the door.

        Args:
            offer: the pipeline's way in.
            clock: what time it is.
            token: the project's token.
            hook_keys: any one of them opens `/hooks/posthog`.
            api_key: the secret key: a capture request that bears it is trusted. None trusts none.
        """
        self._offer = offer
        self._clock = clock
        self._token = token
        self._hook_keys = [key.reveal().encode() for key in hook_keys]
        self._api_keys = [] if api_key is None else [api_key.reveal().encode()]
        self._limits: dict[bytes, int] = {}
        self.held_bytes = 0
        """What bodies hold that have not come in whole; the protocol counts it."""
        self.most_held_bytes = _MOST_HELD_BYTES

    def limit_of(self, path: bytes) -> int | None:
        """Give the most bytes that a body at `path` may have; None when the path is none of ours."""
        limit = self._limits.get(path)
        if limit is not None:
            return limit
        door = door_of(path.decode("latin-1"))
        if door is not None:
            self._limits[path] = BODY_LIMITS[door]
            return BODY_LIMITS[door]
        return _EXTRA_LIMIT if path.startswith(_EXTRAS) else None

    def too_large(self, incoming: Incoming, limit: int) -> Answer:
        """Answer a request whose body is over `limit`."""
        door = door_of(incoming.path) or Door.CAPTURE
        refused = Refused(
            413,
            f"maximum event size exceeded: a body of more than {limit} bytes",
            tag="payload_too_large",
            as_json=door is Door.V1,
        )
        return self._refuse(incoming, refused)

    def too_busy(self, incoming: Incoming) -> Answer:
        """Answer a request for whose body there is no room just now."""
        count("smspipe_requests_deferred_total")
        return self._refuse(incoming, capture.overloaded(door_of(incoming.path) or Door.CAPTURE))

    def enter(self, incoming: Incoming, body: bytes, later: Callable[[Answer], None]) -> Answer | None:
        """
        Answer a whole request: at once, or (None) by `later` when it is on disk.

        Bad input of any kind is a 4xx with a sentence; when too much waits, or the disk is full, it is a 503.
        """
        door = door_of(incoming.path)
        if incoming.method == "OPTIONS":
            return self._answer(incoming, capture.preflight())
        if door is None:
            found = capture.extras(incoming.method, incoming.path)
            return self._answer(
                incoming, found or capture.Answer(status=404, body=b"not found", content_type="text/plain")
            )
        if door is Door.HOOK and not _bears(incoming, self._hook_keys):
            return 401, _JSON, b'{"detail":"The hook\'s key is missing or wrong: send it as Authorization: Bearer."}'
        try:
            # most requests bear nothing
            trusted = b"authorization" in incoming.headers and self._trusts(incoming, door)
            request = _request(incoming, body, trusted=trusted)
            accepted = capture.read(request, door, self._clock(), os.urandom(8), self._token)
        except Refused as refused:
            count("smspipe_requests_refused_total")
            return self._refuse(incoming, refused)
        except Exception as error:  # noqa: BLE001 (a fault of ours is told and answered, not taken for a broken request)
            _tell(error, door)
            return 500, _TEXT, b"a server error occurred"
        if not accepted.events:
            return self._answer(incoming, capture.success(accepted))

        def then(on_disk: bool) -> None:
            if on_disk:
                success = capture.success(accepted)
                plain = success is capture.OK and b"origin" not in incoming.headers
                later(OK if plain else self._answer(incoming, success))
            else:
                later(self._refuse(incoming, capture.overloaded(door)))

        if not self._offer(accepted.payload, accepted.events, then):
            count("smspipe_requests_deferred_total")
            return self._refuse(incoming, capture.overloaded(door))
        return None

    def _trusts(self, incoming: Incoming, door: Door) -> bool:
        """
        Tell whether a capture request bears the secret key.

        Raises:
            Refused: 401 for what looks like such a key and is not ours. Who sends one wants to be trusted, and is told
                now, not by texts that never come. (The doors that read the header themselves say so themselves.)
        """
        if _bears(incoming, self._api_keys):
            return True
        begins = incoming.headers[b"authorization"][: len(_SECRET)].lower()
        if begins == _SECRET and door in _WITH_TOKEN_IN_BODY:
            raise Refused(401, "API key is not valid: unknown secret key", tag="invalid_api_token")
        return False

    def _refuse(self, incoming: Incoming, refused: Refused) -> Answer:
        return self._answer(incoming, refused.answer)

    def _answer(self, incoming: Incoming, answer: capture.Answer) -> Answer:
        headers: list[tuple[bytes, bytes]] = []
        if answer.content_type is not None:
            headers.append((b"content-type", answer.content_type.encode()))
        headers.extend((name.encode(), value.encode()) for name, value in answer.headers)
        if b"origin" in incoming.headers:
            allowed = capture.cors(incoming.header(b"origin"), incoming.header(b"access-control-request-headers"))
            headers.extend((name.encode(), value.encode("latin-1", "replace")) for name, value in allowed)
        return answer.status, headers, answer.body


def _bears(incoming: Incoming, keys: Sequence[bytes]) -> bool:
    kind, _, key = (incoming.headers.get(b"authorization") or b"").partition(b" ")
    # every key is compared, so that the time does not tell which one was close
    matches = [hmac.compare_digest(key.strip(), known) for known in keys]
    return kind.lower() == b"bearer" and any(matches)


_SECRET = b"bearer phx_"
_WITH_TOKEN_IN_BODY = (Door.CAPTURE, Door.BATCH, Door.ENGAGE)

_FIELDS = {
    b"content-type": "content_type",
    b"content-encoding": "content_encoding",
    b"authorization": "authorization",
    b"posthog-sdk-info": "sdk_info",
    b"posthog-attempt": "attempt",
    b"posthog-request-id": "request_id",
    b"posthog-request-timestamp": "request_timestamp",
}
"""Header → field of a capture request: most requests have one of them."""


def _request(incoming: Incoming, body: bytes, *, trusted: bool) -> CaptureRequest:
    found = {_FIELDS[name]: value.decode("latin-1") for name, value in incoming.headers.items() if name in _FIELDS}
    return CaptureRequest(
        method=incoming.method,
        path=incoming.path,
        query=incoming.query,
        body=body,
        ip=incoming.ip,
        trusted=trusted,
        **found,
    )


def _tell(error: Exception, door: Door) -> None:
    """Log where a fault of ours is. Its own words are left out: they may hold what was sent."""
    count("smspipe_faults_total")
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = [f"{frame.filename}:{frame.lineno}" for frame in frames]
    log.error("capture_failed", door=door.value, kind=type(error).__name__, where=where)

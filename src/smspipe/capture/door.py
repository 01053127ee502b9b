"""What goes in and out through a door: the request as bytes, the answer as bytes, a refusal as both."""

from collections.abc import Mapping
from typing import Final

import msgspec

from smspipe.model.errors import Invalid
from smspipe.model.event import Door, Event, Payload
from smspipe.model.ids import EventUuid

MEBIBYTE: Final = 1024 * 1024
DECOMPRESSED_LIMIT: Final = 20 * MEBIBYTE
"""Most bytes of JSON text that one request may turn out to hold."""

BODY_LIMITS: Final[Mapping[Door, int]] = {
    Door.CAPTURE: 2 * MEBIBYTE,
    Door.BATCH: 20 * MEBIBYTE,
    Door.ENGAGE: 2 * MEBIBYTE,
    Door.V1: 20 * MEBIBYTE,
    Door.HOOK: 2 * MEBIBYTE,
}
"""Most bytes of a request's body as it comes over the wire."""

_PATHS: Final = {
    "/e": Door.CAPTURE,
    "/capture": Door.CAPTURE,
    "/track": Door.CAPTURE,
    "/i/v0/e": Door.CAPTURE,
    "/batch": Door.BATCH,
    # The Python SDK sends `$ai_…` events here, in the shape of /batch/.
    "/i/v0/ai/batch": Door.BATCH,
    "/engage": Door.ENGAGE,
    "/i/v1/analytics/events": Door.V1,
    "/hooks/posthog": Door.HOOK,
}
_DOORS: Final = _PATHS | {path + "/": door for path, door in _PATHS.items()}


def door_of(path: str) -> Door | None:
    """Tell which door `path` (without query) leads to, with or without a slash at its end; None for no door."""
    return _DOORS.get(path)


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an HTTP request that capture reads. An absent header is None."""

    method: str
    path: str
    """Without the query."""
    query: bytes = b""
    """As it stood in the address, without the question mark."""
    content_type: str | None = None
    content_encoding: str | None = None
    authorization: str | None = None
    sdk_info: str | None = None
    """`PostHog-Sdk-Info`: name/version."""
    attempt: str | None = None
    """`PostHog-Attempt`, from 1."""
    request_id: str | None = None
    """`PostHog-Request-Id`, a uuid."""
    request_timestamp: str | None = None
    """`PostHog-Request-Timestamp`, the client's clock."""
    body: bytes = b""
    ip: str | None = None
    """The client's address, when it is known and may be used."""
    trusted: bool = False
    """It bears the secret API key, which was checked: such a request needs no token at the v1 door."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer, but for what every answer has (length, date, CORS)."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    """None when there is no body."""
    headers: tuple[tuple[str, str], ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What capture v1 says of one event: `result` is `ok` or `drop`, `details` the tag of the rule it broke."""

    result: str
    details: str | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was understood. It may be answered with `success` once its payload is durable."""

    payload: Payload
    events: list[Event]
    """Empty only at the v1 door, when every event was dropped: then there is nothing to keep either."""
    beacon: bool = False
    """The browser sent it while leaving and reads no answer."""
    results: dict[EventUuid, Result] | None = None
    """At the v1 door: what became of each event, by uuid."""
    request_id: str | None = None
    """At the v1 door: to be echoed."""


class Refused(Invalid):
    """
    A request that is not taken, as a whole.

    `status` is the HTTP status and `text` PostHog's own sentence for it, which SDKs log. `tag` is the
    word that capture v1 has for it. Neither ever holds a value out of the request.
    """

    def __init__(
        self, status: int, text: str, *, tag: str, as_json: bool = False, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.tag = tag
        self.as_json = as_json
        self.headers = headers

    @property
    def answer(self) -> Answer:
        """The refusal as an HTTP answer: plain text, at the v1 door JSON."""
        if not self.as_json:
            body, content_type = self.text.encode(), "text/plain; charset=utf-8"
        else:
            shape = {"error": self.tag, "error_description": self.text, "error_uri": "https://posthog.com/docs/api"}
            body, content_type = msgspec.json.encode(shape), "application/json"
        return Answer(status=self.status, body=body, content_type=content_type, headers=self.headers)

    @property
    def body(self) -> bytes:
        """The body of `answer`."""
        return self.answer.body

    @property
    def content_type(self) -> str | None:
        """The content type of `answer`."""
        return self.answer.content_type


def too_big(what: str, limit: int) -> Refused:
    """Make the refusal (413) of `what`, which holds more than `limit` bytes."""
    return Refused(413, f"maximum event size exceeded: {what} of more than {limit} bytes", tag="payload_too_large")


def undecodable(why: str) -> Refused:
    """Make the refusal (400) of a body whose JSON text cannot be got at."""
    return Refused(400, f"failed to decode request: {why}", tag="request_decoding_error")


def unparseable(why: str) -> Refused:
    """Make the refusal (400) of a JSON text that is broken or of another shape than events have."""
    return Refused(400, f"failed to parse request: {why}", tag="request_parsing_error")

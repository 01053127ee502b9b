"""What is answered: to requests that were taken, and to the small questions that SDKs ask besides."""

import re
from typing import Any, Final

import msgspec

from smspipe.capture.door import Accepted, Answer, Refused
from smspipe.model.event import Door

_JSON: Final = "application/json"
OK: Final = Answer(status=200, body=b'{"status":"Ok"}', content_type=_JSON)
_NO_CONTENT: Final = Answer(status=204)


def success(accepted: Accepted) -> Answer:
    """
    Answer a request whose payload is durable now.

    Exactly 200, since PostHog's Python SDK takes nothing else for success; 204 to a beacon, which asked for it.
    """
    if accepted.results is not None:
        echo = (("PostHog-Request-Id", accepted.request_id),) if accepted.request_id is not None else ()
        body = msgspec.json.encode({"results": accepted.results})
        return Answer(status=200, body=body, content_type=_JSON, headers=echo)
    return _NO_CONTENT if accepted.beacon else OK


def overloaded(door: Door, retry_after_seconds: int = 1) -> Refused:
    """Make the refusal (503) of a request that cannot be kept just now; every SDK sends it again."""
    return Refused(
        503,
        "transient error, please retry",
        tag="service_unavailable",
        as_json=door is Door.V1,
        headers=(("Retry-After", str(retry_after_seconds)),),
    )


# --- browsers -----------------------------------------------------------------------------------------------------


def cors(origin: str | None, requested_headers: str | None = None) -> tuple[tuple[str, str], ...]:
    """
    Give the headers that let a page on another host read our answer; none when there is no `origin`.

    Args:
        origin: the page's `Origin`, None when the request has none.
        requested_headers: `Access-Control-Request-Headers`, which come back as they are.
    """
    if origin is None:
        return ()
    headers = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
        ("Vary", "Origin"),
    ]
    if requested_headers is not None:
        headers.append(("Access-Control-Allow-Headers", requested_headers))
    return tuple(headers)


# --- the small questions ------------------------------------------------------------------------------------------

_FLAGS: Final[dict[str, Any]] = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
}
_CONFIG: Final[dict[str, Any]] = {
    # Without gzip-js here, posthog-js goes back to base64 as soon as it has read this.
    "supportedCompression": ["gzip", "gzip-js"],
    # Without this, it asks for flags, which we have none of.
    "hasFeatureFlags": False,
    "sessionRecording": False,
    # No "surveys" either, not even false: only when it is left out does posthog-js not load the script for them.
    "heatmaps": False,
    "capturePerformance": False,
    "autocapture_opt_out": False,
    "siteApps": [],
    "toolbarParams": {},
    "isAuthenticated": False,
}


def _json(value: dict[str, Any]) -> Answer:
    return Answer(status=200, body=msgspec.json.encode(value), content_type=_JSON)


_NOT_FOUND: Final = Answer(status=404, body=b"not found", content_type="text/plain; charset=utf-8")
_NO_SCRIPT: Final = Answer(
    status=404,
    body=b"posthog-js is not served here: install it from npm (posthog-js), or load it from PostHog's own host",
    content_type="text/plain; charset=utf-8",
)
_QUESTIONS: Final = {
    "/flags": _json(_FLAGS),
    "/decide": _json(_FLAGS | _CONFIG | {"config": {"enable_collect_everything": True}}),
    "/api/surveys": _json({"surveys": []}),
    "/api/web_experiments": _json({"experiments": []}),
    "/api/product_tours": _json({"product_tours": []}),
    # Refused rather than taken and thrown away: nothing becomes of recordings, logs and traces here.
    "/s": _NOT_FOUND,
    "/i/v0/ai": _NOT_FOUND,
    "/i/v1/logs": _NOT_FOUND,
    "/i/v1/metrics": _NOT_FOUND,
    "/i/v1/traces": _NOT_FOUND,
}
_REMOTE_CONFIG: Final = re.compile(r"/array/([A-Za-z0-9_-]{1,64})/config(\.js)?/?")


def extras(method: str, path: str) -> Answer | None:
    """
    Answer what SDKs ask besides sending events: flags, remote configuration, surveys and their like.

    Returns:
        None when `path` is nothing of the kind. CORS headers (see `cors`) are not in it; a preflight (OPTIONS)
        of these paths and of the capture doors is answered by `preflight`.
    """
    if method not in {"GET", "POST"}:
        return None
    if (answer := _QUESTIONS.get(path.rstrip("/"))) is not None:
        return answer
    if path.startswith("/static/") and path.endswith(".js"):
        return _NO_SCRIPT
    if asked := _REMOTE_CONFIG.fullmatch(path):
        token, script = asked.groups()
        config = msgspec.json.encode({"token": token, **_CONFIG})
        if not script:
            return Answer(status=200, body=config, content_type=_JSON)
        body = (
            b"(window._POSTHOG_REMOTE_CONFIG = window._POSTHOG_REMOTE_CONFIG || {})[%b] = {config: %b, siteApps: []};\n"
        )
        return Answer(
            status=200,
            body=body % (msgspec.json.encode(token), config),
            content_type="application/javascript; charset=utf-8",
        )
    return None


def preflight() -> Answer:
    """Answer a browser that asks (OPTIONS) whether it may send; what it may is in the `cors` headers."""
    return _NO_CONTENT

"""
Errors as answers, all in one shape, the one that PostHog's clients know.

    {"type": "validation_error", "code": "invalid_input", "detail": "…", "attr": "inputs__smsBody"}

A hint and a position, where there are some, lie under `smspipe`. No answer holds a traceback, a secret or a value that
was sent.
"""

import math
import traceback
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from smspipe.model.errors import Fault, Invalid, Permanent, Temporary
from smspipe.telemetry import count

log = structlog.get_logger("smspipe.web")

AnyRequest = Request[Any, Any, Any]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to a request that could not be met."""

    type: str
    """`validation_error`, `authentication_error`, `invalid_request` or `server_error`."""
    code: str
    detail: str
    """A sentence for a person."""
    attr: str | None
    """The field that is meant, parts joined with two underscores; None for the whole."""
    smspipe: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """
    `hint` (what would be right), `position` (an offset in a source text), `excerpt` (the line of it and a caret below)
    and `refused` (which items of a list, and why), where there are some.
    """


def _described(what: str) -> ResponseSpec:
    return ResponseSpec(Problem, generate_examples=False, description=what)


PROBLEMS: Final = {
    400: _described("The request breaks a rule."),
    401: _described("There is no API key, or a wrong one."),
    404: _described("There is no such thing."),
    503: _described("It may work later; see Retry-After."),
}
"""What the API's description says of every route."""


class Refused(Invalid):
    """A list is refused because some of its items are; `refused` tells of each."""

    def __init__(self, message: str, refused: list[dict[str, Any]]) -> None:
        super().__init__(message, field="destinations")
        self.refused = refused


class NotFound(Fault):
    """There is nothing at this address."""


class NotAuthenticated(Fault):
    """The request has no key, or (`wrong`) one that is not ours."""

    def __init__(self, message: str, *, wrong: bool) -> None:
        super().__init__(message)
        self.wrong = wrong


class NotAllowed(Fault):
    """The address exists, but not for this method; the message says what to do instead."""

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


def problem(
    status: int,
    kind: str,
    code: str,
    detail: str,
    *,
    attr: str | None = None,
    headers: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
) -> Response[Problem]:
    """Build an answer in the one shape; `more` lies under `smspipe`."""
    content = Problem(type=kind, code=code, detail=detail, attr=attr, smspipe=more or msgspec.UNSET)
    return Response(content, status_code=status, headers=headers, media_type="application/json")


def answer_fault(request: AnyRequest, fault: Fault) -> Response[Problem]:
    """Answer one of our own faults."""
    match fault:
        case Invalid():
            more: dict[str, Any] = {"hint": fault.hint, "position": fault.position, "excerpt": fault.excerpt}
            if isinstance(fault, Refused):
                more["refused"] = fault.refused
            more = {key: value for key, value in more.items() if value is not None}
            missing = str(fault) == "This field is required." and "__" not in (fault.field or "")
            code = "required" if missing else "invalid_input"
            return problem(400, "validation_error", code, str(fault), attr=fault.field, more=more)
        case NotFound():
            return problem(404, "invalid_request", "not_found", str(fault))
        case NotAuthenticated():
            code = "authentication_failed" if fault.wrong else "not_authenticated"
            headers = {"WWW-Authenticate": "Bearer"}
            return problem(401, "authentication_error", code, str(fault), headers=headers)
        case NotAllowed():
            headers = {"Allow": fault.allow}
            return problem(405, "invalid_request", "method_not_allowed", str(fault), headers=headers)
        case Temporary():
            seconds = 1 if fault.retry_after is None else math.ceil(fault.retry_after.total_seconds())
            headers = {"Retry-After": str(max(1, seconds))}
            return problem(503, "server_error", "temporarily_unavailable", str(fault), headers=headers)
        case Permanent():
            return problem(502, "server_error", "refused_upstream", str(fault))
    return answer_surprise(request, fault)


def answer_http(request: AnyRequest, error: HTTPException) -> Response[Problem]:
    """Answer what Litestar refused: a path, a method, a body or a parameter."""
    status = error.status_code
    if isinstance(error, ValidationException) and status == HTTPStatus.BAD_REQUEST:
        return _answer_validation(error)
    if status == HTTPStatus.NOT_FOUND:
        return problem(404, "invalid_request", "not_found", "Endpoint not found.")
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f'Method "{request.method}" not allowed.'
        return problem(405, "invalid_request", "method_not_allowed", detail, headers=error.headers)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return problem(413, "invalid_request", "too_large", "The body is too large.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer_surprise(request, error)
    return problem(status, "invalid_request", "parse_error", "JSON parse error - the body is not valid JSON.")


def answer_broken_json(request: AnyRequest, error: SerializationException) -> Response[Problem]:  # noqa: ARG001 (Litestar's signature)
    """Answer a body that is no JSON, without repeating it."""
    return problem(400, "invalid_request", "parse_error", "JSON parse error - the body is not valid JSON.")


def answer_too_deep(request: AnyRequest, error: RecursionError) -> Response[Problem]:  # noqa: ARG001 (Litestar's signature)
    """Answer a body whose objects and lists lie deeper within each other than they can be read or written."""
    return problem(400, "validation_error", "invalid_input", "The body is nested too deeply.")


def answer_surprise(request: AnyRequest, error: Exception) -> Response[Problem]:
    """Answer a fault of ours: the log names it, the caller is told that it was not them."""
    count("smspipe_faults_total")
    # The frames and the kind only: an error's own words and the frames' variables may hold what no log may.
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("request_failed", method=request.method, kind=type(error).__name__, where=where)
    return problem(500, "server_error", "error", "A server error occurred.")


def _answer_validation(error: ValidationException) -> Response[Problem]:
    """Name the first parameter that is wrong; Litestar tells its key and what was expected of it."""
    first = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    key = str(first.get("key", "")) or None
    if first.get("source") == "body" or key in (None, "data"):
        return problem(400, "validation_error", "invalid_input", "The body must be a JSON object.")
    return problem(400, "validation_error", "invalid_input", str(first.get("message", "Invalid.")), attr=key)

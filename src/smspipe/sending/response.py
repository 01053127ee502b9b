"""
Twilio's answers, sorted by what they mean for the message: the only place that knows.

    Answer
    + Accepted      Twilio took the message and gave it a SID
    + Refused       not sent, and this message never will be
    + OptedOut      not sent: the recipient said STOP
    + Later         not sent, for a passing reason
    + AccountFault  not sent, and nothing will be until somebody mends the account, the sender or its settings
    + Unconfirmed   perhaps sent: the request may have left and its answer does not say

An answer is judged by its HTTP status where that alone settles it (2xx, 408, 429, 5xx), else by the table of codes,
else by its status, else by the range of its code. When in doubt between "not sent" and "perhaps sent" it is perhaps
sent: creating a message is not idempotent, so a wrong "not sent" would become a second text.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final, assert_never

import msgspec

from smspipe.model.ids import MessageSid
from smspipe.model.outcome import Reason
from smspipe.model.phone import mask
from smspipe.sending.codes import CODES, Code, Kind, range_of

LONGEST_WAIT: Final = timedelta(hours=1)
"""A Retry-After beyond this is cut: a slip of one gateway must not silence a destination for a week."""

_LONGEST_MESSAGE: Final = 300
_NUMBERS: Final = re.compile(r"\+?\d(?:[\s().\-–/]{0,2}\d){6,}")
_SID: Final = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}").fullmatch


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Twilio took the message; what becomes of it comes by status callback."""

    sid: MessageSid
    status: str
    """Twilio's word, mostly `queued`, or `accepted` with a Messaging Service; new words appear over time."""
    segments: int | None = None
    """How many segments Twilio counted; None while it has not."""
    request_id: str | None = None


class _NotAccepted(msgspec.Struct, frozen=True, kw_only=True):
    saw: str
    """One or two sentences for a person: what happened and what to do. No number, no text of a message."""
    code: int | None = None
    """Twilio's error code, for `describe`."""
    http_status: int | None = None
    """None when there was no answer."""
    error_message: str | None = None
    """Twilio's own words, cut to 300 characters, phone numbers masked."""
    request_id: str | None = None
    """Twilio's id of the request (`RQ…`), which its support asks for."""


class Refused(_NotAccepted, frozen=True, kw_only=True):
    """Not sent, and this message never will be; others may."""

    reason: ClassVar[Reason] = Reason.TWILIO_REJECTED


class OptedOut(_NotAccepted, frozen=True, kw_only=True):
    """Not sent: the recipient opted out at Twilio. Nothing more goes to that number until START."""

    reason: ClassVar[Reason] = Reason.OPTED_OUT


class Later(_NotAccepted, frozen=True, kw_only=True):
    """
    Provably not sent, for a passing reason: the same message may be tried again.

    `retry_after` is the least time to wait, None when nobody knows.
    """

    reason: ClassVar[Reason] = Reason.TWILIO_UNREACHABLE
    retry_after: timedelta | None = None


class AccountFault(_NotAccepted, frozen=True, kw_only=True):
    """Not sent, like every other message of the account or the sender: pause it, keep its messages, tell a person."""

    reason: ClassVar[Reason] = Reason.CREDENTIALS
    sender_alone: bool = False
    """Only what this sender is to send cannot work; the account's other senders can."""


class Unconfirmed(_NotAccepted, frozen=True, kw_only=True):
    """The request may have left and no answer says what became of it: never just repeated."""

    reason: ClassVar[Reason] = Reason.UNCONFIRMED


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials work. An API key cannot read the account, so `name` and `trial` are None for one."""

    name: str | None = None
    trial: bool | None = None


Answer = Accepted | Refused | OptedOut | Later | AccountFault | Unconfirmed
"""What became of one POST."""


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A phone number of the account."""

    sid: str
    phone_number: str
    friendly_name: str = ""


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """The account's phone numbers, the first page of them."""

    numbers: tuple[Number, ...]


class _NumbersBody(msgspec.Struct):
    incoming_phone_numbers: tuple[Number, ...]


class _Body(msgspec.Struct):
    """The few fields that matter, of any type: a surprise in one of them must not hide the others."""

    sid: Any = None
    status: Any = None
    num_segments: Any = None
    code: Any = None
    message: Any = None
    detail: Any = None
    title: Any = None
    friendly_name: Any = None
    type: Any = None


_decode: Final = msgspec.json.Decoder(_Body).decode

# Statuses of answers whose code the table does not have. Others of the 4xx say that a gateway, not Twilio's API, did
# not like the request: nothing is wrong with the message, so it is kept.
_STATUSES: Final[Mapping[int, Kind]] = {
    400: Kind.PERMANENT,
    401: Kind.ACCOUNT,
    403: Kind.ACCOUNT,
    404: Kind.ACCOUNT,
    413: Kind.PERMANENT,
    422: Kind.PERMANENT,
    425: Kind.RETRY,
}


def sort_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """
    Say what a complete answer to the POST means. Never raises, whatever the bytes.

    Args:
        status: HTTP status of the final answer, not 100 to 199.
        headers: names in lower case.
        body: all of it; mostly JSON, from gateways also HTML or nothing.

    Source:
        https://www.twilio.com/docs/api/errors
        https://www.twilio.com/docs/usage/troubleshooting/error-handling-twilio-rest-api
    """
    request_id = headers.get("twilio-request-id")
    told = _read(body)
    if 200 <= status < 300:
        if isinstance(told.sid, str) and _SID(told.sid):
            word = told.status if isinstance(told.status, str) else ""
            return Accepted(
                sid=MessageSid(told.sid), status=word, segments=_whole(told.num_segments) or None, request_id=request_id
            )
        return Unconfirmed(
            saw=f"Twilio answered HTTP {status} without a message SID: it may have been sent. "
            "Look in Twilio's message log before sending it again.",
            http_status=status,
            request_id=request_id,
        )
    code = _whole(told.code)
    known = CODES.get(code) if code is not None else None
    kind = _kind_of(status, code, known)
    saw = f"{known.meaning} {known.advice}" if known and known.kind is kind else _describe_status(status, code, kind)
    error_message = _mask(told)
    match kind:
        case Kind.OPT_OUT:
            made: type[Refused | OptedOut | Unconfirmed] = OptedOut
        case Kind.RETRY | Kind.LATER:
            wait = _least_wait(known.wait if known else None, _retry_after(headers))
            return Later(
                saw=saw,
                code=code,
                http_status=status,
                error_message=error_message,
                request_id=request_id,
                retry_after=wait,
            )
        case Kind.ACCOUNT | Kind.SENDER:
            return AccountFault(
                saw=saw,
                code=code,
                http_status=status,
                error_message=error_message,
                request_id=request_id,
                sender_alone=kind is Kind.SENDER,
            )
        case Kind.PERMANENT | Kind.NOTICE:
            made = Refused
        case Kind.UNKNOWN:
            made = Unconfirmed
        case _:
            assert_never(kind)
    return made(saw=saw, code=code, http_status=status, error_message=error_message, request_id=request_id)


def sort_check(status: int, headers: Mapping[str, str], body: bytes) -> Verified | AccountFault | Later:
    """Say what a complete answer to the GET of `build_check` means. Never raises, whatever the bytes."""
    told = _read(body)
    if 200 <= status < 300:
        if isinstance(told.status, str) and told.status != "active":
            return AccountFault(
                saw=f"The Twilio account is {_mask_text(told.status)}. Look in the Twilio console why.",
                http_status=status,
            )
        name = told.friendly_name if isinstance(told.friendly_name, str) else None
        trial = told.type == "Trial" if isinstance(told.type, str) else None
        return Verified(name=name, trial=trial)
    answer = sort_answer(status, headers, body)
    if isinstance(answer, AccountFault | Later):
        return answer
    if status < 500 and status != 408:
        return AccountFault(
            saw=f"Twilio answered HTTP {status} when asked for the account. "
            "Check the account SID and SMSPIPE_TWILIO_API_URL.",
            http_status=status,
            error_message=_mask(told),
        )
    return Later(saw=f"Twilio answered HTTP {status} when asked for the account. Try again later.", http_status=status)


def sort_numbers(status: int, headers: Mapping[str, str], body: bytes) -> Numbers | AccountFault | Later:
    """Say what a complete answer to the GET of `build_numbers` means. Never raises, whatever the bytes."""
    if 200 <= status < 300:
        try:
            return Numbers(numbers=msgspec.json.decode(body, type=_NumbersBody).incoming_phone_numbers)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Later(saw="Twilio's list of phone numbers cannot be read. Try again later.", http_status=status)
    answer = sort_check(status, headers, body)
    return answer if isinstance(answer, AccountFault | Later) else Numbers(numbers=())


def _kind_of(status: int, code: int | None, known: Code | None) -> Kind:
    if status == 429:  # promised not to have been processed, whatever the code
        return Kind.LATER if known and known.kind is Kind.LATER else Kind.RETRY
    if status == 408 or status >= 500:
        return Kind.UNKNOWN  # a gateway may say this of a request that went through
    if status < 400:
        return Kind.ACCOUNT  # a redirect is not followed: the address is wrong
    if known and known.kind is not Kind.NOTICE:
        return known.kind
    if status in _STATUSES:
        return _STATUSES[status]
    among = range_of(code) if code is not None else None
    return among.kind if among else Kind.ACCOUNT


def _describe_status(status: int, code: int | None, kind: Kind) -> str:
    coded = f" and code {code}" if code is not None else ""
    answered = f"Twilio answered HTTP {status}{coded}"
    match kind:
        case Kind.UNKNOWN:
            return f"{answered}: it may have been sent. Look in Twilio's message log before sending it again."
        case Kind.RETRY | Kind.LATER:
            return f"{answered} and did not process the message. It is tried again."
        case Kind.ACCOUNT if status < 400:
            return f"{answered}, a redirect, which is not followed. Check SMSPIPE_TWILIO_API_URL."
        case Kind.ACCOUNT:
            return f"{answered}. Check the account SID, the credentials and SMSPIPE_TWILIO_API_URL."
        case _:
            more = f" Its meaning: https://www.twilio.com/docs/api/errors/{code}" if code is not None else ""
            return f"{answered} and refused the message.{more}"


def _read(body: bytes) -> _Body:
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError):  # HTML, nothing, half of it, or brackets without end
        return _Body()


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000_000:
        return value
    return None


def _mask(told: _Body) -> str | None:
    # The older shape has `message`, the newer one (RFC 9457) `detail` and `title`.
    for words in (told.message, told.detail, told.title):
        if isinstance(words, str) and words:
            return _mask_text(words)
    return None


def _mask_text(words: str) -> str:
    # Masked before it is cut: a number cut in two could fall below the seven digits that are looked for.
    masked = _NUMBERS.sub(lambda found: mask(re.sub(r"[^\d+]", "", found[0])), words)
    return masked if len(masked) <= _LONGEST_MESSAGE else masked[: _LONGEST_MESSAGE - 1] + "…"


def _least_wait(known: timedelta | None, asked: timedelta | None) -> timedelta | None:
    return max(known, asked) if known is not None and asked is not None else known or asked


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """
    Read Retry-After, in seconds or as a date; a date counts from the answer's own Date, so clocks need not agree.

    Source:
        RFC 9110, section 10.2.3.
    """
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return min(timedelta(seconds=int(given[:9])), LONGEST_WAIT)
    at, now = _date(given), _date(headers.get("date", ""))
    if at is None or now is None:
        return None
    return max(timedelta(), min(at - now, LONGEST_WAIT))


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo is not None else None

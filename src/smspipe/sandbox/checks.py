"""
What a create request must satisfy, in the order in which it is told.

Every rule is one of the Message resource's parameters or one of the magic numbers that Twilio
keeps for tests: a `To` or `From` that fails in a known way.

Sources:
    https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
    https://www.twilio.com/docs/iam/test-credentials
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from smspipe.sandbox.account import Account
from smspipe.sandbox.codes import Refusal
from smspipe.sandbox.segments import smart_encode

Form = Mapping[str, list[str]]
"""Fields of a form post; each name with all its values, in order."""

MAGIC_TO: Final = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_FROM: Final = {
    "+15005550001": 21212,
    "+15005550002": 21606,
    "+15005550003": 21606,
    "+15005550004": 21606,
    "+15005550007": 21606,
    "+15005550008": 21611,
    "+15005550009": 21606,
}
LONGEST_BODY: Final = 1600
_TRIAL_PREFIX: Final = "Sent from your Twilio trial account - "

E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_NORTH_AMERICA: Final = re.compile(r"\+1[2-9]\d{9}", re.ASCII)
_SHORT_CODE: Final = re.compile(r"\d{3,8}", re.ASCII)
_SENDER_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 \-+_&]{1,11}", re.ASCII)
_CHANNEL: Final = re.compile(r"(whatsapp|messenger|rcs):(.+)", re.ASCII)
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}")
_CONTENT: Final = re.compile(r"HX[0-9a-fA-F]{32}")
_UTC_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")

# Names with a closed set of values. What Twilio reserves or ignores is absent.
_CHOICES: Final = {
    "RiskCheck": {"enable", "disable"},
    "ContentRetention": {"retain", "discard"},
    "AddressRetention": {"retain", "obfuscate"},
    "ProvideFeedback": {"true", "false"},
    "SmartEncoded": {"true", "false"},
    "ShortenUrls": {"true", "false"},
    "SendAsMms": {"true", "false"},
}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A create request that passed: what the text will be. `sender` None: the service is to choose."""

    to: str
    sender: str | None
    service: str | None
    body: str
    media: tuple[str, ...]
    callback_url: str | None
    send_at: datetime | None
    validity: timedelta


def check_create(form: Form, account: Account) -> Draft | Refusal:
    """Check a create request against every rule; the first one broken is the answer."""
    to, sender = _first(form, "To"), _first(form, "From") or None
    service = _first(form, "MessagingServiceSid") or None
    if not to:
        return Refusal(code=21604)
    if sender is None and service is None:
        return Refusal(code=21603)
    code = _check_service(service, account) or _check_to(to) or _check_pair(to, sender, account)
    if code:
        return Refusal(code=code)
    body = _read_body(form, account)
    if isinstance(body, Refusal):
        return body
    send_at = _read_schedule(form, service, account.clock())
    if isinstance(send_at, Refusal):
        return send_at
    if refusal := _check_options(form, service):
        return refusal
    if account.has_opted_out(to, sender, service) and not (sender and is_toll_free(sender)):
        return Refusal(code=21610)
    return Draft(
        to=to,
        sender=sender,
        service=service,
        body=body,
        media=tuple(form.get("MediaUrl", [])),
        callback_url=_first(form, "StatusCallback") or None,
        send_at=send_at,
        validity=timedelta(seconds=int(_first(form, "ValidityPeriod") or 36_000)),
    )


def is_toll_free(number: str) -> bool:
    """Tell whether a number is toll-free in North America, where carriers themselves keep the opt-outs."""
    return bool(re.fullmatch(r"\+18(00|33|44|55|66|77|88)\d{7}", number))


def is_sender_name(sender: str) -> bool:
    """Tell whether a sender is an alphanumeric name, which cannot be answered."""
    return not E164.fullmatch(sender) and bool(_SENDER_NAME.fullmatch(sender))


def _first(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _check_service(service: str | None, account: Account) -> int | None:
    if service is None:
        return None
    if not _SERVICE.fullmatch(service):
        return 21705
    known = account.settings.messaging_services
    if known is not None and service not in known:
        return 21701
    return None if account.pool(service) else 21704


def _check_to(to: str) -> int | None:
    if to in MAGIC_TO:
        return MAGIC_TO[to]
    if channel := _CHANNEL.fullmatch(to):
        return None if channel[1] == "messenger" or _is_number(channel[2]) else 21211
    if _SHORT_CODE.fullmatch(to):
        return 21265
    if to.startswith(("+1900", "+1976")) and _is_number(to):
        return 21268
    return None if _is_number(to) else 21211


def _check_pair(to: str, sender: str | None, account: Account) -> int | None:
    """Check `From`, by itself and against `To`."""
    if sender is None:
        return None
    if sender in MAGIC_FROM:
        return MAGIC_FROM[sender]
    if sender == to:
        return 21266
    to_channel, channel = _CHANNEL.fullmatch(to), _CHANNEL.fullmatch(sender)
    if (to_channel and to_channel[1]) != (channel and channel[1]):
        return 21910
    if channel:
        return None if channel[1] != "whatsapp" or _is_number(channel[2]) else 21212
    if _is_number(sender) or _SHORT_CODE.fullmatch(sender):
        own = account.settings.own_numbers
        return None if own is None or sender in own or sender == "+15005550006" else 21659
    if not _SENDER_NAME.fullmatch(sender):
        return 21212
    if account.settings.trial:
        return 21267
    # Carriers in North America do not carry sender names.
    return 21612 if to.startswith("+1") else None


def _is_number(text: str) -> bool:
    if text.startswith("+1"):
        return bool(_NORTH_AMERICA.fullmatch(text))
    return bool(E164.fullmatch(text))


def _read_body(form: Form, account: Account) -> str | Refusal:
    body, media, content = _first(form, "Body"), form.get("MediaUrl", []), _first(form, "ContentSid")
    if refusal := _check_content(form, content, account):
        return refusal
    if not body and not media and not content:
        return Refusal(code=21602)
    # Emoji count as two: the limit is one of UTF-16 code units, not of characters.
    if len(body.encode("utf-16-le", "surrogatepass")) // 2 > LONGEST_BODY:
        return Refusal(code=21617)
    if len(media) > 10:
        return Refusal(code=21623)
    if not all(_is_web_address(url) for url in media):
        return Refusal(code=21620)
    if content:
        body = _render_content(content, _first(form, "ContentVariables"), account)
    if _first(form, "SmartEncoded").lower() == "true":
        body = smart_encode(body)
    return _TRIAL_PREFIX + body if account.settings.trial else body


def _check_content(form: Form, content: str, account: Account) -> Refusal | None:
    variables = _first(form, "ContentVariables")
    if not content:
        return Refusal(code=21654) if variables else None
    known = account.settings.contents
    if not _CONTENT.fullmatch(content) or (known is not None and content not in known):
        return Refusal(code=21655)
    if variables:
        try:
            msgspec.json.decode(variables, type=dict[str, str])
        except msgspec.DecodeError:
            return Refusal(code=21656)
    return None


def _render_content(content: str, variables: str, account: Account) -> str:
    """Fill a template in; one that the sandbox was not told shows what it was given."""
    if account.settings.contents is None:
        return f"{content} {variables}".strip()
    body = account.settings.contents[content]
    for name, value in (msgspec.json.decode(variables, type=dict[str, str]) if variables else {}).items():
        body = body.replace("{{" + name + "}}", value)
    return body


def _read_schedule(form: Form, service: str | None, now: datetime) -> datetime | Refusal | None:
    """Read `SendAt`. Without a Messaging Service Twilio drops it, and the text goes out at once."""
    send_at, kind = _first(form, "SendAt"), _first(form, "ScheduleType")
    if service is None or not (send_at or kind):
        return None
    if kind not in {"", "fixed"}:
        return Refusal(code=35126)
    if not send_at:
        return Refusal(code=35111)
    if not kind:
        return None  # both are needed; one alone schedules nothing
    if not _UTC_TIME.fullmatch(send_at):
        return Refusal(code=35114)
    try:
        at = datetime.fromisoformat(send_at).astimezone(UTC)
    except ValueError:
        return Refusal(code=35114)
    return at if timedelta(seconds=300) <= at - now <= timedelta(days=35) else Refusal(code=35114)


def _check_options(form: Form, service: str | None) -> Refusal | None:
    callback, validity, attempt = (_first(form, name) for name in ("StatusCallback", "ValidityPeriod", "Attempt"))
    if callback and not _is_callback(callback):
        return Refusal(code=21609)
    if validity and not (re.fullmatch(r"\d{1,5}", validity, re.ASCII) and 1 <= int(validity) <= 36_000):
        return Refusal(code=21624)
    if attempt and not re.fullmatch(r"\d{1,9}", attempt, re.ASCII):
        return Refusal(code=20422, detail="Attempt must be a whole number.")
    for name, choices in _CHOICES.items():
        if (given := _first(form, name)) and given.lower() not in choices:
            return Refusal(code=20422, detail=f"{name} must be one of: {', '.join(sorted(choices))}.")
    if _first(form, "ContentRetention") == "discard":
        return Refusal(code=30029)
    if _first(form, "AddressRetention") == "obfuscate":
        return Refusal(code=30030)
    if _first(form, "FallbackFrom") and service is None:
        return Refusal(code=21664)
    return None


def _is_callback(url: str) -> bool:
    return len(url) <= 4000 and _is_web_address(url) and "_" not in (urlsplit(url).hostname or "")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False

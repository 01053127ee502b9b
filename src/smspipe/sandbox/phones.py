"""
Virtual phones: what a recipient's phone shows, and what happens when somebody answers from it.

A text that consists of one keyword changes who may be written to. STOP to a number of a Messaging
Service stops the whole service. Twilio confirms by itself, and still tells the customer.

Source:
    https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
    https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from smspipe.sandbox.account import Account
from smspipe.sandbox.checks import E164, is_sender_name, is_toll_free
from smspipe.sandbox.messages import API_VERSION, Direction, Message, Status
from smspipe.sandbox.segments import count_segments
from smspipe.sandbox.webhooks import Outcome

STOP_WORDS: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS: Final = frozenset({"START", "YES", "UNSTOP"})
HELP_WORDS: Final = frozenset({"HELP", "INFO"})
_CONFIRMATIONS: Final = {
    "STOP": "You will get no more texts from this number. Reply START to get them again.",
    "START": "You will get texts from this number again. Reply HELP for help, STOP to end.",
    "HELP": "Reply STOP to get no more texts from this number. Rates may apply.",
}

Post = Callable[[str, list[tuple[str, str]], str], Awaitable[Outcome]]
"""URL, fields and idempotency token of a webhook → what became of it."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text that somebody writes on a virtual phone, to the sender `to`."""

    to: str
    body: str = ""
    media_urls: list[str] = []


def keyword_of(body: str, sender: str) -> str | None:
    """
    Say which of STOP, START and HELP a text is; the whole of it counts, in any case.

    On toll-free numbers the carriers keep the opt-outs and know fewer words.
    """
    word = body.strip().upper()
    if is_toll_free(sender):
        return {"STOP": "STOP", "UNSTOP": "START", "START": "START"}.get(word)
    if word in STOP_WORDS:
        return "STOP"
    if word in START_WORDS:
        return "START"
    return "HELP" if word in HELP_WORDS else None


def check_reply(phone: str, reply: Reply) -> str | None:
    """Say in one sentence what is wrong with a reply; None when nothing is."""
    if not E164.fullmatch(phone):
        return "The phone's number must be in E.164, such as +14155552671."
    if is_sender_name(reply.to):
        return "A sender name cannot be answered; 'to' must be a number or short code."
    if not (E164.fullmatch(reply.to) or reply.to.isdecimal()):
        return "'to' must be the number or short code that the phone answers to."
    if reply.to == phone:
        return "'to' must be another number than the phone's own."
    return None


async def receive_reply(account: Account, post: Post, phone: str, reply: Reply) -> dict[str, Any]:
    """
    Take in a text from a virtual phone: keep it, heed its keyword, tell the customer.

    Returns:
        `sid` of the inbound text, `opt_out` (STOP, START, HELP or None), and `webhook`: None when
        no URL is configured, else the status of the answer, the number of tries and `error_code`,
        Twilio's code for an answer that it could not use.
    """
    keyword = keyword_of(reply.body, reply.to)
    scopes = account.scopes_of(reply.to)
    pairs = {(scope, phone) for scope in scopes}
    if keyword == "STOP":
        account.opted_out |= pairs
    elif keyword == "START":
        account.opted_out -= pairs
    services = sorted(scope for scope in scopes if scope.startswith("MG"))
    message = _keep(account, Direction.INBOUND, sender=phone, reply=reply, service=services[0] if services else None)
    if keyword is not None:
        confirmation = Reply(to=phone, body=_CONFIRMATIONS[keyword])
        _keep(account, Direction.REPLY, sender=reply.to, reply=confirmation, service=message.service)
    webhook = None
    if account.settings.inbound_url is not None:
        fields = inbound_fields(message, keyword if account.settings.advanced_opt_out else None)
        outcome = await post(account.settings.inbound_url, fields, message.sid)
        webhook = {"status": outcome.status, "attempts": outcome.attempts, "error_code": _judge(outcome)}
    return {"sid": message.sid, "opt_out": keyword, "webhook": webhook}


def inbound_fields(message: Message, opt_out_type: str | None) -> list[tuple[str, str]]:
    """Write the form fields of the webhook for an inbound text."""
    fields = [
        ("ToCountry", ""),
        ("ToState", ""),
        ("SmsMessageSid", message.sid),
        ("NumMedia", str(len(message.media))),
        ("ToCity", ""),
        ("FromZip", ""),
        ("SmsSid", message.sid),
        ("FromState", ""),
        ("SmsStatus", "received"),
        ("FromCity", ""),
        ("Body", message.body),
        ("FromCountry", ""),
        ("To", message.to),
        ("ToZip", ""),
        ("NumSegments", str(message.segments)),
        ("MessageSid", message.sid),
        ("AccountSid", message.account_sid),
        ("From", message.sender or ""),
        ("ApiVersion", API_VERSION),
    ]
    if message.service is not None:
        fields.append(("MessagingServiceSid", message.service))
    if opt_out_type is not None:
        fields.append(("OptOutType", opt_out_type))
    for index, url in enumerate(message.media):
        fields += [(f"MediaUrl{index}", url), (f"MediaContentType{index}", "application/octet-stream")]
    return fields


def _keep(account: Account, direction: Direction, *, sender: str, reply: Reply, service: str | None) -> Message:
    now = account.clock()
    account.message_count += 1
    inbound = direction is Direction.INBOUND
    message = Message(
        number=account.message_count,
        sid=account.make_sid("MM" if reply.media_urls else "SM"),
        account_sid=account.sid,
        direction=direction,
        to=reply.to,
        sender=sender,
        service=service,
        body=reply.body,
        media=tuple(reply.media_urls),
        segments=count_segments(reply.body),
        status=Status.RECEIVED if inbound else Status.DELIVERED,
        created_at=now,
        updated_at=now,
        sent_at=now,
    )
    account.messages.add(message)
    return message


def _judge(outcome: Outcome) -> int | None:
    """Give the code that Twilio's debugger would show for the customer's answer: it wants TwiML, or nothing."""
    if outcome.status is None or outcome.status >= 400:
        return 11200
    if not outcome.body.strip():
        return None
    if outcome.content_type not in {"text/xml", "application/xml", "text/html", "text/plain"}:
        return 12300
    if outcome.content_type != "text/plain" and b"<Response" not in outcome.body:
        return 12100
    return None

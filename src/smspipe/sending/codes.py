"""
Twilio's error codes as a table: what each means, in our words, and what a person can do about it.

One number space serves the refusal of a request and the failure of a text that was taken. Twilio splits codes over time
and advises against logic on single ones, so the table is data: an answer is looked up here first, then judged by its
HTTP status, then by the range of its code (see `response`). A code that is not known pauses nothing by itself when it
comes with a text that failed: it is told, with the address of Twilio's own page on it.

Source:
    https://www.twilio.com/docs/api/errors
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec


class Kind(StrEnum):
    """What a code says about sending again."""

    PERMANENT = "permanent"
    """This message or recipient cannot work."""
    OPT_OUT = "opt_out"
    """The recipient said STOP: nothing more until START."""
    RETRY = "retry"
    """Passing, and known not to have been sent."""
    LATER = "later"
    """Passing, but slowly: worth a new try after a good while, if at all."""
    ACCOUNT = "account"
    """The account, its credentials or smspipe's settings are wrong: no message can work until somebody mends them."""
    SENDER = "sender"
    """This sender cannot send: none of its messages can work until somebody mends it; other senders can."""
    UNKNOWN = "unknown"
    """It may have been sent: never just repeated."""
    NOTICE = "notice"
    """A warning; nothing failed."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What an error means, for the machine and for a person."""

    kind: Kind
    meaning: str
    """One sentence."""
    advice: str
    """What to do, one sentence."""
    wait: timedelta | None = None
    """Least time that is worth waiting before the next try, where Twilio tells one."""


class Code(Explanation, frozen=True, kw_only=True):
    """One of Twilio's error codes."""

    code: int


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Codes that belong together, for those of them that are not in the table."""

    first: int
    last: int
    kind: Kind
    """Of a request that was refused; a text that failed with such a code is a permanent failure."""
    about: str
    """What the codes are about, the end of a sentence."""


def _same(kind: Kind, codes: tuple[int, ...], meaning: str, advice: str, wait: timedelta | None = None) -> list[Code]:
    return [Code(code=code, kind=kind, meaning=meaning, advice=advice, wait=wait) for code in codes]


_OURS: Final = "This is a fault in smspipe or in a destination's settings: please report it with the delivery's id."
_NUMBER: Final = "Correct the number where the event or person gets it from."

_AUTHENTICATION: Final = [
    *_same(
        Kind.ACCOUNT,
        (20003,),
        "Twilio does not accept the credentials.",
        "Check the account SID and the auth token or API key, and that they belong to the same account and region.",
    ),
    *_same(
        Kind.ACCOUNT,
        (20005,),
        "The Twilio account is not active.",
        "Look in the Twilio console whether it is suspended, closed or out of funds.",
    ),
    *_same(
        Kind.ACCOUNT,
        (20006, 20010, 20403),
        "The credentials have no permission for this.",
        "Give the API key the permission to create messages, or use another one.",
    ),
    *_same(
        Kind.ACCOUNT,
        (20008,),
        "Twilio's test credentials cannot do this.",
        "Use the live credentials, or the sandbox.",
    ),
    *_same(
        Kind.ACCOUNT,
        (20404,),
        "Twilio knows no such account at this address.",
        "Check the account SID, and that SMSPIPE_TWILIO_API_URL names the account's region.",
    ),
    *_same(
        Kind.ACCOUNT,
        (20426,),
        "Twilio wants the request made over a newer or a secure protocol.",
        "Check that SMSPIPE_TWILIO_API_URL begins with https://.",
    ),
]

_PROCESSING: Final = [
    *_same(
        Kind.PERMANENT,
        (20001, 20422),
        "Twilio found a parameter of the request unknown or out of range.",
        _OURS,
    ),
    *_same(
        Kind.RETRY,
        (20429,),
        "Too many requests of this account were under way at once; this one was not processed.",
        "Nothing to do: it is tried again. If it keeps happening, lower the number of concurrent requests.",
    ),
    *_same(
        Kind.UNKNOWN,
        (20500,),
        "Twilio failed inside, and does not say whether the message was created.",
        "Look in Twilio's message log before sending it again.",
    ),
    *_same(
        Kind.UNKNOWN,
        (20503,),
        "Twilio was unavailable, and does not say whether the message was created.",
        "Look in Twilio's message log before sending it again.",
    ),
]

_RECIPIENT: Final = [
    *_same(Kind.PERMANENT, (21211,), "The recipient is not a valid phone number.", _NUMBER),
    *_same(Kind.PERMANENT, (21214, 21217), "The recipient's number seems invalid or cannot be reached.", _NUMBER),
    *_same(Kind.PERMANENT, (21265,), "The recipient is a short code, which cannot receive texts.", _NUMBER),
    *_same(
        Kind.PERMANENT,
        (21266, 63031),
        "Sender and recipient are the same number.",
        "Send from another number, or leave this recipient out with a filter.",
    ),
    *_same(
        Kind.PERMANENT,
        (21268,),
        "The recipient is a premium or information number.",
        "Find out how the number came into the event: such numbers are a sign of fraud.",
    ),
    *_same(
        Kind.PERMANENT,
        (21408,),
        "The account may not send to the recipient's country.",
        "Switch the country on under Messaging, Geo permissions in the Twilio console, or leave it out with a filter.",
    ),
    *_same(
        Kind.PERMANENT,
        (21608,),
        "A trial account can send to verified numbers only, and the recipient is not one.",
        "Verify the number in the Twilio console, or upgrade the account.",
    ),
    *_same(
        Kind.OPT_OUT,
        (21610,),
        "The recipient has opted out of texts from this sender.",
        "Nothing to do: no text goes there until the recipient answers START.",
    ),
    *_same(
        Kind.PERMANENT,
        (21612,),
        "Twilio has no route from this sender to this recipient.",
        "Use a sender that can reach the recipient's country and carrier.",
    ),
    *_same(Kind.PERMANENT, (21614,), "The recipient is not a mobile number.", _NUMBER),
    *_same(Kind.PERMANENT, (21635,), "The recipient is a landline, which cannot receive texts.", _NUMBER),
    *_same(
        Kind.PERMANENT,
        (14107,),
        "Twilio stopped a loop: two numbers answered each other too many times within seconds.",
        "Find the automatic reply at the other number, and leave that number out.",
    ),
]

_SENDER: Final = [
    *_same(
        Kind.SENDER,
        (21212,),
        "The sender is not a valid phone number or sender ID.",
        "Enter a number of the account in the form +15005550006, a short code or a sender ID.",
    ),
    *_same(
        Kind.SENDER,
        (21267,),
        "A trial account cannot send from an alphanumeric sender ID.",
        "Upgrade the account, or send from a number.",
    ),
    *_same(
        Kind.SENDER,
        (21601, 21606, 21659, 21660, 21661),
        "The sender is not a number of this account that can send texts.",
        "Choose a number that the Twilio console lists for this account with the SMS capability.",
    ),
    *_same(
        Kind.RETRY,
        (21611,),
        "The sender's queue at Twilio is full; this message was not taken.",
        "Nothing to do: it is tried again in some minutes. If it keeps happening, send less or from more numbers.",
        timedelta(minutes=5),
    ),
    *_same(
        Kind.SENDER,
        (21616,),
        "The sender stands for more than one number of the account.",
        "Enter the sender's full number.",
    ),
    *_same(
        Kind.SENDER,
        (21657, 21709),
        "An alphanumeric sender ID is not allowed here.",
        "Send from a number, or register the sender ID for the recipient's country.",
    ),
    *_same(
        Kind.SENDER,
        (21701, 21702, 21705),
        "The Messaging Service is missing, unavailable, or its SID is malformed.",
        "Check the SID (MG…) of the Messaging Service in the Twilio console.",
    ),
    *_same(
        Kind.SENDER,
        (21703,),
        "The Messaging Service has no sender that can be used for this recipient.",
        "Add a number to the service's sender pool that can reach the recipient's country.",
    ),
    *_same(
        Kind.SENDER,
        (21704,),
        "The Messaging Service has no senders.",
        "Add a number to the service's sender pool.",
    ),
]

_CONTENT: Final = [
    *_same(
        Kind.PERMANENT,
        (21602, 21603, 21604, 21619),
        "The request lacked the text, the sender or the recipient.",
        _OURS,
    ),
    *_same(
        Kind.ACCOUNT,
        (21609,),
        "Twilio cannot use the address for status reports.",
        "Check SMSPIPE_PUBLIC_URL: a public http or https address without an underscore in its host.",
    ),
    *_same(
        Kind.PERMANENT,
        (21617,),
        "The text is longer than the 1600 characters that Twilio takes.",
        "Shorten the template, or switch on cutting of long texts.",
    ),
    *_same(
        Kind.PERMANENT,
        (21618,),
        "Every carrier would filter out this text.",
        "Change the text: filters dislike public link shorteners, a missing sender name and forbidden subjects.",
    ),
    *_same(Kind.PERMANENT, (21620, 21623), "The media are too many, or their address is not usable.", _OURS),
    *_same(Kind.PERMANENT, (21624, 30012, 30013, 30045), "The validity period is out of range.", _OURS),
    *_same(Kind.PERMANENT, (21654, 21655, 21656, 21658), "The content template or its variables are wrong.", _OURS),
    *_same(
        Kind.PERMANENT,
        (21664, 21666, 21667),
        "The sender to fall back on does not fit the Messaging Service.",
        "Leave it out, or use a Messaging Service with a sender of the other channel.",
    ),
    *_same(
        Kind.PERMANENT,
        (30029, 30030),
        "The retention options need Message Privacy, which the account does not have.",
        "Leave the retention options out, or have Message Privacy switched on by Twilio.",
    ),
    *_same(Kind.PERMANENT, (35111, 35114, 35115, 35116, 35117, 35118, 35126), "The scheduling is wrong.", _OURS),
    *_same(
        Kind.RETRY,
        (35125,),
        "The account has reached Twilio's limit of scheduled messages.",
        "Nothing to do: it is tried again. Cancel scheduled messages that are not needed.",
    ),
]

_DELIVERY: Final = [
    *_same(
        Kind.LATER,
        (30001,),
        "The queue of the sender or its Messaging Service overflowed.",
        "Send less at once, or add numbers to the sender pool.",
        timedelta(minutes=5),
    ),
    *_same(
        Kind.ACCOUNT,
        (30002,),
        "The account was suspended after the message was queued.",
        "Look in the Twilio console why it is suspended.",
    ),
    *_same(
        Kind.LATER,
        (30003,),
        "The phone is switched off or out of reach.",
        "Try once or twice more after half an hour or later.",
        timedelta(minutes=30),
    ),
    *_same(
        Kind.PERMANENT,
        (30004,),
        "The message was blocked by the phone, the carrier or a do-not-contact list.",
        "Do not send to this number; after a text from a toll-free number it means that the recipient said STOP.",
    ),
    *_same(Kind.PERMANENT, (30005,), "The number is unknown or no longer in service.", _NUMBER),
    *_same(Kind.PERMANENT, (30006,), "The number is a landline, or its carrier cannot be reached.", _NUMBER),
    *_same(
        Kind.PERMANENT,
        (30007,),
        "Twilio or the carrier filtered the message out.",
        "Change the text before sending more of it: name the sender, avoid public link shorteners.",
    ),
    *_same(Kind.LATER, (30008,), "The carrier gave no reason for the failure.", "Try once more after a while."),
    *_same(
        Kind.PERMANENT,
        (30010,),
        "The message would have cost more than the price limit that was set for it.",
        "Remove the price limit: Twilio has given it up.",
    ),
    *_same(Kind.PERMANENT, (30011,), "The recipient's number cannot receive MMS.", "Send it as a plain text."),
    *_same(Kind.PERMANENT, (21621,), "The sender cannot send MMS.", "Send it as a plain text, or from another number."),
    *_same(
        Kind.PERMANENT,
        (30014, 30015, 30016),
        "Sender and recipient belong to different channels.",
        "Use a sender of the recipient's channel.",
    ),
    *_same(Kind.LATER, (30017,), "The carrier's network is congested.", "Try again after a while."),
    *_same(
        Kind.SENDER,
        (30018, 30024),
        "The sender ID is not registered with the recipient's carrier.",
        "Register the sender ID for that country in the Twilio console, or send from a number.",
    ),
    *_same(
        Kind.PERMANENT,
        (30019,),
        "The text is too long for the recipient's carrier.",
        "Shorten it; characters outside GSM-7 take more than twice the room.",
    ),
    *_same(Kind.LATER, (30020, 30021), "Twilio failed inside while delivering.", "Try again after a while."),
    *_same(
        Kind.LATER,
        (30022,),
        "The sender's campaign went over its rate.",
        "Send less at once, or raise the campaign's throughput.",
    ),
    *_same(
        Kind.LATER,
        (30023, 30027),
        "The sender's brand has used up its messages for the day at this carrier.",
        "Wait for the next day (midnight, Pacific time), or ask for a higher daily limit.",
    ),
    *_same(
        Kind.NOTICE,
        (30025, 30026),
        "A good part of the brand's messages for the day is used up.",
        "Nothing failed; send less today, or ask for a higher daily limit.",
    ),
    *_same(
        Kind.SENDER,
        (30032,),
        "The toll-free number is not verified.",
        "Verify the number in the Twilio console.",
    ),
    *_same(
        Kind.SENDER,
        (30033, 30034, 30035),
        "The sender's 10DLC campaign is suspended, missing or still being set up.",
        "Register the brand and the campaign in the Twilio console, and add the number to it.",
    ),
    *_same(
        Kind.LATER,
        (30036,),
        "The message waited in Twilio's queue until its validity ended.",
        "Send less at once, or from more numbers; send it again only if it still matters.",
    ),
    *_same(
        Kind.LATER,
        (30047,),
        "Twilio's Compliance Toolkit could not move the message to an allowed hour; it was not sent.",
        "Send it at an allowed hour, or set quiet hours at the destination.",
    ),
    *_same(
        Kind.UNKNOWN,
        (30410,),
        "The carrier's answer never came: the text may have arrived.",
        "Do not send it again without asking the recipient.",
    ),
    *_same(
        Kind.LATER,
        (30450,),
        "Twilio's protection against SMS pumping blocks texts to this range of numbers.",
        "Find out how these numbers came into the events; send again to people you know only.",
        timedelta(minutes=30),
    ),
    *_same(
        Kind.LATER,
        (30453,),
        "Twilio's protection against SMS pumping blocks texts to this number.",
        "Find out how the number came into the event; send again to people you know only.",
        timedelta(hours=3),
    ),
    *_same(
        Kind.LATER,
        (30610,),
        "Twilio's Compliance Toolkit blocked the message in the recipient's quiet hours.",
        "Set quiet hours at the destination, so that it waits instead.",
    ),
    *_same(
        Kind.PERMANENT,
        (30640,),
        "Twilio's Compliance Toolkit knows the recipient as one who sues over texts.",
        "Do not send to this number.",
    ),
]

_CHANNELS: Final = [
    *_same(
        Kind.SENDER,
        (63001, 63002, 63007, 63008, 63020, 63051),
        "The channel's sender or account is not set up rightly.",
        "Check the sender of this channel in the Twilio console.",
    ),
    *_same(Kind.PERMANENT, (63003, 63024), "The channel knows no such recipient.", _NUMBER),
    *_same(
        Kind.PERMANENT,
        (63015,),
        "The sender is Twilio's sandbox of the channel, and the recipient has not joined it.",
        "Let the recipient join the sandbox, or send from a sender of your own.",
    ),
    *_same(
        Kind.PERMANENT,
        (63019, 63034),
        "The media cannot be fetched from their address, or are too large for the channel.",
        "Check that the address is public and what it gives is small enough.",
    ),
    *_same(Kind.LATER, (63009, 63010, 63012, 63037), "The channel failed inside.", "Try again after a while."),
    *_same(
        Kind.PERMANENT,
        (63016,),
        "The recipient wrote last more than 24 hours ago, and WhatsApp takes only approved templates then.",
        "Send an approved template.",
    ),
    *_same(
        Kind.LATER,
        (63017, 63018, 63038),
        "The channel's rate or daily limit is reached.",
        "Send less at once, or wait for the next day.",
    ),
    *_same(
        Kind.PERMANENT,
        (63005, 63006, 63013, 63021, 63026, 63027, 63028, 63040, 63041, 63042),
        "The channel does not accept this content or template.",
        "Change the text, or have the template approved.",
    ),
    *_same(
        Kind.PERMANENT,
        (63014, 63032, 63033, 63036),
        "The recipient cannot be reached on this channel.",
        "Send it as a plain text.",
    ),
]

CODES: Final[Mapping[int, Code]] = {
    row.code: row
    for row in [
        *_AUTHENTICATION,
        *_PROCESSING,
        *_RECIPIENT,
        *_SENDER,
        *_CONTENT,
        *_DELIVERY,
        *_CHANNELS,
    ]
}


RANGES: Final = (
    Range(first=20000, last=20999, kind=Kind.ACCOUNT, about="the account, its rights, or the request as such"),
    Range(first=21000, last=21999, kind=Kind.PERMANENT, about="the recipient, the sender or the content of a message"),
    Range(first=30000, last=30999, kind=Kind.PERMANENT, about="the delivery of a message"),
    Range(first=35000, last=35999, kind=Kind.PERMANENT, about="the scheduling of a message"),
    Range(first=63000, last=63999, kind=Kind.PERMANENT, about="channels such as WhatsApp"),
)
"""What is known of codes that the table does not have."""

_TOLL_FREE: Final = re.compile(r"\+1(?:800|833|844|855|866|877|888)\d{7}").fullmatch
_STOPPED: Final = Explanation(
    kind=Kind.OPT_OUT,
    meaning="The recipient has opted out of texts from this toll-free number.",
    advice="Nothing to do: no text goes there until the recipient answers START or UNSTOP.",
)
_SILENT: Final = Explanation(
    kind=Kind.PERMANENT,
    meaning="Twilio gave no reason for the failure.",
    advice="Look the message up by its SID in Twilio's message log.",
)


def describe(code: int) -> Code | None:
    """Look up what is known of Twilio's error `code`; None when it is not in the table."""
    return CODES.get(code)


def range_of(code: int) -> Range | None:
    """Say among which codes one belongs, whether it is in the table or not; None when that is not known either."""
    return next((each for each in RANGES if each.first <= code <= each.last), None)


def explain_delivery_error(code: int | None, sender: str | None) -> Explanation:
    """
    Explain why a text that Twilio took has failed or was not delivered.

    Args:
        code: Twilio's code, None when it gave none.
        sender: what it was sent from. It decides one case: carriers report STOP to a toll-free number of the US or
            Canada as a plain block (30004).

    Returns:
        The kind says what follows: `opt_out` that the recipient is written to no more, `sender` and `account` that
        other texts will fail as well, `later` that the same text would be worth another try, `unknown` that it may
        have arrived. A code that is not in the table is `permanent`.

    Source:
        https://help.twilio.com/articles/223134027
    """
    if code is None:
        return _SILENT
    if code == 30004 and sender is not None and _TOLL_FREE(sender):
        return _STOPPED
    if (known := CODES.get(code)) is not None:
        return known
    among = range_of(code)
    told = f", one of those about {among.about}" if among else ""
    return Explanation(
        kind=Kind.PERMANENT,
        meaning=f"Twilio gave code {code}, which is not known here{told}.",
        advice=f"Look it up at https://www.twilio.com/docs/api/errors/{code} before sending more of the kind.",
    )

"""
Whom a text goes to and whom it comes from: what people write as a number, made E.164 or refused with the reason.

*Possible* by length is enough to be sent to: numbering plans change faster than any table of them, so a number that
the table calls not valid is a doubt that is shown, not a refusal.

An address of another channel than SMS is a prefix and what it names there, `whatsapp:+14155552671`. The prefix is taken
off before the number is read and put back afterwards; a recipient without one is on its sender's channel.

Source: https://www.twilio.com/docs/glossary/what-e164 and libphonenumber's FAQ; for channels,
https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource.
"""

import re
from functools import lru_cache
from typing import Any, Final

import msgspec
import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from smspipe.model.errors import Invalid
from smspipe.model.outcome import Reason, Refusal
from smspipe.model.phone import E164, mask

# Marks that people and address books write between digits; the last are invisible and come with copied numbers.
_BETWEEN: Final = dict.fromkeys(
    map(ord, " \t\n\r\xa0\u2000\u2002\u2003\u2007\u2009\u202f\u3000-.()/\u2010\u2011\u2012\u2013\u2014\u2015\u2212")
) | dict.fromkeys(map(ord, "\xad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"))
_CLEAN: Final = _BETWEEN | {ord("＋"): "+"}

_CHANNEL = re.compile(r"\s*([A-Za-z]+):")
_SAME_AS_NONE: Final = frozenset({"tel", "sms"})
CHANNELS: Final = ("whatsapp", "messenger", "rcs")
"""The channels beside SMS that Twilio's create call has."""
ANY_CHANNEL: Final = "*"
"""That of a Messaging Service, which may have senders of several channels."""
_CHANNEL_ID = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_DIGITS = re.compile(r"\+?[0-9]+")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 \-+_&]{1,11}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_SERVICE_CHARACTERS: Final = 34
_LONGEST_NAME: Final = 11
_NAME_CHARACTERS = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 \-+_&]+")

# Nobody writes a number in more characters; a longer text is not looked at.
_LONGEST: Final = 64
_TOO_BIG: Final = 10**15

_NO_CHANNEL: Final = "it is an address of another channel; give the number alone to send a text to it"
_WRONG_CHANNEL: Final = "it is an address of another channel than the sender's; give the number alone"
_NO_ID: Final = "Messenger knows its users by letters and digits"
_NEEDS_PLUS: Final = "it does not begin with + and a country code, and no default country is set to read it in"


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A number that a text can be sent to, and a sentence on why it may not arrive, where there is a doubt."""

    number: E164
    """On another channel than SMS with its prefix."""
    doubt: str | None = None


def channel_of(sender: str) -> str:
    """Give the channel of a sender from `check_sender`: one of `CHANNELS`, "" for SMS, or `ANY_CHANNEL`."""
    if ":" in sender:
        return sender[: sender.index(":")]
    return ANY_CHANNEL if len(sender) == _SERVICE_CHARACTERS else ""


def find_recipient(value: Any, default_country: str | None, channel: str = "") -> Recipient | Refusal:
    """
    Read a phone number from what a template gave: any JSON value.

    Spaces, dashes, dots, slashes, brackets and invisible marks between the digits are passed over, `00` at the
    beginning is `+`, `tel:` and `sms:` are dropped. A whole number is read as its digits.

    Args:
        value: text or whole number; null, blank and the text `null` (what PostHog prints for it) are no recipient.
        default_country: ISO country that a number without `+` is read in; None refuses such numbers.
        channel: the sender's, from `channel_of`: what names no channel itself is on this one.

    Returns:
        The recipient, or a refusal: RECIPIENT_MISSING, or RECIPIENT_INVALID with a sentence in `saw` that shows the
        number masked at most. Letters (`1-800-FLOWERS`) and addresses of other channels than the sender's are invalid.
    """
    match value:
        case str():
            text = value
        case None:
            return _missing()
        case bool():
            return _invalid("it is true or false, not a number to send to")
        case int() | float() if 0 < value < _TOO_BIG and value == int(value):
            text = str(int(value))
        case int() | float():
            return _invalid("no phone number is negative, a fraction or as large as that")
        case _:
            return _invalid("it is a list or an object, not one phone number")
    if not text or text.isspace() or text.strip() == "null":
        return _missing()
    if len(text) > _LONGEST:
        return _invalid("it is too long for a phone number")
    return _read(text, default_country.upper() if default_country else None, channel)


@lru_cache(maxsize=4096)
def _read(text: str, country: str | None, channel: str) -> Recipient | Refusal:
    """Read an address; remembered, because parsing takes some 80 µs and the same people get several texts."""
    own = ""
    if prefix := _CHANNEL.match(text):
        own = "" if prefix[1].lower() in _SAME_AS_NONE else prefix[1].lower()
        if own and own not in (CHANNELS if channel == ANY_CHANNEL else (channel,)):
            return _invalid(_WRONG_CHANNEL if channel else _NO_CHANNEL)
        text = text[prefix.end() :]
    own = own or channel.replace(ANY_CHANNEL, "")
    if own == "messenger":
        name = text.strip()
        return Recipient(number=E164(f"{own}:{name}")) if _CHANNEL_ID.fullmatch(name) else _invalid(_NO_ID)
    found = _read_number(text, country)
    if own and isinstance(found, Recipient):
        return Recipient(number=E164(f"{own}:{found.number}"), doubt=found.doubt)
    return found


def _read_number(text: str, country: str | None) -> Recipient | Refusal:
    if any(character.isalpha() for character in text):
        return _invalid("it has letters in it")
    if "," in text or ";" in text:
        return _invalid("it has a comma or semicolon in it; give one number for each recipient")
    number = "".join(
        str(int(character)) if character.isdecimal() else character for character in text.translate(_CLEAN)
    )
    if not _DIGITS.fullmatch(number):
        return _invalid("it has characters in it that no phone number has")
    if number.startswith("00"):
        number = "+" + number[2:]
    return _parse(number, country)


def _parse(number: str, country: str | None) -> Recipient | Refusal:
    """Read digits, with or without `+`, by the numbering plan of their country."""
    if not number.startswith("+") and country not in phonenumbers.SUPPORTED_REGIONS:
        return _invalid(_NEEDS_PLUS, number)
    try:
        parsed = phonenumbers.parse(number, country)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            return _invalid("no country has the code that it begins with", number)
        return _invalid(_wrong_length(error.error_type), number)
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if possible != ValidationResult.IS_POSSIBLE or not _E164.fullmatch(written):
        return _invalid(_WRONG_LENGTHS.get(possible, "its length fits no number of its country"), number)
    doubt = None
    if not phonenumbers.is_valid_number(parsed):
        doubt = f"{mask(written)} has a possible length, but its country is not known to use such numbers."
    return Recipient(number=E164(written), doubt=doubt)


_WRONG_LENGTHS: Final = {
    ValidationResult.TOO_SHORT: "it has too few digits for its country",
    ValidationResult.TOO_LONG: "it has too many digits for its country",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "its area code is missing",
    ValidationResult.INVALID_COUNTRY_CODE: "no country has the code that it begins with",
}


def _wrong_length(error_type: int) -> str:
    return "it has too many digits" if error_type == NumberParseException.TOO_LONG else "it has too few digits"


def check_sender(value: Any, *, field: str | None = None) -> str:
    """
    Check who a text comes from, and give it as Twilio wants it.

    Args:
        value: a number in E.164 (marks between the digits are dropped), a short code of 3 to 8 digits, an alphanumeric
            sender (1 to 11 letters, digits, spaces, `-+_&`, a letter among them), a messaging service (`MG…`), or an
            address of another channel (`whatsapp:+…`, whose prefix comes out in lower case).
        field: the input that it came from, for the error.

    Raises:
        Invalid: it is none of these.

    Source:
        https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id, …/what-is-a-short-code
    """
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise Invalid("The sender is missing.", field=field, hint=_SENDERS)
    if prefix := _CHANNEL.match(text):
        return _check_channel_sender(prefix[1].lower(), text[prefix.end() :].strip(), field)
    if _SERVICE.fullmatch(text) or _SHORT_CODE.fullmatch(text) or _ALPHANUMERIC.fullmatch(text):
        return text
    number = text.translate(_CLEAN)
    if _E164.fullmatch(number):
        return number
    if _DIGITS.fullmatch(number):
        raise Invalid(
            "The sender is neither a short code nor a number in international form.",
            field=field,
            hint="Write the number with + and its country code, like +15005550006.",
        )
    if text.startswith("MG") and text.isalnum():
        raise Invalid(
            f"The sender looks like a Messaging Service, but has {len(text)} characters.",
            field=field,
            hint="The SID of a Messaging Service is MG and 32 hexadecimal digits.",
        )
    if _NAME_CHARACTERS.fullmatch(text):
        raise Invalid(
            f"The sender's name has {len(text)} characters; a name has {_LONGEST_NAME} at most.",
            field=field,
            hint="Shorten it; letters, digits, spaces and - + _ & may stand in it.",
        )
    raise Invalid("The sender is not one that Twilio knows.", field=field, hint=_SENDERS)


def _check_channel_sender(channel: str, name: str, field: str | None) -> str:
    if channel in _SAME_AS_NONE:
        return check_sender(name.rpartition(":")[2], field=field)
    if channel not in CHANNELS:
        raise Invalid(
            "The sender is an address of a channel that there is not.",
            field=field,
            hint=f"There are {', '.join(f'{each}:' for each in CHANNELS)}; a number alone is for SMS.",
        )
    if channel != "whatsapp":
        if not _CHANNEL_ID.fullmatch(name):
            raise Invalid(
                "The sender names nobody on its channel.",
                field=field,
                hint=f"After {channel}: come letters and digits.",
            )
        return f"{channel}:{name}"
    number = name.translate(_CLEAN)
    if not _E164.fullmatch(number):
        raise Invalid(
            "The sender is not a WhatsApp number in international form.",
            field=field,
            hint="Write it with + and its country code, like whatsapp:+14155238886.",
        )
    return f"{channel}:{number}"


_SENDERS: Final = (
    "Give a Twilio number like +15005550006, a short code, a name of up to 11 letters and digits,"
    " a messaging service (MG and 32 hexadecimal digits), or an address like whatsapp:+14155238886."
)


def _missing() -> Refusal:
    return Refusal(reason=Reason.RECIPIENT_MISSING, saw="There is no number to send to.")


def _invalid(why: str, number: str | None = None) -> Refusal:
    shown = f"{mask(number)} is not a phone number to send to" if number else "The recipient is not a phone number"
    return Refusal(reason=Reason.RECIPIENT_INVALID, saw=f"{shown}: {why}.")

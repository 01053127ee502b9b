"""What a destination can say beyond PostHog's shape: the object under its key `smspipe`."""

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from phonenumbers import SUPPORTED_REGIONS

from smspipe.destinations.limits import read_budget, read_caps, read_quiet_hours, read_refuse_identical
from smspipe.model.destination import ANY, WhenAbsent
from smspipe.model.errors import Invalid
from smspipe.model.filter import Mode
from smspipe.model.limits import Budget, Cap, QuietHours
from smspipe.model.message import RiskCheck
from smspipe.model.trust import NUMBER_TYPES, Recipients

LONGEST_AGE_SECONDS: Final = 31_536_000
LONGEST_SILENCE_HOURS: Final = 8_760
SLOWEST: Final = 0.01
FASTEST: Final = 1000.0
"""Segments a second."""
LONGEST_VALIDITY_SECONDS: Final = 36_000
"""Ten hours: so long a text may wait at Twilio, and it does unless told otherwise."""
MOST_MEDIA: Final = 10
NO_COUNTRY: Final = "001"
"""libphonenumber's word for numbers that belong to no country."""
LIMITS: Final = ("per_prefix", "per_country", "per_source", "new_numbers")
MOST: Final = 1_000_000
"""The largest limit of texts an hour."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options as values; what was left out has its default."""

    truncate: bool = False
    """Cut a text that is too long instead of refusing it."""
    max_age: timedelta = timedelta(hours=24)
    """An event older than this leads to no text."""
    default_country: str | None = None
    """ISO country that national numbers are read in."""
    filter_mode: Mode = Mode.SANE
    """How missing values compare in filters."""
    escape_html: bool = False
    """Write `&`, `<`, `>` and quotes in what Liquid prints as a web page does, and as PostHog does in texts, too."""

    pace: float | None = None
    """Segments a second that its sender may be given; None for Twilio's own default of such a sender."""
    unconfirmed: WhenAbsent = WhenAbsent.SEND_AGAIN
    """What becomes of a text whose answer was lost, once it is proved that Twilio never took it."""
    silence_hours: timedelta | None = None
    """After so long without a matching event an alarm is raised."""
    media_urls: tuple[str, ...] = ()
    """Templates of the addresses of media, in the body's language."""
    validity_period: int | None = None
    """Seconds that a text may wait at Twilio."""
    smart_encoded: bool = False
    """Let Twilio put in look-alikes for characters that would make the text UCS-2."""
    risk_check: RiskCheck | None = None
    """Whether Twilio looks for SMS pumping; None for what the account says."""
    send_at: str | None = None
    """Template of the time that Twilio is to send at, in the body's language."""
    recipients: Recipients = Recipients.CLAIMED
    """Which numbers are texted."""
    countries: frozenset[str] | None = None
    """Where to; None for the country of the sender."""
    number_types: frozenset[str] = frozenset()
    """The kinds of numbers, prone to fraud, that are texted all the same."""
    velocity: Mapping[str, int | bool | None] = {}
    """Limits on texts to claimed numbers; those that are left out have their default."""
    caps: tuple[Cap, ...] = ()
    """How many texts a number or person gets in spans of time; all of them hold."""
    refuse_identical: timedelta | None = None
    """Refuse words that another destination sent to the same number within this."""
    budget: Budget | None = None
    """What its texts may cost."""
    quiet_hours: QuietHours | None = None
    """When no text leaves."""


READ_ONLY: Final = ("version", "paused", "paused_at", "notes", "warnings")
"""Told under the same key when a destination is read; sent back, they are passed by."""


def read_options(given: Any) -> tuple[dict[str, Any], Options]:
    """
    Read the `smspipe` object.

    Returns:
        What to keep of it in the document, and its meaning.

    Raises:
        Invalid: a key is unknown (the message names the nearest known one) or its value is not what it must be.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise Invalid("smspipe must be an object.", field="smspipe")
    kept: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in READ_ONLY:
            continue
        if key not in _READERS:
            raise _unknown(key)
        if value is not None:
            values[key] = _READERS[key](value)
            kept[key] = value
    return kept, Options(**values)


def _unknown(key: str) -> Invalid:
    near = difflib.get_close_matches(key, _READERS, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(_READERS)}."
    return Invalid(f"There is no option {key!r}. {hint}", field=f"smspipe__{key}", hint=hint)


def _read_flag(key: str) -> Callable[[Any], bool]:
    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise Invalid(f"{key} must be true or false.", field=f"smspipe__{key}")
        return value

    return read


def _read_max_age(value: Any) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST_AGE_SECONDS:
        raise Invalid(
            f"max_age must be a whole number between 1 and {LONGEST_AGE_SECONDS} seconds.", field="smspipe__max_age"
        )
    return timedelta(seconds=value)


def _read_country(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{2}", value):
        raise Invalid(
            "default_country must be an ISO country of two capital letters, such as US.",
            field="smspipe__default_country",
        )
    return value


def _read_pace(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not SLOWEST <= value <= FASTEST:
        raise Invalid(
            f"pace must be a number of segments a second between {SLOWEST:g} and {FASTEST:g}.", field="smspipe__pace"
        )
    return float(value)


def _read_silence_hours(value: Any) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST_SILENCE_HOURS:
        raise Invalid(
            f"silence_hours must be a whole number between 1 and {LONGEST_SILENCE_HOURS} hours.",
            field="smspipe__silence_hours",
        )
    return timedelta(hours=value)


def _read_unconfirmed(value: Any) -> WhenAbsent:
    if value not in list(WhenAbsent):
        raise Invalid('unconfirmed must be "send_again" or "hold".', field="smspipe__unconfirmed")
    return WhenAbsent(value)


def _read_media_urls(value: Any) -> tuple[str, ...]:
    field = "smspipe__media_urls"
    if not isinstance(value, list | tuple):
        raise Invalid('media_urls must be a list of addresses, such as ["https://example.com/a.png"].', field=field)
    if len(value) > MOST_MEDIA:
        raise Invalid(f"media_urls has {len(value)} addresses; Twilio takes {MOST_MEDIA} at most.", field=field)
    if not all(isinstance(each, str) and each.strip() for each in value):
        raise Invalid("Every one of media_urls must be an address, or a template of one.", field=field)
    return tuple(value)


def _read_validity_period(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST_VALIDITY_SECONDS:
        raise Invalid(
            f"validity_period must be a whole number between 1 and {LONGEST_VALIDITY_SECONDS} seconds.",
            field="smspipe__validity_period",
        )
    return value


def _read_risk_check(value: Any) -> RiskCheck:
    if value not in list(RiskCheck):
        raise Invalid('risk_check must be "enable" or "disable".', field="smspipe__risk_check")
    return RiskCheck(value)


def _read_send_at(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid(
            "send_at must be a time such as 2026-12-24T18:00:00Z, or a template of one.", field="smspipe__send_at"
        )
    return value


def _read_recipients(value: Any) -> Recipients:
    if value not in list(Recipients):
        raise Invalid('recipients must be "trusted" or "claimed".', field="smspipe__recipients")
    return Recipients(value)


def _read_countries(value: Any) -> frozenset[str]:
    field = "smspipe__countries"
    if value == ANY:
        return frozenset({ANY})
    if not isinstance(value, list | tuple) or not value or not all(isinstance(each, str) for each in value):
        raise Invalid('countries must be a list such as ["US", "CA"], or "any".', field=field)
    for each in value:
        if each not in SUPPORTED_REGIONS and each != NO_COUNTRY:
            near = each.upper() if each.upper() in SUPPORTED_REGIONS else None
            hint = f"Did you mean {near!r}?" if near else "Use ISO codes of two capital letters, such as US."
            raise Invalid(f"There is no country {each!r}. {hint}", field=field, hint=hint)
    return frozenset(value)


def _read_number_types(value: Any) -> frozenset[str]:
    if not isinstance(value, list | tuple) or not all(each in NUMBER_TYPES for each in value):
        raise Invalid(
            f"number_types must be a list with some of {', '.join(NUMBER_TYPES)}.", field="smspipe__number_types"
        )
    return frozenset(value)


def _read_velocity(value: Any) -> dict[str, int | bool | None]:
    field = "smspipe__velocity"
    if not isinstance(value, Mapping):
        raise Invalid('velocity must be an object such as {"per_prefix": 10}.', field=field)
    for key, given in value.items():
        if key == "private_sources":
            if not isinstance(given, bool):
                raise Invalid("private_sources must be true or false.", field=f"{field}__{key}")
        elif key not in LIMITS:
            near = difflib.get_close_matches(key, (*LIMITS, "private_sources"), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(LIMITS)} and private_sources."
            raise Invalid(f"There is no limit {key!r}. {hint}", field=f"{field}__{key}", hint=hint)
        elif given is not None and (isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= MOST):
            raise Invalid(
                f"{key} must be a whole number of texts an hour, 0 to {MOST}, or null for no limit.",
                field=f"{field}__{key}",
            )
    return dict(value)


def _read_mode(value: Any) -> Mode:
    if value not in list(Mode):
        raise Invalid('filter_mode must be "posthog" or "sane".', field="smspipe__filter_mode")
    return Mode(value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "truncate": _read_flag("truncate"),
    "max_age": _read_max_age,
    "default_country": _read_country,
    "filter_mode": _read_mode,
    "pace": _read_pace,
    "unconfirmed": _read_unconfirmed,
    "silence_hours": _read_silence_hours,
    "escape_html": _read_flag("escape_html"),
    "media_urls": _read_media_urls,
    "validity_period": _read_validity_period,
    "smart_encoded": _read_flag("smart_encoded"),
    "risk_check": _read_risk_check,
    "send_at": _read_send_at,
    "recipients": _read_recipients,
    "countries": _read_countries,
    "number_types": _read_number_types,
    "velocity": _read_velocity,
    "caps": read_caps,
    "refuse_identical": read_refuse_identical,
    "budget": read_budget,
    "quiet_hours": read_quiet_hours,
}
KEYS: Final = tuple(_READERS)
"""All options there are."""

"""A destination: what someone wrote down of which events become which texts. Compiling it is the pipeline's work."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from smspipe.model.filter import Filter
from smspipe.model.ids import DestinationId
from smspipe.model.limits import Budget, Cap, QuietHours
from smspipe.model.message import RiskCheck
from smspipe.model.trust import Recipients


class Templating(StrEnum):
    """The language of a template; `NONE` takes the text as it stands."""

    HOG = "hog"
    LIQUID = "liquid"
    NONE = "none"


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A template as it was written. `field` is the input that it came from, for messages about it."""

    source: str
    templating: Templating = Templating.HOG
    field: str = ""
    escape: bool = False
    """In Liquid: write `&`, `<`, `>` and quotes in what it prints as a web page does."""


class Secret:
    """
    A secret that hides from `repr`, `str`, logs and JSON; only `reveal` gives it away.

    Two are equal when what they hide is, so that values holding one can be compared.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the secret itself: only where it leaves for the one who must know it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The Twilio account that pays: its SID, and a user name and password for it."""

    sid: str
    """`AC…`, in the address of every request."""
    username: str
    """The SID itself, or an API key `SK…`."""
    password: Secret


class Cooldown(msgspec.Struct, frozen=True, kw_only=True):
    """
    PostHog's masking and the older plugin's timeout as one: of all events with one key, one text a window.

    A window starts with the first text and has a fixed length. With a `threshold` T of 1 or more, the first,
    the T+1st, the 2T+1st … event of a window lead to a text. An empty key is never held back.
    """

    key: Text
    ttl: timedelta
    """1 second to 365 days."""
    threshold: int | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """
    One recipient of a destination: `to` for the events named `event`, for those of action `action`, or for all.

    Most destinations have one route. The older plugin's `event:number` list is one route a pair; its place in the
    list is the route's number in the ledger, so two numbers for one event are two deliveries.
    """

    to: Text
    event: str | None = None
    action: str | None = None


class ExtrasTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination asks of Twilio beside the text itself; see `model.message.Extras` for what comes of it."""

    media_urls: tuple[Text, ...] = ()
    """Each gives an address, a list of them, or nothing."""
    validity_period: int | None = None
    smart_encoded: bool = False
    risk_check: RiskCheck | None = None
    send_at: Text | None = None


ANY: Final = "any"
"""In a list of countries: every one."""


class WhenAbsent(StrEnum):
    """What becomes of a text whose answer was lost, once it is proved that Twilio never took it."""

    SEND_AGAIN = "send_again"
    HOLD = "hold"
    """A person decides."""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a destination, checked for shape; see `destinations.document` for how it is read."""

    id: DestinationId
    version: int
    """1 for the first; every change makes the next."""
    name: str
    enabled: bool
    template_id: str
    filter: Filter
    account: Account | None
    """None when the integration that it names is gone: nothing can be sent."""
    sender: Text
    routes: tuple[Route, ...]
    body: Text
    cooldown: Cooldown | None = None
    inputs: dict[str, Any] = {}
    """The inputs that are not secret, for templates that refer to `inputs`."""
    truncate: bool = False
    """Cut a text over 1600 UTF-16 units instead of refusing it."""
    max_age: timedelta = timedelta(hours=24)
    """An event older than this, or a text still waiting then, is not sent."""
    default_country: str | None = None
    """ISO country that national numbers are read in."""
    recipients: Recipients = Recipients.CLAIMED
    countries: frozenset[str] | None = None
    """ISO countries that it texts to, `ANY` for all; None for that of the sender."""
    number_types: frozenset[str] = frozenset()
    """The kinds of numbers (`guards.country.KINDS`) that it texts to though they are prone to fraud."""
    velocity: Mapping[str, int | bool | None] = {}
    """Fields of `Velocity` that it sets itself; the others are those of the place where it runs."""
    caps: tuple[Cap, ...] = ()
    """All of them hold."""
    refuse_identical: timedelta | None = None
    """A text is refused whose words another destination sent to the same number within this; None to notice it only."""
    budget: Budget | None = None
    quiet_hours: QuietHours | None = None
    pace: float | None = None
    """Segments a second that its sender may be given; None for Twilio's own default of such a sender."""
    unconfirmed: WhenAbsent = WhenAbsent.SEND_AGAIN
    extras: ExtrasTemplate | None = None
    """None for most."""
    silence: timedelta | None = None
    """After so long without a matching event an alarm is raised; None for never."""
    paused: str | None = None
    """Why the engine stopped sending for it (a sentence), None while it runs."""

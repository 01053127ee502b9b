"""The sandbox's one account: its settings, its texts, who opted out, and what was asked of it."""

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from smspipe.sandbox.messages import Direction, Message, MessageLog
from smspipe.sandbox.signature import SharedKey

DEMO_ACCOUNT_SID: Final = "AC" + "0" * 32
"""No account that Twilio gave out has this SID, so nobody mistakes the sandbox for the real thing."""
DEMO_AUTH_TOKEN: Final = "5a4db0c5" * 4
DEFAULT_SENDER: Final = "+15005550006"
"""The one number that Twilio's test credentials may send from."""

KEPT_MESSAGES: Final = 10_000
KEPT_RECORDS: Final = 10_000
_KEPT_RECIPIENTS: Final = 100_000


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `POST /config` changes."""

    inbound_url: Annotated[str, msgspec.Meta(pattern="^https?://")] | None = None
    """Where texts from virtual phones are posted; None: nowhere."""
    step_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.05
    """How long a text stays in each status on its way to `delivered`."""
    retry_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.05
    """How long a callback that failed waits before it is tried again."""
    concurrency_limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """API requests at once, above which the answer is 429; None: no limit."""
    own_numbers: frozenset[str] | None = None
    """Numbers and short codes that may be `From`; None: any that is not a magic number for a failure."""
    messaging_services: dict[str, list[str]] | None = None
    """Senders of each Messaging Service; None: every well-formed SID is a service with the default sender."""
    contents: dict[str, str] | None = None
    """Content templates (`HX…` → text with `{{1}}`); None: every well-formed SID is one that shows its variables."""
    shared_key: SharedKey | None = None
    """Signs webhooks instead of the Auth Token."""
    api_keys: dict[str, str] = {}
    """`SK…` → secret, accepted besides the Auth Token."""
    advanced_opt_out: bool = False
    """Whether inbound texts carry `OptOutType`."""
    trial: bool = False
    """A trial account puts a sentence before each body and has no sender names."""


class Record(msgspec.Struct, kw_only=True):
    """One create request as it arrived, and what became of it."""

    number: int
    """Order of arrival, from 1."""
    at: datetime
    to: str | None
    form: dict[str, str | list[str]]
    """Fields as sent; one that was sent more than once is a list."""
    outcome: str = "pending"
    """`created`, `refused` or `fault` (the answer was not the truth, or there was none); `pending` until answered."""
    sid: str | None = None
    """The text that was accepted, also when the answer hid it."""
    status: int | None = None
    """HTTP status of the answer, None when there was none."""
    code: int | None = None
    fault: str | None = None
    """The fault that was applied to the answer, or `latency`."""


class Account:
    """All state of the sandbox. Only the newest 10,000 texts and requests are kept."""

    def __init__(
        self, *, sid: str, auth_token: str, seed: int, clock: Callable[[], datetime], settings: Settings
    ) -> None:
        self.sid = sid
        self.auth_token = auth_token
        self.seed = seed
        self.clock = clock
        self.settings = settings
        self._first_settings = settings
        self.messages = MessageLog(KEPT_MESSAGES)
        self.records: deque[Record] = deque(maxlen=KEPT_RECORDS)
        self.callbacks: deque[dict[str, Any]] = deque(maxlen=KEPT_RECORDS)
        self.posts: OrderedDict[str, int] = OrderedDict()
        """Create requests per recipient since the records were last cleared."""
        self.post_count = 0
        self.opted_out: set[tuple[str, str]] = set()
        """Pairs of a sender (or Messaging Service) and a phone that told it to stop."""
        self._services_of: dict[str, set[str]] = {}
        self._made = 0
        self.message_count = 0

    def reset(self) -> None:
        """Go back to the beginning: no texts, no records, no opt-outs, first settings."""
        self.settings = self._first_settings
        self.messages.clear()
        self.clear_records()
        self.callbacks.clear()
        self.opted_out.clear()
        self._services_of.clear()

    def clear_records(self) -> None:
        """Forget which create requests came."""
        self.records.clear()
        self.posts.clear()
        self.post_count = 0

    def record(self, form: dict[str, list[str]]) -> Record:
        """Note that a create request arrived; the caller fills in what becomes of it."""
        to = form.get("To", [None])[0]
        self.post_count += 1
        if to is not None:
            self.posts[to] = self.posts.get(to, 0) + 1
            if len(self.posts) > _KEPT_RECIPIENTS:
                self.posts.popitem(last=False)
        plain = {name: values[0] if len(values) == 1 else values for name, values in form.items()}
        entry = Record(number=self.post_count, at=self.clock(), to=to, form=plain)
        self.records.append(entry)
        return entry

    def make_sid(self, prefix: str) -> str:
        """
        Make an id of 32 hexadecimal digits.

        It is a function of the seed, the count and the clock: repeatable where time is an
        argument, and yet new after a restart, when a customer's database still knows old ones.
        """
        self._made += 1
        source = f"{self.seed}:{self._made}:{self.clock().isoformat()}"
        return prefix + hashlib.blake2b(source.encode(), digest_size=16).hexdigest()

    def pool(self, service: str) -> list[str]:
        """List the senders of a Messaging Service."""
        if self.settings.messaging_services is not None:
            return self.settings.messaging_services.get(service, [])
        own = self.settings.own_numbers
        return sorted(own) if own else [DEFAULT_SENDER]

    def note_sender(self, sender: str, service: str) -> None:
        """Remember that a service sends from `sender`, so that STOP to it reaches the whole service."""
        self._services_of.setdefault(sender, set()).add(service)

    def scopes_of(self, sender: str) -> set[str]:
        """Say whom STOP sent to `sender` stops: itself, and every service that sends from it."""
        services = self.settings.messaging_services or {}
        holding = {service for service, senders in services.items() if sender in senders}
        return {sender} | holding | self._services_of.get(sender, set())

    def has_opted_out(self, to: str, *scopes: str | None) -> bool:
        """Tell whether a phone stopped any of these senders or services."""
        return any(scope is not None and (scope, to) in self.opted_out for scope in scopes)

    def texts_of(self, phone: str | None, *directions: Direction) -> list[Message]:
        """List texts of the directions given to (or, inbound, from) a phone, newest first; None: any phone."""
        return [
            message
            for message in self.messages.newest_first()
            if message.direction in directions
            and (phone is None or phone == (message.sender if message.direction is Direction.INBOUND else message.to))
        ]

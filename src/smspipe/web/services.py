"""What the doors need of the rest of the service. `app` builds it once and hands it in."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from smspipe.db import Database, Writer
from smspipe.destinations import Keyring
from smspipe.model.delivery import Delivery
from smspipe.model.destination import Account, Destination, Secret
from smspipe.model.filter import Shared
from smspipe.model.ids import EventUuid
from smspipe.model.phone import E164
from smspipe.optouts import Hasher
from smspipe.pipeline.budgets import Standing
from smspipe.pipeline.erase import Eraser
from smspipe.pipeline.explain import Explanation
from smspipe.pipeline.foresight import Foresight
from smspipe.pipeline.halt import Halt
from smspipe.pipeline.lint import Report
from smspipe.pipeline.runs import Runs
from smspipe.pipeline.trial import Sample, Trial
from smspipe.pipeline.waiting import Wait
from smspipe.pipeline.webhooks import Webhooks


class PhoneNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A number of a Twilio account."""

    sid: str
    phone_number: str
    friendly_name: str


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything behind the doors."""

    database: Database
    writer: Writer
    keyring: Keyring
    hasher: Hasher
    """What the register of opt-outs is looked up with."""
    api_key: Secret
    clock: Callable[[], datetime]
    prepare: Callable[[Destination, Shared], object]
    """
    Compiles a destination, given what filters refer to, and raises `Invalid` for what does not compile; what it gives
    is not looked at.
    """
    changed: Callable[[], Awaitable[None]]
    """Returns once new events meet the destinations as they are committed now."""
    test: Callable[[Destination, Shared, Sample, bool], Awaitable[Trial]]
    """Tries a destination with a sample, given what filters refer to; the last argument is true to send nothing."""
    explain: Callable[[Connection, EventUuid], Explanation | None]
    """Says what became of an event, None when the log does not hold it; called in a thread."""
    lint: Callable[[Connection, Sequence[Destination], Shared, int, int], Sequence[Report]]
    """
    Looks at destinations with the newest events, given how many of these at most, and the segments from which on a text
    is warned of; called in a thread.
    """
    check_account: Callable[[Account], Awaitable[None]]
    """Raises `Permanent` when Twilio does not know the account, `Temporary` when Twilio cannot be asked."""
    phone_numbers: Callable[[Account], Awaitable[Sequence[PhoneNumber]]]
    """Asks Twilio for the account's numbers; raises as `check_account`."""
    read_number: Callable[[str], E164]
    """Makes a phone number as people write it E.164, or raises `Invalid`."""
    forecasts: Foresight
    """Forecasts and replays; to be called in a run's thread."""
    runs: Runs
    """The forecasts and replays that go on or ended lately."""
    project_name: str
    """What templates call `project.name`."""
    project_token: str
    """What SDKs send events with. It opens nothing but capture, so it is shown to who has the API key."""
    halt: Halt
    """Stops everything, and lets it go on."""
    eraser: Eraser
    """Erases a person or a number."""
    webhooks: Webhooks | None = None
    """Takes what Twilio posts; None while the pipeline stands still."""
    twilio_api_url: str = "https://api.twilio.com"
    """Where requests go, to be shown."""
    wake: Callable[[], None] = lambda: None
    """Tells the sender that something in the ledger may be due."""
    waits: Callable[[Connection, Delivery], Wait | None] = lambda _, __: None
    budgets: Callable[[Connection], Iterable[Standing]] = lambda _: ()
    """Tells where every budget stands."""
    prices: str = ""
    """What estimates of costs are made of."""
    """Says how long a text is likely to wait for its sender's pace, None when it does not."""
    ready: Callable[[], str | None] = lambda: None
    """Says in a sentence why the service should get no traffic, None when it should."""

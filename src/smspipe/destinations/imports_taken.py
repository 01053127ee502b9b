"""What an import makes of one thing that PostHog exported, and what it has to know for that."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from smspipe.model.filter import Shared

Document = dict[str, Any]


class Taken(msgspec.Struct, kw_only=True):
    """One destination as it would be here. Each list holds sentences for whoever asked for the import."""

    name: str
    body: Document | None
    """What `registry.create` takes, always switched off; None when it cannot be taken over as it is."""
    taken_over: list[str] = []
    changed: list[str] = []
    """What differs from PostHog, and why."""
    quirks: list[str] = []
    """On which of PostHog's ways of comparing its filter depends, each with a value that would differ without."""
    needs: list[str] = []
    """What a person has to do."""
    own: bool = False
    """It came from an export of this software, so it already is what it is to be."""

    def leave(self, why: str) -> "Taken":
        """Say why it is not taken over; what else would be said of it no longer counts."""
        self.body = None
        self.taken_over, self.changed, self.quirks, self.needs = [], [], [], [why]
        return self


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to import."""

    account: int | None = None
    """The stored Twilio account to use where PostHog's had one of its own; None for the only one there is."""
    accounts: Mapping[str, int] = MappingProxyType({})
    """The same by the id of PostHog's integration, as text."""
    suffix: bool = True
    """Keep what PostHog's first program adds to each text."""
    escape: bool = True
    """Keep the HTML escaping that PostHog does to Liquid, where it may show."""
    ignore_code: bool = False
    """Take over a destination although its program does more than is understood, without the program."""
    event: str | None = None
    """The event that leads to a workflow's step which came without its workflow."""


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored here, as far as an import can refer to it."""

    accounts: tuple[int, ...] = ()
    shared: Shared = Shared()
    """What filters refer to."""

    @property
    def actions(self) -> dict[str, int]:
        """Ids of the actions by name."""
        return {action.name: int(action.id) for action in self.shared.actions.values()}


SWITCHED_OFF: Final = "It is switched off here, so that no text is sent twice. Switch it off in PostHog first."


def as_object(value: Any) -> Mapping[str, Any]:
    """Take what is no object for an empty one."""
    return value if isinstance(value, Mapping) else {}


def choose_account(taken: Taken, options: Options, here: Here) -> None:
    """Put a Twilio account that is stored here in the place of PostHog's."""
    assert taken.body is not None  # noqa: S101 (only called with one)
    entry = taken.body["inputs"].get("twilio_account")
    given = entry.get("value") if isinstance(entry, Mapping) else None
    if taken.own and given in here.accounts:
        return
    only = here.accounts[0] if len(here.accounts) == 1 else None
    chosen = options.accounts.get(str(given), options.account if options.account is not None else only)
    if chosen in here.accounts:
        taken.body["inputs"]["twilio_account"] = {"value": chosen}
        taken.changed.append(f"It uses the Twilio account {chosen} that is stored here.")
        return
    which = f"Say which of those stored here to use: {', '.join(map(str, here.accounts))}." if here.accounts else (
        "Store its Twilio account first, by the API (/api/projects/1/integrations/) or on the page."
    )  # fmt: skip
    taken.leave(f"It uses a Twilio account that PostHog keeps. {which}")

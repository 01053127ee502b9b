"""Compile a destination once, when it is loaded or saved: nothing of it is parsed again while events pass."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from smspipe.guards.pace import default_pace
from smspipe.guards.prices import ESTIMATE, Prices
from smspipe.matching import Matcher, compile_filter
from smspipe.model.clock import EPOCH
from smspipe.model.destination import Destination, Route, Text
from smspipe.model.errors import Fault, Invalid
from smspipe.model.event import Event, Group
from smspipe.model.filter import Action, PropertyGroup, Shared
from smspipe.model.ids import DestinationId
from smspipe.model.limits import Budget
from smspipe.model.person import Person
from smspipe.model.trust import PROTECTIVE, Velocity
from smspipe.rendering import CompiledExtras, CompiledText, check_sender, compile_text

_compile = functools.lru_cache(maxsize=4096)(compile_text)
"""Many destinations share a text, a sender or where the number is, and a reload finds nearly all as they were."""

ROOTS = frozenset({"event", "person", "groups", "project", "source", "inputs", "suppressed"})


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What all destinations share."""

    project: Mapping[str, Any]
    """`id`, `name` and `url`, for templates."""
    actions: Mapping[str, Action] = {}
    test_accounts: PropertyGroup | None = None
    default_country: str | None = None
    budget: Budget | None = None
    """What all destinations may spend together."""
    prices: Prices = ESTIMATE
    """What a segment costs as long as Twilio has not said so."""
    live: bool = False
    """
    Texts go to Twilio itself, and cost: senders without a pace of their own get that of Twilio's kind of sender, and
    texts to claimed numbers have limits. At a double there is neither unless a destination has its own.
    """

    def sharing(self, shared: Shared) -> "Site":
        """Give the same site with what its filters refer to now."""
        return msgspec.structs.replace(self, actions=shared.actions, test_accounts=shared.test_accounts,
                                       budget=shared.budget)  # fmt: skip


class PreparedRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route with its recipient's template compiled."""

    index: int
    route: Route
    to: CompiledText


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that is ready to decide on events."""

    destination: Destination
    site: Site
    matcher: Matcher
    sender: CompiledText | str
    """As it was checked, when it is the same for every event."""
    body: CompiledText
    routes: tuple[PreparedRoute, ...]
    cooldown_key: CompiledText | None
    extras: CompiledExtras | None
    """What is asked of Twilio beside the text; None for most."""
    project: Mapping[str, Any]
    source: Mapping[str, Any]
    default_country: str | None
    velocity: Velocity | None
    """The limits on texts to claimed numbers: its own, then those of the site; None without any."""
    roots: frozenset[str]
    """The globals that its templates name."""
    counted: bool = False
    """Its texts count for another destination's caps."""
    inputs: Mapping[str, CompiledText | Any]
    """The inputs, where a template names `inputs`: each behind those that it names itself. Else empty."""

    def routes_for(
        self, event: Event, person: Person | None, groups: Sequence[Group], now: datetime
    ) -> Iterable[PreparedRoute]:
        """Choose the routes of a matching event: by its name, by the actions it is, or those that ask for neither."""
        if len(self.routes) == 1 and self.routes[0].route.event is None and self.routes[0].route.action is None:
            return self.routes
        actions: Sequence[str] = ()
        if any(each.route.action is not None for each in self.routes):
            actions = self.matcher.actions_matched(event, person, groups, now)
        return [
            each
            for each in self.routes
            if (each.route.event is None and each.route.action is None)
            or (each.route.event is not None and each.route.event == event.event)
            or (each.route.action is not None and each.route.action in actions)
        ]


def forget_compiled() -> None:
    """Forget the compiled texts that destinations share, so that the next plan compiles every one of them."""
    _compile.cache_clear()


def prepare(destination: Destination, site: Site) -> Prepared:
    """
    Compile a destination's filter and templates.

    Raises:
        Invalid: one of them cannot be understood; `field` says which, `position` where in it.
    """
    cooldown = destination.cooldown
    texts = [destination.sender, destination.body, *(route.to for route in destination.routes)]
    if cooldown is not None:
        texts.append(cooldown.key)
    wished = destination.extras
    if wished is not None:
        texts += [*wished.media_urls, *([] if wished.send_at is None else [wished.send_at])]
    compiled = {text: _compile(text) for text in texts}
    inputs: dict[str, Any] = {}
    roots = frozenset[str]().union(*(text.roots for text in compiled.values()))
    if "inputs" in roots:
        inputs = {
            key: _compile(value) if isinstance(value, Text) else value for key, value in destination.inputs.items()
        }
        roots = roots.union(*(text.roots for text in inputs.values() if isinstance(text, CompiledText)))
    sender: CompiledText | str = compiled[destination.sender]
    if isinstance(sender, CompiledText) and sender.constant:
        sender = check_sender(sender({}, EPOCH), field=destination.sender.field)
    extras = None
    if wished is not None:
        extras = CompiledExtras(
            template=wished,
            media_urls=tuple(compiled[each] for each in wished.media_urls),
            send_at=None if wished.send_at is None else compiled[wished.send_at],
        )
        extras.check_constants(sender if isinstance(sender, str) else None)
    return Prepared(
        destination=destination,
        site=site,
        matcher=compile_filter(destination.filter, actions=site.actions, test_accounts=site.test_accounts),
        sender=sender,
        body=compiled[destination.body],
        routes=tuple(
            PreparedRoute(index=index, route=route, to=compiled[route.to])
            for index, route in enumerate(destination.routes)
        ),
        cooldown_key=None if cooldown is None else compiled[cooldown.key],
        extras=extras,
        project=site.project,
        source={
            "name": destination.name,
            "url": f"{site.project['url']}/pipeline/destinations/hog-{destination.id}/configuration/",
        },
        default_country=destination.default_country or site.default_country,
        velocity=_velocity_of(destination, site),
        roots=roots & ROOTS,
        inputs=inputs,
    )


def _velocity_of(destination: Destination, site: Site) -> Velocity | None:
    limits = PROTECTIVE if site.live else Velocity()
    if destination.velocity:
        limits = msgspec.structs.replace(limits, **destination.velocity)
    return limits or None


def obstacle(destination: Destination) -> str | None:
    """Say in a sentence why nothing can be sent for a destination until somebody mends it; None when it can."""
    if destination.paused is not None:
        return destination.paused
    return "The destination has no Twilio account to send with." if destination.account is None else None


def why_paused(saw: str, *, sender_alone: bool) -> str:
    """Say what is paused and why, from the sentence on what Twilio refused: the sender, or the account as a whole."""
    if sender_alone:
        return f"This destination is paused, for its sender cannot be used; the account's other senders can. {saw}"
    return f"This destination is paused, for its Twilio account cannot be used. {saw}"


class Plan:
    """All destinations that are switched on, by the names of the events that they listen to."""

    def __init__(self, prepared: Iterable[Prepared] = (), *, live: bool = False) -> None:
        self._live = live
        self.destinations = {each.destination.id: each for each in prepared}
        self.limited = any(
            each.destination.quiet_hours is not None
            or each.destination.budget is not None
            or each.site.budget is not None
            for each in self.destinations.values()
        )
        """There are rules that a text must meet once more when it leaves."""
        self._any: list[Prepared] = []
        self._by_name: dict[str, list[Prepared]] = {}
        names = {name for each in self.destinations.values() for name in each.matcher.event_names or ()}
        for each in self.destinations.values():
            for name in names if each.matcher.event_names is None else each.matcher.event_names:
                self._by_name.setdefault(name, []).append(each)
            if each.matcher.event_names is None:
                self._any.append(each)

    def listening(self, event: str) -> Sequence[Prepared]:
        """Give the destinations that an event of this name could match; to all others it plainly does not."""
        return self._by_name.get(event, self._any)

    def pace_of(self, destination: DestinationId, sender: str) -> float | None:
        """Give the segments a second that a destination's sender may be given; None for no limit."""
        prepared = self.destinations.get(destination)
        if prepared is not None and prepared.destination.pace is not None:
            return prepared.destination.pace
        return default_pace(sender) if self._live else None


def prepare_all(
    destinations: Iterable[Destination],
    site: Site,
    broken: Callable[[Destination, Fault], None],
    before: Plan | None = None,
) -> Plan:
    """
    Compile all; what does not compile (any more) is told to `broken` and left out, so that the others go on.

    What is as it was in the plan `before`, and stands on the same site, is taken over from there.
    """
    known: Mapping[DestinationId, Prepared] = {} if before is None else before.destinations
    last = next((each.site for each in known.values()), None)
    if last is not None and last == site:
        site = last  # so that `is` tells them apart from now on: a site may hold many actions
    prepared = []
    for destination in destinations:
        old = known.get(destination.id)
        if old is not None and old.site is site and old.destination == destination:
            prepared.append(old)
            continue
        try:
            prepared.append(prepare(destination, site))
        except Invalid as fault:
            broken(destination, fault)
    counted = any(cap.across for each in prepared for cap in each.destination.caps)
    return Plan(
        (each if each.counted == counted else msgspec.structs.replace(each, counted=counted) for each in prepared),
        live=site.live,
    )


__all__ = [
    "Plan",
    "Prepared",
    "PreparedRoute",
    "Site",
    "Text",
    "forget_compiled",
    "obstacle",
    "prepare",
    "prepare_all",
    "why_paused",
]

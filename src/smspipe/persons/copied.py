"""
Which properties of an event also tell of its person, and how to read them off an event quickly.

A browser, an app or a campaign link is described by properties of ordinary events. They are copied to the person as if
the event had named them in `$set`, and under `$initial_…` as if in `$set_once`. Nearly every event carries some of
them, and nearly none of those says anything new, so the way that this is found out decides what an event costs. SDKs
send the same names in the same order again and again: what to read is worked out once for each such order (a `Reading`)
and from then on one call gives all values as a tuple, which equals the last one as long as there is nothing new.

Source:
    https://posthog.com/docs/product-analytics/person-properties and PostHog's ingestion
    (`nodejs/src/common/persons/person-property-utils.ts`).
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final

_DEVICE = (
    "$app_build",
    "$app_name",
    "$app_namespace",
    "$app_version",
    "$browser",
    "$browser_version",
    "$current_url",
    "$device_type",
    "$os",
    "$os_version",
    "$pathname",
    "$raw_user_agent",
    "$referrer",
    "$referring_domain",
    "$screen_height",
    "$screen_width",
    "$viewport_height",
    "$viewport_width",
)
_CAMPAIGN = (
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_name",
    "utm_term",
    # identifiers that an advertiser, a network or a mailer appends to the links that it pays for
    "_kx",
    "dclid",
    "epik",
    "fbclid",
    "gad_source",
    "gbraid",
    "gclid",
    "gclsrc",
    "igshid",
    "irclid",
    "li_fat_id",
    "mc_cid",
    "msclkid",
    "qclid",
    "rdt_cid",
    "sccid",
    "ttclid",
    "twclid",
    "wbraid",
)
INITIAL: Final[Mapping[str, str]] = {name: f"$initial_{name.removeprefix('$')}" for name in _DEVICE + _CAMPAIGN}
"""Every copied property, and the name under which the first value ever seen is kept."""

_APP = frozenset({"$app_build", "$app_name", "$app_namespace", "$app_version"})
_PLACE = ("subdivision_1", "subdivision_2", "subdivision_3")
FLEETING: Final[frozenset[str]] = frozenset(_DEVICE) - _APP | {
    *(f"$geoip_{part}" for part in ("postal_code", "time_zone", "latitude", "longitude", "accuracy_radius")),
    *(f"$geoip_{part}_{what}" for part in _PLACE for what in ("code", "name", "confidence")),
    *(f"$geoip_{part}_confidence" for part in ("city", "country", "postal_code")),
}
"""
Properties that change with every page: a new value of one of these alone is not worth a write.

The event itself sees it; the profile learns it with the next change that is written for another reason.
"""

_SERVER_OWN = ("$os", "$os_version")
_SCALARS = frozenset({str, int, float, bool, type(None)})


def copied(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """
    List what an event copies: pairs of the person's property and the event's that it comes from.

    Some SDKs call `$os` `$os_name`: it fills in where `$os` is missing and is never copied itself. A server's own
    operating system (`$is_server`) says nothing of the person. The order depends on the names alone.
    """
    from_server = properties.get("$is_server") is True
    pairs = []
    for name in INITIAL:
        source = name
        if name == "$os" and properties.get("$os") is None and "$os_name" in properties:
            source = "$os_name"
        if source in properties and not (from_server and name in _SERVER_OWN):
            pairs.append((name, source))
    return pairs


class Reading:
    """How to read the copied properties off events that have the same names of properties in the same order."""

    __slots__ = ("grouped", "names", "plain", "values_of", "varies")

    def __init__(self, properties: Mapping[str, Any], intern: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        pairs = copied(properties)
        self.names = intern(tuple(name for name, _ in pairs))
        """The person's properties; one object for all readings with the same ones, so that `is` tells them apart."""
        self.values_of = _reader([source for _, source in pairs])
        """Give their values, in the order of `names`."""
        self.plain = properties.keys().isdisjoint(("$set", "$set_once", "$unset", "$process_person_profile"))
        """Does the event ask no more of its person than these copies?"""
        self.grouped = "$groups" in properties
        self.varies = not properties.keys().isdisjoint(("$is_server", "$os_name"))
        """Do the values, not only the names, decide what is copied? Then it counts for one event only."""


def _reader(sources: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    if len(sources) > 1:
        return itemgetter(*sources)
    if sources:
        only = sources[0]
        return lambda properties: (properties[only],)
    return lambda _: ()


class Readings:
    """The readings met so far, by the names of the properties in their order; `limit` of them at most."""

    __slots__ = ("_limit", "_names", "known")

    def __init__(self, limit: int = 4096) -> None:
        self.known: dict[tuple[str, ...], Reading] = {}
        """To be asked first with `tuple(properties)`: a hit costs no call."""
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._limit = limit

    def learn(self, properties: Mapping[str, Any]) -> Reading:
        """Work out the reading of events like this one, and remember it when it counts for all of them."""
        reading = Reading(properties, lambda names: self._names.setdefault(names, names))
        if not reading.varies:
            if len(self.known) >= self._limit:
                # Somebody puts data into names. Starting over is dear only for them.
                self.known.clear()
                self._names.clear()
            self.known[tuple(properties)] = reading
        return reading


def are_scalars(kinds: tuple[type, ...]) -> bool:
    """Are values of these types compared exactly by `==` once their types are the same? Lists hide types inside."""
    return _SCALARS.issuperset(kinds)

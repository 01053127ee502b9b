"""
Events as PostHog's SDKs send them, about 1 KB with 30 properties, and the text that each must become.

An event is a function of its number (and of the seed and the share that match). So the generator, the checker and a
test agree on what must be sent to whom without telling one another. Everything that the checker compares differs
between events; the rest comes from a few dozen templates, because making an event must cost less than handling it.
"""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

SENDER: Final = "+15005550006"
ACCOUNT_SID: Final = "AC" + "b" * 32
AUTH_TOKEN: Final = "bench" * 6 + "ab"
EVENT: Final = "order completed"
LEAST_TOTAL: Final = 100
"""Orders of more than this are told by text."""
PROPERTIES: Final = 30
PERSONS: Final = 5_000
"""So many distinct_ids take turns: each person has several events in a run, as in an ordinary product."""

_BODY: Final = (
    "Hi {event.properties.name}, order {event.properties.order} for {event.properties.total}"
    " {event.properties.currency} is on its way."
)
_OTHERS: Final = ("$pageview", "$autocapture", "$pageleave", "product viewed", "cart updated", "search made")
_NAMES: Final = ("Ada", "Grace", "Zoë", "José", "Søren", "O'Neill", "Kim & Lee", "50% Bob", "Мария", "李雷", "Eve 🙂")
_DEVICES: Final = 16
"""Browsers, and who sits before them: a person keeps to one, and its description says nothing new with each event."""
_PAGES: Final = 6
"""What such a person does."""
_ORDER: Final = re.compile(r"order A-(\d+) for ")
_WORD: Final = (1 << 64) - 1
_PLACES: Final = {"@uuid": "%04x-%012x", "@person": "%d", "@phone": "%d", "@order": "%d"}
"""What differs between the events of a template, in the order in which it stands there, and how it is written."""


@dataclass(frozen=True, slots=True)
class Text:
    """What Twilio must be asked to send."""

    to: str
    body: str


@dataclass(frozen=True, slots=True)
class _Template:
    event: bytes
    """JSON with conversions for what `_PLACES` names."""
    body: str
    """The text, with a conversion for the order."""


def number_of(body: str) -> int | None:
    """Find the number of the event that a text came from, None if it came from none."""
    found = _ORDER.search(body)
    return int(found[1]) if found else None


def destination() -> dict[str, Any]:
    """Write the destination that all measurements use, as the API takes it: an event, three conditions, a text."""
    inputs = {
        "accountSid": ACCOUNT_SID,
        "authToken": AUTH_TOKEN,
        "fromPhoneNumber": SENDER,
        "phoneNumber": "{event.properties.phone}",
        "smsBody": _BODY,
    }
    conditions = [
        {"key": "total", "type": "event", "operator": "gt", "value": LEAST_TOTAL},
        {"key": "phone", "type": "event", "operator": "is_set", "value": "is_set"},
        {"key": "currency", "type": "event", "operator": "exact", "value": ["EUR", "USD"]},
    ]
    return {
        "type": "destination",
        "name": "Bench",
        "enabled": True,
        "template_id": "template-twilio",
        "inputs": {key: {"value": value} for key, value in inputs.items()},
        "filters": {"events": [{"id": EVENT, "name": EVENT, "type": "events", "properties": conditions}]},
    }


class Events:
    """The events of one measurement, by number."""

    def __init__(self, *, share: float, at: datetime, token: str, persons: int = PERSONS, seed: int = 1) -> None:
        """
        Prepare the templates.

        Args:
            share: of the events that must become a text, 0 to 1.
            at: when they happened, an aware UTC time; each has some milliseconds of its own.
            token: the project's.
            persons: so many take turns. Of very many each comes once.
            seed: another one gives other events.
        """
        chance = random.Random(seed)
        self._limit = round(share * (_WORD + 1))
        self._persons = persons
        self._salt = chance.getrandbits(64)
        self._key = json.dumps(token).encode()
        devices = [_make_device(chance) for _ in range(_DEVICES)]
        self._matching, self._others = (
            [[_make_template(chance, at, device, matching=matching) for _ in range(_PAGES)] for device in devices]
            for matching in (True, False)
        )

    def matches(self, number: int) -> bool:
        """Must this event become a text?"""
        return self._spread(number) < self._limit

    def event(self, number: int) -> bytes:
        """Write one event as JSON, as it stands in a batch."""
        spread = self._spread(number)
        person = self._person(spread)
        template = (self._matching if spread < self._limit else self._others)[person % _DEVICES][number % _PAGES]
        variant = 0x8000 | spread >> 50
        return template.event % (variant, spread & 0xFFFF_FFFF_FFFF, person, _phone(person), number)

    def body(self, first: int, batch: int) -> bytes:
        """Write the body of a request: one event alone, or a batch of several."""
        if batch == 1:
            return b'{"api_key":%b,%b' % (self._key, self.event(first)[1:])
        several = b",".join([self.event(number) for number in range(first, first + batch)])
        return b'{"api_key":%b,"historical_migration":false,"batch":[%b]}' % (self._key, several)

    def text(self, number: int) -> Text:
        """Give the text that a matching event must become."""
        person = self._person(self._spread(number))
        return Text(to=f"+{_phone(person)}", body=self._matching[person % _DEVICES][number % _PAGES].body % number)

    def _person(self, spread: int) -> int:
        return (spread >> 16) % self._persons

    def _spread(self, number: int) -> int:
        """
        Spread numbers over 64 bits, one to one.

        Multiples of 2^64 divided by the golden ratio lie evenly among each other (Fibonacci hashing): of any hundred
        events in a row nearly the very share matches, and the last 48 bits still differ from one event to the next.
        """
        return (number * 0x9E37_79B9_7F4A_7C15 + self._salt) & _WORD


def _phone(person: int) -> int:
    """Give a person's number, digits only: of the exchanges 220 to 226 in San Francisco, so that all are valid."""
    return 14_152_200_000 + person % PERSONS * 13


def _make_template(chance: random.Random, at: datetime, device: Mapping[str, Any], *, matching: bool) -> _Template:
    properties = {**device, **_make_page(chance)}
    event = EVENT if matching else _spoil(chance, properties)
    milliseconds = f"{int(at.timestamp() * 1000):012x}"
    document = {
        "event": event,
        "uuid": f"{milliseconds[:8]}-{milliseconds[8:]}-7{chance.getrandbits(12):03x}-@uuid",
        "distinct_id": "user-@person",
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{chance.randrange(1000):03}Z",
        "properties": properties,
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).replace("%", "%%")
    for place, conversion in _PLACES.items():
        text = text.replace(place, conversion)
    name = str(properties["name"]).replace("%", "%%")
    body = f"Hi {name}, order A-%d for {properties['total']} {properties['currency']} is on its way."
    return _Template(event=text.encode(), body=body)


def _make_device(chance: random.Random) -> dict[str, Any]:
    """Make what posthog-js says of a browser, and a name for who uses it."""
    width, height = chance.choice([(1920, 1080), (1512, 982), (390, 844), (2560, 1440)])
    session, window, device = (f"0193{chance.getrandbits(112):028x}" for _ in range(3))
    return {
        "$os": chance.choice(["Mac OS X", "Windows", "Android", "iOS"]),
        "$os_version": f"{chance.randrange(10, 16)}.{chance.randrange(9)}",
        "$browser": chance.choice(["Chrome", "Safari", "Firefox"]),
        "$browser_version": chance.randrange(100, 140),
        "$device_type": chance.choice(["Desktop", "Mobile"]),
        "$device_id": device,
        "$host": "shop.example.com",
        "$referrer": "https://www.example.org/search?q=shoes",
        "$referring_domain": "www.example.org",
        "$screen_height": height,
        "$screen_width": width,
        "$viewport_height": height - 130,
        "$viewport_width": width,
        "$lib": "web",
        "$lib_version": f"1.{chance.randrange(200, 300)}.0",
        "$session_id": session,
        "$window_id": window,
        "$is_identified": True,
        "name": chance.choice(_NAMES),
        "phone": "+@phone",
        "plan": chance.choice(["free", "pro", "team"]),
    }


def _make_page(chance: random.Random) -> dict[str, Any]:
    """Make what differs from one page to the next: its address, and an order that is to be told."""
    path = f"/orders/{chance.choice(['thanks', 'paid', 'done'])}/{chance.randrange(100)}"
    # A whole total or one with a fraction that is not zero: languages differ in how they write 100.0.
    total = chance.randrange(LEAST_TOTAL + 1, 900) + chance.choice((0, chance.randrange(1, 100) / 100))
    return {
        "$current_url": f"https://shop.example.com{path}?utm_source=letter",
        "$pathname": path,
        "$insert_id": f"{chance.getrandbits(64):016x}",
        "order": "A-@order",
        "total": total,
        "currency": chance.choice(["USD", "EUR"]),
        "items": [chance.randrange(1000) for _ in range(3)],
        "express": chance.random() < 0.5,
        "coupon": None,
    }


def _spoil(chance: random.Random, properties: dict[str, Any]) -> str:
    """Choose why an event does not match, change its properties to that, and give its name."""
    why = chance.random()
    if why < 0.7:  # most events of a project are of another name
        return chance.choice(_OTHERS)
    if why < 0.8:
        properties["total"] = chance.randrange(LEAST_TOTAL)
    elif why < 0.9:
        properties["currency"] = "GBP"
    else:
        renamed = {("fax" if key == "phone" else key): value for key, value in properties.items()}
        properties.clear()
        properties.update(renamed)
    return EVENT

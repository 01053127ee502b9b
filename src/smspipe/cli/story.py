"""
What the demo tells: a small shop, its destinations and a few of its events.

Every rule of a destination is met once: who gets which text, and each way in which an event leads to none.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import msgspec

SENDER: Final = "+15005550006"
ADA, GRACE, FIRST_ON_CALL, SECOND_ON_CALL = "+12025550143", "+12025550172", "+12025550111", "+12025550122"
LANDLINE: Final = "+15005550009"
"""Twilio's number for tests that is no mobile phone."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """One event, and what happens in words."""

    says: str
    event: str
    person: str
    properties: dict[str, Any] = {}
    age: timedelta = timedelta()
    """How long ago it happened."""
    again: bool = False
    """The very event of the scene before, with its uuid: an SDK that tries again."""
    lost: bool = False
    """Twilio takes the text, and its answer is lost on the way."""
    stop: str | None = None
    """A number whose owner answers STOP before it happens."""


def destinations(account_sid: str, auth_token: str) -> list[dict[str, Any]]:
    """Write the shop's destinations in PostHog's shape."""
    account = {"accountSid": {"value": account_sid}, "authToken": {"value": auth_token}}
    sender = {"fromPhoneNumber": {"value": SENDER}}
    return [
        {
            "name": "Order updates",
            "template_id": "template-twilio",
            "enabled": True,
            "inputs": {
                **account,
                **sender,
                "phoneNumber": {"value": "{event.properties.phone ?? person.properties.phone}"},
                "smsBody": {
                    "value": "Hi {person.properties.name ?? 'there'}, your order {event.properties.order} is on its"
                    " way. {event.properties.note ?? ''}"
                },
            },
            "filters": {"events": [{"id": "order shipped", "name": "order shipped", "type": "events"}]},
            "masking": {"hash": "{concat(recipient, '-', event.properties.order)}", "ttl": 3600},
        },
        {
            "name": "Welcome",
            "template_id": "template-twilio",
            "enabled": True,
            "inputs": {
                **account,
                **sender,
                "phoneNumber": {"value": "{event.properties.phone}"},
                "smsBody": {
                    "value": "Welcome aboard, {person.properties.name}! 🎉 Your first month is on us."
                    " Reply STOP and we will never write again."
                },
            },
            "filters": {
                "events": [
                    {
                        "id": "signed up",
                        "name": "signed up",
                        "type": "events",
                        "properties": [{"key": "plan", "value": "pro", "operator": "exact", "type": "event"}],
                    }
                ]
            },
        },
        {
            "name": "Failed payment",
            "template_id": "template-twilio",
            "enabled": True,
            "inputs": {
                **account,
                **sender,
                "phoneNumber": {"value": "{person.properties.phone}"},
                "smsBody": {
                    "value": "Your payment of {event.properties.amount} {event.properties.currency} did not go"
                    " through. Please check your card."
                },
            },
            "filters": {
                "events": [{"id": "payment failed", "name": "payment failed", "type": "events"}],
                "properties": [{"key": "amount", "value": 10, "operator": "gte", "type": "event"}],
            },
        },
        {
            "name": "Engineers on call",
            "template_id": "template-twilio-cooldown",
            "enabled": True,
            "inputs": {
                "accountSID": {"value": account_sid},
                "authToken": {"value": auth_token},
                "senderPhoneNumber": {"value": SENDER},
                "triggeringEventsAndNumber": {
                    "value": f"checkout broken:{FIRST_ON_CALL},checkout broken:{SECOND_ON_CALL},"
                    f"disk full:{FIRST_ON_CALL}"
                },
                "timeout": {"value": "600"},
                "message": {"value": "{event.event}: {event.properties.detail}"},
            },
        },
    ]


def scenes() -> Iterator[Scene]:
    """Tell the story."""
    yield Scene(says="Ada tells the shop her name and number.", event="$set", person="ada",
                properties={"name": "Ada", "phone": ADA})  # fmt: skip
    yield Scene(says="Her telescope leaves the shop.", event="order shipped", person="ada",
                properties={"order": "1001", "note": "Track it at shop.example/t/1001"})  # fmt: skip
    yield Scene(says="The network hiccups, and the SDK sends the same event again.", event="order shipped",
                person="ada", properties={"order": "1001"}, again=True)  # fmt: skip
    yield Scene(says="The warehouse reports the same order once more.", event="order shipped", person="ada",
                properties={"order": "1001"})  # fmt: skip
    yield Scene(says="Grace signs up for the pro plan.", event="signed up", person="grace",
                properties={"plan": "pro", "phone": GRACE, "$set": {"name": "Grace", "phone": GRACE}})  # fmt: skip
    yield Scene(says="Linus signs up for the free plan.", event="signed up", person="linus",
                properties={"plan": "free", "phone": "+12025550185"})  # fmt: skip
    yield Scene(says="Grace's card is declined.", event="payment failed", person="grace",
                properties={"amount": 49, "currency": "EUR"})  # fmt: skip
    yield Scene(says="It is tried again. Twilio takes the text, and its answer is lost on the way.",
                event="payment failed", person="grace", properties={"amount": 50, "currency": "EUR"},
                lost=True)  # fmt: skip
    yield Scene(says="Grace answers STOP. Then her card is declined once more.", event="payment failed", person="grace",
                properties={"amount": 51, "currency": "EUR"}, stop=GRACE)  # fmt: skip
    yield Scene(says="The checkout breaks: two engineers are on call.", event="checkout broken", person="server-1",
                properties={"detail": "500 on /pay since 03:12"})  # fmt: skip
    yield Scene(says="It breaks for the next customer, too.", event="checkout broken", person="server-2",
                properties={"detail": "500 on /pay since 03:12"})  # fmt: skip
    yield Scene(says="Bob's order ships, but Bob never gave a number.", event="order shipped", person="bob",
                properties={"order": "1002"})  # fmt: skip
    yield Scene(says="Carol wrote something else into the form.", event="order shipped", person="carol",
                properties={"order": "1003", "phone": "call me maybe"})  # fmt: skip
    yield Scene(says="Dan left his landline.", event="order shipped", person="dan",
                properties={"order": "1004", "phone": LANDLINE})  # fmt: skip
    yield Scene(says="Eve's gift comes with a very long note.", event="order shipped", person="eve",
                properties={"order": "1005", "phone": "+12025550164", "note": "Happy birthday! " * 105})  # fmt: skip
    yield Scene(says="A shipment from three days ago is reported late.", event="order shipped", person="ada",
                properties={"order": "0999"}, age=timedelta(days=3))  # fmt: skip
    yield Scene(says="Somebody looks at a page.", event="$pageview", person="linus",
                properties={"$current_url": "https://shop.example/"})  # fmt: skip

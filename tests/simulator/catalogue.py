"""The destinations that stories choose from: senders shared and not, paces, cooldowns, and both ways with absence."""

from typing import Any, Final

from tests.simulator.twilio import ACCOUNT, TOKEN

LONG_CODE: Final = "+14155552600"
TOLL_FREE: Final = "+18885552601"
SHORT_CODE: Final = "55444"
PACES: Final = {LONG_CODE: 1.0, TOLL_FREE: 3.0, SHORT_CODE: 100.0}
"""The highest pace of each sender, and that of most destinations, in segments a second."""


def _destination(sender: str, *, masking: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    event = options.pop("event", None)
    named = [{"id": event, "name": event, "type": "events"}] if event else []
    body: dict[str, Any] = {
        "template_id": "template-twilio",
        "enabled": True,
        "inputs": {
            "accountSid": {"value": ACCOUNT},
            "authToken": {"value": TOKEN},
            "fromPhoneNumber": {"value": sender},
            "phoneNumber": {"value": "{event.properties.phone}"},
            "smsBody": {"value": "{event.properties.text}"},
        },
        "filters": {"events": named},
        "smspipe": {"pace": PACES[sender], **options},
    }
    return body if masking is None else body | {"masking": masking}


CATALOGUE: Final = {
    "brief": _destination(SHORT_CODE, max_age=120, unconfirmed="hold"),
    "cooled": _destination(LONG_CODE, masking={"hash": "{recipient}", "ttl": 60, "threshold": None}),
    "counted": _destination(SHORT_CODE, masking={"hash": "{recipient}", "ttl": 600, "threshold": 2}),
    "fast": _destination(SHORT_CODE),
    "holding": _destination(LONG_CODE, unconfirmed="hold"),
    "named": _destination(SHORT_CODE, event="b"),
    "plain": _destination(LONG_CODE),
    "slow": _destination(TOLL_FREE, pace=0.2),
    "toll-free": _destination(TOLL_FREE),
}
COOLDOWN_SECONDS: Final = {"cooled": 60.0}
"""Those that let one text through a window, not more."""
EVENTS: Final = {"named": "b"}
"""Those that listen to one event alone."""

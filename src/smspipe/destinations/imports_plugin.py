"""The settings of PostHog's older Twilio plugin, as one destination with a cooldown."""

import math
from collections.abc import Mapping
from typing import Any, Final

from smspipe.destinations import templates
from smspipe.destinations.filters import LONGEST_SECONDS
from smspipe.destinations.imports_taken import SWITCHED_OFF, Document, Here, Taken

PAIRS: Final = "triggeringEventsAndNumber"
_KEYS: Final = ("accountSID", "authToken", PAIRS, "senderPhoneNumber", "timeout")
_DEFAULT_TIMEOUT: Final = 60


def find_settings(given: Mapping[str, Any]) -> Document | None:
    """
    Find the plugin's settings: by themselves, as PostHog's plugin configs have them (`config`), or as inputs.

    None when these are none.
    """
    for place in (given.get("config"), given.get("inputs"), given):
        if isinstance(place, Mapping) and PAIRS in place:
            return {
                key: value.get("value") if isinstance(value, Mapping) else value
                for key, value in place.items()
                if key in _KEYS
            }
    return None


def take_plugin(given: Mapping[str, Any], settings: Document, here: Here) -> Taken:
    """Make one destination of the settings, with what the plugin did where that can be told."""
    about = given.get("plugin_info")
    name = given.get("name") or (about.get("name") if isinstance(about, Mapping) else None) or "Twilio plugin"
    taken = Taken(name=str(name)[:400], body=None)
    pairs = _take_pairs(settings.get(PAIRS), taken, here)
    if not pairs:
        return taken.leave("It names no event with a number, so the plugin sent nothing.")
    inputs: Document = {
        "accountSID": {"value": _text(settings.get("accountSID"))},
        "authToken": {"secret": True},
        PAIRS: {"value": pairs},
        "senderPhoneNumber": {"value": _text(settings.get("senderPhoneNumber"))},
        "timeout": {"value": str(_take_timeout(settings.get("timeout"), taken))},
        "message": {"value": "Hi {event.event} occured - PostHog"},
    }
    token = settings.get("authToken")
    # PostHog shows a secret as `**************** POSTHOG SECRET FIELD ****************`.
    if isinstance(token, str) and token and "**" not in token:
        inputs["authToken"] = {"value": token}
    taken.body = {"template_id": templates.COOLDOWN, "name": taken.name, "enabled": False, "inputs": inputs}
    taken.taken_over.append("The events with their numbers, the sender, the timeout, and the plugin's own text.")
    if given.get("enabled"):
        taken.changed.append(SWITCHED_OFF)
    taken.changed.append(
        "A cooldown starts with a text, and is given back when none was sent; the plugin started it before,"
        " and it went on when the request failed."
    )
    return taken


def _take_pairs(given: Any, taken: Taken, here: Here) -> str:
    """Read the list as the plugin did: cut at each comma and colon, and of an event's numbers the last one counts."""
    numbers: dict[str, str] = {}
    for entry in _text(given).split(","):
        name, *rest = entry.split(":")
        if not entry.strip():
            continue
        if not rest or not rest[0].strip():
            taken.changed.append(f"The entry {entry.strip()[:40].partition(':')[0]!r} has no number, and is left out.")
            continue
        if name in numbers:
            taken.changed.append(
                f"{name.strip()!r} had several numbers, of which the plugin used the last; the others are left out."
            )
        numbers[name] = rest[0]
    if strange := [name.strip() for name in numbers if set(name) & set("&#+%")]:
        taken.changed.append(
            f"The plugin broke the text at the characters & # + % of {strange[0]!r}; it is whole here."
        )
    if apart := [name for name in numbers if name != name.strip()]:
        taken.changed.append(f"The blanks around {apart[0].strip()!r} are left out; with them the plugin met no event.")
    return ",".join(f"{_quoted(name.strip(), here)}:{number.strip()}" for name, number in numbers.items())


def _quoted(name: str, here: Here) -> str:
    """Write an event's name so that it means nothing else here: an action, or the beginning of a template."""
    if name in here.actions or set(name) & set("\"'{}") or name.startswith("action"):
        return '"' + name.replace('"', '""') + '"'
    return name


def _take_timeout(given: Any, taken: Taken) -> int:
    try:
        seconds = float(_text(given))
    except ValueError:
        seconds = math.nan
    if math.isnan(seconds):
        taken.changed.append(f"Its timeout is no number; it is {_DEFAULT_TIMEOUT} seconds here.")
        return _DEFAULT_TIMEOUT
    fitting = math.ceil(min(max(1, seconds), LONGEST_SECONDS))
    if fitting != seconds:
        taken.changed.append(
            f"Its timeout is {fitting} seconds here: the plugin took whole ones between 1 and {LONGEST_SECONDS}."
        )
    return fitting


def _text(value: Any) -> str:
    return "" if value is None else str(value)

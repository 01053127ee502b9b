"""
Take over what PostHog exports: functions made from its Twilio templates, and the settings of its older Twilio plugin.

Nothing is switched on by an import. What cannot be the same here is said: what was changed and why, and what a person
has to do.
"""

from typing import Any, Final

import msgspec

from smspipe.cli.documents import Document

TWILIO: Final = "template-twilio"
COOLDOWN: Final = "template-twilio-cooldown"
_PLUGIN_KEYS: Final = ("accountSID", "authToken", "triggeringEventsAndNumber", "senderPhoneNumber", "timeout")
_SUFFIX_IN_CODE: Final = "- Event: "
"""What the code of PostHog's first Twilio template puts behind each text, as far as it names it."""
SUFFIX_HOG: Final = " - Event: {event.event} at {toDate(event.timestamp)}"
SUFFIX_LIQUID: Final = " - Event: {{ event.event }} at {{ event.timestamp | date: '%Y-%m-%d' }}"


class Taken(msgspec.Struct, kw_only=True):
    """One function as it would be here."""

    name: str
    body: Document | None
    """None when it cannot be taken over at all."""
    changed: list[str] = []
    """What differs from PostHog, and why; a sentence each."""
    needs: list[str] = []
    """What a person has to do; a sentence each."""


def take_over(given: Document, *, accounts: list[Document], account: int | None, suffix: bool) -> Taken:
    """
    Turn one exported function into a document of ours.

    Args:
        given: a function in full, or settings of the older plugin.
        accounts: the Twilio accounts that are stored here, as the API lists them.
        account: the one of them to use where PostHog's had one of its own; None for the only one there is.
        suffix: keep what PostHog's first template adds to each text.
    """
    settings = given.get("config") if isinstance(given.get("config"), dict) else given
    if settings and "triggeringEventsAndNumber" in settings and "inputs" not in given:
        return _plugin(given, settings)
    name = str(given.get("name") or "Twilio")
    template = given.get("template")
    template_id = given.get("template_id") or (template.get("id") if isinstance(template, dict) else None)
    inputs = given.get("inputs") if isinstance(given.get("inputs"), dict) else {}
    kind = given.get("type") or "destination"
    if kind != "destination":
        return Taken(name=name, body=None, needs=[f"It is a {kind}, which sends no texts."])
    if template_id not in (None, TWILIO, COOLDOWN):
        return Taken(name=name, body=None, needs=[f"It is made from {template_id}, which sends no texts."])
    if not inputs:
        needs = "It has no inputs. Export it with ?full=true, or from its own address."
        return Taken(name=name, body=None, needs=[needs])
    taken = Taken(name=name, body={**given, "name": name, "enabled": False, "inputs": dict(inputs)})
    _note_state(taken, given)
    _take_code(taken, given, suffix=suffix)
    _take_account(taken, accounts, account)
    if given.get("mappings"):
        taken.needs.append("Its mappings are not run here: make one destination of each, with its own filters.")
        taken.body["mappings"] = None  # type: ignore[index]  # it was made above
    if (given.get("filters") or {}).get("actions"):
        taken.needs.append(
            "Its filter names actions by PostHog's ids, which mean others here, or none: store each by the API "
            "(/api/projects/1/actions/) and put its new id into the filter."
        )
    return taken


def _note_state(taken: Taken, given: Document) -> None:
    if given.get("enabled"):
        taken.changed.append("It is switched off here, so that no text is sent twice. Switch it off in PostHog first.")


def _take_code(taken: Taken, given: Document, *, suffix: bool) -> None:
    """Keep what the code added to the text; the code itself is kept to be read, and not run."""
    assert taken.body is not None  # noqa: S101 (only called with one)
    code = given.get("hog")
    text = taken.body["inputs"].get("smsBody")
    if isinstance(code, str) and _SUFFIX_IN_CODE in code and isinstance(text, dict):
        if suffix:
            added = SUFFIX_LIQUID if text.get("templating") == "liquid" else SUFFIX_HOG
            taken.body["inputs"]["smsBody"] = {**text, "value": f"{text.get('value') or ''}{added}"}
            taken.changed.append(
                "PostHog's code added the event's name and date to each text; they now stand in the template itself. "
                "Import with --without-suffix to leave them out."
            )
        else:
            taken.changed.append("The event's name and date, which PostHog's code added to each text, are left out.")
    if isinstance(code, str) and code.strip():
        taken.changed.append("Its Hog code is kept to be read, but not run: smspipe sends the text itself.")


def _take_account(taken: Taken, accounts: list[Document], account: int | None) -> None:
    assert taken.body is not None  # noqa: S101 (only called with one)
    if "twilio_account" not in taken.body["inputs"]:
        return
    ids = [each["id"] for each in accounts]
    chosen = account if account is not None else ids[0] if len(ids) == 1 else None
    if chosen in ids:
        taken.body["inputs"]["twilio_account"] = {"value": chosen}
        taken.changed.append(f"It uses the Twilio account {chosen} that is stored here.")
        return
    which = f"Say with --account which to use: {', '.join(map(str, ids))}." if ids else (
        "Store its Twilio account first: POST /api/projects/1/integrations/."
    )  # fmt: skip
    taken.needs.append(f"It uses a Twilio account that PostHog keeps. {which}")
    taken.body = None


def _plugin(given: Document, settings: Document) -> Taken:
    name = str(given.get("name") or "Twilio plugin")
    inputs: dict[str, Any] = {
        key: {"value": str(settings[key])} for key in _PLUGIN_KEYS if settings.get(key) not in (None, "")
    }
    if str(settings.get("authToken", "")).strip("*") == "":
        inputs["authToken"] = {"secret": True}
    taken = Taken(
        name=name,
        body={"template_id": COOLDOWN, "name": name, "enabled": False, "inputs": inputs},
    )
    if given.get("enabled"):
        _note_state(taken, given)
    taken.changed.append(
        "A cooldown starts with a text that was sent, and is given back when nothing was; the plugin started it before."
    )
    return taken

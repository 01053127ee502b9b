"""
The short form: a destination as people write it into a file, beside PostHog's shape.

    name: Order shipped                      name: Order shipped
    account: {sid: AC…, token: …}            inputs: {accountSid: {value: AC…}, authToken: {value: …},
    from: "+15005550006"                       fromPhoneNumber: {value: "+15005550006"},
    to: "{person.properties.phone}"            phoneNumber: {value: "{person.properties.phone}"},
    message: Order {event.properties.id}       smsBody: {value: Order {event.properties.id}}}
    when: order shipped                      filters: {events: [{id: order shipped, …}]}
    cooldown: {key: "{person.id}",           masking: {hash: "{person.id}", ttl: 3600}
               seconds: 3600}

`expand` turns the one into the other and passes by what is in PostHog's shape already; `shorten` goes back, and leaves
alone what would not come out the same.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from smspipe.destinations import templates
from smspipe.model.errors import Invalid

FAMILIES: Final[Mapping[str, Mapping[str, str]]] = {
    "credentials": {"from": "fromPhoneNumber", "to": "phoneNumber", "message": "smsBody"},
    "account": {"from": "from_number", "to": "to_number", "message": "message"},
}
"""By family of inputs: which one each short key is."""
CREDENTIALS: Final[Mapping[str, str]] = {"sid": "accountSid", "token": "authToken"}
"""What a short `account` may hold, when it is no number of a stored account."""
COOLDOWN: Final[Mapping[str, str]] = {"key": "hash", "seconds": "ttl", "threshold": "threshold"}
_INPUTS: Final = ("account", "from", "to", "message")
_FILTERS: Final = ("when", "where", "skip_test_accounts")
_MASKING: Final = ("cooldown",)
SHORT: Final[Mapping[str, tuple[str, ...]]] = {"inputs": _INPUTS, "filters": _FILTERS, "masking": _MASKING}
"""PostHog's field → the short keys that stand for it."""
LONG: Final = (
    "id", "name", "description", "enabled", "deleted", "template_id", "inputs", "inputs_schema", "filters", "masking",
    "smspipe", "type", "hog", "icon_url", "execution_order", "mappings",
)  # fmt: skip
"""PostHog's fields that a document may set; `id` says which destination is meant."""
PASSED_BY: Final = frozenset({
    "batch_export_id", "bytecode", "created_at", "created_by", "search_match_type", "status", "template", "transpiled",
    "updated_at", "version",
})  # fmt: skip
"""Told of a destination that is read; in a document they are passed by."""


def expand(document: Mapping[str, Any]) -> dict[str, Any]:
    """
    Write a document in PostHog's shape.

    Raises:
        Invalid: a key is unknown (the message names the nearest), or a short key stands beside the field that it is
            short for, or is not what it must be; `field` is the key.
    """
    known = (*LONG, *(key for keys in SHORT.values() for key in keys))
    for key in document:
        if key not in known and key not in PASSED_BY:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "The reference of destinations lists the keys."
            raise Invalid(f"There is no key {str(key)[:60]!r}. {hint}", field=str(key)[:60], hint=hint)
    for long, keys in SHORT.items():
        given = [key for key in keys if key in document]
        if given and document.get(long):
            raise Invalid(f"{given[0]!r} is short for a part of {long!r}: give one of the two.", field=given[0])
    expanded = {key: document[key] for key in document if key in LONG or key == "template"}
    if any(key in document for key in _INPUTS):
        expanded["inputs"] = _expand_inputs(document)
        expanded.setdefault("template_id", templates.TWILIO)
    if any(key in document for key in _FILTERS):
        expanded["filters"] = _expand_filters(document)
    if "cooldown" in document:
        expanded["masking"] = _expand_cooldown(document["cooldown"])
    return expanded


def shorten(document: Mapping[str, Any]) -> dict[str, Any]:
    """
    Write a document in the short form, as far as `expand` gives the same back.

    Args:
        document: in PostHog's shape, without what is computed.
    """
    short = dict(document)
    for field, make in (("inputs", _shorten_inputs), ("filters", _shorten_filters), ("masking", _shorten_masking)):
        if field not in short or short[field] is None:
            continue
        made = make(short[field])
        tried = {**{key: value for key, value in short.items() if key != field}, **made}
        if made and settled(expand(tried)).get(field) == settled(short)[field]:
            short = tried
    if any(key in short for key in _INPUTS) and short.get("template_id") == templates.TWILIO:
        del short["template_id"]
    return short


def settled(document: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a document what is computed or says nothing, so that what means the same is the same."""
    kept = dict(document)
    if isinstance(kept.get("inputs"), Mapping):
        kept["inputs"] = {
            key: {name: part for name, part in entry.items() if name not in _NOISE and part is not None}
            if isinstance(entry, Mapping)
            else entry
            for key, entry in kept["inputs"].items()
        }
    if isinstance(kept.get("filters"), Mapping):
        kept["filters"] = {"source": "events", **_plain(kept["filters"])}
    if isinstance(kept.get("masking"), Mapping):
        kept["masking"] = {key: value for key, value in kept["masking"].items() if value is not None}
    return kept


def is_short(document: Mapping[str, Any]) -> bool:
    """Is a document written in the short form, for a part at least?"""
    return any(key in document for keys in SHORT.values() for key in keys)


def short_value(field: str, value: Any) -> Any:
    """Write the value of one of PostHog's fields (`filters.events`) as the short form has it."""
    if field in ("filters.events", "filters.actions") and isinstance(value, list):
        return _shorten_filters({field.partition(".")[2]: value}).get("when")
    if field == "masking" and isinstance(value, Mapping):
        return _shorten_masking(value).get("cooldown", value)
    return value


def place_of(field: str, document: Mapping[str, Any]) -> tuple[str | int, ...]:
    """
    Tell where in a document a field lies that an error names (`inputs__smsBody`): a path of keys and indices.

    The path may lead deeper than the document; whoever looks it up stops where it ends.
    """
    parts: list[str | int] = [int(part) if part.isdecimal() else part for part in field.split("__")]
    head = parts[0]
    if head == "inputs" and "inputs" not in document and len(parts) > 1:
        for keys in FAMILIES.values():
            for short, long in keys.items():
                if long == parts[1]:
                    return (short, *parts[2:])
        inner = {long: short for short, long in CREDENTIALS.items()}.get(str(parts[1]))
        return ("account",) if inner is None else ("account", inner, *parts[2:])
    if head == "filters" and "filters" not in document and len(parts) > 1:
        if parts[1] == "properties":
            return ("where", *parts[2:])
        return ("when", *("where" if part == "properties" else part for part in parts[2:] if part != "id"))
    if parts == ["masking"] and is_short(document) and "masking" not in document:
        return ("cooldown",)
    if head == "masking" and "masking" not in document and len(parts) > 1:
        names = {long: short for short, long in COOLDOWN.items()}
        return ("cooldown", names.get(str(parts[1]), parts[1]))
    return tuple(parts)


# ---- inputs ----------------------------------------------------------------------------------------------------------


def _expand_inputs(document: Mapping[str, Any]) -> dict[str, Any]:
    account = document.get("account")
    inputs: dict[str, Any] = {}
    if isinstance(account, Mapping):
        family = FAMILIES["credentials"]
        for key, value in account.items():
            if key not in CREDENTIALS:
                raise Invalid(
                    f"An account has no {str(key)[:60]!r}.", field="account", hint="It has a sid and a token."
                )
            inputs[CREDENTIALS[key]] = _entry(value)
    elif isinstance(account, int) and not isinstance(account, bool):
        family = FAMILIES["account"]
        inputs["twilio_account"] = {"value": account}
    else:
        raise Invalid(
            "The account is missing." if account is None else "This is no account.",
            field="account",
            hint="Write `account: {sid: AC…, token: {from_env: TWILIO_TOKEN}}`, or the number of a stored one.",
        )
    for key, long in family.items():
        if key in document:
            inputs[long] = _entry(_text(key, document[key]))
    return inputs


def _text(key: str, value: Any) -> Any:
    """Refuse what a reader of YAML made of a text without quotes; what an object holds is checked with the inputs."""
    if not isinstance(value, str | Mapping):
        what = "true or false" if isinstance(value, bool) else "a number" if isinstance(value, int | float) else "none"
        raise Invalid(f"This must be text, and is {what}.", field=key, hint='Put it in quotes: "+15005550006".')
    return value


def _entry(value: Any) -> Any:
    """Make an input of a short value: an object is one already."""
    return dict(value) if isinstance(value, Mapping) else {"value": value}


def _shorten_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    family = FAMILIES["account" if "twilio_account" in inputs else "credentials"]
    if "twilio_account" in inputs:
        found["account"] = inputs["twilio_account"].get("value")
    else:
        found["account"] = {short: _short_entry(inputs[long]) for short, long in CREDENTIALS.items() if long in inputs}
    for short, long in family.items():
        if long in inputs:
            found[short] = _short_entry(inputs[long])
    return found


def _short_entry(entry: Any) -> Any:
    if isinstance(entry, Mapping) and entry.keys() == {"value"} and not isinstance(entry["value"], Mapping):
        return entry["value"]
    return entry


# ---- filters and cooldown --------------------------------------------------------------------------------------------


def _expand_filters(document: Mapping[str, Any]) -> dict[str, Any]:
    filters: dict[str, Any] = {"source": "events"}
    when = document.get("when")
    entries = [] if when is None else when if isinstance(when, list) else [when]
    for place, entry in enumerate(entries):
        kind, expanded = _expand_entry(entry, f"when__{place}")
        filters.setdefault(kind, []).append(expanded)
    where = document.get("where")
    if where is not None:
        filters["properties"] = where if isinstance(where, list) else [where]
    if "skip_test_accounts" in document:
        filters["filter_test_accounts"] = document["skip_test_accounts"]
    return filters


def _expand_entry(entry: Any, field: str) -> tuple[str, dict[str, Any]]:
    """Make an entry of a filter's events or actions from a name or `{event: …}`, `{action: …}`."""
    given = {"event": entry} if isinstance(entry, str) else entry
    kinds = {"event": "events", "action": "actions"}
    kind = next((each for each in kinds if isinstance(given, Mapping) and each in given), None)
    strangers = set(given) - {kind, "where"} if isinstance(given, Mapping) else set()
    if kind is None or strangers:
        raise Invalid(
            "This names no event." if kind is None else f"An entry has no {min(map(str, strangers))[:60]!r}.",
            field=field,
            hint="Write a name, or {event: name, where: [conditions]}, or {action: number}.",
        )
    name = given[kind]
    if kind == "event" and name is not None and not isinstance(name, str):
        raise Invalid("The name of an event is text.", field=field, hint='Put it in quotes: "404".')
    expanded: dict[str, Any] = {"id": name, "type": kinds[kind]}
    if kind == "event":
        expanded["name"] = name
    where = given.get("where")
    if where is not None:
        expanded["properties"] = where if isinstance(where, list) else [where]
    return kinds[kind], expanded


def _shorten_filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    entries: list[Any] = []
    for kind, key in (("events", "event"), ("actions", "action")):
        for entry in filters.get(kind) or ():
            short = {key: entry.get("id")}
            if entry.get("properties"):
                short["where"] = entry["properties"]
            entries.append(short["event"] if short.keys() == {"event"} and short["event"] is not None else short)
    if entries:
        found["when"] = entries[0] if len(entries) == 1 and isinstance(entries[0], str) else entries
    if filters.get("properties"):
        found["where"] = filters["properties"]
    if "filter_test_accounts" in filters:
        found["skip_test_accounts"] = filters["filter_test_accounts"]
    return found


def _expand_cooldown(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping) or not set(given) <= set(COOLDOWN):
        raise Invalid(
            "This is no cooldown.", field="cooldown", hint="Write `cooldown: {key: '{person.id}', seconds: 3600}`."
        )
    return {COOLDOWN[key]: value for key, value in given.items()}


def _shorten_masking(masking: Mapping[str, Any]) -> dict[str, Any]:
    names = {long: short for short, long in COOLDOWN.items()}
    if not set(masking) <= set(names):
        return {}
    return {"cooldown": {names[key]: value for key, value in masking.items() if value is not None}}


_NOISE: Final = ("order", "bytecode", "transpiled", "bytecode_error")


def _plain(value: Any) -> Any:
    """Leave out of filters what is computed, nulls, empty conditions, and an entry's name where it repeats its id."""
    if isinstance(value, Mapping):
        kept = {
            key: _plain(part)
            for key, part in value.items()
            if key not in _NOISE and part is not None and not (key in ("properties", "events", "actions") and not part)
        }
        if kept.get("type") in ("events", "actions") and "id" in value:
            kept.setdefault("id", None)
            if kept["type"] == "actions" or kept.get("name") == kept["id"]:
                kept.pop("name", None)
        return kept
    return [_plain(part) for part in value] if isinstance(value, list) else value

"""
The JSON Schema of a destination's document, for editors: both the short form and PostHog's shape.

It is made from what reads documents (`document`, `options`, `templates`, `short`, the operators of `matching`), so a
field that is added there appears here, and one without a description here fails the tests.
"""

from collections.abc import Mapping
from typing import Any, Final

from smspipe.destinations import document as reading
from smspipe.destinations import limits, options, short, templates
from smspipe.destinations.filters import LARGEST_THRESHOLD, LONGEST_SECONDS
from smspipe.matching.operators import OF_VALUES
from smspipe.model.destination import ANY, WhenAbsent
from smspipe.model.filter import Mode
from smspipe.model.limits import By, Then
from smspipe.model.trust import NUMBER_TYPES, Recipients

Schema = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ANY: Final[Schema] = {}
_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}


def schema() -> Schema:
    """Give the schema of a file: one document, a list of them, or a list under `destinations`."""
    one = {"$ref": "#/$defs/destination"}
    many: Schema = {"type": "array", "items": one, "minItems": 1}
    return {
        "$schema": DIALECT,
        "title": "Destinations of smspipe",
        "anyOf": [
            one,
            many,
            {"type": "object", "properties": {"destinations": many}, "required": ["destinations"],
             "additionalProperties": False},
        ],
        "$defs": {
            "destination": _destination(),
            "input": _input(),
            "text": {"anyOf": [_TEXT, {"$ref": "#/$defs/input"}]},
            "reference": _reference(),
            "conditions": {"anyOf": [{"$ref": "#/$defs/condition"},
                                     {"type": "array", "items": {"$ref": "#/$defs/condition"}}]},
            "condition": _condition(),
            "entry": _entry(),
            "filters": _filters(),
        },
    }  # fmt: skip


def _destination() -> Schema:
    described = _long() | _short()
    keys = (*short.LONG, *(key for each in short.SHORT.values() for key in each))
    clashes = [{"not": {"required": [long, key]}} for long, keys in short.SHORT.items() for key in keys]
    return {
        "type": "object",
        "properties": {key: described[key] for key in keys} | dict.fromkeys(sorted(short.PASSED_BY), _ANY),
        "additionalProperties": False,
        "anyOf": [{"required": ["name"]}, {"required": ["id"]}],
        "allOf": clashes,
    }  # fmt: skip


def _long() -> dict[str, Schema]:
    """Describe PostHog's fields."""
    older = {item["key"]: item for item in templates.COOLDOWN_INPUTS}
    inputs = [*templates.CREDENTIAL_INPUTS, *templates.INTEGRATION_INPUTS, *older.values()]
    fields: dict[str, Schema] = {
        "id": _TEXT | {"description": "Which destination is meant; left out, the one of this name."},
        "name": _TEXT | {"maxLength": reading.LONGEST_NAME, "description": "Commands find the destination by this."},
        "description": _TEXT | {"description": "For people."},
        "enabled": _FLAG | {"description": "Left out, it stays as it is; a new destination is switched off."},
        "deleted": _FLAG | {"description": "true deletes; its deliveries stay."},
        "template_id": {"enum": sorted(templates.TEMPLATES), "description": "What it is made from."},
        "inputs": {
            "type": "object",
            "properties": {
                item["key"]: {"$ref": "#/$defs/input"} | {"description": item["description"]} for item in inputs
            },
            "additionalProperties": {"$ref": "#/$defs/input"},
        },
        "inputs_schema": {"type": "array", "items": {"type": "object", "required": ["key", "type"]}},
        "filters": {"$ref": "#/$defs/filters"},
        "masking": {
            "description": "The cooldown.",
            "anyOf": [{"type": "null"}, _cooldown("hash", "ttl", required=("hash", "ttl"), others=True)],
        },
        "smspipe": {
            "type": "object",
            "properties": _options() | dict.fromkeys(options.READ_ONLY, _ANY),
            "additionalProperties": False,
        },
        "type": {"enum": list(reading.TYPES[:1])},
        "hog": _TEXT | {"description": "Kept and given back; not run."},
        "icon_url": _TEXT,
        "execution_order": {"type": ["integer", "null"]},
        "mappings": {"anyOf": [{"type": "null"}, {"type": "array", "maxItems": 0}]},
    }
    return fields


def _short() -> dict[str, Schema]:
    """Describe the short keys."""
    text: Schema = {"$ref": "#/$defs/text"}
    return {
        "account": {
            "description": "The Twilio account: its SID and token, or the number of a stored one.",
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "object", "properties": dict.fromkeys(short.CREDENTIALS, text),
                 "required": ["sid"], "additionalProperties": False},
            ],
        },
        "from": text | {"description": "Who the text comes from."},
        "to": text | {"description": f"Who it goes to; left out, {templates.RECIPIENT}."},
        "message": text | {"description": "The text, with expressions in braces."},
        "when": {
            "description": "Which events: a name, or a list of names and entries. Left out, every event.",
            "anyOf": [{"$ref": "#/$defs/entry"}, {"type": "array", "items": {"$ref": "#/$defs/entry"}}],
        },
        "where": {"$ref": "#/$defs/conditions", "description": "Conditions on every event."},
        "skip_test_accounts": _FLAG | {"description": "Leave out the project's own people."},
        "cooldown": {
            "description": "One text for each key in so many seconds.",
            "anyOf": [{"type": "null"}, _cooldown("key", "seconds", required=("key", "seconds"), others=False)],
        },
    }  # fmt: skip


def _cooldown(key: str, span: str, *, required: tuple[str, str], others: bool) -> Schema:
    return {
        "type": "object",
        "properties": {
            key: _TEXT | {"minLength": 1},
            span: {"type": "integer", "minimum": 1, "maximum": LONGEST_SECONDS},
            "threshold": {"type": ["integer", "null"], "minimum": 1, "maximum": LARGEST_THRESHOLD},
        },
        "required": list(required),
        "additionalProperties": others,
    }


def _options() -> dict[str, Schema]:
    """Describe the options; one that is read elsewhere and not described here is any value."""
    known: Mapping[str, Schema] = {
        "truncate": _FLAG,
        "max_age": {"type": "integer", "minimum": 1, "maximum": options.LONGEST_AGE_SECONDS},
        "default_country": _TEXT | {"pattern": "^[A-Z]{2}$"},
        "filter_mode": {"enum": [mode.value for mode in Mode]},
        "escape_html": _FLAG,
        "pace": {"type": "number", "minimum": options.SLOWEST, "maximum": options.FASTEST},
        "silence_hours": {"type": "integer", "minimum": 1, "maximum": 8_760},
        "unconfirmed": {"enum": [each.value for each in WhenAbsent]},
        "recipients": {"enum": [each.value for each in Recipients]},
        "countries": {
            "anyOf": [
                {"const": ANY},
                {"type": "array", "minItems": 1, "items": _TEXT | {"pattern": f"^([A-Z]{{2}}|{options.NO_COUNTRY})$"}},
            ]
        },
        "number_types": {"type": "array", "items": {"enum": list(NUMBER_TYPES)}},
        "velocity": {
            "type": "object",
            "properties": {
                **{key: {"type": ["integer", "null"], "minimum": 0, "maximum": options.MOST} for key in options.LIMITS},
                "private_sources": _FLAG,
            },
            "additionalProperties": False,
        },
        "caps": {
            "type": "array",
            "maxItems": limits.MOST_CAPS,
            "items": {
                "type": "object",
                "properties": {
                    "texts": {"type": "integer", "minimum": 1, "maximum": limits.MOST_TEXTS},
                    "per": {"type": "integer", "minimum": 1, "maximum": limits.LONGEST_CAP_SECONDS},
                    "by": {"enum": [each.value for each in By]},
                    "across": _FLAG,
                },
                "required": ["texts", "per"],
                "additionalProperties": False,
            },
        },
        "refuse_identical": {"type": "integer", "minimum": 1, "maximum": limits.LONGEST_TWIN_SECONDS},
        "budget": _budget(),
        "quiet_hours": _quiet_hours(),
        "media_urls": {"type": "array", "maxItems": 10, "items": _TEXT | {"minLength": 1}},
        "validity_period": {"type": "integer", "minimum": 1, "maximum": 36_000},
        "smart_encoded": _FLAG,
        "risk_check": {"enum": ["enable", "disable"]},
        "send_at": _TEXT | {"minLength": 1},
    }
    return {key: {"anyOf": [known[key], {"type": "null"}]} if key in known else _ANY for key in options.KEYS}


def _budget() -> Schema:
    segments: Schema = {"type": ["integer", "null"], "minimum": 0, "maximum": limits.MOST_SEGMENTS}
    money: Schema = {
        "anyOf": [
            _TEXT | {"pattern": limits.MONEY},
            {"type": "number", "minimum": 0, "maximum": limits.MOST_MONEY},
            {"type": "null"},
        ]
    }
    return {
        "type": "object",
        "properties": {
            "segments_per_day": segments,
            "segments_per_month": segments,
            "money_per_day": money,
            "money_per_month": money,
            "currency": _TEXT | {"pattern": limits.CURRENCY},
            "timezone": _TEXT,
        },
        "additionalProperties": False,
    }


def _quiet_hours() -> Schema:
    clock = _TEXT | {"pattern": limits.TIME}
    return {
        "type": "object",
        "properties": {
            "windows": {
                "type": "array",
                "minItems": 1,
                "maxItems": limits.MOST_WINDOWS,
                "items": {
                    "type": "object",
                    "properties": {
                        "days": {"type": "array", "minItems": 1, "items": {"enum": list(limits.DAYS)}},
                        "from": clock,
                        "to": clock,
                    },
                    "required": ["from", "to"],
                    "additionalProperties": False,
                },
            },
            "timezone": {"type": ["string", "null"]},
            "then": {"enum": [each.value for each in Then]},
            "max_hold": {"type": ["integer", "null"], "minimum": 1, "maximum": limits.LONGEST_HOLD_SECONDS},
        },
        "required": ["windows"],
        "additionalProperties": False,
    }


def _reference() -> Schema:
    """Describe where a value is read from instead of standing in the file."""
    return {
        "description": "Read by the command line: from an environment variable, or a file beside this one.",
        "oneOf": [
            {"type": "object", "properties": {name: _TEXT}, "required": [name], "additionalProperties": False}
            for name in ("from_env", "from_file")
        ],
    }


def _input() -> Schema:
    return {
        "anyOf": [
            {"$ref": "#/$defs/reference"},
            {
                "type": "object",
                "properties": {
                    "value": _ANY,
                    "templating": {"enum": ["hog", "liquid", True, False, None]},
                    "secret": _FLAG,
                    "order": _ANY,
                    "bytecode": _ANY,
                },
                "additionalProperties": False,
            },
        ]
    }


def _condition() -> Schema:
    operators = sorted({each for each in OF_VALUES if each} | {"is_set", "is_not_set", "between", "not_between"})
    return {
        "type": "object",
        "properties": {
            "key": _TEXT,
            "value": _ANY,
            "operator": {"enum": [*operators, None]},
            "type": _TEXT | {"description": "event (unless said), person, group, element, event_metadata, hogql."},
        },
    }


def _entry() -> Schema:
    """Describe an item of `when`."""
    return {
        "anyOf": [
            _TEXT,
            *(
                {"type": "object", "properties": {kind: names, "where": {"$ref": "#/$defs/conditions"}},
                 "required": [kind], "additionalProperties": False}
                for kind, names in (
                    ("event", {"type": ["string", "null"]}),
                    ("action", {"type": ["integer", "string"]}),
                )
            ),
        ]
    }  # fmt: skip


def _filters() -> Schema:
    listed: Schema = {"type": "array", "items": {"type": "object"}}
    return {
        "type": "object",
        "properties": {
            "source": {"const": "events"},
            "events": listed,
            "actions": listed,
            "properties": {"type": ["array", "object"]},
            "filter_test_accounts": _FLAG,
        },
    }

"""
A destination's document: what is stored of it, and how a body changes it. `meaning` says what it means.

The document is PostHog's hog function without what PostHog computes: `bytecode` and the like are dropped when they
come in, and compiled anew from the sources. Secret inputs are never part of it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from smspipe.destinations import templates
from smspipe.destinations.filters import read_masking
from smspipe.destinations.inputs import check_inputs, check_schema
from smspipe.destinations.options import read_options
from smspipe.model.errors import Invalid

LONGEST_NAME: Final = 400
LARGEST_CODE_BYTES: Final = 100 * 1024
LARGEST_ORDER: Final = 32_767
TYPES: Final = (
    "destination",
    "site_destination",
    "internal_destination",
    "source_webhook",
    "warehouse_source_webhook",
    "site_app",
    "transformation",
)
"""PostHog's types of functions; only the first is at home here."""
_COMPUTED: Final = ("bytecode", "transpiled", "bytecode_error")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was checked, and the values of its secret inputs, still in the clear."""

    document: dict[str, Any]
    secrets: dict[str, Any]


def create_document(body: Mapping[str, Any], stored: Mapping[str, Any] = MappingProxyType({})) -> Draft:
    """
    Make the document of a new destination; what the body leaves out comes from its template.

    Args:
        body: in PostHog's shape.
        stored: secrets that stand in for those that the body masks, where it describes a destination that is there.

    Raises:
        Invalid: the body breaks a rule; the field says where, the message what.
    """
    _refuse_non_object(body)
    given_inputs = body.get("inputs")
    keys = given_inputs.keys() if isinstance(given_inputs, Mapping) else ()
    template_id = _read_template_id(body) or templates.guess(keys)
    if template_id is None:
        raise Invalid("This field is required.", field="template_id", hint=f"For example {templates.TWILIO!r}.")
    template = templates.get(template_id)
    if template is None:
        raise Invalid(f"No template found for id '{template_id}'", field="template_id")
    schema = body.get("inputs_schema")
    document: dict[str, Any] = {
        "type": "destination",
        "name": template["name"],
        "description": template["description"],
        "enabled": False,
        "deleted": False,
        "template_id": template_id,
        "hog": template["code"],
        "icon_url": template["icon_url"],
        "inputs_schema": templates.schema_for(template_id, keys) if schema is None else schema,
        "inputs": {},
        "filters": {"source": "events"},
        "masking": None,
        "mappings": None,
        "execution_order": None,
        "smspipe": {},
    }
    if document["inputs_schema"] == templates.INTEGRATION_INPUTS:
        document["hog"] = templates.INTEGRATION_CODE
    _take_over(document, body)
    return _check(document, _with_recipient(document, given_inputs), stored=stored)


def change_document(document: Mapping[str, Any], secrets: Mapping[str, Any], body: Mapping[str, Any]) -> Draft:
    """
    Apply a body to a document: the fields that it has replace the stored ones, the others stay.

    Secret inputs that the body masks or leaves out keep their value in `secrets`.

    Raises:
        Invalid: as `create_document`.
    """
    _refuse_non_object(body)
    if "type" in body and body["type"] != document["type"]:
        raise Invalid("Cannot modify the type of an existing function", field="type")
    template_id = _read_template_id(body)
    if template_id not in (None, document["template_id"]):
        raise Invalid("Cannot modify the template of an existing function", field="template_id")
    changed = dict(document)
    if "inputs" not in body and body.get("inputs_schema") is None:
        _take_over(changed, body)
        return Draft(document=_check_rest(changed), secrets=dict(secrets))
    given = body.get("inputs", document["inputs"])
    if body.get("inputs_schema") is None and isinstance(given, Mapping):
        changed["inputs_schema"] = _follow_family(document, given)
        if changed["inputs_schema"] != document["inputs_schema"] and document["hog"] in _OWN_CODE:
            changed["hog"] = _OWN_CODE[1 - _OWN_CODE.index(document["hog"])]
    _take_over(changed, body)
    return _check(changed, given, stored=secrets)


def is_own_code(document: Mapping[str, Any]) -> bool:
    """Is the document's Hog source one that we published, and not somebody's own?"""
    return document["hog"] in (*_OWN_CODE, templates.COOLDOWN_CODE)


_OWN_CODE: Final = (templates.CREDENTIAL_CODE, templates.INTEGRATION_CODE)


def _take_over(document: dict[str, Any], body: Mapping[str, Any]) -> None:
    for key, check in _FIELDS.items():
        if key in body and not (body[key] is None and key in _NULL_IS_ABSENT):
            document[key] = check(key, body[key])


def _check(document: dict[str, Any], given_inputs: Any, stored: Mapping[str, Any]) -> Draft:
    """Check the schema with its inputs, and the rest, after `_take_over` checked each field by itself."""
    schema = document["inputs_schema"]
    given_inputs = _with_language(schema, _with_timeout_as_text(document, given_inputs))
    checked = check_inputs(schema, given_inputs, stored)
    document["inputs"] = checked.inputs
    return Draft(document=_check_rest(document), secrets=checked.secrets)


def _check_rest(document: dict[str, Any]) -> dict[str, Any]:
    """Check the cooldown and the options, and keep of them what means something."""
    document["smspipe"], _ = read_options(document["smspipe"])
    cooldown = read_masking(document["masking"])
    if cooldown is not None:
        document["masking"] = {
            "hash": cooldown.key.source,
            "ttl": int(cooldown.ttl.total_seconds()),
            "threshold": cooldown.threshold,
        }
    return document


def _with_recipient(document: Mapping[str, Any], given: Any) -> Any:
    """Give a new destination without a recipient the default one, also where its own schema has no default."""
    if document["template_id"] != templates.TWILIO or not isinstance(given, Mapping | None):
        return given
    known = {item["key"] for item in document["inputs_schema"]}
    for key in ("phoneNumber", "to_number"):
        entry = (given or {}).get(key)
        if key in known and (not entry or (isinstance(entry, Mapping) and entry.get("value") in (None, ""))):
            return {**(given or {}), key: {"value": templates.RECIPIENT}}
    return given


def _with_language(schema: list[dict[str, Any]], given: Any) -> Any:
    """
    Note Liquid where the second family's texts are evidently Liquid and do not say so.

    PostHog changed the language of that template in place: both kinds of documents are met, and `{{` begins no Hog
    expression that somebody would write here.
    """
    if schema != templates.INTEGRATION_INPUTS or not isinstance(given, Mapping):
        return given
    return {
        key: {**entry, "templating": "liquid"}
        if isinstance(entry, Mapping)
        and entry.get("templating") is None
        and isinstance(entry.get("value"), str)
        and ("{{" in entry["value"] or "{%" in entry["value"])
        else entry
        for key, entry in given.items()
    }


def _with_timeout_as_text(document: Mapping[str, Any], given: Any) -> Any:
    """Take the older plugin's timeout as a number, too: its schema calls it a string, and people write 60."""
    entry = given.get("timeout") if isinstance(given, Mapping) else None
    if document["template_id"] != templates.COOLDOWN or not isinstance(entry, Mapping) or entry.get("value") is None:
        return given
    return {**given, "timeout": {**entry, "value": str(entry["value"])}}


def _follow_family(document: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Change from one family of input keys to the other with the inputs, unless the schema is somebody's own."""
    schema: list[dict[str, Any]] = document["inputs_schema"]
    if document["template_id"] == templates.TWILIO and schema in (
        templates.CREDENTIAL_INPUTS,
        templates.INTEGRATION_INPUTS,
    ):
        if "twilio_account" in given:
            return templates.INTEGRATION_INPUTS
        if "accountSid" in given or "smsBody" in given:
            return templates.CREDENTIAL_INPUTS
    return schema


def _refuse_non_object(body: Any) -> None:
    if not isinstance(body, Mapping):
        raise Invalid("The body must be a JSON object.")


def _read_template_id(body: Mapping[str, Any]) -> str | None:
    """Read `template_id`, or the id of the `template` that an exported document shows in its place."""
    template = body.get("template")
    given = body.get("template_id")
    if given is None and isinstance(template, Mapping):
        given = template.get("id")
    if given is not None and not isinstance(given, str):
        raise Invalid("Not a valid string.", field="template_id")
    return given or None


def _type(key: str, value: Any) -> str:
    if value not in TYPES:
        raise Invalid(f'"{value}" is not a valid choice.', field=key)
    if value != "destination":
        raise Invalid("Only functions of the type destination are run here.", field=key)
    return str(value)


def _string(longest: int) -> Callable[[str, Any], str]:
    def check(key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid("Not a valid string.", field=key)
        if len(value) > longest:
            raise Invalid(f"Ensure this field has no more than {longest} characters.", field=key)
        return value

    return check


def _code(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("Not a valid string.", field=key)
    if len(value.encode()) > LARGEST_CODE_BYTES:
        raise Invalid("Hog code exceeds maximum size of 100KB.", field=key)
    return value


def _boolean(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid("Must be a valid boolean.", field=key, hint="Write true or false, without quotes.")
    return value


def _object(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid("Must be an object.", field=key)
    return {name: part for name, part in value.items() if name not in _COMPUTED}


def _object_or_none(key: str, value: Any) -> dict[str, Any] | None:
    return None if value is None else _object(key, value)


def _mappings(key: str, value: Any) -> None:
    if value not in (None, []):
        raise Invalid(
            "Mappings are not run here.", field=key, hint="Make one destination of each mapping, with its own filters."
        )


def _order(key: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise Invalid("A valid integer is required.", field=key)
    if value is not None and abs(value) > LARGEST_ORDER:
        raise Invalid(f"Ensure this value is less than or equal to {LARGEST_ORDER}.", field=key)
    return value


_FIELDS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "type": _type,
    "name": _string(LONGEST_NAME),
    "description": _string(10_000),
    "enabled": _boolean,
    "deleted": _boolean,
    "hog": _code,
    "icon_url": _string(10_000),
    "inputs_schema": lambda _key, value: check_schema(value),
    "filters": _object,
    "masking": _object_or_none,
    "mappings": _mappings,
    "execution_order": _order,
    "smspipe": lambda _key, value: value,
}
"""The fields that a body may change, in the order in which they are checked; `inputs` are checked with their schema."""
_NULL_IS_ABSENT: Final = frozenset({"name", "description", "hog", "icon_url", "inputs_schema", "filters", "type"})

"""
Check the inputs of a document against their schema, and keep secrets apart.

The rules and the wording of what is refused are PostHog's, so that its tools show them in the right place.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from smspipe.model.destination import Templating, Text
from smspipe.model.errors import Invalid

MASK: Final = "********"
"""What forms show in place of a stored secret; sent back, it means "unchanged"."""
ALWAYS_SECRET: Final = frozenset({"authToken"})
"""Secret whatever a document's own schema says."""
_REFERENCE = re.compile(r"""\binputs(?:\?)?(?:\.([A-Za-z_]\w*)|\[\s*(?:'([^']+)'|"([^"]+)")\s*\])""")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Inputs that passed: those to keep in the document, by key, a secret one as its mark; and the secrets' values."""

    inputs: dict[str, dict[str, Any]]
    secrets: dict[str, Any]


def check_schema(schema: Any) -> list[dict[str, Any]]:
    """
    Check a document's `inputs_schema`, and mark as secret what must be.

    Raises:
        Invalid: it is not a list of objects with a key and a type.
    """
    if not isinstance(schema, list) or not schema:
        raise Invalid("Missing inputs_schema.", field="inputs_schema")
    checked = []
    for item in schema:
        if not isinstance(item, Mapping) or not isinstance(item.get("key"), str) or not item["key"]:
            raise Invalid("Every item of inputs_schema must be an object with a key.", field="inputs_schema")
        if not isinstance(item.get("type"), str):
            raise Invalid(f"The input {item['key']!r} has no type.", field="inputs_schema")
        if item.get("templating") not in (None, True, False, "hog", "liquid"):
            raise Invalid(f"The input {item['key']!r} has an unknown templating.", field="inputs_schema")
        checked.append({**item, "secret": True} if item["key"] in ALWAYS_SECRET else dict(item))
    return checked


def check_inputs(schema: list[dict[str, Any]], given: Any, stored: Mapping[str, Any]) -> Checked:
    """
    Check what was given for the inputs of `schema`; keys that the schema does not know are left out.

    Args:
        schema: as `check_schema` returned it.
        given: PostHog's `inputs` object: by key `{"value": …, "templating": …}`.
        stored: the secret values that are kept so far.

    Raises:
        Invalid: with the field `inputs__<key>`; the message never repeats a value.
    """
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise Invalid("The inputs must be an object.", field="inputs")
    inputs: dict[str, dict[str, Any]] = {}
    secrets: dict[str, Any] = {}
    for item in schema:
        key = item["key"]
        entry = given.get(key)
        if entry is not None and not isinstance(entry, Mapping):
            raise Invalid('An input must be an object such as {"value": "…"}.', field=f"inputs__{key}")
        if item.get("secret") and _is_masked(entry):
            if key in stored:
                secrets[key] = stored[key]
                inputs[key] = {"secret": True}
                continue
            if entry:
                raise Invalid("No value is saved for this secret input. Enter the value again.", field=f"inputs__{key}")
        value = _value(item, entry)
        _check_value(item, value)
        if value is None:
            continue
        if item.get("secret"):
            if MASK in msgspec.json.encode(value).decode():
                raise Invalid(
                    "This secret input was not updated correctly. Enter the value again.", field=f"inputs__{key}"
                )
            secrets[key] = value
            inputs[key] = {"secret": True}
            continue
        inputs[key] = {"value": value}
        templating = _templating(item, entry)
        if templating is not None:
            inputs[key]["templating"] = templating
    verbatim = {item["key"] for item in schema if item.get("templating") is False}
    for order, key in enumerate(_in_order(inputs, verbatim)):
        if "value" in inputs[key]:
            inputs[key]["order"] = order
    return Checked(inputs=inputs, secrets=secrets)


def to_text(schema: Mapping[str, dict[str, Any]], inputs: Mapping[str, Any], key: str) -> Text:
    """Make the template of the input `key`, in the language that the input names, else the schema, else Hog."""
    entry = inputs[key]
    by_schema = schema.get(key, {}).get("templating")
    language = False if by_schema is False else entry.get("templating", by_schema)
    templating = Templating.NONE if language is False else Templating(language if isinstance(language, str) else "hog")
    return Text(source=str(entry["value"]), templating=templating, field=f"inputs__{key}")


def to_values(schema: Mapping[str, dict[str, Any]], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give the inputs that templates may refer to, each after those that it refers to itself.

    A string that is a template comes as a `Text`, still to be rendered; anything else as it stands.
    """
    values: dict[str, Any] = {}
    for key in sorted(inputs, key=lambda key: inputs[key].get("order", -1)):
        if "value" not in inputs[key]:
            continue
        value = inputs[key]["value"]
        text = to_text(schema, inputs, key) if isinstance(value, str) and "{" in value else None
        values[key] = text if text is not None and text.templating is not Templating.NONE else value
    return values


def _is_masked(entry: Mapping[str, Any] | None) -> bool:
    """Does this say "leave the stored value alone": nothing, `{}`, `{"secret": true}` or the mask?"""
    if not entry:
        return True
    return entry.get("value") == MASK or (entry.get("secret") is True and entry.get("value") is None)


def _value(item: dict[str, Any], entry: Mapping[str, Any] | None) -> Any:
    if entry is None and item.get("default") is not None:
        return item["default"]
    return None if entry is None else entry.get("value")


def _check_value(item: dict[str, Any], value: Any) -> None:
    field = f"inputs__{item['key']}"
    if value is None or value == "":
        if item.get("required"):
            raise Invalid("This field is required.", field=field)
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match item["type"]:
        case "string" if not isinstance(value, str):
            raise Invalid("Value must be a string.", field=field)
        case "number" if not number:
            raise Invalid("Value must be a number.", field=field)
        case "boolean" if not isinstance(value, bool):
            _check_boolean_template(item, value)
        case "dictionary" if not isinstance(value, dict):
            raise Invalid("Value must be a dictionary.", field=field)
        case "integration" if not number or value != int(value):
            raise Invalid("Value must be an Integration ID.", field=field)


def _check_boolean_template(item: dict[str, Any], value: Any) -> None:
    field = f"inputs__{item['key']}"
    if not item.get("templating"):
        raise Invalid("Value must be a boolean.", field=field)
    if not isinstance(value, str) or "{{" in value or "{%" in value:
        raise Invalid("Value must be a boolean or a template string.", field=field)


def _templating(item: dict[str, Any], entry: Mapping[str, Any] | None) -> str | bool | None:
    """Choose what is noted in the input: the schema's language where it names one, else what was asked for."""
    by_schema = item.get("templating")
    if by_schema is False:
        return None  # the schema says it whenever the input is read
    if isinstance(by_schema, str):
        return by_schema
    asked = None if entry is None else entry.get("templating")
    if asked not in (None, True, False, "hog", "liquid"):
        raise Invalid(f'"{asked}" is not a valid choice.', field=f"inputs__{item['key']}__templating")
    return None if asked is True else asked


def _in_order(inputs: Mapping[str, dict[str, Any]], verbatim: Collection[str]) -> list[str]:
    """
    Sort keys so that each comes after those that its templates refer to, otherwise as they stand.

    `verbatim` are the keys whose values are no templates.

    Raises:
        Invalid: they refer to each other in a circle.
    """
    needs = {
        key: set()
        if entry.get("templating") is False or key in verbatim
        else _references(entry.get("value")) & inputs.keys()
        for key, entry in inputs.items()
    }
    ordered: list[str] = []
    while len(ordered) < len(needs):
        ready = [key for key in needs if key not in ordered and needs[key] <= set(ordered)]
        if not ready:
            raise Invalid("Circular dependency detected in input_deps.", field="inputs")
        ordered += ready
    return ordered


def _references(value: Any) -> set[str]:
    if isinstance(value, str):
        if "{" not in value:
            return set()
        return {next(filter(None, found.groups())) for found in _REFERENCE.finditer(value)}
    if isinstance(value, dict):
        return set().union(*(_references(part) for part in (*value.keys(), *value.values())))
    if isinstance(value, list):
        return set().union(*(_references(part) for part in value))
    return set()

"""Write a destination as the API shows it as a document for a file: what it says, and nothing that is computed."""

from collections.abc import Mapping
from typing import Any, Final

from smspipe.destinations.document import create_document
from smspipe.destinations.options import READ_ONLY
from smspipe.destinations.short import settled, shorten
from smspipe.model.errors import Invalid

_IF_OWN: Final = ("description", "hog", "icon_url", "inputs_schema", "execution_order")
"""Fields that say nothing where they are the template's."""
_QUIET_INPUTS: Final = ("debug",)
"""Inputs that say nothing where they have their default."""


def tidy(shown: Mapping[str, Any]) -> dict[str, Any]:
    """
    Write a destination in the short form where that is possible; a new one made of it would be the same.

    Args:
        shown: as the API shows it in full.
    """
    plain = settled(shown)
    schema = {item["key"]: item for item in shown["inputs_schema"]}
    document: dict[str, Any] = {
        "name": shown["name"],
        "enabled": shown["enabled"],
        "template_id": shown["template_id"],
        "inputs": {
            key: entry
            for key, entry in plain["inputs"].items()
            if not (key in _QUIET_INPUTS and entry.get("value") == schema.get(key, {}).get("default"))
        },
        "filters": plain["filters"],
        "masking": plain["masking"],
        "smspipe": {key: value for key, value in shown["smspipe"].items() if key not in READ_ONLY},
    }
    if document["filters"] == {"source": "events"}:
        del document["filters"]
    document = {key: value for key, value in document.items() if value not in (None, {})}
    short = shorten(document)
    made = _make(document)
    return short | {key: shown[key] for key in _IF_OWN if made is None or made[key] != shown[key]}


def _make(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make the document of a new destination, with stand-ins for its secrets; None where it needs more than is here."""
    stored = {key: "stored" for key, entry in document.get("inputs", {}).items() if entry.get("secret")}
    try:
        return create_document(document, stored).document
    except Invalid:
        return None

"""Documents of destinations: read them as PostHog exports them, fill in their secrets, and store them one by one."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from smspipe import config
from smspipe.cli.client import PROJECT, Client, NotFound, segment
from smspipe.model.errors import Invalid

ALWAYS_SECRET: Final = frozenset({"authToken"})
"""Secret inputs, whatever a document's own schema says."""
_CHANGEABLE: Final = (
    "name", "description", "enabled", "deleted", "template_id", "filters", "inputs", "masking", "smspipe", "hog",
    "icon_url", "inputs_schema", "execution_order", "mappings",
)  # fmt: skip
"""The fields that a document can change; whatever else an export shows is the service's own."""

Document = dict[str, Any]


def read_json_or_toml(path: str) -> Any:
    """
    Read a file: TOML when its name ends so, JSON otherwise; `-` is JSON from standard input.

    Raises:
        Invalid: it cannot be read or understood.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is no text in UTF-8.") from error
    try:
        return tomllib.loads(text) if path.endswith(".toml") else json.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path} is no TOML: {error}.") from error
    except ValueError as error:
        raise Invalid(f"{path} is no JSON: {error}. A TOML file's name must end in .toml.") from error


def find_current(client: Client, document: Document, known: list[Document]) -> Document | None:
    """
    Find the destination that a document is about, in full: by its id, else by its name.

    Raises:
        Invalid: more than one has this name.
    """
    found = [each for each in known if each["id"] == document.get("id")] or [
        each for each in known if each["name"] == document.get("name")
    ]
    if len(found) > 1:
        raise Invalid(f"{len(found)} destinations are called {document['name']!r}. Give the document the id of one.")
    if not found:
        return None
    full: Document = client.get(f"{PROJECT}/hog_functions/{found[0]['id']}/")
    return full


def secret_keys(document: Document) -> list[str]:
    """Name the secret inputs of a document, in the order of its inputs."""
    inputs = document.get("inputs") if isinstance(document.get("inputs"), dict) else {}
    schema = document.get("inputs_schema") or []
    by_schema = {item.get("key") for item in schema if isinstance(item, dict) and item.get("secret")}
    marked = {key for key, entry in (inputs or {}).items() if isinstance(entry, dict) and entry.get("secret")}
    names = [*(inputs or {}), *sorted(filter(None, by_schema))]
    return [key for key in dict.fromkeys(names) if key in by_schema | marked or key in ALWAYS_SECRET]


def fill_secrets(document: Document, current: Document | None, *, ask: bool = False) -> tuple[Document, list[str]]:
    """
    Put in the secret inputs that the environment has (`SMSPIPE_SECRET_AUTHTOKEN` for `authToken`).

    Args:
        document: as it was read.
        current: what is there now; its stored secrets stay where nothing is given.
        ask: ask on the terminal for those that are missing.

    Returns:
        The document, and the secret inputs for which there still is no value anywhere.
    """
    inputs = dict(document.get("inputs") or {})
    stored = {key for key, entry in ((current or {}).get("inputs") or {}).items() if entry.get("secret")}
    missing = []
    for key in secret_keys(document):
        given = config.secret_input(key)
        entry = inputs.get(key)
        masked = not isinstance(entry, dict) or entry.get("value") in (None, "", "********")
        if given is not None:
            inputs[key] = {"value": given}
        elif masked and key not in stored:
            if ask and sys.stdin.isatty():
                import typer

                inputs[key] = {"value": typer.prompt(f"{document.get('name', 'destination')}: {key}", hide_input=True)}
            else:
                missing.append(key)
    return ({**document, "inputs": inputs} if inputs else document), missing


def put(client: Client, document: Document, current: Document | None) -> Document:
    """
    Change the destination that is there, or create one.

    Raises:
        Invalid: the service refuses the document.
        NotFound: it was deleted a moment ago.
    """
    body = body_of(document)
    if current is None:
        created: Document = client.call("POST", f"{PROJECT}/hog_functions/", body)
        return created
    changed = client.call("PATCH", f"{PROJECT}/hog_functions/{segment(current['id'])}/", body)
    if not isinstance(changed, dict):
        raise NotFound(f"The destination {current['name']!r} is gone.")
    return changed


def body_of(document: Document) -> Document:
    """Take from a document what a request may hold."""
    body: Document = {key: document[key] for key in _CHANGEABLE if key in document}
    if "template_id" not in body and isinstance(document.get("template"), dict):
        body["template_id"] = document["template"].get("id")
    return body

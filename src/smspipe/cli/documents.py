"""Destinations as files: read them, fill in their secrets, and tell what applying them would change."""

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from smspipe import config
from smspipe.cli.client import PROJECT, Client, NotFound, segment
from smspipe.model.errors import Invalid

ALWAYS_SECRET: Final = frozenset({"authToken"})
"""Secret inputs, whatever a document's own schema says."""
_COMPUTED: Final = ("bytecode", "transpiled", "bytecode_error", "order")
_READ_ONLY: Final = ("version", "paused", "paused_at", "notes")
_COMPARED: Final = (
    "name", "description", "enabled", "deleted", "template_id", "filters", "inputs", "masking", "smspipe", "hog",
    "icon_url", "inputs_schema", "execution_order", "mappings",
)  # fmt: skip
"""The fields that a document can change; whatever else an export shows is the service's own."""
_EMPTY: Final[Mapping[str, Any]] = {"mappings": [], "smspipe": {}, "filters": {}, "inputs": {}}
"""What a field that is null or left out amounts to."""

Document = dict[str, Any]
Difference = tuple[str, Any, Any]
"""A field's path, its value now and its value then; a missing one is None."""


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


def read_documents(path: str) -> list[Document]:
    """
    Read the destinations of a file: one, a list, what `export` printed, or (TOML) `[[destinations]]`.

    Raises:
        Invalid: the file holds something else.
    """
    value = read_json_or_toml(path)
    if isinstance(value, dict):
        for key in ("destinations", "results"):
            if isinstance(value.get(key), list):
                value = value[key]
                break
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(each, dict) for each in found):
        raise Invalid(f"{path} holds no destination: it must be an object in PostHog's shape, or a list of such.")
    return found


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


def check(client: Client, document: Document, current: Document | None) -> None:
    """
    Let the service read and compile a document without keeping it.

    Raises:
        Invalid: it would be refused.
    """
    where = "new" if current is None else segment(current["id"])
    sample = {"event": {"event": "$plan", "distinct_id": "plan"}}
    body = {"configuration": body_of(document), "globals": sample, "mock_async_functions": True}
    client.call("POST", f"{PROJECT}/hog_functions/{where}/invocations/", body)


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
    body: Document = {key: document[key] for key in _COMPARED if key in document}
    if "template_id" not in body and isinstance(document.get("template"), dict):
        body["template_id"] = document["template"].get("id")
    return body


def differences(document: Document, current: Document) -> list[Difference]:
    """List what applying a document would change, with secrets hidden."""
    body = body_of(document)
    found: list[Difference] = []
    for field in _COMPARED:
        if field in body and field != "inputs":
            found += _walk(field, _plain(field, current.get(field)), _plain(field, body[field]))
    if "inputs" in body:
        found += _inputs(body["inputs"] or {}, current)
    return found


def _inputs(given: Mapping[str, Any], current: Document) -> Iterator[Difference]:
    schema = {item["key"]: item for item in current.get("inputs_schema") or []}
    now: Mapping[str, Any] = current.get("inputs") or {}
    for key in dict.fromkeys((*now, *given)):
        path = f"inputs.{key}"
        entry = given.get(key)
        value = entry.get("value") if isinstance(entry, dict) else None
        if schema.get(key, {}).get("secret") or now.get(key, {}).get("secret"):
            if value not in (None, "", "********"):
                yield path, "(secret)", "(secret, as the file has it)"
            continue
        if entry is None:
            value = schema.get(key, {}).get("default")
        before = now.get(key, {}).get("value")
        if before != value:
            yield path, before, value
        asked = entry.get("templating") if isinstance(entry, dict) else None
        language = now.get(key, {}).get("templating")
        if asked not in (None, True, language) and not (asked == "hog" and language is None):
            yield f"{path}.templating", language, asked


def _plain(field: str, value: Any) -> Any:
    """Write a field so that what means the same is the same."""
    if value is None:
        return _EMPTY.get(field)
    if field == "smspipe" and isinstance(value, dict):
        return {key: part for key, part in value.items() if key not in _READ_ONLY and part is not None}
    if field == "masking" and isinstance(value, dict):
        return {"threshold": None, **{key: part for key, part in value.items() if key != "bytecode"}}
    if field == "filters" and isinstance(value, dict):
        return {key: part for key, part in value.items() if key not in _COMPUTED}
    return value


def _walk(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _walk(f"{path}.{key}", before.get(key), after.get(key))
    elif before != after:
        yield path, before, after

"""Keep what an import took over, and say what became of each."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from smspipe.destinations import registry, templates
from smspipe.destinations.checking import Check
from smspipe.destinations.imports_taken import Document, Here, Taken
from smspipe.destinations.inputs import ALWAYS_SECRET, MASK
from smspipe.destinations.integrations import list_integrations
from smspipe.destinations.project import load_shared
from smspipe.destinations.secrets import Keyring
from smspipe.destinations.tables import destinations
from smspipe.model.errors import Invalid
from smspipe.model.ids import DestinationId


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one destination."""

    name: str
    imported: bool
    """It was stored, or would be."""
    id: str | None
    """None when it was not stored."""
    taken_over: list[str]
    changed: list[str]
    quirks: list[str]
    needs: list[str]
    missing_secrets: list[str] = []
    """Its inputs for which a secret has to be given first."""


def look_around(connection: Connection) -> Here:
    """Read what an import can refer to."""
    accounts, _ = list_integrations(connection)
    return Here(accounts=tuple(each.id for each in accounts), shared=load_shared(connection))


def store(
    connection: Connection,
    taken: Iterable[Taken],
    *,
    secrets: Mapping[str, Any],
    keyring: Keyring,
    now: datetime,
    check: Check,
) -> list[Imported]:
    """
    Keep what was taken over, all in the caller's transaction; each that cannot be kept says why.

    A destination whose name is here already is left alone, so that an import can be repeated. `secrets` are values of
    secret inputs by key, or by a destination's name and then by key.
    """
    names = set(connection.execute(select(destinations.c.name).where(destinations.c.deleted.is_(False))).scalars())
    report = []
    for each in taken:
        stored = None
        needs = list(each.needs)
        missing: list[str] = []
        if each.body is not None and each.name in names:
            needs.append("A destination of this name is here already; it was left alone. Rename one of them.")
        elif each.body is not None:
            body, missing = _with_secrets(each.body, each.name, secrets)
            try:
                if missing:
                    registry.draft_of(connection, _with_stand_ins(body, missing), keyring=keyring, check=check)
                    needs.append(f"Enter {', '.join(missing)}: PostHog exports no secrets.")
                else:
                    stored = registry.create(connection, body, keyring=keyring, now=now, by="import", check=check)
                    if error := stored.document["filters"].get("bytecode_error"):
                        needs.append(f"It cannot be switched on yet: {error}")
            except Invalid as error:
                needs.append(f"It was refused: {error}{'' if error.hint is None else f' {error.hint}'}")
        report.append(
            Imported(
                name=each.name,
                imported=stored is not None,
                id=None if stored is None else DestinationId(stored.id),
                taken_over=each.taken_over,
                changed=each.changed,
                quirks=each.quirks,
                needs=needs,
                missing_secrets=missing,
            )
        )
    return report


def _with_secrets(body: Document, name: str, secrets: Mapping[str, Any]) -> tuple[Document, list[str]]:
    """Put in the secrets that were given, and name those that were not."""
    own = secrets.get(name)
    given = {**secrets, **own} if isinstance(own, Mapping) else secrets
    schema = body.get("inputs_schema") or templates.schema_for(body["template_id"], body["inputs"])
    inputs = dict(body["inputs"])
    missing: list[str] = []
    for item in schema if isinstance(schema, list) else ():
        key = item.get("key") if isinstance(item, Mapping) else None
        if not isinstance(key, str) or not (item.get("secret") or key in ALWAYS_SECRET):
            continue
        entry = inputs.get(key)
        value = entry.get("value") if isinstance(entry, Mapping) else None
        if isinstance(given.get(key), str) and given[key]:
            inputs[key] = {"value": given[key]}
        elif value in (None, "", MASK):
            inputs.pop(key, None)
            if item.get("required") or entry:
                missing.append(key)
    return {**body, "inputs": inputs}, missing


def _with_stand_ins(body: Document, missing: list[str]) -> Document:
    """Stand something in for secrets that are not there, to find what else is wrong."""
    return {**body, "inputs": {**body["inputs"], **{key: {"value": "secret"} for key in missing}}}

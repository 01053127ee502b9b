"""
Make the destinations what a list of documents says, all of them or none.

A document is the whole of its destination: what it leaves out has the template's default. Two things are left as they
are instead: `enabled`, which is switched in the page as well, and the secrets. A document without inputs cannot be a
whole one: it changes the fields that it has (`{name: …, enabled: false}`). A document is about the destination with its
id, else about the one with its name, else about a new one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection

from smspipe.destinations import registry
from smspipe.destinations.changes import Change, compare, compare_secrets
from smspipe.destinations.checking import Check, no_check
from smspipe.destinations.document import create_document
from smspipe.destinations.registry import Query, Record
from smspipe.destinations.secrets import Keyring
from smspipe.destinations.short import LONG, expand, settled
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.ids import DestinationId

MOST: Final = 2_000
"""Documents in one list."""
Action = Literal["create", "change", "none", "delete", "kept", "refused"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one document, or of a destination that no document is about (`delete`, `kept`)."""

    position: int | None
    """The document's place in the list, from 0; None where there is none."""
    name: str
    action: Action
    id: DestinationId | None = None
    """None for one that is still to be made."""
    body: dict[str, Any] = {}
    """What the registry is given: all fields, so that nothing stays of what the document leaves out."""
    changes: tuple[Change, ...] = ()
    refusal: Invalid | None = None
    destination: Destination | None = None
    """As it would be, for who looks closer; None where it is refused, deleted or kept."""


def plan(
    connection: Connection,
    documents: Sequence[Any],
    *,
    keyring: Keyring,
    prune: bool = False,
    check: Check = no_check,
) -> list[Step]:
    """
    Say what applying documents would do; nothing is written.

    Args:
        connection: any; the one of the writing transaction, when `carry_out` follows.
        documents: in the short form or PostHog's shape.
        keyring: opens the stored secrets, to tell whether one would change.
        prune: delete the destinations that no document is about.
        check: compiles a filter and templates.

    Returns:
        A step for each document in its order, then one for each destination that none is about.
    """
    records = _all(connection)
    steps: list[Step] = []
    met: dict[str, int] = {}
    for position, document in enumerate(documents):
        try:
            steps.append(_plan_one(connection, document, position, records, met, keyring, check))
        except Invalid as refusal:
            name = str(document.get("name") or document.get("id") or "") if isinstance(document, Mapping) else ""
            steps.append(Step(position=position, name=name, action="refused", refusal=refusal))
    return steps + [
        Step(position=None, name=each.document["name"], id=each.id, action="delete" if prune else "kept")
        for each in records
        if each.id not in met
    ]


def carry_out(
    connection: Connection,
    steps: Sequence[Step],
    *,
    keyring: Keyring,
    now: datetime,
    by: str = "api",
    check: Check = no_check,
) -> list[Step]:
    """
    Do what was planned in the same transaction; the steps come back with the ids of what was made.

    Raises:
        Invalid: one of the steps is a refusal; nothing was written.
    """
    for step in steps:
        if step.refusal is not None:
            raise step.refusal
    done = []
    for step in steps:
        match step.action:
            case "create":
                made = registry.create(connection, step.body, keyring=keyring, now=now, by=by, check=check)
                done.append(msgspec.structs.replace(step, id=made.id))
                continue
            case "change" | "delete":
                assert step.id is not None  # noqa: S101 (a step that is about a destination names it)
                body = step.body if step.action == "change" else {"deleted": True}
                registry.change(connection, step.id, body, keyring=keyring, now=now, by=by, check=check)
        done.append(step)
    return done


def _all(connection: Connection) -> list[Record]:
    found, total = registry.find(connection, Query(limit=500))
    while len(found) < total:
        more, total = registry.find(connection, Query(limit=500, offset=len(found)))
        if not more:
            break
        found += more
    return found


def _plan_one(
    connection: Connection,
    given: Any,
    position: int,
    records: Sequence[Record],
    met: dict[str, int],
    keyring: Keyring,
    check: Check,
) -> Step:
    if not isinstance(given, Mapping):
        raise Invalid("A destination must be an object.")
    document = expand(given)
    current = _find(document, records)
    if current is None and not document.get("name"):
        raise Invalid("This field is required.", field="name", hint="It is how the destination is found again.")
    # A name that is new must be so only once, or the second run would not know which is which.
    mark = f"name {document['name']}" if current is None else current.id
    if mark in met:
        raise Invalid(
            f"Document {met[mark] + 1} is about the same destination.", field="name", hint="Give each its own name."
        )
    met[mark] = position
    if document.get("deleted") is True:
        return Step(
            position=position,
            name=str(document.get("name") or document.get("id")),
            id=None if current is None else current.id,
            action="none" if current is None else "delete",
        )
    stored = {} if current is None else registry.secrets_of(connection, current.id, keyring)
    if current is not None:
        kept = LONG if not document.get("inputs") else ("name", "enabled")
        document = {**{key: current.document[key] for key in kept if key in current.document}, **document}
    draft = create_document(document, stored)
    body = {**draft.document, "inputs": draft.document["inputs"] | _revealed(draft.secrets)}
    # Compiled as the registry does it, so that what is planned is what will be taken.
    destination = registry.draft_of(
        connection, body, keyring=keyring, id=None if current is None else current.id, check=check, strict=True
    )
    before, after = ({} if current is None else settled(current.document)), settled(draft.document)
    changes = (*compare(before, after), *compare_secrets(stored, draft.secrets))
    return Step(
        position=position,
        name=draft.document["name"],
        id=None if current is None else current.id,
        action="create" if current is None else "change" if changes else "none",
        body=body,
        changes=tuple(_told(changes)) if current is not None else (),
        destination=destination,
    )


def _find(document: Mapping[str, Any], records: Sequence[Record]) -> Record | None:
    """
    Find what a document is about.

    Raises:
        Invalid: more than one destination has its name.
    """
    for record in records:
        if record.id == document.get("id"):
            return record
    named = [record for record in records if record.document["name"] == document.get("name")]
    if len(named) > 1:
        raise Invalid(
            f"{len(named)} destinations are called {document['name']!r}.",
            field="name",
            hint="Give the document the id of the one that is meant.",
        )
    return named[0] if named else None


def _revealed(secrets: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {"value": value} for key, value in secrets.items()}


def _told(changes: Sequence[Change]) -> list[Change]:
    """Leave out what only repeats another change: the mark of a secret input beside its value."""
    told = {change.field for change in changes}
    return [
        change
        for change in changes
        if not (change.field.startswith("inputs.") and f"{change.field}.value" in told)
        and not (change.field.endswith(".secret") and f"{change.field.removesuffix('.secret')}.value" in told)
    ]

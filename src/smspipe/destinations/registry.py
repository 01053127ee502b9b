"""
The registry of destinations: every one with all its versions.

A change writes the new document, a version of it with the time and what differs, and counts the revision up, all in the
caller's transaction. A destination that is deleted keeps its row and versions, for the deliveries that it led to.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update

from smspipe.destinations.changes import Change, compare, compare_secrets
from smspipe.destinations.checking import Check, Reader, check_draft, compile_draft, no_check
from smspipe.destinations.document import Draft, change_document, create_document
from smspipe.destinations.integrations import find_account
from smspipe.destinations.project import load_shared
from smspipe.destinations.revision import bump
from smspipe.destinations.secrets import Keyring
from smspipe.destinations.tables import destination_versions, destinations, integrations
from smspipe.model.destination import Account, Destination, Templating, Text
from smspipe.model.errors import Invalid, Permanent
from smspipe.model.filter import Filter
from smspipe.model.ids import DestinationId, IntegrationId, uuid7


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A destination as it is kept: its document, which never holds a secret, and what is known around it."""

    id: DestinationId
    version: int
    document: dict[str, Any]
    paused: str | None
    """Why nothing is sent at present, a sentence; None while it runs."""
    paused_at: datetime | None
    created_at: datetime
    created_by: str
    updated_at: datetime


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a document, and how it differs from the one before (all of it, for the first)."""

    version: int
    at: datetime
    by: str
    document: dict[str, Any]
    changes: list[dict[str, Any]]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to list; None and the empty tuple ask for everything. `search` looks in names and descriptions."""

    types: Sequence[str] = ()
    enabled: bool | None = None
    id: str | None = None
    created_by: str | None = None
    search: str | None = None
    limit: int = 100
    offset: int = 0


def create(
    connection: Connection,
    body: Mapping[str, Any],
    *,
    keyring: Keyring,
    now: datetime,
    by: str = "api",
    check: Check = no_check,
    id: DestinationId | None = None,  # noqa: A002 (the model's own word)
) -> Record:
    """
    Make a destination of a body in PostHog's shape; `id` None makes a new id.

    Raises:
        Invalid: the body breaks a rule, or `check` found that something does not compile.
    """
    draft = create_document(body)
    new_id = id or DestinationId(uuid7(now))
    reader = _reader(connection, keyring)
    document = check_draft(draft, reader.read(draft, new_id, 1), check, reader.shared)
    values = {
        "id": new_id,
        "version": 1,
        **_columns(document),
        "secrets": keyring.encrypt(draft.secrets) if draft.secrets else None,
        "created_at": now,
        "created_by": by,
        "updated_at": now,
    }
    row = connection.execute(insert(destinations).values(values).returning(destinations)).one()
    changes = [*compare({}, document), *compare_secrets({}, draft.secrets)]
    _keep_version(connection, new_id, 1, document, changes, now, by)
    bump(connection)
    return _to_record(row)


def change(
    connection: Connection,
    id: DestinationId,  # noqa: A002 (the model's own word)
    body: Mapping[str, Any],
    *,
    keyring: Keyring,
    now: datetime,
    by: str = "api",
    check: Check = no_check,
) -> Record | None:
    """
    Change the fields that a body has; None if there is no such destination.

    A deleted destination is there only for the body that takes its deletion back (`deleted: false`). A body that
    changes nothing makes no version; one that has `inputs` or `enabled` lets a paused destination run again, since
    somebody has looked after it.

    Raises:
        Invalid: as `create`.
    """
    row = connection.execute(select(destinations).where(destinations.c.id == id).with_for_update()).first()
    if row is None or (row.deleted and body.get("deleted") is not False):
        return None
    stored = _open(keyring, row.secrets)
    draft = change_document(row.document, stored, body)
    paused = None if "inputs" in body or "enabled" in body else row.paused
    document = draft.document
    if not document["deleted"]:
        reader = _reader(connection, keyring)
        document = check_draft(draft, reader.read(draft, id, row.version + 1, paused), check, reader.shared)
    changes = [*compare(row.document, document), *compare_secrets(stored, draft.secrets)]
    values: dict[str, Any] = {}
    if paused != row.paused:
        values |= {"paused": paused, "paused_at": None}
    if changes:
        _keep_version(connection, id, row.version + 1, document, changes, now, by)
        values |= {"version": row.version + 1, **_columns(document), "updated_at": now}
        if draft.secrets or "inputs" in body:  # else what is stored stays, though no key may open it
            values["secrets"] = keyring.encrypt(draft.secrets) if draft.secrets else None
    if not values:
        return _to_record(row)
    changed = update(destinations).where(destinations.c.id == id).values(values).returning(destinations)
    row = connection.execute(changed).one()
    bump(connection)
    return _to_record(row)


def get(connection: Connection, id: DestinationId) -> Record | None:  # noqa: A002 (the model's own word)
    """Give one destination, None if there is none of that id or it is deleted."""
    row = connection.execute(
        select(destinations).where(destinations.c.id == id, destinations.c.deleted.is_(False))
    ).first()
    return None if row is None else _to_record(row)


def find(connection: Connection, query: Query) -> tuple[list[Record], int]:
    """List destinations that are not deleted, the one changed last first, and count them all."""
    where = _conditions(query)
    total = connection.execute(select(func.count()).select_from(destinations).where(*where)).scalar_one()
    page = (
        select(destinations)
        .where(*where)
        .order_by(destinations.c.updated_at.desc(), destinations.c.id.desc())
        .limit(query.limit)
        .offset(query.offset)
    )
    return [_to_record(row) for row in connection.execute(page)], total


def versions(connection: Connection, id: DestinationId) -> list[Version]:  # noqa: A002 (the model's own word)
    """List all versions of a destination, the newest first; those of a deleted one as well."""
    table = destination_versions
    rows = connection.execute(select(table).where(table.c.destination_id == id).order_by(table.c.version.desc()))
    return [
        Version(version=row.version, at=row.at, by=row.by, document=row.document, changes=row.changes) for row in rows
    ]


def load_all(connection: Connection, keyring: Keyring) -> list[Destination]:
    """
    Load every destination that is not deleted, secrets included, oldest first.

    One that can no longer be read (an action that it names is gone) comes without routes and paused, saying why; one
    whose secrets no key opens comes without an account.
    """
    rows = connection.execute(select(destinations).where(destinations.c.deleted.is_(False)).order_by(destinations.c.id))
    reader = _reader(connection, keyring)
    return [_to_destination(reader, row, row.document, row.version) for row in rows.all()]


def load(
    connection: Connection,
    id: DestinationId,  # noqa: A002 (the model's own word)
    keyring: Keyring,
    version: int | None = None,
) -> Destination | None:
    """
    Load one destination, deleted or not: its document of `version` (None for the latest) with the secrets of today.

    No version keeps secrets of its own, so a credential that was replaced is gone. None if there is no such version.
    """
    row = connection.execute(select(destinations).where(destinations.c.id == id)).first()
    if row is None:
        return None
    document, number = row.document, row.version
    if version is not None and version != row.version:
        kept = connection.execute(
            select(destination_versions.c.document).where(
                destination_versions.c.destination_id == id, destination_versions.c.version == version
            )
        ).scalar()
        if kept is None:
            return None
        document, number = kept, version
    reader = _reader(connection, keyring)
    return _to_destination(reader, row, document, number)


def draft_of(
    connection: Connection,
    body: Mapping[str, Any],
    *,
    keyring: Keyring,
    id: DestinationId | None = None,  # noqa: A002 (the model's own word)
    check: Check = no_check,
    strict: bool = False,
) -> Destination | None:
    """
    Read a body that is not saved (yet) as the destination that it would make; None if `id` names none.

    The stored secrets of the destination `id` stand in for those that the body masks; None is for a new one. `strict`
    refuses what saving it would refuse: without it, one that is enabled may lack its account.

    Raises:
        Invalid: as `create`.
    """
    if id is None:
        draft, version = create_document(body), 0
    else:
        row = connection.execute(select(destinations).where(destinations.c.id == id)).first()
        if row is None or row.deleted:
            return None
        draft, version = change_document(row.document, _open(keyring, row.secrets), body), row.version
    reader = _reader(connection, keyring)
    destination = reader.read(draft, id or DestinationId("new"), version)
    (check_draft if strict else compile_draft)(draft, destination, check, reader.shared)
    return destination


def secrets_of(connection: Connection, id: DestinationId, keyring: Keyring) -> dict[str, Any]:  # noqa: A002 (as above)
    """Give the values of a destination's secret inputs; none of those that no key opens."""
    return _open(keyring, connection.scalar(select(destinations.c.secrets).where(destinations.c.id == id)))


def pause(connection: Connection, id: DestinationId, why: str, now: datetime) -> bool:  # noqa: A002 (as above)
    """
    Stop a destination for a reason of the engine's, until somebody changes its inputs or switches it on again.

    `enabled` stays as its owner left it, and no version is made. Tells whether it was running.
    """
    table = destinations
    stopped = update(table).where(table.c.id == id, table.c.paused.is_(None)).values(paused=why, paused_at=now)
    if connection.execute(stopped.returning(table.c.id)).first() is None:
        return False
    bump(connection)
    return True


def load_paused(connection: Connection, keyring: Keyring) -> list[Destination]:
    """Load the destinations that are switched on, and that the engine stopped for what their account answered."""
    table = destinations
    rows = connection.execute(
        select(table).where(table.c.paused.is_not(None), table.c.enabled.is_(True), table.c.deleted.is_(False))
    )
    reader = _reader(connection, keyring)
    return [_to_destination(reader, row, row.document, row.version) for row in rows.all()]


def load_accounts(connection: Connection, keyring: Keyring) -> list[Account]:
    """Give every Twilio account that a destination has or that is stored, with its secret; deleted ones not."""
    own = [each.account for each in load_all(connection, keyring)]
    ids = connection.execute(select(integrations.c.id)).scalars().all()
    shared = [find_account(connection, keyring, IntegrationId(id_)) for id_ in ids]
    return [each for each in (*own, *shared) if each is not None]


def resume(connection: Connection, ids: Sequence[DestinationId]) -> int:
    """Let paused destinations run again; tell how many were paused."""
    table = destinations
    freed = update(table).where(table.c.id.in_(ids), table.c.paused.is_not(None)).values(paused=None, paused_at=None)
    n = connection.execute(freed).rowcount
    if n:
        bump(connection)
    return n


def reencrypt(connection: Connection, keyring: Keyring) -> int:
    """
    Put every secret under the newest key, so that older keys may be thrown away; tell how many there were.

    Raises:
        Permanent: none of the keys opens one of them.
    """
    count = 0
    for table in (destinations, integrations):
        rows = connection.execute(select(table.c.id, table.c.secrets).where(table.c.secrets.is_not(None))).all()
        for row in rows:
            anew = keyring.encrypt(keyring.decrypt(row.secrets))
            connection.execute(update(table).where(table.c.id == row.id).values(secrets=anew))
        count += len(rows)
    return count


def count_unreadable(connection: Connection, keyring: Keyring) -> int:
    """Count the stored sets of secrets that none of the keys opens."""
    count = 0
    for table in (destinations, integrations):
        for token in connection.execute(select(table.c.secrets).where(table.c.secrets.is_not(None))).scalars():
            try:
                keyring.decrypt(token)
            except Permanent:
                count += 1
    return count


def _reader(connection: Connection, keyring: Keyring) -> Reader:
    """Read with the actions of the same transaction, so that none is deleted between the look and the writing."""
    return Reader(connection=connection, keyring=keyring, shared=load_shared(connection))


def _to_destination(reader: Reader, row: Row[Any], document: dict[str, Any], version: int) -> Destination:
    id = DestinationId(row.id)  # noqa: A001 (the model's own word)
    draft = Draft(document=document, secrets=_open(reader.keyring, row.secrets))
    try:
        return reader.read(draft, id, version, row.paused)
    except Invalid as error:
        nothing = Text(source="", templating=Templating.NONE)
        return Destination(
            id=id,
            version=version,
            name=document["name"],
            enabled=document["enabled"],
            template_id=document["template_id"],
            filter=Filter(),
            account=None,
            sender=nothing,
            routes=(),
            body=nothing,
            paused=row.paused or f"Its settings can no longer be read: {error}",
        )


def _columns(document: dict[str, Any]) -> dict[str, Any]:
    repeated = ("type", "template_id", "name", "description", "enabled", "deleted")
    return {**{key: document[key] for key in repeated}, "document": document}


def _keep_version(
    connection: Connection,
    id: DestinationId,  # noqa: A002 (the model's own word)
    version: int,
    document: dict[str, Any],
    changes: list[Change],
    now: datetime,
    by: str,
) -> None:
    values = {"destination_id": id, "version": version, "at": now, "by": by, "document": document, "changes": changes}
    connection.execute(insert(destination_versions).values(values))


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    table = destinations.c
    where: list[ColumnElement[bool]] = [table.deleted.is_(False)]
    if query.types:
        where.append(table.type.in_(query.types))
    if query.enabled is not None:
        where.append(table.enabled.is_(query.enabled))
    if query.id is not None:
        where.append(table.id == query.id)
    if query.created_by is not None:
        where.append(table.created_by == query.created_by)
    if query.search:
        wanted = query.search.lower()
        where.append(or_(*(func.lower(c).contains(wanted, autoescape=True) for c in (table.name, table.description))))
    return where


def _open(keyring: Keyring, token: str | None) -> dict[str, Any]:
    """Decrypt; secrets that no key opens count as not stored, so that they can be entered anew."""
    if token is None:
        return {}
    try:
        return keyring.decrypt(token)
    except Permanent:
        return {}


def _to_record(row: Row[Any]) -> Record:
    return Record(
        id=DestinationId(row.id),
        version=row.version,
        document=row.document,
        paused=row.paused,
        paused_at=row.paused_at,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
    )

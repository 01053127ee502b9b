"""Stored accounts (PostHog's integrations of kind `twilio`), so that many destinations share one set of credentials."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from smspipe.destinations.meaning import check_account_sid
from smspipe.destinations.revision import bump
from smspipe.destinations.secrets import Keyring
from smspipe.destinations.tables import destinations, integrations
from smspipe.model.destination import Account, Secret
from smspipe.model.errors import Invalid, Permanent
from smspipe.model.ids import IntegrationId

KIND = "twilio"


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """A stored account, without its secret."""

    id: IntegrationId
    kind: str
    account_sid: str
    api_key_sid: str | None
    """`SK…` when an API key signs in for the account, None when the account's own token does."""
    created_at: datetime
    created_by: str
    updated_at: datetime


def read_account(body: Any) -> Account:
    """
    Read the account that an integration's body describes: `{"kind": "twilio", "config": {…}}`.

    `config` has `account_sid` and `auth_token`, or `account_sid`, `api_key_sid` and `api_key_secret`; the secret may
    also lie in `sensitive_config`.

    Raises:
        Invalid: a part is missing or wrong; no message repeats a secret.
    """
    if not isinstance(body, Mapping):
        raise Invalid("The body must be a JSON object.")
    if body.get("kind") != KIND:
        raise Invalid(f'"{body.get("kind")}" is not a valid choice.', field="kind", hint='There is "twilio".')
    config = body.get("config") or {}
    sensitive = body.get("sensitive_config") or {}
    if not isinstance(config, Mapping) or not isinstance(sensitive, Mapping):
        raise Invalid("Must be an object.", field="config")
    given = {**config, **sensitive}
    for key, value in given.items():
        if not isinstance(value, str | None):
            raise Invalid("Not a valid string.", field=f"config__{key}")
    sid, api_key = given.get("account_sid"), given.get("api_key_sid")
    password = given.get("api_key_secret") if api_key else given.get("auth_token")
    if not sid or not password:
        raise Invalid("Account SID and auth token must be provided", field="config")
    check_account_sid(sid, "config__account_sid")
    if api_key and not re.fullmatch("SK[A-Za-z0-9]{1,62}", api_key):
        raise Invalid(
            "Value must be the SID of a Twilio API key: SK and 32 letters and digits.", field="config__api_key_sid"
        )
    return Account(sid=sid, username=api_key or sid, password=Secret(password))


def put_integration(
    connection: Connection, account: Account, *, keyring: Keyring, now: datetime, by: str = "api"
) -> Integration:
    """
    Store an account; one that is stored already gets the new secret and keeps its id.

    Destinations that name it and were paused run again: what held them was most likely the secret.
    """
    config = {"account_sid": account.sid} | (
        {"api_key_sid": account.username} if account.username != account.sid else {}
    )
    secrets = keyring.encrypt({"password": account.password.reveal()})
    same = (integrations.c.kind == KIND) & (integrations.c.integration_id == account.sid)
    values = {"config": config, "secrets": secrets, "updated_at": now}
    row = connection.execute(update(integrations).where(same).values(values).returning(integrations)).first()
    if row is None:
        new = {**values, "kind": KIND, "integration_id": account.sid, "created_at": now, "created_by": by}
        row = connection.execute(insert(integrations).values(new).returning(integrations)).one()
    _resume(connection, row.id)
    bump(connection)
    return _to_integration(row)


def _resume(connection: Connection, id: int) -> None:  # noqa: A002 (the model's own word)
    """Let the paused destinations that name an account run again; few are ever paused, so their documents are read."""
    paused = connection.execute(
        select(destinations.c.id, destinations.c.document).where(destinations.c.paused.is_not(None))
    )
    named = [row.id for row in paused if row.document["inputs"].get("twilio_account", {}).get("value") == id]
    if named:
        connection.execute(update(destinations).where(destinations.c.id.in_(named)).values(paused=None, paused_at=None))


def list_integrations(
    connection: Connection, *, limit: int | None = None, offset: int = 0
) -> tuple[list[Integration], int]:
    """List the stored accounts, oldest first, and count them all."""
    query = select(integrations).order_by(integrations.c.id).limit(limit).offset(offset)
    total = connection.execute(select(func.count()).select_from(integrations)).scalar_one()
    return [_to_integration(row) for row in connection.execute(query)], total


def get_integration(connection: Connection, id: IntegrationId) -> Integration | None:  # noqa: A002 (the model's own word)
    """Give one stored account, None if there is none of that id."""
    row = connection.execute(select(integrations).where(integrations.c.id == id)).first()
    return None if row is None else _to_integration(row)


def delete_integration(connection: Connection, id: IntegrationId) -> bool:  # noqa: A002 (the model's own word)
    """Forget a stored account and its secret for good; tell whether there was one. Its destinations stop sending."""
    gone = connection.execute(delete(integrations).where(integrations.c.id == id).returning(integrations.c.id)).first()
    if gone is not None:
        bump(connection)
    return gone is not None


def find_account(connection: Connection, keyring: Keyring, id: IntegrationId) -> Account | None:  # noqa: A002 (as above)
    """Give the account with its secret; None if it is gone, or no key opens its secret."""
    row = connection.execute(select(integrations).where(integrations.c.id == id)).first()
    if row is None:
        return None
    try:
        password = keyring.decrypt(row.secrets)["password"]
    except Permanent:
        return None
    sid = row.config["account_sid"]
    return Account(sid=sid, username=row.config.get("api_key_sid") or sid, password=Secret(password))


def _to_integration(row: Row[Any]) -> Integration:
    return Integration(
        id=IntegrationId(row.id),
        kind=row.kind,
        account_sid=row.config["account_sid"],
        api_key_sid=row.config.get("api_key_sid"),
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
    )

"""Whom alarms are told to: a webhook, and a person's phone. The secret that signs what is posted lies encrypted."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, insert, select, update

from smspipe.destinations.secrets import Keyring
from smspipe.destinations.tables import projects
from smspipe.model.errors import Invalid
from smspipe.model.ids import DestinationId
from smspipe.model.phone import E164

_ONLY: Final = 1
FIELD: Final = "smspipe__alarms"
_KEYS: Final = ("webhook_url", "webhook_secret", "text_to", "destination_id")
_SHORTEST_SECRET: Final = 16


class OnCall(msgspec.Struct, frozen=True, kw_only=True):
    """Whom alarms are told to; without all of it, to the log and the API alone."""

    webhook_url: str | None = None
    text_to: E164 | None = None
    destination_id: DestinationId | None = None
    """Whose Twilio account and sender the texts leave with."""


def get_on_call(connection: Connection) -> OnCall:
    """Give whom alarms are told to."""
    kept = connection.scalar(select(projects.c.alarms).where(projects.c.id == _ONLY))
    return msgspec.convert(kept or {}, OnCall)


def get_secret(connection: Connection, keyring: Keyring) -> str | None:
    """
    Give the secret that the webhook's messages are signed with.

    Raises:
        Permanent: no key opens it.
    """
    kept = connection.scalar(select(projects.c.alarm_secret).where(projects.c.id == _ONLY))
    return None if kept is None else str(keyring.decrypt(kept)["secret"])


def change_on_call(
    connection: Connection, body: Any, *, keyring: Keyring, read_number: Any, now: datetime
) -> str | None:
    """
    Set whom alarms are told to, anew and as a whole; null tells nobody any more.

    Args:
        connection: in a transaction that writes.
        body: `webhook_url`, `webhook_secret`, `text_to` and `destination_id`, each of which may be left out.
        keyring: encrypts the secret.
        read_number: makes a phone number as people write it E.164, or raises `Invalid`.
        now: the time.

    Returns:
        The secret, if one was made now: it is shown this once.

    Raises:
        Invalid: a field is unknown, or not what it must be.
    """
    if body is None:
        body = {}
    if not isinstance(body, Mapping):
        raise Invalid("This must be an object.", field=FIELD)
    for key, value in body.items():
        if key not in _KEYS:
            raise Invalid(f"There is no field {key[:40]!r}.", field=FIELD, hint=f"There are {', '.join(_KEYS)}.")
        if value is not None and not isinstance(value, str):
            raise Invalid("Not a valid string.", field=f"{FIELD}__{key}")
    url, number, destination = (body.get(key) or None for key in ("webhook_url", "text_to", "destination_id"))
    if url is not None:
        _check_url(url)
    if (number is None) != (destination is None):
        raise Invalid(
            "A text needs both text_to and destination_id.",
            field=FIELD,
            hint="destination_id is the destination whose Twilio account and sender it leaves with.",
        )
    kept = {"webhook_url": url, "text_to": None if number is None else read_number(number),
            "destination_id": destination}  # fmt: skip
    secret, made = body.get("webhook_secret") or None, None
    if secret is not None and len(secret) < _SHORTEST_SECRET:
        raise Invalid(f"A secret has {_SHORTEST_SECRET} characters or more.", field=f"{FIELD}__webhook_secret")
    if url is not None and secret is None and get_secret(connection, keyring) is None:
        secret = made = secrets.token_urlsafe(32)
    values: dict[str, Any] = {"alarms": kept, "updated_at": now}
    if secret is not None:
        values["alarm_secret"] = keyring.encrypt({"secret": secret})
    known = connection.execute(select(projects.c.id).where(projects.c.id == _ONLY)).first() is not None
    connection.execute(
        update(projects).where(projects.c.id == _ONLY).values(values)
        if known
        else insert(projects).values(id=_ONLY, test_account_filters=[], **values)
    )
    return made


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        right = right and (parts.port or 1) > 0
    except ValueError:
        right = False
    if not right or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid("This must be an http or https address.", field=f"{FIELD}__webhook_url")

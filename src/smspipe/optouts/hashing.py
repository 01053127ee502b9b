"""
Numbers as keyed hashes: what the register is looked up by, and all that is left of a number after its erasure.

Phone numbers are few enough to try them all, so a plain hash hides nothing; HMAC-SHA256 does, as long as its key is
secret. The key is made once, at random, and lies in the database encrypted under the installation's keys. It is not
derived from them: they change, and with a changed key no opt-out would be found any more.
"""

import base64
import hmac
import os
from typing import Any, Final, Protocol

from sqlalchemy import Connection, insert, select, update

from smspipe.model.errors import Permanent
from smspipe.optouts.tables import opt_out_key

_NAME: Final = "opt_out_key"


class Keyring(Protocol):
    """The keys for the secrets at rest; `destinations.Keyring` is what is handed in (rooms do not know each other)."""

    def encrypt(self, secrets: dict[str, Any]) -> str:
        """Encrypt a JSON object under the newest key."""

    def decrypt(self, token: str) -> dict[str, Any]:
        """Give it back, or raise `Permanent` when no key opens it."""


class Hasher:
    """Hashes numbers under the register's key; `repr` hides it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes | None) -> None:
        """Take the key; None for one that cannot be opened, with which every question fails."""
        self._key = key

    def __call__(self, number: str) -> str:
        """
        Hash a number (E.164) to 64 hexadecimal digits. On every channel a number is the same person.

        Raises:
            Permanent: the register's key cannot be opened, so nobody can say who has opted out.
        """
        if self._key is None:
            raise Permanent("The register of opt-outs cannot be read: none of the keys opens its own key.")
        return hmac.digest(self._key, number[number.find(":") + 1 :].encode(), "sha256").hex()

    def __repr__(self) -> str:
        return "Hasher(***)"


def open_hasher(connection: Connection, keyring: Keyring) -> Hasher:
    """
    Give the register's hasher. The first call for a database makes its key, so the transaction must be one that writes.

    A key that the keyring does not open gives a hasher that raises at every use: nothing is sent then, but the service
    can start and say so.
    """
    sealed = connection.scalar(select(opt_out_key.c.sealed))
    if sealed is None:
        key = os.urandom(32)
        token = keyring.encrypt({_NAME: base64.b64encode(key).decode()})
        connection.execute(insert(opt_out_key).values(id=1, sealed=token))
        return Hasher(key)
    try:
        return Hasher(base64.b64decode(keyring.decrypt(sealed)[_NAME]))
    except Permanent:
        return Hasher(None)


def reencrypt(connection: Connection, keyring: Keyring) -> None:
    """
    Encrypt the register's key under the newest of the keyring, so that an older one may go.

    Raises:
        Permanent: none of the keys opens it.
    """
    sealed = connection.scalar(select(opt_out_key.c.sealed))
    if sealed is not None:
        connection.execute(update(opt_out_key).values(sealed=keyring.encrypt(keyring.decrypt(sealed))))

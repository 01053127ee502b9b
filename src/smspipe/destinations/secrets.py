"""
Secrets at rest: encrypted JSON, under one or more keys.

The newest key encrypts, every key decrypts: a new key is put in front, and whatever is written from then on is under
it; `registry.reencrypt` moves the rest, after which the old key may go.
"""

import base64
import binascii
import hashlib
from typing import Any, cast

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from smspipe.model.errors import Invalid, Permanent


class Keyring:
    """
    The keys for the secrets at rest.

    Args:
        keys: one or more keys separated by commas, newest first. A key is what `generate_key` makes (32 random bytes
            in URL-safe base64) or any other text of at least 32 characters, such as `openssl rand -hex 32` gives.

    Raises:
        Invalid: there is no key, or one is too short to protect anything.
    """

    def __init__(self, keys: str) -> None:
        parts = [part.strip() for part in keys.split(",") if part.strip()]
        if not parts:
            raise Invalid("There is no key for the secrets at rest.", field="secret_key", hint=_HINT)
        self._fernet = MultiFernet([Fernet(_to_fernet(part)) for part in parts])

    def encrypt(self, secrets: dict[str, Any]) -> str:
        """Encrypt `secrets`, a JSON object, under the newest key."""
        return self._fernet.encrypt(msgspec.json.encode(secrets)).decode("ascii")

    def decrypt(self, token: str) -> dict[str, Any]:
        """
        Give back what `encrypt` was given.

        Raises:
            Permanent: none of the keys opens it, or it was altered.
        """
        try:
            return cast(dict[str, Any], msgspec.json.decode(self._fernet.decrypt(token)))
        except InvalidToken as error:
            raise Permanent("None of the keys opens a secret that is stored here.") from error

    def __repr__(self) -> str:
        return "Keyring(***)"


def generate_key() -> str:
    """Make a new key from the system's randomness."""
    return Fernet.generate_key().decode("ascii")


_HINT = "Give SMSPIPE_SECRET_KEY at least 32 characters, as `openssl rand -hex 32` prints."


def _to_fernet(key: str) -> bytes:
    try:
        if len(base64.b64decode(key, altchars=b"-_", validate=True)) == 32:
            return key.encode("ascii")
    except (binascii.Error, ValueError):
        pass
    if len(key) < 32:
        raise Invalid("A key for the secrets at rest has fewer than 32 characters.", field="secret_key", hint=_HINT)
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())

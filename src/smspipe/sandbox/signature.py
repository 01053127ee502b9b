"""
How Twilio signs what it posts to us, so that a receiver can tell it from anybody else.

The text signed is the URL followed by every form field's name and value, sorted by name, with
nothing between them; values of a repeated name count once each, sorted. The secret is the Auth
Token and the hash SHA-1, or a shared key and its own hash, which a second header then names.

Source:
    https://www.twilio.com/docs/usage/security#validating-requests
    https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

SIGNATURE_HEADER: Final = "X-Twilio-Signature"
SETTINGS_HEADER: Final = "X-Twilio-Webhooks-Signature-Settings"


class SharedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret made for webhooks alone; `id` is what the settings header calls it."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[^\s,=]+$")]
    secret: Annotated[str, msgspec.Meta(min_length=1)]
    algorithm: Literal["HMAC_SHA1", "HMAC_SHA256"] = "HMAC_SHA256"


def sign(url: str, fields: Iterable[tuple[str, str]], secret: str, algorithm: str = "HMAC_SHA1") -> str:
    """
    Compute the signature of a form post (or of a bare URL, with no fields).

    Args:
        url: as the customer gave it, with query and without fragment.
        fields: decoded names and values, in any order.
        secret: the Auth Token, or the secret of a shared key.
        algorithm: HMAC_SHA1 or HMAC_SHA256.

    Returns:
        The base64 text of the `X-Twilio-Signature` header.
    """
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}[algorithm]
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), digest).digest()).decode("ascii")


def signature_headers(
    url: str, fields: Iterable[tuple[str, str]], auth_token: str, key: SharedKey | None
) -> dict[str, str]:
    """Build the headers that prove a webhook: one for the Auth Token, two for a shared key."""
    if key is None:
        return {SIGNATURE_HEADER: sign(url, fields, auth_token)}
    return {
        SIGNATURE_HEADER: sign(url, fields, key.secret, key.algorithm),
        SETTINGS_HEADER: f"key={key.id},algorithm={key.algorithm}",
    }

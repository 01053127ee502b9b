"""
Whether a request is Twilio's: the one thing that stands between the ledger and anybody who guesses an address.

What is signed is the address as Twilio was given it, followed by every field of the form, name and value, sorted by
name and with nothing between them; of equal fields one counts. A body that is no form is vouched for by its SHA-256 in
the signed query (`bodySHA256`). The secret is the account's Auth Token and the hash SHA-1, unless a second header names
a shared key and its algorithm: then it is that key and no other.

Fields are joined without a mark between them, so one signature fits every way of cutting the same text into fields.
That is Twilio's design; it gives nothing to somebody who has never seen a signed request.

Source:
    https://www.twilio.com/docs/usage/security#validating-requests
    https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs

import msgspec

from smspipe.model.destination import Secret
from smspipe.receipts.form import split_form

SIGNATURE_HEADER: Final = "x-twilio-signature"
SETTINGS_HEADER: Final = "x-twilio-webhooks-signature-settings"
"""`key=<id of a shared key>,algorithm=<name>`; absent when the Auth Token signed."""

_FORM: Final = "application/x-www-form-urlencoded"
_HASH: Final = "bodySHA256"
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)(?P<host>://(?:[^/?@]*@)?(?:\[[^]/?]*\]|[^/?:@]*))(?P<port>:\d*)?(?P<rest>[/?].*)?",
    re.IGNORECASE | re.DOTALL,
).fullmatch


class Algorithm(StrEnum):
    """How a request is signed, by Twilio's names."""

    SHA1 = "HMAC_SHA1"
    SHA256 = "HMAC_SHA256"


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """
    A secret that Twilio may sign with. The Auth Token has neither `id` nor SHA-256.

    A request must be signed by this key with this algorithm: one that leaves out the header of a shared key, or names
    a weaker algorithm, gains nothing.
    """

    secret: Secret
    id: str | None = None
    """What the second header calls a shared key; None for an Auth Token."""
    algorithm: Algorithm = Algorithm.SHA1


def address_of(public_url: str, path: str, query: str = "") -> str:
    """
    Put together the address that Twilio was given, from the public URL of the settings and what came in.

    Never from `Host` or `X-Forwarded-…`, which anybody can send. `path` and `query` are as they arrived, still encoded.
    """
    return public_url.rstrip("/") + path + (f"?{query}" if query else "")


def is_signed(*, url: str, body: bytes, headers: Mapping[str, str], keys: Sequence[SigningKey]) -> bool:
    """
    Say whether one of `keys` signed this request. Never raises, whatever came.

    Args:
        url: the public address, see `address_of`. Its port is tried with and without: Twilio has done both.
        body: all of it, as it arrived.
        headers: names in lower case.
        keys: while a token is changed the old one and the new one: either is enough. None of them: nothing is signed.
    """
    given = headers.get(SIGNATURE_HEADER, "").strip().encode("utf-8", "replace")
    key_id, algorithm = _read_settings(headers.get(SETTINGS_HEADER, ""))
    url = url.partition("#")[0]
    fields = _fields_signed(url, body, headers.get("content-type", ""))
    if not given or fields is None:
        return False
    return any(
        hmac.compare_digest(_sign(address, fields, key), given)
        for key in keys
        if key.id == key_id and key.algorithm == algorithm and key.secret.reveal()
        for address in _spellings(url)
    )


def _sign(url: str, fields: bytes, key: SigningKey) -> bytes:
    made = hashlib.sha256 if key.algorithm is Algorithm.SHA256 else hashlib.sha1
    # SHA-1 is what Twilio signs with; inside HMAC it is not broken.
    signed = url.encode("utf-8", "replace") + fields
    return base64.b64encode(hmac.new(key.secret.reveal().encode(), signed, made).digest())


def _fields_signed(url: str, body: bytes, content_type: str) -> bytes | None:
    """Give what follows the address in the signed text, None for a body that no signature can vouch for."""
    if content_type.partition(";")[0].strip().lower() == _FORM:
        # Sorted as bytes: UTF-8 keeps the order of code points.
        return b"".join(name + value for name, value in sorted(set(split_form(body))))
    hashes = parse_qs(url.partition("?")[2]).get(_HASH)
    if hashes is None:
        return None if body else b""
    told = hashes[0].lower().encode("utf-8", "replace")
    return b"" if hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), told) else None


def _read_settings(header: str) -> tuple[str | None, str]:
    parts = (part.partition("=") for part in header.split(","))
    told = {name.strip(): value.strip() for name, _, value in parts}
    return told.get("key") or None, told.get("algorithm", "").upper() or Algorithm.SHA1


def _spellings(url: str) -> Iterator[str]:
    """Give an address as it is, without its port, and with the one that its scheme implies."""
    yield url
    found = _ADDRESS(url)
    if found is None:
        return
    rest = found["rest"] or ""
    if found["port"] is not None:
        yield found["scheme"] + found["host"] + rest
    if found["port"] in (None, ":"):
        yield found["scheme"] + found["host"] + (":443" if found["scheme"].lower() == "https" else ":80") + rest

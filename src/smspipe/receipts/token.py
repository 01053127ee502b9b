"""
The address of a delivery's own callbacks, which nobody can guess: it names the delivery and the attempt, sealed.

Nothing is stored for it. Twilio is given the address with the request, and whoever calls it was told it by Twilio, so
it also names the delivery when the answer to the request was lost.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from smspipe.model.ids import DeliveryId

_TOKEN: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d{1,4})-([0-9a-f]{32})").fullmatch


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What a token names."""

    delivery: DeliveryId
    attempt: int


class Seal:
    """Makes tokens with the newest of its keys, and knows those made with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys`: the service's secret keys, the newest first; what is used is derived from them."""
        self._keys = [hmac.digest(key.encode(), b"smspipe status callback", hashlib.sha256) for key in keys]

    def make(self, delivery: DeliveryId, attempt: int) -> str:
        """Write the token of one attempt; it can stand in an address as it is."""
        named = f"{delivery}-{attempt}"
        return f"{named}-{_mac(self._keys[0], named)}"

    def read(self, token: str) -> Sealed | None:
        """Give what a token names, None when it was not made here."""
        found = _TOKEN(token)
        if found is None:
            return None
        delivery, attempt, mac = found.groups()
        # all keys are tried, so that the time taken does not tell which one fits
        fits = [hmac.compare_digest(mac, _mac(key, f"{delivery}-{attempt}")) for key in self._keys]
        return Sealed(delivery=DeliveryId(delivery), attempt=int(attempt)) if any(fits) else None


def _mac(key: bytes, named: str) -> str:
    return hmac.digest(key, named.encode(), hashlib.sha256).hex()[:32]

"""Functions that encode and hash text, draw pseudo-random values, and look at addresses. Text is hashed as UTF-8."""

import base64
import hashlib
import hmac
import ipaddress
import uuid
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from smspipe.hog.library.function import hog
from smspipe.hog.library.text import as_text, plain_text
from smspipe.hog.limits import Run
from smspipe.hog.values import HogError, js_text

_URI_SAFE: Final = "!~*'()"
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_LONGEST_RANGE: Final = 100
_HEX: Final = frozenset("0123456789abcdefABCDEF")


def utf8(text: str) -> bytes:
    """Encode as UTF-8, half of a surrogate pair as U+FFFD, as Node does."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


@hog("encodeURLComponent", 1, 1)
def encode_url_component(run: Run, value: Any) -> str:
    """Escape a text for a part of a URL, as JavaScript does; null is the text `null`."""
    text = plain_text(run, value)
    return run.made(quote(utf8(text), safe=_URI_SAFE))


def _decode_url(run: Run, value: Any) -> str:
    text = plain_text(run, value)
    pieces = text.split("%")
    if any(len(piece) < 2 or not _HEX.issuperset(piece[:2]) for piece in pieces[1:]):
        raise ValueError("a % without two hexadecimal digits")
    return run.made(unquote_to_bytes(text).decode())


@hog("decodeURLComponent", 1, 1)
def decode_url_component(run: Run, value: Any) -> str | None:
    """Resolve the escapes of a part of a URL; fail when they are malformed."""
    if value is None:
        return None
    try:
        return _decode_url(run, value)
    except ValueError as error:
        raise HogError("The text given to decodeURLComponent is malformed.") from error


@hog("tryDecodeURLComponent", 1, 1)
def try_decode_url_component(run: Run, value: Any) -> str | None:
    """Resolve the escapes of a part of a URL; null when they are malformed."""
    try:
        return None if value is None else _decode_url(run, value)
    except ValueError:
        return None


@hog("base64Encode", 1, 1)
def base64_encode(run: Run, value: Any) -> str | None:
    """Encode text in base64."""
    return None if value is None else run.made(base64.b64encode(utf8(as_text(run, value))).decode())


@hog("base64Decode", 1, 1)
@hog("tryBase64Decode", 1, 1)
def base64_decode(run: Run, value: Any) -> str | None:
    """Decode base64, also its form for URLs; what is not base64 is passed over, as Node does."""
    if value is None:
        return None
    text = as_text(run, value).partition("=")[0].replace("-", "+").replace("_", "/")
    kept = "".join(character for character in text if character in _BASE64)
    kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
    return run.made(base64.b64decode(kept + "=" * (-len(kept) % 4)).decode("utf-8", "replace"))


# ---- hashes ----------------------------------------------------------------------------------------


def _digest(run: Run, digest: bytes, encoding: Any) -> str:
    """Write a digest as hex (unless told), base64, base64url or binary (one character a byte)."""
    if encoding is None or encoding == "hex":
        return run.made(digest.hex())
    if encoding == "base64":
        return run.made(base64.b64encode(digest).decode())
    if encoding == "base64url":
        return run.made(base64.urlsafe_b64encode(digest).decode().rstrip("="))
    if encoding in ("binary", "latin1"):
        return run.made(digest.decode("latin-1"))
    raise HogError("A digest is written as hex, base64, base64url or binary.")


def _hash(run: Run, algorithm: str, value: Any, encoding: Any = None) -> str | None:
    if value is None:
        return None
    text = as_text(run, value)
    run.work(len(text) // 16)
    return _digest(run, hashlib.new(algorithm, utf8(text), usedforsecurity=False).digest(), encoding)


def _chain(run: Run, algorithm: str, parts: Any, encoding: Any = None) -> str:
    if type(parts) not in (list, tuple) or len(parts) < 2:
        raise HogError("Data array must contain at least two elements.")
    run.work(10 * len(parts))
    key = utf8(as_text(run, js_text(parts[0])))
    for part in parts[1:]:
        text = as_text(run, js_text(part))
        run.work(len(text) // 16)
        key = hmac.new(key, utf8(text), algorithm).digest()
    return _digest(run, key, encoding)


def _hasher(compute: Callable[..., Any], algorithm: str) -> Callable[..., Any]:
    def run_hash(run: Run, value: Any, encoding: Any = None) -> Any:
        return compute(run, algorithm, value, encoding)

    return run_hash


for _name in ("md5", "sha1", "sha256"):
    hog(_name, 1, 2)(_hasher(_hash, _name))
    hog(f"{_name}Hex", 1, 1)(_hasher(_hash, _name))
for _name in ("sha1", "sha256"):
    hog(f"{_name}HmacChain", 1, 2)(_hasher(_chain, _name))
    hog(f"{_name}HmacChainHex", 1, 1)(_hasher(_chain, _name))


# ---- pseudo-random values --------------------------------------------------------------------------


def _draw(run: Run) -> bytes:
    """
    Draw 16 bytes that nobody would guess to be related, and that the same run draws again.

    A template run twice for one event, in a preview and for real or after a crash, must not differ.
    """
    run.drawn += 1
    event = run.globals.get("event")
    event_uuid = event.get("uuid") if type(event) is dict else run.globals.get("uuid")
    seed = f"{run.now.isoformat()} {event_uuid if type(event_uuid) is str else ''} {run.drawn}"
    return hashlib.blake2b(utf8(seed), digest_size=16).digest()


@hog("generateUUIDv4", 0, 0)
def generate_uuid_v4(run: Run) -> str:
    """Make a uuid, the same again for the same event, instant and place in the template."""
    return str(uuid.UUID(bytes=_draw(run), version=4))


@hog("randomFloat", 0, 0)
def random_float(run: Run) -> float:
    """Make a number from 0 up to 1, the same again for the same event, instant and place in the template."""
    return (int.from_bytes(_draw(run)[:7], "big") >> 3) / 2**53


# ---- addresses -------------------------------------------------------------------------------------


@hog("isIPAddressInRange", 2, 2)
def is_ip_address_in_range(_: Run, address: Any, network: Any) -> bool:
    """Tell whether an address is in a CIDR range; false when either is malformed."""
    if type(address) is not str or type(network) is not str or "/" not in network or "%" in address:
        return False
    if len(address) + len(network) > _LONGEST_RANGE:
        return False
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False

"""
Tell a webhook of an alarm: one signed POST, to an address that is not of this network.

The name is looked up by us, every address that it leads to must be public, and the connection goes to one of those:
a name that leads elsewhere at the second look gains nothing. No redirect is followed, no proxy asked.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from smspipe.deliveries.alarms import Alarm
from smspipe.model.clock import to_iso

SIGNATURE: Final = "X-Smspipe-Signature"
_SECONDS: Final = 10.0


def body_of(alarm: Alarm, destination: str | None, now: datetime) -> bytes:
    """Write what a webhook is told of an alarm; `destination` is its name."""
    return msgspec.json.encode(
        {
            "id": alarm.id,
            "state": alarm.state,
            "kind": alarm.kind,
            "destination_id": alarm.destination_id or None,
            "destination": destination,
            "what": alarm.what,
            "raised_at": to_iso(alarm.raised_at),
            "resolved_at": None if alarm.resolved_at is None else to_iso(alarm.resolved_at),
            "at": to_iso(now),
        }
    )


def sign(secret: str, body: bytes, now: datetime) -> str:
    """Sign a body: `t` is the second it was signed at, `v1` the HMAC-SHA256 of `t`, a dot and the body, in hex."""
    at = str(int(now.timestamp()))
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


async def post(url: str, body: bytes, signature: str | None, *, private: bool) -> str | None:
    """
    Make one POST.

    Args:
        url: http or https.
        body: JSON.
        signature: for the header, None without a secret.
        private: addresses of this machine and this network are allowed.

    Returns:
        None once the webhook has answered with 2xx, else why it was not told, without the address.
    """
    import aiohttp

    host = urlsplit(url).hostname or ""
    if not private and _is_private(host):
        return "its address is one of a private network"
    headers = {"Content-Type": "application/json", "User-Agent": "smspipe"}
    if signature is not None:
        headers[SIGNATURE] = signature
    connector = aiohttp.TCPConnector(resolver=_resolver(private=private), use_dns_cache=False, force_close=True)
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return None if 200 <= answer.status < 300 else f"it answered {answer.status}"
    except TimeoutError:
        return "it did not answer in time"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, _Private) else error
        return str(cause) if isinstance(cause, _Private) else "no connection came about"


class _Private(OSError):
    """The name leads into a private network."""


def _is_private(host: str) -> bool:
    """Say whether a host is written as an address that is not public; a name is looked at when it is looked up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (inner or address).is_global or address.is_multicast


def _resolver(*, private: bool) -> Any:
    from aiohttp.abc import AbstractResolver, ResolveResult

    class _Public(AbstractResolver):
        async def resolve(
            self,
            host: str,
            port: int = 0,
            family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 (aiohttp's signature)
        ) -> list[ResolveResult]:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM, family=socket.AF_UNSPEC
            )
            if not private and any(_is_private(str(each[4][0])) for each in found):
                raise _Private("its name leads to an address of a private network")
            return [
                ResolveResult(hostname=host, host=str(each[4][0]), port=port, family=each[0], proto=each[2],
                              flags=socket.AI_NUMERICHOST)
                for each in found
            ]  # fmt: skip

        async def close(self) -> None:
            pass

    return _Public()

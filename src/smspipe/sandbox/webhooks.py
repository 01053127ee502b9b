"""
How Twilio posts to its customers: signed, with a few seconds' patience, and hardly ever again.

A customer changes patience and retries through the fragment of the URL (`#rc=5&rp=all`), which
is not sent. Without one, a post is tried once more, and only when no connection came about.

Source:
    https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl, urldefrag, urlencode

from smspipe.sandbox.account import Account
from smspipe.sandbox.signature import signature_headers

if TYPE_CHECKING:
    import aiohttp

if TYPE_CHECKING:
    import aiohttp

IDEMPOTENCY_HEADER: Final = "I-Twilio-Idempotency-Token"
_POLICIES: Final = frozenset({"4xx", "5xx", "ct", "rt"})


class Overrides(NamedTuple):
    """How long and how often a post is tried; times in seconds."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 15.0
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})


class Outcome(NamedTuple):
    """What became of a post: the last status, or the kind of failure (`ct` connecting, `rt` reading)."""

    attempts: int
    status: int | None
    problem: str | None
    content_type: str = ""
    body: bytes = b""


def read_overrides(url: str) -> tuple[str, Overrides]:
    """Split a customer's URL into what is requested and the overrides of its fragment; bad values count as absent."""
    address, fragment = urldefrag(url)
    given = dict(parse_qsl(fragment))
    policies = frozenset(given.get("rp", "ct").split(","))
    policies = _POLICIES if "all" in policies else policies & _POLICIES
    return address, Overrides(
        connect_seconds=_number(given, "ct", 100, 10_000, 5_000) / 1000,
        read_seconds=_number(given, "rt", 100, 15_000, 15_000) / 1000,
        total_seconds=_number(given, "tt", 100, 15_000, 15_000) / 1000,
        retries=_number(given, "rc", 0, 5, 1),
        retry_on=policies or frozenset({"ct"}),
    )


class Webhooks:
    """Posts to the customer. One HTTP session, made at the first post."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, fields: Sequence[tuple[str, str]], token: str) -> Outcome:
        """
        Post a form, and again as the URL's overrides say.

        `token` is the idempotency token: the same for every try of one webhook.
        """
        address, overrides = read_overrides(url)
        settings = self._account.settings
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            IDEMPOTENCY_HEADER: token,
            **signature_headers(address, fields, self._account.auth_token, settings.shared_key),
        }
        body = urlencode(fields).encode()
        attempts = 0
        while True:
            attempts += 1
            outcome = await self._try(address, body, headers, overrides, attempts)
            kind = outcome.problem or (f"{outcome.status // 100}xx" if outcome.status else "")
            if attempts > overrides.retries or kind not in overrides.retry_on:
                return outcome
            await asyncio.sleep(settings.retry_seconds)

    async def close(self) -> None:
        """End the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _try(
        self, address: str, body: bytes, headers: dict[str, str], overrides: Overrides, attempts: int
    ) -> Outcome:
        # Imported here, because a sandbox that nobody asks for callbacks needs no HTTP client.
        import aiohttp
        from yarl import URL

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=50), cookie_jar=aiohttp.DummyCookieJar()
            )
        timeout = aiohttp.ClientTimeout(
            total=overrides.total_seconds,
            sock_connect=overrides.connect_seconds,
            sock_read=overrides.read_seconds,
        )
        try:
            # The URL goes out byte for byte, or the receiver could not check the signature.
            target = URL(address, encoded=True)
            async with self._session.post(target, data=body, headers=headers, timeout=timeout) as response:
                text = await response.content.read(64_000)
                return Outcome(attempts, response.status, None, response.content_type, text)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return Outcome(attempts, None, "ct")
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return Outcome(attempts, None, "rt")


def _number(given: dict[str, str], name: str, least: int, most: int, default: int) -> int:
    text = given.get(name, "")
    return int(text) if text.isdecimal() and least <= int(text) <= most else default

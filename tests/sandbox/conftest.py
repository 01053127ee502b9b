import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from twilio.rest import Client

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox, keep_drop
from tests.support.serving import serve

MESSAGES = f"/2010-04-01/Accounts/{DEMO_ACCOUNT_SID}/Messages.json"
PHONE = "+14155552671"
SENDER = "+15005550006"
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Posted:
    """One webhook as the customer's server saw it. `at` is the path with its query."""

    at: str
    headers: dict[str, str]
    fields: list[tuple[str, str]]

    def __getitem__(self, name: str) -> str:
        return dict(self.fields)[name]


@dataclass
class Customer:
    """The customer's own web server: keeps what is posted to it, and answers with the next of `answers`, else 204."""

    posted: list[Posted] = field(default_factory=list)
    answers: list[tuple[int, str, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        query = scope["query_string"].decode()
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        fields = parse_qsl(body.decode(), keep_blank_values=True)
        self.posted.append(Posted(scope["path"] + (f"?{query}" if query else ""), headers, fields))
        status, content_type, text = self.answers.pop(0) if self.answers else (204, "", b"")
        head = [(b"content-type", content_type.encode())] if content_type else []
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": text})

    def statuses(self) -> list[str]:
        return [posted["MessageStatus"] for posted in self.posted]


@dataclass
class Town:
    """A running sandbox, mounted under /sandbox, with a customer's server beside it and a clock of its own."""

    sandbox: Sandbox
    customer: Customer
    url: str
    http: aiohttp.ClientSession
    now: datetime = START

    @property
    def base(self) -> str:
        return self.url + "/sandbox"

    def hook(self, rest: str = "") -> str:
        """Give an address on the customer's server."""
        return f"{self.url}/hooks{rest}"

    def advance(self, span: timedelta) -> None:
        self.now += span

    def client(self, **options: Any) -> Client:
        """Make the official SDK's client, pointed at the sandbox."""
        client = Client(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, **options)
        client.api.base_url = self.base
        return client

    async def call(self, action: Callable[[], Any]) -> Any:
        """Run the SDK's blocking call beside the server."""
        return await asyncio.to_thread(action)

    async def create(self, **form: str) -> tuple[int, Any]:
        """Post a create request with good credentials; upper and lower case of names as given."""
        fields = {"To": PHONE, "From": SENDER, "Body": "Hi Ada"} | form
        headers = {"Authorization": aiohttp.encode_basic_auth(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN)}
        async with self.http.post(self.base + MESSAGES, data=fields, headers=headers) as response:
            return response.status, await response.json()

    async def control(self, method: str, path: str, json: Any = None) -> tuple[int, Any]:
        """Ask a control endpoint."""
        async with self.http.request(method, self.base + path, json=json) as response:
            return response.status, await response.json() if response.status != 204 else None


@asynccontextmanager
async def found_town(**server_options: Any) -> AsyncIterator[Town]:
    customer = Customer()
    sandbox = Sandbox(
        account_sid=DEMO_ACCOUNT_SID,
        auth_token=DEMO_AUTH_TOKEN,
        clock=lambda: town.now,
        prefix="/sandbox",
        step_seconds=0,
    )

    async def both(scope: Any, receive: Any, send: Any) -> None:
        await (sandbox if scope["path"].startswith("/sandbox/") else customer)(scope, receive, send)

    async with serve(keep_drop(both), **server_options) as url, aiohttp.ClientSession() as http:
        town = Town(sandbox, customer, url, http)
        await town.control("POST", "/config", {"retry_seconds": 0})
        try:
            yield town
        finally:
            await sandbox.close()


@pytest.fixture(name="town")
async def running_town() -> AsyncIterator[Town]:
    async with found_town() as town:
        yield town

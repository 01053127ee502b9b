"""The ASGI application: reads a request, asks the API or the controls, sends the answer or drops the connection."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from smspipe.sandbox.account import Account, Settings
from smspipe.sandbox.api import Api, Silence
from smspipe.sandbox.asgi import (
    Answer,
    Receive,
    Scope,
    Send,
    find_drop,
    json_answer,
    read_request,
    send_answer,
    wait_for_disconnect,
)
from smspipe.sandbox.controls import Controls
from smspipe.sandbox.faults import FaultPlan
from smspipe.sandbox.life import Lives
from smspipe.sandbox.messages import API_VERSION
from smspipe.sandbox.webhooks import Webhooks

_TIME_TO_NOTICE: Final = 5.0
"""Seconds that a server gets to see that its connection was reset."""


class Sandbox:
    """
    A Twilio for development: its Messages API, status callbacks, phones to look at and faults to order.

    Args:
        account_sid, auth_token: the one account that exists.
        seed: what chance is a function of.
        clock: tells aware UTC time; dates of texts and scheduled sending follow it, delays do not.
        prefix: where the application is mounted, when the server leaves that in the path.
        own_numbers: numbers that may be `From`; None for any that is no magic number for a failure.
        step_seconds: how long a text stays in each status.

    Raises:
        ValueError: the account's SID is not one.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        seed: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        prefix: str = "",
        own_numbers: frozenset[str] | None = None,
        step_seconds: float = 0.05,
        inbound_url: str | None = None,
    ) -> None:
        if not (account_sid.startswith("AC") and len(account_sid) == 34):
            raise ValueError("an account SID is AC and 32 hexadecimal digits")
        settings = Settings(own_numbers=own_numbers, step_seconds=step_seconds, inbound_url=inbound_url)
        self._prefix = prefix.rstrip("/")
        self._account = Account(sid=account_sid, auth_token=auth_token, seed=seed, clock=clock, settings=settings)
        faults = FaultPlan(seed)
        self._webhooks = Webhooks(self._account)
        self._lives = Lives(self._account, self._webhooks)
        self._api = Api(self._account, faults, self._lives)
        self._controls = Controls(self._account, faults, self._lives, self._webhooks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection: HTTP, or the lifespan of a server that runs the sandbox alone."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"the sandbox speaks HTTP, not {scope['type']}")
        started = time.perf_counter()
        request = await read_request(scope, receive, self._prefix)
        if request is None:
            await send_answer(send, json_answer(413, {"error": "The request is too large, or was not finished."}))
            return
        drop = find_drop(scope, send)
        if not request.path.startswith(f"/{API_VERSION}/"):
            await send_answer(send, await self._controls.serve(request, can_drop=drop is not None))
            return
        answer, concurrent = await self._api.serve(request)
        if isinstance(answer, Answer):
            await send_answer(send, self._with_headers(answer, time.perf_counter() - started, concurrent))
            return
        if drop is None:
            raise RuntimeError("a rule that resets connections was taken in on another server than this")
        await self._hang_up(answer, drop, receive)

    async def drain(self) -> None:
        """Wait until every text has reached its end and every callback was answered or given up."""
        await self._lives.drain()

    async def close(self) -> None:
        """End all background work, texts and callbacks on their way included."""
        await self._lives.stop()
        await self._webhooks.close()

    async def _hang_up(self, silence: Silence, drop: Callable[[], None], receive: Receive) -> None:
        """Say nothing for a while, then reset the connection, and wait until the server has noticed."""
        if silence.seconds:
            await wait_for_disconnect(receive, silence.seconds)
        drop()
        await wait_for_disconnect(receive, _TIME_TO_NOTICE)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _with_headers(self, answer: Answer, seconds: float, concurrent: int) -> Answer:
        return Answer(
            status=answer.status,
            body=answer.body,
            content_type=answer.content_type,
            headers=(
                *answer.headers,
                ("Twilio-Request-Id", self._account.make_sid("RQ")),
                ("Twilio-Request-Duration", f"{seconds:.3f}"),
                ("Twilio-Concurrent-Requests", str(concurrent)),
                ("X-Home-Region", "us1"),
                ("X-Api-Domain", "api.twilio.com"),
            ),
        )

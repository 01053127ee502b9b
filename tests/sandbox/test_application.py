"""The sandbox as an application of other servers: mounted, wrapped, alone."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import Any

import aiohttp
import pytest
from litestar import Litestar, asgi
from litestar.config.compression import CompressionConfig
from litestar.types import Receive, Scope, Send

from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox, keep_drop
from tests.sandbox.conftest import MESSAGES, PHONE, SENDER
from tests.support.serving import serve

HEADERS = {"Authorization": aiohttp.encode_basic_auth(DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN)}
FORM = {"To": PHONE, "From": SENDER, "Body": "Hi"}


def make() -> Sandbox:
    return Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, prefix="/sandbox", step_seconds=0)


def mount(sandbox: Sandbox) -> Litestar:
    @asgi("/sandbox", is_mount=True, copy_scope=True)
    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await sandbox(scope, receive, send)  # type: ignore[arg-type]  # Litestar types its own ASGI

    return Litestar([mounted], compression_config=CompressionConfig("gzip"), openapi_config=None)


async def test_resets_reach_the_client_through_a_framework_that_wraps_send() -> None:
    sandbox = make()
    async with serve(keep_drop(mount(sandbox))) as url, aiohttp.ClientSession(f"{url}/sandbox/") as http:  # type: ignore[arg-type]  # Litestar types its own ASGI
        async with http.post("faults", json=[{"fault": "reset_after", "times": 1}]) as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
            await http.post(MESSAGES[1:], data=FORM, headers=HEADERS)
        async with http.get("inbox") as response:
            assert len((await response.json())["results"]) == 1
        await sandbox.close()


async def test_a_rule_that_this_server_cannot_carry_out_is_refused() -> None:
    sandbox = make()
    async with serve(mount(sandbox)) as url, aiohttp.ClientSession(f"{url}/sandbox/") as http:
        async with http.post("faults", json=[{"fault": "reset_after"}]) as response:
            assert response.status == 400
            assert "keep_drop" in (await response.json())["error"]
        async with http.post("faults", json=[{"fault": "429"}]) as response:
            assert response.status == 200
        await sandbox.close()


async def test_closing_ends_texts_and_callbacks_on_their_way() -> None:
    sandbox = Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, step_seconds=3600)
    before = asyncio.all_tasks()
    async with serve(sandbox) as url, aiohttp.ClientSession(url) as http:
        async with http.post(MESSAGES, data={**FORM, "StatusCallback": url}, headers=HEADERS) as response:
            assert response.status == 201
        await sandbox.close()
    assert asyncio.all_tasks() == before


async def test_an_oversized_request_is_refused() -> None:
    sandbox = make()
    async with serve(sandbox) as url, aiohttp.ClientSession(url) as http:
        async with http.post("/sandbox/faults", data=b" " * 1_000_001) as response:
            assert response.status == 413
        await sandbox.close()


async def test_a_body_in_pieces_is_read_to_its_end() -> None:
    sent: list[Any] = []
    pieces = [b'[{"fault":', b'"429"}', b"]"]

    async def receive() -> Any:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/faults", "query_string": b"", "headers": []}
    await make()(scope, receive, send)

    assert sent[0]["status"] == 200


def test_an_account_sid_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="account SID"):
        Sandbox(account_sid="AC123", auth_token="x")


@pytest.mark.slow
async def test_the_sandbox_runs_alone_from_the_command_line_and_resets_connections_on_uvloop() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = (sys.executable, "-m", "smspipe.sandbox", "--port", str(port), "--seed", "3")
    process = await asyncio.create_subprocess_exec(
        *command, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert process.stderr is not None
    try:
        while b"running on" not in (line := await process.stderr.readline()):
            assert line, "the sandbox ended before it had started"
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            async with http.post(MESSAGES, data=FORM, headers=HEADERS) as response:
                assert response.status == 201
            async with http.get("/inbox") as response:
                assert [text["body"] for text in (await response.json())["results"]] == ["Hi"]
            async with http.post("/faults", json=[{"fault": "reset_before"}]) as response:
                assert response.status == 200
            with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
                await http.post(MESSAGES, data=FORM, headers=HEADERS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.communicate()

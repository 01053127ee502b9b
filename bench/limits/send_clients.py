"""
CPU seconds that one POST costs the sending process, by HTTP client: the figures behind `docs/decisions/0002`.

Usage: send_clients.py [--requests 4000] [--rounds 7] [--concurrency 32]

A server of a few lines in a process of its own answers every POST with the same message resource. Clients take turns
within each round, so that what else the machine does falls on all of them; figures are the process's own CPU time
(user and system) per request, medians over the rounds, and medians of the ratios within a round.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection as Pipe

import aiohttp
import multidict
import uvloop
import yarl

from smspipe.model.destination import Account, Secret
from smspipe.model.message import Encoding, Message
from smspipe.model.phone import E164
from smspipe.sending import Accepted, Client, Request, build_request, sort_answer

ACCOUNT = Account(sid="AC" + "0" * 32, username="AC" + "0" * 32, password=Secret("0" * 32))
MESSAGE = Message(
    to=E164("+14155552671"),
    sender="+15005550006",
    body="Hi Grace, order o1144 for 594.5 EUR is confirmed.",
    encoding=Encoding.GSM_7,
    segments=1,
)
_RESOURCE = json.dumps(
    {
        "account_sid": ACCOUNT.sid,
        "api_version": "2010-04-01",
        "body": MESSAGE.body,
        "date_created": "Sun, 22 Nov 2026 01:00:00 +0000",
        "date_sent": None,
        "date_updated": "Sun, 22 Nov 2026 01:00:00 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": MESSAGE.sender,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": "SM" + "f" * 32,
        "status": "queued",
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{ACCOUNT.sid}/Messages/SM{'f' * 32}/Media.json"},
        "to": MESSAGE.to,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT.sid}/Messages/SM{'f' * 32}.json",
    }
).encode()
ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: %d\r\n"
    b"Date: Sun, 22 Nov 2026 01:00:00 GMT\r\nTwilio-Request-Id: RQ%b\r\nTwilio-Request-Duration: 0.080\r\n"
    b"Twilio-Concurrent-Requests: 1\r\nX-Home-Region: us1\r\n\r\n%b" % (len(_RESOURCE), b"f" * 32, _RESOURCE)
)

Post = Callable[[], Awaitable[None]]


def headers_of(request: Request) -> dict[str, str]:
    """Give a request's finished header lines in the form that other clients want."""
    lines = (line.partition(": ") for line in request.headers.decode().splitlines())
    return {name: value for name, _, value in lines}


class Server(asyncio.Protocol):
    """Answers each request once its head and body are there; every client here sends a Content-Length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.seen = b""

    def data_received(self, data: bytes) -> None:
        self.seen += data
        head, end, rest = self.seen.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) >= length:
            self.seen = rest[length:]
            self.transport.write(ANSWER)  # type: ignore[attr-defined]  # a stream's transport has it


def serve(pipe: Pipe) -> None:
    """Run the server, tell its port, and end with the parent."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=256)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def own(base: str, concurrency: int, stack: AsyncExitStack) -> Post:
    """The client that smspipe ships, building its request each time."""
    client = await stack.enter_async_context(Client(base, concurrency=concurrency))

    async def post() -> None:
        assert isinstance(await client.send(build_request(MESSAGE, ACCOUNT)), Accepted)

    return post


async def aiohttp_usual(base: str, concurrency: int, stack: AsyncExitStack) -> Post:
    """Aiohttp as its documentation shows it, with the trace hook that tells whether the head has left."""
    trace = aiohttp.TraceConfig()

    async def left(_session: object, context: object, _params: object) -> None:
        context.trace_request_ctx["left"] = True  # type: ignore[attr-defined]  # a SimpleNamespace

    trace.on_request_headers_sent.append(left)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency, keepalive_timeout=15),
            timeout=aiohttp.ClientTimeout(total=None, connect=10, sock_connect=5, sock_read=30),
            trace_configs=[trace],
        )
    )

    async def post() -> None:
        request = build_request(MESSAGE, ACCOUNT)
        async with session.post(
            base + request.path,
            data=request.body,
            headers=headers_of(request),
            allow_redirects=False,
            trace_request_ctx={"left": False},
        ) as answer:
            sorted_answer = sort_answer(
                answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read()
            )
        assert isinstance(sorted_answer, Accepted)

    return post


async def aiohttp_tuned(base: str, concurrency: int, stack: AsyncExitStack) -> Post:
    """Aiohttp with everything left out that can be: no trace, no cookies, no automatic headers, address parsed once."""
    request = build_request(MESSAGE, ACCOUNT)
    url = yarl.URL(base + request.path, encoded=True)
    headers = multidict.CIMultiDict(headers_of(request))
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency, keepalive_timeout=15, enable_cleanup_closed=False),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=5, sock_read=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
            raise_for_status=False,
            trust_env=False,
        )
    )

    async def post() -> None:
        body = build_request(MESSAGE, ACCOUNT).body
        answer = await session._request("POST", url, data=body, headers=headers, allow_redirects=False)  # noqa: SLF001 - the cheapest way in
        raw = await answer.read()
        assert isinstance(sort_answer(answer.status, {}, raw), Accepted)

    return post


CLIENTS = {"own": own, "aiohttp tuned": aiohttp_tuned, "aiohttp usual": aiohttp_usual}


async def measure(client: str, base: str, requests: int, concurrency: int) -> float:
    """Give the CPU microseconds of one POST, connections opened and warmed before."""
    async with AsyncExitStack() as stack:
        post = await CLIENTS[client](base, concurrency, stack)

        async def work(share: int) -> None:
            for _ in range(share):
                await post()

        async def all_of(share: int) -> None:
            await asyncio.gather(*(work(share) for _ in range(concurrency)))

        await all_of(8)
        begin = time.process_time()
        await all_of(requests // concurrency)
        return (time.process_time() - begin) / (requests // concurrency * concurrency) * 1e6


def main() -> None:
    """Measure and print one line a client."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=4000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--concurrency", type=int, default=32)
    given = options.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{ours.recv()}"
    figures: dict[str, list[float]] = {client: [] for client in CLIENTS}
    try:
        for _ in range(given.rounds):
            for client, found in figures.items():
                found.append(uvloop.run(measure(client, base, given.requests, given.concurrency)))
    finally:
        server.terminate()
    for client, found in figures.items():
        ratio = statistics.median(mine / tuned for mine, tuned in zip(found, figures["aiohttp tuned"], strict=True))
        print(f"{client:14} {statistics.median(found):7.1f} µs of CPU a POST, {ratio:.2f} of aiohttp tuned")


if __name__ == "__main__":
    main()

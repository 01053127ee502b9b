"""What the one POST promises, against a server that does everything wrong in turn."""

import asyncio
import socket
import ssl
import struct
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smspipe.model.errors import Invalid
from smspipe.model.ids import MessageSid
from smspipe.sending import Accepted, AccountFault, Answer, Client, Later, Refused, Unconfirmed, Verified
from tests.sending.conftest import (
    ACCOUNT,
    BODY,
    PHONE,
    SID,
    TOKEN,
    Peer,
    Serve,
    answer,
    count_up,
    created,
    drop,
    hang,
    make_request,
    sid_of,
    write,
)

SHORT = timedelta(milliseconds=50)


def client_for(peer: Peer, **options: Any) -> Client:
    return Client(peer.url, **options)


async def send_one(peer: Peer, **options: Any) -> Answer:
    async with client_for(peer, **options) as client:
        return await client.send(make_request())


def hide_nothing_secret(sent: Answer) -> None:
    shown = repr(sent)
    assert TOKEN not in shown
    assert PHONE.lstrip("+") not in shown
    assert BODY not in shown


# An answer that came whole


async def test_a_created_message_is_accepted_with_its_sid(serve: Serve) -> None:
    peer = await serve(created(7, "Twilio-Request-Id: RQ7"))
    assert await send_one(peer) == Accepted(sid=MessageSid(sid_of(7)), status="queued", segments=1, request_id="RQ7")
    assert peer.posts == 1


async def test_the_request_arrives_as_it_was_built_below_the_path_prefix(serve: Serve) -> None:
    peer = await serve(created(1))
    async with Client(peer.url + "/sandbox/") as client:
        await client.send(make_request())
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST /sandbox/2010-04-01/Accounts/{SID}/Messages.json HTTP/1.1"
    assert f"Host: 127.0.0.1:{peer.port}" in lines
    assert "Content-Type: application/x-www-form-urlencoded" in lines
    assert body == b"To=%2B14155552671&From=%2B15005550006&Body=Hi%20Ada%2C%20it%20is%20secret"


JSON = b'{"sid": "' + sid_of(1).encode() + b'", "status": "queued"}'
WHOLE = {
    "in chunks": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (JSON[:5], len(JSON) - 5, JSON[5:]),
    "in chunks with trailers": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"%x\r\n%b\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(JSON), JSON),
    "after 100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(201, JSON),
    "after 103 Early Hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(201, JSON),
    "with Connection: close": answer(201, JSON, "Connection: close"),
    "with garbage behind it": answer(201, JSON) + b"garbage",
    "with a second answer behind it": answer(201, JSON) + answer(400, b'{"code": 21211}'),
    "with Connection: close and garbage behind it": answer(201, JSON, "Connection: close") + b"garbage",
    "as HTTP/1.0 up to the connection's end": b"HTTP/1.0 201 Created\r\n\r\n" + JSON,
    "without a length up to the connection's end": b"HTTP/1.1 201 Created\r\n\r\n" + JSON,
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
async def test_a_whole_answer_counts_however_it_is_framed(serve: Serve, data: bytes) -> None:
    peer = await serve(write(data, then_close="up to the connection's end" in framing_of(data)))
    sent = await send_one(peer)
    assert isinstance(sent, Accepted)
    assert sent.sid == sid_of(1)
    assert peer.posts == 1


def framing_of(data: bytes) -> str:
    return next(name for name, framed in WHOLE.items() if framed == data)


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
async def test_an_answer_may_come_byte_by_byte(serve: Serve, data: bytes) -> None:
    async def react(_peer: Peer, writer: asyncio.StreamWriter) -> None:
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    peer = await serve(react)
    assert isinstance(await send_one(peer), Accepted)


async def test_a_refusal_is_told_with_its_code(serve: Serve) -> None:
    peer = await serve(answer(400, b'{"code": 21211, "message": "Invalid To +14155552671", "status": 400}'))
    sent = await send_one(peer)
    assert isinstance(sent, Refused)
    assert sent.code == 21211
    assert peer.posts == 1
    hide_nothing_secret(sent)


async def test_wrong_credentials_are_a_fault_of_the_account(serve: Serve) -> None:
    peer = await serve(answer(401, b'{"code": 20003, "message": "Authenticate", "status": 401}'))
    assert isinstance(await send_one(peer), AccountFault)
    assert peer.posts == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(["Retry-After: 7"], timedelta(seconds=7), id="seconds"),
        pytest.param(
            ["Date: Sun, 22 Nov 2026 01:00:00 GMT", "Retry-After: Sun, 22 Nov 2026 01:00:09 GMT"],
            timedelta(seconds=9),
            id="date",
        ),
        pytest.param([], None, id="none"),
    ],
)
async def test_too_many_requests_are_tried_later(serve: Serve, headers: list[str], expected: timedelta | None) -> None:
    peer = await serve(answer(429, b'{"code": 20429}', *headers))
    sent = await send_one(peer)
    assert isinstance(sent, Later)
    assert sent.retry_after == expected
    assert peer.posts == 1


async def test_a_redirect_is_not_followed(serve: Serve) -> None:
    other = await serve(created(1))
    peer = await serve(answer(307, b"", f"Location: {other.url}/"))
    assert isinstance(await send_one(peer), AccountFault)
    assert (peer.posts, other.posts) == (1, 0)


# Provably not sent


async def test_a_refused_connection_is_tried_later() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening
        async with Client(f"http://127.0.0.1:{bound.getsockname()[1]}") as client:
            sent = await client.send(make_request())
    assert isinstance(sent, Later)
    hide_nothing_secret(sent)


async def test_a_connection_that_never_comes_about_is_tried_later() -> None:
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)  # room for one that nobody accepts; the kernel leaves further ones unanswered
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        async with Client(f"http://127.0.0.1:{listening.getsockname()[1]}", connect_timeout=SHORT) as client:
            assert isinstance(await client.send(make_request()), Later)


@pytest.mark.parametrize("host", ["[::1%nowhere]", "a" * 64 + ".invalid", "a..b"])
async def test_a_name_that_leads_nowhere_is_tried_later(host: str) -> None:
    async with Client(f"http://{host}") as client:
        assert isinstance(await client.send(make_request()), Later)


async def test_a_server_without_tls_is_tried_later_and_sees_no_request(serve: Serve) -> None:
    peer = await serve(created(1), greet=lambda writer: writer.write(b"220 ready\r\n"))
    async with Client(peer.url.replace("http:", "https:")) as client:
        assert isinstance(await client.send(make_request()), Later)
    assert peer.posts == 0


# Perhaps sent

CUT = answer(201, JSON)[:-1]
BROKEN = {
    "no byte": b"",
    "half a status line": b"HTTP/1.1 20",
    "half a head": b"HTTP/1.1 201 Created\r\nContent-Le",
    "a head without its body": answer(201, JSON).partition(b"{")[0],
    "all but the last byte": CUT,
    "a chunk without the last": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + JSON[:5] + b"\r\n",
    "half a document up to the connection's end": b"HTTP/1.1 201 Created\r\n\r\n" + JSON[:20],
    "nothing after 100 Continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "random bytes": bytes(range(256)),
    "two lengths": b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n12345",
    "a change of protocol": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nPRI",
    "a refusal cut short": answer(400, b'{"code": 21211}')[:-1],
    "201 without a sid": answer(201, b'{"status": "queued"}'),
    "201 with HTML": answer(201, b"<html>hello</html>"),
    "201 with nothing": answer(201, b""),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "500": answer(500, b'{"code": 20500, "status": 500}'),
    "502 with HTML": answer(502, b"<html><h1>Bad Gateway</h1></html>", "Content-Type: text/html"),
    "503": answer(503, b'{"code": 20503, "status": 503}'),
    "408": answer(408, b""),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
async def test_an_answer_that_proves_nothing_leaves_the_message_unconfirmed(serve: Serve, data: bytes) -> None:
    peer = await serve(write(data, then_close=True))
    sent = await send_one(peer)
    assert isinstance(sent, Unconfirmed)
    assert peer.posts == 1
    hide_nothing_secret(sent)


async def test_a_reset_after_the_request_leaves_it_unconfirmed(serve: Serve) -> None:
    peer = await serve(drop)
    assert isinstance(await send_one(peer), Unconfirmed)
    assert peer.posts == 1


async def test_a_reset_is_not_taken_for_the_end_of_an_answer_without_length(serve: Serve) -> None:
    async def react(_peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\n\r\n" + JSON)
        (connection,) = client._connections
        while not connection._body:  # noqa: ASYNC110 - what has been parsed is told to nobody
            await asyncio.sleep(0)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
        writer.transport.abort()

    peer = await serve(react)
    async with client_for(peer) as client:
        assert isinstance(await client.send(make_request()), Unconfirmed)


async def test_a_server_that_closes_before_it_reads_leaves_it_unconfirmed(serve: Serve) -> None:
    """The request is written before the loop can hear of the end, so nobody can say what the server took."""
    peer = await serve(created(1), greet=lambda writer: writer.transport.abort())
    assert isinstance(await send_one(peer), Unconfirmed | Later)
    assert peer.posts == 0


@pytest.mark.parametrize("data", [b"", CUT], ids=["silent", "halting"])
async def test_an_answer_that_takes_too_long_leaves_it_unconfirmed(serve: Serve, data: bytes) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await hang(peer, writer)

    peer = await serve(react)
    assert isinstance(await send_one(peer, answer_timeout=SHORT), Unconfirmed)
    assert peer.posts == 1


async def test_bytes_that_keep_dripping_do_not_stretch_the_time_for_an_answer(serve: Serve) -> None:
    async def react(_peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\n")
        while True:
            writer.write(b"X-More: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)

    peer = await serve(react)
    assert isinstance(await send_one(peer, answer_timeout=SHORT), Unconfirmed)


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 201 Created\r\nContent-Length: 99999999\r\n\r\n", b"HTTP/1.1 201 Created\r\nX-Long: "],
    ids=["body", "head"],
)
async def test_an_answer_without_end_is_cut_off_at_a_megabyte(serve: Serve, head: bytes) -> None:
    written = 0

    async def react(_peer: Peer, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(head)
        while written < 64_000_000:
            writer.write(b" " * 65_536)
            await writer.drain()
            written += 65_536

    peer = await serve(react)
    assert isinstance(await send_one(peer), Unconfirmed)
    assert written < 32_000_000


# Kept connections


async def test_a_connection_is_used_again(serve: Serve) -> None:
    peer = await serve(count_up)
    async with client_for(peer) as client:
        for number in (1, 2, 3):
            sent = await client.send(make_request())
            assert isinstance(sent, Accepted)
            assert sent.sid == sid_of(number)
    assert (peer.posts, peer.connections) == (3, 1)


async def test_a_connection_that_the_peer_wants_closed_is_not_used_again(serve: Serve) -> None:
    peer = await serve(created(1, "Connection: close"))
    async with client_for(peer) as client:
        for _ in range(3):
            assert isinstance(await client.send(make_request()), Accepted)
            assert client._idle == []
    assert (peer.posts, peer.connections) == (3, 3)


async def test_a_connection_dropped_between_requests_costs_nothing(serve: Serve) -> None:
    peer = await serve(write(created(1), then_close=True))
    async with client_for(peer) as client:
        for _ in range(3):
            assert isinstance(await client.send(make_request()), Accepted)
            await asyncio.wait_for(peer.gone.wait(), 5)
            peer.gone.clear()
    assert (peer.posts, peer.connections) == (3, 3)


async def test_a_connection_whose_end_only_the_kernel_knows_is_not_written_to() -> None:
    """The peer closes while our loop is busy elsewhere: the news waits in the kernel when the next request comes."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(5)
    seen: list[bytes] = []
    may_close = threading.Event()

    def run() -> None:
        for _ in range(2):
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                return
            seen.append(connection.recv(65_536))
            connection.sendall(created(len(seen)))
            assert may_close.wait(5)
            connection.close()

    server = threading.Thread(target=run, daemon=True)
    server.start()
    async with Client(f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
        assert isinstance(await client.send(make_request()), Accepted)
        (kept,) = client._idle
        may_close.set()
        assert kept._poll is not None
        kept._poll.poll(5000)  # blocks the loop until the kernel has the end, and tells it to nobody
        sent = await client.send(make_request())
    server.join(5)
    listening.close()
    assert isinstance(sent, Accepted)
    assert len(seen) == 2


async def test_a_kept_connection_that_dies_after_the_request_leaves_it_unconfirmed(serve: Serve) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await (count_up if len(peer.requests) == 1 else drop)(peer, writer)

    peer = await serve(react)
    async with client_for(peer) as client:
        assert isinstance(await client.send(make_request()), Accepted)
        assert isinstance(await client.send(make_request()), Unconfirmed)
    assert (peer.posts, peer.connections) == (2, 1)


@pytest.mark.parametrize("behind", [b"garbage", created(999), created(999)[:9]], ids=["garbage", "answer", "half"])
async def test_a_connection_that_says_more_than_its_answer_is_not_used_again(serve: Serve, behind: bytes) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        writer.write(created(len(peer.requests)) + behind)

    peer = await serve(react)
    async with client_for(peer) as client:
        for number in (1, 2):
            sent = await client.send(make_request())
            assert isinstance(sent, Accepted)
            assert sent.sid == sid_of(number)
    assert (peer.posts, peer.connections) == (2, 2)


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next(serve: Serve) -> None:
    more = asyncio.Event()

    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await count_up(peer, writer)
        if len(peer.requests) == 1:
            await more.wait()
            writer.write(created(999))

    peer = await serve(react)
    async with client_for(peer) as client:
        await client.send(make_request())
        more.set()
        await asyncio.wait_for(peer.gone.wait(), 5)
        sent = await client.send(make_request())
        assert isinstance(sent, Accepted)
        assert sent.sid == sid_of(2)
    assert peer.connections == 2


async def test_an_idle_connection_is_closed_after_a_while(serve: Serve) -> None:
    peer = await serve(count_up)
    async with client_for(peer, idle_timeout=SHORT) as client:
        await client.send(make_request())
        await asyncio.wait_for(peer.gone.wait(), 5)
        assert isinstance(await client.send(make_request()), Accepted)
    assert (peer.posts, peer.connections) == (2, 2)


async def test_a_cancelled_request_takes_its_connection_with_it(serve: Serve) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        if len(peer.requests) > 1:
            await count_up(peer, writer)

    peer = await serve(react)
    async with client_for(peer, concurrency=1) as client:
        sending = asyncio.create_task(client.send(make_request()))
        await asyncio.wait_for(peer.arrived.wait(), 5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(peer.gone.wait(), 5)
        sent = await client.send(make_request())
        assert isinstance(sent, Accepted)
        assert sent.sid == sid_of(2)
        assert client.under_way == 0
    assert peer.connections == 2


# Turns


async def test_no_more_than_the_set_number_of_requests_are_under_way(serve: Serve) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.002)
        await count_up(peer, writer)

    peer = await serve(react)
    async with client_for(peer, concurrency=3) as client:
        sent = await asyncio.gather(*(client.send(make_request()) for _ in range(20)))
        assert all(isinstance(one, Accepted) for one in sent)
        assert client.under_way == 0
    assert (peer.posts, peer.most) == (20, 3)
    assert peer.connections <= 3


async def test_raising_the_number_lets_the_waiting_go(serve: Serve) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        if len(peer.requests) == 2:
            both.set()
        await both.wait()
        await count_up(peer, writer)

    both = asyncio.Event()
    peer = await serve(react)
    async with client_for(peer, concurrency=1) as client:
        sending = asyncio.gather(*(client.send(make_request()) for _ in range(2)))
        await asyncio.wait_for(peer.arrived.wait(), 5)
        client.concurrency = 2
        assert client.concurrency == 2
        assert all(isinstance(one, Accepted) for one in await sending)


async def test_a_cancelled_wait_for_a_turn_lets_the_next_go(serve: Serve) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        await count_up(peer, writer)

    go = asyncio.Event()
    peer = await serve(react)
    async with client_for(peer, concurrency=1) as client:
        first, second, third = (asyncio.create_task(client.send(make_request())) for _ in range(3))
        await asyncio.wait_for(peer.arrived.wait(), 5)
        second.cancel()
        go.set()
        assert isinstance(await first, Accepted)
        assert isinstance(await third, Accepted)
        with pytest.raises(asyncio.CancelledError):
            await second
        assert client.under_way == 0
    assert peer.posts == 2


async def test_a_turn_given_to_a_request_cancelled_in_the_same_moment_goes_to_the_next(serve: Serve) -> None:
    peer = await serve(count_up)
    async with client_for(peer, concurrency=1) as client:
        assert await client._take_turn()
        second, third = (asyncio.create_task(client.send(make_request())) for _ in range(2))
        await asyncio.sleep(0)
        client._release()  # hands the turn to the second, which is cancelled before it can run
        second.cancel()
        assert isinstance(await asyncio.wait_for(third, 5), Accepted)
        with pytest.raises(asyncio.CancelledError):
            await second
        assert client.under_way == 0
    assert peer.posts == 1


# The end


async def test_closing_lets_what_is_under_way_finish_and_sends_nothing_more(serve: Serve) -> None:
    async def react(peer: Peer, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        await count_up(peer, writer)

    go = asyncio.Event()
    peer = await serve(react)
    client = client_for(peer, concurrency=1)
    under_way, waiting = (asyncio.create_task(client.send(make_request())) for _ in range(2))
    await asyncio.wait_for(peer.arrived.wait(), 5)
    closing = asyncio.create_task(client.close())
    assert isinstance(await waiting, Later)
    assert isinstance(await client.send(make_request()), Later)
    go.set()
    assert isinstance(await under_way, Accepted)
    await asyncio.wait_for(closing, 5)
    assert peer.posts == 1


async def test_closing_cuts_off_what_does_not_finish_in_time(serve: Serve) -> None:
    peer = await serve(hang)
    client = client_for(peer, drain_timeout=SHORT)
    sending = asyncio.create_task(client.send(make_request()))
    await asyncio.wait_for(peer.arrived.wait(), 5)
    await asyncio.wait_for(client.close(), 5)
    assert isinstance(await sending, Unconfirmed)
    assert peer.posts == 1


async def test_closing_while_a_connection_is_opened_sends_nothing_on_it(serve: Serve) -> None:
    peer = await serve(count_up)
    client = client_for(peer)
    sending = asyncio.create_task(client.send(make_request()))
    await asyncio.sleep(0)
    assert client.under_way == 1
    await asyncio.wait_for(client.close(), 5)
    assert isinstance(await sending, Later)
    assert not client._connections
    assert peer.posts == 0


async def test_a_client_can_be_closed_unused_and_twice() -> None:
    client = Client()
    await client.close()
    await client.close()


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_tls_connections_are_kept_as_well(serve: Serve, server_tls: ssl.SSLContext, certificate: Path) -> None:
    peer = await serve(count_up, tls=server_tls)
    async with client_for(peer, tls=ssl.create_default_context(cafile=str(certificate))) as client:
        for _ in range(3):
            assert isinstance(await client.send(make_request()), Accepted)
    assert (peer.posts, peer.connections) == (3, 1)


async def test_a_certificate_that_is_not_trusted_is_tried_later_and_sees_no_request(
    serve: Serve, server_tls: ssl.SSLContext
) -> None:
    peer = await serve(count_up, tls=server_tls)
    sent = await send_one(peer)
    assert isinstance(sent, Later)
    assert "certificate" in sent.saw
    assert peer.posts == 0


# The check


async def test_a_check_reads_the_account_and_posts_nothing(serve: Serve) -> None:
    peer = await serve(answer(200, b'{"friendly_name": "Acme", "status": "active", "type": "Full"}'))
    async with client_for(peer) as client:
        assert await client.check(ACCOUNT) == Verified(name="Acme", trial=False)
    assert peer.posts == 0
    assert peer.requests[0].startswith(f"GET /2010-04-01/Accounts/{SID}.json HTTP/1.1\r\n".encode())


async def test_a_check_that_gets_no_answer_may_be_made_again(serve: Serve) -> None:
    peer = await serve(drop)
    async with client_for(peer) as client:
        assert isinstance(await client.check(ACCOUNT), Later)


# Its address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.twilio.com",
        "ftp://api.twilio.com",
        "https://",
        "https://user:pass@api.twilio.com",
        "https://api.twilio.com?x=1",
        "https://api.twilio.com#x",
        "https://api.twilio.com:99999",
        "https://api.twilio.com/a b",
        "https://api.twilio.com/\r\nX: 1",
        "https://bücher.example",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        Client(url)


async def test_what_is_taken_back_while_its_connection_is_opened_never_leaves(serve: Serve) -> None:
    """Somebody says STOP in that moment; the connection is good for the next request."""
    peer = await serve(created(1))
    stopped: list[bool] = [True]
    async with Client(peer.url) as client:
        assert isinstance(await client.send(make_request(), lambda: stopped.pop() if stopped else False), Later)
        assert peer.posts == 0
        assert isinstance(await client.send(make_request(), lambda: bool(stopped)), Accepted)
        assert peer.connections == 1
    assert peer.posts == 1

"""What goes over a connection: pieces, order, limits, and clients that break the rules of HTTP."""

import json
import random
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.service import API_KEY, TOKEN, Service, eventually
from tests.acceptance.wire import Wire, dial, get, post, post_chunks

MEBIBYTE = 2**20
KEY = f"Authorization: Bearer {API_KEY}"

pytestmark = pytest.mark.slow


def event(name: str = "x", **properties: object) -> bytes:
    """Write one event as a body."""
    return json.dumps({"api_key": TOKEN, "event": name, "distinct_id": "wire", "properties": properties}).encode()


@pytest.fixture
def wire(service: Service) -> Iterator[Wire]:
    """A connection to the service. Afterwards the service still takes events."""
    with dial(service.host) as wire:
        yield wire
    assert service.ask("POST", "/e/", event()).status == 200


def stored(service: Service) -> int:
    """How many requests are in the log."""
    (row,) = service.rows("select count(*) as n from requests")
    return int(row["n"])


# --- several requests on one connection -------------------------------------------------------------------------------


def test_requests_sent_at_once_are_answered_in_order(wire: Wire) -> None:
    wire.send(
        post("/e/", event())
        + get("/api/projects/1/hog_functions/", KEY)
        + get("/flags/")
        + post("/batch/", b"{}")
        + get("/nowhere")
        + post("/capture/", event())
        + post("/e/?beacon=1", event())
        + get("/array/t/config")
        + get("/healthz")
    )
    answers = [wire.answer() for _ in range(9)]

    assert [each.status for each in answers] == [200, 200, 200, 401, 404, 200, 204, 200, 200]
    assert answers[0].json == answers[5].json == {"status": "Ok"}
    assert "results" in answers[1].json
    assert "flags" in answers[2].json
    assert answers[3].text == "event submitted without an api_key"
    assert answers[7].json["token"] == "t"
    assert answers[8].text == "ok"


def test_any_mixture_of_requests_in_any_pieces_is_answered_in_order(service: Service) -> None:
    kinds = [
        (post("/e/", event()), 200),
        (post_chunks("/batch/", [event()[:20], event()[20:]]), 200),
        (post("/e/", b"not json"), 400),
        (get("/flags/"), 200),
        (get("/healthz"), 200),
        (get("/nowhere"), 404),
        (post("/api/projects/1/hog_functions/", b"{}", "Content-Type: application/json"), 401),
        (get("/e/", method="OPTIONS"), 204),
        (get("/e/", method="PUT"), 405),
    ]
    chance = random.Random(20260102)
    for _ in range(60):
        chosen = chance.choices(kinds, k=chance.randint(1, 30))
        text = b"".join(request for request, _ in chosen)
        cuts = sorted(chance.randrange(len(text)) for _ in range(chance.randint(0, 6)))
        with dial(service.host) as wire:
            wire.send(*(text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)))
            assert [wire.answer().status for _ in chosen] == [status for _, status in chosen]


def test_a_request_that_is_too_large_is_refused_in_its_turn(wire: Wire) -> None:
    wire.send(
        post("/e/", event()) + get("/healthz") + b"POST /e/ HTTP/1.1\r\nHost: sms\r\nContent-Length: 99999999\r\n\r\n"
    )

    assert [wire.answer().status for _ in range(3)] == [200, 200, 413]
    assert wire.is_closed()


def test_garbage_behind_a_request_is_refused_in_its_turn(wire: Wire) -> None:
    wire.send(post("/e/", event()) + b"\x00\x01 what is this\r\n\r\n")

    assert [wire.answer().status for _ in range(2)] == [200, 400]
    assert wire.is_closed()


def test_a_client_that_does_not_read_its_answers_is_not_read_either(service: Service) -> None:
    before = service.memory_bytes()
    requests = get("/flags/") * 1000
    with dial(service.host) as wire:
        wire.socket.settimeout(0.5)
        sent = 0
        try:
            while sent < 200 * MEBIBYTE:
                sent += wire.socket.send(requests)
        except TimeoutError:
            pass
        assert sent < 50 * MEBIBYTE
    assert service.memory_bytes() - before < 30 * MEBIBYTE


def test_head_has_no_body_and_the_next_answer_is_whole(wire: Wire) -> None:
    wire.send(get("/e/", method="HEAD") + get("/flags/", method="HEAD") + get("/flags/"))

    assert [wire.answer(bodiless=True).status for _ in range(2)] == [405, 404]
    assert wire.answer().json["flags"] == {}


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_a_request_may_come_byte_by_byte(wire: Wire) -> None:
    request = post("/e/", event())
    wire.send(*(request[place : place + 1] for place in range(len(request))))

    assert wire.answer().status == 200


def test_a_body_may_come_in_chunks_with_extensions_and_trailers(wire: Wire) -> None:
    body = event()
    wire.send(post_chunks("/e/", [body[place : place + 1] for place in range(len(body))], trailers="X-Sum: 1\r\n"))
    assert wire.answer().status == 200
    wire.send(
        b"POST /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x;name=value\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    assert wire.answer().status == 200


def test_who_asks_before_sending_is_told_to_go_on(wire: Wire) -> None:
    request = post("/e/", event(), "Expect: 100-continue")
    head, body = request[: -len(event())], event()
    wire.send(head)
    assert wire.answer().status == 100
    wire.send(body)
    assert wire.answer().status == 200


def test_who_asks_before_sending_is_told_to_go_on_in_its_turn(wire: Wire) -> None:
    request = post("/e/", event(), "Expect: 100-continue")
    wire.send(post("/e/", event()) + request[: -len(event())])
    assert [wire.answer().status for _ in range(2)] == [200, 100]
    wire.send(event())
    assert wire.answer().status == 200


def test_who_asks_before_sending_too_much_is_not_told_to_go_on(wire: Wire) -> None:
    wire.send(b"POST /batch/ HTTP/1.1\r\nContent-Length: 20971521\r\nExpect: 100-continue\r\n\r\n")

    answer = wire.answer()
    assert (answer.status, answer.text) == (
        413, "maximum event size exceeded: a body of more than 20971520 bytes"
    )  # fmt: skip
    assert wire.is_closed()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_client_that_closes_its_side_after_the_request_is_answered(wire: Wire, version: str) -> None:
    wire.send(post("/e/", event()).replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
    wire.hang_up()

    assert wire.answer().status == 200
    assert wire.is_closed()


@pytest.mark.parametrize("end", ["close", "reset"])
def test_half_a_request_is_forgotten(service: Service, wire: Wire, end: str) -> None:
    before = stored(service)
    wire.send(post("/e/", event())[:-1])
    if end == "reset":
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    wire.socket.close()

    assert service.ask("POST", "/e/", event()).status == 200
    assert stored(service) == before + 1


# --- too much ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/e/", "/batch/", "/i/v1/analytics/events", "/flags/"])
def test_a_client_that_sends_all_of_too_much_can_still_read_why_it_is_refused(wire: Wire, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nContent-Length: {30 * MEBIBYTE}\r\n\r\n".encode()
    wire.send(head, *[bytes(MEBIBYTE)] * 30)

    answer = wire.answer()
    assert answer.status == 413
    assert "maximum event size exceeded: a body of more than" in answer.text


def test_too_much_in_chunks_is_refused_when_it_is_too_much(wire: Wire) -> None:
    wire.send(
        b"POST /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"100000\r\n" + bytes(MEBIBYTE) + b"\r\n"] * 3
    )

    assert wire.answer().status == 413
    assert wire.is_closed()


HEADS = {
    "one endless header": (b"GET /e/ HTTP/1.1\r\nX: ", b"x" * MEBIBYTE),
    "endless headers": (b"GET /e/ HTTP/1.1\r\n", b"X-Header: value\r\n" * 65536),
    "an endless address": (b"GET /e/?", b"x" * MEBIBYTE),
    "an endless address of the API": (b"GET /api/", b"x" * MEBIBYTE),
    "endless trailers": (b"POST /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 200_000),
    "an endless extension": (b"POST /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x" * MEBIBYTE),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_what_never_ends_is_refused_and_not_kept(service: Service, wire: Wire, head: tuple[bytes, bytes]) -> None:
    before = service.memory_bytes()
    begin, more = head
    wire.send(begin)
    try:
        wire.send(*[more] * 20)
    except ConnectionError:
        pass  # it did not want all of that
    else:
        assert wire.answer().status == 431
    assert service.memory_bytes() - before < 20 * MEBIBYTE


def test_half_received_bodies_together_are_bounded_and_the_others_go_on(service: Service) -> None:
    service.forget_peak()
    before = service.memory_bytes()
    wires = [Wire(service.host) for _ in range(16)]
    try:
        for wire in wires:
            wire.send(f"POST /batch/ HTTP/1.1\r\nContent-Length: {20 * MEBIBYTE}\r\n\r\n".encode())
        for wire in wires:
            wire.send(*[bytes(MEBIBYTE)] * 19)
        assert service.ask("POST", "/e/", event()).status == 200
        assert service.peak_bytes() - before < 220 * MEBIBYTE
        for wire in wires:
            wire.socket.settimeout(0.2)
        answered = [wire for wire in wires if _has_answer(wire)]
        assert 0 < len(answered) < len(wires)
        answers = [wire.answer() for wire in answered]
        assert {(each.status, each.text) for each in answers} == {(503, "transient error, please retry")}
        assert {each.headers["retry-after"] for each in answers} == {"1"}
    finally:
        for wire in wires:
            wire.socket.close()

    def room_again() -> bool:
        with dial(service.host) as wire:
            wire.send(post("/batch/", b" " * (19 * MEBIBYTE) + event()))
            return wire.answer().status == 200

    eventually(room_again, what="room for a large body")


def test_idle_connections_leave_room_for_more_than_systems_allow_at_first(
    own_service: Callable[..., Service],
) -> None:
    service = own_service(within=["prlimit", "--nofile=128:1024"])
    service.start()
    wires = [Wire(service.host) for _ in range(300)]
    try:
        assert service.ask("POST", "/e/", event()).status == 200
        wires[-1].send(get("/healthz"))
        assert wires[-1].answer().status == 200
    finally:
        for wire in wires:
            wire.socket.close()


def _has_answer(wire: Wire) -> bool:
    try:
        return wire.socket.recv(1, socket.MSG_PEEK) != b""
    except TimeoutError:
        return False


# --- odd and wrong ----------------------------------------------------------------------------------------------------

BROKEN = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(180),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no method": b" /e/ HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /e/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length and chunks": b"POST /e/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"POST /e/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a length beyond all numbers": b"POST /e/ HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a length in words": b"POST /e/ HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
    "a chunk of no size": b"POST /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk longer than it says": b"POST /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    "a broken chunk at the API": b"POST /api/schema HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a header with NUL": b"GET /e/ HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "a header without a name": b"GET /e/ HTTP/1.1\r\n: x\r\n\r\n",
    "an address beyond ASCII at the API": "GET /api/é HTTP/1.1\r\n\r\n".encode(),
    "an address that is none": b"GET http:// HTTP/1.1\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("request_", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_http_is_refused(wire: Wire, request_: bytes) -> None:
    wire.send(request_)

    answer = wire.answer()
    assert (answer.status, answer.text) == (400, "invalid HTTP request")
    assert answer.headers["connection"] == "close"
    assert wire.is_closed()


def test_an_address_with_its_host_is_taken(wire: Wire) -> None:
    wire.send(post("http://sms.example.com/e/?ip=0", event()) + get("http://sms.example.com/healthz"))

    assert [wire.answer().status for _ in range(2)] == [200, 200]


def test_who_offers_another_protocol_is_answered_in_this_one(wire: Wire) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA")
    wire.send(post("/e/", event(), *offer))
    assert wire.answer().status == 200
    wire.send(post("/e/", event()))
    assert wire.answer().status == 200
    wire.send(get("/healthz", "Connection: Upgrade", "Upgrade: websocket"))
    assert wire.answer().status == 200

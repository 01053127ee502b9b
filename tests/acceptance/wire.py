"""A connection to the service, byte by byte: for what no HTTP client would send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.service import PATIENCE_SECONDS, Answer


class Wire:
    """One connection."""

    def __init__(self, host: tuple[str, int]) -> None:
        self.socket = socket.create_connection(host, PATIENCE_SECONDS)
        self._read = b""

    def send(self, *pieces: bytes) -> None:
        """Send, each piece in a packet of its own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.socket.sendall(piece)

    def hang_up(self) -> None:
        """Say that nothing more will be sent, and listen on."""
        self.socket.shutdown(socket.SHUT_WR)

    def answer(self, *, bodiless: bool = False) -> Answer:
        """Read the next answer; `bodiless` for one to HEAD. A connection that ends instead fails."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        status = int(first.split(" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if bodiless or status in (100, 204) else int(headers["content-length"])
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        return Answer(status, headers, body)

    def is_closed(self) -> bool:
        """Wait for the end of the connection; False when more comes instead."""
        return not self._read and self.socket.recv(1) == b""

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._read:
            self._more()
        head, _, self._read = self._read.partition(mark)
        return head

    def _more(self) -> None:
        piece = self.socket.recv(65536)
        assert piece, f"the connection ended after {self._read!r}"
        self._read += piece


@contextmanager
def dial(host: tuple[str, int]) -> Iterator[Wire]:
    """Connect, and hang up in the end."""
    wire = Wire(host)
    try:
        yield wire
    finally:
        wire.socket.close()


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Write a POST with its length."""
    lines = [f"POST {path} HTTP/1.1", "Host: sms", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def post_chunks(path: str, chunks: list[bytes], *headers: str, trailers: str = "") -> bytes:
    """Write a POST in chunks."""
    lines = [f"POST {path} HTTP/1.1", "Host: sms", "Transfer-Encoding: chunked", *headers, "", ""]
    pieces = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return "\r\n".join(lines).encode() + b"".join(pieces) + b"0\r\n" + trailers.encode() + b"\r\n"


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    """Write a request without a body."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: sms", *headers, "", ""]).encode()

"""A gateway in front of Twilio that forbids everything: no code of Twilio's says so, and nothing may be asked twice."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.acceptance.service import TOKEN, eventually, twilio_destination
from tests.pipeline.town import Twin, sender_in, twin_in

pytestmark = pytest.mark.slow


class Gateway(ThreadingHTTPServer):
    """Answers every request with 403 and a page, and counts them."""

    posts = 0


class _Forbid(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        """Refuse."""
        self.server.posts += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"<h1>Forbidden</h1>"
        self.send_response(403)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway(("127.0.0.1", 0), _Forbid) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    with twin_in(tmp_path) as running:
        yield running


def test_a_403_without_a_code_pauses_the_destination_too(tmp_path: Path, twin: Twin, gateway: Gateway) -> None:
    url = f"http://127.0.0.1:{gateway.server_port}"
    with sender_in(tmp_path, twin, twilio_api_url=url) as service:
        service.start()
        id_ = service.create(twilio_destination("Forbidden", to="+12025550143", body="Hi"))
        told: list[int] = []
        for number in range(3):
            event = {"event": "told", "distinct_id": f"u-{number}", "api_key": TOKEN}
            service.capture(event)
            eventually(
                lambda: len(service.deliveries(status="held")) > len(told) or None, what="one more held delivery"
            )
            told.append(number)
        assert gateway.posts == 1
        assert service.call("GET", f"/api/projects/1/hog_functions/{id_}/")["smspipe"]["paused"]
        service.stop()

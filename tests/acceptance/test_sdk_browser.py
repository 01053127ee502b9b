"""PostHog's browser SDK in a real browser, on a page of another origin, with nothing but its host changed."""

import functools
import gzip
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Request, Response, sync_playwright

from tests.acceptance.service import TOKEN, Service, eventually, told
from tests.support.npm import npm_package

VERSION: Final = "1.449.2"
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                    "--disable-background-networking", "--disable-component-update"]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.browser]

MODULE: Final = """<script type="module">
import posthog from "/sdk/module.js"
window.posthog = posthog
posthog.init(TOKEN, OPTIONS)
</script>"""
"""How a program that was bundled with npm loads it."""

SNIPPET: Final = """<script>
window.posthog = Object.assign([], {_i: [[TOKEN, OPTIONS, "posthog"]], __SV: 1})
</script><script src="/sdk/array.js"></script>"""
"""How a page with PostHog's snippet loads it: a queue first, which the script takes over."""

PAGE: Final = """<!doctype html><html><head><meta charset="utf-8"><title>Shop</title><link rel="icon" href="data:,">
SCRIPT</head><body><button id="buy" class="primary large">Buy now</button></body></html>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window. The loop of its driver must have ended before an asynchronous test runs."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    assert found is not None, f"There is no browser: install one of {', '.join(names)} (`scripts/browser` does)."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


class _Site(SimpleHTTPRequestHandler):
    """A folder as a site, in silence."""

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web site of the test's own: its address and the folder of its pages. `/sdk` is what npm gave."""
    (tmp_path / "sdk").symlink_to(npm_package("posthog-js", VERSION, dependencies=False) / "dist")
    handler = functools.partial(_Site, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", tmp_path
        server.shutdown()
        serving.join()


@dataclass
class Visit:
    """A page that uses the SDK, what it sent to the service, and what went wrong in it."""

    page: Page
    address: str
    sent: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, service: Service) -> None:
        """Note what goes to the service, and every error."""
        page = self.page

        def sent(request: Request) -> None:
            if request.url.startswith(service.address):
                self.sent.append(request)

        def answered(response: Response) -> None:
            if response.status >= 400:
                self.complaints.append(f"{response.status} {response.request.method} {response.url}")

        def failed(request: Request) -> None:
            # what was under way when the page was left is broken off by the browser, and is nobody's fault
            if request.failure != "net::ERR_ABORTED":
                self.complaints.append(f"failed {request.url} {request.failure}")

        page.on("request", sent)
        page.on("response", answered)
        page.on("requestfailed", failed)
        page.on("pageerror", lambda error: self.complaints.append(f"page: {error}"))
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}")
                if message.type in ("error", "warning") else None)  # fmt: skip

    def run(self, script: str, *values: Any) -> Any:
        """Call the SDK as the page's own script would: `posthog` is there, `values` are the arguments."""
        return self.page.evaluate(f"(values) => {{ const posthog = window.posthog; {script} }}", list(values))

    def captures(self) -> list[Request]:
        """The capture requests so far."""
        return [each for each in self.sent if "/e/" in each.url]

    def wait_for(self, event: str) -> dict[str, Any]:
        """Wait until an event was sent and answered; give it as it was sent."""
        while not (found := [each for each in self._events() if each[0]["event"] == event]):
            self.page.wait_for_event("request")
        sent, request = found[-1]
        answer = request.response()
        assert answer is not None
        assert answer.status == 200
        return sent

    def _events(self) -> Iterator[tuple[dict[str, Any], Request]]:
        for request in self.captures():
            body = request.post_data_buffer or b""
            read = json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
            for sent in read if isinstance(read, list) else read.get("batch", [read]):
                yield sent, request

    def beacons(self) -> int:
        """How many beacons the pages of this site sent; the browser does not always tell of those of a page left."""
        return int(self.page.evaluate("Number(sessionStorage.getItem('beacons'))"))


COUNT_BEACONS: Final = """
const send = navigator.sendBeacon.bind(navigator)
navigator.sendBeacon = (...what) => {
    sessionStorage.setItem('beacons', Number(sessionStorage.getItem('beacons')) + 1)
    return send(...what)
}"""

Visitor = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, site: tuple[str, Path], service: Service) -> Iterator[Visitor]:
    """Open a page with the SDK in it; an error of the page, or a request of it that fails, fails the test."""
    address, folder = site
    visits: list[Visit] = []
    context = browser.new_context()

    def open_page(script: str = MODULE, **options: Any) -> Visit:
        options = {
            "api_host": service.address,
            "request_queue_config": {"flush_interval_ms": 250},
            "opt_out_useragent_filter": True,  # or it takes the browser of a test for a robot, and sends nothing
            **options,
        }
        script = script.replace("TOKEN", json.dumps(TOKEN)).replace("OPTIONS", json.dumps(options))
        (folder / "index.html").write_text(PAGE.replace("SCRIPT", script))
        (folder / "next.html").write_text(PAGE.replace("SCRIPT", ""))
        visit = Visit(context.new_page(), address)
        visit.page.add_init_script(COUNT_BEACONS)
        visit.watch(service)
        visits.append(visit)
        visit.page.goto(address)
        visit.page.wait_for_function("window.posthog?.__loaded")
        return visit

    yield open_page
    context.close()
    assert [complaint for each in visits for complaint in each.complaints] == []


@pytest.mark.parametrize("script", [pytest.param(MODULE, id="module"), pytest.param(SNIPPET, id="snippet")])
def test_an_event_is_texted_to_the_person_that_was_identified(
    service: Service, visit: Visitor, script: str, distinct_id: str, phone: str
) -> None:
    page = visit(script)
    anonymous = page.run("return posthog.get_distinct_id()")
    page.run("posthog.identify(...values)", distinct_id, {"name": "Ada O'Brien & Søn", "phone": phone}, {"plan": "pro"})
    page.run("posthog.capture('order shipped', {order: 'o-1'})")
    page.wait_for("order shipped")

    service.assert_texts(
        phone,
        told("$identify", "Ada O'Brien & Søn", "pro"),
        told("order shipped", "Ada O'Brien & Søn", "pro", "o-1"),
    )
    person = service.person(distinct_id)
    assert person is not None
    assert person["distinct_ids"] == sorted([anonymous, distinct_id])
    assert person["identified"]


def test_person_properties_are_set_once_and_set(service: Service, visit: Visitor, distinct_id: str, phone: str) -> None:
    page = visit()
    page.run("posthog.identify(values[0])", distinct_id)
    page.run("posthog.setPersonProperties(...values)", {"name": "Ada"}, {"plan": "free"})
    page.run("posthog.setPersonProperties(...values)", {"name": "Grace", "phone": phone}, {"plan": "pro"})
    page.run("posthog.capture('done')")
    page.wait_for("done")

    service.assert_texts(phone, told("$set", "Grace", "free"), told("done", "Grace", "free"))


def test_an_alias_leads_to_the_same_person(service: Service, visit: Visitor, distinct_id: str, phone: str) -> None:
    page = visit()
    page.run("posthog.identify(...values)", distinct_id, {"name": "Ada"})
    page.run("posthog.alias(values[0])", f"also {distinct_id}")
    page.run("posthog.capture('done', {$set: {phone: values[0]}})", phone)
    page.wait_for("done")

    service.assert_texts(phone, told("done", "Ada"))
    person = service.person(f"also {distinct_id}")
    assert person is not None
    assert distinct_id in person["distinct_ids"]


def test_a_group_has_the_properties_that_were_given_to_it(
    service: Service, visit: Visitor, distinct_id: str, phone: str
) -> None:
    page = visit()
    page.run("posthog.identify(...values)", distinct_id, {"name": "Ada"})
    page.run("posthog.group('company', ...values)", distinct_id, {"tier": "gold"})
    page.run("posthog.capture('done', {$set: {phone: values[0]}})", phone)
    sent = page.wait_for("done")

    assert sent["properties"]["$groups"] == {"company": distinct_id}
    service.assert_texts(phone, told("done", "Ada"))
    assert service.groups("company")[distinct_id] == {"tier": "gold"}


def test_a_click_is_captured_by_itself(service: Service, visit: Visitor, distinct_id: str, phone: str) -> None:
    page = visit()
    page.run("posthog.identify(...values)", distinct_id, {"name": "Ada", "phone": phone})
    page.page.click("#buy")
    sent = page.wait_for("$autocapture")

    assert "Buy now" in json.dumps(sent)
    service.assert_texts(phone, told("$identify", "Ada"), told("$autocapture", "Ada"))


@pytest.mark.parametrize("compressed", [True, False], ids=["gzip", "plain"])
def test_what_was_captured_while_the_page_was_left_arrives(
    service: Service, visit: Visitor, compressed: bool, distinct_id: str, phone: str
) -> None:
    page = visit(disable_compression=not compressed, request_queue_config={"flush_interval_ms": 5000})
    page.run("posthog.identify(...values)", distinct_id, {"name": "Ada", "phone": phone})
    page.wait_for("$identify")
    page.run("posthog.capture('left in a hurry')")
    page.page.goto(page.address + "/next.html")

    assert page.beacons() > 0
    eventually(lambda: len(service.texts(phone)) >= 3, what="a text for each event")
    service.assert_texts(phone, told("$identify", "Ada"), told("left in a hurry", "Ada"), told("$pageleave", "Ada"))


def test_after_the_remote_configuration_events_are_still_compressed(visit: Visitor, distinct_id: str) -> None:
    page = visit()
    eventually(lambda: page.run("return posthog.compression ?? null"), what="a compression")
    page.run("posthog.capture('done')")
    page.wait_for("done")

    asked = [each.url.partition("?")[0] for each in page.sent]
    assert any(f"/array/{TOKEN}/config" in url for url in asked)
    last = page.captures()[-1]
    assert (last.post_data_buffer or b"").startswith(b"\x1f\x8b")
    assert "content-encoding" not in last.headers


def test_flags_are_not_even_asked_for(visit: Visitor) -> None:
    page = visit()
    page.run("posthog.capture('done')")
    page.wait_for("done")

    assert page.run("return posthog.getFeatureFlag('new-checkout') ?? null") is None
    assert [each.url for each in page.sent if "/flags" in each.url] == []

"""
Speak to the API: of a running service over HTTP, or of a stopped one in this process.

A command does not know which: both take a request and give a status and a body, and `Client` makes values and faults
of them.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from smspipe import config
from smspipe.cli.output import waiting
from smspipe.model.errors import Fault, Invalid, Temporary

Transport = Callable[[str, str, Mapping[str, str], bytes | None], tuple[int, bytes]]
"""Method, target, headers and body of a request → status and body of the answer."""
Application = Callable[[Any, Any, Any], Awaitable[None]]

PROJECT: Final = "/api/projects/1"
LARGEST_PAGE: Final = 500
_SECONDS: Final = 60.0


class NotFound(Fault):
    """The service has no such thing."""


class Refused(Invalid):
    """The service refused a list for some of its items; `refused` tells of each what the answer told."""

    def __init__(self, message: str, refused: list[dict[str, Any]]) -> None:
        super().__init__(message)
        self.refused = refused


class Client:
    """The API as values: what is asked for is given as the JSON of the answer."""

    def __init__(self, transport: Transport, key: str, address: str | None) -> None:
        self._transport = transport
        self._key = key
        self.address = address
        """Where the service is reached; None when it does not run and its data are opened in this process."""

    def call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """
        Make a request.

        Raises:
            Invalid: the service refused what it was given.
            NotFound: there is no such thing.
            Fault: it could not be asked, or could not answer.
        """
        data = None if body is None else json.dumps(body).encode()
        return self._ask(method, path, data, "application/json", query or {})

    def _ask(self, method: str, path: str, data: bytes | None, content_type: str, query: Mapping[str, Any]) -> Any:
        given = {key: value for key, value in query.items() if value is not None}
        target = path + (f"?{urlencode(given)}" if given else "")
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = content_type
        status, answer = self._transport(method, target, headers, data)
        if status < 400:
            return json.loads(answer) if answer else None
        raise _fault_of(status, answer, path)

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self.call("GET", path, query=query)

    def upload(self, path: str, text: str, content_type: str, **query: Any) -> Any:
        """Send a text that is no JSON."""
        return self._ask("POST", path, text.encode(), content_type, query)

    def text(self, path: str) -> str:
        """Read something that is no JSON."""
        status, answer = self._transport("GET", path, {"Authorization": f"Bearer {self._key}"}, None)
        if status >= 400:
            raise _fault_of(status, answer, path)
        return answer.decode("utf-8", "replace")

    def deliveries(self, most: int | None, **query: Any) -> Iterator[dict[str, Any]]:
        """List deliveries, newest first, `most` at most (None: all)."""
        return self.pages(f"{PROJECT}/deliveries/", most, **query)

    def pages(self, path: str, most: int | None, **query: Any) -> Iterator[dict[str, Any]]:
        """Read a list that has a cursor, `most` of it at most (None: all), page by page as they are asked for."""
        cursor: str | None = None
        left = most
        while left is None or left > 0:
            size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
            page = self.get(path, **query, cursor=cursor, limit=size)
            yield from page["results"]
            left = None if left is None else left - len(page["results"])
            cursor = _cursor_of(page["next"])
            if cursor is None:
                return

    def destinations(self, *, full: bool = False) -> list[dict[str, Any]]:
        """List all destinations, those changed last first."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(
                f"{PROJECT}/hog_functions/", full="true" if full else None, limit=LARGEST_PAGE, offset=len(found)
            )
            found += page["results"]
            if len(found) >= page["count"] or not page["results"]:
                return found

    def destination(self, name_or_id: str) -> dict[str, Any]:
        """
        Find one destination, in full, by its id or its name.

        Raises:
            NotFound: there is none, or more than one of that name.
        """
        known = self.destinations()
        found = [each for each in known if each["id"] == name_or_id.lower()] or [
            each for each in known if each["name"] == name_or_id
        ]
        if len(found) == 1:
            full: dict[str, Any] = self.get(f"{PROJECT}/hog_functions/{found[0]['id']}/")
            return full
        if found:
            raise NotFound(f"{len(found)} destinations are called {name_or_id!r}. Name one by its id.")
        raise NotFound(f"There is no destination {name_or_id!r}. `smspipe destinations list` shows those there are.")


def segment(text: str) -> str:
    """Write a text as one segment of a path."""
    return quote(text, safe="")


def _cursor_of(address: str | None) -> str | None:
    return None if not address else parse_qs(urlsplit(address).query)["cursor"][0]


def _fault_of(status: int, answer: bytes, path: str) -> Fault:
    try:
        problem = json.loads(answer)
    except ValueError:
        problem = {}
    detail = str(problem.get("detail", "")) if isinstance(problem, dict) else ""
    if status == 401:
        return Fault("The service does not take this API key. Set SMSPIPE_API_KEY to the one in its keys.toml.")
    if status == 404:
        return NotFound(detail or f"The service has nothing at {path}.")
    if status == 503:
        return Temporary(f"{detail or 'The service is too busy.'} Try again in a moment.")
    if status == 400:
        attr = problem.get("attr")
        more = problem.get("smspipe", {})
        said = f"{attr}: {detail}" if attr else detail
        if "refused" in more:
            return Refused(detail, more["refused"])
        return Invalid(said, field=attr, hint=more.get("hint"), excerpt=more.get("excerpt"))
    return Fault(f"The service answered {status}: {detail.rstrip('.') or 'no reason given'}. Its log says more.")


@contextmanager
def open_client(data: Path | None, url: str | None) -> Iterator[Client]:
    """
    Find the service and speak to it.

    Args:
        data: the folder of the installation, None for that of the settings.
        url: the address of a service anywhere; None for the one that serves the folder, and if none does, the API is
            opened in this process.

    Raises:
        Invalid: there is no installation in the folder, or no key for it.
        Fault: the service does not answer.
    """
    with connect(config.find(given={"data": None if data is None else str(data)}), url) as client:
        yield client


@contextmanager
def connect(found: Mapping[str, config.Found], url: str | None) -> Iterator[Client]:
    """Speak to the service of some settings; as `open_client`."""
    if url is not None:
        yield Client(_remote(url), config.find_api_key(found).reveal(), url.rstrip("/"))
        return
    address = running_at(config.folder(found))
    if address is not None:
        yield Client(_remote(address), config.find_api_key(found).reveal(), address)
        return
    with _opened(config.load(found, make_keys=False)) as client:
        yield client


def running_at(folder: Path) -> str | None:
    """Tell where the service that serves a folder is reached, None when none answers there."""
    try:
        address = (folder / config.ADDRESS_FILE).read_text("utf-8").strip()
    except OSError:
        return None
    try:
        _remote(address, seconds=5)("GET", "/healthz", {}, None)
    except Fault:
        return None  # it was killed, and could not take its address away
    return address


def _remote(url: str, seconds: float = _SECONDS) -> Transport:
    """Make requests over the network, a connection each."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"{url!r} is no address of a service.", field="url", hint="Write it as http://127.0.0.1:8000.")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    prefix = parts.path.rstrip("/")

    def send(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        connection = kind(str(parts.hostname), parts.port, timeout=seconds)
        try:
            connection.request(method, prefix + target, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise Fault(
                f"No service answers at {url}: {error}. Start it with `smspipe serve`, or name another with --url."
            ) from error
        finally:
            connection.close()

    return send


@contextmanager
def _opened(settings: config.Config) -> Iterator[Client]:
    """Open the API in this process, for a service that does not run."""
    import asyncio

    from smspipe import app

    with asyncio.Runner() as runner:
        doors = app.open_doors(settings)
        with waiting("Opening the data folder"):
            application = runner.run(doors.__aenter__())
        try:

            def send(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
                return runner.run(_ask(application, method, target, headers, body))

            yield Client(send, settings.api_key.reveal(), None)
        finally:
            runner.run(doors.__aexit__(None, None, None))


async def _ask(
    application: Application, method: str, target: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, bytes]:
    """Call an ASGI application with one request, and collect its answer."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in {**headers, "Host": "local"}.items()],
        "client": None,
        "server": ("local", None),
    }
    status = 0
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            parts.append(message.get("body", b""))

    await application(scope, receive, send)
    return status, b"".join(parts)

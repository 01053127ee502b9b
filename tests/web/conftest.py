"""The API behind a real server on a free port, over a real database, with the real compiler and evaluator."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from sqlalchemy import Connection

from smspipe.db import Database, Writer, migrate, open_database
from smspipe.destinations import Keyring, load_shared, registry
from smspipe.model.destination import Account, Destination, Secret
from smspipe.model.errors import Invalid, Permanent
from smspipe.model.filter import Shared
from smspipe.model.outcome import Refusal
from smspipe.model.phone import E164
from smspipe.optouts import open_hasher, opted_out
from smspipe.pipeline import trial
from smspipe.pipeline.erase import Eraser
from smspipe.pipeline.explain import explain
from smspipe.pipeline.foresight import Foresight
from smspipe.pipeline.halt import Halt
from smspipe.pipeline.lint import lint
from smspipe.pipeline.prepare import Site, prepare
from smspipe.pipeline.recent import read_recent
from smspipe.pipeline.runs import Runs
from smspipe.pipeline.trial import Sample, Trial
from smspipe.rendering import find_recipient
from smspipe.sending import Client
from smspipe.web.routes import api
from smspipe.web.services import PhoneNumber, Services

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
API_KEY = "phx_the-key-of-the-tests"
SITE = Site(project={"id": 1, "name": "Test", "url": "http://localhost/project/1"})


@dataclass
class Twilio:
    """Stands for the account's part of Twilio: what `app` asks it through the client."""

    known: set[str] = field(default_factory=lambda: {"AC" + "1" * 32})
    numbers: list[PhoneNumber] = field(
        default_factory=lambda: [PhoneNumber(sid="PN1", phone_number="+15005550006", friendly_name="Main")]
    )
    asked: int = 0

    async def check(self, account: Account) -> None:
        """Know some accounts."""
        if account.sid not in self.known:
            raise Permanent("Twilio does not know these credentials.", code=20003)

    async def list_numbers(self, account: Account) -> list[PhoneNumber]:
        """List the numbers, and count how often it is asked."""
        await self.check(account)
        self.asked += 1
        return self.numbers


class Clock:
    """Time that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, span: timedelta) -> None:
        """Move on."""
        self.now += span


@dataclass
class Api:
    """A started API and what lies behind it."""

    address: str
    session: aiohttp.ClientSession
    database: Database
    writer: Writer
    clock: Clock
    twilio: Twilio
    services: Services
    changes: list[datetime]

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = API_KEY, **more: Any
    ) -> tuple[int, Any]:
        """Make a request; give the status and the JSON answer (None where there is none)."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        url = path if path.startswith("http") else self.address + path
        kwargs = {"json": body} if body is not None else {}
        async with self.session.request(method, url, headers=headers, **kwargs, **more) as answer:
            text = await answer.text()
            return answer.status, await answer.json() if text else None

    async def get(self, path: str, **more: Any) -> Any:
        """Read something under the project that exists."""
        status, answer = await self.call("GET", "/api/projects/1" + path, **more)
        assert status == 200, answer
        return answer

    async def create(self, body: dict[str, Any]) -> Any:
        """Create a destination that is right."""
        status, answer = await self.call("POST", "/api/projects/1/hog_functions/", body)
        assert status == 201, answer
        return answer

    async def write(self, job: Callable[[Connection], Any]) -> Any:
        """Write behind the API's back, as the pipeline does."""
        return await asyncio.wrap_future(self.writer.run_job(job))


@asynccontextmanager
async def started(app: Any) -> AsyncIterator[str]:
    """Serve an application on a free port; give its address."""
    # Named as TCP, so that asyncio sends each answer at once instead of waiting for the client's acknowledgement.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none", access_log=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Without the server's main loop, which looks ten times a second whether it should end.
    await server.startup(sockets=[bound])
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        for each in server.servers:
            each.close()
        bound.close()


CURRENT = object.__new__(Services)
"""The services of the test that runs: the application is built once, what lies behind it anew for every test."""


def put_behind(services: Services) -> None:
    """Let the application's doors lead to other services."""
    for each in fields(services):
        object.__setattr__(CURRENT, each.name, getattr(services, each.name))


@pytest.fixture(scope="session")
def application() -> Any:
    """The API, built."""
    object.__setattr__(CURRENT, "api_key", Secret(API_KEY))
    return api(CURRENT)


def read_number(text: str) -> E164:
    """Read a phone number as the service does, without a country to read national ones in."""
    found = find_recipient(text, None)
    if isinstance(found, Refusal):
        raise Invalid(found.saw, field="number")
    return found.number


@pytest.fixture
async def running(tmp_path: Path, application: Any) -> AsyncIterator[Api]:
    """The API, started."""
    database = open_database(f"sqlite:///{tmp_path}/test.db")
    migrate(database)
    writer = Writer(database, asyncio.get_running_loop().call_soon_threadsafe)
    writer.start()
    keyring, clock, twilio = Keyring("k" * 40), Clock(), Twilio()
    changes: list[datetime] = []
    with database.engine.begin() as connection:
        hasher = open_hasher(connection, keyring)

    async def changed() -> None:
        changes.append(clock())

    async def test(destination: Destination, shared: Shared, sample: Sample, mock: bool) -> Trial:
        assert mock, "these tests send nothing"
        return await trial.run(prepare(destination, SITE.sharing(shared)), sample, clock(), opted_out=asks, client=None)

    def asks(to: str, sender: str) -> bool:
        with database.read() as connection:
            return bool(opted_out(connection, hasher, [(to, sender)]))

    client = Client("http://127.0.0.1:9")
    services = Services(
        database=database,
        forecasts=Foresight(
            database=database,
            writer=writer,
            keyring=keyring,
            hasher=hasher,
            site=SITE,
            clock=clock,
            replayed=lambda _: None,
        ),
        runs=Runs(clock),
        writer=writer,
        keyring=keyring,
        hasher=hasher,
        api_key=Secret(API_KEY),
        clock=clock,
        prepare=lambda destination, shared: prepare(destination, SITE.sharing(shared)),
        changed=changed,
        test=test,
        explain=lambda connection, uuid: explain(
            connection, uuid, registry.load_all(connection, keyring), SITE.sharing(load_shared(connection))
        ),
        lint=lambda connection, found, shared, events, most: [
            lint(each, SITE.sharing(shared), read_recent(connection, events), clock(), most_segments=most)
            for each in found
        ],
        check_account=twilio.check,
        phone_numbers=twilio.list_numbers,
        read_number=read_number,
        project_name=SITE.project["name"],
        project_token="phc_the-token-of-the-tests",
        eraser=Eraser(
            database=database,
            writer=writer,
            hasher=hasher,
            clock=clock,
            forget=lambda: None,
            settled=lambda _: None,
            read_number=read_number,
        ),
        halt=Halt(writer=writer, client=client, clock=clock, settled=lambda *_: None),
    )
    put_behind(services)
    async with started(application) as address, aiohttp.ClientSession() as session:
        yield Api(address, session, database, writer, clock, twilio, services, changes)
    await client.close()
    writer.stop()
    database.close()


@pytest.fixture
def body() -> dict[str, Any]:
    """A destination with credentials among its inputs."""
    return {
        "template_id": "template-twilio",
        "enabled": True,
        "name": "Welcome",
        "inputs": {
            "accountSid": {"value": "AC" + "1" * 32},
            "authToken": {"value": "tok-original-secret"},
            "fromPhoneNumber": {"value": "+15005550006"},
            "phoneNumber": {"value": "{person.properties.phone}"},
            "smsBody": {"value": "Hi {person.properties.name}"},
        },
        "filters": {"events": [{"id": "signup", "name": "signup", "type": "events"}]},
    }

"""Build every object once, from the settings. The only file that knows all rooms."""

import asyncio
import dataclasses
import fcntl
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, TextIO, cast

import msgspec
import structlog
from sqlalchemy import Connection

from smspipe import destinations, telemetry
from smspipe.config import ADDRESS_FILE, Config
from smspipe.db import Database, Writer, migrate, open_database
from smspipe.destinations import Keyring
from smspipe.destinations.budget import load_budget
from smspipe.guards.prices import ESTIMATE, Prices, read_prices
from smspipe.model import clock
from smspipe.model.delivery import Delivery
from smspipe.model.destination import Account, Destination
from smspipe.model.errors import Invalid, Permanent, Temporary
from smspipe.model.filter import Shared
from smspipe.model.ids import EventUuid
from smspipe.model.outcome import Refusal
from smspipe.model.phone import E164
from smspipe.optouts import choose_words, open_hasher, opted_out
from smspipe.pipeline import explain, trial
from smspipe.pipeline.alarms import Alarms
from smspipe.pipeline.budgets import Standing, describe_prices, standings
from smspipe.pipeline.erase import Eraser
from smspipe.pipeline.explain import Explanation
from smspipe.pipeline.fanout import Done
from smspipe.pipeline.foresight import Foresight
from smspipe.pipeline.lint import Report, lint_all
from smspipe.pipeline.pipe import Limits, Pipe
from smspipe.pipeline.prepare import Site, prepare
from smspipe.pipeline.recent import EVENTS_AT_SAVE, SECONDS, SECONDS_AT_SAVE, read_recent
from smspipe.pipeline.retention import Keep, Retention
from smspipe.pipeline.runs import Runs
from smspipe.pipeline.trial import Sample, Trial
from smspipe.pipeline.waiting import Wait, estimate
from smspipe.pipeline.webhooks import INBOUND_PATH, RETRIED, STATUS_PATH, Webhooks, read_extra_keys
from smspipe.receipts.token import Seal
from smspipe.rendering import find_recipient
from smspipe.sending import AccountFault, Client, Later, Numbers, Verified, is_twilio
from smspipe.web.capture import CaptureDoor
from smspipe.web.server import bind, make_server
from smspipe.web.services import PhoneNumber, Services

_SANDBOX = "/sandbox"
_STANDSTILL = "http://127.0.0.1:8000"
"""The address in links that are written while no service runs: where one starts by default."""


class Running:
    """What a started service tells the one who started it."""

    def __init__(self, config: Config, host: str, port: int) -> None:
        self.config = config
        self.port = port
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104 (compared only)
        self.address = f"http://{shown}:{port}"


def _read_prices(file: Path | None) -> Prices:
    """Read the price table that a setting names; the estimate without one."""
    if file is None:
        return ESTIMATE
    try:
        return read_prices(msgspec.json.decode(file.read_bytes()))
    except (OSError, msgspec.DecodeError) as error:
        raise Invalid(
            f"SMSPIPE_PRICES names a file that cannot be read: {error}.",
            field="prices",
            hint="Write a JSON object with currency, default and countries.",
        ) from error


class House:
    """Every object of one service, built but not started."""

    def __init__(self, config: Config, address: str, *, sandbox: bool, now: Callable[[], datetime]) -> None:
        """
        Build it.

        Args:
            config: the settings.
            address: where the service is reached on this machine.
            sandbox: serve a Twilio for development under `/sandbox`, and send to that.
            now: the clock.

        Raises:
            Invalid: the database cannot be used.
        """
        self.config = config
        self.now = now
        self.database: Database = open_database(config.database_url)
        migrate(self.database)
        self.writer = Writer(self.database, asyncio.get_running_loop().call_soon_threadsafe)
        self.keyring = Keyring(config.secret_key.reveal())
        with self.database.engine.begin() as connection:
            self.hasher = open_hasher(connection, self.keyring)
        self.seal = Seal([key for part in config.secret_key.reveal().split(",") if (key := part.strip())])
        self.twin: Any = _make_sandbox(f"{config.public_url or address}{INBOUND_PATH}") if sandbox else None
        self.twilio_url = f"{address}{_SANDBOX}" if sandbox else config.twilio_api_url
        self.client = Client(self.twilio_url, concurrency=config.twilio_connections)
        self.site = Site(
            project={"id": 1, "name": "smspipe", "url": f"{config.public_url or address}/project/1"},
            default_country=config.default_country,
            prices=_read_prices(config.prices),
            # A double has no carrier behind it that would take texts only so fast, and nobody who would bill them.
            live=is_twilio(self.twilio_url),
        )
        self.pipe = Pipe(
            writer=self.writer,
            client=self.client,
            keyring=self.keyring,
            hasher=self.hasher,
            site=self.site,
            clock=now,
            limits=Limits(slots=4 * config.twilio_connections),
            callback=self._callback if config.public_url else None,
        )
        self.retention = Retention(
            database=self.database,
            writer=self.writer,
            clock=now,
            keep=Keep(
                events=config.keep_events,
                events_bytes=config.keep_events_bytes,
                deliveries=config.keep_deliveries,
                bodies=config.keep_bodies,
            ),
            longest_age=self.pipe.longest_age,
        )
        self.eraser = Eraser(
            database=self.database,
            writer=self.writer,
            hasher=self.hasher,
            clock=now,
            forget=self.pipe.forget_memory,
            settled=self.pipe.erased,
            read_number=self._find_number,
        )
        self.alarms = Alarms(
            database=self.database,
            writer=self.writer,
            client=self.client,
            keyring=self.keyring,
            hasher=self.hasher,
            clock=now,
            plan=lambda: self.pipe.plan,
            private=config.alarm_private_addresses,
        )
        self.webhooks = Webhooks(
            base_url=config.public_url or address,
            seal=self.seal,
            extra_keys=read_extra_keys(config.twilio_webhook_keys.reveal() if config.twilio_webhook_keys else ""),
            words=choose_words(),
            database=self.database,
            writer=self.writer,
            keyring=self.keyring,
            hasher=self.hasher,
            pipe=self.pipe,
            clock=now,
            told=config.public_url is not None,
        )
        self.stands_still = False
        """The pipeline was not started: what is opened waits for the next start."""
        self.runs = Runs(now)
        self.foresight = Foresight(
            database=self.database,
            writer=self.writer,
            keyring=self.keyring,
            hasher=self.hasher,
            site=self.site,
            clock=now,
            replayed=self._replayed,
        )
        self._loop = asyncio.get_running_loop()
        self.door = CaptureDoor(
            offer=self.pipe.offer,
            clock=now,
            token=config.project_token,
            hook_keys=[config.api_key, *([config.hook_secret] if config.hook_secret else [])],
            api_key=config.api_key,
        )

    def services(self) -> Services:
        """Give the doors of the API what they need."""
        return Services(
            database=self.database,
            writer=self.writer,
            keyring=self.keyring,
            hasher=self.hasher,
            api_key=self.config.api_key,
            clock=self.now,
            prepare=lambda destination, shared: prepare(destination, self.site.sharing(shared)),
            changed=self.pipe.reload,
            test=self._test,
            explain=self._explain,
            lint=self._lint,
            check_account=self._check_account,
            phone_numbers=self._phone_numbers,
            read_number=self._read_number,
            forecasts=self.foresight,
            runs=self.runs,
            project_name=self.site.project["name"],
            project_token=self.config.project_token,
            twilio_api_url=self.twilio_url,
            ready=self.pipe.unready,
            wake=self.pipe.dispatch.wake,
            waits=self._waits,
            budgets=self._budgets,
            prices=describe_prices(self.site.prices),
            halt=self.pipe.halt,
            eraser=self.eraser,
            webhooks=self.webhooks,
        )

    def application(self) -> Callable[[Any, Any, Any], Awaitable[None]]:
        """Give the ASGI application for everything that is not capture: the API, and the sandbox beside it."""
        from smspipe.web.routes import api

        doors = api(self.services())
        twin = self.twin
        if twin is None:
            return doors
        from smspipe.sandbox import keep_drop

        async def route(scope: Any, receive: Any, send: Any) -> None:
            await (twin if scope["path"].startswith(_SANDBOX + "/") else doors)(scope, receive, send)

        return keep_drop(route)

    async def _test(self, destination: Destination, shared: Shared, sample: Sample, mock: bool) -> Trial:
        prepared = prepare(destination, self.site.sharing(shared))
        client = None if mock else self.client
        return await trial.run(prepared, sample, self.now(), opted_out=self._opted_out, client=client)

    def _replayed(self, done: Done) -> None:
        """Hand on what a replay opened; called in its thread."""
        if not self.stands_still:
            self._loop.call_soon_threadsafe(self.pipe.replayed, done)

    def _opted_out(self, to: str, sender: str) -> bool:
        with self.database.read() as connection:
            return bool(opted_out(connection, self.hasher, [(to, sender)]))

    def _callback(self, delivery: Delivery) -> str:
        """Give the address of a delivery's own status callbacks."""
        token = self.seal.make(delivery.id, delivery.attempts)
        return f"{(self.config.public_url or '').rstrip('/')}{STATUS_PATH}{token}{RETRIED}"

    def _waits(self, connection: Connection, delivery: Delivery) -> Wait | None:
        return estimate(connection, delivery, self.pipe.plan.pace_of, self.now())

    def _budgets(self, connection: Connection) -> Iterator[Standing]:
        found = destinations.load_all(connection, self.keyring)
        return standings(connection, found, load_budget(connection), self.now())

    def _explain(self, connection: Connection, uuid: EventUuid) -> Explanation | None:
        found = destinations.load_all(connection, self.keyring)
        return explain.explain(connection, uuid, found, self.site.sharing(destinations.load_shared(connection)))

    def _lint(
        self, connection: Connection, found: Sequence[Destination], shared: Shared, events: int, most_segments: int
    ) -> list[Report]:
        return lint_all(
            found,
            self.site.sharing(shared),
            read_recent(connection, events),
            self.now(),
            most_segments=most_segments,
            seconds=SECONDS if events > EVENTS_AT_SAVE else SECONDS_AT_SAVE,
            clock=time.monotonic,
        )

    def _find_number(self, text: str) -> str | None:
        found = find_recipient(text, self.site.default_country)
        return None if isinstance(found, Refusal) else found.number

    def _read_number(self, text: str) -> E164:
        found = find_recipient(text, self.site.default_country)
        if isinstance(found, Refusal):
            raise Invalid(found.saw, field="number")
        return found.number

    async def _check_account(self, account: Account) -> None:
        _raise_unless_well(await self.client.check(account))

    async def _phone_numbers(self, account: Account) -> list[PhoneNumber]:
        answer = await self.client.numbers(account)
        if not isinstance(answer, Numbers):
            _raise_unless_well(answer)
            return []
        return [
            PhoneNumber(sid=each.sid, phone_number=each.phone_number, friendly_name=each.friendly_name)
            for each in answer.numbers
        ]


def _raise_unless_well(answer: Verified | AccountFault | Later) -> None:
    match answer:
        case AccountFault():
            raise Permanent(answer.saw, code=answer.code)
        case Later():
            raise Temporary(answer.saw, retry_after=answer.retry_after)
        case Verified():
            return


async def serve(
    config: Config,
    *,
    host: str,
    port: int,
    sandbox: bool,
    ready: Callable[[Running], None],
    now: Callable[[], datetime] = clock.now,
) -> None:
    """
    Run the whole service until SIGTERM or SIGINT; then take no more, let what is under way end, and write it down.

    Args:
        config: the settings.
        host: address to bind.
        port: 0 for any free one.
        sandbox: serve a Twilio for development under `/sandbox`, and send to that.
        ready: told once requests are taken.
        now: the clock.

    Raises:
        Invalid: another process serves this data folder, the address is taken, or the database cannot be used.
    """
    configure_logs(config)
    telemetry.crash_at(config.crash_at)
    with lock_folder(config.data):
        bound = bind(host, port)
        running = Running(config, host, bound.getsockname()[1])
        house = House(config, running.address, sandbox=sandbox, now=now)
        house.writer.start()
        address = config.data / ADDRESS_FILE
        try:
            await house.pipe.start()
            house.retention.start()
            house.alarms.start()
            server = make_server(house.application(), house.door, listening=lambda: ready(running))
            address.write_text(running.address, "utf-8")
            await server.serve(sockets=[bound])
        finally:
            address.unlink(missing_ok=True)
            await house.alarms.stop()
            await house.retention.stop()
            house.runs.stop()
            await house.pipe.stop()
            house.writer.stop()
            house.database.close()
            if house.twin is not None:
                await house.twin.close()
            bound.close()


@asynccontextmanager
async def open_doors(config: Config) -> AsyncIterator[Callable[[Any, Any, Any], Awaitable[None]]]:
    """
    Open the API of a service that does not run: the same doors on the same data, under the lock of its folder.

    The pipeline stands still. What is changed is taken up when the service starts, and nothing is sent but by a trial
    that asks for it.

    Raises:
        Invalid: a service runs on this folder, or the database cannot be used.
    """
    from smspipe.web.routes import api

    configure_logs(msgspec.structs.replace(config, log_level="error"))
    with lock_folder(config.data):
        house = House(config, _STANDSTILL, sandbox=False, now=clock.now)
        house.stands_still = True
        house.writer.start()
        try:
            still = dataclasses.replace(
                house.services(), changed=_leave, wake=lambda: None, waits=lambda _, __: None, webhooks=None
            )
            yield api(still)
        finally:
            await house.client.close()
            house.writer.stop()
            house.database.close()


@contextmanager
def open_foresight(config: Config) -> Iterator[tuple[Foresight, Database]]:
    """
    Open the data of an installation for looking ahead, beside the service that may run on them; nothing is written.

    Raises:
        Invalid: the database cannot be used.
    """
    configure_logs(msgspec.structs.replace(config, log_level="error"))
    database = open_database(config.database_url)
    try:
        migrate(database)
        keyring = Keyring(config.secret_key.reveal())
        with database.engine.begin() as connection:
            hasher = open_hasher(connection, keyring)
        yield (
            Foresight(
                database=database,
                writer=Writer(database),
                keyring=keyring,
                hasher=hasher,
                site=Site(
                    project={"id": 1, "name": "smspipe", "url": f"{config.public_url or _STANDSTILL}/project/1"},
                    default_country=config.default_country,
                ),
                clock=clock.now,
                replayed=lambda _: None,
            ),
            database,
        )
    finally:
        database.close()


async def _leave() -> None:
    """Leave a change to the next start."""


def sandbox_account() -> tuple[str, str]:
    """Give the account SID and the auth token that the sandbox knows; they are no secret."""
    from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN

    return DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN


def _make_sandbox(inbound_url: str) -> Any:
    from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox

    return Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, prefix=_SANDBOX, inbound_url=inbound_url)


def configure_logs(config: Config) -> None:
    """Write one line for each thing that happened to standard error: for a person on a terminal, as JSON elsewhere."""
    level = logging.getLevelNamesMapping()[config.log_level.upper()]
    telemetry.hide(config.api_key.reveal())
    telemetry.hide(config.secret_key.reveal())
    if config.hook_secret is not None:
        telemetry.hide(config.hook_secret.reveal())
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            telemetry.redact_line,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


class _StandardError:
    """Standard error as it is when a line is written: loggers are kept, and it may have been replaced since."""

    def write(self, text: str) -> int:
        """Write to it."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush it."""
        sys.stderr.flush()


def lock_folder(folder: Path) -> IO[str]:
    """
    Make sure that no other process serves this folder: two would send twice what one was about to.

    The lock ends when the handle is closed, or with the process, however it ends.

    Raises:
        Invalid: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = (folder / "lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise Invalid(
            f"Another smspipe serves {folder}.",
            field="data",
            hint="Stop it first, or give this one another --data folder.",
        ) from None
    return handle

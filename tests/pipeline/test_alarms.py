"""Alarms from end to end: raised once, reminded of daily, over when it is over; told to a webhook and to a phone."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, event, insert, update

from smspipe import eventlog, optouts
from smspipe.db import Database, Writer, migrate, open_database
from smspipe.deliveries import alarms, budget, ledger, stop, velocity
from smspipe.deliveries.alarms import Kind
from smspipe.deliveries.stop import Stopped
from smspipe.destinations import Keyring
from smspipe.destinations.oncall import change_on_call
from smspipe.destinations.tables import destinations
from smspipe.guards.budget import purses_of
from smspipe.model.delivery import Delivery, Status
from smspipe.model.destination import Account, Destination, Secret
from smspipe.model.event import Door, Payload
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, uuid7
from smspipe.model.limits import Budget, Charge
from smspipe.pipeline.alarms import Alarms
from smspipe.pipeline.prepare import Plan, prepare_all
from smspipe.pipeline.telling import body_of, post
from smspipe.sandbox import DEMO_ACCOUNT_SID, DEMO_AUTH_TOKEN, Sandbox
from smspipe.sending import Client
from tests.pipeline.conftest import HASHER, NOW, PHONE, SITE, a_destination
from tests.support.serving import serve

SHOP = DestinationId("shop")
ON_CALL = "+14155550133"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Hook:
    """A webhook on this machine: keeps what it is told, and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.told: list[dict[str, Any]] = []
        self.bodies: list[tuple[bytes, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.bodies.append((body, headers.get("x-smspipe-signature", "")))
        self.told.append(json.loads(body))
        location = [(b"location", b"/elsewhere")] if self.status == 302 else []
        await send({"type": "http.response.start", "status": self.status, "headers": location})
        await send({"type": "http.response.body", "body": b""})

    def states(self) -> list[tuple[str, str]]:
        return [(each["kind"], each["state"]) for each in self.told]


class World:
    """A database, a sandbox, a webhook and the alarms over them, at a time that is moved on."""

    def __init__(self, database: Database, writer: Writer, client: Client, hook: Hook, url: str, twin: str) -> None:
        self.database, self.writer, self.hook, self.url, self.twin = database, writer, hook, url, twin
        self.now = NOW
        self.keyring = Keyring("k" * 40)
        self.made: list[Destination] = [self.shop()]
        self.alarms = Alarms(
            database=database, writer=writer, client=client, keyring=self.keyring, hasher=HASHER,
            clock=lambda: self.now, plan=self.plan, private=True,
        )  # fmt: skip

    def shop(self, **fields: Any) -> Destination:
        account = Account(sid=DEMO_ACCOUNT_SID, username=DEMO_ACCOUNT_SID, password=Secret(DEMO_AUTH_TOKEN))
        return a_destination("shop", account=account, **fields)

    def plan(self) -> Plan:
        return prepare_all(self.made, SITE, lambda *_: None)

    async def write(self, job: Callable[[Connection], Any]) -> Any:
        return await asyncio.wrap_future(self.writer.run_job(job))

    async def look(self, later: timedelta = timedelta()) -> None:
        self.now += later
        await self.alarms.look()

    def open(self) -> list[Kind]:
        with self.database.read() as connection:
            return sorted(each.kind for each in alarms.list_open(connection))

    async def tell(self, **fields: str) -> str | None:
        made: str | None = await self.write(
            lambda connection: change_on_call(
                connection, fields, keyring=self.keyring, read_number=lambda number: number, now=self.now
            )
        )
        return made

    async def add(self, status: Status, n: int = 1, age: timedelta = timedelta()) -> list[DeliveryId]:
        at = self.now - age
        rows = [
            Delivery(
                id=DeliveryId(uuid7(at)), destination_id=SHOP, version=1, event_uuid=EventUuid(uuid7(at)), route=0,
                event="e", distinct_id="u", status=status, created_at=at, sent_at=at,
            )
            for _ in range(n)
        ]  # fmt: skip
        await self.write(lambda connection: ledger.open_deliveries(connection, rows))
        return [each.id for each in rows]


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    database = open_database(f"sqlite:///{folder / 'smspipe.db'}")
    migrate(database)
    writer = Writer(database, asyncio.get_running_loop().call_soon_threadsafe)
    writer.start()
    twin, hook = Sandbox(account_sid=DEMO_ACCOUNT_SID, auth_token=DEMO_AUTH_TOKEN, prefix=""), Hook()
    async with serve(twin) as twin_url, serve(hook) as url, Client(twin_url) as client:
        yield World(database, writer, client, hook, url, twin_url)
    await twin.close()
    writer.stop()
    database.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        await made.tell(webhook_url=made.url, webhook_secret="a secret of the tests")
        yield made


async def failing(world: World) -> None:
    await world.add(Status.DELIVERED, 3)
    await world.add(Status.FAILED, 5)


async def credentials(world: World) -> None:
    world.made = [world.shop(paused="Twilio does not know these credentials.")]


async def a_budget(world: World) -> None:
    limit = Budget(segments_per_day=10)
    world.made = [world.shop(budget=limit)]
    charge = Charge(segments=8, micros=None, currency="USD", country="US", sender="number",
                    purses=tuple(purses_of(SHOP, limit, world.now)))  # fmt: skip

    def job(connection: Connection) -> None:
        till = budget.Till(connection)
        till.reserve(DeliveryId("one"), charge, world.now)
        till.write()

    await world.write(job)


async def a_velocity(world: World) -> None:
    def job(connection: Connection) -> None:
        counts = velocity.Counts(connection, world.now)
        counts.refuse(SHOP)
        counts.write()

    await world.write(job)


async def silence(world: World) -> None:
    world.made = [world.shop(silence=6 * HOUR)]
    await world.add(Status.DELIVERED, age=7 * HOUR)


async def unconfirmed(world: World) -> None:
    await world.add(Status.UNCONFIRMED, age=16 * MINUTE)


async def stopped(world: World) -> None:
    await world.write(lambda connection: stop.begin(connection, Stopped(at=world.now, why="x", by="ada")))


async def backlog(world: World) -> None:
    late = Payload(door=Door.CAPTURE, body=b"{}", received_at=world.now - 61 * timedelta(seconds=1), seed=b"12345678")
    await world.write(lambda connection: eventlog.append(connection, [late]))


async def succeed(world: World) -> None:
    await world.add(Status.DELIVERED, 20)


async def mend(world: World) -> None:
    world.made = [world.shop()]


async def tomorrow(world: World) -> None:
    world.now += DAY


async def settle(world: World) -> None:
    from smspipe.deliveries.tables import deliveries

    await world.write(lambda connection: connection.execute(update(deliveries).values(status=Status.DELIVERED)))


async def match(world: World) -> None:
    await world.add(Status.SUPPRESSED)


async def resume(world: World) -> None:
    await world.write(stop.end)


async def catch_up(world: World) -> None:
    await world.write(lambda connection: eventlog.move_cursor(connection, "fanout", 1))


Do = Callable[[World], Any]


@pytest.mark.parametrize(
    ("kind", "begin", "end"),
    [
        (Kind.FAILING, failing, succeed),
        (Kind.CREDENTIALS, credentials, mend),
        (Kind.BUDGET, a_budget, tomorrow),
        (Kind.VELOCITY, a_velocity, tomorrow),
        (Kind.SILENCE, silence, match),
        (Kind.UNCONFIRMED, unconfirmed, settle),
        (Kind.STOPPED, stopped, resume),
        (Kind.BACKLOG, backlog, catch_up),
    ],
    ids=[*Kind],
)
async def test_an_alarm_is_raised_once_and_resolved(world: World, kind: Kind, begin: Do, end: Do) -> None:
    await world.look()
    assert world.open() == []
    await begin(world)
    await world.look()
    await world.look(MINUTE / 4)
    assert world.open() == [kind]
    assert world.hook.states() == [(kind, "raised")]
    assert PHONE not in str(world.hook.told)
    await end(world)
    await world.look(MINUTE / 4)
    await world.look(MINUTE / 4)
    assert world.open() == []
    assert world.hook.states() == [(kind, "raised"), (kind, "resolved")]
    assert world.hook.told[1]["id"] == world.hook.told[0]["id"]


def test_every_kind_has_a_question_and_a_line_in_the_docs() -> None:
    from smspipe.pipeline.conditions import QUESTIONS

    page = (Path(__file__).parents[2] / "docs/how-to/alarms.md").read_text("utf-8")
    assert set(QUESTIONS) == set(Kind)
    assert all(f"| `{kind}` |" in page for kind in Kind)


async def test_a_destination_that_never_matched_is_silent_since_it_was_changed(world: World) -> None:
    world.made = [world.shop(silence=6 * HOUR)]
    row = {"id": "shop", "version": 1, "type": "destination", "template_id": "t", "name": "shop", "description": "",
           "enabled": True, "deleted": False, "document": {}, "created_at": NOW, "created_by": "x",
           "updated_at": NOW}  # fmt: skip
    await world.write(lambda connection: connection.execute(insert(destinations).values(row)))
    await world.look(6 * HOUR - MINUTE)
    assert world.open() == []
    await world.look(MINUTE)
    assert world.open() == [Kind.SILENCE]


async def test_what_lasts_is_reminded_of_once_a_day(world: World) -> None:
    await stopped(world)
    for _ in range(13):
        await world.look(4 * HOUR)
    assert [state for _, state in world.hook.states()] == ["raised", "reminded", "reminded"]


async def test_a_message_is_signed_with_the_secret(world: World) -> None:
    await stopped(world)
    await world.look()
    ((body, signature),) = world.hook.bodies
    at, _, given = signature.removeprefix("t=").partition(",v1=")
    assert int(at) == int(NOW.timestamp())
    expected = hmac.new(b"a secret of the tests", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert given == expected


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_what_a_webhook_does_not_take_is_told_again_later_and_later(world: World, status: int) -> None:
    world.hook.status = status
    await stopped(world)
    await world.look()
    await world.look(MINUTE / 4)
    assert len(world.hook.told) == 1
    await world.look(MINUTE / 4)
    assert len(world.hook.told) == 2
    await world.look(MINUTE / 2)
    assert len(world.hook.told) == 2
    world.hook.status = 200
    await world.look(MINUTE / 2)
    await world.look(DAY / 2)
    assert [state for _, state in world.hook.states()] == ["raised"] * 3


async def test_a_secret_is_made_and_shown_once(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        made = await world.tell(webhook_url=world.url)
        assert made is not None
        assert len(made) >= 32
        assert await world.tell(webhook_url=world.url) is None


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]",
     "2130706433", "0x7f000001", "0.0.0.0", "[fe80::1]"],
)  # fmt: skip
async def test_a_webhook_at_a_private_address_is_refused(world: World, host: str) -> None:
    port = world.url.rpartition(":")[2]
    why = await post(f"http://{host}:{port}/", b"{}", None, private=False)
    assert why in ("its address is one of a private network", "its name leads to an address of a private network",
                   "no connection came about")  # fmt: skip
    assert world.hook.told == []


async def texts(world: World) -> list[dict[str, Any]]:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"{world.twin}/inbox") as answer:
        found: list[dict[str, Any]] = (await answer.json())["results"]
        return found


async def test_the_person_on_call_gets_at_most_one_text_an_hour_for_one_trouble(world: World) -> None:
    await world.tell(text_to=ON_CALL, destination_id="shop")
    await unconfirmed(world)
    await world.look()
    (text,) = await texts(world)
    assert (text["to"], text["from"]) == (ON_CALL, "+15005550006")
    assert text["body"].startswith("smspipe: unconfirmed raised. 1 text of 'shop' in doubt")
    await settle(world)
    await world.look(MINUTE)
    await unconfirmed(world)
    await world.look(MINUTE)
    assert len(await texts(world)) == 1
    await settle(world)
    await world.look(HOUR)
    assert len(await texts(world)) == 2


async def test_who_opted_out_is_not_texted_even_on_call(world: World) -> None:
    await world.tell(text_to=ON_CALL, destination_id="shop")
    new = optouts.New(number=ON_CALL, scope=optouts.EVERYWHERE, source=optouts.Source.PERSON)  # type: ignore[arg-type]  # it is E.164
    await world.write(lambda connection: optouts.add(connection, HASHER, new, now=NOW))
    await unconfirmed(world)
    await world.look()
    assert await texts(world) == []


def test_a_webhook_is_told_no_more_than_the_alarm() -> None:
    alarm = alarms.Alarm(
        id=7, kind=Kind.STOPPED, destination_id="", what="Everything is stopped.", raised_at=NOW, reminded_at=NOW,
        resolved_at=None, texted_at=None, state=alarms.State.RAISED, tell_at=NOW, tries=0,
    )  # fmt: skip
    told = msgspec.json.decode(body_of(alarm, None, datetime.fromisoformat("2026-03-01T12:00:01Z")))
    assert told == {
        "id": 7, "state": "raised", "kind": "stopped", "destination_id": None, "destination": None,
        "what": "Everything is stopped.", "raised_at": "2026-03-01T12:00:00.000Z", "resolved_at": None,
        "at": "2026-03-01T12:00:01.000Z",
    }  # fmt: skip


async def test_what_is_asked_every_few_seconds_is_answered_by_indexes(world: World) -> None:
    plans: list[str] = []
    with world.database.read() as connection:
        for ask in (
            lambda: alarms.last_ends(connection, SHOP, NOW, 20),
            lambda: alarms.in_doubt(connection, NOW),
        ):
            seen: list[tuple[str, Any]] = []

            def note(_c: Any, _u: Any, statement: str, parameters: Any, *_: Any, into: Any = seen) -> None:
                into.append((statement, parameters))

            event.listen(world.database.engine, "before_cursor_execute", note)
            ask()
            event.remove(world.database.engine, "before_cursor_execute", note)
            for statement, parameters in seen:
                plans += [row[3] for row in connection.exec_driver_sql(f"explain query plan {statement}", parameters)]
    searched = [plan for plan in plans if plan.startswith(("SCAN", "SEARCH"))]
    assert [plan for plan in searched if "INDEX" not in plan] == []
    assert any("deliveries_open" in plan for plan in searched)

"""What filters refer to, actions and test-account filters, counts as it is now."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update
from structlog.testing import capture_logs

from smspipe.db import Writer, migrate, open_database
from smspipe.destinations import Keyring, actions, registry
from smspipe.destinations.project import change_project
from smspipe.destinations.tables import actions as action_table
from smspipe.model.ids import PersonId
from smspipe.model.person import Person
from smspipe.pipeline.pipe import Limits, Pipe
from smspipe.pipeline.prepare import prepare
from smspipe.sending import Client
from tests.pipeline.conftest import HASHER, NOW, SITE, an_event

KEYRING = Keyring("k" * 40)
OURS = {"key": "email", "type": "person", "operator": "not_icontains", "value": "@example.com"}
ANN = Person(id=PersonId("018f-ann"), properties={"email": "ann@example.com"}, created_at=NOW)


class Town:
    """A pipe, and the registry that it loads from."""

    def __init__(self, pipe: Pipe, writer: Writer) -> None:
        self.pipe = pipe
        self._writer = writer

    async def write(self, job: Callable[[Connection], Any]) -> Any:
        """Change the registry as the doors do, and return once new events meet the change."""
        done = await asyncio.wrap_future(self._writer.run_job(job))
        await self.pipe.reload()
        return done

    async def add(self, filters: dict[str, Any]) -> None:
        """Add a destination with this filter."""
        body = {
            "template_id": "template-twilio",
            "enabled": True,
            "inputs": {
                "accountSid": {"value": "AC" + "1" * 32},
                "authToken": {"value": "token"},
                "fromPhoneNumber": {"value": "+15005550006"},
                "phoneNumber": {"value": "+15005550009"},
                "smsBody": {"value": "Hi"},
            },
            "filters": filters,
        }
        await self.write(
            lambda connection: registry.create(
                connection,
                body,
                keyring=KEYRING,
                now=NOW,
                check=lambda destination, shared: prepare(destination, SITE.sharing(shared)),
            )
        )

    def matches(self, person: Person | None = ANN, **fields: Any) -> bool:
        """Tell whether an event meets the only destination."""
        event = an_event(**fields)
        return any(each.matcher.matches(event, person, (), NOW) for each in self.pipe.plan.listening(event.event))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    database = open_database(f"sqlite:///{tmp_path}/smspipe.db")
    migrate(database)
    writer = Writer(database, asyncio.get_running_loop().call_soon_threadsafe)
    writer.start()
    async with Client("http://127.0.0.1:9") as client:
        pipe = Pipe(
            writer=writer, client=client, keyring=KEYRING, hasher=HASHER, site=SITE, clock=lambda: NOW, limits=Limits()
        )  # fmt: skip
        await pipe.start()
        yield Town(pipe, writer)
        await pipe.stop()
    writer.stop()
    database.close()


async def test_a_change_of_the_test_account_filters_meets_the_next_event(town: Town) -> None:
    await town.add({"events": [{"id": "order shipped"}], "filter_test_accounts": True})
    assert town.matches()
    await town.write(lambda connection: change_project(connection, {"test_account_filters": [OURS]}, now=NOW))
    assert not town.matches()
    assert town.matches(None)
    await town.write(lambda connection: change_project(connection, {"test_account_filters": []}, now=NOW))
    assert town.matches()


async def test_a_change_of_an_action_meets_the_next_event(town: Town) -> None:
    def create(connection: Connection) -> int:
        body = {"name": "Bought", "steps": [{"event": "order shipped"}]}
        return actions.create_action(connection, body, now=NOW).id

    number = await town.write(create)
    await town.add({"actions": [{"id": number, "type": "actions"}]})
    assert town.matches()
    changed = {"steps": [{"event": "order paid"}]}
    await town.write(lambda connection: actions.change_action(connection, number, changed, now=NOW))
    assert not town.matches()
    assert town.matches(event="order paid")


async def test_a_destination_whose_action_is_gone_is_left_out_and_told(town: Town) -> None:
    def create(connection: Connection) -> int:
        return actions.create_action(connection, {"name": "Any"}, now=NOW).id

    number = await town.write(create)
    await town.add({"actions": [{"id": number, "type": "actions"}]})
    # The doors refuse this; a database that was put together by hand may be so.
    with capture_logs() as logs:
        await town.write(lambda connection: connection.execute(update(action_table).values(deleted=True)))
    assert not town.matches()
    assert [entry["error"] for entry in logs if entry["event"] == "destination_does_not_compile"] == [
        "Action ID 1 does not exist!"
    ]

"""Forecasts and replays through the API: begun, looked at, ended; a replay opens what was confirmed and no more."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from smspipe import eventlog, persons
from smspipe.capture import events_of
from smspipe.deliveries.tables import deliveries
from smspipe.model.event import Door, Payload
from smspipe.pipeline import fanout
from smspipe.pipeline.prepare import Plan
from tests.web.conftest import NOW, Api

DESTINATION: dict[str, Any] = {
    "name": "Order shipped",
    "template_id": "template-twilio",
    "enabled": True,
    "inputs": {
        "accountSid": {"value": "AC" + "1" * 32},
        "authToken": {"value": "token"},
        "fromPhoneNumber": {"value": "+15005550006"},
        "phoneNumber": {"value": "{event.properties.phone}"},
        "smsBody": {"value": "Order {event.properties.order}"},
    },
    "filters": {"events": [{"id": "order shipped", "name": "order shipped", "type": "events"}]},
    "smspipe": {"recipients": "claimed"},
}
HOUR = timedelta(hours=1)


def store(api: Api, count: int, age: timedelta = HOUR) -> Any:
    """Let events come while no destination listened."""

    def job(connection: Connection) -> None:
        batch = [
            {"event": "order shipped", "distinct_id": f"u-{nth}",
             "properties": {"order": nth, "phone": f"+1202555{1000 + nth}"}}
            for nth in range(count)
        ]  # fmt: skip
        payload = Payload(
            door=Door.BATCH,
            body=msgspec.json.encode({"api_key": "phc_x", "batch": batch}),
            received_at=NOW - age,
            seed=bytes(8),
        )
        position = eventlog.append(connection, [payload])
        hasher = api.services.hasher
        fanout.run(
            connection, [(position, events_of(payload))], Plan(), persons.Cache(), NOW - age, hasher=hasher, free=0
        )

    return api.write(job)


async def ended(api: Api, path: str, body: dict[str, Any]) -> Any:
    """Begin a run, and wait for its end."""
    status, run = await api.call("POST", f"/api/projects/1/hog_functions/{path}/", body)
    assert status == 202, run
    while run["status"] == "running":
        run = await api.get(f"/forecasts/{run['id']}/")
    return run


def written(api: Api) -> int:
    with api.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(deliveries)) or 0


async def test_a_new_destination_is_forecast_over_stored_events(running: Api) -> None:
    await store(running, 4)
    unsaved = {key: value for key, value in DESTINATION.items() if key != "enabled"}
    unsaved["inputs"] = {key: value for key, value in unsaved["inputs"].items() if key != "authToken"}
    run = await ended(running, "new/forecast", {"configuration": unsaved, "since": "-1d"})
    assert run["status"] == "done", run
    assert (run["result"]["events"], run["result"]["here"]["texts"]) == (4, 4)
    assert all("•••" in example["to"] for example in run["result"]["here"]["examples"])
    assert written(running) == 0


async def test_a_change_is_compared_with_the_version_that_runs(running: Api) -> None:
    await store(running, 3)
    saved = await running.create(DESTINATION)
    inputs = {
        **DESTINATION["inputs"],
        "authToken": {"secret": True},
        "smsBody": {"value": "Nr {event.properties.order}"},
    }
    run = await ended(running, f"{saved['id']}/forecast", {"configuration": {"inputs": inputs}, "since": "-1d"})
    assert run["status"] == "done", run
    assert run["result"]["difference"] | {"examples": []} == {
        "only_here": 0, "only_running": 0, "text_differs": 3, "same": 0, "examples": []
    }  # fmt: skip


async def test_a_forecast_takes_events_that_come_with_the_request(running: Api) -> None:
    row = {"event": "order shipped", "distinct_id": "ada", "timestamp": "2025-12-01T00:00:00Z",
           "properties": {"order": 7, "phone": "+12025550143"}}  # fmt: skip
    run = await ended(running, "new/forecast", {"configuration": DESTINATION, "events": [row, {"event": 1}]})
    assert (run["result"]["here"]["texts"], run["result"]["unreadable"]) == (1, 1)


async def test_a_replay_opens_what_was_confirmed_and_once(running: Api) -> None:
    await store(running, 5)
    saved = await running.create(DESTINATION)
    path = f"{saved['id']}/replay"
    looked = await ended(running, path, {"since": "-1d"})
    assert (looked["kind"], looked["result"]["here"]["texts"]) == ("replay_forecast", 5)
    assert written(running) == 0
    wrong = await ended(running, path, {"since": "-1d", "expected": 4})
    assert (wrong["status"], written(running)) == ("failed", 0)
    assert "5 texts would be sent now, not 4" in wrong["error"]
    done = await ended(running, path, {"since": "-1d", "expected": 5})
    assert done["result"] == {"events": 5, "texts": 5, "held": 0, "refused": 0}
    assert written(running) == 5
    again = await ended(running, path, {"since": "-1d"})
    assert again["result"]["here"]["texts"] == 0
    assert [(each["reason"], each["count"]) for each in again["result"]["here"]["refused"]] == [("duplicate", 5)]


async def test_events_older_than_the_destination_takes_are_replayed_only_when_that_is_said(running: Api) -> None:
    await store(running, 2, timedelta(days=3))
    saved = await running.create(DESTINATION)
    path = f"{saved['id']}/replay"
    wish: dict[str, Any] = {"since": "-5d"}
    looked = await ended(running, path, wish)
    assert [each["reason"] for each in looked["result"]["here"]["refused"]] == ["too_old"]
    wish = {**wish, "any_age": True, "valid_for_seconds": 600}
    done = await ended(running, path, {**wish, "expected": 2})
    assert done["result"]["texts"] == 2
    with running.database.read() as connection:
        assert {row.expires_at for row in connection.execute(select(deliveries.c.expires_at))} == {
            NOW + timedelta(minutes=10)
        }


async def test_a_destination_that_is_off_gets_no_replay(running: Api) -> None:
    saved = await running.create({**DESTINATION, "enabled": False})
    status, answer = await running.call("POST", f"/api/projects/1/hog_functions/{saved['id']}/replay/", {})
    assert (status, "switched off" in answer["detail"]) == (400, True)


async def test_a_run_can_be_asked_to_end(running: Api) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work(told: Any) -> None:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        assert not told(1, 0.5)
        from smspipe.pipeline.forecast import Cancelled

        raise Cancelled

    run = running.services.runs.start("forecast", work)
    status, _ = await running.call("DELETE", f"/api/projects/1/forecasts/{run.id}/")
    assert status == 200
    release.set()
    while (shown := await running.get(f"/forecasts/{run.id}/"))["status"] == "running":
        pass
    assert (shown["status"], shown["events"]) == ("cancelled", 1)


async def test_what_is_not_understood_is_refused(running: Api) -> None:
    for body, field in (
        ({"since": "yesterday"}, "since"),
        ({"since": "-1d", "until": "-2d"}, "until"),
        ({"events": "all"}, "events"),
        ({"configuration": []}, "configuration"),
        ({"examples": 101}, "examples"),
        ({"trusted": "yes"}, "trusted"),
    ):
        given = {"configuration": DESTINATION, **body}
        status, answer = await running.call("POST", "/api/projects/1/hog_functions/new/forecast/", given)
        assert (status, answer["attr"]) == (400, field)
    assert (await running.call("GET", "/api/projects/1/forecasts/none/"))[0] == 404
    assert (await running.call("POST", "/api/projects/1/hog_functions/none/forecast/", {}))[0] == 404

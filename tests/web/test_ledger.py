"""The doors to what became of events: deliveries, logs, metrics, explanations."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from smspipe import eventlog
from smspipe.deliveries import evidence, ledger, metrics, paces
from smspipe.model.delivery import Delivery, Status
from smspipe.model.event import Door, Payload
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid, MessageSid, uuid7
from smspipe.model.outcome import Reason, Step
from smspipe.pipeline import fanout
from smspipe.pipeline.waiting import estimate
from tests.web.conftest import NOW, Api, put_behind


def delivery(number: int, **more: Any) -> Delivery:
    """Make the delivery of one event, a second after the one before."""
    at = NOW + timedelta(seconds=number)
    values: dict[str, Any] = {
        "id": DeliveryId(uuid7(at, bytes(10))),
        "destination_id": DestinationId("d-1"),
        "version": 1,
        "event_uuid": EventUuid(f"01912e4c-0000-7000-8000-{number:012}"),
        "route": 0,
        "event": "signup",
        "distinct_id": f"u-{number % 2}",
        "status": Status.ACCEPTED,
        "created_at": at,
        "to": "+15005550009",
        "sender": "+15005550006",
        "body": f"Hi {number}",
        "segments": 1,
        "encoding": "GSM-7",
        "sid": MessageSid(f"SM{number}"),
        "attempts": 1,
        "sent_at": at,
        "settled_at": at,
        "steps": (Step(name="match", ok=True, saw="The event meets the filter."),),
    }
    return Delivery(**{**values, **more})


async def keep(running: Api, *deliveries: Delivery) -> None:
    """Write deliveries as the pipeline does."""
    await running.write(lambda connection: ledger.open_deliveries(connection, deliveries))


async def test_a_delivery_shows_as_the_contract_says(running: Api) -> None:
    one = delivery(1)
    await keep(running, one)
    (listed,) = (await running.get("/deliveries/"))["results"]
    assert listed == {
        "id": one.id,
        "destination_id": "d-1",
        "event_uuid": "01912e4c-0000-7000-8000-000000000001",
        "event": "signup",
        "distinct_id": "u-1",
        "status": "accepted",
        "reason": None,
        "to": "+15005550009",
        "from": "+15005550006",
        "body": "Hi 1",
        "segments": 1,
        "encoding": "GSM-7",
        "sid": "SM1",
        "twilio_status": None,
        "billed_segments": None,
        "price": None,
        "price_unit": None,
        "attempts": 1,
        "error_code": None,
        "error_message": None,
        "created_at": "2026-01-02T03:04:06.000Z",
        "not_before": None,
        "sent_at": "2026-01-02T03:04:06.000Z",
        "settled_at": "2026-01-02T03:04:06.000Z",
    }
    alone = await running.get(f"/deliveries/{one.id}/")
    assert {key: value for key, value in alone.items() if key in listed} == listed
    assert alone["steps"] == [{"name": "match", "ok": True, "saw": "The event meets the filter."}]
    assert (await running.call("GET", "/api/projects/1/deliveries/nobody/"))[0] == 404


async def test_one_delivery_shows_what_was_said_of_its_text(running: Api) -> None:
    one = delivery(1)
    await keep(running, one)
    told: dict[str, Any] = {"sid": "SM1", "source": "callback", "attempt": 1}
    for place, (status, code) in enumerate((("sent", None), ("undelivered", 30003))):
        at = NOW + timedelta(minutes=place)
        say = partial(evidence.add_receipt, delivery=one.id, status=status, error_code=code, at=at, **told)
        await running.write(say)
    shown = await running.get(f"/deliveries/{one.id}/")
    assert shown["receipts"] == [
        {"at": "2026-01-02T03:04:05.000Z", "status": "sent", "error_code": None, **told},
        {"at": "2026-01-02T03:05:05.000Z", "status": "undelivered", "error_code": 30003, **told},
    ]
    assert shown["sends_at"] is None


async def test_a_text_that_waits_for_its_sender_says_how_long(running: Api, body: dict[str, Any]) -> None:
    shop = DestinationId((await running.create(body))["id"])
    waiting = delivery(1, destination_id=shop, status=Status.PENDING, sid=None, settled_at=None, not_before=NOW)
    await keep(running, waiting)
    await log_event(running, waiting.event_uuid)
    await running.write(partial(paces.write, ready=[("+15005550006", NOW + timedelta(minutes=4))]))
    services = running.services
    put_behind(replace(services, waits=lambda connection, one: estimate(connection, one, lambda _, __: 1.0, NOW)))
    assert (await running.get(f"/deliveries/{waiting.id}/"))["sends_at"] == "2026-01-02T03:08:05.000Z"
    (verdict,) = (await running.get(f"/events/{waiting.event_uuid}/explain/"))["destinations"]
    said = "It leaves in about 4 minutes: 0 segments are before it, at 1 segment a second."
    assert verdict["sentence"] == f"The text waits to be sent. {said}"
    assert verdict["deliveries"][0]["sends_at"] == "2026-01-02T03:08:05.000Z"


async def log_event(running: Api, uuid: EventUuid) -> None:
    """Put an event into the log, as one that was decided on."""
    event = {"event": "signup", "uuid": uuid, "distinct_id": "u-1", "properties": {}, "api_key": "phc_x"}
    payload = Payload(door=Door.CAPTURE, body=msgspec.json.encode(event), received_at=NOW, seed=bytes(8))

    def log(connection: Connection) -> None:
        eventlog.remember(connection, [(uuid, eventlog.append(connection, [payload]))])
        eventlog.move_cursor(connection, fanout.READER, 1)

    await running.write(log)


async def test_pages_go_forth_and_back_and_stay_put_while_new_deliveries_arrive(running: Api) -> None:
    await keep(running, *(delivery(number) for number in range(1, 8)))
    first = await running.get("/deliveries/?limit=3&destination=d-1")
    assert first["previous"] is None
    _, second = await running.call("GET", first["next"])
    await keep(running, delivery(8))
    _, third = await running.call("GET", second["next"])
    assert [bodies(page) for page in (first, second, third)] == [
        ["Hi 7", "Hi 6", "Hi 5"],
        ["Hi 4", "Hi 3", "Hi 2"],
        ["Hi 1"],
    ]
    assert third["next"] is None
    _, back = await running.call("GET", third["previous"])
    assert bodies(back) == bodies(second)
    _, first_again = await running.call("GET", back["previous"])
    assert bodies(first_again) == bodies(first)
    _, newer = await running.call("GET", first_again["previous"])
    assert bodies(newer) == ["Hi 8"]
    assert newer["previous"] is None


def bodies(page: Any) -> list[str]:
    """Give the texts of a page."""
    return [each["body"] for each in page["results"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Hi 4", "Hi 3", "Hi 2", "Hi 1"]),
        ("destination=d-2", ["Hi 4"]),
        ("status=suppressed", ["Hi 3"]),
        ("reason=cooldown", ["Hi 3"]),
        ("error_code=30003", ["Hi 4"]),
        ("to=%2B15005550001", ["Hi 2"]),
        ("to=+15005550001", ["Hi 2"]),
        ("event_uuid=01912E4C-0000-7000-8000-000000000001", ["Hi 1"]),
        ("distinct_id=u-1", ["Hi 3", "Hi 1"]),
        ("after=2026-01-02T03:04:08Z", ["Hi 4", "Hi 3"]),
        ("before=2026-01-02T03:04:08Z", ["Hi 2", "Hi 1"]),
        ("after=2026-01-02T04:04:08%2B01:00", ["Hi 4", "Hi 3"]),
        ("after=-1h", ["Hi 4", "Hi 3", "Hi 2", "Hi 1"]),
        ("status=accepted&distinct_id=u-1", ["Hi 1"]),
    ],
)
async def test_deliveries_are_found_by_every_filter(query: str, found: list[str], running: Api) -> None:
    await keep(
        running,
        delivery(1),
        delivery(2, to="+15005550001"),
        delivery(3, status=Status.SUPPRESSED, reason=Reason.COOLDOWN),
        delivery(4, destination_id=DestinationId("d-2"), error_code=30003),
    )
    assert bodies(await running.get(f"/deliveries/?{query}")) == found


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("status=lost", "status"),
        ("reason=because", "reason"),
        ("after=yesterday", "after"),
        ("cursor=!", "cursor"),
        ("cursor=eHg", "cursor"),
        ("limit=many", "limit"),
        ("error_code=x", "error_code"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(query: str, attr: str, running: Api) -> None:
    status, answer = await running.call("GET", f"/api/projects/1/deliveries/?{query}")
    assert (status, answer["type"], answer["attr"]) == (400, "validation_error", attr)


async def test_the_log_of_a_destination_tells_each_delivery(running: Api, body: dict[str, Any]) -> None:
    created = await running.create(body)
    own = DestinationId(created["id"])
    refused = {"status": Status.FAILED, "reason": Reason.TWILIO_REJECTED, "error_message": "Not a mobile number."}
    missing = {"status": Status.SUPPRESSED, "reason": Reason.RECIPIENT_MISSING}
    await keep(
        running,
        delivery(1, destination_id=own),
        delivery(2, destination_id=own, **refused),
        delivery(3, destination_id=own, **missing),
        delivery(4, destination_id=own, status=Status.SUPPRESSED, reason=Reason.COOLDOWN),
        delivery(5, destination_id=own, status=Status.UNCONFIRMED, reason=Reason.UNCONFIRMED),
        delivery(6, destination_id=own, status=Status.PENDING, settled_at=None, sent_at=None),
        delivery(7),
    )
    path = f"/hog_functions/{own}/logs/"
    lines = (await running.get(path))["results"]
    assert [line["level"] for line in lines] == ["DEBUG", "WARN", "INFO", "ERROR", "ERROR", "INFO"]
    assert lines[-1]["message"].startswith("SMS sent successfully via Twilio!")
    assert lines[-1]["instance_id"] == delivery(1).id
    assert lines[-1]["log_source_id"] == own
    assert "Not a mobile number." in lines[4]["message"]
    assert not any("+1500" in line["message"] for line in lines)
    assert await levels(running, path + "?level=error") == ["ERROR", "ERROR"]
    assert await levels(running, path + "?level=ERROR,warn") == ["WARN", "ERROR", "ERROR"]
    assert await levels(running, path + "?level=debug&level=warn") == ["DEBUG", "WARN"]
    assert await levels(running, path + "?search=MOBILE") == ["ERROR"]
    assert await levels(running, path + "?limit=1") == ["DEBUG"]
    assert await levels(running, path + "?before=2026-01-02T03:04:07Z") == ["INFO"]
    assert await levels(running, path + f"?instance_id={delivery(2).id}") == ["ERROR"]
    assert await levels(running, path + f"?instance_id={delivery(7).id}") == []
    assert (await running.call("GET", f"/api/projects/1{path}?level=loud"))[0] == 400
    assert (await running.call("GET", "/api/projects/1/hog_functions/nobody/logs"))[0] == 404


async def levels(running: Api, path: str) -> list[str]:
    """Give the levels of the lines at a path."""
    return [line["level"] for line in (await running.get(path))["results"]]


@pytest.fixture
async def counted(running: Api, body: dict[str, Any]) -> str:
    """A destination that did something in three hours of two days."""
    created = await running.create(body)
    own = DestinationId(created["id"])
    for hours, counts in (
        (0, {"triggered": 3, "succeeded": 2, "failed": 1}),
        (1, {"triggered": 1, "succeeded": 1}),
        (26, {"filtered": 5}),
    ):
        at = NOW - timedelta(hours=hours)
        named = {(own, name): count for name, count in counts.items()}
        await running.write(partial(metrics.add, counts=named, now=at))
    return f"/hog_functions/{own}/metrics"


async def test_metrics_are_counted_by_day_and_kind(running: Api, counted: str) -> None:
    answer = await running.get(counted + "/?after=-2d")
    assert answer == {
        "labels": ["2025-12-31 00:00", "2026-01-01 00:00", "2026-01-02 00:00"],
        "series": [
            {"name": "failure", "values": [0, 0, 1]},
            {"name": "other", "values": [0, 5, 4]},
            {"name": "success", "values": [0, 0, 3]},
        ],
    }


async def test_metrics_are_counted_by_hour_and_name(running: Api, counted: str) -> None:
    answer = await running.get(counted + "?after=-1h&interval=hour&breakdown_by=name&name=triggered,failed")
    assert answer == {
        "labels": ["2026-01-02 02:00", "2026-01-02 03:00"],
        "series": [{"name": "failed", "values": [0, 1]}, {"name": "triggered", "values": [1, 3]}],
    }


async def test_metrics_are_counted_by_week(running: Api, counted: str) -> None:
    answer = await running.get(counted + "?interval=week&kind=success")
    assert answer["labels"] == ["2025-12-22 00:00", "2025-12-29 00:00"]
    assert answer["series"] == [{"name": "success", "values": [0, 3]}]


async def test_metrics_have_totals(running: Api, counted: str) -> None:
    assert (await running.get(counted + "/totals/"))["totals"] == {"failure": 1, "other": 9, "success": 3}
    by_name = await running.get(counted + "/totals?breakdown_by=name&after=-1h")
    assert by_name["totals"] == {"failed": 1, "succeeded": 3, "triggered": 4}


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ("interval=month", "interval"),
        ("breakdown_by=event", "breakdown_by"),
        ("after=x", "after"),
        ("after=2000-01-01&interval=hour", "interval"),
    ],
)
async def test_metrics_that_mean_nothing_are_refused(query: str, attr: str, running: Api, counted: str) -> None:
    status, answer = await running.call("GET", f"/api/projects/1{counted}?{query}")
    assert (status, answer["attr"]) == (400, attr)


async def test_an_event_is_explained_at_every_destination(running: Api, body: dict[str, Any]) -> None:
    matching = await running.create(body)
    other = await running.create({**body, "name": "Other", "filters": {"events": [{"id": "logout"}]}})
    uuid = EventUuid("01912e4c-0000-7000-8000-000000000001")
    event = {"event": "signup", "uuid": uuid, "distinct_id": "u-1", "properties": {}, "api_key": "phc_x"}
    payload = Payload(door=Door.CAPTURE, body=msgspec.json.encode(event), received_at=NOW, seed=bytes(8))

    def log(connection: Connection) -> None:
        eventlog.remember(connection, [(uuid, eventlog.append(connection, [payload]))])

    await running.write(log)
    waiting = await running.get(f"/events/{uuid}/explain/")
    assert {verdict["outcome"] for verdict in waiting["destinations"]} == {"waiting"}
    await running.write(lambda connection: eventlog.move_cursor(connection, fanout.READER, 1))
    await keep(running, delivery(1, destination_id=DestinationId(matching["id"]), event_uuid=uuid))
    answer = await running.get(f"/events/{uuid.upper()}/explain/")
    assert (answer["event_uuid"], answer["event"], answer["arrivals"]) == (uuid, "signup", 1)
    verdicts = {verdict["destination_id"]: verdict for verdict in answer["destinations"]}
    assert verdicts[matching["id"]]["outcome"] == "accepted"
    assert verdicts[matching["id"]]["deliveries"][0]["sid"] == "SM1"
    assert verdicts[other["id"]]["outcome"] == "no_match"
    assert verdicts[other["id"]]["steps"][0]["ok"] is False
    assert (await running.call("GET", "/api/projects/1/events/nobody/explain/"))[0] == 404

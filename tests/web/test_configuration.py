"""A list of documents is applied as one, linted, and described for editors."""

import time
from datetime import timedelta
from typing import Any

import msgspec

from smspipe import eventlog
from smspipe.destinations.schema import schema
from smspipe.model.event import Door, Payload
from tests.web.conftest import NOW, Api

FUNCTIONS = "/api/projects/1/hog_functions/"
SHORT: dict[str, Any] = {
    "name": "Order shipped",
    "enabled": True,
    "account": {"sid": "AC" + "1" * 32, "token": "tok-original-secret"},
    "from": "+15005550006",
    "to": "{event.properties.phone}",
    "message": "Order {event.properties.order} left",
    "when": "order shipped",
}


async def store(running: Api, count: int, **properties: Any) -> None:
    """Put events into the log, as capture does."""
    batch = [
        {"event": "order shipped", "distinct_id": f"u{nth}", "properties": {"phone": "+15005550009"} | properties}
        for nth in range(count)
    ]
    body = msgspec.json.encode({"api_key": "phc_x", "batch": batch})
    payload = Payload(door=Door.BATCH, body=body, received_at=NOW - timedelta(hours=1), seed=bytes(8))
    await running.write(lambda connection: eventlog.append(connection, [payload]))


async def test_a_dry_run_tells_and_changes_nothing(running: Api) -> None:
    status, told = await running.call("POST", f"{FUNCTIONS}apply/", {"destinations": [SHORT], "dry_run": True})
    assert status == 200
    assert told["applied"] is False
    assert [(each["position"], each["name"], each["action"]) for each in told["results"]] == [
        (0, "Order shipped", "create")
    ]
    assert (await running.get("/hog_functions/"))["count"] == 0
    assert running.changes == []


async def test_a_list_is_applied_and_the_pipeline_is_told_once(running: Api) -> None:
    documents = [SHORT, {**SHORT, "name": "Another"}]
    status, told = await running.call("POST", f"{FUNCTIONS}apply/", {"destinations": documents})
    assert (status, told["applied"], [each["action"] for each in told["results"]]) == (200, True, ["create", "create"])
    assert len(running.changes) == 1
    status, again = await running.call("POST", f"{FUNCTIONS}apply/", {"destinations": documents})
    assert [(each["action"], each["changes"]) for each in again["results"]] == [("none", []), ("none", [])]
    assert len(running.changes) == 1, "nothing was changed"
    shown = await running.get(f"/hog_functions/{told['results'][0]['id']}/versions/")
    assert shown["count"] == 1


async def test_a_refused_document_is_named_with_its_place_and_nothing_is_changed(running: Api) -> None:
    wrong = {**SHORT, "name": "Broken", "message": "Hi {event.properties."}
    status, problem = await running.call("POST", f"{FUNCTIONS}apply/", {"destinations": [SHORT, wrong, 3]})
    assert (status, problem["type"], problem["attr"]) == (400, "validation_error", "destinations")
    assert problem["detail"].startswith("Document 2 of 3 (Broken) is refused: inputs__smsBody: ")
    assert problem["detail"].endswith(" So is 1 more.")
    first, second = problem["smspipe"]["refused"]
    assert (first["document"], first["name"], first["attr"]) == (1, "Broken", "inputs__smsBody")
    assert isinstance(first["position"], int)
    assert (second["document"], second["detail"]) == (2, "A destination must be an object.")
    assert (await running.get("/hog_functions/"))["count"] == 0
    status, told = await running.call("POST", f"{FUNCTIONS}apply/", {"destinations": [SHORT, wrong], "dry_run": True})
    assert (status, [each["action"] for each in told["results"]]) == (200, ["create", "refused"])


async def test_no_answer_holds_a_secret(running: Api) -> None:
    other = {**SHORT, "account": {"sid": "AC" + "1" * 32, "token": "tok-another-secret"}}
    broken = {**other, "name": "Broken", "message": "{"}
    for documents in ([SHORT], [other], [other, broken]):
        for dry_run in (True, False):
            body = {"destinations": documents, "dry_run": dry_run, "lint": True}
            assert "tok-" not in str(await running.call("POST", f"{FUNCTIONS}apply/", body))


async def test_what_no_document_is_about_is_pruned_on_demand(running: Api) -> None:
    await running.call("POST", f"{FUNCTIONS}apply/", {"destinations": [SHORT, {**SHORT, "name": "Old"}]})
    body = {"destinations": [SHORT], "prune": True}
    _, told = await running.call("POST", f"{FUNCTIONS}apply/", body)
    assert [(each["name"], each["action"], each["position"]) for each in told["results"]] == [
        ("Order shipped", "none", 0),
        ("Old", "delete", None),
    ]
    assert (await running.get("/hog_functions/"))["count"] == 1


async def test_a_list_that_is_none_is_refused(running: Api) -> None:
    wrong: list[tuple[Any, str]] = [
        ({}, "destinations"),
        ({"destinations": {}}, "destinations"),
        ({"destinations": [], "prune": "yes"}, "prune"),
        ({"destinations": [], "max_segments": 0}, "max_segments"),
        ({"destinations": [SHORT] * 2001}, "destinations"),
    ]
    for body, attr in wrong:
        status, problem = await running.call("POST", f"{FUNCTIONS}apply/", body)
        assert (status, problem["attr"]) == (400, attr)


async def test_warnings_are_drawn_from_the_newest_events(running: Api) -> None:
    await store(running, 20, order_id=7)
    body = {"destinations": [SHORT], "dry_run": True, "lint": True}
    _, told = await running.call("POST", f"{FUNCTIONS}apply/", body)
    (result,) = told["results"]
    assert result["warnings"] == [
        {
            "code": "unknown_property",
            "field": "inputs__smsBody",
            "saw": "None of 20 events named 'order shipped' has the property 'order'.",
            "hint": "Did you mean 'order_id'?",
        }
    ]
    at = "2026-01-02T02:04:05.000Z"
    assert result["looked_at"] == {"events": 20, "matched": 20, "since": at, "until": at}


async def test_lint_looks_at_documents_or_at_all_that_is_stored(running: Api) -> None:
    await store(running, 5, order=7)
    status, told = await running.call("POST", f"{FUNCTIONS}lint/", {"destinations": [{**SHORT, "message": "It’s"}]})
    assert status == 200
    (looked,) = told["results"]
    assert (looked["id"], [each["code"] for each in looked["warnings"]]) == (None, ["ucs2_in_template"])
    await running.call("POST", f"{FUNCTIONS}apply/", {"destinations": [SHORT]})
    _, told = await running.call("POST", f"{FUNCTIONS}lint/", {})
    (looked,) = told["results"]
    assert (looked["name"], looked["warnings"], looked["looked_at"]["matched"]) == ("Order shipped", [], 5)
    status, problem = await running.call("POST", f"{FUNCTIONS}lint/", {"destinations": [{"name": "x"}]})
    assert (status, problem["smspipe"]["refused"][0]["attr"]) == (400, "template_id")


async def test_the_answer_to_a_change_carries_warnings(running: Api, body: dict[str, Any]) -> None:
    await store(running, 5)
    created = await running.create({**body, "filters": {"events": [{"id": "order_shipped", "type": "events"}]}})
    (warning,) = created["smspipe"]["warnings"]
    assert (warning["code"], warning["hint"]) == ("unknown_event", "Did you mean 'order shipped'?")
    one = f"{FUNCTIONS}{created['id']}/"
    _, changed = await running.call("PATCH", one, {"filters": {"events": [{"id": "order shipped", "type": "events"}]}})
    assert [each["code"] for each in changed["smspipe"]["warnings"]] == ["recipient_missing"]
    assert "warnings" not in (await running.get(f"/hog_functions/{created['id']}/"))["smspipe"]
    _, deleted = await running.call("PATCH", one, {"deleted": True})
    assert deleted["smspipe"]["warnings"] == []


async def test_saving_stays_fast_beside_a_full_log(running: Api, body: dict[str, Any]) -> None:
    await store(running, 3_000, text="x" * 500)
    body = {**body, "filters": {"events": [{"id": "order shipped", "type": "events"}]}}
    await running.create(body)
    began = time.monotonic()
    await running.create({**body, "name": "Another"})
    assert time.monotonic() - began < 2, "it takes a tenth of a second where nothing else runs"


async def test_the_schema_is_served(running: Api) -> None:
    assert await running.get("/hog_functions/schema/") == schema()

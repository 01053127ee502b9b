"""The project through the API, and destinations that leave its own people out."""

from typing import Any

import pytest

from tests.web.conftest import Api

PATH = "/api/projects/1/"
OURS: dict[str, Any] = {
    "key": "email", "type": "person", "operator": "not_icontains", "value": "@example.com",
}  # fmt: skip
FRESH = {
    "id": 1,
    "name": "Test",
    "api_token": "phc_the-token-of-the-tests",
    "timezone": "UTC",
    "test_account_filters": [],
    "test_account_filters_default_checked": None,
    "updated_at": None,
    "smspipe": {"stopped": None, "held": 0, "alarms": {"webhook_url": None, "text_to": None, "destination_id": None}},
}


@pytest.mark.parametrize(
    "path", ["/api/projects/1/", "/api/projects/1", "/api/projects/@current/", "/api/environments/1/"]
)
async def test_the_project_is_read_by_each_of_its_names(running: Api, path: str) -> None:
    assert await running.call("GET", path) == (200, FRESH)


@pytest.mark.parametrize("path", ["/api/projects/2/", "/api/environments/2/", "/api/projects/x/"])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {"test_account_filters": []})])
async def test_another_project_is_not_found(running: Api, path: str, method: str, body: Any) -> None:
    status, problem = await running.call(method, path, body)
    assert (status, problem["code"]) == (404, "not_found")
    assert running.changes == []


async def test_the_project_is_behind_the_key(running: Api) -> None:
    assert (await running.call("GET", PATH, key=None))[0] == 401
    assert (await running.call("PATCH", PATH, {"test_account_filters": []}, key="phc_the-token-of-the-tests"))[0] == 401


@pytest.mark.parametrize("path", [PATH, "/api/environments/@current"])
async def test_filters_are_changed_and_read_back(running: Api, path: str) -> None:
    status, changed = await running.call("PATCH", path, {"test_account_filters": [OURS]})
    expected = {**FRESH, "test_account_filters": [OURS], "updated_at": "2026-01-02T03:04:05.000Z"}
    assert (status, changed) == (200, expected)
    assert await running.get("/") == expected
    assert len(running.changes) == 1
    assert await running.call("PATCH", path, changed) == (200, expected)


async def test_a_wrong_filter_is_answered_with_its_place(running: Api) -> None:
    wrong = {"test_account_filters": [OURS, {"key": "id", "type": "cohort", "value": 3}]}
    status, problem = await running.call("PATCH", PATH, wrong)
    assert (status, problem["type"], problem["attr"]) == (400, "validation_error", "test_account_filters__1")
    assert problem["detail"].startswith("Your internal/test user filters include cohorts")
    assert await running.get("/") == FRESH
    assert running.changes == []


async def test_a_filter_leaves_out_whom_the_project_names_now(running: Api, body: dict[str, Any]) -> None:
    made = await running.create({**body, "filters": {**body["filters"], "filter_test_accounts": True}})
    path = f"/api/projects/1/hog_functions/{made['id']}/invocations/"
    ann: dict[str, Any] = {
        "id": "1",
        "properties": {"phone": "+15005550009", "name": "Ann", "email": "ann@example.com"},
    }
    sample: dict[str, Any] = {"globals": {"event": {"event": "signup", "distinct_id": "ann"}, "person": ann}}
    _, before = await running.call("POST", path, sample)
    await running.call("PATCH", PATH, {"test_account_filters": [OURS]})
    _, after = await running.call("POST", path, sample)
    assert (before["status"], after["status"]) == ("success", "skipped")
    assert after["smspipe"]["mismatch"] == (
        "property email of the person is ann@example.com, but must not contain @example.com"
    )
    sample["globals"]["person"] = {**ann, "properties": {**ann["properties"], "email": "bob@other.net"}}
    assert (await running.call("POST", path, sample))[1]["status"] == "success"


async def test_a_filter_that_does_not_ask_for_it_texts_everybody(running: Api, body: dict[str, Any]) -> None:
    await running.call("PATCH", PATH, {"test_account_filters": [OURS]})
    made = await running.create(body)
    path = f"/api/projects/1/hog_functions/{made['id']}/invocations/"
    ann: dict[str, Any] = {
        "id": "1",
        "properties": {"phone": "+15005550009", "name": "Ann", "email": "ann@example.com"},
    }
    sample: dict[str, Any] = {"globals": {"event": {"event": "signup", "distinct_id": "ann"}, "person": ann}}
    assert (await running.call("POST", path, sample))[1]["status"] == "success"

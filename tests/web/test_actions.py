"""Actions through the API: PostHog's shapes, and filters and pairs that ask for them."""

from typing import Any

import pytest

from tests.web.conftest import Api

PATH = "/api/projects/1/actions/"
STEP = {"event": "$autocapture", "text": "Buy", "text_matching": "exact"}
BODY = {"name": "Bought", "description": "The green button.", "tags": ["shop"], "steps": [STEP]}
CLICKED = {
    "event": "$autocapture",
    "properties": {"$elements_chain": 'button.buy:nth-child="1"nth-of-type="1"text="Buy"'},
    "distinct_id": "ada",
}


async def create(running: Api, **more: Any) -> Any:
    status, created = await running.call("POST", PATH, {**BODY, **more})
    assert status == 201, created
    return created


async def test_an_action_is_stored_listed_and_read(running: Api) -> None:
    created = await create(running)
    at = "2026-01-02T03:04:05.000Z"
    assert created == {**BODY, "id": 1, "created_at": at, "updated_at": at, "deleted": False}
    listed = {"count": 1, "next": None, "previous": None, "results": [created]}
    assert await running.get("/actions/") == listed
    assert await running.get("/actions/1/") == created
    assert await running.call("GET", "/api/environments/1/actions/1") == (200, created)


async def test_the_list_has_pages(running: Api) -> None:
    for name in ("b", "a", "c"):
        await create(running, name=name)
    listed = await running.get("/actions/?limit=1&offset=1")
    assert ([each["name"] for each in listed["results"]], listed["count"]) == (["b"], 3)
    assert listed["next"].endswith("/actions?limit=1&offset=2")
    assert listed["previous"].endswith("/actions?limit=1&offset=0")


async def test_an_action_is_changed_deleted_and_taken_back(running: Api) -> None:
    created = await create(running)
    status, changed = await running.call("PATCH", PATH + "1/", {"description": "Blue by now."})
    assert (status, changed) == (200, {**created, "description": "Blue by now."})
    status, gone = await running.call("PATCH", PATH + "1/", {"deleted": True})
    assert (status, gone["deleted"]) == (200, True)
    assert (await running.call("GET", PATH + "1/"))[0] == 404
    assert (await running.call("PATCH", PATH + "1/", {"name": "New"}))[0] == 404
    status, back = await running.call("PATCH", PATH + "1/", {"deleted": False})
    assert (status, back) == (200, changed)


async def test_new_events_meet_every_change(running: Api) -> None:
    await create(running)
    await running.call("PATCH", PATH + "1/", {"steps": []})
    await running.call("PATCH", PATH + "1/", {"deleted": True})
    assert len(running.changes) == 3
    await running.call("POST", PATH, {"steps": []})
    assert len(running.changes) == 3


@pytest.mark.parametrize("id_", ["2", "x", "-1", "99999999999", "²"])
async def test_what_is_not_there_is_not_found(running: Api, id_: str) -> None:
    await create(running)
    for method, body in (("GET", None), ("PATCH", {"name": "New"})):
        status, problem = await running.call(method, f"{PATH}{id_}/", body)
        assert (status, problem["code"]) == (404, "not_found")


async def test_delete_is_refused_with_what_to_send_instead(running: Api) -> None:
    await create(running)
    status, problem = await running.call("DELETE", PATH + "1/")
    assert (status, problem["code"]) == (405, "method_not_allowed")
    assert 'PATCH {"deleted": true} to /actions/1/' in problem["detail"]


async def test_the_actions_are_behind_the_key(running: Api) -> None:
    assert (await running.call("GET", PATH, key=None))[0] == 401
    assert (await running.call("POST", PATH, BODY, key="phx_wrong"))[0] == 401


@pytest.mark.parametrize(
    ("body", "attr", "code"),
    [
        ({"steps": []}, "name", "required"),
        ({"name": ""}, "name", "invalid_input"),
        ({"name": "A", "steps": [{"event": 7}]}, "steps__0__event", "invalid_input"),
        (
            {"name": "A", "steps": [{"text": "(", "url": "(", "url_matching": "regex"}]},
            "steps__0__url",
            "invalid_input",
        ),
        ({"name": "A", "deleted": "yes"}, None, None),
        ([], None, "invalid_input"),
    ],
)
async def test_a_wrong_body_is_answered_in_the_one_shape(
    running: Api, body: Any, attr: str | None, code: str | None
) -> None:
    status, problem = await running.call("POST", PATH, body)
    if code is None:
        assert status == 201, "a new action is not deleted, whatever is said"
        assert problem["deleted"] is False
    else:
        assert (status, problem["type"], problem["attr"], problem["code"]) == (400, "validation_error", attr, code)


async def test_a_filter_asks_for_an_action(running: Api, body: dict[str, Any]) -> None:
    body["filters"] = {"actions": [{"id": 1, "name": "Bought", "type": "actions"}]}
    status, problem = await running.call("POST", "/api/projects/1/hog_functions/", body)
    assert (status, problem["attr"]) == (400, "filters__actions__0")
    await create(running)
    made = await running.create(body)
    path = f"/api/projects/1/hog_functions/{made['id']}/invocations/"
    person = {"id": "1", "properties": {"phone": "+15005550009"}}
    _, bought = await running.call("POST", path, {"globals": {"event": CLICKED, "person": person}})
    assert bought["smspipe"]["routes"][0]["message"]["to"] == "+15005550009"
    other = {**CLICKED, "properties": {"$elements_chain": 'button:nth-child="1"nth-of-type="1"text="Cancel"'}}
    _, cancelled = await running.call("POST", path, {"globals": {"event": other, "person": person}})
    assert (cancelled["status"], cancelled["smspipe"]["routes"]) == ("skipped", [])
    assert cancelled["smspipe"]["mismatch"] == "the text that was clicked is not the one of this action, Buy"
    await running.call("PATCH", PATH + "1/", {"steps": [{"event": "$autocapture", "text": "Cancel"}]})
    _, cancelled = await running.call("POST", path, {"globals": {"event": other, "person": person}})
    assert cancelled["status"] == "success"


async def test_an_action_in_use_is_kept_and_the_answer_names_who_uses_it(running: Api, body: dict[str, Any]) -> None:
    await create(running)
    body["filters"] = {"actions": [{"id": "1"}]}
    await running.create(body)
    status, problem = await running.call("PATCH", PATH + "1/", {"deleted": True})
    assert (status, problem["attr"]) == (400, "deleted")
    assert problem["detail"] == "The destination 'Welcome' asks for this action, so it cannot be deleted."
    assert (await running.get("/actions/1/"))["deleted"] is False

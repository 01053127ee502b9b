"""Stored accounts: confirmed by Twilio before they are kept, and never shown with their secret."""

from datetime import timedelta
from typing import Any

import pytest

from smspipe.web.services import PhoneNumber
from tests.web.conftest import Api

PATH = "/api/projects/1/integrations/"
BODY = {"kind": "twilio", "config": {"account_sid": "AC" + "1" * 32, "auth_token": "tok-integration-secret"}}


async def test_an_account_is_stored_listed_read_and_forgotten(running: Api) -> None:
    status, created = await running.call("POST", PATH, BODY)
    assert status == 201
    assert created == {
        "id": 1,
        "kind": "twilio",
        "integration_id": "AC" + "1" * 32,
        "config": {"account_sid": "AC" + "1" * 32},
        "display_name": "AC" + "1" * 32,
        "errors": "",
        "created_at": "2026-01-02T03:04:05.000Z",
        "created_by": {"first_name": "api"},
    }
    assert (await running.get("/integrations/"))["results"] == [created]
    assert (await running.get("/integrations/?kind=slack"))["count"] == 0
    assert await running.get("/integrations/1/") == created
    assert await running.call("DELETE", PATH + "1/") == (204, None)
    assert (await running.call("GET", PATH + "1/"))[0] == 404
    assert (await running.call("DELETE", PATH + "1/"))[0] == 404
    assert len(running.changes) == 2


async def test_an_account_that_twilio_does_not_know_is_not_stored(running: Api) -> None:
    wrong = {"kind": "twilio", "config": {"account_sid": "AC" + "2" * 32, "auth_token": "tok-secret"}}
    status, answer = await running.call("POST", PATH, wrong)
    assert (status, answer["attr"], answer["detail"]) == (400, "account_info", "Failed to get account info")
    assert "tok-secret" not in str(answer)
    assert (await running.get("/integrations/"))["count"] == 0


@pytest.mark.parametrize("path", ["x/", "99/", "99/twilio_phone_numbers", "-1/"])
async def test_an_account_that_is_not_there_is_not_found(path: str, running: Api) -> None:
    assert (await running.call("GET", PATH + path))[0] == 404


async def test_a_broken_body_is_refused(running: Api) -> None:
    status, answer = await running.call("POST", PATH, {"kind": "twilio", "config": {"auth_token": "tok-secret"}})
    assert (status, answer["attr"], answer["detail"]) == (400, "config", "Account SID and auth token must be provided")


async def test_numbers_are_asked_for_once_an_hour_or_when_forced(running: Api) -> None:
    await running.call("POST", PATH, BODY)
    path = PATH + "1/twilio_phone_numbers"
    number = {"sid": "PN1", "phone_number": "+15005550006", "friendly_name": "Main"}
    first = (200, {"phone_numbers": [number], "lastRefreshedAt": "2026-01-02T03:04:05.000Z"})
    assert await running.call("GET", path) == first
    running.twilio.numbers = [PhoneNumber(sid="PN2", phone_number="+15005550001", friendly_name="New")]
    running.clock.pass_(timedelta(minutes=59))
    assert await running.call("GET", path) == first
    assert running.twilio.asked == 1
    _, forced = await running.call("GET", path + "?force_refresh=true")
    assert forced["phone_numbers"][0]["sid"] == "PN2"
    running.clock.pass_(timedelta(hours=1))
    await running.call("GET", path)
    assert running.twilio.asked == 3


async def test_a_stored_account_is_checked_when_asked(running: Api) -> None:
    await running.call("POST", PATH, BODY)
    ok = await running.call("POST", PATH + "1/check/")
    running.twilio.known.clear()
    refused = await running.call("POST", PATH + "1/check")
    assert ok == (200, {"ok": True, "detail": "Twilio takes the credentials."})
    assert refused == (200, {"ok": False, "detail": "Twilio does not know these credentials."})


async def test_a_destination_sends_with_a_stored_account(running: Api) -> None:
    await running.call("POST", PATH, BODY)
    inputs: dict[str, Any] = {
        "twilio_account": {"value": 1},
        "from_number": {"value": "+15005550006"},
        "to_number": {"value": "+15005550009"},
        "message": {"value": "Hi {{ event.event }}"},
    }
    made = {"template_id": "template-twilio", "enabled": True, "inputs": inputs}
    created = await running.create(made)
    assert created["inputs"]["message"]["templating"] == "liquid"
    path = f"/api/projects/1/hog_functions/{created['id']}/invocations/"
    _, answer = await running.call("POST", path, {"globals": {"event": {"event": "signup"}}})
    assert answer["smspipe"]["routes"][0]["message"]["body"] == "Hi signup"
    await running.call("DELETE", PATH + "1/")
    _, answer = await running.call("POST", path, {"globals": {"event": {"event": "signup"}}})
    assert (answer["status"], answer["smspipe"]["routes"][0]["reason"]) == ("error", "credentials")

"""Whom alarms are told to, the list of alarms, and who may be erased, through the API."""

from typing import Any

import pytest

from smspipe.deliveries import alarms
from smspipe.deliveries.alarms import Kind, State
from tests.web.conftest import NOW, Api

PATH = "/api/projects/1/"
ON_CALL = {"text_to": "+14155550133", "destination_id": "0199b0c4-3f5e-7000-8000-3b1c5a2d9e01"}


async def change(running: Api, wished: Any) -> tuple[int, Any]:
    """Set whom alarms are told to."""
    return await running.call("PATCH", PATH, {"smspipe": {"alarms": wished}})


async def test_whom_alarms_are_told_to_is_set_as_a_whole_and_read_back(running: Api) -> None:
    status, changed = await change(running, {"webhook_url": "https://ops.example.com/x"})
    assert status == 200
    secret = changed["smspipe"].pop("webhook_secret")
    assert len(secret) >= 32
    assert changed["smspipe"]["alarms"] == {
        "webhook_url": "https://ops.example.com/x", "text_to": None, "destination_id": None,
    }  # fmt: skip
    assert secret not in str(await running.get("/"))
    _, changed = await change(running, ON_CALL)
    assert changed["smspipe"]["alarms"] == {"webhook_url": None, **ON_CALL}
    assert "webhook_secret" not in changed["smspipe"]
    assert (await running.call("PATCH", PATH, changed))[0] == 200
    _, changed = await change(running, None)
    assert set(changed["smspipe"]["alarms"].values()) == {None}


@pytest.mark.parametrize(
    ("wished", "field"),
    [
        ({"webhook_url": "ftp://example.com"}, "smspipe__alarms__webhook_url"),
        ({"webhook_url": "https://user:word@example.com"}, "smspipe__alarms__webhook_url"),
        ({"webhook_url": 7}, "smspipe__alarms__webhook_url"),
        ({"webhook_url": "https://example.com", "webhook_secret": "short"}, "smspipe__alarms__webhook_secret"),
        ({"text_to": "+14155550133"}, "smspipe__alarms"),
        ({"text_to": "no number", "destination_id": "x"}, "number"),
        ({"webhook": "https://example.com"}, "smspipe__alarms"),
        ([], "smspipe__alarms"),
    ],
)
async def test_a_wrong_field_is_named(running: Api, wished: Any, field: str) -> None:
    status, problem = await change(running, wished)
    assert (status, problem["attr"]) == (400, field)


async def test_alarms_are_listed_open_and_over(running: Api) -> None:
    def job(connection: Any) -> None:
        alarms.open_(connection, Kind.STOPPED, "", "Everything is stopped.", NOW)
        over = alarms.open_(connection, Kind.FAILING, "shop", "Texts fail.", NOW)
        alarms.change(connection, over.id, State.RESOLVED, "Texts fail.", NOW)

    await running.write(job)
    listed = await running.get("/alarms/")
    assert [(each["kind"], each["destination_id"]) for each in listed["open"]] == [("stopped", None)]
    assert [(each["kind"], each["destination_id"]) for each in listed["recent"]] == [("failing", "shop")]
    assert listed["recent"][0]["resolved_at"] == "2026-01-02T03:04:05.000Z"
    assert listed["open"][0]["told"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "number"),
        ({"number": "+14155550133", "distinct_id": "u"}, "number"),
        ({"number": "hello"}, "number"),
        ({"distinct_id": " "}, "distinct_id"),
        ({"distinct_id": "u", "persons": "some"}, "persons"),
        ({"person": "u"}, "person"),
    ],
)
async def test_who_is_to_be_erased_must_be_plain(running: Api, body: Any, field: str) -> None:
    status, problem = await running.call("POST", PATH + "erase/", body)
    assert (status, problem["attr"]) == (400, field)


@pytest.mark.parametrize(("body", "field"), [({}, "held"), ({"held": "burn"}, "held"), ({"what": "send"}, "what")])
async def test_a_resume_needs_a_word_on_the_held(running: Api, body: Any, field: str) -> None:
    status, problem = await running.call("POST", PATH + "resume/", body)
    assert (status, problem["attr"]) == (400, field)


async def test_a_stop_and_a_resume_are_behind_the_key(running: Api) -> None:
    for path in ("stop/", "resume/", "erase/"):
        assert (await running.call("POST", PATH + path, {}, key="phc_the-token-of-the-tests"))[0] == 401
    assert (await running.get("/"))["smspipe"]["stopped"] is None

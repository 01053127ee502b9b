"""Trying a destination: the decision is the real one, and nothing is sent unless it is asked for."""

from dataclasses import replace
from typing import Any

import pytest

from smspipe.model.destination import Destination
from smspipe.model.filter import Shared
from smspipe.model.ids import MessageSid
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason, Step
from smspipe.model.phone import E164
from smspipe.pipeline.trial import Attempt, Sample, Trial
from smspipe.sending import Accepted, Refused
from tests.web.conftest import Api, put_behind

NEW = "/api/projects/1/hog_functions/new/invocations/"
ADA = {
    "event": {"event": "signup", "distinct_id": "u-1", "properties": {"plan": "pro"}},
    "person": {"id": "p-1", "properties": {"name": "Ada", "phone": "+15005550009"}},
}


async def test_a_mocked_run_shows_the_request_as_it_would_leave_without_the_credentials(
    running: Api, body: dict[str, Any]
) -> None:
    status, answer = await running.call("POST", NEW, {"configuration": body, "globals": ADA})
    assert status == 200
    assert (answer["status"], answer["errors"], answer["result"]) == ("success", [], None)
    assert [(line["level"], line["message"]) for line in answer["logs"][:2]] == [
        ("info", "Async function 'fetch' was mocked with arguments:"),
        (
            "info",
            "fetch('https://api.twilio.com/2010-04-01/Accounts/AC" + "1" * 32 + "/Messages.json', {\n"
            '  "method": "POST",\n'
            '  "headers": {\n'
            '    "Authorization": "Basic ***REDACTED***",\n'
            '    "Content-Type": "application/x-www-form-urlencoded"\n'
            "  },\n"
            '  "body": "To=%2B15005550009&From=%2B15005550006&Body=Hi%20Ada"\n'
            "})",
        ),
    ]
    times = [line["timestamp"] for line in answer["logs"]]
    assert times == sorted(set(times))
    (route,) = answer["smspipe"]["routes"]
    assert route["message"] == {
        "to": "+15005550009",
        "from": "+15005550006",
        "body": "Hi Ada",
        "encoding": "GSM-7",
        "segments": 1,
    }
    assert all(step["ok"] for step in route["steps"])


async def test_a_saved_destination_is_tried_as_it_is_or_with_changes_that_are_not_saved(
    running: Api, body: dict[str, Any]
) -> None:
    created = await running.create(body)
    path = f"/api/projects/1/hog_functions/{created['id']}/invocations"
    _, as_it_is = await running.call("POST", path, {"globals": ADA})
    inputs = {**created["inputs"], "smsBody": {"value": "Bye {person.properties.name}"}}
    changed = {**created, "inputs": inputs, "enabled": False}
    _, with_changes = await running.call("POST", path, {"globals": ADA, "configuration": changed})
    assert as_it_is["smspipe"]["routes"][0]["message"]["body"] == "Hi Ada"
    assert with_changes["smspipe"]["routes"][0]["message"]["body"] == "Bye Ada"
    assert (await running.get(f"/hog_functions/{created['id']}/"))["smspipe"]["version"] == 1


async def test_an_event_that_does_not_meet_the_filter_is_skipped_and_it_is_said_why(
    running: Api, body: dict[str, Any]
) -> None:
    other = {**ADA, "event": {**ADA["event"], "event": "logout"}}
    _, answer = await running.call("POST", NEW, {"configuration": body, "globals": other})
    assert (answer["status"], answer["errors"]) == ("skipped", [])
    assert "logout" in answer["smspipe"]["mismatch"]
    assert answer["smspipe"]["mismatch"] in answer["logs"][0]["message"]


async def test_a_missing_recipient_is_an_error_with_its_step(running: Api, body: dict[str, Any]) -> None:
    _, answer = await running.call("POST", NEW, {"configuration": body, "globals": {"event": ADA["event"]}})
    assert answer["status"] == "error"
    (route,) = answer["smspipe"]["routes"]
    assert route["reason"] == "recipient_missing"
    assert answer["errors"] == [route["steps"][-1]["saw"]]
    assert answer["logs"][0]["level"] == "error"


async def test_a_row_of_posthogs_events_will_do_as_well(running: Api, body: dict[str, Any]) -> None:
    row = {
        "uuid": "01912e4c-0000-7000-8000-000000000001",
        "event": "signup",
        "distinct_id": "u-1",
        "properties": '{"plan": "pro"}',
        "timestamp": "2026-01-02T03:04:05.000Z",
        "person_id": "p-1",
        "person_properties": '{"name": "Ada", "phone": "+15005550009"}',
    }
    _, answer = await running.call("POST", NEW, {"configuration": body, "clickhouse_event": row})
    assert answer["smspipe"]["routes"][0]["message"]["body"] == "Hi Ada"


async def test_an_elements_chain_of_the_sample_can_be_filtered_on(running: Api, body: dict[str, Any]) -> None:
    body["filters"] = {"properties": [{"key": "text", "value": "Buy", "operator": "exact", "type": "element"}]}
    chain = 'button.big:text="Buy"nth-child="1"'
    for text, status in (("Buy", "success"), ("Sell", "skipped")):
        event = {**ADA["event"], "event": "$autocapture", "elements_chain": chain.replace("Buy", text)}
        _, answer = await running.call("POST", NEW, {"configuration": body, "globals": {**ADA, "event": event}})
        assert answer["status"] == status


@pytest.mark.parametrize(
    ("change", "attr", "detail"),
    [
        ({"globals": None}, "globals", "Missing event"),
        ({"globals": {"person": {}}}, "globals", "Missing event"),
        ({"invocation_id": "x"}, "invocation_id", "Invalid invocation ID"),
        ({"invocation_id": 5}, "invocation_id", "Invalid invocation ID"),
        ({"mock_async_functions": "no"}, "mock_async_functions", "Must be a valid boolean."),
        ({"configuration": []}, "template_id", "This field is required."),
        ({"configuration": [1]}, "configuration", "Must be an object."),
        (
            {"globals": None, "clickhouse_event": {"event": "x", "properties": "{"}},
            "clickhouse_event__properties",
            "Must be a JSON object.",
        ),
    ],
)
async def test_a_test_that_cannot_be_run_is_refused(
    change: dict[str, Any], attr: str, detail: str, running: Api, body: dict[str, Any]
) -> None:
    status, answer = await running.call("POST", NEW, {"configuration": body, "globals": ADA, **change})
    assert (status, answer["attr"], answer["detail"]) == (400, attr, detail)


async def test_a_destination_that_is_not_there_cannot_be_tried(running: Api) -> None:
    status, _ = await running.call("POST", "/api/projects/1/hog_functions/nobody/invocations/", {"globals": ADA})
    assert status == 404


TEXT = Message(to=E164("+15005550009"), sender="+15005550006", body="Hi", encoding=Encoding.GSM_7, segments=1)


TAKEN = Accepted(sid=MessageSid("SM1"), status="queued")


@pytest.mark.parametrize(
    ("attempts", "status", "levels"),
    [
        ([TAKEN], "success", ["info", "debug"]),
        ([Refused(saw="Twilio refused it.")], "error", ["error", "debug"]),
        ([TAKEN, Refused(saw="No.")], "error",
         ["info", "error", "debug"]),
        ([Reason.TOO_OLD], "skipped", ["warn", "debug"]),
        ([Reason.TOO_OLD, TAKEN], "success", ["warn", "info", "debug"]),
    ],
    ids=["accepted", "refused", "one of two refused", "too old", "one of two too old"],
)  # fmt: skip
async def test_a_real_run_ends_as_twilio_answered(
    attempts: list[Any], status: str, levels: list[str], running: Api, body: dict[str, Any]
) -> None:
    asked: list[bool] = []

    async def test(destination: Destination, shared: Shared, sample: Sample, mock: bool) -> Trial:
        asked.append(mock)
        return Trial(attempts=tuple(attempt(route, answer) for route, answer in enumerate(attempts)))

    def attempt(route: int, answer: Any) -> Attempt:
        if isinstance(answer, Reason):
            step = Step(name="age", ok=False, saw="It is too old.", reason=answer)
            return Attempt(route=route, steps=(step,), message=None, reason=answer)
        reason = None if isinstance(answer, Accepted) else answer.reason
        step = Step(name="send", ok=reason is None, saw=getattr(answer, "saw", ""), reason=reason)
        request = {"url": "/x", "method": "POST", "body": {"To": "+15005550009"}}
        return Attempt(route=route, steps=(step,), message=TEXT, reason=reason, request=request, answer=answer)

    put_behind(replace(running.services, test=test))
    sent = {"configuration": body, "globals": ADA, "mock_async_functions": False}
    _, answer = await running.call("POST", NEW, sent)
    assert asked == [False]
    assert answer["status"] == status
    assert [line["level"] for line in answer["logs"]] == levels
    assert [route["sid"] for route in answer["smspipe"]["routes"]] == [getattr(each, "sid", None) for each in attempts]

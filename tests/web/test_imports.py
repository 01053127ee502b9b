"""The import over HTTP: one transaction, nothing switched on, a report; and an export comes back as it was."""

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.destinations import programs
from tests.web.conftest import API_KEY, Api

FUNCTIONS = "/api/projects/1/hog_functions/"
IMPORT = FUNCTIONS + "import/"
SID = "AC" + "1" * 32


def exported(name: str = "From PostHog", **changes: Any) -> dict[str, Any]:
    """An export of PostHog's first template."""
    inputs = {
        "accountSid": {"value": SID, "bytecode": ["_H", 1, 32, SID], "order": 0},
        "authToken": {"secret": True},
        "fromPhoneNumber": {"value": "+15005550006", "order": 1},
        "phoneNumber": {"value": "{person.properties.phone}", "order": 2},
        "smsBody": {"value": "Event Notification: {event.event} occurred.", "order": 3},
    }
    return {
        "type": "destination",
        "name": name,
        "enabled": True,
        "hog": programs.FIRST,
        "inputs": inputs,
        "filters": {"source": "events", "events": [{"id": "signup", "type": "events"}], "bytecode": ["_H", 1]},
        "template": {"id": "template-twilio"},
        **changes,
    }


async def imported(running: Api, export: Any, **options: Any) -> Any:
    body = {"export": export, "secrets": {"authToken": "tok-of-the-import"}, **options}
    status, report = await running.call("POST", IMPORT, body)
    assert status == 200, report
    return report


async def full(running: Api) -> list[dict[str, Any]]:
    return list((await running.get("/hog_functions/?full=true&limit=500"))["results"])


async def form_of(running: Api, of: str, sample: dict[str, Any]) -> str:
    """Give the body of the request that would be made, as it would leave."""
    body = {"globals": sample, "mock_async_functions": True}
    status, tried = await running.call("POST", f"{FUNCTIONS}{of}/invocations/", body)
    assert (status, tried["status"]) == (200, "success"), tried
    (line,) = [each["message"] for each in tried["logs"] if each["message"].startswith("fetch(")]
    return str(json.loads(line[line.index("{") : line.rindex("}") + 1])["body"])


async def test_a_text_leaves_as_posthog_would_send_it(running: Api) -> None:
    report = await imported(running, exported())
    sample = {
        "event": {"event": "signup", "timestamp": "2026-01-02T03:04:05.678Z"},
        "person": {"properties": {"phone": "+15005550009"}},
    }
    assert await form_of(running, report["results"][0]["id"], sample) == (
        "To=%2B15005550009&From=%2B15005550006&Body=Event%20Notification%3A%20signup%20occurred."
        "%20-%20Event%3A%20signup%20at%202026-01-02"
    )


async def test_liquid_leaves_escaped_as_posthog_would_send_it(running: Api) -> None:
    account = {"kind": "twilio", "config": {"account_sid": SID, "auth_token": "tok-stored"}}
    assert (await running.call("POST", "/api/projects/1/integrations/", account))[0] == 201
    inputs = {
        "twilio_account": {"value": 12},
        "from_number": {"value": "+15005550006"},
        "to_number": {"value": "{{ person.properties.phone }}", "templating": "liquid"},
        "message": {
            "value": "Hi {{ person.properties.name }}, {{ person.properties.name | raw }}",
            "templating": "liquid",
        },
    }
    sample = {
        "event": {"event": "signup"},
        "person": {"properties": {"phone": "+15005550009", "name": "O'Brien & Co"}},
    }
    forms = []
    for name, escape in (("As it was", True), ("As it is meant", False)):
        report = await imported(running, exported(name, inputs=inputs, hog=programs.SECOND), escape=escape)
        forms.append((await form_of(running, report["results"][0]["id"], sample)).partition("&Body=")[2])
    assert forms == [
        "Hi%20O%26%2339%3BBrien%20%26amp%3B%20Co%2C%20O'Brien%20%26%20Co",
        "Hi%20O'Brien%20%26%20Co%2C%20O'Brien%20%26%20Co",
    ]


async def test_nothing_is_switched_on_and_the_pipeline_is_told(running: Api) -> None:
    report = await imported(running, [exported("One"), exported("Two"), exported("Three", type="transformation")])
    assert (report["dry_run"], report["imported"]) == (False, 2)
    assert [one["imported"] for one in report["results"]] == [True, True, False]
    assert [each["enabled"] for each in await full(running)] == [False, False]
    assert len(running.changes) == 1
    assert "tok-of-the-import" not in json.dumps([report, await full(running)])


async def test_a_dry_run_reports_the_same_and_stores_nothing(running: Api) -> None:
    tried = await imported(running, [exported("One"), exported("One")], dry_run=True)
    assert await full(running) == []
    assert running.changes == []
    done = await imported(running, [exported("One"), exported("One")])
    for report in (tried, done):
        for one in report["results"]:
            one.pop("id")
    assert {**tried, "dry_run": False} == done


async def test_the_export_may_be_the_body_itself_with_options_in_the_query(running: Api) -> None:
    status, report = await running.call("POST", IMPORT + "?dry_run=true&suffix=false", {"results": [exported()]})
    assert (status, report["dry_run"]) == (200, True)
    (one,) = report["results"]
    assert one["missing_secrets"] == ["authToken"]
    assert any("it is left out here" in line for line in one["changed"])
    status, report = await running.call("POST", IMPORT, [exported("A"), exported("B")])
    assert [one["imported"] for one in report["results"]] == [False, False]


async def test_secrets_go_by_the_name_of_a_destination_before_all(running: Api) -> None:
    secrets = {"authToken": "tok-for-all", "B": {"authToken": "tok-for-b"}, "C": {}}
    report = await imported(running, [exported("A"), exported("B"), exported("C")], secrets=secrets)
    assert report["imported"] == 3
    report = await imported(running, [exported("D"), exported("E")], secrets={"E": {"authToken": "tok-for-e"}})
    assert [one["missing_secrets"] for one in report["results"]] == [["authToken"], []]


async def test_an_import_can_be_repeated(running: Api) -> None:
    first = await imported(running, exported())
    again = await imported(running, exported())
    assert first["imported"] == 1
    assert again["imported"] == 0
    assert "here already; it was left alone" in again["results"][0]["needs"][-1]
    assert len(await full(running)) == 1


async def test_what_cannot_be_run_yet_is_kept_switched_off_and_says_why(running: Api) -> None:
    cohort = {"properties": [{"key": "id", "value": 5, "type": "cohort"}]}
    action = {"actions": [{"id": 7, "name": "Bought", "type": "actions"}]}
    report = await imported(running, [exported("Cohort", filters=cohort), exported("Action", filters=action)])
    assert report["imported"] == 2
    for one, word in zip(report["results"], ("cohort", "action"), strict=True):
        assert any("cannot be switched on yet" in line and word in line.lower() for line in one["needs"]), one
        status, _ = await running.call("PATCH", f"{FUNCTIONS}{one['id']}/", {"enabled": True})
        assert status == 400


async def test_what_the_service_refuses_says_so_and_the_rest_is_stored(running: Api) -> None:
    broken = exported("Broken", inputs={**exported()["inputs"], "smsBody": {"value": "Hi {person."}})
    report = await imported(running, [broken, exported("Good")])
    assert [one["imported"] for one in report["results"]] == [False, True]
    assert "It was refused: Invalid template" in report["results"][0]["needs"][-1]


async def test_a_large_export_is_read(running: Api) -> None:
    export = [exported("Long", description="x" * 2_000_000), exported("Good")]
    body = {"export": export, "secrets": {"authToken": "tok-of-the-import"}}
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    data = io.BytesIO(json.dumps(body).encode())
    async with running.session.post(running.address + IMPORT, data=data, headers=headers) as answer:
        report = await answer.json()
    assert [one["imported"] for one in report["results"]] == [False, True]
    assert "no more than 10000 characters" in report["results"][0]["needs"][-1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "The export is empty."),
        ({"results": []}, "The export is empty."),
        (3, "no export of PostHog"),
        ({"export": [], "acount": 1}, "acount"),
        ({"export": [], "account": "one"}, "account"),
        ({"export": [], "secrets": {"authToken": 5}}, "secrets"),
    ],
)
async def test_a_body_without_an_export_is_refused(running: Api, body: Any, said: str) -> None:
    status, problem = await running.call("POST", IMPORT, body)
    assert (status, said in problem["detail"]) == (400, True), problem


async def test_broken_json_is_refused(running: Api) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    async with running.session.post(running.address + IMPORT, data=b'{"results": [', headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "parse_error"


async def test_an_import_needs_the_key(running: Api) -> None:
    assert (await running.call("POST", IMPORT, [], key=None))[0] == 401


# ---- an export comes back as it was --------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="{}\\\x00"), min_size=1, max_size=20)
HOG = TEXTS | st.sampled_from(["Hi {person.name}", "{event.properties.n ?? 'x'}", r"\{literal}"])
CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {"key": TEXTS, "operator": st.sampled_from(["exact", "is_set", "icontains", "gt"]), "value": st.just("1")},
        optional={"type": st.sampled_from(["event", "person"])},
    ),
    max_size=3,
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "events": st.lists(
            st.fixed_dictionaries(
                {"id": TEXTS | st.none(), "type": st.just("events")}, optional={"properties": CONDITIONS}
            ),
            max_size=3,
        ),
        "properties": CONDITIONS,
        "filter_test_accounts": st.booleans(),
        "somebody's own": st.integers(0, 9),
    },
)
MASKING = st.none() | st.fixed_dictionaries(
    {"hash": st.sampled_from(["{person.id}", "all"]), "ttl": st.integers(1, 31_536_000)},
    optional={"threshold": st.none() | st.integers(1, 1000)},
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "truncate": st.booleans(),
        "max_age": st.integers(1, 1000),
        "default_country": st.sampled_from(["US", "AT"]),
        "filter_mode": st.sampled_from(["sane", "posthog"]),
        "escape_html": st.booleans(),
    },
)
CREDENTIALS = st.fixed_dictionaries(
    {
        "accountSid": st.just({"value": SID}),
        "authToken": st.just({"value": "tok-of-the-first"}),
        "fromPhoneNumber": st.just({"value": "+15005550006"}),
        "smsBody": st.fixed_dictionaries({"value": HOG})
        | st.fixed_dictionaries({"value": TEXTS, "templating": st.just("liquid")}),
    },
    optional={"phoneNumber": st.just({"value": "{event.properties.to}"})},
)
PLUGIN = st.fixed_dictionaries(
    {
        "accountSID": st.just({"value": SID}),
        "authToken": st.just({"value": "tok-of-the-first"}),
        "triggeringEventsAndNumber": st.just({"value": "signup:+15005550001,b:+15005550002"}),
        "senderPhoneNumber": st.just({"value": "+15005550006"}),
        "timeout": st.integers(1, 1000).map(lambda n: {"value": str(n)}),
    }
)
STORED = st.fixed_dictionaries(
    {
        "twilio_account": st.just({"value": 1}),
        "from_number": st.just({"value": "+15005550006"}),
        "to_number": st.just({"value": "{person.properties.phone}"}),
        "message": st.fixed_dictionaries({"value": HOG}),
    }
)
COMMON = {"description": TEXTS, "execution_order": st.none() | st.integers(0, 9), "smspipe": OPTIONS}
BODIES = st.one_of(
    st.fixed_dictionaries(
        {"template_id": st.just("template-twilio"), "inputs": CREDENTIALS | STORED},
        optional={**COMMON, "filters": FILTERS, "masking": MASKING, "hog": st.just(programs.FIRST)},
    ),
    st.fixed_dictionaries({"template_id": st.just("template-twilio-cooldown"), "inputs": PLUGIN}, optional=COMMON),
)


def without_what_may_differ(destination: dict[str, Any]) -> dict[str, Any]:
    left_out = ("id", "created_at", "created_by", "updated_at", "enabled", "status")
    kept = {key: value for key, value in destination.items() if key not in left_out}
    return {**kept, "smspipe": {key: value for key, value in kept["smspipe"].items() if key != "version"}}


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(bodies=st.lists(BODIES, min_size=1, max_size=3))
async def test_importing_an_export_is_the_identity(running: Api, bodies: list[dict[str, Any]]) -> None:
    account = {"kind": "twilio", "config": {"account_sid": SID, "auth_token": "tok-stored"}}
    assert (await running.call("POST", "/api/projects/1/integrations/", account))[0] == 201
    for each in await full(running):
        await running.call("PATCH", f"{FUNCTIONS}{each['id']}/", {"deleted": True})
    for number, each in enumerate(bodies):
        await running.create({**each, "name": f"Number {number}"})
    first = sorted(await full(running), key=lambda each: each["name"])
    for each in first:
        await running.call("PATCH", f"{FUNCTIONS}{each['id']}/", {"deleted": True})
    report = await imported(running, first, account=1)
    assert report["imported"] == len(bodies), report
    second = sorted(await full(running), key=lambda each: each["name"])
    assert [*map(without_what_may_differ, second)] == [*map(without_what_may_differ, first)]
    assert all(each["inputs"]["authToken"] == {"secret": True} for each in second if "authToken" in each["inputs"])

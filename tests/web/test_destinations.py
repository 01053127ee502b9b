"""PostHog's API for destinations: the same shapes and messages, over real HTTP."""

import json
from datetime import timedelta
from typing import Any

import pytest

from smspipe.destinations import pause
from smspipe.model.ids import DestinationId
from tests.web.conftest import API_KEY, Api

FUNCTIONS = "/api/projects/1/hog_functions/"
CLOSED = [
    FUNCTIONS,
    FUNCTIONS + "x",
    FUNCTIONS + "x/versions",
    FUNCTIONS + "x/logs/",
    FUNCTIONS + "x/metrics/totals/",
    "/api/projects/1/hog_function_templates/",
    "/api/projects/1/integrations/",
    "/api/projects/1/integrations/1/twilio_phone_numbers",
    "/api/projects/1/deliveries/",
    "/api/projects/1/deliveries/x/",
    "/api/projects/1/events/x/explain/",
    "/api/environments/1/hog_functions",
    "/api/projects/2/hog_functions/",
]


async def test_a_destination_is_created_read_changed_and_deleted(running: Api, body: dict[str, Any]) -> None:
    created = await running.create(body)
    one = f"{FUNCTIONS}{created['id']}/"
    assert created["name"] == "Welcome"
    assert created["type"] == "destination"
    assert created["created_at"] == "2026-01-02T03:04:05.000Z"
    assert created["status"] == {"state": 1, "tokens": 10000}
    assert created["inputs"]["authToken"] == {"secret": True}
    assert created["inputs"]["smsBody"]["value"] == "Hi {person.properties.name}"
    assert created["template"]["id"] == "template-twilio"
    assert created["smspipe"].pop("warnings") == []
    assert created["smspipe"] == {"version": 1, "paused": None, "paused_at": None, "notes": []}
    assert await running.call("GET", one) == (200, created)
    running.clock.pass_(timedelta(minutes=1))
    status, changed = await running.call("PATCH", one, {"name": "Hello", "enabled": False})
    assert status == 200
    assert (changed["name"], changed["enabled"], changed["smspipe"]["version"]) == ("Hello", False, 2)
    assert changed["status"] == {"state": 0, "tokens": 0}
    assert changed["updated_at"] == "2026-01-02T03:05:05.000Z"
    status, deleted = await running.call("PATCH", one, {"deleted": True})
    assert (status, deleted["deleted"]) == (200, True)
    assert (await running.call("GET", one))[0] == 404
    assert (await running.get("/hog_functions/"))["count"] == 0
    assert len(running.changes) == 3, "the pipeline was told of every change"


async def test_what_was_read_can_be_put_back(running: Api, body: dict[str, Any]) -> None:
    created = await running.create({**body, "smspipe": {"truncate": True, "max_age": 60}})
    status, again = await running.call("PUT", f"{FUNCTIONS}{created['id']}/", created)
    assert (status, again) == (200, created)
    assert created["smspipe"]["truncate"] is True


async def test_no_answer_ever_holds_a_secret(running: Api, body: dict[str, Any]) -> None:
    created = await running.create(body)
    one = f"{FUNCTIONS}{created['id']}"
    renewed = {"inputs": {**body["inputs"], "authToken": {"value": "tok-renewed-secret"}}}
    wrong = {"inputs": {**body["inputs"], "authToken": {"value": ["tok-wrong-secret"]}}}
    configuration = {**body, "inputs": {**body["inputs"], "authToken": {"secret": True}}}
    sample = {"event": {"event": "signup"}, "person": {"properties": {"phone": "+15005550009"}}}
    answers = [
        created,
        await running.call("PATCH", one, renewed),
        await running.call("PATCH", one, wrong),
        await running.call("GET", FUNCTIONS + "?full=true"),
        await running.call("GET", one + "/versions/"),
        await running.call("POST", one + "/invocations/", {"configuration": configuration, "globals": sample}),
        await running.call("POST", FUNCTIONS, {**body, "name": 1}),
    ]
    assert "tok-" not in str(answers)


async def test_versions_tell_who_changed_what_and_when(running: Api, body: dict[str, Any]) -> None:
    created = await running.create(body)
    running.clock.pass_(timedelta(minutes=1))
    inputs = {**body["inputs"], "smsBody": {"value": "Bye"}, "authToken": {"value": "another"}}
    await running.call("PATCH", f"{FUNCTIONS}{created['id']}/", {"inputs": inputs})
    latest, first = (await running.get(f"/hog_functions/{created['id']}/versions/"))["results"]
    assert (latest["version"], latest["at"], latest["by"]) == (2, "2026-01-02T03:05:05.000Z", "api")
    assert {change["field"]: (change["before"], change["after"]) for change in latest["changes"]} == {
        "inputs.smsBody.value": ("Hi {person.properties.name}", "Bye"),
        "inputs.authToken.value": ({"secret": True}, {"secret": True}),
    }
    assert first["document"]["inputs"]["smsBody"]["value"] == "Hi {person.properties.name}"
    assert (await running.call("GET", FUNCTIONS + "nobody/versions"))[0] == 404


async def test_a_list_is_laid_out_in_pages(running: Api, body: dict[str, Any]) -> None:
    for number in range(5):
        running.clock.pass_(timedelta(seconds=1))
        await running.create({**body, "name": f"Number {number}"})
    first = await running.get("/hog_functions/?limit=2&search=number")
    assert (first["count"], first["previous"]) == (5, None)
    assert [each["name"] for each in first["results"]] == ["Number 4", "Number 3"]
    _, second = await running.call("GET", first["next"])
    _, third = await running.call("GET", second["next"])
    assert [each["name"] for each in third["results"]] == ["Number 0"]
    assert third["next"] is None
    assert (await running.call("GET", third["previous"]))[1] == second
    assert "inputs" not in first["results"][0], "a list shows the minimal shape"
    assert "inputs" in (await running.get("/hog_functions/?full=true"))["results"][0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=destination,site_app", 2),
        ("type=site_app", 0),
        ("enabled=true", 1),
        ("enabled=false", 1),
        ("search=WELC", 1),
        ("id=nobody", 0),
        ("created_by=api", 2),
        ("created_by=cli", 0),
        ("limit=1000", 2),
    ],
)
async def test_a_list_is_filtered(query: str, found: int, running: Api, body: dict[str, Any]) -> None:
    await running.create(body)
    await running.create({**body, "name": "Bye", "enabled": False})
    answer = await running.get(f"/hog_functions/?{query}")
    assert answer["count"] == len(answer["results"]) == found


@pytest.mark.parametrize(
    ("query", "attr"), [("enabled=perhaps", "enabled"), ("limit=0", "limit"), ("offset=-1", "offset")]
)
async def test_a_query_that_cannot_be_read_is_refused(query: str, attr: str, running: Api) -> None:
    status, answer = await running.call("GET", f"{FUNCTIONS}?{query}")
    assert (status, answer["type"], answer["attr"]) == (400, "validation_error", attr)


@pytest.mark.parametrize("base", ["/api/projects/1", "/api/projects/@current", "/api/environments/1"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_name_of_the_project_works_with_and_without_a_slash(base: str, slash: str, running: Api) -> None:
    assert (await running.call("GET", f"{base}/hog_functions{slash}"))[0] == 200
    assert (await running.call("GET", f"{base}/hog_function_templates/template-twilio{slash}"))[0] == 200


@pytest.mark.parametrize("path", ["/api/projects/2/hog_functions/", "/api/environments/x/deliveries/"])
async def test_another_project_is_not_found(path: str, running: Api) -> None:
    assert await running.call("GET", path) == (
        404,
        {"type": "invalid_request", "code": "not_found", "detail": "Project not found.", "attr": None},
    )


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "not_authenticated"),
        ("Basic abc", "not_authenticated"),
        ("Bearer", "not_authenticated"),
        ("Bearer wrong", "authentication_failed"),
        (f"Bearer {API_KEY}x", "authentication_failed"),
        (f"Bearer {API_KEY[:-1]}", "authentication_failed"),
    ],
)
async def test_nobody_reads_anything_without_the_key(header: str | None, code: str, running: Api) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in CLOSED:
        async with running.session.get(running.address + path, headers=headers) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            problem = await answer.json()
        assert (problem["type"], problem["code"], problem["attr"]) == ("authentication_error", code, None)


async def test_a_destination_is_not_deleted_with_delete(running: Api, body: dict[str, Any]) -> None:
    created = await running.create(body)
    status, answer = await running.call("DELETE", f"{FUNCTIONS}{created['id']}/")
    assert (status, answer["code"]) == (405, "method_not_allowed")
    assert 'PATCH {"deleted": true}' in answer["detail"]
    assert (await running.get("/hog_functions/"))["count"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/projects/1/nothing/", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/api/projects/1/hog_functions/", 405, "method_not_allowed"),
        ("POST", "/api/projects/1/deliveries/", 405, "method_not_allowed"),
        ("GET", FUNCTIONS + "nobody/", 404, "not_found"),
        ("PATCH", FUNCTIONS + "nobody/", 404, "not_found"),
        ("GET", "/api/projects/1/hog_function_templates/template-x/", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_refused_in_the_one_shape(
    method: str, path: str, status: int, code: str, running: Api
) -> None:
    got, answer = await running.call(method, path, {} if method == "PATCH" else None)
    assert (got, answer["type"], answer["code"], answer["attr"]) == (status, "invalid_request", code, None)


@pytest.mark.parametrize(
    ("raw", "code"),
    [(b"{", "parse_error"), (b"", "invalid_input"), (b"[]", "invalid_input"), (b'"tok-secret"', "invalid_input"),
     (b"\xff", "parse_error"), (b"null", "invalid_input")],
)  # fmt: skip
async def test_a_body_that_is_no_json_object_is_refused_without_being_repeated(
    raw: bytes, code: str, running: Api
) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    async with running.session.post(running.address + FUNCTIONS, data=raw, headers=headers) as answer:
        problem = await answer.json()
        assert (answer.status, problem["code"]) == (400, code)
        assert "tok-secret" not in str(problem)
        assert set(problem) == {"type", "code", "detail", "attr"}


async def test_a_fault_of_ours_is_told_without_its_inside(running: Api, body: dict[str, Any]) -> None:
    running.database.close()

    def broken(connection: Any) -> None:
        connection.exec_driver_sql("drop table destination_versions")

    await running.write(broken)
    status, answer = await running.call("POST", FUNCTIONS, body)
    assert status == 503
    assert answer["code"] == "temporarily_unavailable"
    assert "tok-" not in str(answer)
    assert "insert into" not in str(answer).lower()


@pytest.mark.parametrize(
    ("change", "attr", "detail"),
    [
        ({"template_id": "x"}, "template_id", "No template found for id 'x'"),
        ({"type": "x"}, "type", '"x" is not a valid choice.'),
        ({"smspipe": {"max_ag": 1}}, "smspipe__max_ag", "There is no option 'max_ag'. Did you mean 'max_age'?"),
        (
            {"masking": {"hash": "{person.id}", "ttl": 0}},
            "masking__ttl",
            "ttl must be a whole number between 1 and 31536000 seconds",
        ),
    ],
)
async def test_a_broken_rule_is_told_with_its_field(
    change: dict[str, Any], attr: str, detail: str, running: Api, body: dict[str, Any]
) -> None:
    status, answer = await running.call("POST", FUNCTIONS, {**body, **change})
    assert status == 400
    assert (answer["type"], answer["code"], answer["attr"], answer["detail"]) == (
        "validation_error",
        "invalid_input",
        attr,
        detail,
    )
    assert (await running.get("/hog_functions/"))["count"] == 0
    assert running.changes == []


@pytest.mark.parametrize(
    ("source", "begins"),
    [
        ("Hi {person.properties.name", "Invalid template: "),
        ("Hi {{ person.name }}", "Invalid template: this field uses single curly braces"),
        ("Hi {event.properties.first-name}", "Invalid template: The hyphen in"),
    ],
)
async def test_a_template_that_does_not_compile_is_told_with_its_place(
    source: str, begins: str, running: Api, body: dict[str, Any]
) -> None:
    body["inputs"]["smsBody"] = {"value": source}
    status, answer = await running.call("POST", FUNCTIONS, body)
    assert (status, answer["attr"]) == (400, "inputs__smsBody")
    assert answer["detail"].startswith(begins)
    assert isinstance(answer["smspipe"]["position"], int)


async def test_a_filter_that_does_not_compile_is_refused_while_on_and_noted_while_off(
    running: Api, body: dict[str, Any]
) -> None:
    body["filters"]["properties"] = [{"key": "plan", "value": "(", "operator": "regex", "type": "event"}]
    status, answer = await running.call("POST", FUNCTIONS, body)
    assert status == 400
    assert answer["attr"].startswith("filters__properties__0")
    assert answer["detail"].startswith("Invalid filter configuration: ")
    created = await running.create({**body, "enabled": False})
    assert created["filters"]["bytecode_error"] == answer["detail"]


async def test_a_paused_destination_shows_why(running: Api, body: dict[str, Any]) -> None:
    created = await running.create(body)
    why = "Twilio refuses the credentials."
    await running.write(lambda connection: pause(connection, DestinationId(created["id"]), why, running.clock()))
    shown = await running.get(f"/hog_functions/{created['id']}/")
    assert shown["status"] == {"state": 3, "tokens": 0}
    assert (shown["smspipe"]["paused"], shown["smspipe"]["paused_at"]) == (why, "2026-01-02T03:04:05.000Z")
    assert shown["enabled"] is True


async def test_hog_code_of_somebodys_own_is_kept_and_noted(running: Api, body: dict[str, Any]) -> None:
    created = await running.create({**body, "hog": "print('mine')"})
    assert created["hog"] == "print('mine')"
    assert created["smspipe"]["notes"] == ["Its Hog source is kept as it is, but not run."]


async def test_templates_are_listed_for_all_and_their_defaults_make_a_destination(running: Api) -> None:
    listed = await running.get("/hog_function_templates/")
    assert [template["id"] for template in listed["results"]] == ["template-twilio", "template-twilio-cooldown"]
    assert (await running.get("/hog_function_templates/?type=transformation"))["count"] == 0
    _, public = await running.call("GET", "/api/public_hog_function_templates/", key=None)
    assert public["results"] == listed["results"]
    for template in listed["results"]:
        inputs = {
            item["key"]: {"value": "signup:+15005550006" if "Events" in item["label"] else "AC1"}
            for item in template["inputs_schema"]
            if item["required"] and "default" not in item
        }
        await running.create({"template_id": template["id"], "enabled": True, "inputs": inputs})


async def test_every_published_cooldown_compiles(running: Api, body: dict[str, Any]) -> None:
    template = await running.get("/hog_function_templates/template-twilio/")
    for preset in template["smspipe"]["cooldowns"]:
        created = await running.create({**body, "masking": {"hash": preset["hash"], "ttl": 1800}})
        assert created["masking"] == {"hash": preset["hash"], "ttl": 1800, "threshold": None}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ('"masking": ' + "[" * 100_000, 400),
        ('"description": ' + '{"a": ' * 5_000 + "1" + "}" * 5_000, 400),
        ('"inputs_schema": [{"key": "a", "type": "json", "default": ' + "[" * 900 + "]" * 900 + "}]", 400),
        ('"filters": {"properties": ' + '{"values": [' * 450 + "]}" * 450 + "}", 400),
        ('"execution_order": 1' + "0" * 40, 400),
        ('"masking": {"hash": "x", "ttl": 60, "threshold": 1' + "0" * 30 + "}", 400),
        ('"name": "\\ud800"', 400),
        ('"name": "a\\u0000b"', 201),
        ('"name": "a", "name": "b"', 201),
    ],
    ids=["deep list", "deep objects", "a default as deep as JSON is read", "deep groups", "a large order",
         "a large threshold", "half a character", "a null byte", "a name twice"],
)  # fmt: skip
async def test_a_hostile_body_is_a_mistake_of_its_sender(
    more: str, status: int, running: Api, body: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    for key in more.split('"')[1:2]:
        body.pop(key, None)
    raw = f"{json.dumps(body)[:-1]}, {more}" + "}"
    async with running.session.post(running.address + FUNCTIONS, data=raw, headers=headers) as answer:
        assert answer.status == status, await answer.text()
    assert (await running.get("/hog_functions/?full=true"))["count"] == (1 if status == 201 else 0)

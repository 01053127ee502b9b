"""`smspipe destinations` and `smspipe test`: configuration as code, and trying it out."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import AUTH_TOKEN, SID, Ended, Service, destination, run_process, write

pytestmark = pytest.mark.slow

Run = Callable[..., Ended]

TOML = f"""
[[destinations]]
name = "From TOML"
template_id = "template-twilio"
enabled = true

[destinations.inputs]
accountSid = {{ value = "{SID}" }}
authToken = {{ secret = true }}
fromPhoneNumber = {{ value = "+15005550006" }}
phoneNumber = {{ value = "{{event.properties.phone}}" }}
smsBody = {{ value = "Hi" }}

[destinations.filters]
events = [{{ id = "signed up", name = "signed up", type = "events" }}]
"""


@pytest.fixture
def on(service: Service, smspipe: Run) -> Run:
    """Run a command on the service."""
    return lambda *words: smspipe(*words, "--data", service.folder)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A destination's name that no other test uses."""
    return str(request.node.name)


def test_a_file_is_planned_applied_and_then_as_it_was(on: Run, name: str, tmp_path: Path) -> None:
    file = write(tmp_path / "d.json", destination(name, "order shipped"))
    planned = on("destinations", "plan", file)
    assert planned.status == 0
    assert f"+ {name} would be created" in planned.out
    assert on("destinations", "show", name).status == 1
    assert on("destinations", "apply", file).out == f"{name}: created\n"
    assert on("destinations", "apply", file).out == f"{name}: as it was\n"
    masked = destination(name, "order shipped", inputs={"authToken": {"secret": True}})
    again = on("destinations", "plan", write(file, masked))
    assert again.out.startswith(f"= {name} stays as it is\n")
    assert again.out.endswith("Nothing would change.\n")


def test_a_plan_shows_each_change_and_no_secret(on: Run, name: str, tmp_path: Path) -> None:
    file = write(tmp_path / "d.json", destination(name, "order shipped"))
    on("destinations", "apply", file)
    changes: dict[str, Any] = {
        "inputs": {"smsBody": {"value": "Hello {event.properties.name}"}, "authToken": {"value": "another-token"}},
        "masking": {"hash": "{recipient}", "ttl": 60},
        "enabled": False,
    }
    write(file, destination(name, "order sent", **changes))
    planned = on("destinations", "plan", file, "--json").json[0]
    assert planned["action"] == "change"
    assert {each["field"]: (each["before"], each["after"]) for each in planned["changes"]} == {
        "enabled": (True, False),
        "filters.events": (
            [{"id": "order shipped", "type": "events"}],
            [{"id": "order sent", "type": "events"}],
        ),
        "inputs.smsBody.value": ("Hi {event.properties.name}", "Hello {event.properties.name}"),
        "inputs.authToken.value": ({"secret": True}, {"secret": True}),
        "masking": (None, {"hash": "{recipient}", "ttl": 60}),
    }
    text = on("destinations", "plan", file).out
    assert "    inputs.smsBody\n      - Hi {event.properties.name}\n      + Hello {event.properties.name}\n" in text
    assert "another-token" not in text
    assert on("destinations", "apply", file).out == f"{name}: changed\n"
    # The service has the secret as well, so it can tell that it is the same.
    assert on("destinations", "plan", file, "--json").json[0]["changes"] == []


def test_a_file_with_one_mistake_is_refused_whole(on: Run, name: str, tmp_path: Path) -> None:
    wrong = destination(name, "order shipped", inputs={"smsBody": {"value": "Hi {event.properties."}})
    file = write(tmp_path / "d.json", [wrong, destination(f"{name} right", "order shipped")])
    planned = on("destinations", "plan", file)
    assert planned.status == 1
    assert f"! {name} would be refused\n    {file}: inputs.smsBody: " in planned.out
    assert re.search(r"\n      Hi \{event\.properties\.\n      +\^\n", planned.out)
    assert f"+ {name} right would be created" in planned.out
    applied = on("destinations", "apply", file)
    assert applied.status == 1
    assert applied.out.startswith(f"! {name} is refused\n")
    assert "1 of 2 is refused, so nothing was changed." in applied.err
    assert on("destinations", "show", f"{name} right").status == 1


def test_an_export_is_applied_without_a_change(on: Run, name: str, tmp_path: Path) -> None:
    on("destinations", "apply", write(tmp_path / "d.json", destination(name, "order shipped")))
    exported = on("destinations", "export", name)
    assert AUTH_TOKEN not in exported.out
    assert exported.json[0]["inputs"]["authToken"] == {"secret": True}
    write(tmp_path / "e.json", exported.json)
    assert on("destinations", "plan", tmp_path / "e.json").out.endswith("Nothing would change.\n")
    assert on("destinations", "apply", tmp_path / "e.json").out == f"{name}: as it was\n"
    assert on("destinations", "export", "--output", tmp_path / "all.json").out == ""
    assert name in [each["name"] for each in json.loads((tmp_path / "all.json").read_text())]


def test_toml_is_read_and_its_secret_comes_from_the_environment(
    on: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.toml").write_text(TOML)
    refused = on("destinations", "apply", tmp_path / "d.toml")
    assert refused.status == 1
    assert "or set SMSPIPE_SECRET_AUTHTOKEN" in refused.out
    monkeypatch.setenv("SMSPIPE_SECRET_AUTHTOKEN", AUTH_TOKEN)
    assert on("destinations", "apply", tmp_path / "d.toml").out == "From TOML: created\n"
    monkeypatch.delenv("SMSPIPE_SECRET_AUTHTOKEN")
    assert on("destinations", "apply", tmp_path / "d.toml").out == "From TOML: as it was\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is no JSON"), ("[]", "holds no destination"), ("[1]", "holds no destination"), ('"x"', "holds no")],
)
def test_a_file_that_holds_no_destination_is_refused(content: str, said: str, on: Run, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(content)
    ended = on("destinations", "apply", tmp_path / "d.json")
    assert ended.status == 1
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_a_file_that_is_not_there_is_named(on: Run, tmp_path: Path) -> None:
    ended = on("destinations", "plan", tmp_path / "none.json")
    assert ended.status == 1
    assert "none.json cannot be read: No such file" in ended.err


def test_the_list_names_state_and_events(on: Run, name: str, tmp_path: Path) -> None:
    on("destinations", "apply", write(tmp_path / "d.json", destination(name, "order shipped", enabled=False)))
    line = next(line for line in on("destinations", "list").out.splitlines() if line.startswith(name))
    assert line.split("\t")[1:3] == ["off", "order shipped"]
    assert name in [each["name"] for each in on("destinations", "list", "--json").json]


def test_one_is_shown_by_name_or_id_without_its_secret(on: Run, name: str, tmp_path: Path) -> None:
    on("destinations", "apply", write(tmp_path / "d.json", destination(name, "order shipped")))
    by_name = on("destinations", "show", name)
    assert "authToken\t(secret)" in by_name.out
    assert AUTH_TOKEN not in by_name.out
    found = on("destinations", "show", name, "--json").json
    assert on("destinations", "show", found["id"]).out == by_name.out


def test_two_of_one_name_are_told_apart_by_their_ids(on: Run, service: Service, name: str, tmp_path: Path) -> None:
    body = destination(name, "order shipped")
    for _ in range(2):
        service.api("POST", "/api/projects/1/hog_functions/", body)
    assert "2 destinations are called" in on("destinations", "show", name).err
    ended = on("destinations", "apply", write(tmp_path / "d.json", body))
    assert ended.status == 1
    assert "Give the document the id of the one that is meant." in ended.out


def test_a_trial_shows_steps_and_text_and_sends_nothing(on: Run, service: Service, name: str, tmp_path: Path) -> None:
    on("destinations", "apply", write(tmp_path / "d.json", destination(name, "order shipped")))
    event = write(
        tmp_path / "e.json",
        {"event": "order shipped", "distinct_id": "u", "properties": {"name": "Ada", "phone": "+12025550143"}},
    )
    before = service.read("/sandbox/inbox")
    ended = on("test", name, "--event", event)
    assert ended.status == 0
    assert "ok recipient" in ended.out
    assert "text to +12025550143 from +15005550006: Hi Ada (1 segment, GSM-7)" in ended.out
    assert "Nothing was sent. Add --send to send it." in ended.out
    assert service.read("/sandbox/inbox") == before
    sent = on("test", name, "--event", event, "--send")
    assert sent.status == 0
    newest = json.loads(service.read("/sandbox/inbox"))["results"][0]
    assert (newest["to"], newest["body"]) == ("+12025550143", "Hi Ada")
    assert f"Sent as {newest['sid']}." in sent.out


@pytest.mark.parametrize(
    ("event", "status", "said"),
    [
        ({"event": "page seen"}, 0, "No text: no_match. "),
        ({"event": "order shipped"}, 1, "No text: recipient_missing."),
        ({"event": "order shipped", "properties": {"phone": "soon"}}, 1, "No text: recipient_invalid."),
    ],
)
def test_a_trial_without_a_text_says_why(
    event: dict[str, Any], status: int, said: str, on: Run, tmp_path: Path
) -> None:
    on("destinations", "apply", write(tmp_path / "d.json", destination("Trials", "order shipped")))
    ended = on("test", "Trials", "--event", write(tmp_path / "e.json", event))
    assert ended.status == status
    assert said in ended.out
    assert on("test", "Trials", "--event", tmp_path / "e.json", "--json").json["smspipe"].keys() == {
        "mismatch",
        "routes",
    }


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "x"}'])
def test_a_trial_without_an_event_is_refused(content: str, on: Run, tmp_path: Path) -> None:
    (tmp_path / "e.json").write_text(content)
    ended = on("test", "Trials", "--event", tmp_path / "e.json")
    assert ended.status == 1
    assert "e.json" in ended.err


def test_a_stopped_installation_is_changed_in_place_and_nothing_is_sent(
    start: Callable[..., Service], tmp_path: Path
) -> None:
    service = start()
    service.stop()
    file = write(tmp_path / "d.json", destination("Orders", "order shipped"))
    ended = run_process("destinations", "apply", file, "--data", service.folder, cwd=tmp_path)
    assert (ended.status, ended.out, ended.err) == (0, "Orders: created\n", "")
    again = start()
    again.capture("order shipped", "ada", name="Ada", phone="+12025550143")
    again.until(lambda: len(json.loads(again.read("/sandbox/inbox"))["results"]) == 1)
    assert again.stop()[0] == 0


def test_a_folder_that_a_silent_service_holds_is_left_alone(start: Callable[..., Service], tmp_path: Path) -> None:
    service = start()
    (service.folder / "address").unlink()
    ended = run_process("destinations", "list", "--data", service.folder, cwd=tmp_path)
    assert ended.status == 1
    assert "Another smspipe serves" in ended.err
    service.stop()

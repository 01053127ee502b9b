"""`smspipe destinations import`: what PostHog exported comes over switched off, and the report says what to do."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import AUTH_TOKEN, SID, Ended, Service, write
from tests.destinations import programs

Run = Callable[..., Ended]

EXPORTED: dict[str, Any] = {
    "id": "01912e4c-0000-7000-8000-000000000000",
    "type": "destination",
    "name": "From PostHog",
    "enabled": True,
    "hog": programs.FIRST,
    "bytecode": ["_H", 1, 32],
    "inputs": {
        "accountSid": {"value": SID, "bytecode": ["_H", 1, 32, SID], "order": 0},
        "authToken": {"secret": True},
        "fromPhoneNumber": {"value": "+15005550006", "order": 1},
        "phoneNumber": {"value": "{person.properties.phone}", "order": 2},
        "smsBody": {"value": "Hello", "order": 3},
    },
    "filters": {"source": "events", "events": [{"id": "signup", "name": "signup", "type": "events"}]},
    "template": {"id": "template-twilio"},
    "status": {"state": 1, "tokens": 10000},
}


def exported(name: str, **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(EXPORTED), "name": name, **changes}


@pytest.fixture
def on(smspipe: Run, service: Service) -> Run:
    """Run a command on the service of the module."""
    return lambda *words: smspipe(*words, "--data", service.folder)


def test_an_import_takes_over_switched_off_and_says_what_changed(
    on: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSPIPE_SECRET_AUTHTOKEN", AUTH_TOKEN)
    file = write(tmp_path / "h.json", {"count": 1, "results": [EXPORTED]})
    ended = on("destinations", "import", file)
    assert ended.status == 0, ended.out
    assert "From PostHog: taken over, switched off" in ended.out
    assert "Switch it off in PostHog first." in ended.out
    assert "1 of 1 taken over." in ended.out
    found = on("destinations", "show", "From PostHog", "--json").json
    assert found["enabled"] is False
    sample = {"event": {"event": "signup"}, "person": {"properties": {"phone": "+12025550143"}}}
    tried = on("test", "From PostHog", "--event", write(tmp_path / "e.json", sample), "--json").json
    body = tried["smspipe"]["routes"][0]["message"]["body"]
    assert re.fullmatch(r"Hello - Event: signup at \d{4}-\d\d-\d\d", body)
    again = on("destinations", "import", file)
    assert again.status == 1
    assert "A destination of this name is here already" in again.out


def test_a_dry_run_says_the_same_and_stores_nothing(on: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMSPIPE_SECRET_AUTHTOKEN", AUTH_TOKEN)
    ended = on("destinations", "import", write(tmp_path / "h.json", exported("Only tried")), "--dry-run")
    assert (ended.status, "Only tried: would be taken over" in ended.out) == (0, True)
    assert on("destinations", "show", "Only tried").status == 1


def test_a_secret_that_nobody_gives_is_asked_for_by_its_name(on: Run, tmp_path: Path) -> None:
    ended = on("destinations", "import", write(tmp_path / "h.json", exported("No token")))
    assert ended.status == 1
    assert "needs you: Enter authToken: PostHog exports no secrets." in ended.out
    assert on("destinations", "show", "No token").status == 1


def test_the_report_can_be_read_by_a_program(on: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "h.json", [exported("As JSON"), exported("Other", type="transformation")])
    report = on("destinations", "import", file, "--json").json
    assert [one["imported"] for one in report["results"]] == [False, False]
    assert report["results"][0]["missing_secrets"] == ["authToken"]
    assert report["notes"]


def test_what_the_first_template_adds_can_be_left_out(on: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMSPIPE_SECRET_AUTHTOKEN", AUTH_TOKEN)
    on("destinations", "import", write(tmp_path / "h.json", exported("Bare")), "--without-suffix")
    assert on("destinations", "show", "Bare", "--json").json["inputs"]["smsBody"]["value"] == "Hello"


def test_an_edited_source_is_taken_over_only_when_it_is_to_be_ignored(
    on: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSPIPE_SECRET_AUTHTOKEN", AUTH_TOKEN)
    code = programs.FIRST.replace("let answer", "if (event.properties.plan == 'free') { return }\nlet answer")
    file = write(tmp_path / "h.json", exported("Edited", hog=code))
    refused = on("destinations", "import", file)
    assert refused.status == 1
    assert "line 5, `if (event.properties.plan == 'free') { return }`: what it does depends on this" in refused.out
    assert on("destinations", "import", file, "--ignore-code").status == 0
    assert on("destinations", "show", "Edited", "--json").json["hog"] == code


def test_a_step_of_a_workflow_is_taken_over_for_the_event_that_is_named(
    on: Run, service: Service, tmp_path: Path
) -> None:
    step = {
        "id": "action_1",
        "type": "function_sms",
        "name": "Greet",
        "config": {
            "template_id": "template-twilio",
            "inputs": {
                "twilio_account": {"value": 12},
                "from_number": {"value": "+15005550006"},
                "to_number": {"value": "{{ person.properties.phone }}", "templating": "liquid"},
                "message": {"value": "Hi {{ person.name }}", "templating": "liquid"},
            },
        },
    }
    file = write(tmp_path / "s.json", step)
    assert "name the event" in on("destinations", "import", file, "--account", "12=1").out
    account = {"kind": "twilio", "config": {"account_sid": SID, "auth_token": AUTH_TOKEN}}
    stored = service.api("POST", "/api/projects/1/integrations/", account)
    ended = on("destinations", "import", file, "--event", "signup", "--account", f"12={stored['id']}")
    assert ended.status == 0, ended.out
    found = on("destinations", "show", "Greet", "--json").json
    assert found["inputs"]["twilio_account"]["value"] == stored["id"]
    assert found["filters"]["events"][0]["id"] == "signup"
    assert found["smspipe"]["escape_html"] is True


def test_an_account_is_named_by_its_number(on: Run, tmp_path: Path) -> None:
    ended = on("destinations", "import", write(tmp_path / "h.json", EXPORTED), "--account", "mine")
    assert ended.status == 1
    assert "--account takes the number of a stored account" in ended.err


def test_the_older_plugins_settings_are_imported(on: Run, tmp_path: Path) -> None:
    settings = {
        "accountSID": SID,
        "authToken": AUTH_TOKEN,
        "triggeringEventsAndNumber": "signup:+12025550143,purchase:+12025550172",
        "senderPhoneNumber": "+15005550006",
        "timeout": 60,
    }
    ended = on("destinations", "import", write(tmp_path / "p.json", {"name": "Plugin", "config": settings}))
    assert ended.status == 0, ended.out
    listed = next(line for line in on("destinations", "list").out.splitlines() if line.startswith("Plugin\t"))
    assert listed.split("\t")[1:3] == ["off", "signup, purchase"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "transformation"}, "It is a transformation"),
        ({"template": {"id": "template-slack"}}, "made from template-slack"),
        ({"inputs": {}}, "Export it with ?full=true"),
    ],
)
def test_what_cannot_be_imported_says_what_a_person_has_to_do(
    changes: dict[str, Any], said: str, on: Run, tmp_path: Path
) -> None:
    ended = on("destinations", "import", write(tmp_path / "h.json", exported("Not imported", **changes)))
    assert ended.status == 1
    assert "Not imported: not taken over" in ended.out
    assert said in ended.out
    assert on("destinations", "show", "Not imported").status == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [("[]", "The export is empty."), ('{"results": []}', "is empty"), ("3", "no export"), ("{", "no JSON")],
)
def test_a_file_without_destinations_is_refused(content: str, said: str, on: Run, tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text(content)
    ended = on("destinations", "import", tmp_path / "h.json")
    assert (ended.status, said in ended.err) == (1, True), ended.err


def test_what_is_exported_is_imported_elsewhere_as_it_was(
    on: Run, start: Callable[..., Service], smspipe: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMSPIPE_SECRET_AUTHTOKEN", AUTH_TOKEN)
    assert on("destinations", "import", write(tmp_path / "h.json", exported("Moved"))).status == 0
    first = on("destinations", "export", "Moved").json
    other = start()
    ended = smspipe("destinations", "import", write(tmp_path / "m.json", first), "--data", other.folder)
    assert ended.status == 0, ended.out
    second = smspipe("destinations", "export", "Moved", "--data", other.folder).json
    for each in (*first, *second):
        for key in ("id", "created_at", "updated_at"):
            del each[key]
    assert json.dumps(first) == json.dumps(second)

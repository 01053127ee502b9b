"""Destinations as files against a service that really runs: plan, apply, lint, export, and back again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import AUTH_TOKEN, SID, Ended, Service

pytestmark = pytest.mark.slow

Run = Callable[..., Ended]
TEXTS = f"""\
# Two destinations.
name: Order shipped
enabled: true
account:
  sid: {SID}
  token: {{from_env: TWILIO_TOKEN}}
from: "+15005550006"
to: "{{event.properties.phone}}"
message: |-
  Hi {{event.properties.name}},
  your order left.
when:
  - order shipped
  - event: order lost
    where: {{key: amount, operator: gt, value: 10}}
cooldown: {{key: "{{recipient}}", seconds: 60}}
smspipe: {{max_age: 3600}}
---
name: Welcome
account: {{sid: {SID}, token: {{from_env: TWILIO_TOKEN}}}}
from: "+15005550006"
message:
  value: "Welcome, {{{{ person.properties.name | default: 'you' }}}}!"
  templating: liquid
when: signed up
"""


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    """A service of one's own: these tests look at all its destinations."""
    return start()


@pytest.fixture
def on(service: Service, smspipe: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the service, with the token in the environment."""
    monkeypatch.setenv("TWILIO_TOKEN", AUTH_TOKEN)
    return lambda *words: smspipe("destinations", *words, "--data", service.folder)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """The file."""
    file = tmp_path / "texts.yaml"
    file.write_text(TEXTS)
    return file


def versions(service: Service) -> list[int]:
    """The versions of all destinations."""
    listed = service.api("GET", "/api/projects/1/hog_functions/")["results"]
    return [each["smspipe"]["version"] for each in listed]


def test_a_file_is_planned_applied_exported_and_then_there_is_nothing_to_do(
    on: Run, service: Service, texts: Path, tmp_path: Path
) -> None:
    planned = on("plan", texts, "--exit-code")
    assert planned.status == 3
    assert "+ Order shipped would be created\n" in planned.out
    assert "+ Welcome would be created\n" in planned.out
    assert f"2 of 2 would change. `smspipe destinations apply {texts}` does it.\n" in planned.out
    assert on("list").out.count("\n") == 1
    assert on("apply", texts).out == "Order shipped: created\nWelcome: created\n"
    assert on("apply", texts).out == "Order shipped: as it was\nWelcome: as it was\n"
    assert versions(service) == [1, 1]
    for form in ("yaml", "toml", "json"):
        file = tmp_path / f"export.{form}"
        assert on("export", "--output", file).status == 0
        assert AUTH_TOKEN not in file.read_text()
        ended = on("plan", file, "--exit-code")
        assert (ended.status, ended.out.splitlines()[-1]) == (0, "Nothing would change."), form
        assert on("export", "--format", form).out.strip() == file.read_text().strip()
    assert on("plan", texts, "--exit-code").status == 0
    assert versions(service) == [1, 1]


def test_an_export_is_written_as_people_write(on: Run, texts: Path) -> None:
    on("apply", texts)
    written = on("export", "Order shipped", "--format", "yaml").out
    assert 'to: "{event.properties.phone}"\nmessage: |-\n  Hi {event.properties.name},\n  your order left.\n' in written
    assert "\nwhen:\n- order shipped\n- event: order lost\n  where:\n  - key: amount\n" in written
    assert "inputs" not in written


def test_a_change_is_shown_in_the_words_of_the_file(on: Run, texts: Path) -> None:
    on("apply", texts)
    texts.write_text(texts.read_text().replace("your order left.", "it left.").replace("seconds: 60", "seconds: 90"))
    planned = on("plan", texts)
    assert planned.status == 0
    assert "~ Order shipped would be changed\n    message\n      - Hi {event.properties.name},\n" in planned.out
    assert "      + it left.\n" in planned.out
    assert "    cooldown.seconds\n      - 60\n      + 90\n" in planned.out
    assert "= Welcome stays as it is\n" in planned.out
    texts.write_text(texts.read_text().replace("  - order shipped\n", "  - order sent\n").replace("cooldown:", "# "))
    shown = on("plan", texts).out
    assert "\n      - - order shipped\n      + - order sent\n" in shown
    assert '    cooldown\n      - key: "{recipient}"\n      - seconds: 60\n' in shown
    assert on("apply", texts).out == "Order shipped: changed\nWelcome: as it was\n"


def test_a_new_secret_is_told_and_not_shown(on: Run, texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on("apply", texts)
    monkeypatch.setenv("TWILIO_TOKEN", "another-token-of-twilio")
    planned = on("plan", texts)
    assert "    account.token\n      ~ another secret than the one that is stored\n" in planned.out
    assert "another-token" not in planned.out
    assert "another-token" not in on("plan", texts, "--json").out


def test_a_secret_that_is_not_there_is_named_before_anything_is_changed(
    on: Run, service: Service, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWILIO_TOKEN")
    ended = on("apply", texts)
    assert ended.status == 1
    assert f"{texts}:6: the environment has no TWILIO_TOKEN." in ended.err
    assert "Nothing was changed." in ended.err
    assert versions(service) == []


def test_every_mistake_is_told_with_its_place_and_nothing_is_changed(on: Run, service: Service, texts: Path) -> None:
    text = texts.read_text()
    text = text.replace("Hi {event.properties.name}", "Hi {event.properties.").replace("name: Welcome", "nam: Welcome")
    texts.write_text(text)
    ended = on("apply", texts)
    assert ended.status == 1
    assert f"! Order shipped is refused\n    {texts}:9: message: Invalid template: " in ended.out
    assert f"    {texts}:19: nam: There is no key 'nam'. Did you mean 'name'?\n" in ended.out
    assert "2 of 2 are refused, so nothing was changed." in ended.err
    assert versions(service) == []
    told = on("plan", texts, "--json").json
    assert [(each["action"], each["refused"]["attr"]) for each in told] == [
        ("refused", "inputs__smsBody"),
        ("refused", "nam"),
    ]


def test_what_the_file_does_not_have_is_deleted_on_demand_alone(on: Run, texts: Path) -> None:
    on("apply", texts)
    texts.write_text(texts.read_text().partition("---")[0])
    planned = on("plan", texts, "--exit-code")
    assert planned.status == 0
    assert "On the service but not in the file: Welcome. --prune would delete what is not there.\n" in planned.out
    planned = on("plan", texts, "--prune", "--exit-code")
    assert planned.status == 3
    assert "- Welcome would be deleted\n" in planned.out
    assert "apply" in planned.out
    assert "--prune` does it." in planned.out
    assert on("apply", texts).out == "Order shipped: as it was\n"
    assert on("apply", texts, "--prune").out == "Order shipped: as it was\nWelcome: deleted\n"
    assert on("list", "--json").json[0]["name"] == "Order shipped"


def test_a_short_document_switches_off(on: Run, texts: Path, tmp_path: Path) -> None:
    on("apply", texts)
    (tmp_path / "off.yaml").write_text("name: Order shipped\nenabled: false\n")
    assert on("apply", tmp_path / "off.yaml").out == "Order shipped: changed\n"
    texts.write_text(texts.read_text().replace("enabled: true\n", ""))
    assert on("plan", texts, "--exit-code").status == 0, "it stays as it was switched"


def test_lint_warns_with_places_and_says_what_it_looked_at(on: Run, service: Service, texts: Path) -> None:
    for nth in range(3):
        service.capture("order shipped", f"u{nth}", phone="+12025550143", nmae="Ada")
    linted = on("lint", texts, "--exit-code")
    assert linted.status == 3
    assert linted.out.startswith("Looked at the last 3 events, 2")
    assert f"    unknown_property ({texts}:9)\n      message: None of 3 events" in linted.out
    assert "      Did you mean 'nmae'?\n" in linted.out
    assert "Welcome: 1 warning\n" in linted.out
    assert "unknown_property" in on("plan", texts).out
    on("apply", texts)
    every = on("lint", "--all", "--json").json
    assert {each["name"] for each in every} == {"Order shipped", "Welcome"}
    assert all(each["looked_at"]["events"] == 3 for each in every)
    texts.write_text(texts.read_text().partition("---")[0].replace("properties.name", "properties.nmae"))
    clean = [each["code"] for each in on("lint", texts, "--json").json[0]["warnings"]]
    assert set(clean) == {"unknown_event", "unknown_property"}, "the lost orders, and their amount"


def test_lint_of_a_refused_file_says_why(on: Run, texts: Path) -> None:
    texts.write_text("name: x\nmesage: y\n")
    ended = on("lint", texts)
    assert ended.status == 1
    assert f"{texts}:2: mesage: There is no key 'mesage'." in ended.out


@pytest.mark.parametrize("words", [["lint"], ["lint", "--all", "x.yaml"], ["export", "--format", "xml"]])
def test_words_that_do_not_fit_are_wrong_usage(words: list[str], on: Run) -> None:
    ended = on(*words)
    assert ended.status == 2
    assert ended.err.count("\n") == 1


def test_the_schema_is_printed_and_written(on: Run, smspipe: Run, tmp_path: Path) -> None:
    printed: dict[str, Any] = smspipe("destinations", "schema").json
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert smspipe("destinations", "schema", "-o", tmp_path / "s.json").out == ""
    assert json.loads((tmp_path / "s.json").read_text()) == printed

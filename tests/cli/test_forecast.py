"""`smspipe forecast`, `replay` and `scenario` as people run them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.cli.running import Ended, Service, destination, write

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "examples" / "scenario.yaml"


def test_the_example_scenario_holds(smspipe: Callable[..., Ended], tmp_path: Path) -> None:
    ended = smspipe("scenario", SCENARIO, "--junit", tmp_path / "report.xml")
    assert (ended.status, ended.out) == (0, "Two orders within the hour: 4 events, all as expected.\n")
    suite = ET.parse(tmp_path / "report.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "0")


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (0, {"texts": ["Hello"]}, "but got to '+12025550143', body 'Hi Ada, order 1001 is on its way.'"),
        (0, {"texts": []}, "which is not expected"),
        (1, {"texts": ["Hello"]}, "Order shipped refused it, cooldown"),
        (1, {"refused": ["opted_out"]}, "expected opted_out, but it was not"),
        (2, {"event": "order lost"}, "but there is none: no destination matches"),
        (3, {"refused": [{"destination": "Order shipped", "reason": "opted_out"}]}, "Payment failed said opted_out"),
    ],
    ids=["other words", "a text too many", "refused", "another reason", "no match", "another destination"],
)
def test_a_scenario_that_does_not_hold_says_what_was_instead(
    smspipe: Callable[..., Ended], tmp_path: Path, place: int, change: dict[str, Any], said: str
) -> None:
    given = yaml.safe_load(SCENARIO.read_text("utf-8"))
    given["destinations"] = str(SCENARIO.parent / "destinations.yaml")
    given["start"] = "2026-03-02T15:00:00Z"
    given["events"][place].update(change)
    path = write(tmp_path / "scenario.json", given)
    ended = smspipe("scenario", path)
    assert ended.status == 1
    assert said in ended.out
    (played,) = json.loads(smspipe("scenario", path, "--json").out)
    assert [check["position"] for check in played["checks"] if check["problems"]] == [place]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evnets": []}, "There is no key 'evnets'"),
        ({"events": []}, "needs a list of events"),
        ({"destinations": None}, "needs destinations"),
        ({"events": [{"event": "x", "at": "soon"}]}, "Write a time as"),
        ({"events": [{"event": "x", "at": "2020-01-01"}]}, "the clock only goes forward"),
        ({"events": [{"event": "x", "refused": ["moon"]}]}, "There is no reason 'moon'"),
    ],
    ids=["unknown key", "no events", "no destinations", "no time", "backwards", "unknown reason"],
)
def test_a_scenario_that_breaks_a_rule_is_refused(
    smspipe: Callable[..., Ended], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    given = {"destinations": str(SCENARIO.parent / "destinations.yaml"), "events": [{"event": "x"}], **change}
    ended = smspipe("scenario", write(tmp_path / "scenario.json", given))
    assert ended.status == 1
    assert said in ended.err


def test_a_forecast_looks_beside_a_running_service_and_a_replay_sends(
    start: Callable[..., Service], smspipe: Callable[..., Ended], tmp_path: Path
) -> None:
    service = start("--sandbox")
    for nth in range(3):
        service.capture("order shipped", f"u-{nth}", order=nth, phone=f"+1202555010{nth}")
    body = destination("Order shipped", "order shipped")
    body["inputs"]["phoneNumber"] = {"value": "{event.properties.phone}"}
    body["inputs"]["smsBody"] = {"value": "Order {event.properties.order}"}
    folder = ("--data", service.folder)
    path = write(tmp_path / "texts.json", body)

    def stored() -> bool:
        return bool(json.loads(smspipe("forecast", path, *folder, "--json").out)["events"] == 3)

    service.until(stored)
    looked = smspipe("forecast", path, *folder)
    assert (looked.status, looked.err) == (0, "")
    assert "Texts\t3 to 3 numbers, 3 segments" in looked.out
    assert smspipe("destinations", "apply", path, *folder).status == 0
    replayed = smspipe("replay", "Order shipped", *folder, "--yes")
    assert (replayed.status, replayed.out.splitlines()[-1]) == (0, "3 texts on the way.")
    service.until(lambda: len(service.api("GET", "/sandbox/inbox")["results"]) == 3)
    again = json.loads(smspipe("replay", "Order shipped", *folder, "--yes", "--json").out)
    assert (again["forecast"]["here"]["texts"], again["replayed"]) == (0, None)


def test_a_forecast_of_what_is_not_there_says_so(
    start: Callable[..., Service], smspipe: Callable[..., Ended], tmp_path: Path
) -> None:
    service = start("--sandbox")
    ended = smspipe("forecast", "Nothing", "--data", service.folder)
    assert (ended.status, "There is no destination 'Nothing'" in ended.err) == (1, True)
    assert smspipe("forecast", "Nothing", "--data", service.folder, "--since", "soon").status == 2

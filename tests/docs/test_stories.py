"""Examples that tell of the service: capture takes the requests, the loader the settings, and the demo is quoted."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from smspipe import capture, config
from smspipe.capture import CaptureRequest, door_of
from smspipe.cli.story import scenes
from smspipe.model.outcome import Reason
from tests.docs.pages import DOCS, ROOT, Example, examples, examples_of

TOKEN = "phc_your_project_token"
NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
_CURL = re.compile(
    r"curl http\S+?(?P<path>/e/|/batch/|/hooks/posthog) .*?-d '(?P<body>\{.*?\})'$", re.DOTALL | re.MULTILINE
)


def requests() -> list[Any]:
    """Find every request to capture: those of curl, and bodies that a page shows."""
    found = [
        (each.name, call["path"], json.loads(call["body"]))
        for each in examples("sh")
        for call in _CURL.finditer(each.text)
    ]
    for page in ("capture", "events-and-persons"):
        for each in examples_of(DOCS / "reference" / f"{page}.md", "json"):
            body = json.loads(each.text)
            if "created_at" in body:
                found.append((each.name, "/i/v1/analytics/events", body))
            elif isinstance(body.get("event"), dict):
                found.append((each.name, "/hooks/posthog", body))
            elif "event" in body:
                found.append((each.name, "/e/", {"api_key": TOKEN, **body}))
    return [pytest.param(path, body, id=f"{name} {path}") for name, path, body in found]


@pytest.mark.parametrize(("path", "body"), requests())
def test_a_request_on_a_page_is_taken_by_capture(path: str, body: dict[str, Any]) -> None:
    door = door_of(path)
    assert door is not None
    request = CaptureRequest(
        method="POST",
        path=path,
        content_type="application/json",
        authorization=f"Bearer {TOKEN}",
        sdk_info="posthog-python/7.0",
        attempt="1",
        request_id="0199b0c4-0000-7000-8000-00000000000f",
        request_timestamp="2026-11-22T13:00:00Z",
        body=json.dumps(body).encode(),
    )
    accepted = capture.read(request, door, NOW, bytes(8), TOKEN)
    assert len(accepted.events) == 1


def test_every_way_in_is_shown() -> None:
    assert {each.values[0] for each in requests()} == {"/e/", "/batch/", "/hooks/posthog", "/i/v1/analytics/events"}


def test_the_settings_file_on_the_page_is_taken(tmp_path: Path) -> None:
    example, *_ = examples_of(DOCS / "reference" / "settings.md", "toml")
    (tmp_path / "smspipe.toml").write_text(example.text)
    found = config.find({}, {"data": str(tmp_path / "data")}, tmp_path)
    settings = config.load(found)
    assert (settings.default_country, settings.twilio_connections) == ("US", 16)


def test_the_keys_file_on_the_page_has_the_names_of_a_real_one(tmp_path: Path) -> None:
    _, example = examples_of(DOCS / "reference" / "settings.md", "toml")
    config.load(config.find({}, {"data": str(tmp_path)}, tmp_path))
    written = (tmp_path / config.KEYS_FILE).read_text()
    assert re.findall(r"^(\w+) =", example.text, re.MULTILINE) == re.findall(r"^(\w+) =", written, re.MULTILINE)


def test_the_readme_quotes_the_demo() -> None:
    (quote,) = [each for each in examples_of(ROOT / "README.md", "text") if "shop" in each.text]
    told = [line for line in quote.text.splitlines() if line and not line.startswith(" ")]
    assert told
    assert set(told) <= {scene.says for scene in scenes()}
    reasons = re.findall(r"no text for .*?: (\w+)\.", quote.text)
    assert reasons
    assert set(reasons) <= set(Reason)


@pytest.mark.parametrize("example", examples("ini"), ids=lambda each: each.name)
def test_an_environment_on_a_page_is_taken(example: Example, tmp_path: Path) -> None:
    given = dict(re.findall(r"^(?:Environment=)?(SMSPIPE_\w+)=(\S+)$", example.text, re.MULTILINE))
    assert given
    config.load(config.find({**given, "SMSPIPE_DATA": str(tmp_path)}, folder=tmp_path))

"""The schema for editors takes what the service takes, and names every field that there is."""

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from smspipe.cli.files import read_files
from smspipe.destinations import options, short
from smspipe.destinations.schema import schema
from smspipe.destinations.templates import CREDENTIAL_INPUTS
from tests.docs.pages import examples

SCHEMA = schema()
CHECK = jsonschema.Draft202012Validator(SCHEMA)
WHOLE = {
    "name": "Order shipped",
    "account": {"sid": "AC1", "token": {"from_env": "TOKEN"}},
    "from": "+15005550006",
    "to": "{person.properties.phone}",
    "message": {"value": "Hi", "templating": "liquid"},
    "when": ["order shipped", {"event": "order lost", "where": {"key": "plan", "value": "pro"}}, {"action": 3}],
    "where": [{"key": "email", "type": "person", "operator": "icontains", "value": "@"}],
    "cooldown": {"key": "{person.id}", "seconds": 60},
    "smspipe": {"max_age": 60},
}


def in_the_docs(tmp: Path) -> list[Any]:
    """Give every document in YAML or TOML on a page; those in JSON are read elsewhere as bodies of requests."""
    found = [value for each in examples("toml") for value in tomllib.loads(each.text).get("destinations", [])]
    for place, each in enumerate(examples("yaml")):
        file = tmp / f"{place}.yaml"
        file.write_text(each.text)
        if any(line and not line.startswith("#") for line in each.text.splitlines()):
            # a page on scenarios has files that name destinations and tell what happens to them
            found += [each.value for each in read_files(str(file)) if "events" not in each.value]
    return found


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_example_is_taken(tmp_path: Path) -> None:
    found = in_the_docs(tmp_path)
    assert len(found) > 3
    for each in found:
        CHECK.validate(each)
        short.expand(each)


@pytest.mark.parametrize("value", [WHOLE, [WHOLE, WHOLE], {"destinations": [WHOLE]}], ids=["one", "list", "keyed"])
def test_a_whole_document_is_taken_alone_and_in_lists(value: Any) -> None:
    CHECK.validate(value)


def test_an_export_is_taken() -> None:
    long: dict[str, Any] = {
        "id": "x",
        "name": "a",
        "type": "destination",
        "template_id": "template-twilio",
        "inputs": {"smsBody": {"value": "Hi", "order": 1}, "authToken": {"secret": True}},
        "inputs_schema": CREDENTIAL_INPUTS,
        "filters": {"source": "events", "events": [{"id": "a", "type": "events"}]},
        "masking": None,
        "mappings": None,
        "smspipe": {"version": 3, "paused": None, "paused_at": None, "notes": []},
        "created_at": "2026-01-02T03:04:05Z",
        "created_by": {"first_name": "api"},
        "status": {"state": 1},
        "template": {"id": "template-twilio"},
    }
    CHECK.validate(long)


@pytest.mark.parametrize(
    "changes",
    [
        {"mesage": "Hi"},
        {"inputs": {}},
        {"masking": {"hash": "a", "ttl": 1}},
        {"filters": {}},
        {"from": 15005550006},
        {"enabled": "yes"},
        {"cooldown": {"key": "a", "seconds": 0}},
        {"smspipe": {"max_ag": 1}},
        {"account": {"sid": "AC1", "tokn": "x"}},
        {"when": [{"evnt": "x"}]},
        {"where": {"key": "a", "operator": "equals"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_mistake_is_seen_in_the_editor(changes: dict[str, Any]) -> None:
    assert not CHECK.is_valid(WHOLE | changes)


def test_every_key_and_option_is_described() -> None:
    described = SCHEMA["$defs"]["destination"]["properties"]
    assert set(described) == {*short.LONG, *(key for keys in short.SHORT.values() for key in keys), *short.PASSED_BY}
    assert set(described["smspipe"]["properties"]) == {*options.KEYS, *options.READ_ONLY}
    assert {
        key: value for key, value in described["smspipe"]["properties"].items() if key in options.KEYS and not value
    } == {}

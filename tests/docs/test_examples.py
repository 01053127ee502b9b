"""Examples are right: they parse, destinations and filters are taken by the real reader, templates compile."""

import ast
import json
import re
import shlex
import subprocess
import tomllib
from typing import Any

import pytest
import typer.main

from smspipe.cli.main import make_group
from smspipe.destinations import meaning
from smspipe.destinations.document import create_document
from smspipe.matching import compile_filter, read_filter
from smspipe.model.destination import Account, Destination, Secret, Templating, Text
from smspipe.model.filter import Mode
from smspipe.model.ids import DestinationId
from smspipe.pipeline.prepare import Site, prepare
from smspipe.rendering import compile_text
from tests.docs.pages import PAGES, ROOT, Example, examples, examples_of
from tests.support.npm import NODE

ACCOUNT = Account(sid="AC1", username="AC1", password=Secret("of the examples"))
SITE = Site(project={"id": 1, "name": "Example", "url": "http://127.0.0.1:8000/project/1"})
FILTER_KEYS = {"source", "events", "actions", "properties", "filter_test_accounts"}

JSON = examples("json")
SHELL = [*examples("sh"), *examples("bash")]


def parsed(found: list[Example]) -> list[tuple[Example, Any]]:
    """Give those that are JSON; the others fail a test of their own."""
    result = []
    for each in found:
        try:
            result.append((each, json.loads(each.text)))
        except ValueError:
            continue
    return result


def destinations() -> list[Any]:
    """Find every document of a destination, in JSON, in TOML and inside of shell scripts."""
    found = [(each.name, value) for each, value in parsed(JSON) if isinstance(value, dict) and "template_id" in value]
    for each in examples("toml"):
        found += [(each.name, value) for value in tomllib.loads(each.text).get("destinations", [])]
    for each in SHELL:
        if "template-twilio" in each.text:
            found.append((each.name, json.loads(each.text.split("<<'EOF'\n")[1].split("\nEOF")[0])))
    return [pytest.param(value, id=name) for name, value in found]


def filters() -> list[Any]:
    """Find every filter that stands alone."""
    return [
        pytest.param(value, id=each.name)
        for each, value in parsed(JSON)
        if isinstance(value, dict) and value and value.keys() <= FILTER_KEYS and each.page.name == "filters.md"
    ]


def read(document: dict[str, Any]) -> Destination:
    """Read a document as the registry does, with a token where the example leaves it out."""
    inputs = dict(document["inputs"])
    if inputs.get("authToken") == {"secret": True}:
        inputs["authToken"] = {"value": "a token from elsewhere"}
    draft = create_document({**document, "inputs": inputs})
    return meaning.read(
        draft.document, draft.secrets, id=DestinationId("example"), version=1, find_account=lambda _: ACCOUNT
    )


@pytest.mark.parametrize("example", JSON, ids=lambda each: each.name)
def test_json_is_json(example: Example) -> None:
    json.loads(example.text)


@pytest.mark.parametrize("example", examples("toml"), ids=lambda each: each.name)
def test_toml_is_toml(example: Example) -> None:
    tomllib.loads(example.text)


@pytest.mark.parametrize("example", examples("python"), ids=lambda each: each.name)
def test_python_is_python(example: Example) -> None:
    ast.parse(example.text)


@pytest.mark.parametrize("example", SHELL, ids=lambda each: each.name)
def test_shell_is_shell(example: Example) -> None:
    checked = subprocess.run(["bash", "-n"], input=example.text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("example", examples("js"), ids=lambda each: each.name)
def test_javascript_is_javascript(example: Example) -> None:
    checked = subprocess.run(
        [NODE, "--check", "--input-type=module", "-"], input=example.text, text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def commands() -> list[Any]:
    """Find every call of smspipe in the shell examples, as its words."""
    found: list[Any] = []
    for each in SHELL:
        # what a heredoc feeds in is no shell
        text = re.sub(r"<<'?EOF'?\n.*?\nEOF$", "", each.text, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
        calls = re.findall(r"^(?:[A-Z_]+=\S+ )*smspipe (.+)$", text, re.MULTILINE)
        found += [pytest.param(shlex.split(call), id=f"{each.name} {call}") for call in calls]
    return found


@pytest.mark.parametrize("words", commands())
def test_an_example_command_is_understood(words: list[str]) -> None:
    command = typer.main.get_command(make_group())
    context = command.make_context("smspipe", words, resilient_parsing=False)
    while hasattr(command, "commands"):
        name, *words = [*context._protected_args, *context.args]
        command = command.commands[name]
        context = command.make_context(name, words, parent=context)


def test_every_make_target_that_a_page_names_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert named
    assert named <= targets


@pytest.mark.parametrize("document", destinations())
def test_an_example_destination_is_taken_and_compiles(document: dict[str, Any]) -> None:
    destination = read(document)
    assert destination.account is not None
    prepared = prepare(destination, SITE)
    assert prepared.routes
    assert prepared.matcher.event_names is not None, "an example listens to named events"


def test_there_are_examples_of_both_templates() -> None:
    shown = {each.values[0]["template_id"] for each in destinations()}
    assert shown == {"template-twilio", "template-twilio-cooldown"}


@pytest.mark.parametrize("document", filters())
@pytest.mark.parametrize("mode", Mode)
def test_an_example_filter_compiles(document: dict[str, Any], mode: Mode) -> None:
    compile_filter(read_filter(document, mode=mode))


def test_there_are_example_filters() -> None:
    assert len(filters()) >= 6


@pytest.mark.parametrize(
    ("example", "language"),
    [(each, language) for language in (Templating.HOG, Templating.LIQUID) for each in examples(language.value)],
    ids=lambda each: each.name if isinstance(each, Example) else None,
)
def test_an_example_template_compiles(example: Example, language: Templating) -> None:
    compiled = compile_text(Text(source=example.text.rstrip("\n"), templating=language))
    assert compiled.roots, "an example reads something"


def recipes() -> list[Any]:
    """Find the recipes in the table of the how-to on templates."""
    (page,) = [page for page in PAGES if page.name == "write-templates.md"]
    rows = [line.strip("| ").split(" | ") for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [pytest.param(cell.strip("`"), id=name) for name, cell, *_ in rows if cell.startswith(("`{", "`\\"))]


@pytest.mark.parametrize("source", recipes())
def test_a_recipe_of_the_how_to_compiles(source: str) -> None:
    compile_text(Text(source=source))


def test_every_page_of_the_reference_and_every_how_to_has_an_example() -> None:
    pages = [page for page in PAGES if page.parent.name in ("reference", "how-to", "explanation")]
    assert [page.name for page in pages if not list(examples_of(page))] == []

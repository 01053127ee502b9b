"""The reference is complete: what the code has, a page names, and what a page lists, the code has."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import typer.main

from smspipe import config, telemetry
from smspipe.capture import BODY_LIMITS, door_of
from smspipe.cli.main import make_group
from smspipe.deliveries import metrics
from smspipe.deliveries.states import MOVES, Move
from smspipe.destinations import options, short, templates
from smspipe.destinations.document import create_document
from smspipe.hog.library import FUNCTIONS
from smspipe.matching.operators import OF_VALUES
from smspipe.model.delivery import Delivery, Status
from smspipe.model.outcome import Reason
from smspipe.pipeline.lint import Code
from smspipe.rendering.liquid_filters import FILTERS
from smspipe.rendering.liquid_tags import TAGS
from smspipe.sandbox.account import Settings
from smspipe.sandbox.faults import Fault, Rule
from smspipe.web.deliveries import DeliveryInFull
from smspipe.web.routes import api
from smspipe.web.services import Services
from tests.docs.pages import ROOT, codes_in, first_cells, reference, section_of

SETTINGS = reference("settings")


# ---- settings, reasons, metrics, logs --------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", config.SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_is_named_with_its_default(setting: config.Setting) -> None:
    variable = config.PREFIX + setting.name.upper()
    (row,) = [line for line in SETTINGS.splitlines() if line.startswith(f"| `{variable}` |")]
    cell = row.split(" | ")[1]
    assert (f"`{setting.default}`" == cell) if setting.default is not None else ("`" not in cell)


def test_no_page_names_a_setting_that_is_none() -> None:
    known = {config.PREFIX + setting.name.upper() for setting in config.SETTINGS}
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(r"\bSMSPIPE_[A-Z_]+[A-Z]\b", page.read_text("utf-8")))
        # what follows these is the name of an input, or of something that only the tests read
        free = ("SMSPIPE_SECRET_", "SMSPIPE_TEST_")
        assert {name for name in named if not name.startswith(free)} <= known, page


def test_reasons_are_listed_once_each_and_no_others() -> None:
    rows = [line.split("`")[1] for line in reference("reasons").splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(Reason)


def test_reasons_that_no_code_gives_are_called_reserved() -> None:
    reserved = first_cells(section_of(reference("reasons"), "Reserved"))
    given = {
        reason.value
        for path in (ROOT / "src" / "smspipe").rglob("*.py")
        for reason in Reason
        # what is compared with or shown is not given; these rooms only look at reasons
        if path.parent.name not in ("model", "web", "cli")
        and re.search(rf"\bReason\.{reason.name}\b", path.read_text())
    }
    assert reserved == set(Reason) - given


def test_metrics_are_listed_and_no_others() -> None:
    known = {*telemetry.COUNTERS, *telemetry.GAUGES, "smspipe_outcomes_total"}
    assert {name for name in first_cells(reference("metrics")) if name.startswith("smspipe_")} == known


def test_the_page_of_metrics_is_what_prometheus_reads() -> None:
    told = {line.split()[2] for line in telemetry.metrics_text().decode().splitlines() if line.startswith("# TYPE")}
    assert told == {name for name in first_cells(reference("metrics")) if name.startswith("smspipe_")}


def test_counts_of_a_destination_are_listed_with_their_kinds() -> None:
    rows = section_of(reference("metrics"), "Of a destination").splitlines()
    listed = {row.split("`")[1]: row.split(" | ")[1] for row in rows if row.startswith("| `")}
    assert listed == dict(metrics.KINDS)


def test_log_events_are_listed_with_their_levels() -> None:
    rows = [line for line in reference("logs").splitlines() if line.startswith("| `")]
    listed = {(row.split("`")[1], row.split(" | ")[1]) for row in rows}
    assert listed == set(_logged())


def _logged() -> Iterator[tuple[str, str]]:
    """Find every call such as `log.info("attempt", …)` in the source."""
    for path in (ROOT / "src" / "smspipe").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr="debug" | "info" | "warning" | "error" as level),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    yield name, level


# ---- deliveries ------------------------------------------------------------------------------------------------------


def test_states_are_listed_and_no_others() -> None:
    assert first_cells(section_of(reference("deliveries"), "States")) == set(Status)


def test_the_table_of_moves_is_the_one_in_the_code() -> None:
    rows = [line for line in section_of(reference("deliveries"), "Moves").splitlines() if line.startswith("| `")]
    listed = {}
    for row in rows:
        move, sources, target, _ = row.strip("| ").split(" | ")
        listed[move.strip("`")] = (codes_in(sources), target.strip("`"))
    expected = {
        move.value: (
            {status.value for status, moves in MOVES.items() if move in moves},
            next(moves[move].value for moves in MOVES.values() if move in moves),
        )
        for move in Move
    }
    assert listed == expected


def test_the_fields_of_a_delivery_are_listed() -> None:
    shown = {{"sender": "from"}.get(name, name) for name in DeliveryInFull.__struct_fields__}
    assert first_cells(section_of(reference("deliveries"), "Fields")) == shown
    # two are looked up when somebody asks for one delivery
    looked_up = {"from", "sends_at", "receipts"}
    assert shown <= {{"sender": "from"}.get(name, name) for name in Delivery.__struct_fields__} | looked_up


# ---- command line and HTTP -------------------------------------------------------------------------------------------


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(_commands(typer.main.get_command(make_group()), "smspipe"))


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_has_a_section_with_all_its_options(path: str) -> None:
    page = reference("command-line")
    (title,) = [line[3:] for line in page.splitlines() if re.match(rf"## `{path}[` ]", line)]
    known = codes_in(section_of(page, title)) | codes_in(page.partition("\n## ")[0])
    named = {code.split()[0] for code in known}
    given = {name for each in COMMANDS[path].params for name in each.opts if name.startswith("--")}
    assert given - named == set()
    own = {code.split()[0] for code in codes_in(section_of(page, title)) if code.startswith("--")}
    assert own <= given


def test_no_section_is_of_a_command_that_is_none() -> None:
    titles = re.findall(r"^## `(smspipe[a-z ]*[a-z])[` ]", reference("command-line"), re.MULTILINE)
    assert sorted(titles) == sorted(COMMANDS)


def test_endpoints_of_the_openapi_document_are_listed_and_no_others() -> None:
    schema = api(_services()).openapi_schema.to_schema()
    known = {f"{method.upper()} {path}" for path, item in schema["paths"].items() for method in item if method in
             ("get", "post", "put", "patch", "delete")}  # fmt: skip
    listed = {code for code in first_cells(reference("http")) if re.match(r"[A-Z]+ /api/", code)}
    assert listed == known


def test_query_parameters_are_named_beside_their_endpoint() -> None:
    rows = {row.split("`")[1]: row for row in reference("http").splitlines() if row.startswith("| `")}
    for path, item in api(_services()).openapi_schema.to_schema()["paths"].items():
        for method, operation in item.items():
            parameters = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            if path == "/api/public_hog_function_templates":
                continue  # told as "the same list"
            row = codes_in(rows[f"{method.upper()} {path}"])
            row = {code.partition("=")[0] for code in row}
            page = row | ({"after", "before", "name", "kind", "breakdown_by"} if path.endswith("/totals") else set())
            assert set(parameters) - page == set(), path


def _services() -> Services:
    from smspipe.model.destination import Secret

    services = object.__new__(Services)
    object.__setattr__(services, "api_key", Secret("phx_documentation"))
    return services


def test_capture_routes_are_listed_with_their_limits() -> None:
    rows = [line for line in section_of(reference("capture"), "Routes").splitlines() if line.startswith("| `")]
    listed: dict[str, int] = {}
    for row in rows:
        paths, _, limit = row.strip("| ").split(" | ")
        listed |= dict.fromkeys(codes_in(paths), int(limit.removesuffix(" MiB")) * 2**20)
    from smspipe.capture import door

    known = {path: BODY_LIMITS[where] for path, where in door._PATHS.items()}
    assert listed == known
    assert all(door_of(path) is not None and door_of(path + "/") is not None for path in listed)


# ---- destinations, filters, templates --------------------------------------------------------------------------------


def test_options_of_a_destination_are_listed() -> None:
    section = section_of(reference("destinations"), "Options")
    assert first_cells(section) == set(options._READERS)
    assert set(options.READ_ONLY) <= codes_in(section)


def test_fields_of_a_destination_are_listed() -> None:
    body = {"template_id": templates.TWILIO, "inputs": {"accountSid": {"value": "AC1"}, "authToken": {"value": "token"},
            "fromPhoneNumber": {"value": "+15005550006"}, "smsBody": {"value": "Hi"}}}  # fmt: skip
    assert first_cells(section_of(reference("destinations"), "Fields")) == set(create_document(body).document)


def test_short_keys_of_a_destination_are_listed() -> None:
    rows = section_of(reference("destinations"), "Short form").splitlines()
    cells = [row.split(" | ") for row in rows if row.startswith("| `")]
    listed = {key: field.strip("`") for keys, field, _ in cells for key in codes_in(keys)}
    assert listed == {key: field for field, keys in short.SHORT.items() for key in keys}


def test_warnings_are_listed_and_no_others() -> None:
    assert first_cells(section_of(reference("destinations"), "Warnings")) == set(Code)


def test_templates_and_their_inputs_are_listed() -> None:
    page = reference("destinations")
    families = (templates.CREDENTIAL_INPUTS, templates.INTEGRATION_INPUTS)
    listed = codes_in(section_of(page, f"`{templates.TWILIO}`"))
    assert {item["key"] for family in families for item in family} <= listed
    older = first_cells(section_of(page, f"`{templates.COOLDOWN}`"))
    assert older == {item["key"] for item in templates.COOLDOWN_INPUTS}


def test_filter_operators_are_listed_and_no_others() -> None:
    known = {each for each in OF_VALUES if each is not None} | {"is_set", "is_not_set", "between", "not_between"}
    assert first_cells(section_of(reference("filters"), "Operators")) == known


def test_hog_functions_are_listed_and_no_others() -> None:
    assert first_cells(section_of(reference("templates"), "Hog functions")) == set(FUNCTIONS)


@pytest.mark.parametrize(("what", "known"), [("Filters", FILTERS), ("Tags", TAGS)])
def test_liquid_is_listed_and_nothing_else(what: str, known: Mapping[str, object]) -> None:
    (line,) = [line for line in section_of(reference("templates"), "Liquid").splitlines() if line.startswith(what)]
    assert codes_in(line) == set(known)


# ---- sandbox ---------------------------------------------------------------------------------------------------------


def test_faults_of_the_sandbox_are_listed_and_no_others() -> None:
    table = section_of(reference("sandbox"), "Faults").partition("| Fault |")[2]
    assert first_cells(table) == set(Fault)
    assert first_cells(section_of(reference("sandbox"), "Faults").partition("| Fault |")[0]) == set(
        Rule.__struct_fields__
    )


def test_settings_of_the_sandbox_are_listed_and_no_others() -> None:
    assert first_cells(section_of(reference("sandbox"), "Settings")) == set(Settings.__struct_fields__)


def test_control_endpoints_of_the_sandbox_are_listed_and_no_others() -> None:
    from smspipe.sandbox import controls

    told = re.findall(r"^\| `([A-Z ]+) (/[^`]+)` \|", controls.__doc__ or "", re.MULTILINE)
    known = {f"{method} /sandbox{path}" for methods, path in told for method in methods.split()}
    assert first_cells(section_of(reference("sandbox"), "Control endpoints")) == known


def test_magic_numbers_are_listed_with_their_codes() -> None:
    from smspipe.sandbox.checks import MAGIC_FROM, MAGIC_TO

    for row in section_of(reference("sandbox"), "Magic numbers").splitlines():
        if row.startswith("| `"):
            number, to, sender = row.strip("| ").split(" | ")
            codes = [int(found[0]) if (found := re.match(r"\d{5}", cell)) else None for cell in (to, sender)]
            assert codes == [MAGIC_TO.get(number.strip("`")), MAGIC_FROM.get(number.strip("`"))]
    assert {*MAGIC_TO, *MAGIC_FROM} <= first_cells(section_of(reference("sandbox"), "Magic numbers"))

"""`smspipe scenario`: play events on a clock of their own and compare the texts with those that are expected."""

from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree as ET

import typer

from smspipe.cli import output
from smspipe.cli.files import read_files, read_values
from smspipe.cli.options import AsJson, example
from smspipe.cli.references import stand_in
from smspipe.model.clock import to_iso
from smspipe.model.errors import Fault, Invalid


def add_to(group: typer.Typer) -> None:
    """Add the command."""
    group.command(epilog=example("smspipe scenario tests/orders.yaml", "smspipe scenario tests/ --junit report.xml"))(
        scenario
    )


def scenario(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A scenario in YAML, TOML or JSON, or a folder of them.")],
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", show_default=False, help="Write the result there as JUnit XML."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """
    Play a scenario: events at given times, the texts expected of them, and the reasons for no text.

    It needs no service, no account and no secret, and sends nothing: made for a test in your own repository.
    """
    from smspipe.pipeline.scenario import play

    played = []
    folder = Path(file).is_dir()
    for document in read_values(file):
        if folder and "events" not in document.value:
            continue  # destinations that scenarios of the folder name
        value = dict(document.value)
        given = value.get("destinations")
        try:
            played.append(play(value, _destinations(given, document.file), Path(document.file).stem))
        except Invalid as fault:
            at = f" ({fault.field})" if fault.field else ""
            raise Invalid(f"{document.file}{at}: {fault}", hint=fault.hint) from fault
    if not played:
        raise Invalid(f"{file} holds no scenario.")
    if junit is not None:
        _write_junit(junit, played)
    if as_json:
        output.print_json([_shown(each) for each in played])
    else:
        for each in played:
            _print(each)
    return 0 if all(each.held for each in played) else 1


def _destinations(given: Any, file: str) -> list[dict[str, Any]]:
    """Give the destinations: those that stand in the scenario, or those of the files that it names, beside its own."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list) or not given:
        raise Invalid("A scenario needs destinations: a file's name, or a list of them.", field="destinations")
    found: list[dict[str, Any]] = []
    for each in given:
        if isinstance(each, str):
            folder = Path() if file == "standard input" else Path(file).parent
            found += [document.value for document in stand_in(read_files(str(folder / each)))]
        elif isinstance(each, dict):
            found += [_stand_in_one(each, file)]
        else:
            raise Invalid("A destination is a file's name or an object.", field="destinations")
    return found


def _stand_in_one(value: dict[str, Any], file: str) -> dict[str, Any]:
    from smspipe.cli.files import Document

    return stand_in([Document(value=value, file=file)])[0].value


def _print(played: Any) -> None:
    wrong = [check for check in played.checks if check.problems]
    count = f"{len(played.checks)} event{'s' * (len(played.checks) != 1)}"
    if not wrong:
        output.print_line(f"{played.name}: {count}, all as expected.", "green")
        return
    output.print_line(f"{played.name}: {len(wrong)} of {count} not as expected.", "red")
    for check in wrong:
        output.print_line(f"  event {check.position + 1}, {check.event}, {to_iso(check.at)}")
        for problem in check.problems:
            output.print_line(f"    {problem}")


def _shown(played: Any) -> dict[str, Any]:
    return {
        "name": played.name,
        "held": played.held,
        "checks": [
            {"position": each.position, "event": each.event, "at": to_iso(each.at), "problems": list(each.problems)}
            for each in played.checks
        ],
    }


def _write_junit(path: Path, played: list[Any]) -> None:
    root = ET.Element("testsuites")
    for each in played:
        failures = str(sum(bool(check.problems) for check in each.checks))
        suite = ET.SubElement(root, "testsuite", name=each.name, tests=str(len(each.checks)), failures=failures)
        for check in each.checks:
            case = ET.SubElement(suite, "testcase", classname=each.name, name=f"{check.position + 1} {check.event}")
            if check.problems:
                ET.SubElement(case, "failure", message=check.problems[0]).text = "\n".join(check.problems)
    try:
        ET.ElementTree(root).write(path, "utf-8", xml_declaration=True)
    except OSError as error:
        raise Fault(f"{path} cannot be written: {error.strerror}.") from error

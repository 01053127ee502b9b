"""`smspipe destinations`: configuration as code."""

import json
from typing import Annotated, Any

import typer

from smspipe.cli import configuration, output
from smspipe.cli.client import open_client
from smspipe.cli.imports import import_
from smspipe.cli.options import AsJson, Data, Url, example


def make_group() -> typer.Typer:
    """Build `smspipe destinations`."""
    group = typer.Typer(
        help="Configuration as code: list, show, plan, apply, lint, schema, export, import.",
        no_args_is_help=True,
        epilog=example("smspipe destinations list"),
    )
    group.command("list", epilog=example("smspipe destinations list"))(list_destinations)
    group.command("show", epilog=example("smspipe destinations show 'Order updates'"))(show)
    configuration.add_to(group)
    group.command("import", epilog=example("smspipe destinations import hog_functions.json"))(import_)
    return group


def list_destinations(as_json: AsJson = False, data: Data = None, url: Url = None) -> None:
    """List the destinations, those changed last first."""
    with open_client(data, url) as client:
        found = client.destinations(full=True)
    if as_json:
        output.print_json(found)
        return
    if not found and output.on_terminal():
        output.print_line("There is none yet. `smspipe destinations apply --help` says how to make one.", "dim")
        return
    terminal = output.on_terminal()
    rows: list[tuple[object, ...]] = []
    for each in found:
        row = (each["name"], state_of(each), events_of(each), each["id"])
        rows.append(((row[0], row[3]), row[1], row[2]) if terminal else row)
    output.print_table(("NAME, ID", "STATE", "EVENTS") if terminal else ("NAME", "STATE", "EVENTS", "ID"), rows)


def state_of(destination: dict[str, Any]) -> str:
    """Say in a word whether it sends: on, off, or stopped by the engine."""
    if not destination["enabled"]:
        return "off"
    return "stopped" if destination["smspipe"].get("paused") else "on"


def events_of(destination: dict[str, Any]) -> str:
    """Say which events a destination is for."""
    filters = destination.get("filters") or {}
    names = [
        str(each.get("name") or each.get("id") or "any event")
        for each in (*(filters.get("events") or ()), *(filters.get("actions") or ()))
    ]
    pairs = (destination.get("inputs") or {}).get("triggeringEventsAndNumber", {}).get("value")
    if pairs:
        from smspipe.destinations.pairs import read_pairs

        names += [pair.name for pair in read_pairs(pairs)]
    return ", ".join(dict.fromkeys(names)) or "any event"


def show(
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="Its name or id.")],
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Show one destination; secrets stay hidden."""
    with open_client(data, url) as client:
        found = client.destination(destination)
    if as_json:
        output.print_json(found)
        return
    more = found["smspipe"]
    masking = found["masking"]
    output.print_pairs(
        (
            ("Name", found["name"]),
            ("Id", found["id"]),
            ("State", state_of(found)),
            ("Stopped because", more.get("paused")),
            ("Template", found["template_id"]),
            ("Version", more.get("version")),
            ("Changed", output.utc_time(found["updated_at"])),
            ("Events", events_of(found)),
            *((f"  {key}", _show_input(entry)) for key, entry in found["inputs"].items()),
            ("Cooldown", None if masking is None else _show_cooldown(masking)),
            ("Notes", " ".join(more.get("notes") or ())),
        )
    )
    conditions = {key: value for key, value in found["filters"].items() if key not in ("source", "bytecode") and value}
    if conditions:
        output.print_line()
        output.print_line("Filter", "bold")
        for line in json.dumps(conditions, indent=2, ensure_ascii=False).splitlines():
            output.print_line(line)


def _show_input(entry: dict[str, Any]) -> str:
    if entry.get("secret"):
        return "(secret)"
    value = entry.get("value")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _show_cooldown(masking: dict[str, Any]) -> str:
    every = f", then every {masking['threshold']}th event" if masking.get("threshold") else ""
    return f"one text in {masking['ttl']} seconds for each {masking['hash']}{every}"

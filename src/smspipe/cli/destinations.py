"""`smspipe destinations`: configuration as code."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from smspipe.cli import output
from smspipe.cli.client import Client, open_client
from smspipe.cli.imports import import_
from smspipe.cli.options import AsJson, Data, Url, example
from smspipe.model.errors import Fault, Invalid

File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="JSON, or TOML (.toml): a destination in PostHog's shape, or a list of them."),
]


def make_group() -> typer.Typer:
    """Build `smspipe destinations`."""
    group = typer.Typer(
        help="Configuration as code: list, show, plan, apply, import, export.",
        no_args_is_help=True,
        epilog=example("smspipe destinations list"),
    )
    group.command("list", epilog=example("smspipe destinations list"))(list_destinations)
    group.command("show", epilog=example("smspipe destinations show 'Order updates'"))(show)
    group.command("plan", epilog=example("smspipe destinations plan texts.toml"))(plan)
    group.command("apply", epilog=example("SMSPIPE_SECRET_AUTHTOKEN=… smspipe destinations apply texts.toml"))(apply)
    group.command("import", epilog=example("smspipe destinations import hog_functions.json"))(import_)
    group.command("export", epilog=example("smspipe destinations export > texts.json"))(export)
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


def plan(file: File, as_json: AsJson = False, data: Data = None, url: Url = None) -> int:
    """Say what applying a file would change, and whether it would be taken. Changes nothing."""
    from smspipe.cli import documents

    wanted = documents.read_documents(file)
    with open_client(data, url) as client:
        known = client.destinations()
        report = [_plan_one(client, each, known) for each in output.progress(wanted, "Comparing", len(wanted))]
    if as_json:
        output.print_json(report)
    else:
        for each in report:
            _print_plan(each)
        changing = sum(each["action"] in ("create", "change") for each in report)
        output.print_line(
            f"{changing} of {len(report)} would change. `smspipe destinations apply {file}` does it."
            if changing
            else "Nothing would change.",
        )
    return 1 if any(each["refused"] for each in report) else 0


def _plan_one(client: Client, document: dict[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
    from smspipe.cli import documents

    name = str(document.get("name") or document.get("id") or "a destination without a name")
    one: dict[str, Any] = {"name": name, "id": None, "action": "none", "changes": [], "refused": None}
    try:
        current = documents.find_current(client, document, known)
        filled, missing = documents.fill_secrets(document, current)
        if missing:
            raise Invalid(_secrets_needed(missing))
        documents.check(client, filled, current)
    except Invalid as error:
        one["refused"] = str(error)
        one["action"] = "refused"
        return one
    if current is None:
        one["action"] = "create"
        return one
    one["id"] = current["id"]
    found = documents.differences(filled, current)
    one["changes"] = [{"field": field, "before": before, "after": after} for field, before, after in found]
    one["action"] = "change" if found else "none"
    return one


def _secrets_needed(missing: list[str]) -> str:
    return f"Set {', '.join(f'SMSPIPE_SECRET_{key.upper()}' for key in missing)}: no value is stored for it yet."


def _print_plan(one: dict[str, Any]) -> None:
    signs = {"create": ("+", "would be created", "green"), "change": ("~", "would be changed", "yellow"),
             "none": ("=", "stays as it is", "dim"), "refused": ("!", "would be refused", "red")}  # fmt: skip
    sign, words, style = signs[one["action"]]
    output.print_line(f"{sign} {one['name']} {words}{': ' + one['refused'] if one['refused'] else ''}", style)
    for change in one["changes"]:
        output.print_line(f"    {change['field']}")
        if change["before"] is not None:
            output.print_line(f"      - {_short(change['before'])}", "red")
        if change["after"] is not None:
            output.print_line(f"      + {_short(change['after'])}", "green")


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def apply(file: File, as_json: AsJson = False, data: Data = None, url: Url = None) -> int:
    """
    Create or change the destinations of a file.

    One that is there is found by its id, else by its name; fields that the file leaves out stay as they are.
    A secret that the file masks is read from SMSPIPE_SECRET_<INPUT> (as SMSPIPE_SECRET_AUTHTOKEN), or asked for.
    """
    from smspipe.cli import documents

    wanted = documents.read_documents(file)
    with open_client(data, url) as client:
        known = client.destinations()
        report = [_apply_one(client, each, known) for each in output.progress(wanted, "Applying", len(wanted))]
    if as_json:
        output.print_json(report)
    else:
        for each in report:
            reason = f": {each['refused']}" if each["refused"] else ""
            output.print_line(f"{each['name']}: {each['action']}{reason}", "red" if reason else None)
    return 1 if any(each["refused"] for each in report) else 0


def _apply_one(client: Client, document: dict[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
    from smspipe.cli import documents

    one: dict[str, Any] = {"name": str(document.get("name") or document.get("id") or ""), "id": None, "refused": None}
    try:
        current = documents.find_current(client, document, known)
        filled, missing = documents.fill_secrets(document, current, ask=True)
        if missing:
            raise Invalid(_secrets_needed(missing))
        after = documents.put(client, filled, current)
    except Invalid as error:
        return {**one, "action": "refused", "refused": str(error)}
    same = current is not None and current["smspipe"]["version"] == after["smspipe"]["version"]
    action = "created" if current is None else "as it was" if same else "changed"
    if current is None:
        known.append({"id": after["id"], "name": after["name"]})
    return {**one, "name": after["name"], "id": after["id"], "action": action}


def export(
    destination: Annotated[
        list[str] | None, typer.Argument(metavar="[DESTINATION]...", help="Names or ids; left out, all of them.")
    ] = None,
    to_file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of standard output.")
    ] = None,
    as_json: AsJson = False,  # noqa: ARG001 (an export is JSON in any case)
    data: Data = None,
    url: Url = None,
) -> None:
    """Print destinations in PostHog's shape, as JSON; `apply` takes them again. Secrets are left out."""
    with open_client(data, url) as client:
        found = [client.destination(each) for each in destination or ()] or client.destinations(full=True)
    if to_file is None:
        output.print_json(found)
        return
    try:
        to_file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise Fault(f"{to_file} cannot be written: {error.strerror}.") from error

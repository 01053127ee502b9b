"""`smspipe destinations plan, apply, lint, schema, export`: destinations as files."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from smspipe.cli import output
from smspipe.cli.client import PROJECT, Client, Refused, open_client
from smspipe.cli.files import Document, read_files, write_documents
from smspipe.cli.options import AsJson, Data, Misused, Url, example
from smspipe.cli.references import resolve
from smspipe.cli.telling import (
    count_changes,
    print_looked,
    print_plan,
    print_refusal,
    print_rest,
    print_sum,
    print_warnings,
    say_count,
)
from smspipe.model.errors import Fault, Invalid

CHANGES: Final = 3
"""The exit status of `--exit-code` where there is something to do; 1 and 2 mean that something went wrong."""
_FORMS: Final = ("json", "yaml", "toml")
File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="YAML, TOML or JSON: one destination or many; or a folder of such files."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of standard output.")
]
Prune = Annotated[bool, typer.Option("--prune", help="Delete the destinations that the file does not have.")]
Segments = Annotated[
    int | None,
    typer.Option("--max-segments", metavar="N", min=1, max=100, show_default=False,
                 help="Warn of texts of more segments; 3 unless said."),
]  # fmt: skip


def add_to(group: typer.Typer) -> None:
    """Add the commands to `smspipe destinations`."""
    group.command("plan", epilog=example("smspipe destinations plan texts.yaml"))(plan)
    group.command("apply", epilog=example("TWILIO_TOKEN=… smspipe destinations apply texts.yaml"))(apply)
    group.command("lint", epilog=example("smspipe destinations lint texts.yaml", "… lint --all"))(lint)
    group.command("schema", epilog=example("smspipe destinations schema -o smspipe.schema.json"))(schema)
    group.command("export", epilog=example("smspipe destinations export -o texts.yaml"))(export)


def plan(
    file: File,
    prune: Prune = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with status 3 when something would change, 0 when nothing would.")
    ] = False,
    max_segments: Segments = None,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> int:
    """Say what applying a file would change, whether it would be taken, and what to look at. Changes nothing."""
    documents = resolve(read_files(file))
    with open_client(data, url) as client:
        sent = _fill(client, documents, ask=False)
        options = {"dry_run": True, "prune": prune, "lint": True, "max_segments": max_segments or 3}
        results = _call(client, sent, options)
    if as_json:
        output.print_json(results)
    else:
        for result in results:
            print_plan(result, documents)
        print_rest(results, prune=prune)
        print_sum(results, file, prune=prune)
    if any(each["action"] == "refused" for each in results):
        return 1
    return CHANGES if exit_code and count_changes(results) else 0


def apply(file: File, prune: Prune = False, as_json: AsJson = False, data: Data = None, url: Url = None) -> int:
    """
    Make the destinations what a file says: all of it, or nothing.

    One that is there is found by its id, else by its name. What the file leaves out has its default; only whether it is
    enabled and its secrets stay. A secret may be {from_env: NAME} or {from_file: PATH}; one that is left out is read
    from SMSPIPE_SECRET_<INPUT> (as SMSPIPE_SECRET_AUTHTOKEN), or asked for.
    """
    documents = resolve(read_files(file))
    with open_client(data, url) as client:
        sent = _fill(client, documents, ask=True)
        try:
            results = _call(client, sent, {"prune": prune})
        except Refused as fault:
            results = [{"position": each.pop("document"), "name": each["name"], "id": None, "action": "refused",
                        "changes": [], "refused": each, "warnings": []} for each in fault.refused]  # fmt: skip
    if as_json:
        output.print_json(results)
    else:
        words = {"create": "created", "change": "changed", "delete": "deleted", "none": "as it was"}
        for result in results:
            if result["action"] == "refused":
                print_refusal(result, documents, "is refused")
            elif result["action"] != "kept":
                output.print_line(f"{result['name']}: {words[result['action']]}")
    if any(each["action"] == "refused" for each in results):
        count = sum(each["action"] == "refused" for each in results)
        raise Fault(f"{count} of {len(documents)} {'is' if count == 1 else 'are'} refused, so nothing was changed.")
    return 0


def lint(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="As for plan; left out, with --all, those of the service.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Look at all destinations of the service.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with status 3 when there is a warning, 0 when there is none.")
    ] = False,
    max_segments: Segments = None,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> int:
    """Look at destinations with the newest events, and warn of what is probably not meant. Changes nothing."""
    if (file is None) is not everything:
        raise Misused("Give either a FILE, or --all. See `smspipe destinations lint --help`.")
    documents = [] if file is None else resolve(read_files(file))
    body: dict[str, Any] = {"max_segments": max_segments or 3}
    with open_client(data, url) as client:
        if file is not None:
            body["destinations"] = _fill(client, documents, ask=False)
        try:
            results = client.call("POST", f"{PROJECT}/hog_functions/lint/", body)["results"]
        except Refused as fault:
            for each in fault.refused:
                print_refusal(
                    {"position": each["document"], "name": each["name"], "refused": each}, documents, "is refused"
                )
            raise
    if as_json:
        output.print_json(results)
    else:
        print_looked(results)
        for place, each in enumerate(results):
            document = documents[place] if documents else None
            output.print_line(
                f"{each['name']}: {say_count(each['warnings'])}", "yellow" if each["warnings"] else "green"
            )
            print_warnings(each, document)
    return CHANGES if exit_code and any(each["warnings"] for each in results) else 0


def schema(to_file: Output = None, as_json: AsJson = False) -> None:  # noqa: ARG001 (it is JSON in any case)
    """Print the JSON Schema of such files, for editors that check while one writes."""
    from smspipe.destinations import schema as described

    if to_file is None:
        output.print_json(described.schema())
    else:
        _write(to_file, json.dumps(described.schema(), indent=2) + "\n")


def export(
    destination: Annotated[
        list[str] | None, typer.Argument(metavar="[DESTINATION]...", help="Names or ids; left out, all of them.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORM",
            show_default=False,
            help="json (PostHog's shape), yaml or toml; left out, what the file's name ends in, else json.",
        ),
    ] = None,
    to_file: Output = None,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Print destinations; `apply` takes them again. Secrets are left out."""
    form = _form(form, to_file, as_json=as_json)
    with open_client(data, url) as client:
        found = [client.destination(each) for each in destination or ()] or client.destinations(full=True)
    if form == "json" and to_file is None:
        output.print_json(found)
        return
    text = write_documents(found if form == "json" else _tidy(found), form)
    if to_file is None:
        print(text, end="")
    else:
        _write(to_file, text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise Fault(f"{path} cannot be written: {error.strerror}.") from error


def _form(form: str | None, to_file: Path | None, *, as_json: bool) -> str:
    suffix = "" if to_file is None else to_file.suffix.lstrip(".").replace("yml", "yaml")
    chosen = form or ("json" if as_json else suffix if suffix in _FORMS else "json")
    if chosen not in _FORMS or (as_json and chosen != "json"):
        raise Misused(f"--format takes {', '.join(_FORMS)}. See `smspipe destinations export --help`.")
    return chosen


def _tidy(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from smspipe.destinations.tidy import tidy

    names = [each["name"] for each in found]
    # A name that two destinations have does not tell them apart.
    return [({"id": each["id"]} if names.count(each["name"]) > 1 else {}) | tidy(each) for each in found]


# ---- asking the service ----------------------------------------------------------------------------------------------


def _fill(client: Client, documents: list[Document], *, ask: bool) -> list[dict[str, Any]]:
    """Put in secrets that the environment has for what a document leaves out, or ask for them."""
    from smspipe.cli.documents import fill_secrets
    from smspipe.destinations.short import expand

    known = client.destinations(full=True)
    filled = []
    for document in documents:
        try:
            value = expand(document.value)
        except Invalid:
            filled.append(document.value)  # the service says the same, with the document's place in the list
            continue
        current = next((each for each in known if each["id"] == value.get("id")), None) or next(
            (each for each in known if each["name"] == value.get("name")), None
        )
        filled.append(fill_secrets(value, current, ask=ask)[0])
    return filled


def _call(client: Client, documents: list[dict[str, Any]], options: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"destinations": documents, **options}
    results: list[dict[str, Any]] = client.call("POST", f"{PROJECT}/hog_functions/apply/", body)["results"]
    return results

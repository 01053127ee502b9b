"""`smspipe erase`: forget a person."""

import sys
from typing import Annotated

import typer

from smspipe.cli import output
from smspipe.cli.client import PROJECT, open_client
from smspipe.cli.options import AsJson, Data, Misused, Url, Yes, example
from smspipe.model.errors import Invalid


def add_to(group: typer.Typer) -> None:
    """Add `smspipe erase`."""
    group.command(epilog=example("smspipe erase --number +15005550009", "smspipe erase --person user-1"))(erase)


def erase(
    number: Annotated[str | None, typer.Option("--number", metavar="NUMBER", help="A phone number.")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="ID", help="A distinct_id, or person's id.")] = None,
    keep_persons: Annotated[
        bool, typer.Option("--keep-persons", help="Of a number: take it alone, and keep the profiles that hold it.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Erase a person or a number from profiles, events and deliveries. An opt-out stays, as a keyed hash."""
    if (number is None) == (person is None):
        raise Misused("Give either --number or --person.")
    body: dict[str, object] = {"number": number} if number is not None else {"distinct_id": person}
    if keep_persons:
        body["persons"] = "keep"
    with open_client(data, url) as client:
        meant = client.call("POST", f"{PROJECT}/erase/", {**body, "dry_run": True})
        if not as_json and not keep_persons:
            n = meant["persons"]
            output.print_line(f"{n} profile{'' if n == 1 else 's'}: {', '.join(meant['distinct_ids']) or 'none'}.")
        if not yes:
            if not sys.stdin.isatty():
                raise Invalid("What is erased is gone. Add --yes to do it without being asked.")
            typer.confirm("Erase all of it for good?", abort=True, err=True)
        made = client.call("POST", f"{PROJECT}/erase/", body)
    if as_json:
        output.print_json(made)
        return
    output.print_pairs(
        (
            ("Profiles", made["persons"]),
            ("Changed", made["profiles_changed"]),
            ("Events", made["events"]),
            ("Deliveries", made["deliveries"]),
            ("Opt-outs kept", made["opt_outs"]),
        )
    )
    if made["in_doubt"]:
        output.print_line(f"{made['in_doubt']} texts are in doubt. Erase again once they are settled.", "yellow")
    if made["still_found"]:
        output.print_line("It still stands in the database: look into the destinations' settings.", "yellow")

"""`smspipe deliveries cost`: what the texts cost."""

from typing import Annotated, Any

import typer

from smspipe.cli import output
from smspipe.cli.choosing import INSTANT, Destination
from smspipe.cli.client import PROJECT, open_client
from smspipe.cli.options import AsJson, Data, Url


def cost(
    by: Annotated[
        str, typer.Option("--by", metavar="WORD", help="destination, country (of the recipient) or day (in UTC).")
    ] = "destination",
    destination: Destination = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="WHEN", help=f"Only those sent since {INSTANT}.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", metavar="WHEN", help=f"Only those sent before {INSTANT}.")
    ] = None,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Sum the texts that Twilio took: segments as counted and as billed, and Twilio's own prices."""
    with open_client(data, url) as client:
        of = None if destination is None else client.destination(destination)["id"]
        with output.waiting("Summing"):
            found = client.get(f"{PROJECT}/deliveries/cost/", by=by, destination=of, after=after, before=before)
    if as_json:
        output.print_json(found)
        return
    if not found["results"] and output.on_terminal():
        output.print_line("There are none.", "dim")
        return
    head = (found["by"].upper(), "TEXTS", "SEGMENTS", "BILLED", "PRICE", "PRICE KNOWN")
    rows = [_row(each["name"], each) for each in found["results"]]
    if output.on_terminal():
        rows.append(_row("all", found["total"]))
    output.print_table(head, rows)


def _row(name: str, found: dict[str, Any]) -> tuple[object, ...]:
    return (
        name,
        found["texts"],
        found["segments"],
        found["billed_segments"] if found["billed_share"] else "-",
        ", ".join(f"{each['amount']} {each['currency']}" for each in found["prices"]) or "-",
        f"{found['priced_share']:.0%}",
    )

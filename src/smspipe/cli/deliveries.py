"""`smspipe deliveries`: the ledger, what it cost, and another try for what was certainly not sent."""

from collections.abc import Iterator
from operator import itemgetter
from typing import Annotated, Any, Final

import typer

from smspipe.cli import output
from smspipe.cli.choosing import (
    After,
    Before,
    Destination,
    Error,
    Event,
    Person,
    Reason,
    Status,
    To,
    filters_of,
    plain_number,
)
from smspipe.cli.client import PROJECT, open_client, segment
from smspipe.cli.cost import cost
from smspipe.cli.options import AsJson, Data, Url, example
from smspipe.cli.redrive import redrive

_AGAIN: Final = "redrive"
"""The name of the step by which a history tells that a person had a text sent again."""


def make_group() -> typer.Typer:
    """Build `smspipe deliveries`."""
    group = typer.Typer(
        help="The ledger, and another try for failed texts: list, show, redrive, cost.",
        no_args_is_help=True,
        epilog=example("smspipe deliveries list --status failed"),
    )
    group.command("list", epilog=example("smspipe deliveries list --reason cooldown --after -24h"))(list_deliveries)
    group.command("show", epilog=example("smspipe deliveries show 0199b0c4-3f5e-7000-8000-3b1c5a2d9e01"))(show)
    group.command("redrive", epilog=example("smspipe deliveries redrive --reason credentials --after -24h"))(redrive)
    group.command("cost", epilog=example("smspipe deliveries cost --by country --after -30d"))(cost)
    return group


def list_deliveries(
    destination: Destination = None,
    status: Status = None,
    reason: Reason = None,
    error: Error = None,
    to: To = None,
    event: Event = None,
    person: Person = None,
    after: After = None,
    before: Before = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """List deliveries, the newest first."""
    with open_client(data, url) as client:
        wanted = filters_of(
            client, destination, status=status, reason=reason, error_code=error, to=plain_number(to),
            event_uuid=event, distinct_id=person, after=after, before=before,
        )  # fmt: skip
        found = list(output.progress(client.deliveries(limit, **wanted), "Reading"))
        names = {} if as_json else {each["id"]: each["name"] for each in client.destinations()}
    if as_json:
        output.print_json(found)
    elif not found and output.on_terminal():
        output.print_line("There are none.", "dim")
    else:
        _print_list(found, names)


def _print_list(found: list[dict[str, Any]], names: dict[str, str]) -> None:
    """Two lines for each on a terminal, so that 80 columns hold a whole id; one line in a pipe."""
    if output.on_terminal():
        rows = [
            (
                (each["id"], output.short_time(each["created_at"])),
                (each["status"], each["reason"] or ""),
                (each["to"] or "–", each["event"]),
            )
            for each in found
        ]
        output.print_table(("DELIVERY, TIME (UTC)", "STATUS, REASON", "TO, EVENT"), rows)
        return
    columns = ("ID", "CREATED_AT", "STATUS", "REASON", "TO", "EVENT", "DESTINATION", "SEGMENTS", "SID")
    output.print_table(
        columns,
        [
            (each["id"], each["created_at"], each["status"], each["reason"] or "-", each["to"] or "-", each["event"],
             names.get(each["destination_id"], each["destination_id"]), each["segments"] or "-", each["sid"] or "-")
            for each in found
        ],
    )  # fmt: skip


def show(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")],
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Show one delivery: its text, the steps that led to it, and what happened since."""
    with open_client(data, url) as client:
        found = client.get(f"{PROJECT}/deliveries/{segment(delivery.lower())}/")
        if as_json:
            output.print_json(found)
            return
        names = {each["id"]: each["name"] for each in client.destinations()}
    print_delivery(found, names.get(found["destination_id"]))


def print_delivery(found: dict[str, Any], destination: str | None) -> None:
    """Print a delivery in full."""
    size = f"{found['segments']} × {found['encoding']}" if found["segments"] else None
    output.print_pairs(
        (
            ("Delivery", found["id"]),
            ("Status", found["status"]),
            ("Reason", found["reason"]),
            ("Destination", f"{destination or found['destination_id']} (version {found['version']})"),
            ("Event", found["event"]),
            ("Event uuid", found["event_uuid"]),
            ("Person", found["distinct_id"]),
            ("To", found["to"]),
            ("From", found["from"]),
            ("Text", found["body"]),
            ("Segments", size),
            ("SID", found["sid"]),
            ("At Twilio", found["twilio_status"]),
            ("Billed", None if found["billed_segments"] is None else _segments(found["billed_segments"])),
            ("Price", f"{found['price']} {found['price_unit'] or ''}".strip() if found["price"] else None),
            ("Attempts", found["attempts"] or None),
            ("Error", " ".join(str(each) for each in (found["error_code"], found["error_message"]) if each)),
            ("Created", output.utc_time(found["created_at"])),
            ("Not before", output.utc_time(found["not_before"])),
            ("Sends at", f"about {output.utc_time(found['sends_at'])}" if found["sends_at"] else None),
            ("Sent", output.utc_time(found["sent_at"])),
            ("Settled", output.utc_time(found["settled_at"])),
        )
    )
    output.print_line()
    output.print_steps([step for step in found["steps"] if step["name"] != _AGAIN])
    output.print_line()
    output.print_table(("AT (UTC)", "WHAT HAPPENED"), sorted(_history(found), key=itemgetter(0)))


def _history(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Tell what happened to a delivery, each with its time."""
    yield output.short_time(found["created_at"]), "The event was decided on."
    again = [step["data"] | {"saw": step["saw"]} for step in found["steps"] if step["name"] == _AGAIN]
    for each in again:
        if each.get("sent_at"):
            yield output.short_time(each["sent_at"]), f"Request {each['attempts']} to Twilio left."
        was = ", ".join(str(word) for word in (each["was"], each["reason"], each["error_code"], each["sid"]) if word)
        yield output.short_time(each["at"]), f"{each['saw']} (It was {was}.)"
    if found["sent_at"] and found["sent_at"] not in [each.get("sent_at") for each in again]:
        yield output.short_time(found["sent_at"]), f"Request {found['attempts']} to Twilio left."
    for each in found["receipts"]:
        if each["source"] != "person":
            code = f" with error {each['error_code']}" if each["error_code"] else ""
            said = f"Twilio said {each['status']}{code} ({each['source']}, {each['sid']})."
            yield output.short_time(each["at"]), said
    if found["settled_at"]:
        why = f": {found['error_message']}" if found["error_message"] else "."
        yield output.short_time(found["settled_at"]), f"It became {found['status']}{why}"


def _segments(n: int) -> str:
    return f"{n} segment{'' if n == 1 else 's'}"

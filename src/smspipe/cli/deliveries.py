"""`smspipe deliveries`: the ledger, and another try for what was certainly not sent."""

from collections import Counter
from typing import Annotated, Any, Final

import typer

from smspipe.cli import output
from smspipe.cli.client import PROJECT, Client, open_client, segment
from smspipe.cli.options import AsJson, Data, Misused, Url, Yes, example
from smspipe.model.errors import Invalid

REDRIVABLE: Final = ("failed", "held")
"""The states in which it is certain that nothing was sent, and a person may ask for another try."""
_IN_ONE_REQUEST: Final = 200

Destination = Annotated[
    str | None, typer.Option("--destination", metavar="NAME", help="Only those of a destination: its name or id.")
]
Status = Annotated[
    str | None, typer.Option("--status", metavar="WORD", help="Only those in a state, such as delivered or failed.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="WORD", help="Only those for a reason, such as cooldown.")
]
To = Annotated[str | None, typer.Option("--to", metavar="NUMBER", help="Only those to a phone number.")]
Event = Annotated[str | None, typer.Option("--event", metavar="UUID", help="Only those of an event.")]
Person = Annotated[str | None, typer.Option("--person", metavar="ID", help="Only those of a distinct_id.")]
_INSTANT = "an instant (2026-01-02T03:04:05Z), or a span before now (-24h, -7d)"
After = Annotated[str | None, typer.Option("--after", metavar="WHEN", help=f"Only those made since {_INSTANT}.")]
Before = Annotated[str | None, typer.Option("--before", metavar="WHEN", help=f"Only those made before {_INSTANT}.")]


def make_group() -> typer.Typer:
    """Build `smspipe deliveries`."""
    group = typer.Typer(
        help="The ledger, and another try for failed texts: list, show, redrive.",
        no_args_is_help=True,
        epilog=example("smspipe deliveries list --status failed"),
    )
    group.command("list", epilog=example("smspipe deliveries list --reason cooldown --after -24h"))(list_deliveries)
    group.command("show", epilog=example("smspipe deliveries show 0199b0c4-3f5e-7000-8000-3b1c5a2d9e01"))(show)
    group.command("redrive", epilog=example("smspipe deliveries redrive --reason credentials --after -24h"))(redrive)
    return group


def plain_number(text: str | None) -> str | None:
    """Take the spaces, dots, dashes and brackets out of a phone number as people write it."""
    return None if text is None else "".join(character for character in text if character not in " .-()/\u00a0")


def filters_of(client: Client, destination: str | None, **others: str | None) -> dict[str, Any]:
    """Write the filters of a command as the API's."""
    return {
        "destination": None if destination is None else client.destination(destination)["id"],
        **{name: value for name, value in others.items() if value is not None},
    }


def list_deliveries(
    destination: Destination = None,
    status: Status = None,
    reason: Reason = None,
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
            client, destination, status=status, reason=reason, to=plain_number(to), event_uuid=event,
            distinct_id=person, after=after, before=before,
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
    """Show one delivery, its text and the steps that led to it."""
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
            ("Attempts", found["attempts"] or None),
            ("Error", " ".join(str(each) for each in (found["error_code"], found["error_message"]) if each)),
            ("Created", output.utc_time(found["created_at"])),
            ("Not before", output.utc_time(found["not_before"])),
            ("Sent", output.utc_time(found["sent_at"])),
            ("Settled", output.utc_time(found["settled_at"])),
        )
    )
    output.print_line()
    output.print_steps(found["steps"])


def redrive(
    delivery: Annotated[
        list[str] | None, typer.Argument(metavar="[DELIVERY]...", help="Ids; left out, the filters choose.")
    ] = None,
    destination: Destination = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="WORD", help="failed or held; left out, both.")
    ] = None,
    reason: Reason = None,
    to: To = None,
    event: Event = None,
    person: Person = None,
    after: After = None,
    before: Before = None,
    yes: Yes = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Give failed and held texts another try. What may have been sent already is never among them."""
    if status is not None and status not in REDRIVABLE:
        raise Misused(f"Only failed and held texts get another try, {status!r} ones do not.")
    with open_client(data, url) as client:
        if delivery:
            found = [client.get(f"{PROJECT}/deliveries/{segment(each.lower())}/") for each in delivery]
        else:
            wanted = filters_of(
                client, destination, reason=reason, to=plain_number(to), event_uuid=event, distinct_id=person,
                after=after, before=before,
            )  # fmt: skip
            found = [
                each
                for word in ((status,) if status else REDRIVABLE)
                for each in output.progress(client.deliveries(None, **wanted, status=word), "Reading")
            ]
        chosen = [each for each in found if each["status"] in REDRIVABLE]
        if not chosen:
            raise Invalid("No failed or held text fits. `smspipe deliveries list` shows those there are.")
        if not as_json:
            _print_count(chosen)
        if not yes:
            _ask_to_go_on(len(chosen))
        again = _post_all(client, [each["id"] for each in chosen])
    if as_json:
        output.print_json({"chosen": len(chosen), "redriven": again})
    else:
        rest = "" if again == len(chosen) else f" The other {len(chosen) - again} moved on in the meantime."
        output.print_line(f"{_texts(again)} will be tried again.{rest}")


def _print_count(chosen: list[dict[str, Any]]) -> None:
    counts = Counter((each["status"], each["reason"] or "-") for each in chosen)
    output.print_table(
        ("TEXTS", "STATUS", "REASON"), [(n, status, reason) for (status, reason), n in counts.most_common()]
    )


def _texts(n: int) -> str:
    return f"{n} text{'' if n == 1 else 's'}"


def _ask_to_go_on(n: int) -> None:
    import sys

    if not sys.stdin.isatty():
        raise Invalid(f"This would give {_texts(n)} another try. Add --yes to do it without being asked.")
    typer.confirm(f"Give {_texts(n)} another try?", abort=True, err=True)


def _post_all(client: Client, ids: list[str]) -> int:
    pieces = [ids[at : at + _IN_ONE_REQUEST] for at in range(0, len(ids), _IN_ONE_REQUEST)]
    again = 0
    for piece in output.progress(pieces, "Redriving", len(pieces)):
        again += client.call("POST", f"{PROJECT}/deliveries/redrive/", {"ids": piece})["redriven"]
    return again

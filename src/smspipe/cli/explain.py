"""`smspipe explain`: why there was, or was not, a text."""

from typing import Annotated, Any

import typer

from smspipe.cli import output
from smspipe.cli.choosing import plain_number
from smspipe.cli.client import PROJECT, Client, NotFound, open_client, segment
from smspipe.cli.options import AsJson, Data, Misused, Url, example
from smspipe.model.errors import Fault


def add_to(group: typer.Typer) -> None:
    """Add `smspipe explain`."""
    group.command(
        epilog=example("smspipe explain 0199b0c4-3f5e-7000-8000-3b1c5a2d9e01", "smspipe explain --to +15005550009")
    )(explain)


def explain(
    event: Annotated[str | None, typer.Argument(metavar="[EVENT_UUID]", help="The event's uuid.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="NUMBER", help="Instead of one event: the last ones for this number.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=500, help="How many events, with --to.")] = 5,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Say why an event led to a text or to none, at each destination and step by step."""
    if (event is None) == (to is None):
        raise Misused("Give either an event's uuid, or --to with a phone number: `smspipe explain --help`.")
    with open_client(data, url) as client:
        rows: dict[str, list[dict[str, Any]]] = {} if event is None else {event.lower(): []}
        if to is not None:
            # One event may stand in the ledger several times, once for each destination and recipient.
            for each in client.deliveries(limit * 20, to=plain_number(to)):
                if each["event_uuid"] in rows or len(rows) < limit:
                    rows.setdefault(each["event_uuid"], []).append(each)
            if not rows:
                raise NotFound(
                    f"No event led to a text for {to}, or to a decision against one. "
                    "If you know the event, `smspipe explain EVENT_UUID` says more."
                )
        found = []
        for uuid in output.progress(list(rows), "Asking", len(rows)):
            try:
                found.append(client.get(f"{PROJECT}/events/{segment(uuid)}/explain/"))
            except NotFound as error:
                if rows[uuid]:
                    found.append(_of_ledger(client, rows[uuid]))
                    continue
                raise Fault(
                    f"No event {uuid} has arrived. Look at what the SDK was answered, and at its host setting."
                ) from error
    if as_json:
        output.print_json(found[0] if to is None else found)
        return
    for place, each in enumerate(found):
        if place:
            output.print_line()
        print_explanation(each, only_to=plain_number(to))


def _of_ledger(client: Client, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Tell of an event that the log has let go what the ledger still knows."""
    names = {each["id"]: each["name"] for each in client.destinations()}
    full = [client.get(f"{PROJECT}/deliveries/{segment(each['id'])}/") for each in rows]
    first = full[0]
    verdicts = [
        {
            "destination_id": each["destination_id"],
            "destination": names.get(each["destination_id"], "A deleted destination"),
            "outcome": each["status"],
            "reason": each["reason"],
            "sentence": each["error_message"] or "The event itself is kept no more; this is what the ledger knows.",
            "steps": each["steps"],
            "deliveries": [each],
        }
        for each in full
    ]
    return {
        "event_uuid": first["event_uuid"], "event": first["event"], "distinct_id": first["distinct_id"],
        "timestamp": None, "received_at": first["created_at"], "arrivals": 1, "destinations": verdicts,
    }  # fmt: skip


def print_explanation(found: dict[str, Any], only_to: str | None = None) -> None:
    """Print what became of an event; with a number, at the destinations that had something for it alone."""
    output.print_pairs(
        (
            ("Event", found["event"]),
            ("Uuid", found["event_uuid"]),
            ("Person", found["distinct_id"]),
            ("Happened", output.utc_time(found["timestamp"]) if found["timestamp"] else "not kept any more"),
            ("Arrived", output.utc_time(found["received_at"]) + _times(found["arrivals"])),
        )
    )
    if not found["destinations"]:
        output.print_line("There is no destination. Make one: `smspipe destinations apply --help` says how.")
    for verdict in found["destinations"]:
        if only_to is not None and all(each["to"] != only_to for each in verdict["deliveries"]):
            continue
        output.print_line()
        word = verdict["outcome"] + (f", {verdict['reason']}" if verdict["reason"] not in (None, "no_match") else "")
        output.print_line(f"{verdict['destination']}: {word}", output.STYLES.get(verdict["outcome"]))
        output.print_line(output.as_sentence(verdict["sentence"]))
        _print_decisions(verdict)


def _print_decisions(verdict: dict[str, Any]) -> None:
    """Print the steps; where there are several recipients, those of each."""
    several = len(verdict["deliveries"]) > 1
    if not several:
        output.print_steps(verdict["steps"])
    for each in verdict["deliveries"] if several else ():
        reason = f", {each['reason']}" if each["reason"] else ""
        output.print_line(f"  to {each['to'] or 'nobody'}: {each['status']}{reason}")
        output.print_steps(each["steps"])


def _times(arrivals: int) -> str:
    return "" if arrivals == 1 else f" (the first of {arrivals} times; it is decided on once)"

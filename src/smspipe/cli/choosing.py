"""Options that choose deliveries, and how they are told to the API."""

from typing import Annotated, Any, Final

import typer

from smspipe.cli.client import Client

Destination = Annotated[
    str | None, typer.Option("--destination", metavar="NAME", help="Only those of a destination: its name or id.")
]
Status = Annotated[
    str | None, typer.Option("--status", metavar="WORD", help="Only those in a state, such as delivered or failed.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="WORD", help="Only those for a reason, such as cooldown.")
]
Error = Annotated[
    str | None, typer.Option("--error", metavar="CODE", help="Only those with one of Twilio's error codes.")
]
To = Annotated[str | None, typer.Option("--to", metavar="NUMBER", help="Only those to a phone number.")]
Event = Annotated[str | None, typer.Option("--event", metavar="UUID", help="Only those of an event.")]
Person = Annotated[str | None, typer.Option("--person", metavar="ID", help="Only those of a distinct_id.")]
INSTANT: Final = "an instant (2026-01-02T03:04:05Z), or a span before now (-24h, -7d)"
After = Annotated[str | None, typer.Option("--after", metavar="WHEN", help=f"Only those made since {INSTANT}.")]
Before = Annotated[str | None, typer.Option("--before", metavar="WHEN", help=f"Only those made before {INSTANT}.")]


def plain_number(text: str | None) -> str | None:
    """Take the spaces, dots, dashes and brackets out of a phone number as people write it."""
    return None if text is None else "".join(character for character in text if character not in " .-()/\u00a0")


def filters_of(client: Client, destination: str | None, **others: str | None) -> dict[str, Any]:
    """Write the filters of a command as the API's."""
    return {
        "destination": None if destination is None else client.destination(destination)["id"],
        **{name: value for name, value in others.items() if value is not None},
    }

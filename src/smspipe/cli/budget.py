"""`smspipe budget`: what may be spent on texts, and what was."""

from typing import Annotated, Any, Final

import typer

from smspipe.cli import output
from smspipe.cli.client import PROJECT, open_client
from smspipe.cli.options import AsJson, Data, Misused, Url, example

_NONE: Final = "none"
_KEYS: Final = (
    "segments_per_day", "segments_per_month", "money_per_day", "money_per_month", "currency", "timezone",
)  # fmt: skip


def add_to(group: typer.Typer) -> None:
    """Add the command."""
    lines = example("smspipe budget", "smspipe budget --set segments_per_day=500 --set money_per_month=none")
    group.command("budget", epilog=lines)(budget)


def budget(
    limits: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help=f"Change a limit of all together: {', '.join(_KEYS)}."),
    ] = None,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Show what every budget's day and month have cost so far, and change the limits of all destinations together."""
    body = _read(limits or [])
    with open_client(data, url) as client:
        made = client.call("PATCH", f"{PROJECT}/budget/", body) if body else client.get(f"{PROJECT}/budget/")
    if as_json:
        output.print_json(made)
        return
    if not made["periods"]:
        output.print_line("There is no budget. Set one with --set segments_per_day=500, or in a destination.")
        return
    output.print_table(
        ("Budget", "Period", "Segments", "Money", "Spent"),
        [
            (each["name"], each["period"], _of(each["segments"]), _money(each["money"]), f"{each['share']:.0%}")
            for each in made["periods"]
        ],
    )
    output.print_line(made["prices"], "dim")


def _read(limits: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for each in limits:
        key, mark, value = each.partition("=")
        if not mark or key not in _KEYS:
            raise Misused(f"--set takes KEY=VALUE with one of {', '.join(_KEYS)}, and not {each!r}.")
        if value == _NONE:
            body[key] = None
        else:
            body[key] = int(value) if key.startswith("segments") and value.isascii() and value.isdigit() else value
    return body


def _of(segments: dict[str, Any]) -> str:
    limit = "" if segments["limit"] is None else f" of {segments['limit']}"
    return f"{segments['used'] + segments['reserved']}{limit}"


def _money(money: dict[str, Any]) -> str:
    limit = "" if money["limit"] is None else f" of {float(money['limit']):.2f}"
    return f"{float(money['used']) + float(money['reserved']):.2f}{limit} {money['currency']}"

"""`smspipe stop` and `smspipe resume`: let no text leave, and let them leave again."""

import getpass
import sys
from typing import Annotated, Any

import typer

from smspipe.cli import output
from smspipe.cli.client import PROJECT, open_client
from smspipe.cli.options import AsJson, Data, Misused, Url, Yes, example
from smspipe.model.errors import Invalid

_WORDS = ("send", "drop", "keep")


def add_to(group: typer.Typer) -> None:
    """Add both commands."""
    group.command("stop", epilog=example('smspipe stop --why "The filter of Order shipped is wrong"'))(stop)
    group.command("resume", epilog=example("smspipe resume --held send", "smspipe resume --held drop --yes"))(resume)


def stop(
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for those who look later.")] = "",
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Stop everything: no text leaves any more. Events are taken, and the texts that come to be due are held."""
    with open_client(data, url) as client:
        made = client.call("POST", f"{PROJECT}/stop/", {"why": why, "by": _user()})
    if as_json:
        output.print_json(made)
        return
    said = f" {made['why']}" if made["why"] else ""
    output.print_line(f"Stopped since {output.utc_time(made['at'])} by {made['by']}.{said}")
    output.print_line("No text leaves. Go on with `smspipe resume --held send`, drop or keep.", "dim")


def resume(
    held: Annotated[
        str | None,
        typer.Option("--held", metavar="WORD", help="send, drop or keep the texts that were held."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Let texts leave again, with a word on those that were held. Left out, it only says how many there are."""
    if held is not None and held not in _WORDS:
        raise Misused(f"--held takes send, drop or keep, and not {held!r}.")
    with open_client(data, url) as client:
        state = client.get(f"{PROJECT}/")["smspipe"]
        if not as_json:
            _print_state(state)
        if held is None:
            if as_json:
                output.print_json({"stopped": state["stopped"], "held": state["held"]})
                return
            raise Misused("Say what becomes of the held: --held send, --held drop or --held keep.")
        if not yes:
            _ask_to_go_on(held, state["held"])
        made = client.call("POST", f"{PROJECT}/resume/", {"held": held})
    if as_json:
        output.print_json(made)
        return
    output.print_line(f"Texts leave again: {made['sent']} let go, {made['dropped']} dropped, {made['kept']} kept held.")


def _print_state(state: dict[str, Any]) -> None:
    stopped = state["stopped"]
    since = "Nothing is stopped." if stopped is None else f"Stopped since {output.utc_time(stopped['at'])}."
    output.print_line(f"{since} {state['held']} text{'' if state['held'] == 1 else 's'} held.")


def _ask_to_go_on(held: str, n: int) -> None:
    if n == 0 or held == "keep":
        return
    if not sys.stdin.isatty():
        raise Invalid(f"This would {held} {n} text{'' if n == 1 else 's'}. Add --yes to do it without being asked.")
    typer.confirm(f"{held.capitalize()} {n} text{'' if n == 1 else 's'}?", abort=True, err=True)


def _user() -> str:
    """Name the user of this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "cli"

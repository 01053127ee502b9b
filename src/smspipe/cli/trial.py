"""`smspipe test`: the test panel on the command line."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from smspipe.cli import output
from smspipe.cli.client import PROJECT, open_client
from smspipe.cli.options import AsJson, Data, Url, example
from smspipe.model.errors import Invalid


def add_to(group: typer.Typer) -> None:
    """Add `smspipe test`."""
    group.command("test", epilog=example("smspipe test 'Order updates' --event order.json"))(try_out)


def try_out(
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="The destination's name or id.")],
    event: Annotated[
        str,
        typer.Option(
            "--event",
            metavar="FILE",
            show_default=False,
            help='JSON: an event {"event", "distinct_id", "properties"}, or {"event": {…}, "person": {…}}; - reads'
            " standard input.",
        ),
    ],
    send: Annotated[bool, typer.Option("--send", help="Send the text for real.")] = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> int:
    """Try a destination with an event: each step, the text and its segments. Sends nothing unless told."""
    sample = read_event(event)
    with open_client(data, url) as client:
        found = client.destination(destination)
        body = {"globals": sample, "mock_async_functions": not send}
        answer = client.call("POST", f"{PROJECT}/hog_functions/{found['id']}/invocations/", body)
    if as_json:
        output.print_json(answer)
    else:
        _print(answer, send=send)
    return 1 if answer["status"] == "error" else 0


def read_event(path: str) -> dict[str, Any]:
    """
    Read the event to try.

    Raises:
        Invalid: there is no such file, or it holds no event.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")
        sample = json.loads(text)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Invalid(f"{path} is no JSON: {error}.") from error
    if not isinstance(sample, dict) or not isinstance(sample.get("event"), dict | str):
        raise Invalid(f'{path} holds no event. Write it as {{"event": "signup", "properties": {{}}}}.')
    return sample


def _print(answer: dict[str, Any], *, send: bool) -> None:
    more = answer["smspipe"]
    if not more["routes"]:
        output.print_line(f"No text: no_match. {more['mismatch'] or ''}".rstrip(), "yellow")
        return
    for route in more["routes"]:
        output.print_steps(route["steps"])
        text = route["message"]
        if text is not None and (route["reason"] is None or send):
            size = f"{text['segments']} segment{'' if text['segments'] == 1 else 's'}, {text['encoding']}"
            output.print_bubble(text["body"], f"to {text['to']} from {text['from']}", size)
        if route["reason"] is not None:
            output.print_line(f"No text: {route['reason']}.", "yellow")
        elif send:
            output.print_line(f"Sent as {route['sid']}.", "green")
        else:
            output.print_line("Nothing was sent. Add --send to send it.", "dim")

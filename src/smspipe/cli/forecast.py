"""`smspipe forecast` and `smspipe replay`: what a destination would do with stored events, and letting it."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from smspipe import config
from smspipe.cli import output
from smspipe.cli.client import PROJECT, Client, NotFound, open_client
from smspipe.cli.files import SUFFIXES, read_files
from smspipe.cli.options import AsJson, Data, Misused, Url, Yes, example
from smspipe.cli.references import stand_in
from smspipe.model.clock import now as time_now
from smspipe.model.errors import Fault

_SPAN: Final = re.compile(r"-?(\d{1,5})([mhdw])")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_WIDEST: Final = 40
_LOOK_SECONDS: Final = 0.2
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Stored events from then on: an instant, or a span as 7d or 12h.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", show_default=False, help="And before then; now.")]


def add_to(group: typer.Typer) -> None:
    """Add both commands."""
    group.command(
        epilog=example(
            "smspipe forecast 'Order shipped' --since 7d", "smspipe forecast texts.yaml --events export.jsonl"
        )
    )(forecast)
    group.command(epilog=example("smspipe replay 'Order shipped' --since 2h"))(replay)


def forecast(
    destination: Annotated[
        str, typer.Argument(metavar="DESTINATION|FILE", help="A destination's name or id, or a file of destinations.")
    ],
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="FILE",
            show_default=False,
            help="Events from a file: JSON Lines, CSV or Parquet, as PostHog exports them.",
        ),
    ] = None,
    since: Since = "7d",
    until: Until = None,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Believe the phone numbers of the file, as if sent with the secret key.")
    ] = False,
    examples: Annotated[int, typer.Option("--examples", metavar="N", min=0, max=100, help="Texts to show.")] = 10,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """
    Say what a destination, or a change of it, would do with events: texts, recipients, reasons, cost. Sends nothing.

    A file's destinations are compared with those that run.
    """
    from smspipe.app import open_foresight
    from smspipe.destinations.short import expand

    now = time_now()
    begins, ends = _instant(since, "--since", now), now if until is None else _instant(until, "--until", now)
    if begins >= ends:
        raise Misused("The range ends before it begins.")
    found = config.find(given={"data": None if data is None else str(data)})
    results = []
    with open_foresight(config.load(found, make_keys=False)) as (foresight, _):
        for name, body in _bodies(destination, expand):
            question = foresight.find(name, body)
            if question is None:
                raise NotFound(f"There is no destination {name!r}. `smspipe destinations list` shows those there are.")
            question = msgspec.structs.replace(question, examples=examples)
            with _bar("Looking at events") as told:
                if events is None:
                    results.append(foresight.over_log(question, begins, ends, told))
                else:
                    results.append(foresight.over_file(question, events, str(events), told, trusted=trusted))
    shown = [msgspec.to_builtins(each) for each in results]
    if as_json:
        output.print_json(shown[0] if len(shown) == 1 else shown)
        return
    for place, each in enumerate(shown):
        if place:
            output.print_line()
        print_forecast(each)


def _bodies(given: str, expand: Callable[[Any], dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Give what is looked at: the name or id of each destination, and what a file says of it."""
    if not given.endswith(SUFFIXES) and not Path(given).is_file():
        yield given, None
        return
    for document in stand_in(read_files(given)):
        body = expand(document.value)
        yield str(body.get("id") or body.get("name") or ""), body


def _instant(text: str, option: str, now: datetime) -> datetime:
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now - int(span[1]) * _UNITS[span[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Misused(f"{option} takes an instant as 2026-01-02T03:04:05Z, or a span before now as 7d.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def replay(
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="The destination's name or id.")],
    since: Since = "1d",
    until: Until = None,
    any_age: Annotated[bool, typer.Option("--any-age", help="Take events older than the destination does.")] = False,
    valid_for: Annotated[
        str, typer.Option("--valid-for", metavar="SPAN", help="With --any-age: how long the texts may wait to leave.")
    ] = "1d",
    yes: Yes = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> int:
    """
    Let a destination decide now on stored events: first what there would be, then, when you say so, the texts.

    An event that it decided on before is not decided on again, so a repeated replay sends nothing new.
    """
    now = time_now()
    wish: dict[str, Any] = {
        "since": _instant(since, "--since", now).isoformat(),
        "until": (now if until is None else _instant(until, "--until", now)).isoformat(),
        "any_age": any_age,
    }
    if any_age:
        wish["valid_for_seconds"] = int((now - _instant(valid_for, "--valid-for", now)).total_seconds())
    with open_client(data, url) as client:
        found = client.destination(destination)
        path = f"{PROJECT}/hog_functions/{found['id']}/replay/"
        looked = _wait(client, client.call("POST", path, wish), "Looking at events")
        texts = looked["here"]["texts"]
        if not as_json:
            print_forecast({"name": found["name"], **looked})
        if texts == 0 or not (yes or (not as_json and typer.confirm(f"Send {texts} text{'s' * (texts != 1)}?"))):
            if as_json:
                output.print_json({"forecast": looked, "replayed": None})
            elif texts:
                output.print_line("Nothing was sent.")
            return 0
        done = _wait(client, client.call("POST", path, {**wish, "expected": texts}), "Opening deliveries")
    if as_json:
        output.print_json({"forecast": looked, "replayed": done})
    else:
        held = f", {done['held']} held" if done["held"] else ""
        output.print_line(f"{done['texts']} text{'s' * (done['texts'] != 1)} on the way{held}.", "green")
    return 0


def _wait(client: Client, run: Mapping[str, Any], label: str) -> Any:
    """Wait for a run's end; an interruption cancels it."""
    with _bar(label) as told:
        try:
            while run["status"] == "running":
                told(run["events"], run["share"])
                time.sleep(_LOOK_SECONDS)
                run = client.get(f"{PROJECT}/forecasts/{run['id']}/")
        except KeyboardInterrupt:
            client.call("DELETE", f"{PROJECT}/forecasts/{run['id']}/")
            raise
    if run["status"] != "done":
        raise Fault(run["error"] or "It was cancelled.")
    return run["result"]


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, float], bool]]:
    """Show on a terminal how far it has come."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _events, _share: True
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=output.console(error=True), transient=True) as progress:
        task = progress.add_task(label, total=1.0)

        def told(events: int, share: float) -> bool:
            progress.update(task, completed=share, description=f"{label} ({events:,})")
            return True

        yield told


def print_forecast(found: Mapping[str, Any]) -> None:
    """Print a forecast for a person."""
    here = found["here"]
    output.print_line(found["name"], "bold")
    since, until = found.get("since"), found.get("until")
    span = f", {output.utc_time(since)} to {output.utc_time(until)}" if since else ""
    output.print_pairs(
        (
            ("Events", f"{found['events']:,}{span}"),
            ("Unreadable", f"{found['unreadable']:,}: {found['why_unreadable']}" if found.get("unreadable") else None),
            ("Matched", f"{here['matched']:,}"),
            ("Texts", f"{here['texts']:,} to {here['recipients']:,} numbers, {here['segments']:,} segments"),
            ("Cost", f"about {here['cost']} {here['currency']}"),
            ("Waiting", ", ".join(f"{count:,} for {reason}" for reason, count in here["waiting"].items())),
            ("Worst minute", _worst(here["worst"])),
        )
    )
    if here["refused"]:
        output.print_line()
        output.print_table(
            ("No text", "Events", "For example"),
            [(each["reason"], f"{each['count']:,}", each["saw"]) for each in here["refused"]],
        )
    if here["days"]:
        output.print_line()
        _print_chart(here["days"])
    if found.get("difference") is not None:
        output.print_line()
        _print_difference(found["difference"])
    for each in here["examples"]:
        waits = f", waits until {output.short_time(each['waits_until'])} UTC" if each["waits_until"] else ""
        size = f"{each['segments']} segment{'s' * (each['segments'] != 1)}{waits}"
        output.print_bubble(each["body"], f"to {each['to']}, {output.short_time(each['at'])}", size)
    for note in found.get("notes", ()):
        output.print_line(note, "yellow")


def _worst(worst: Mapping[str, Any] | None) -> str | None:
    if worst is None:
        return None
    pace = worst["pace"]
    room = "" if pace is None else f"; the sender's pace is {pace * 60:g} a minute"
    wait = worst["longest_wait_seconds"]
    late = f", so a text waits up to {timedelta(seconds=round(wait))}" if wait >= 1 else ""
    count = f"{worst['segments']:,} segment{'s' * (worst['segments'] != 1)}"
    return f"{output.short_time(worst['at'])[:16]} UTC: {count} from {worst['sender']}{room}{late}"


def _print_chart(days: list[dict[str, Any]]) -> None:
    most = max(day["texts"] for day in days) or 1
    output.print_table(
        ("Day", "Texts", "", "No text"),
        [
            (day["day"], f"{day['texts']:,}", "█" * round(_WIDEST * day["texts"] / most) or "·" * (day["texts"] > 0),
             f"{day['refused']:,}")
            for day in days
        ],
    )  # fmt: skip


def _print_difference(difference: Mapping[str, Any]) -> None:
    output.print_line(
        f"Against the version that runs: {difference['only_here']:,} texts more, {difference['only_running']:,} fewer, "
        f"{difference['text_differs']:,} with other words, {difference['same']:,} the same."
    )
    for each in difference["examples"]:
        output.print_line(f"  event {each['event_uuid']} to {each['to']}")
        for mark, key in (("-", "running"), ("+", "here")):
            said = each[key] if each[key] is not None else f"no text ({each['why'] or 'no match'})"
            output.print_line(f"    {mark} {said}", "red" if mark == "-" else "green")

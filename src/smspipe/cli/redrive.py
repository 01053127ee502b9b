"""`smspipe deliveries redrive`: another try, after a look at how many."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from smspipe.cli import output
from smspipe.cli.choosing import After, Before, Destination, Error, Event, Person, Reason, To, filters_of, plain_number
from smspipe.cli.client import PROJECT, Client, open_client
from smspipe.cli.options import AsJson, Data, Misused, Url, Yes
from smspipe.model.errors import Invalid

REDRIVABLE: Final = ("failed", "held")
"""The states in which it is certain that nothing was sent, and a person may ask for another try."""
FORCIBLE: Final = (*REDRIVABLE, "unconfirmed", "accepted", "undelivered")
"""Those in which a person may ask for it all the same."""
_IN_ONE_REQUEST: Final = 2_000
_PATH: Final = f"{PROJECT}/deliveries/redrive/"
_WHY_NOT: Final = {
    "delivered": "arrived",
    "may_have_been_sent": "may have been sent",
    "waiting": "waits to be sent already",
    "suppressed": "was decided against",
    "no_text": "has no text",
    "changed": "changed in the meantime",
    "opted_out": "recipient opted out",
    "destination_off": "destination cannot send",
}


def redrive(
    delivery: Annotated[
        list[str] | None, typer.Argument(metavar="[DELIVERY]...", help="Ids; left out, the filters choose.")
    ] = None,
    destination: Destination = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="WORD", help="failed or held; left out, both.")
    ] = None,
    reason: Reason = None,
    error: Error = None,
    to: To = None,
    event: Event = None,
    person: Person = None,
    after: After = None,
    before: Before = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also what may have been sent: somebody may get a second text.")
    ] = False,
    why: Annotated[
        str | None, typer.Option("--why", metavar="TEXT", help="Why, for the history; needed with --force.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Give failed and held texts another try. What may have been sent already is among them only by force."""
    _check_usage(delivery, status, why, force=force, dry_run=dry_run)
    with open_client(data, url) as client:
        wish: dict[str, Any] = {"force": force, "why": why}
        if delivery:
            wish["ids"] = [each.lower() for each in delivery]
        else:
            chosen = filters_of(
                client, destination, status=status, reason=reason, error_code=error, to=plain_number(to),
                event_uuid=event, distinct_id=person, after=after, before=before,
            )  # fmt: skip
            wish["filter"] = {name: value for name, value in chosen.items() if value is not None}
        with output.waiting("Counting"):
            forecast = client.call("POST", _PATH, {**wish, "dry_run": True})
        if dry_run and as_json:
            output.print_json(forecast)
        if not as_json:
            _print_forecast(forecast)
        if dry_run:
            return
        count = forecast["would_send"]
        if not count:
            raise Invalid("No failed or held text fits. `smspipe deliveries list` shows those there are.")
        if not yes:
            _ask_to_go_on(count)
        pieces = _steps(client, wish, count, forecast["as_of"])
        again = sum(output.progress(pieces, "Redriving", -(-count // _IN_ONE_REQUEST)))
    if as_json:
        output.print_json({"chosen": count, "redriven": again})
    else:
        rest = "" if again == count else f" The other {count - again} moved on in the meantime."
        output.print_line(f"{_texts(again)} will be tried again.{rest}")


def _check_usage(
    delivery: list[str] | None, status: str | None, why: str | None, *, force: bool, dry_run: bool
) -> None:
    if status is not None and status not in (FORCIBLE if force else REDRIVABLE):
        if status in FORCIBLE:
            raise Misused(
                f"Only failed and held texts get another try; {status!r} ones may have been sent. "
                "With --force and --why they get one all the same."
            )
        raise Misused(f"Only failed and held texts get another try, {status!r} ones do not.")
    if force and not dry_run and not (why or "").strip():
        raise Misused("Say with --why why texts that may have been sent shall be sent again.")
    if force and not delivery and status is None:
        raise Misused(f"Name deliveries, or with --status one of {', '.join(FORCIBLE)}, when it is by --force.")


def _steps(client: Client, wish: dict[str, Any], count: int, as_of: str | None) -> Iterator[int]:
    """Do it, in requests of moderate size; give how many each sent."""
    if "ids" in wish:
        yield client.call("POST", _PATH, {**wish, "expected": count})["redriven"]
        return
    left, cursor = count, None
    while left > 0:
        body = {**wish, "expected": left, "as_of": as_of, "limit": _IN_ONE_REQUEST, "cursor": cursor}
        done = client.call("POST", _PATH, body)
        left, cursor = left - done["redriven"], done["cursor"]
        yield done["redriven"]
        if cursor is None:
            return


def _print_forecast(forecast: dict[str, Any]) -> None:
    if forecast["counts"]:
        rows = [(each["texts"], each["status"], each["reason"] or "-") for each in forecast["counts"]]
        output.print_table(("TEXTS", "STATUS", "REASON"), rows)
    people = forecast["recipients"]
    segments = forecast["segments"]
    output.print_line(
        f"{_texts(forecast['would_send'])} would be sent: {segments} segment{'' if segments == 1 else 's'} "
        f"to {people} recipient{'' if people == 1 else 's'}."
    )
    if forecast["left_alone"]:
        output.print_line("Left alone:")
        output.print_table(
            ("TEXTS", "WHY"), [(n, _WHY_NOT.get(word, word)) for word, n in forecast["left_alone"].items()]
        )


def _texts(n: int) -> str:
    return f"{n} text{'' if n == 1 else 's'}"


def _ask_to_go_on(n: int) -> None:
    if not sys.stdin.isatty():
        raise Invalid(f"This would give {_texts(n)} another try. Add --yes to do it without being asked.")
    typer.confirm(f"Give {_texts(n)} another try?", abort=True, err=True)

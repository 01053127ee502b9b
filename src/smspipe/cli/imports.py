"""`smspipe destinations import`: hand what PostHog exported to the service, and tell what became of it."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from smspipe import config
from smspipe.cli import output
from smspipe.cli.client import PROJECT, Client, open_client
from smspipe.cli.options import AsJson, Data, Url
from smspipe.model.errors import Invalid

_HEADINGS: Final = (
    ("taken_over", "taken over", "green"),
    ("changed", "changed", None),
    ("quirks", "as in PostHog", None),
    ("needs", "needs you", "yellow"),
)


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="JSON as PostHog exports it: one, a list or a page; - reads it here.")
    ],
    account: Annotated[
        list[str] | None,
        typer.Option(
            "--account", metavar="ID", help="Stored Twilio account to use instead of PostHog's; POSTHOG=ID for one."
        ),
    ] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="NAME", help="The event of a workflow's step without its workflow.")
    ] = None,
    without_suffix: Annotated[
        bool, typer.Option("--without-suffix", help="Leave out the event and date that PostHog's first template adds.")
    ] = False,
    without_escaping: Annotated[
        bool, typer.Option("--without-escaping", help="Do not write & as &amp; where PostHog's Liquid does.")
    ] = False,
    ignore_code: Annotated[
        bool, typer.Option("--ignore-code", help="Take over what has an edited Hog source, without the source.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of each.")] = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> int:
    """
    Take over PostHog's Twilio destinations, SMS steps of its workflows, or its older Twilio plugin.

    Nothing is switched on. What differs from PostHog is said for each, and what is left for you to do.
    PostHog exports no secrets: they are read from SMSPIPE_SECRET_<INPUT> (as SMSPIPE_SECRET_AUTHTOKEN), or asked for.
    """
    from smspipe.cli.documents import read_json_or_toml

    body: dict[str, Any] = {
        "export": read_json_or_toml(file),
        **_read_accounts(account or []),
        "event": event,
        "suffix": not without_suffix,
        "escape": not without_escaping,
        "ignore_code": ignore_code,
    }
    with open_client(data, url) as client:
        report = _post(client, body, dry_run=True)
        secrets = _find_secrets(report["results"], ask=not dry_run and sys.stdin.isatty())
        if secrets or not dry_run:
            report = _post(client, {**body, "secrets": secrets}, dry_run=dry_run)
    if as_json:
        output.print_json(report)
    else:
        _print(report)
    return 0 if report["imported"] == len(report["results"]) else 1


def _post(client: Client, body: Mapping[str, Any], *, dry_run: bool) -> Any:
    with output.waiting("Importing"):
        return client.call("POST", f"{PROJECT}/hog_functions/import/", {**body, "dry_run": dry_run})


def _read_accounts(given: list[str]) -> dict[str, Any]:
    """Read `--account 1`, for all, and `--account 12=1`, for what used PostHog's integration 12."""
    found: dict[str, Any] = {"accounts": {}}
    for each in given:
        theirs, _, ours = each.rpartition("=")
        if not ours.strip().isdecimal():
            raise Invalid(f"--account takes the number of a stored account, or POSTHOG=NUMBER; {each!r} is neither.")
        if theirs:
            found["accounts"][theirs.strip()] = int(ours)
        else:
            found["account"] = int(ours)
    return found


def _find_secrets(results: list[dict[str, Any]], *, ask: bool) -> dict[str, Any]:
    """Read the secrets that are missing from the environment, or ask for them, for each destination."""
    found: dict[str, Any] = {}
    for one in results:
        for key in one["missing_secrets"]:
            value = config.secret_input(key)
            if value is None and ask:
                value = typer.prompt(f"{one['name']}: {key}", hide_input=True)
            if value is not None:
                found.setdefault(one["name"], {})[key] = value
    return found


def _print(report: Mapping[str, Any]) -> None:
    dry = report["dry_run"]
    for one in report["results"]:
        if not one["imported"]:
            words, style = "not taken over", "red"
        elif one["needs"]:
            words, style = "needs you", "yellow"
        else:
            words, style = "would be taken over" if dry else "taken over, switched off", "green"
        output.print_line(f"{one['name']}: {words}", style)
        for field, label, colour in _HEADINGS:
            for sentence in one[field]:
                output.print_line(f"    {label}: {sentence}", colour)
    for note in report["notes"]:
        output.print_line(note, "dim")
    verb = "would be taken over" if dry else "taken over"
    output.print_line(f"{report['imported']} of {len(report['results'])} {verb}.")

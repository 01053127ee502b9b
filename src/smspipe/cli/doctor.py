"""`smspipe doctor`: looks at an installation, and says what to do about what is wrong with it."""

from urllib.parse import urlsplit

import msgspec
import typer

from smspipe import config
from smspipe.cli import output
from smspipe.cli.checkup import Check, State, check_all
from smspipe.cli.options import AsJson, Data, example


def add_to(group: typer.Typer) -> None:
    """Add `smspipe doctor`."""
    group.command(epilog=example("smspipe doctor", "smspipe doctor --data ./smspipe-data --json"))(doctor)


def doctor(as_json: AsJson = False, data: Data = None) -> int:
    """
    Check settings, database, clock, credentials and callback address; say what to do about each.

    Ends with status 1 when something is broken. Asks Twilio about the credentials, and sends nothing.
    """
    found = config.find(given={"data": None if data is None else str(data)})
    with output.waiting("Looking at the installation"):
        checks = list(check_all(found))
    if as_json:
        output.print_json({"settings": _settings(found), "checks": msgspec.to_builtins(checks)})
    else:
        output.print_table(
            ("SETTING", "VALUE", "SOURCE"), [(each["name"], each["value"], each["source"]) for each in _settings(found)]
        )
        output.print_line()
        for check in checks:
            _print(check)
    return 1 if any(check.state is State.BROKEN for check in checks) else 0


def _settings(found: dict[str, config.Found]) -> list[dict[str, str]]:
    """List each setting, its value and where that came from; secrets hidden."""
    return [
        {
            "name": f"{config.PREFIX}{name.upper()}",
            "value": "(not set)" if not each.value else "(hidden)" if each.setting.secret else _hide(each.value),
            "source": each.source,
        }
        for name, each in config.with_stored_keys(found).items()
    ]


def _hide(value: str) -> str:
    """Take the password out of an address."""
    parts = urlsplit(value)
    return value.replace(f":{parts.password}@", ":(hidden)@") if parts.password else value


def _print(check: Check) -> None:
    words = f"{check.saw} {check.do}".strip()
    if not output.on_terminal():
        print(f"{check.state.value}\t{check.name}\t{output.clean(words)}")
        return
    from rich.padding import Padding
    from rich.text import Text

    mark = {State.OK: "✓", State.NOTE: "•", State.BROKEN: "✗"}[check.state]
    text = Text.assemble(
        (f"{mark} ", output.STYLES[check.state.value]), (check.name, "bold"), ": ", output.clean(check.saw)
    )
    if check.do:
        text.append(f" {output.clean(check.do)}", style="bold")
    output.console().print(Padding(text, (0, 0, 0, 0)))

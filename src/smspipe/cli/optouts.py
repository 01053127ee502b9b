"""`smspipe optouts`: who gets no texts, who said so, and files in and out."""

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from smspipe.cli import output
from smspipe.cli.client import PROJECT, Client, open_client, segment
from smspipe.cli.options import AsJson, Data, Url, Yes, example
from smspipe.model.errors import Fault, Invalid

_PATH: Final = f"{PROJECT}/opt_outs/"
_LINES_IN_ONE_REQUEST: Final = 2000

Number = Annotated[
    str,
    typer.Argument(metavar="NUMBER", help="A phone number, or the hash of one that was erased.", show_default=False),
]
Sender = Annotated[
    str | None,
    typer.Option("--sender", metavar="SENDER", help="A number, short code, name or messaging service; left out, all."),
]
Who = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="Who does it; left out, the user of this machine.")
]
Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Why, in words for whoever asks later.")]


def make_group() -> typer.Typer:
    """Build `smspipe optouts`."""
    group = typer.Typer(
        help="Who gets no texts, and who said so: list, show, add, remove, import, export.",
        no_args_is_help=True,
        epilog=example("smspipe optouts show +15005550009"),
    )
    group.command("list", epilog=example("smspipe optouts list --sender +15005550006"))(list_opt_outs)
    group.command("show", epilog=example("smspipe optouts show +15005550009"))(show)
    group.command("add", epilog=example("smspipe optouts add +15005550009 --why 'She called.'"))(add)
    group.command("remove", epilog=example("smspipe optouts remove +15005550009 --why 'She wrote again.'"))(remove)
    group.command("import", epilog=example("smspipe optouts import stopped.csv --why 'List of 2025'"))(import_)
    group.command("export", epilog=example("smspipe optouts export --output opt_outs.csv"))(export)
    return group


def list_opt_outs(
    number: Annotated[str | None, typer.Option("--number", metavar="NUMBER", help="Only those of a number.")] = None,
    sender: Annotated[
        str | None, typer.Option("--sender", metavar="SENDER", help="Only those for a sender; * for all senders.")
    ] = None,
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only those with it in number, who or why.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many, those written down last first.")] = 50,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """List opt-outs, those written down last first."""
    with open_client(data, url) as client:
        pages = client.pages(_PATH, limit, number=number, sender=sender, search=search)
        found = list(output.progress(pages, "Reading"))
    if as_json:
        output.print_json(found)
    elif not found and output.on_terminal():
        output.print_line("There are none.", "dim")
    else:
        _print_list(found)


def _print_list(found: list[dict[str, Any]]) -> None:
    """Two lines for each on a terminal, one in a pipe."""
    if output.on_terminal():
        rows: list[tuple[object, ...]] = [
            (
                (_name(each), output.short_time(each["since"])),
                (_sender(each["sender"]), each["source"]),
                (each["who"] or "–", each["why"] or each["keyword"] or ""),
            )
            for each in found
        ]
        output.print_table(("NUMBER, SINCE (UTC)", "SENDER, SOURCE", "WHO, WHY"), rows)
        return
    fields = ("number", "sender", "since", "source", "who", "why", "keyword", "number_hash")
    output.print_table(
        [field.upper() for field in fields], [[each[field] or "-" for field in fields] for each in found]
    )


def _name(entry: dict[str, Any]) -> str:
    return entry["number"] or f"erased, {entry['number_hash'][:8]}…"


def _sender(scope: str) -> str:
    return "all senders" if scope == "*" else scope


def show(number: Number, as_json: AsJson = False, data: Data = None, url: Url = None) -> None:
    """Show what a number has opted out of, and how that came about."""
    with open_client(data, url) as client:
        found = client.get(f"{_PATH}{segment(number)}/")
    if as_json:
        output.print_json(found)
        return
    name = found["number"] or found["number_hash"]
    if found["opt_outs"]:
        senders = ", ".join(_sender(each["sender"]) for each in found["opt_outs"])
        output.print_line(f"{name} gets no texts from {senders}.")
    else:
        output.print_line(f"{name} has not opted out.")
    if found["history"]:
        output.print_line()
        output.print_table(
            ("AT (UTC)", "WHAT", "SENDER", "SOURCE", "WHO", "WHY"),
            [
                (output.short_time(each["at"]), each["action"], _sender(each["sender"]), each["source"],
                 each["who"] or "-", each["why"] or each["keyword"] or "-")
                for each in found["history"]
            ],
        )  # fmt: skip


def add(
    number: Number,
    sender: Sender = None,
    who: Who = None,
    why: Why = None,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Write an opt-out down: no text leaves for the number from then on. One that is there stays as it is."""
    with open_client(data, url) as client:
        added = client.call("POST", _PATH, _filled(number=number, sender=sender, who=who or _user(), why=why))
    if as_json:
        output.print_json(added)
    else:
        since = output.utc_time(added["since"])
        output.print_line(f"{_name(added)} gets no texts from {_sender(added['sender'])}, since {since}.")


def remove(
    number: Number,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, in words for whoever asks later.")],
    sender: Sender = None,
    who: Who = None,
    yes: Yes = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """End opt-outs of a number. Twilio keeps a list of its own, which only a START from that phone changes."""
    if not yes:
        if not sys.stdin.isatty():
            raise Invalid("This would let texts go out to the number. Add --yes to do it without being asked.")
        typer.confirm("Has the person agreed to get texts again?", abort=True, err=True)
    with open_client(data, url) as client:
        body = _filled(number=number, sender=sender, who=who or _user(), why=why)
        gone = client.call("POST", f"{_PATH}remove/", body)
    if as_json:
        output.print_json(gone)
    elif gone["removed"]:
        senders = ", ".join(_sender(each["sender"]) for each in gone["removed"])
        output.print_line(f"Ended for {senders}. Should Twilio refuse a text with 21610, the phone must send START.")
    else:
        output.print_line("There was nothing to end.")


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV, or numbers one a line; - is standard input.", show_default=False)
    ],
    sender: Sender = None,
    who: Who = None,
    why: Why = None,
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="Write nothing if any row has a mistake.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Only look for mistakes.")] = False,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> int:
    """
    Write down the opt-outs of a file. Rows with a mistake are named and left out; doing it again changes nothing.

    Status 1 if there was a mistake.
    """
    text = _read(file)
    more = {"sender": sender, "who": who or _user(), "why": why}
    total: dict[str, Any] = {"rows": 0, "mistakes_total": 0}
    with open_client(data, url) as client:
        if check or all_or_nothing:
            total = _send(client, text, "Checking", {**more, "check": "true"})
        if not check and not total["mistakes_total"]:
            total = _send(client, text, "Importing", more)
    if as_json:
        output.print_json(total)
    else:
        _print_import(total)
    return 1 if total["mistakes_total"] else 0


def _send(client: Client, text: str, label: str, query: dict[str, Any]) -> dict[str, Any]:
    """Send a file in pieces, and add up what became of them."""
    total: dict[str, Any] = {
        "rows": 0, "added": 0, "known": 0, "written": False, "mistakes": [], "mistakes_total": 0,
    }  # fmt: skip
    pieces = list(cut(text))
    for skipped, piece in output.progress(pieces, label, len(pieces)):
        one = client.upload(f"{_PATH}import/", piece, "text/csv", **query, skipped=skipped)
        for name in ("rows", "added", "known", "mistakes", "mistakes_total"):
            total[name] += one[name]
        total["written"] = total["written"] or one["written"]
    return total


def cut(text: str, lines: int = _LINES_IN_ONE_REQUEST) -> Iterator[tuple[int, str]]:
    """
    Cut a CSV file into pieces of about so many lines, each under the file's row of names.

    Gives with each piece how many lines of the file are left out before its rows. No cell is cut: a piece ends where
    all quotes are closed.
    """
    from smspipe.optouts.csvfile import has_head

    rest: Iterable[str] = io.StringIO(text, newline="")
    head = ""
    if has_head(text.partition("\n")[0]):
        head, *rest = rest
    piece: list[str] = []
    skipped = quotes = 0
    for line in rest:
        piece.append(line)
        quotes += line.count('"')
        if len(piece) >= lines and quotes % 2 == 0:
            yield skipped, head + "".join(piece)
            skipped += len(piece)
            piece = []
    if piece or not skipped:
        yield skipped, head + "".join(piece)


def _print_import(total: dict[str, Any]) -> None:
    if total["mistakes"]:
        output.print_table(("LINE", "MISTAKE"), [(each["line"], each["detail"]) for each in total["mistakes"]])
    hidden = total["mistakes_total"] - len(total["mistakes"])
    if hidden:
        output.print_line(f"{hidden} more have a mistake.")
    if total["written"]:
        output.print_line(
            f"{total['added']} added, {total['known']} were there, {total['mistakes_total']} left out for a mistake."
        )
    else:
        output.print_line(f"Nothing was written: {total['mistakes_total']} of {total['rows']} rows have a mistake.")


def export(
    to_file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of standard output.")
    ] = None,
    as_json: AsJson = False,
    data: Data = None,
    url: Url = None,
) -> None:
    """Print the whole register as CSV; `import` takes it again."""
    with open_client(data, url) as client:
        if as_json:
            output.print_json(list(client.pages(_PATH, None)))
            return
        text = client.text(f"{_PATH}export.csv")
    if to_file is None:
        print(text, end="")
        return
    try:
        to_file.write_text(text, "utf-8")
    except OSError as error:
        raise Fault(f"{to_file} cannot be written: {error.strerror}.") from error


def _read(file: str) -> str:
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return body.decode("utf-8-sig")
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is no text in UTF-8. Save it as CSV UTF-8.") from error


def _filled(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _user() -> str | None:
    """Name the user of this machine, None where there is no name."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None

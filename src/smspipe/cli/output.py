"""
What commands print: tables and colours on a terminal, tabs in a pipe, JSON where it is asked for.

`rich` is imported only when there is a terminal to draw on.
"""

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

T = TypeVar("T")
_PATIENCE_SECONDS: Final = 1.0
"""What takes longer than this shows how far it has come."""
_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
STYLES: Final = {
    "delivered": "green",
    "accepted": "green",
    "pending": "cyan",
    "sending": "cyan",
    "suppressed": "yellow",
    "held": "yellow",
    "unconfirmed": "yellow",
    "no_match": "dim",
    "failed": "red",
    "undelivered": "red",
    "on": "green",
    "off": "dim",
    "stopped": "red",
    "ok": "green",
    "note": "yellow",
    "broken": "red",
}
"""Colours of words that stand for a state."""


def on_terminal() -> bool:
    """Is a person looking, and not a program?"""
    return sys.stdout.isatty()


def console(*, error: bool = False) -> "Console":
    """Give the terminal to draw on: standard output, or standard error. It takes no markup from what it prints."""
    from rich.console import Console

    return Console(stderr=error, markup=False, highlight=False, emoji=False)


def clean(text: object, *, lines: bool = False) -> str:
    """
    Write a text so that nothing in it can steer the terminal: control characters show as escapes.

    Args:
        text: anything; None is the empty text.
        lines: whether line breaks stay.
    """
    given = "" if text is None else str(text)
    if given.isprintable():
        return given
    return "".join(
        character
        if (character == "\n" and lines) or not (unicodedata.category(character) == "Cc" or character in _BIDI)
        else ascii(character)[1:-1]
        for character in given
    )


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=not _can_print_unicode()))


def _can_print_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def print_line(text: str = "", style: str | None = None) -> None:
    """Print a sentence; on a terminal in a style, wrapped at words, and indented all the way down."""
    if not on_terminal():
        print(clean(text))
        return
    from rich.padding import Padding
    from rich.text import Text

    words = clean(text).lstrip(" ")
    if not words:
        print()
        return
    console().print(Padding(Text(words, style=style or ""), (0, 0, 0, len(clean(text)) - len(words)), expand=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """
    Print rows under their columns' names: aligned on a terminal, separated by tabs in a pipe.

    A cell may be a tuple: on a terminal its parts stand below each other. Columns that only exist in a pipe are the
    caller's affair.
    """
    if not on_terminal():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(clean(" ".join(map(str, cell)) if isinstance(cell, tuple) else cell) for cell in row))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    console().print(table)


def _cell(value: object) -> "Text":
    from rich.text import Text

    parts = value if isinstance(value, tuple) else (value,)
    text = Text()
    for place, part in enumerate(parts):
        word = clean(part)
        text.append("\n" if place else "").append(word, style=STYLES.get(word, "dim" if place else ""))
    return text


def print_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    shown = [(name, value) for name, value in pairs if value not in (None, "")]
    if not on_terminal():
        for name, value in shown:
            print(f"{name}\t{clean(value)}")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in shown:
        table.add_row(name, _cell(value))
    console().print(table)


def print_steps(steps: Iterable[dict[str, Any]]) -> None:
    """Print the checklist of a decision: each step, whether it let the event go on, and what it saw."""
    if not on_terminal():
        for step in steps:
            print(f"  {'ok' if step['ok'] else 'no'} {step['name']} {clean(step.get('saw', ''))}".rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(width=3, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for step in steps:
        mark = Text("✓", style="green") if step["ok"] else Text("✗", style="red")
        table.add_row(mark, Text(step["name"]), Text(clean(step.get("saw", ""))))
    console().print(table)


def print_bubble(text: str, title: str, note: str) -> None:
    """Print a text message as a phone shows it; in a pipe on one line."""
    if not on_terminal():
        print(f"  text {clean(title)}: {clean(text)} ({clean(note)})")
        return
    from rich.box import ROUNDED
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.text import Text

    screen = console()
    widest = min(60, screen.width - 4)
    panel = Panel(
        Text(clean(text, lines=True)),
        title=Text(clean(title), style="bold"),
        title_align="left",
        subtitle=Text(clean(note), style="dim"),
        subtitle_align="right",
        box=ROUNDED,
        border_style="green",
        width=max(30, min(widest, max(len(line) for line in (*text.split("\n"), title + "    ", note + "    ")) + 4)),
    )
    screen.print(Padding(panel, (0, 0, 0, 2)))


def print_error(sentence: str) -> None:
    """Print to standard error what went wrong and what to do next."""
    if sys.stderr.isatty():
        from rich.text import Text

        console(error=True).print(Text.assemble(("Error: ", "bold red"), clean(sentence)))
    else:
        print(f"Error: {clean(sentence)}", file=sys.stderr)


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Give the items on, and after a second of it begin to show on standard error how many are done."""
    if not sys.stderr.isatty():
        yield from items
        return
    started = time.monotonic()
    bar: Any = None
    task: Any = None
    try:
        for done, item in enumerate(items):
            if bar is None and time.monotonic() - started > _PATIENCE_SECONDS:
                bar = _make_bar()
                bar.start()
                task = bar.add_task(label, total=total, completed=done)
            elif bar is not None:
                bar.update(task, completed=done)
            yield item
    finally:
        if bar is not None:
            bar.stop()


def _make_bar() -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console(error=True), transient=True)


@contextmanager
def waiting(label: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal that something is waited for; what is given changes the words."""
    if not on_terminal():
        yield lambda _: None
        return
    with console().status(label) as status:
        yield status.update


def short_time(instant: str | None) -> str:
    """Write an instant of the API (`2026-01-02T03:04:05.678Z`) for a table: `2026-01-02 03:04:05`, in UTC."""
    return "" if not instant else instant[:19].replace("T", " ")


def utc_time(instant: str | None) -> str:
    """Write an instant of the API where no heading says that it is UTC."""
    return "" if not instant else f"{short_time(instant)} UTC"


def as_sentence(text: str) -> str:
    """Write what a step saw as a sentence of its own."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""

"""
The register as CSV: what `export` writes, `import` reads, and so does any list of numbers, one a line.

A first row that names columns may name any of `COLUMNS`, in any order; only `number` must be among them. Without such a
row the first column is the number. Commas, semicolons and tabs separate, whichever the first row has.

A number that was erased is exported as its hash, so that nothing is lost between two exports of one installation.
"""

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.model.phone import E164
from smspipe.optouts.entries import EVERYWHERE, New, OptOut, Source, scope_of

COLUMNS: Final = ("number", "sender", "since", "source", "who", "why", "keyword", "service", "number_hash")
LONGEST_TEXT: Final = 1000
"""Characters in `who` or `why`."""
_HASH = re.compile(r"[0-9a-f]{64}")
_SENDER = re.compile(
    r"\*|\+[1-9][0-9]{6,14}|[0-9]{3,8}|MG[0-9a-fA-F]{32}|(?=.*[A-Za-z])[A-Za-z0-9 \-+_&]{1,11}|[a-z]+:\S{1,80}"
)
_SPREADSHEET: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""What a spreadsheet would run as a formula, were it not quoted; and the quote itself."""


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be read: its line in the file, and a sentence that says why and what would be right."""

    line: int
    detail: str


def write_csv(entries: Iterable[OptOut], *, head: bool = True) -> str:
    """Write entries as CSV, under the names of the columns if `head`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head:
        writer.writerow(COLUMNS)
    for each in entries:
        writer.writerow(
            (each.number or "", each.scope, to_iso(each.since), each.source.value, _quote(each.who), _quote(each.why),
             _quote(each.keyword), each.service or "", "" if each.number else each.number_hash)
        )  # fmt: skip
    return text.getvalue()


def has_head(line: str) -> bool:
    """Does the first line of a file name columns? A line with a digit is a row."""
    return any(character.isalpha() for character in line) and not any(character.isdigit() for character in line)


def read_csv(
    text: str,
    read_number: Callable[[str], E164],
    *,
    sender: str = EVERYWHERE,
    who: str | None = None,
    why: str | None = None,
    skipped: int = 0,
) -> Iterator[New | Mistake]:
    """
    Read CSV row by row; a row that is wrong does not keep the others from being read. Empty rows are passed over.

    Args:
        text: the file, or a part of it under the same first row.
        read_number: makes a number as people write it E.164, or raises Invalid.
        sender: for rows that name none.
        who: for rows that name nobody.
        why: for rows that give no reason.
        skipped: lines of the whole file that are left out in front of these rows, so that mistakes name its lines.

    Raises:
        Invalid: the first row names a column that there is not, or names no `number`.
    """
    lines = text.removeprefix("\ufeff")
    first = lines.partition("\n")[0]
    # Strict, so that a quote that is never closed is named and does not swallow the rest of the file.
    rows = csv.reader(io.StringIO(lines, newline=""), delimiter=_delimiter(first), strict=True)
    names: Sequence[str] = ("number",)
    if has_head(first):
        names = _read_names(next(rows))
    defaults = {"sender": sender, "who": who or "", "why": why or ""}
    while True:
        line = rows.line_num + 1 + skipped
        try:
            row = next(rows)
            if any(cell.strip() for cell in row):
                yield _read_row(names, row, defaults, read_number)
        except StopIteration:
            return
        except csv.Error as error:
            yield Mistake(
                line=line, detail=f"It is no CSV: {error}. Put texts with separators in quotes, and close them."
            )
        except Invalid as error:
            yield Mistake(line=line, detail=str(error) if error.hint is None else f"{error} {error.hint}")


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _read_names(row: Sequence[str]) -> list[str]:
    names = [cell.strip().lower().replace(" ", "_") for cell in row]
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name[:40], COLUMNS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(COLUMNS)}; take the others out."
            raise Invalid(f"There is no column {name[:40]!r}. {hint}", field="file", hint=hint)
    if len(set(names)) < len(names) or not {"number", "number_hash"} & set(names):
        raise Invalid("The columns must have names of their own, 'number' among them.", field="file")
    return names


def _read_row(
    names: Sequence[str], row: Sequence[str], defaults: dict[str, str], read_number: Callable[[str], E164]
) -> New:
    if len(row) > len(names) and any(cell.strip() for cell in row[len(names) :]):
        raise Invalid(f"It has {len(row)} cells for {len(names)} columns.", hint="Put texts with separators in quotes.")
    cells = {**defaults, **{name: cell.strip() for name, cell in zip(names, row, strict=False) if cell.strip()}}
    number, number_hash = cells.get("number"), cells.get("number_hash")
    if number is None and (number_hash is None or not _HASH.fullmatch(number_hash)):
        raise Invalid("There is no number in it.", hint="Write one with + and its country code.")
    return New(
        number=None if number is None else read_number(number),
        number_hash=None if number is not None else number_hash,
        scope=read_sender(cells["sender"]),
        service=_read_service(cells.get("service")),
        since=_read_since(cells.get("since")),
        source=_read_source(cells.get("source")),
        who=read_text(_unquote(cells["who"]), "who"),
        why=read_text(_unquote(cells["why"]), "why"),
        keyword=read_text(_unquote(cells.get("keyword", "")), "keyword"),
    )


def read_sender(text: str) -> str:
    """
    Read which sender an opt-out is for.

    Raises:
        Invalid: it is neither `*` nor anything that can send.
    """
    if not _SENDER.fullmatch(text.strip()):
        raise Invalid(
            "The sender is not one that Twilio knows.",
            field="sender",
            hint="Write a number like +15005550006, a short code, a name, a messaging service (MG…), or * for all.",
        )
    return scope_of(text)


def read_text(text: str | None, field: str) -> str | None:
    """
    Read a free text; blank is None.

    Raises:
        Invalid: it is too long.
    """
    if text is None or not text.strip():
        return None
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"Write {LONGEST_TEXT} characters at most in {field!r}.", field=field)
    return text.strip()


def _read_service(text: str | None) -> str | None:
    if text is None:
        return None
    if not text.startswith("MG"):
        raise Invalid("The service is none.", hint="Write its SID: MG and 32 hexadecimal digits.")
    return read_sender(text)


def _read_since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("The instant in 'since' cannot be read.", hint="Write it as 2026-01-02T03:04:05Z.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _read_source(text: str | None) -> Source:
    if text is None:
        return Source.IMPORT
    try:
        return Source(text)
    except ValueError:
        hint = f"Use {', '.join(Source)}, or leave it empty."
        raise Invalid(f"There is no source {text[:40]!r}.", hint=hint) from None


def _quote(text: str | None) -> str:
    """Keep a spreadsheet from running a text as a formula."""
    return "" if text is None else "'" + text if text.startswith(_SPREADSHEET) else text


def _unquote(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:].startswith(_SPREADSHEET) else text

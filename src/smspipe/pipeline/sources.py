"""Where the events of a forecast come from: the event log, or a file; in the order in which they happened, in parts."""

import csv
import io
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol

import msgspec
from isal import igzip

from smspipe import eventlog
from smspipe.capture import Refused, events_of
from smspipe.db import Database
from smspipe.model.clock import to_micros
from smspipe.model.errors import Invalid
from smspipe.model.event import Event
from smspipe.model.person import Person
from smspipe.pipeline.exports import TIMES, Unreadable, flat, read_row, time_of

_PART: Final = 1000
"""Events handed on together."""
_READ_BYTES: Final = 4 * 2**20
_LARGEST_LIST_BYTES: Final = 64 * 2**20
_LARGEST_CELL: Final = 16 * 2**20
_NOTHING: Final = msgspec.Raw(b"")
Row = Mapping[str, Any]
Wanted = Callable[[str], bool]
"""Says whether anybody listens to events of a name."""


class Arrived(NamedTuple):
    """One event, and when it came: the time by which it is decided."""

    at: datetime
    event: Event
    person: Person | None
    """The person, where the source tells of one; None where the profiles know."""


class Source(Protocol):
    """Events in order, read once."""

    share: float
    """How much of it was read, 0 to 1."""
    passed_by: int
    """Events that nobody listens to, and that were not even looked at."""
    unreadable: int
    """Rows or requests that hold no event."""
    why_unreadable: str | None
    """What was wrong with the first of them, None while there is none."""
    first: datetime | None
    """When the first event came; None while that is not known, or when there is none."""
    last: datetime | None

    def read(self, wanted: Wanted) -> Iterator[list[Arrived]]:
        """Give the events in parts."""


class LogSource:
    """The events of the log that arrived within a range of time, each decided when it arrived."""

    def __init__(self, database: Database, since: datetime, until: datetime) -> None:
        self._database = database
        self.since = since
        self.until = until
        self.share = 0.0
        self.passed_by = 0
        self.unreadable = 0
        self.why_unreadable: str | None = None
        self.first: datetime | None = None
        self.last: datetime | None = None

    def read(self, wanted: Wanted) -> Iterator[list[Arrived]]:  # noqa: ARG002 (every event may tell something of its person)
        """Give the events in parts; each part is read by itself, so that nothing holds the database up."""
        with self._database.read() as connection:
            first, last = eventlog.positions_between(connection, self.since, self.until)
        position = first - 1
        while position < last:
            with self._database.read() as connection:
                requests = eventlog.read_after(connection, position, _READ_BYTES)
            if not requests:
                break
            part: list[Arrived] = []
            for at, payload in requests:
                position = at
                if at > last:
                    break
                if not self.since <= payload.received_at < self.until:
                    continue  # the clock was set back while the log was written
                try:
                    part += [Arrived(event.received_at, event, None) for event in events_of(payload)]
                    self.first, self.last = self.first or payload.received_at, payload.received_at
                except Refused as error:
                    self.unreadable += 1
                    self.why_unreadable = self.why_unreadable or str(error)
                if len(part) >= _PART:
                    self.share = (position - first + 1) / (last - first + 1)
                    yield part
                    part = []
            self.share = min(1.0, (position - first + 1) / (last - first + 1))
            if part:
                yield part
        self.share = 1.0


class FileSource:
    """
    The events of a file: JSON Lines, a list in JSON, CSV, or Parquet; each of the first three may be packed by gzip.

    They are decided in the order in which they happened, whatever their order in the file: PostHog's own exports mostly
    have the newest first. A file in another order is put in order in a temporary one.
    """

    def __init__(self, path: Path, *, trusted: bool = False, name: str | None = None) -> None:
        """
        Look at the file.

        Args:
            path: where it lies.
            trusted: believe its phone numbers, as if the events had come with the secret API key.
            name: what it is called in messages.

        Raises:
            Invalid: it cannot be read, or it is Parquet and there is nothing to read that with.
        """
        self._path = path
        self._trusted = trusted
        self._name = name or str(path)
        self.share = 0.0
        self.passed_by = 0
        self.unreadable = 0
        self.why_unreadable: str | None = None
        self.first: datetime | None = None
        self.last: datetime | None = None
        try:
            self._bytes = max(1, path.stat().st_size)
            with path.open("rb") as file:
                self._parquet = file.read(4) == b"PAR1"
                file.seek(max(0, self._bytes - 4))
                if self._parquet and file.read(4) != b"PAR1":
                    raise Invalid(f"{self._name} is Parquet, but its end is missing.")
        except OSError as error:
            raise Invalid(f"{self._name} cannot be read: {error.strerror}.") from error
        if self._parquet:
            _parquet_reader()

    def read(self, wanted: Wanted) -> Iterator[list[Arrived]]:
        """Give the events in parts."""
        in_order, self.share = self._look(), 0.0
        part: list[Arrived] = []
        for row in self._rows(wanted) if in_order else self._sorted(wanted):
            try:
                event, person = read_row(row, trusted=self._trusted)
            except Unreadable as error:
                self._note(str(error))
                continue
            part.append(Arrived(event.timestamp, event, person))
            if len(part) >= _PART:
                yield part
                part = []
        if part:
            yield part
        self.share = 1.0

    def _note(self, why: str) -> None:
        self.unreadable += 1
        self.why_unreadable = self.why_unreadable or f"{self._name}: {why}."

    def _look(self) -> bool:
        """Find the first and the last time, and say whether the rows are in order already."""
        in_order = True
        latest: datetime | None = None
        with closing(self._rows(None, only_times=True)) as rows:
            for row in rows:
                at = time_of(row)
                if at is None:
                    continue
                if latest is None:
                    self.first = self.last = latest = at
                elif at >= latest:
                    self.last = latest = at
                else:
                    in_order = False
                    self.first = min(self.first or at, at)
        self.unreadable, self.why_unreadable = 0, None  # they are met again
        return in_order

    def _rows(self, wanted: Wanted | None, *, only_times: bool = False) -> Generator[Row, None, None]:
        """Read the rows in the order of the file; those that nobody listens to may be left out where `wanted` says."""
        if self._parquet:
            yield from self._parquet_rows(wanted)
            return
        with self._path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with closing(io.BufferedReader(_unpacked(raw)) if packed else raw) as file:
                yield from self._text_rows(file, raw, wanted, only_times=only_times)

    def _text_rows(self, file: Any, raw: IO[bytes], wanted: Wanted | None, *, only_times: bool) -> Iterator[Row]:
        try:
            match file.peek(64)[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]:
                case b"{":
                    yield from self._lines(file, raw, wanted, only_times=only_times)
                case b"[":
                    yield from self._list(file)
                case b"":
                    return
                case _:
                    yield from self._cells(file, raw, wanted)
        except (OSError, EOFError) as error:
            raise Invalid(f"{self._name} is cut off, or no gzip after all.") from error

    def _lines(self, file: Any, raw: IO[bytes], wanted: Wanted | None, *, only_times: bool) -> Iterator[Row]:
        for number, line in enumerate(file):
            if number % _PART == 0:
                self.share = raw.tell() / self._bytes
            text = line.strip() if number else line.removeprefix(b"\xef\xbb\xbf").strip()
            if not text:
                continue
            try:
                if wanted is not None and self._may_pass(text, wanted):
                    self.passed_by += 1
                    continue
                row = msgspec.structs.asdict(_times.decode(text)) if only_times else _row.decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._note(f"line {number + 1} is no JSON object")
                continue
            yield flat(row)

    def _may_pass(self, text: bytes, wanted: Wanted) -> bool:
        """May a line be passed by: nobody listens, and it brings its person along, so that no profile hangs on it?"""
        head = _head.decode(text)
        return type(head.event) is str and not wanted(head.event) and head.tells_of_person

    def _list(self, file: Any) -> Iterator[Row]:
        if self._bytes > _LARGEST_LIST_BYTES:
            raise Invalid(
                f"{self._name} is one list of {self._bytes >> 20} MB. Write it as JSON Lines, an event a line: "
                f"`jq -c '.[]' FILE`."
            )
        try:
            rows = msgspec.json.decode(file.read().removeprefix(b"\xef\xbb\xbf"), type=list[dict[str, Any]])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"{self._name} is no list of JSON objects.") from error
        for row in rows:
            yield flat(row)

    def _cells(self, file: Any, raw: IO[bytes], wanted: Wanted | None) -> Iterator[Row]:
        csv.field_size_limit(_LARGEST_CELL)
        with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            try:
                rows = csv.DictReader(text, strict=True)
                columns = set(rows.fieldnames or ())
                if not {"event", "distinct_id"} <= columns or not columns & set(TIMES):
                    raise Invalid(
                        f"{self._name} is neither JSON nor Parquet, and as CSV it lacks a column of event, distinct_id "
                        "and timestamp."
                    )
                for number, row in enumerate(rows):
                    if number % _PART == 0:
                        self.share = raw.tell() / self._bytes
                    if not self._passes(row, wanted):
                        yield row
            except csv.Error as error:
                raise Invalid(f"{self._name} is no CSV: {error}.") from error
            except UnicodeDecodeError as error:
                raise Invalid(f"{self._name} is no text in UTF-8.") from error

    def _parquet_rows(self, wanted: Wanted | None) -> Iterator[Row]:
        read_parquet = _parquet_reader()
        try:
            batches = read_parquet(str(self._path), batch_size=_PART)
            names = [field.name for field in batches.schema]
            for batch in batches:
                columns = [batch.column(place).to_pylist() for place in range(batch.num_columns)]
                for values in zip(*columns, strict=True):
                    row = dict(zip(names, values, strict=True))
                    if not self._passes(row, wanted):
                        yield row
        except BaseException as error:
            # The library's errors have no class of their own, and when it panics it raises no Exception.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise Invalid(f"{self._name} is Parquet, but cannot be read: {str(error).splitlines()[0]}.") from error
            raise

    def _passes(self, row: Row, wanted: Wanted | None) -> bool:
        name = row.get("event")
        if wanted is None or not isinstance(name, str) or wanted(name) or not row.get("person_properties"):
            return False
        self.passed_by += 1
        return True

    def _sorted(self, wanted: Wanted) -> Iterator[Row]:
        """Put the rows in order by way of a temporary file."""
        with (
            tempfile.NamedTemporaryFile(prefix="smspipe-", suffix=".db") as file,
            closing(sqlite3.connect(file.name, isolation_level=None)) as store,
        ):
            for pragma in ("journal_mode=off", "synchronous=off", "temp_store=file", "cache_size=-16384"):
                store.execute(f"pragma {pragma}")
            store.execute("create table rows (at integer, row blob)")
            store.execute("begin")
            store.executemany("insert into rows values (?, ?)", self._staged(wanted))
            for (row,) in store.execute("select row from rows order by at, rowid"):
                yield _row.decode(row)

    def _staged(self, wanted: Wanted) -> Iterator[tuple[int, bytes]]:
        for row in self._rows(wanted):
            at = time_of(row)
            if at is None:
                self._note("a row has no time that can be read")
            else:
                yield to_micros(at), _encode(row)


class _Head(msgspec.Struct):
    event: Any = None
    person_properties: msgspec.Raw = _NOTHING
    person: msgspec.Raw = _NOTHING

    @property
    def tells_of_person(self) -> bool:
        return any(len(told) > 2 and told != b"null" for told in (bytes(self.person_properties), bytes(self.person)))


class _Times(msgspec.Struct):
    event: Any = None
    timestamp: Any = None
    created_at: Any = None
    inserted_at: Any = None


_row: Final = msgspec.json.Decoder(dict[str, Any])
_head: Final = msgspec.json.Decoder(_Head)
_times: Final = msgspec.json.Decoder(_Times)
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def _unpacked(raw: IO[bytes]) -> Any:
    return igzip.IGzipFile(fileobj=raw)  # type: ignore[no-untyped-call]  # the library has no types for it


def _parquet_reader() -> Callable[..., Any]:
    """Give the function that reads Parquet; its library is a choice, since most never need its 33 MB."""
    try:
        from arro3.io import read_parquet
    except ImportError as error:
        raise Invalid(
            "Reading Parquet takes a library that is not installed. Run `pip install 'smspipe[parquet]'`, or export "
            "the events as JSON Lines."
        ) from error
    return read_parquet

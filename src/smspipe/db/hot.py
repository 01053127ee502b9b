"""
The statements that every event meets: written in SQLAlchemy like all others, but handed to the driver.

Executing a statement through SQLAlchemy costs thirty times what SQLite needs for it, whatever it does; for the few
that run for every group of events that is most of the service's work. So they are compiled once for a dialect, and
their text goes to the driver with rows of plain values: column types convert nothing here, instants are microseconds.

An insert of many rows is written as statements of many rows each, not as many statements: each statement gives the
interpreter's lock away and takes it back, and at that moment the event loop takes its turn.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

from smspipe.db.engine import driver_of

_CHUNKS = (32, 8, 1)
"""Rows in one statement. A driver keeps few prepared statements, so there are few sizes."""


class Hot:
    """One statement for the driver; its rows hold a value for each of `names`, in that order."""

    def __init__(self, statement: Executable, names: Sequence[str], *, insert: bool = False) -> None:
        """
        Note the statement; it is compiled when a connection first runs it.

        Args:
            statement: with one bound parameter for each of `names`.
            names: the parameters, in the order of a row's values.
            insert: it is an insert of one row, which may be repeated within one statement.
        """
        self._statement = statement
        self._names = tuple(names)
        self._insert = insert
        self._texts: dict[tuple[str, int], tuple[str, tuple[int, ...] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it for each row; give how many rows of the table were touched."""
        driver = driver_of(connection)
        if not self._insert:
            text, order = self._text(connection.dialect, 1)
            return int(driver.executemany(text, [_pick(row, order) for row in rows] if order else rows).rowcount)
        start = 0
        for size in _CHUNKS:
            while len(rows) - start >= size:
                text, order = self._text(connection.dialect, size)
                chunk = rows[start : start + size]
                if order:
                    chunk = [_pick(row, order) for row in chunk]
                driver.execute(text, [value for row in chunk for value in row])
                start += size
        return len(rows)

    def read(self, connection: Connection, row: tuple[Any, ...] = ()) -> Any:
        """Run it once and give the driver's cursor with what it found."""
        driver = driver_of(connection)
        text, order = self._text(connection.dialect, 1)
        return driver.execute(text, _pick(row, order) if order else row)

    def _text(self, dialect: Dialect, rows: int) -> tuple[str, tuple[int, ...] | None]:
        """Give the text for a dialect, and the order in which it wants a row's values, None for the row's own."""
        key = (dialect.name, rows)
        found = self._texts.get(key)
        if found is None:
            found = self._texts[key] = self._compile(dialect, rows)
        return found

    def _compile(self, dialect: Dialect, rows: int) -> tuple[str, tuple[int, ...] | None]:
        compiled = self._statement.compile(  # type: ignore[attr-defined]  # every Executable that we write is a ClauseElement
            dialect=dialect, column_keys=list(self._names) if self._insert else None
        )
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 (a statement, not a table's definition)
        order = tuple(self._names.index(name) for name in compiled.positiontup or ())
        text = str(compiled)
        if rows > 1:
            head, mark, tail = text.partition(") VALUES (")
            values, _, rest = tail.partition(")")
            text = f"{head}{mark}{values})" + f", ({values})" * (rows - 1) + rest
        return text, None if order == tuple(range(len(order))) else order


def _pick(row: tuple[Any, ...], order: tuple[int, ...]) -> tuple[Any, ...]:
    return tuple([row[place] for place in order])

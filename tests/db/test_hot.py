"""The statements for the driver: compiled for each dialect that we run on, values in the right columns."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

import smspipe.app  # noqa: F401 (knows all rooms, and so all statements)
from smspipe.db import Database, Hot
from smspipe.db.engine import begin_write

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("a", Text),
    Column("b", Text),
    Column("at", BigInteger),
)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as lent:
        begin_write(lent)
        things.create(lent)
        yield lent
        lent.rollback()


def rows(connection: Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(select(things).order_by(things.c.id))]


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 31, 32, 33, 64, 100])
def test_an_insert_writes_every_row_with_its_own_values(connection: Connection, n: int) -> None:
    made = [(nth, f"a{nth}", None if nth % 3 else f"b{nth}", nth * 10**6) for nth in range(n)]
    assert Hot(insert(things), ("id", "a", "b", "at"), insert=True).run(connection, made) == n
    assert rows(connection) == made


def test_names_in_another_order_than_the_columns_put_values_where_they_belong(connection: Connection) -> None:
    statement = Hot(insert(things), ("at", "b", "id", "a"), insert=True)
    statement.run(connection, [(nth, "b", nth, "a") for nth in range(50)])
    assert rows(connection) == [(nth, "a", "b", nth) for nth in range(50)]


def test_an_upsert_of_many_rows_keeps_its_clause(connection: Connection) -> None:
    statement = insert(things)
    upsert = Hot(
        statement.on_conflict_do_update(index_elements=[things.c.id], set_={"a": statement.excluded.a}),
        ("id", "a", "b", "at"),
        insert=True,
    )
    upsert.run(connection, [(nth, "old", "b", 1) for nth in range(40)])
    upsert.run(connection, [(nth, "new", "ignored", 2) for nth in range(20, 60)])
    assert [row[1:] for row in rows(connection)] == [("old", "b", 1)] * 20 + [("new", "b", 1)] * 20 + [
        ("new", "ignored", 2)
    ] * 20


def test_an_update_takes_its_values_by_name_and_counts_what_it_touched(connection: Connection) -> None:
    Hot(insert(things), ("id", "a", "b", "at"), insert=True).run(connection, [(nth, "a", "b", 0) for nth in range(5)])
    statement = Hot(
        update(things).where(things.c.id == bindparam("of")).values(a=bindparam("new_a"), at=bindparam("now")),
        ("of", "new_a", "now"),
    )
    assert statement.run(connection, [(1, "x", 7), (3, "y", 8), (99, "z", 9)]) == 2
    assert rows(connection)[1] == (1, "x", "b", 7)
    assert rows(connection)[3] == (3, "y", "b", 8)


def test_a_read_gives_the_drivers_rows(connection: Connection) -> None:
    Hot(insert(things), ("id", "a", "b", "at"), insert=True).run(connection, [(1, "one", None, 1), (2, "two", None, 2)])
    statement = Hot(select(things.c.a).where(things.c.id > bindparam("least")), ("least",))
    assert statement.read(connection, (1,)).fetchall() == [("two",)]


def _hot_statements() -> list[tuple[str, Hot]]:
    import sys

    return [
        (f"{name}.{attribute}", value)
        for name, module in sorted(sys.modules.items())
        if name.startswith("smspipe.")
        for attribute, value in vars(module).items()
        if isinstance(value, Hot)
    ]


@pytest.mark.parametrize("dialect", [sqlite.dialect()], ids=lambda dialect: str(dialect.name))
@pytest.mark.parametrize("hot", [hot for _, hot in _hot_statements()], ids=[name for name, _ in _hot_statements()])
def test_every_hot_statement_of_the_house_compiles_and_takes_exactly_its_names(hot: Hot, dialect: Dialect) -> None:
    """One mark for each name and row, none of them left over."""
    for size in (1, 8) if hot._insert else (1,):
        text, order = hot._compile(dialect, size)
        places = list(range(len(hot._names))) if order is None else list(order)
        assert set(places) == set(range(len(hot._names))), "a name is not used, or used for another"
        assert text.count("?") == len(places) * size


def test_the_house_has_hot_statements() -> None:
    assert len(_hot_statements()) >= 5

"""A new database and an upgraded one have the same tables."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import smspipe.app  # noqa: F401 (knows all rooms, and so all tables)
from smspipe import eventlog
from smspipe.db import NEWEST, metadata, migrate, open_database, revision_of
from smspipe.db.engine import begin_write, end_write
from smspipe.db.migrate import upgrade
from smspipe.deliveries import queries
from smspipe.model.errors import Invalid
from smspipe.model.ids import DeliveryId


def schema(path: Path) -> set[tuple[Any, ...]]:
    """Read what SQLite says of its columns, in any order, and of its indexes, white space aside."""
    with open_database(f"sqlite:///{path}").read() as connection:
        made = connection.execute(text("select type, name, sql from sqlite_master where sql is not null")).all()
        found: set[tuple[Any, ...]] = set()
        for kind, name, sql in made:
            if "alembic" in name:
                continue
            if kind == "index":
                found.add((name, "".join(sql.split()).replace('"', "").lower()))
            else:
                columns = connection.execute(text(f'pragma table_info("{name}")')).mappings()
                found |= {(name, each["name"], each["type"], each["notnull"], each["pk"]) for each in columns}
        return found


def test_a_new_database_has_the_newest_revision(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    assert revision_of(database) is None
    migrate(database)
    assert revision_of(database) == NEWEST
    migrate(database)
    database.close()


def test_the_migrations_make_what_the_keepers_define(tmp_path: Path) -> None:
    made = open_database(f"sqlite:///{tmp_path / 'made.db'}")
    migrate(made)
    made.close()
    upgraded = open_database(f"sqlite:///{tmp_path / 'upgraded.db'}")
    with upgraded.engine.connect() as connection:
        begin_write(connection)
        upgrade(connection)
        end_write(connection)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert revision_of(upgraded) == NEWEST
    upgraded.close()
    assert schema(tmp_path / "upgraded.db") == schema(tmp_path / "made.db")


def test_rows_of_an_older_version_are_kept_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    database = open_database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        begin_write(connection)
        upgrade(connection, "0001")
        connection.execute(text(
            "insert into requests (position, door, received_at, seed, body) values (1, 'capture', 1, x'00', x'7b7d')"
        ))  # fmt: skip
        connection.execute(text(
            "insert into deliveries (id, destination_id, version, event_uuid, route, event, distinct_id, status,"
            " created_at, attempts, steps) values ('d', 'shop', 1, 'e', 0, 'signup', 'ada', 'accepted', 1, 1,"
            ' \'[{"name":"match","ok"\\:true}]\')'
        ))  # fmt: skip
        end_write(connection)
    assert revision_of(database) == "0001"
    migrate(database)
    assert revision_of(database) == NEWEST
    with database.read() as connection:
        delivery = queries.get(connection, DeliveryId("d"))
        (_, payload), *_ = eventlog.read_after(connection, 0, 1000)
    database.close()
    assert delivery is not None
    assert [step.name for step in delivery.steps] == ["match"]
    assert payload.trusted is False


def test_the_newest_revision_is_the_last_script() -> None:
    scripts = ScriptDirectory("src/smspipe/db/migrations")
    assert scripts.get_current_head() == NEWEST


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'newer.db'}")
    migrate(database)
    with database.engine.connect() as connection:
        begin_write(connection)
        connection.execute(text("update alembic_version set version_num = '9999'"))
        end_write(connection)
    with pytest.raises(Invalid, match="newer smspipe"):
        migrate(database)
    database.close()

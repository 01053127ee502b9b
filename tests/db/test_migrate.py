"""A new database and an upgraded one have the same tables."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import smspipe.app  # noqa: F401 (knows all rooms, and so all tables)
from smspipe.db import NEWEST, metadata, migrate, open_database, revision_of
from smspipe.db.engine import begin_write, end_write
from smspipe.db.migrate import upgrade
from smspipe.model.errors import Invalid


def schema(path: Path) -> set[tuple[str, str]]:
    """Read what SQLite says of its tables and indexes, white space aside."""
    with open_database(f"sqlite:///{path}").read() as connection:
        rows = connection.execute(text("select name, sql from sqlite_master where sql is not null"))
        return {(name, "".join(sql.split()).replace('"', "").lower()) for name, sql in rows if "alembic" not in name}


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

"""
Bring a database to the tables that this version's keepers know.

A new database is made from the keepers' own definitions and marked with the newest revision; Alembic, which costs a
second and eleven megabytes, is loaded only to change an old one. A test holds both ways to the same result.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from smspipe.db.engine import Database, begin_write, end_write
from smspipe.db.types import metadata
from smspipe.model.errors import Invalid

NEWEST: Final = "0002"
"""The revision that the keepers' tables describe."""
_SCRIPTS: Final = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """
    Make the tables of a new database, or bring those of an older version up to date, in one transaction.

    Raises:
        Invalid: a newer version made this database.
    """
    found = revision_of(database)
    if found == NEWEST:
        return
    if found is not None and found > NEWEST:
        raise Invalid(
            f"The database is of revision {found}, made by a newer smspipe; this one knows up to {NEWEST}.",
            field="database_url",
            hint="Use the newer version, or restore the backup from before it.",
        )
    with database.engine.connect() as connection:
        begin_write(connection)
        if found is None:
            metadata.create_all(connection)
            connection.execute(text("create table alembic_version (version_num varchar(32) not null primary key)"))
            connection.execute(text("insert into alembic_version values (:newest)"), {"newest": NEWEST})
        else:
            upgrade(connection)
        end_write(connection)


def revision_of(database: Database) -> str | None:
    """Tell the revision of the database's tables, None for one without any."""
    with database.read() as connection:
        if not connection.dialect.has_table(connection, "alembic_version"):
            return None
        found: str | None = connection.scalar(text("select version_num from alembic_version"))
        return found


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations that this database has not had, up to a revision, in the transaction that is open."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    if not connection.in_transaction():
        connection.begin()  # SQLAlchemy must know of the transaction, or Alembic makes and commits one of its own
    command.upgrade(config, to)

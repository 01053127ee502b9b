"""Support: the database itself. Which tables there are is the keepers' business; each keeps its own."""

from smspipe.db.engine import Database, open_database
from smspipe.db.hot import Hot
from smspipe.db.migrate import NEWEST, migrate, revision_of
from smspipe.db.types import Instant, Json, metadata
from smspipe.db.writer import Writer

__all__ = [
    "NEWEST",
    "Database",
    "Hot",
    "Instant",
    "Json",
    "Writer",
    "metadata",
    "migrate",
    "open_database",
    "revision_of",
]

"""The register's tables."""

from sqlalchemy import Column, Index, Integer, Table, Text, UniqueConstraint, text

from smspipe.db import Instant, metadata

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("number_hash", Text, nullable=False),
    Column("scope", Text, nullable=False),
    # Null after the number was erased: the hash goes on keeping texts away from it.
    Column("number", Text),
    Column("service", Text),
    Column("since", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("who", Text),
    Column("why", Text),
    Column("keyword", Text),
    # Also the index that every claim is looked up in.
    UniqueConstraint("number_hash", "scope"),
    # A cursor of a list must not come to mean another row.
    sqlite_autoincrement=True,
)
"""Who gets no texts from which sender, one row for each pair."""

opt_out_history = Table(
    "opt_out_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("number_hash", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("who", Text),
    Column("why", Text),
    Column("keyword", Text),
    Column("message_sid", Text),
    Index(None, "number_hash", "id"),
    # A webhook that comes twice is heeded once.
    Index(
        "opt_out_history_message",
        "message_sid",
        "scope",
        unique=True,
        sqlite_where=text("message_sid IS NOT NULL"),
        postgresql_where=text("message_sid IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
"""Every change, and every keyword that came."""

opt_out_key = Table(
    "opt_out_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sealed", Text, nullable=False),
)
"""One row: the key of the hashes, encrypted under the installation's keys."""

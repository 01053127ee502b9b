"""The event log's tables."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from smspipe.db import Instant, metadata

requests = Table(
    "requests",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("door", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("ip", Text),
    Column("trusted", Boolean, nullable=False),
    Column("seed", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""One row for each accepted request, whole batches as one."""

event_index = Table(
    "event_index",
    metadata,
    Column("uuid_hash", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Where an event with a given uuid lies: 64 bits of it, so that an entry is small; the reader compares the whole."""

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""How far each reader of the log has come; moved in the transaction that holds what came of the events."""

Index(None, requests.c.received_at)

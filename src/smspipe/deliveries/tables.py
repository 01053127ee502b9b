"""The ledger's tables."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from smspipe.db import Instant, Json, metadata

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("destination_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("event_uuid", Text, nullable=False),
    Column("route", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("distinct_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("reason", Text),
    Column("to", Text),
    Column("sender", Text),
    Column("body", Text),
    Column("segments", Integer),
    Column("encoding", Text),
    Column("sid", Text),
    Column("attempts", Integer, nullable=False),
    Column("error_code", Integer),
    Column("error_message", Text),
    Column("not_before", Instant),
    Column("expires_at", Instant),
    Column("sent_at", Instant),
    Column("settled_at", Instant),
    Column("steps", Json),
    Column("cooldown_key", Text),
    # What makes a repeated event, a repeated group after a crash and a replay harmless.
    UniqueConstraint("event_uuid", "destination_id", "route"),
)

Index("deliveries_due", deliveries.c.not_before, deliveries.c.id, sqlite_where=deliveries.c.status == "pending",
      postgresql_where=deliveries.c.status == "pending")  # fmt: skip
Index("deliveries_open", deliveries.c.status, sqlite_where=deliveries.c.status.in_(("sending", "unconfirmed", "held")),
      postgresql_where=deliveries.c.status.in_(("sending", "unconfirmed", "held")))  # fmt: skip
Index(None, deliveries.c.to, deliveries.c.id)
Index(None, deliveries.c.destination_id, deliveries.c.id)

cooldowns = Table(
    "cooldowns",
    metadata,
    Column("destination_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("ends_at", Instant, nullable=False),
    Column("entered", BigInteger, nullable=False),
    Column("owner", Text),
    Column("vacant", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
"""One row for each window: `entered` events so far, the delivery that was let through last (`owner`), and whether it
gave its place back (`vacant`), so that the next event takes it."""

destination_metrics = Table(
    "destination_metrics",
    metadata,
    Column("destination_id", Text, primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Counts by hour, as PostHog's app metrics name them."""

"""The ledger's tables."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, text

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
    Column("extras", Json),
    Column("ask_at", Instant),
    Column("looks", Integer, nullable=False, server_default="0"),
    Column("twilio_status", Text),
    Column("billed_segments", Integer),
    Column("price", Text),
    Column("price_unit", Text),
    # What makes a repeated event, a repeated group after a crash and a replay harmless.
    UniqueConstraint("event_uuid", "destination_id", "route"),
)

Index("deliveries_due", deliveries.c.destination_id, deliveries.c.not_before, deliveries.c.id,
      sqlite_where=deliveries.c.status == "pending", postgresql_where=deliveries.c.status == "pending")  # fmt: skip
Index("deliveries_open", deliveries.c.status, sqlite_where=deliveries.c.status.in_(("unconfirmed", "held")),
      postgresql_where=deliveries.c.status.in_(("unconfirmed", "held")))  # fmt: skip
Index("deliveries_in_doubt", deliveries.c.to, sqlite_where=deliveries.c.status.in_(("sending", "unconfirmed")),
      postgresql_where=deliveries.c.status.in_(("sending", "unconfirmed")))  # fmt: skip
Index("deliveries_ask", deliveries.c.ask_at, sqlite_where=deliveries.c.ask_at.is_not(None),
      postgresql_where=deliveries.c.ask_at.is_not(None))  # fmt: skip
Index(None, deliveries.c.to, deliveries.c.id)
Index(None, deliveries.c.destination_id, deliveries.c.id)

receipts = Table(
    "receipts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("delivery_id", Text, nullable=False),
    Column("sid", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_code", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    UniqueConstraint("delivery_id", "sid", "status", "error_code"),
)
"""What Twilio said of a text, as it came and each thing once, by callback or when asked. `error_code` is 0 for none."""

paces = Table(
    "paces",
    metadata,
    Column("sender", Text, primary_key=True),
    Column("ready_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
"""For each sender with a pace, the instant at which all that it was given so far will have left."""

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

velocity = Table(
    "velocity",
    metadata,
    Column("destination_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("texts", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many texts to claimed numbers each hour has let through, by what is limited (see `deliveries.velocity`)."""

passes = Table(
    "passes",
    metadata,
    Column("who", Text, primary_key=True),
    Column("delivery_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""The deliveries that frequency caps count, by number or person (see `deliveries.passes`)."""
Index(None, passes.c.delivery_id)

held_back = Table(
    "held_back",
    metadata,
    Column("destination_id", Text, primary_key=True),
    Column("to", Text, primary_key=True),
    Column("texts", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
"""How many texts were held back from a number since the last, for destinations whose templates say so."""

spendings = Table(
    "spendings",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("used_segments", BigInteger, nullable=False),
    Column("used_micros", BigInteger, nullable=False),
    Column("reserved_segments", BigInteger, nullable=False),
    Column("reserved_micros", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What each day and month of a budget has cost: the sums of `charges`. `scope` is a destination, or empty for all."""

charges = Table(
    "charges",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("places", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("segments", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
"""What a delivery costs, in which days and months of which budgets, and how that counts."""
Index(None, charges.c.at)

prices = Table(
    "prices",
    metadata,
    Column("country", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("micros", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
"""What Twilio charged last for a segment to a country from a kind of sender, in millionths of a currency."""

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

sending_stop = Table(
    "sending_stop",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
)
"""One row, number 1, while everything is stopped; none while texts leave."""

stopped_texts = Table(
    "stopped_texts",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""The texts that are held because everything was stopped: no mended destination lets them go, only a person does."""

alarms = Table(
    "alarms",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("destination_id", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("reminded_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("texted_at", Instant),
    Column("state", Text, nullable=False),
    Column("tell_at", Instant),
    Column("tries", Integer, nullable=False),
    # One alarm, not a thousand.
    Index("alarms_open", "kind", "destination_id", unique=True, sqlite_where=text("resolved_at IS NULL"),
          postgresql_where=text("resolved_at IS NULL")),
    # An id once told to a webhook means the same alarm for good.
    sqlite_autoincrement=True,
)  # fmt: skip
"""What is or was wrong. `destination_id` is empty for what concerns all; `tell_at` is when `state` is to be told."""

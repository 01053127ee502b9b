"""Receipts, opt-outs, guards and what else keeps texts true: the tables of the second step."""

import sqlalchemy as sa
from alembic import op

from smspipe.db import types

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("raised_at", types.Instant(), nullable=False),
        sa.Column("reminded_at", types.Instant(), nullable=False),
        sa.Column("resolved_at", types.Instant(), nullable=True),
        sa.Column("texted_at", types.Instant(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tell_at", types.Instant(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "alarms_open",
        "alarms",
        ["kind", "destination_id"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "charges",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("places", types.Json(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("charges_at"), "charges", ["at"], unique=False)
    op.create_table(
        "held_back",
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("texts", sa.BigInteger(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("destination_id", "to"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "opt_out_history",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("number_hash", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("keyword", sa.Text(), nullable=True),
        sa.Column("message_sid", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "opt_out_history_message",
        "opt_out_history",
        ["message_sid", "scope"],
        unique=True,
        sqlite_where=sa.text("message_sid IS NOT NULL"),
        postgresql_where=sa.text("message_sid IS NOT NULL"),
    )
    op.create_index(op.f("opt_out_history_number_hash_id"), "opt_out_history", ["number_hash", "id"], unique=False)
    op.create_table(
        "opt_out_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "opt_outs",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("number_hash", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("since", types.Instant(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("keyword", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number_hash", "scope", name=op.f("opt_outs_number_hash_scope_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "paces",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("ready_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("sender"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "passes",
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("who", "delivery_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("passes_delivery_id"), "passes", ["delivery_id"], unique=False)
    op.create_table(
        "prices",
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("country", "sender", "currency"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("test_account_filters", types.Json(), nullable=False),
        sa.Column("test_account_filters_default_checked", sa.Boolean(), nullable=True),
        sa.Column("budget", types.Json(), nullable=True),
        sa.Column("alarms", types.Json(), nullable=True),
        sa.Column("alarm_secret", sa.Text(), nullable=True),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Integer(), nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "delivery_id", "sid", "status", "error_code", name=op.f("receipts_delivery_id_sid_status_error_code_key")
        ),
    )
    op.create_table(
        "sending_stop",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", types.Instant(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "spendings",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("used_segments", sa.BigInteger(), nullable=False),
        sa.Column("used_micros", sa.BigInteger(), nullable=False),
        sa.Column("reserved_segments", sa.BigInteger(), nullable=False),
        sa.Column("reserved_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "period"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stopped_texts",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "velocity",
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hour", types.Instant(), nullable=False),
        sa.Column("texts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination_id", "kind", "key", "hour"),
        sqlite_with_rowid=False,
    )
    op.add_column("deliveries", sa.Column("extras", types.Json(), nullable=True))
    op.add_column("deliveries", sa.Column("ask_at", types.Instant(), nullable=True))
    op.add_column("deliveries", sa.Column("looks", sa.Integer(), server_default="0", nullable=False))
    op.add_column("deliveries", sa.Column("twilio_status", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("billed_segments", sa.Integer(), nullable=True))
    op.add_column("deliveries", sa.Column("price", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("price_unit", sa.Text(), nullable=True))
    op.drop_index(op.f("deliveries_due"), table_name="deliveries", sqlite_where=sa.text("status = 'pending'"))
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["destination_id", "not_before", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "deliveries_ask",
        "deliveries",
        ["ask_at"],
        unique=False,
        sqlite_where=sa.text("ask_at IS NOT NULL"),
        postgresql_where=sa.text("ask_at IS NOT NULL"),
    )
    op.create_index(
        "deliveries_in_doubt",
        "deliveries",
        ["to"],
        unique=False,
        sqlite_where=sa.text("status IN ('sending', 'unconfirmed')"),
        postgresql_where=sa.text("status IN ('sending', 'unconfirmed')"),
    )
    op.add_column("persons", sa.Column("trusted", types.Json(), nullable=True))
    op.add_column("requests", sa.Column("trusted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.drop_index("deliveries_open", table_name="deliveries")
    op.create_index(
        "deliveries_open",
        "deliveries",
        ["status"],
        unique=False,
        sqlite_where=sa.text("status IN ('unconfirmed', 'held')"),
        postgresql_where=sa.text("status IN ('unconfirmed', 'held')"),
    )

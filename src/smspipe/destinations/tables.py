"""The registry's tables. A secret lies in one place only, encrypted: never in a document or a version."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint, text

from smspipe.db import Instant, Json, metadata

destinations = Table(
    "destinations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    # The document below is the truth; the columns from here to `deleted` repeat of it what is searched and sorted by.
    Column("type", Text, nullable=False),
    Column("template_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("document", Json, nullable=False),
    Column("secrets", Text),
    Column("paused", Text),
    Column("paused_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("destinations_updated_at", "updated_at"),
)

destination_versions = Table(
    "destination_versions",
    metadata,
    Column("destination_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("document", Json, nullable=False),
    Column("changes", Json, nullable=False),
)

integrations = Table(
    "integrations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("integration_id", Text, nullable=False),
    Column("config", Json, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("kind", "integration_id"),
    # An id once given is never given again: a destination may still name a deleted integration.
    sqlite_autoincrement=True,
)

actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("document", Json, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Pairs name an action by its name: of those that are not deleted only one may have it.
    Index("actions_name", "name", unique=True, sqlite_where=text("NOT deleted"), postgresql_where=text("NOT deleted")),
    # An id once given is never given again: a filter may still name it.
    sqlite_autoincrement=True,
)

projects = Table(
    "projects",
    metadata,
    # One row, number 1, made by the first change.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("test_account_filters", Json, nullable=False),
    Column("test_account_filters_default_checked", Boolean),
    # What all destinations may spend together.
    Column("budget", Json),
    # Whom alarms are told to, and, encrypted, the secret that a webhook's messages are signed with.
    Column("alarms", Json),
    Column("alarm_secret", Text),
    Column("updated_at", Instant, nullable=False),
)

registry_revision = Table(
    "registry_revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
)
"""One row, counted up at every change, so that a running pipeline notices cheaply."""

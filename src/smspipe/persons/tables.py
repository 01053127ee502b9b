"""The tables of this room: persons, the distinct_ids that lead to them, groups and their types."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text

from smspipe.db import Instant, Json, metadata

persons = Table(
    "persons",
    metadata,
    Column("id", Text, primary_key=True),
    Column("properties", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("identified", Boolean, nullable=False),
    # the names of the properties that a trusted event set last, sorted; null for none
    Column("trusted", Json),
    Column("updated_at", Instant, nullable=False),
)

distinct_ids = Table(
    "distinct_ids",
    metadata,
    Column("distinct_id", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False),
)
Index(None, distinct_ids.c.person_id)

group_types = Table(
    "group_types",
    metadata,
    # filters speak of a type by this number, 0 to 4, given in order of appearance and for good
    Column("type_index", Integer, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False, unique=True),
)

groups = Table(
    "groups",
    metadata,
    Column("type_index", Integer, ForeignKey("group_types.type_index"), primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("properties", Json, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

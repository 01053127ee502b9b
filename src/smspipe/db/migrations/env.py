"""How Alembic reaches the database: by the connection that `migrate` hands it, in the transaction that is open."""

from alembic import context

from smspipe.db.types import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can change little of a table in place; Alembic makes a new one and moves the rows.
    render_as_batch=True,
)
context.run_migrations()

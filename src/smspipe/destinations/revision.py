"""The registry's revision: a number that every change counts up, so that who keeps a compiled copy can tell its age."""

from sqlalchemy import Connection, insert, select, update

from smspipe.destinations.tables import registry_revision


def revision(connection: Connection) -> int:
    """Tell the revision; 0 before the first change."""
    return connection.execute(select(registry_revision.c.number)).scalar() or 0


def bump(connection: Connection) -> int:
    """Count the revision up, in the transaction of the change itself, and tell the new one."""
    counted = update(registry_revision).values(number=registry_revision.c.number + 1)
    number: int | None = connection.execute(counted.returning(registry_revision.c.number)).scalar()
    if number is None:
        # On PostgreSQL two first changes at once meet at the primary key, and the later is told to try again.
        connection.execute(insert(registry_revision).values(id=1, number=1))
        return 1
    return number

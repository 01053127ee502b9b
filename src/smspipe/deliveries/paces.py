"""When each sender that has a pace is ready again, kept so that neither a restart nor a second machine forgets it."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from smspipe.deliveries.tables import paces


def read(connection: Connection, senders: Iterable[str]) -> dict[str, datetime]:
    """Give for senders when all that they were given will have left; a sender that has sent nothing is left out."""
    rows = connection.execute(select(paces).where(paces.c.sender.in_(list(senders))).with_for_update())
    return {row.sender: row.ready_at for row in rows}


def write(connection: Connection, ready: Iterable[tuple[str, datetime]]) -> None:
    """Write down when senders are ready again."""
    rows = [{"sender": sender, "ready_at": at} for sender, at in ready]
    if rows:
        statement = insert(paces)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[paces.c.sender], set_={"ready_at": statement.excluded.ready_at}
            ),
            rows,
        )


def forget_ready(connection: Connection, now: datetime) -> None:
    """Delete those that are ready: they are as good as new."""
    connection.execute(delete(paces).where(paces.c.ready_at <= now))

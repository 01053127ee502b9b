"""
Counts of texts to claimed numbers, by the hour: what limits on them are held against.

A count belongs to a destination and a place: a block of numbers, a country, a network, or all new numbers. It is read
in the transaction that adds to it, and on PostgreSQL its row is locked until the end of that one, so that no two
writers let the last text through together.

Refusals are counted here as well, one row for each destination and hour, for whoever raises the alarm.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Insert, Select, bindparam, delete, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from smspipe.db import Hot
from smspipe.deliveries.tables import deliveries, velocity
from smspipe.model.clock import to_micros
from smspipe.model.delivery import Status
from smspipe.model.ids import DestinationId
from smspipe.model.trust import Place, hour_of

REFUSED: Final[Place] = ("refused", "")
KEPT: Final = timedelta(hours=24)
"""How long a count is kept, for those who ask what happened."""
_NAMES: Final = ("destination_id", "kind", "key", "hour", "texts")
_LOOK: Final = 20


def _add(into: sqlite.Insert | postgresql.Insert) -> Insert:
    return into.on_conflict_do_update(
        index_elements=list(velocity.primary_key), set_={"texts": velocity.c.texts + into.excluded.texts}
    )


def _read() -> Select[tuple[int]]:
    return (
        select(velocity.c.texts)
        .where(
            velocity.c.destination_id == bindparam("destination_id"),
            velocity.c.kind == bindparam("kind"),
            velocity.c.key == bindparam("key"),
            velocity.c.hour == bindparam("hour", type_=BigInteger),
        )
        .with_for_update()
    )


def _of_number(*, newest: bool) -> Select[tuple[str]]:
    order = deliveries.c.id.desc() if newest else deliveries.c.id
    return (
        select(deliveries.c.status)
        .where(deliveries.c.to == bindparam("to"))
        .order_by(order)
        .limit(literal_column(str(_LOOK)))
        .offset(literal_column("0"))
    )


_ADD: Final = Hot(_add(sqlite.insert(velocity)), _NAMES, insert=True)
_ADD_THERE: Final = _add(postgresql.insert(velocity))
_MAKE: Final = postgresql.insert(velocity).on_conflict_do_nothing()
_READ: Final = Hot(_read(), _NAMES[:-1])
_NEWEST: Final = Hot(_of_number(newest=True), ("to",))
_OLDEST: Final = Hot(_of_number(newest=False), ("to",))


class Counts:
    """
    The counts that one group of events meets: read when first asked for, written once.

    It lives as long as the transaction that `connection` is in.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._hour = hour_of(now)
        self._known: dict[tuple[DestinationId, Place], int] = {}
        self._new: Counter[tuple[DestinationId, Place]] = Counter()
        self._texted: dict[str, bool] = {}

    def let_through(self, destination: DestinationId, place: Place) -> int:
        """Count this hour's texts at a place, as the events before this one in the group have left them."""
        known = self._known.get((destination, place))
        if known is None:
            known = self._known[destination, place] = self._read(destination, place)
        return known + self._new[destination, place]

    def texted(self, to: str) -> bool:
        """
        Was there ever a text for this recipient, as far back as deliveries are kept?

        Only so many refused texts are looked past, at either end, or a flood of them would make each one dearer than
        the last. A number with more of them at both ends counts as new.
        """
        known = self._texted.get(to)
        if known is None:
            known = self._texted[to] = any(
                status != Status.SUPPRESSED
                for statement in (_NEWEST, _OLDEST)
                for (status,) in statement.read(self._connection, (to,))
            )
        return known

    def add(self, destination: DestinationId, places: Iterable[Place], to: str) -> None:
        """Count a text that is let through, wherever it counts."""
        for place in places:
            self._new[destination, place] += 1
        self._texted[to] = True

    def refuse(self, destination: DestinationId) -> None:
        """Count a text that a limit refused."""
        self._new[destination, REFUSED] += 1

    def write(self) -> None:
        """Write down what was counted."""
        if not self._new:
            return
        if self._connection.dialect.name == "sqlite":
            hour = to_micros(self._hour)
            _ADD.run(self._connection, [(of, *place, hour, n) for (of, place), n in sorted(self._new.items())])
        else:
            self._connection.execute(
                _ADD_THERE, [self._row(of, place, n) for (of, place), n in sorted(self._new.items())]
            )

    def _read(self, destination: DestinationId, place: Place) -> int:
        if self._connection.dialect.name != "sqlite":
            # Only a row that is there can be locked; SQLite has one writer at a time and needs none.
            self._connection.execute(_MAKE, [self._row(destination, place, 0)])
        found = _READ.read(self._connection, (destination, *place, to_micros(self._hour))).fetchone()
        return 0 if found is None else int(found[0])

    def _row(self, destination: DestinationId, place: Place, texts: int) -> dict[str, Any]:
        kind, key = place
        return {"destination_id": destination, "kind": kind, "key": key, "hour": self._hour, "texts": texts}


def refused_since(connection: Connection, since: datetime) -> dict[DestinationId, int]:
    """Count the texts that limits have refused since the hour that `since` is in, by destination."""
    rows = connection.execute(
        select(velocity.c.destination_id, func.sum(velocity.c.texts))
        .where(velocity.c.kind == REFUSED[0], velocity.c.hour >= hour_of(since))
        .group_by(velocity.c.destination_id)
    )
    return {DestinationId(destination): int(n) for destination, n in rows}


def forget_old(connection: Connection, now: datetime) -> None:
    """Delete the counts that nobody asks for any more."""
    connection.execute(delete(velocity).where(velocity.c.hour < now - KEPT))

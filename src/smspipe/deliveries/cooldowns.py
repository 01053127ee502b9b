"""
Cooldown windows: who was let through, and who may come next.

A window begins with the first event of its key and has a fixed length; it never slides. The delivery that is let
through takes the window's place in the same transaction that opens it, and gives it back only when it is certain that
nothing was sent. While that is unknown, the place stays taken.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, and_, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import Insert, insert

from smspipe.db import Hot
from smspipe.deliveries.tables import cooldowns
from smspipe.model.clock import from_micros, to_micros
from smspipe.model.cooldown import Window
from smspipe.model.ids import DeliveryId, DestinationId


def _write_over(into: Insert) -> Insert:
    fresh = {name: into.excluded[name] for name in ("ends_at", "entered", "owner", "vacant")}
    return into.on_conflict_do_update(index_elements=[cooldowns.c.destination_id, cooldowns.c.key], set_=fresh)


# Every text with a cooldown runs these two.
_READ = Hot(
    select(cooldowns.c.ends_at, cooldowns.c.entered, cooldowns.c.owner, cooldowns.c.vacant).where(
        cooldowns.c.destination_id == bindparam("of"),
        cooldowns.c.key == bindparam("by"),
        cooldowns.c.ends_at > bindparam("now", type_=BigInteger),
    ),
    ("of", "by", "now"),
)
_WRITE = Hot(
    _write_over(insert(cooldowns)), ("destination_id", "key", "ends_at", "entered", "owner", "vacant"), insert=True
)


def hash_key(key: str) -> str:
    """Shorten a key for the ledger: a digest, since a key often is a phone number."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=16).hexdigest()


class Book:
    """
    The windows that one group of events meets: read when first asked for, written back once.

    It lives as long as the transaction that `connection` is in.
    """

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._windows: dict[tuple[DestinationId, str], Window] = {}
        self._touched: set[tuple[DestinationId, str]] = set()

    def window(self, destination: DestinationId, key: str, ttl: timedelta) -> Window:
        """Give the window that holds now for a hashed key: the running one, or a new one that nobody has entered."""
        place = (destination, key)
        window = self._windows.get(place)
        if window is None:
            window = read_window(self._connection, destination, key, self._now)
            if window is None:
                window = Window(ends_at=self._now + ttl)
            self._windows[place] = window
        return window

    def enter(self, destination: DestinationId, key: str, owner: DeliveryId | None) -> None:
        """Count one more event in a window that `window` gave; `owner` is its delivery if it was let through."""
        window = self._windows[destination, key]
        window.entered += 1
        if owner is not None:
            window.owner, window.vacant = owner, False
        self._touched.add((destination, key))

    def write(self) -> None:
        """Write what has changed."""
        if not self._touched:
            return
        rows = [(place, self._windows[place]) for place in self._touched]
        _WRITE.run(
            self._connection,
            [(*place, to_micros(each.ends_at), each.entered, each.owner, each.vacant) for place, each in rows],
        )


def read_window(connection: Connection, destination: DestinationId, key: str, now: datetime) -> Window | None:
    """Give the window of a hashed key if it has not ended."""
    row = _READ.read(connection, (destination, key, to_micros(now))).fetchone()
    if row is None:
        return None
    ends_at, entered, owner, vacant = row
    return Window(ends_at=from_micros(ends_at), entered=entered, owner=owner, vacant=bool(vacant))


_OF_OWNER = update(cooldowns).where(
    and_(
        cooldowns.c.destination_id == bindparam("of_destination"),
        cooldowns.c.key == bindparam("of_key"),
        # a later delivery may hold the place by now: then there is nothing to give back, or to take
        cooldowns.c.owner == bindparam("of_owner"),
    )
)


def give_back(connection: Connection, places: Iterable[tuple[DestinationId, str, DeliveryId]]) -> None:
    """Free the places of deliveries of which it is certain that nothing was sent."""
    _set_vacant(connection, places, vacant=True)


def take_back(connection: Connection, places: Iterable[tuple[DestinationId, str, DeliveryId]]) -> None:
    """Let deliveries that are sent after all have their places again, where nobody has come since."""
    _set_vacant(connection, places, vacant=False)


def _set_vacant(
    connection: Connection, places: Iterable[tuple[DestinationId, str, DeliveryId]], *, vacant: bool
) -> None:
    rows = [{"of_destination": destination, "of_key": key, "of_owner": owner} for destination, key, owner in places]
    if rows:
        connection.execute(_OF_OWNER.values(vacant=vacant), rows)


def forget_ended(connection: Connection, now: datetime) -> None:
    """Delete the windows that have ended."""
    connection.execute(delete(cooldowns).where(cooldowns.c.ends_at <= now))

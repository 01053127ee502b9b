"""
Erase a person, or a number, from everything that is kept.

What remains is the keyed hash in the register of opt-outs, which goes on keeping texts away, and counts: the rows of
deliveries without number, words and person, so that a repeated event leads to no second text. What is erased is
overwritten in the file too, and the file is searched in the end.

It may be repeated, and finds then what came meanwhile. It runs beside the live traffic in short steps, but for the
last: when something is still found in the file, the file is written anew, and events wait for that.
"""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import structlog
from sqlalchemy import Connection

from smspipe import eventlog, optouts, persons
from smspipe.capture.blotting import blot
from smspipe.db import Database, Writer
from smspipe.db.engine import as_fault, driver_of
from smspipe.deliveries import keeping, ledger
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.states import Move
from smspipe.model.delivery import Delivery, Status
from smspipe.model.event import Payload
from smspipe.model.ids import DeliveryId, PersonId
from smspipe.model.outcome import Reason
from smspipe.optouts import Hasher
from smspipe.persons import erasing

log = structlog.get_logger("smspipe.erase")

T = TypeVar("T")
_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 4 * 2**20
_PIECE: Final = 8 * 2**20
_NOT_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))
_SEPARATORS: Final = str.maketrans("", "", " .-()/\u00a0")
_SHORTEST_SOUGHT: Final = 8
"""A distinct_id shorter than this may be something else, but where it stands under one of `_NAMES`."""
_NAMES: Final = frozenset({"distinct_id", "$distinct_id", "$anon_distinct_id", "alias", "$user_id", "$device_id", "id"})
_LONGEST_NUMBER: Final = 40
_TRIES: Final = 50
"""Tenths of a second that a checkpoint waits for those who read."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to erase."""

    number: str | None = None
    """E.164."""
    distinct_ids: frozenset[str] = frozenset()
    persons: frozenset[PersonId] = frozenset()


class Erased(msgspec.Struct, kw_only=True):
    """What was erased, in numbers."""

    persons: int = 0
    profiles_changed: int = 0
    """Other persons and groups, whose properties held the number."""
    events: int = 0
    deliveries: int = 0
    in_doubt: int = 0
    """Texts of which it is not known yet whether they were sent: erase again once it is."""
    opt_outs: int = 0
    """Opt-outs that go on counting, of which only a keyed hash is left."""
    file_rewritten: bool = False
    still_found: bool = False
    """The number, or a distinct_id, still stands in the file: in a destination's own settings, mostly."""


class Sought:
    """Says whether a value holds what is to be erased."""

    def __init__(self, target: Target, read: Callable[[str], str | None]) -> None:
        self._target = target
        self._read = read
        self._digits = (target.number or "").lstrip("+")
        self._alone = re.compile(rf"(?<!\d){self._digits}(?!\d)")

    def holds(self, value: Any, key: str = "") -> bool:
        """Look through a JSON value at every depth; `key` is the name that it has."""
        if isinstance(value, str):
            return self._is_meant(value, key)
        if isinstance(value, dict):
            return any(self._is_meant(name, "") or self.holds(each, name) for name, each in value.items())
        if isinstance(value, list):
            return any(self.holds(each, key) for each in value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._is_meant(str(value), key)
        return False

    def may_be_in(self, text: bytes) -> bool:
        """Rule a JSON text out at a glance, or not."""
        if self._digits and self._digits[-7:].encode() in text.translate(None, _NOT_DIGITS):
            return True
        return any(b"\\" in text or each.encode("utf-8", "replace") in text for each in self._target.distinct_ids)

    def _is_meant(self, text: str, key: str) -> bool:
        if text in self._target.distinct_ids and (key in _NAMES or len(text) >= _SHORTEST_SOUGHT):
            return True
        if not self._digits or self._digits[-7:] not in _digits_of(text):
            return False
        if self._alone.search(text.translate(_SEPARATORS)):
            return True
        return len(text) <= _LONGEST_NUMBER and self._read(text) == self._target.number


class Eraser:
    """Erases; one at a time."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        hasher: Hasher,
        clock: Callable[[], datetime],
        forget: Callable[[], None],
        settled: Callable[[Delivery], None],
        read_number: Callable[[str], str | None],
    ) -> None:
        """
        Prepare.

        Args:
            database: everything is looked through in it.
            writer: who erases.
            hasher: of the register of opt-outs.
            clock: what time it is.
            forget: called in the writer's thread: whoever keeps profiles or events in memory reads them anew.
            settled: told of each text that waited and is not sent any more.
            read_number: makes a number as people write it E.164, None of what is none.
        """
        self._database = database
        self._writer = writer
        self._hasher = hasher
        self._clock = clock
        self._forget = forget
        self._settled = settled
        self._read_number = read_number
        self._turn = asyncio.Lock()

    async def find(self, number: str | None, who: str | None) -> Target:
        """
        Say who is meant by a number, or by a distinct_id or person's id: nothing is changed.

        A number means the persons whose profile holds it.
        """
        return await self._read(partial(self._find, number=number, who=who))

    async def erase(self, target: Target, *, keep_persons: bool = False) -> Erased:
        """
        Erase, and give what it was.

        Args:
            target: from `find`.
            keep_persons: of a number: the persons stay, without the properties that hold it.
        """
        async with self._turn:
            if keep_persons:
                target = Target(number=target.number)
            done, sought = Erased(), Sought(target, self._read_number)
            done.persons = await self._write(partial(self._erase_persons, ids=list(target.persons)))
            await self._erase_profiles(done, sought)
            await self._erase_events(done, sought)
            numbers = await self._erase_deliveries(done, target, sought)
            hashes = [self._hasher(each) for each in sorted(numbers)]
            done.opt_outs = await self._write(
                lambda connection: sum(optouts.erase(connection, each) for each in hashes)
            )
            await asyncio.to_thread(self._scrub, done, target, numbers)
        log.warning("person_erased", **msgspec.structs.asdict(done))
        return done

    def _erase_persons(self, connection: Connection, ids: Sequence[PersonId]) -> int:
        self._forget()
        return erasing.erase_persons(connection, ids)

    async def _erase_profiles(self, done: Erased, sought: Sought) -> None:
        now = self._clock()

        def look(connection: Connection) -> tuple[list[PersonId], list[tuple[int, str]]]:
            return (
                [id_ for id_, properties in erasing.scan_persons(connection) if sought.holds(properties)],
                [(i, key) for i, key, properties in erasing.scan_groups(connection) if sought.holds(properties)],
            )

        found, groups = await self._read(look)

        def change(connection: Connection) -> int:
            self._forget()
            return sum(erasing.erase_properties(connection, each, sought.holds, now) for each in found) + sum(
                erasing.erase_group_properties(connection, index, key, sought.holds, now) for index, key in groups
            )

        if found or groups:
            done.profiles_changed = await self._write(change)

    async def _erase_events(self, done: Erased, sought: Sought) -> None:
        """Go through the whole log, and blot out what is meant; also what has not been decided on yet."""
        at = 0
        while pieces := await self._read(
            partial(eventlog.read_from, after=at, most=_AT_ONCE, most_bytes=_BYTES_AT_ONCE)
        ):
            at = pieces[-1][0]
            blotted = await asyncio.to_thread(_blot_all, pieces, sought)
            if blotted:
                done.events += await self._write(partial(self._rewrite, blotted=blotted))

    def _rewrite(self, connection: Connection, blotted: Sequence[tuple[int, bytes, bytes, int]]) -> int:
        self._forget()
        return sum(n for position, before, body, n in blotted if eventlog.rewrite(connection, position, before, body))

    async def _erase_deliveries(self, done: Erased, target: Target, sought: Sought) -> set[str]:
        """Go through the whole ledger; give the numbers that were texted."""
        numbers = {target.number} if target.number is not None else set()
        after: DeliveryId = keeping.FIRST
        while piece := await self._read(partial(keeping.read_from, after=after, most=_AT_ONCE)):
            after = piece[-1].id
            mine = [each for each in piece if _is_mine(each, target)]
            numbers |= {each.to for each in mine if each.to is not None and each.distinct_id in target.distinct_ids}
            others = [each for each in piece if each not in mine and sought.holds(_words(each))]
            if mine or others:
                done.deliveries += await self._write(partial(self._erase_piece, mine=mine, others=others, done=done))
        return numbers

    def _erase_piece(
        self, connection: Connection, mine: Sequence[Delivery], others: Sequence[Delivery], done: Erased
    ) -> int:
        now = self._clock()
        waiting = [each for each in mine if each.status in (Status.PENDING, Status.HELD)]
        moves = [Settlement(delivery=each, move=Move.SUPPRESS, at=now, reason=Reason.ERASED) for each in waiting]
        ledger.settle(connection, moves)
        done.in_doubt += sum(each.status in keeping.IN_DOUBT for each in mine)
        keeping.forget_mentions(connection, [each.id for each in others])
        erased = keeping.erase(connection, [each.id for each in mine])
        for each in waiting:
            self._settled(each)
        return erased

    def _scrub(self, done: Erased, target: Target, numbers: Iterable[str]) -> None:
        """Empty the journal, search the file, and write it anew if anything is found."""
        path = self._database.engine.url.database
        if not self._database.embedded or not path or path == ":memory:":
            return
        words = [each.lstrip("+").encode() for each in numbers]
        words += [each.encode() for each in target.distinct_ids if len(each) >= _SHORTEST_SOUGHT]
        self._checkpoint()
        if _stands_in(Path(path), words):
            self._alone("vacuum")
            self._checkpoint()
            done.file_rewritten = True
            done.still_found = _stands_in(Path(path), words)

    def _checkpoint(self) -> None:
        """Bring the journal into the file and cut it off, as soon as nobody reads what is in it."""
        for _ in range(_TRIES):
            ((busy, _, _),) = self._alone("pragma wal_checkpoint(truncate)")
            if not busy:
                return
            time.sleep(0.1)

    def _alone(self, statement: str) -> list[Any]:
        with self._database.engine.connect() as connection:
            driver = driver_of(connection)
            driver.execute("pragma busy_timeout=60000")
            try:
                found: list[Any] = driver.execute(statement).fetchall()
                return found
            except sqlite3.Error as error:
                raise as_fault(error) from error
            finally:
                driver.execute("pragma busy_timeout=5000")

    def _find(self, connection: Connection, number: str | None, who: str | None) -> Target:
        found: set[PersonId] = set()
        ids: set[str] = set()
        if who is not None:
            ids.add(who)
            person = persons.find(connection, who)
            if person is not None:
                found.add(person.id)
        if number is not None:
            sought = Sought(Target(number=number), self._read_number)
            found |= {id_ for id_, properties in erasing.scan_persons(connection) if sought.holds(properties)}
        for each in found:
            ids.update(persons.distinct_ids_of(connection, each))
        return Target(number=number, distinct_ids=frozenset(ids), persons=frozenset(found))

    async def _read(self, ask: Callable[[Connection], T]) -> T:
        def read() -> T:
            with self._database.read() as connection:
                return ask(connection)

        return await asyncio.to_thread(read)

    async def _write(self, job: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._writer.run_job(job))


def _blot_all(pieces: Sequence[tuple[int, Payload]], sought: Sought) -> list[tuple[int, bytes, bytes, int]]:
    """Give position, old body, new body and the number of erased events of every request that changes."""
    found = []
    for position, payload in pieces:
        if not sought.may_be_in(payload.body):
            continue
        body, n = blot(payload, sought.holds)
        if n:
            found.append((position, payload.body, body, n))
    return found


def _digits_of(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _is_mine(each: Delivery, target: Target) -> bool:
    return each.distinct_id in target.distinct_ids or (target.number is not None and _is_number(each.to, target.number))


def _is_number(to: str | None, number: str) -> bool:
    """Say whether a text went to a number, on whatever channel."""
    return to is not None and to.rpartition(":")[2] == number


def _words(each: Delivery) -> list[Any]:
    return [each.body, each.error_message, *(msgspec.to_builtins(step) for step in each.steps),
            None if each.extras is None else msgspec.to_builtins(each.extras)]  # fmt: skip


def _stands_in(path: Path, words: Sequence[bytes]) -> bool:
    """Search a file and its journal for bytes."""
    longest = max(map(len, words), default=0)
    for file in (path, Path(f"{path}-wal")):
        if not file.exists():
            continue
        with file.open("rb") as read:
            tail = b""
            while piece := read.read(_PIECE):
                tail += piece
                if any(word in tail for word in words):
                    return True
                tail = tail[-longest:] if longest else b""
    return False

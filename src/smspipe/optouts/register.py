"""
The register: who gets no texts from whom, kept for a sender, a messaging service or everywhere.

A text may leave when none of the recipient's opt-outs has its sender's scope, or all senders'. An answer to one number
of a messaging service counts for the service, as at Twilio, and for that number by itself; both are taken back by a
START to any number of the service. An opt-out everywhere is ended only by whoever can write it down: a START to one
sender does not speak for the others.

Consent fails closed: when the register cannot be read, the question raises, and nothing is sent.

Source: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, literal_column, or_, select, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from smspipe.db import Hot
from smspipe.db.engine import as_fault
from smspipe.model.clock import to_micros
from smspipe.model.phone import E164
from smspipe.optouts.entries import EVERYWHERE, Action, Heard, New, OptOut, Source, scope_of
from smspipe.optouts.hashing import Hasher
from smspipe.optouts.tables import opt_out_history, opt_outs

_encode = msgspec.json.Encoder().encode
_FAULTS: Final = (sqlite3.Error, SQLAlchemyError)
"""What the driver raises, and what SQLAlchemy raises when it has none."""

# One list as one value, so that the statement's text does not change with its length.
_WANTED: Final = select(func.json_each(bindparam("wanted")).table_valued("value").c.value)
_SCOPES = Hot(select(opt_outs.c.number_hash, opt_outs.c.scope).where(opt_outs.c.number_hash.in_(_WANTED)), ("wanted",))
_ANY = Hot(select(opt_outs.c.id).limit(literal_column("1")).offset(literal_column("0")), ())
_ROW: Final = ("number_hash", "scope", "number", "service", "since", "source", "who", "why", "keyword")
_PUT = Hot(insert(opt_outs), _ROW, insert=True)
_LINE: Final = ("number_hash", "scope", "action", "at", "source", "who", "why", "keyword", "message_sid")
_NOTE = Hot(insert(opt_out_history), _LINE, insert=True)


def opted_out(connection: Connection, hasher: Hasher, pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """
    Say which of some (number, sender) pairs no text may go to, in one statement for all of them.

    Ask it in the transaction that claims the deliveries: what was recorded before is seen then, and what comes later
    comes after the request was written down as leaving.

    Args:
        connection: in a transaction.
        hasher: the register's.
        pairs: numbers in E.164 with the sender of each text: a number, short code, name or messaging service.

    Raises:
        Temporary: the register could not be read now.
        Permanent: it never will be, as it is: its key is lost.
    """
    hashed = {pair: hasher(pair[0]) for pair in pairs}
    if not hashed:
        return set()
    found = _scopes(connection, hashed.values())
    if not found:
        return set()
    return {
        pair
        for pair, number_hash in hashed.items()
        if (number_hash, scope_of(pair[1])) in found or (number_hash, EVERYWHERE) in found
    }


def is_empty(connection: Connection) -> bool:
    """
    Say whether nobody has opted out of anything: exact for the transaction it is asked in, and for no other.

    Raises:
        Temporary: the register could not be read now.
    """
    try:
        return _ANY.read(connection).fetchone() is None
    except _FAULTS as error:
        raise as_fault(error) from error


def _scopes(connection: Connection, hashes: Iterable[str]) -> set[tuple[str, str]]:
    try:
        return set(_SCOPES.read(connection, (_encode([*hashes]).decode(),)))
    except _FAULTS as error:
        raise as_fault(error) from error


def add(connection: Connection, hasher: Hasher, new: New, *, now: datetime) -> bool:
    """Write one opt-out down; False if it was there, and stays as it was. As `add_many`."""
    return add_many(connection, hasher, [new], now=now) == 1


def add_many(connection: Connection, hasher: Hasher, news: Sequence[New], *, now: datetime) -> int:
    """
    Write opt-outs down, and give how many were not there.

    One that is there keeps its beginning, its source and who wrote it down; a keyword is kept as the last one. A number
    that was erased stays so. The history gets a line for each that is new, and for every incoming text.

    Raises:
        Permanent: the register's key is lost.
        Temporary: the register could not be written.
    """
    named = {(new.number_hash or hasher(new.number or ""), scope_of(new.scope)): new for new in reversed(news)}
    known = _scopes(connection, [number_hash for number_hash, _ in named])
    at = to_micros(now)
    rows, lines = [], []
    for (number_hash, scope), new in reversed(named.items()):
        since = at if new.since is None else to_micros(new.since)
        service = None if new.service is None else scope_of(new.service)
        said = (new.source, new.who, new.why, new.keyword)
        is_known = (number_hash, scope) in known
        if not is_known:
            rows.append((number_hash, scope, new.number, service, since, *said))
        elif new.keyword is not None:
            _note_keyword(connection, number_hash, scope, new.keyword, service)
        if not is_known or new.message_sid is not None:
            lines.append((number_hash, scope, Action.OPT_OUT, at, *said, new.message_sid))
    _write(connection, _PUT, rows)
    _write(connection, _NOTE, lines)
    return len(rows)


def _note_keyword(connection: Connection, number_hash: str, scope: str, keyword: str, service: str | None) -> None:
    """Keep the last keyword, and the service, which may have been made since the first."""
    values = {"keyword": keyword} if service is None else {"keyword": keyword, "service": service}
    same = (opt_outs.c.number_hash == number_hash, opt_outs.c.scope == scope)
    connection.execute(update(opt_outs).where(*same).values(values))


def _write(connection: Connection, statement: Hot, rows: Sequence[tuple[Any, ...]]) -> None:
    try:
        statement.run(connection, rows)
    except _FAULTS as error:
        raise as_fault(error) from error


def remove(
    connection: Connection,
    number_hash: str,
    *,
    scope: str | None,
    source: Source,
    now: datetime,
    service: str | None = None,
    who: str | None = None,
    why: str | None = None,
    keyword: str | None = None,
    message_sid: str | None = None,
) -> list[OptOut]:
    """
    End opt-outs of a number, and give those that ended. The history keeps who ended them and why.

    Args:
        connection: in a transaction that writes.
        number_hash: the number, hashed.
        scope: the sender that may text again, or `*` for the opt-out everywhere; None ends all that there are.
        source: where it is known from.
        now: the instant it ends.
        service: the messaging service that a START came through: what was opted out of through it ends as well.
        who: who ended it.
        why: the reason, in words.
        keyword: the word that the person wrote.
        message_sid: the incoming text; it gets a line in the history even if nothing ended.
    """
    meant = [opt_outs.c.number_hash == number_hash]
    if scope is not None and service is None:
        meant.append(opt_outs.c.scope == scope_of(scope))
    elif scope is not None and service is not None:
        through = scope_of(service)
        meant.append(or_(opt_outs.c.scope.in_((scope_of(scope), through)), opt_outs.c.service == through))
    ended = connection.execute(delete(opt_outs).where(*meant).returning(opt_outs)).mappings()
    gone = sorted((to_opt_out(row) for row in ended), key=lambda each: each.id)
    scopes = [each.scope for each in gone]
    if message_sid is not None and scope is not None and scope_of(scope) not in scopes:
        scopes.append(scope_of(scope))
    said = (Action.OPT_IN, to_micros(now), source, who, why, keyword, message_sid)
    _write(connection, _NOTE, [(number_hash, each, *said) for each in scopes])
    return gone


def is_heard(connection: Connection, message_sid: str) -> bool:
    """Has this incoming text been heeded already? Twilio may deliver a webhook again."""
    line = select(opt_out_history.c.id).where(opt_out_history.c.message_sid == message_sid).limit(1)
    return connection.scalar(line) is not None


def erase(connection: Connection, number_hash: str) -> int:
    """
    Forget a number and everything that was noted about it but what keeps texts away: hash, scope, since and source.

    Gives how many opt-outs there are for it, which go on counting.
    """
    connection.execute(delete(opt_out_history).where(opt_out_history.c.number_hash == number_hash))
    blank: dict[str, None] = dict.fromkeys(("number", "who", "why", "keyword"))
    return connection.execute(update(opt_outs).where(opt_outs.c.number_hash == number_hash).values(blank)).rowcount


# ---- reading -----------------------------------------------------------------------------------------


def get(connection: Connection, number_hash: str) -> list[OptOut]:
    """Read a number's opt-outs, the oldest entry first."""
    mine = select(opt_outs).where(opt_outs.c.number_hash == number_hash).order_by(opt_outs.c.id)
    return [to_opt_out(row) for row in connection.execute(mine).mappings()]


def history_of(connection: Connection, number_hash: str) -> list[Heard]:
    """Read what happened to a number, in the order in which it was written down."""
    told = opt_out_history.c
    mine = select(*(told[name] for name in Heard.__struct_fields__)).where(told.number_hash == number_hash)
    return [
        Heard(**{**row, "action": Action(row["action"]), "source": Source(row["source"])})
        for row in connection.execute(mine.order_by(told.id)).mappings()
    ]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which opt-outs to list; None leaves a condition out."""

    number_hash: str | None = None
    scope: str | None = None
    search: str | None = None
    """A part of a number, of who wrote it down, or of why."""


def list_opt_outs(
    connection: Connection,
    query: Query,
    *,
    limit: int,
    older_than: int | None = None,
    newer_than: int | None = None,
) -> list[OptOut]:
    """
    List opt-outs, those written down last first; an id is a cursor.

    `older_than` gives the next page behind an id, `newer_than` the page just before one; from 0 on it gives the oldest.
    """
    chosen = select(opt_outs).where(*_conditions(query))
    if older_than is not None:
        chosen = chosen.where(opt_outs.c.id < older_than)
    if newer_than is not None:
        chosen = chosen.where(opt_outs.c.id > newer_than).order_by(opt_outs.c.id).limit(limit)
        return [to_opt_out(row) for row in connection.execute(chosen).mappings()][::-1]
    newest = chosen.order_by(opt_outs.c.id.desc()).limit(limit)
    return [to_opt_out(row) for row in connection.execute(newest).mappings()]


def _conditions(query: Query) -> list[Any]:
    wanted: list[Any] = []
    if query.number_hash is not None:
        wanted.append(opt_outs.c.number_hash == query.number_hash)
    if query.scope is not None:
        wanted.append(opt_outs.c.scope == scope_of(query.scope))
    if query.search is not None:
        parts = [opt_outs.c[name].icontains(query.search, autoescape=True) for name in ("number", "who", "why")]
        wanted.append(or_(*parts))
    return wanted


def to_opt_out(row: RowMapping | Mapping[str, Any]) -> OptOut:
    """Make a value of a row."""
    values = dict(row)
    number = values.pop("number")
    return OptOut(**{**values, "source": Source(values["source"])}, number=None if number is None else E164(number))

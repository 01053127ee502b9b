"""Doors to the register of opt-outs: who gets no texts, who said so, and files in and out."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream
from sqlalchemy import Connection

from smspipe.model.clock import to_iso
from smspipe.model.errors import Invalid
from smspipe.model.phone import E164
from smspipe.optouts import EVERYWHERE, New, OptOut, Query, Source, register
from smspipe.optouts.csvfile import Mistake, read_csv, read_sender, read_text, write_csv
from smspipe.web.problems import PROBLEMS, AnyRequest
from smspipe.web.queries import MOST, Cursor, CursorPage, cursor_page, read_count, read_cursor, read_flag
from smspipe.web.services import Services

BY_KEY: Final = "API key"
"""Who it was, when nobody says."""
MISTAKES_SHOWN: Final = 100
_IN_ONE_COMMIT: Final = 1000
_HASH = re.compile(r"[0-9a-f]{64}")
_CSV: Final = ("text/csv", "text/plain")


class OptOutInList(msgspec.Struct, frozen=True, kw_only=True):
    """One number that gets no texts from one sender."""

    id: int
    number: str | None
    """None after it was erased; it gets no texts all the same."""
    number_hash: str
    sender: str
    """A number, short code, name or messaging service; `*` for all."""
    service: str | None
    """The messaging service that the person answered to."""
    since: str
    source: Source
    who: str | None
    why: str | None
    keyword: str | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a number's history."""

    action: str
    """`opt_out` or `opt_in`."""
    sender: str
    at: str
    source: Source
    who: str | None
    why: str | None
    keyword: str | None
    message_sid: str | None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the register has of one number."""

    number: str | None
    number_hash: str
    opt_outs: list[OptOutInList]
    history: list[Event]


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """The opt-outs that ended."""

    removed: list[OptOutInList]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file."""

    rows: int
    added: int
    known: int
    """Rows that the register had already."""
    written: bool
    """False when nothing was to be written, or nothing was because of a mistake."""
    mistakes: list[Mistake]
    """The first hundred."""
    mistakes_total: int


def show(entry: OptOut) -> OptOutInList:
    """Write an opt-out for an answer."""
    return OptOutInList(
        id=entry.id, number=entry.number, number_hash=entry.number_hash, sender=entry.scope, service=entry.service,
        since=to_iso(entry.since), source=entry.source, who=entry.who, why=entry.why, keyword=entry.keyword,
    )  # fmt: skip


@get("/opt_outs", sync_to_thread=True, operation_id="list_opt_outs", responses=PROBLEMS)
def list_opt_outs(
    services: NamedDependency[Services],
    request: AnyRequest,
    number: FromQuery[str | None] = None,
    sender: FromQuery[str | None] = None,
    search: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[str | None] = None,
) -> CursorPage[OptOutInList]:
    """List opt-outs, those written down last first; `search` finds a part of a number, of who, or of why."""
    query = Query(
        number_hash=_hash_of(services, number)[1] if number else None,
        scope=read_sender(_with_plus(sender)) if sender else None,
        search=search or None,
    )
    most = read_count(limit, "limit", default=100, least=1, most=MOST)
    place = read_cursor(cursor)
    at = None if place is None else _read_place(place)
    backwards = place is not None and not place.older
    with services.database.read() as connection:
        found = register.list_opt_outs(
            connection,
            query,
            limit=most + 1,
            older_than=None if backwards else at,
            newer_than=at if backwards else None,
        )
    return cursor_page(request, found, most, place, show)


def _read_place(place: Cursor) -> int:
    if not (place.id.isascii() and place.id.isdecimal() and len(place.id) < 19):
        raise Invalid("Invalid cursor", field="cursor")
    return int(place.id)


@post("/opt_outs", operation_id="add_opt_out", responses=PROBLEMS)
async def add_opt_out(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> Response[OptOutInList]:
    """
    Write an opt-out down: `number`, and `sender`, `who`, `why` if wished; without a sender it is for all of them.

    One that is there is answered with 200 and stays as it was.
    """
    _check_keys(data, ("number", "sender", "who", "why"))
    new = New(
        number=services.read_number(_required(data, "number")),
        scope=read_sender(_text(data, "sender") or EVERYWHERE),
        source=Source.PERSON,
        who=_text(data, "who") or BY_KEY,
        why=_text(data, "why"),
    )
    now = services.clock()

    def job(connection: Connection) -> tuple[bool, OptOut]:
        is_new = register.add(connection, services.hasher, new, now=now)
        found = register.get(connection, services.hasher(new.number or ""))
        return is_new, next(each for each in found if each.scope == new.scope)

    is_new, entry = await asyncio.wrap_future(services.writer.run_job(job))
    return Response(show(entry), status_code=201 if is_new else 200)


@post("/opt_outs/remove", status_code=200, operation_id="remove_opt_out", responses=PROBLEMS)
async def remove_opt_out(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> Removed:
    """
    End a number's opt-outs: `number`, `why`, and `sender`, `who` if wished; without a sender all of them.

    The history keeps who and why. Twilio keeps a list of its own, which only the person's START changes.
    """
    _check_keys(data, ("number", "sender", "who", "why"))
    _, number_hash = _hash_of(services, _required(data, "number"))
    sender, who = _text(data, "sender"), _text(data, "who") or BY_KEY
    scope = None if sender is None else read_sender(sender)
    why, now = _required(data, "why"), services.clock()

    def job(connection: Connection) -> list[OptOut]:
        return register.remove(connection, number_hash, scope=scope, source=Source.PERSON, who=who, why=why, now=now)

    gone = await asyncio.wrap_future(services.writer.run_job(job))
    return Removed(removed=[show(each) for each in gone])


@get("/opt_outs/{number:str}", sync_to_thread=True, operation_id="get_opt_outs", responses=PROBLEMS)
def get_number(services: NamedDependency[Services], number: FromPath[str]) -> State:
    """Read what the register has of one number (or of its hash, when it was erased), and its history."""
    read, number_hash = _hash_of(services, number)
    with services.database.read() as connection:
        found = register.get(connection, number_hash)
        told = register.history_of(connection, number_hash)
    return State(
        number=read,
        number_hash=number_hash,
        opt_outs=[show(each) for each in found],
        history=[
            Event(
                action=each.action, sender=each.scope, at=to_iso(each.at), source=each.source, who=each.who,
                why=each.why, keyword=each.keyword, message_sid=each.message_sid,
            )
            for each in told
        ],
    )  # fmt: skip


# ---- files -------------------------------------------------------------------------------------------


@get("/opt_outs/export.csv", sync_to_thread=False, operation_id="export_opt_outs", responses=PROBLEMS)
def export_opt_outs(services: NamedDependency[Services]) -> Stream:
    """Give the whole register as CSV, in the order in which it was written down."""
    headers = {"Content-Disposition": 'attachment; filename="opt_outs.csv"'}
    return Stream(_write_chunks(services), media_type="text/csv; charset=utf-8", headers=headers)


def _write_chunks(services: Services) -> Iterator[str]:
    """Write a thousand at a time, each in a transaction of its own: a slow reader must not hold one open."""
    yield write_csv([])
    last = 0
    while True:
        with services.database.read() as connection:
            found = register.list_opt_outs(connection, Query(), limit=_IN_ONE_COMMIT, newer_than=last)[::-1]
        if not found:
            return
        last = found[-1].id
        yield write_csv(found, head=False)


@post("/opt_outs/import", status_code=200, operation_id="import_opt_outs", responses=PROBLEMS)
async def import_opt_outs(
    services: NamedDependency[Services],
    request: AnyRequest,
    sender: FromQuery[str | None] = None,
    who: FromQuery[str | None] = None,
    why: FromQuery[str | None] = None,
    all_or_nothing: FromQuery[str | None] = None,
    check: FromQuery[str | None] = None,
    skipped: FromQuery[str | None] = None,
) -> Imported:
    """
    Write down the opt-outs of a CSV file, or of a list of numbers, one a line.

    Rows with a mistake are named and left out, the others are written; with `all_or_nothing=true` one mistake keeps all
    of them out. `check=true` only looks for mistakes. Doing it again changes nothing. `sender`, `who` and `why` are for
    rows that have none; `skipped` says how many lines of the file are left out in front of a part of it.
    """
    text = _decode(request, await request.body())
    strict, only_look = read_flag(all_or_nothing, "all_or_nothing"), read_flag(check, "check")
    rows = read_csv(
        text,
        services.read_number,
        sender=read_sender(_with_plus(sender)) if sender else EVERYWHERE,
        who=read_text(who, "who") or BY_KEY,
        why=read_text(why, "why"),
        skipped=read_count(skipped, "skipped", default=0),
    )
    # In a thread: a hundred thousand numbers take seconds, and capture goes on meanwhile.
    found = await asyncio.to_thread(list, rows)
    news = [each for each in found if isinstance(each, New)]
    mistakes = [each for each in found if isinstance(each, Mistake)]
    written = not only_look and not (strict and mistakes)
    added = await _write_down(services, news) if written else 0
    return Imported(
        rows=len(found),
        added=added,
        known=len(news) - added if written else 0,
        written=written,
        mistakes=mistakes[:MISTAKES_SHOWN],
        mistakes_total=len(mistakes),
    )


async def _write_down(services: Services, news: Sequence[New]) -> int:
    """Write many, a thousand a commit, so that events need not wait for all of them."""
    now, added = services.clock(), 0
    for at in range(0, len(news), _IN_ONE_COMMIT):
        piece = news[at : at + _IN_ONE_COMMIT]

        def job(connection: Connection, piece: Sequence[New] = piece) -> int:
            return register.add_many(connection, services.hasher, piece, now=now)

        added += await asyncio.wrap_future(services.writer.run_job(job))
    return added


def _decode(request: AnyRequest, body: bytes) -> str:
    if request.content_type[0] not in _CSV:
        hint = "Send the file as it is, with Content-Type: text/csv; curl does with --data-binary @opt_outs.csv."
        raise Invalid("The body must be a CSV file.", hint=hint)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("The file is not in UTF-8.", hint="Save it as CSV UTF-8.") from None


# ---- reading what was given --------------------------------------------------------------------------


def _hash_of(services: Services, text: str) -> tuple[E164 | None, str]:
    """Read a number, or the hash of one that was erased."""
    if _HASH.fullmatch(text):
        return None, text
    number = services.read_number(_with_plus(text))
    return number, services.hasher(number)


def _with_plus(text: str) -> str:
    """An unescaped plus in an address is a space; neither number nor sender begins with one."""
    return "+" + text[1:] if text.startswith(" ") else text


def _check_keys(data: dict[str, Any], known: Sequence[str]) -> None:
    for key in data:
        if key not in known:
            raise Invalid(f"There is no field {key[:40]!r}.", field=key[:40], hint=f"There are {', '.join(known)}.")


def _text(data: dict[str, Any], field: str) -> str | None:
    given = data.get(field)
    if given is not None and not isinstance(given, str):
        raise Invalid("Not a valid string.", field=field)
    return read_text(given, field)


def _required(data: dict[str, Any], field: str) -> str:
    text = _text(data, field)
    if text is None:
        raise Invalid("This field is required.", field=field)
    return text


HANDLERS: Final = (
    list_opt_outs,
    add_opt_out,
    remove_opt_out,
    export_opt_outs,
    import_opt_outs,
    get_number,
)

"""The door through which deliveries get another try: first how many, then, if that still fits, doing it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlalchemy import Connection

from smspipe import destinations, optouts
from smspipe.deliveries import redrive
from smspipe.deliveries.queries import Query
from smspipe.deliveries.redrive import Candidate, Judge, LeftAlone, Outlook, Wish
from smspipe.model.clock import to_iso
from smspipe.model.delivery import Status
from smspipe.model.errors import Invalid
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid
from smspipe.model.outcome import Reason
from smspipe.optouts.csvfile import read_text
from smspipe.pipeline.prepare import obstacle
from smspipe.web.deliveries import read_word
from smspipe.web.problems import PROBLEMS
from smspipe.web.queries import MOST, read_instant
from smspipe.web.services import Services

REDRIVEN_FOR: Final = timedelta(hours=24)
"""How long a delivery that gets another try may still be sent."""
_FIELDS: Final = ("ids", "filter", "dry_run", "expected", "as_of", "cursor", "limit", "force", "why")
_FILTERS: Final = (
    "destination", "status", "reason", "error_code", "to", "event_uuid", "distinct_id", "after", "before",
)  # fmt: skip


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the texts stand where."""

    status: Status
    reason: Reason | None
    texts: int


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a redrive would do."""

    would_send: int
    segments: int
    recipients: int
    counts: list[Standing]
    """The texts by where they stand now, the most first."""
    left_alone: dict[LeftAlone, int]
    as_of: str | None
    """What changes after this instant is left alone; give it back with `expected`. None where ids were given."""


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries get another try."""

    redriven: int
    cursor: str | msgspec.UnsetType | None = msgspec.UNSET
    """Where to go on, None when all had their turn; only where a filter chose."""


@post("/deliveries/redrive", status_code=200, operation_id="redrive_deliveries", responses=PROBLEMS)
async def redrive_deliveries(
    services: NamedDependency[Services], data: JSONBody[dict[str, Any]]
) -> Forecast | Redriven:
    """
    Give failed and held deliveries another try: those of `ids` (500 at most), or those that a `filter` means.

    With `dry_run` nothing is changed, and the answer says how many texts would be sent and how many are left alone for
    which reason. With a filter that count must come back as `expected`, with its `as_of`: if another number would be
    sent by now, nothing is. What may have been sent is left alone unless `force` is true and `why` says a reason.
    """
    wish, why = _read_wish(data, services.clock())
    if data.get("dry_run", False) is not False:
        if data["dry_run"] is not True:
            raise Invalid("Must be a valid boolean.", field="dry_run")
        return _show(await asyncio.to_thread(_look, services, wish), wish.as_of)
    if wish.ids is not None:
        made = await _redrive_ids(services, wish, why, _read_number(data, "expected"))
    else:
        made = await _redrive_filter(services, wish, why, data)
    if made.redriven:
        services.wake()
    return made


async def _redrive_ids(services: Services, wish: Wish, why: str | None, expected: int | None) -> Redriven:
    judge = await asyncio.to_thread(_judge, services)

    def job(connection: Connection) -> int:
        if expected is not None:
            _must_fit(redrive.look_ahead(connection, wish, judge).texts, expected)
        now = services.clock()
        return redrive.redrive_all(connection, wish, judge, now=now, expires_at=now + REDRIVEN_FOR, why=why)

    return Redriven(redriven=await asyncio.wrap_future(services.writer.run_job(job)))


async def _redrive_filter(services: Services, wish: Wish, why: str | None, data: Mapping[str, Any]) -> Redriven:
    """Do it in steps, each a transaction of its own, so that events need not wait for all of them."""
    expected = _read_number(data, "expected")
    if expected is None:
        raise Invalid(
            "This field is required.", field="expected", hint="Give would_send and as_of of an answer to dry_run."
        )
    cursor = data.get("cursor")
    if cursor is None:
        _must_fit((await asyncio.to_thread(_look, services, wish)).texts, expected)
    elif not isinstance(cursor, str):
        raise Invalid("Not a valid string.", field="cursor")
    judge = await asyncio.to_thread(_judge, services)
    limit = _read_number(data, "limit")
    left = expected if limit is None else min(expected, limit)
    last, made = None if cursor is None else DeliveryId(cursor), 0
    while left > 0:

        def job(connection: Connection, last: DeliveryId | None = last, left: int = left) -> redrive.Done:
            now = services.clock()
            return redrive.redrive(
                connection, wish, judge, now=now, expires_at=now + REDRIVEN_FOR, after=last, most=left, why=why
            )

        done = await asyncio.wrap_future(services.writer.run_job(job))
        made, left, last = made + done.redriven, left - done.redriven, done.last
        if last is None:
            break
    return Redriven(redriven=made, cursor=last if made < expected else None)


def _look(services: Services, wish: Wish) -> Outlook:
    judge = _judge(services)
    with services.database.read() as connection:
        return redrive.look_ahead(connection, wish, judge)


def _must_fit(now: int, expected: int) -> None:
    if now != expected:
        raise Invalid(
            f"By now {now} would be sent, not {expected}. Nothing was sent.",
            field="expected",
            hint="Look at the new count with dry_run, and give it as expected.",
        )


def _show(outlook: Outlook, as_of: datetime | None) -> Forecast:
    return Forecast(
        would_send=outlook.texts,
        segments=outlook.segments,
        recipients=outlook.recipients,
        counts=[
            Standing(status=status, reason=reason, texts=n) for (status, reason), n in outlook.counts.most_common()
        ],
        left_alone={word: n for word in LeftAlone if (n := outlook.left_alone[word])},
        as_of=None if as_of is None else to_iso(as_of),
    )


def _judge(services: Services) -> Judge:
    """Say what no other try can help: a destination that cannot send, and a recipient who wants no texts."""
    with services.database.read() as connection:
        able = {
            each.id
            for each in destinations.load_all(connection, services.keyring)
            if each.enabled and obstacle(each) is None
        }

    def judge(connection: Connection, found: Sequence[Candidate]) -> dict[DeliveryId, LeftAlone]:
        against = {each.id: LeftAlone.DESTINATION_OFF for each in found if each.destination_id not in able}
        pairs = [(each.to, each.sender) for each in found if each.to is not None and each.sender is not None]
        out = optouts.opted_out(connection, services.hasher, pairs)
        return against | {each.id: LeftAlone.OPTED_OUT for each in found if (each.to, each.sender) in out}

    return judge


# ---- reading what was given --------------------------------------------------------------------------


def _read_wish(data: Mapping[str, Any], now: datetime) -> tuple[Wish, str | None]:
    _check_keys(data, _FIELDS)
    ids, chosen = data.get("ids"), data.get("filter")
    if ids is not None and chosen is not None:
        raise Invalid("Give either ids or a filter.", field="filter")
    force = data.get("force", False)
    if not isinstance(force, bool):
        raise Invalid("Must be a valid boolean.", field="force")
    why = data.get("why")
    if why is not None and not isinstance(why, str):
        raise Invalid("Not a valid string.", field="why")
    why = read_text(why, "why")
    if force and why is None and data.get("dry_run") is not True:
        raise Invalid("Say why: these may have been sent, and somebody may get a second text.", field="why")
    as_of = data.get("as_of")
    if as_of is not None and not isinstance(as_of, str):
        raise Invalid("Not a valid string.", field="as_of")
    if chosen is None:
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise Invalid("Must be a list of delivery ids.", field="ids")
        if len(ids) > MOST:
            raise Invalid(f"Send {MOST} ids at most.", field="ids")
        return Wish(ids=tuple(DeliveryId(each) for each in ids), force=force), why
    query = _read_filter(chosen, now)
    if force and query.status is None:
        raise Invalid("Name the status of those that may have been sent.", field="filter__status")
    # never later than now: what fails while the others have their turn must not come round again
    at = min(read_instant(as_of, "as_of", now) or now, now)
    # whole milliseconds, as answers write instants: it must come back as the very same
    return Wish(query=query, as_of=at.replace(microsecond=at.microsecond // 1000 * 1000), force=force), why


def _read_filter(chosen: Any, now: datetime) -> Query:
    if not isinstance(chosen, dict):
        raise Invalid("Must be an object.", field="filter")
    _check_keys(chosen, _FILTERS, "filter__")
    text: dict[str, str | None] = {}
    for name, value in chosen.items():
        if name == "error_code":
            continue
        if value is not None and not isinstance(value, str):
            raise Invalid("Not a valid string.", field=f"filter__{name}")
        text[name] = value or None
    return Query(
        destination=None if (of := text.get("destination")) is None else DestinationId(of),
        status=read_word(Status, text.get("status"), "filter__status"),
        reason=read_word(Reason, text.get("reason"), "filter__reason"),
        error_code=_read_number(chosen, "error_code", within="filter__"),
        to=text.get("to"),
        event_uuid=None if (uuid := text.get("event_uuid")) is None else EventUuid(uuid.lower()),
        distinct_id=text.get("distinct_id"),
        after=read_instant(text.get("after"), "filter__after", now),
        before=read_instant(text.get("before"), "filter__before", now),
    )


def _read_number(data: Mapping[str, Any], field: str, within: str = "") -> int | None:
    given = data.get(field)
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 10:
        given = int(given)
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < 10**9:
        raise Invalid("A valid integer is required.", field=within + field)
    return given


def _check_keys(data: Mapping[str, Any], known: Sequence[str], within: str = "") -> None:
    for key in data:
        if key not in known:
            hint = f"There are {', '.join(known)}."
            raise Invalid(f"There is no field {key[:40]!r}.", field=within + key[:40], hint=hint)


HANDLERS: Final = (redrive_deliveries,)

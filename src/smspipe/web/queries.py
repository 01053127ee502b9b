"""Read query parameters, and lay lists out in pages."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from smspipe.model.errors import Invalid
from smspipe.web.problems import AnyRequest

T = TypeVar("T")


class _Placed(Protocol):
    """Something with a place in a list: ids grow in the order of writing."""

    @property
    def id(self) -> str | int: ...


Placed = TypeVar("Placed", bound=_Placed)
MOST: Final = 500
"""The largest page."""
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "m": timedelta(days=30)}


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list that is counted through: limit and offset."""

    count: int
    next: str | None
    previous: str | None
    results: list[T]


class CursorPage(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page of a list that grows while it is read: the cursor is a place in it, not a number."""

    next: str | None
    previous: str | None
    results: list[T]


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a list: what comes behind `id` (older), or before it."""

    id: str
    older: bool

    def write(self) -> str:
        """Write it as one opaque word."""
        text = ("o" if self.older else "n") + self.id
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(word: str | None) -> Cursor | None:
    """
    Read what `Cursor.write` wrote.

    Raises:
        Invalid: it is not one of ours.
    """
    if not word:
        return None
    try:
        text = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        text = ""
    if text[:1] not in ("o", "n") or len(text) < 2:
        raise Invalid("Invalid cursor", field="cursor")
    return Cursor(id=text[1:], older=text[0] == "o")


def page(request: AnyRequest, results: list[T], total: int, *, limit: int, offset: int) -> Page[T]:
    """Lay out one page, with the addresses of its neighbours."""
    following, before = offset + limit, max(0, offset - limit)
    return Page(
        count=total,
        next=address(request, limit=limit, offset=following) if following < total else None,
        previous=address(request, limit=limit, offset=before) if offset else None,
        results=results,
    )


def cursor_page(
    request: AnyRequest, found: Sequence[Placed], most: int, place: Cursor | None, show: Callable[[Placed], T]
) -> CursorPage[T]:
    """
    Lay out one page of what was found at `place`, newest first, with the addresses of its neighbours.

    `found` may hold one more than `most`: that tells whether there is another page that way.
    """
    more = len(found) > most
    backwards = place is not None and not place.older
    shown = found[1:] if more and backwards else found[:most]
    has_older = backwards or more
    has_newer = more if backwards else place is not None
    ends = (str(shown[-1].id), str(shown[0].id)) if shown else None
    return CursorPage(
        next=address(request, cursor=Cursor(id=ends[0], older=True).write()) if ends and has_older else None,
        previous=address(request, cursor=Cursor(id=ends[1], older=False).write()) if ends and has_newer else None,
        results=[show(each) for each in shown],
    )


def address(request: AnyRequest, **changes: Any) -> str:
    """Give the request's own address with some query parameters set, or taken out (None)."""
    kept = [(key, value) for key, value in request.url.query_params.multi_items() if key not in changes]
    kept += [(key, str(value)) for key, value in changes.items() if value is not None]
    return str(request.url.with_replacements(query=_encode(kept)))


def _encode(pairs: Sequence[tuple[str, Any]]) -> str:
    from urllib.parse import urlencode

    return urlencode(pairs)


def read_count(text: str | None, field: str, *, default: int, least: int = 0, most: int | None = None) -> int:
    """
    Read a number such as a limit or an offset; more than `most` is `most`, as PostHog does it.

    Raises:
        Invalid: it is no whole number of at least `least`.
    """
    if text is None or text == "":
        return default
    if not re.fullmatch(r"\d{1,9}", text) or int(text) < least:
        raise Invalid("A valid integer is required.", field=field)
    return int(text) if most is None else min(int(text), most)


def read_flag(text: str | None, field: str) -> bool | None:
    """
    Read `true` or `false`, None when it is left out.

    Raises:
        Invalid: it is something else.
    """
    if text is None or text == "":
        return None
    value = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    if value is None:
        raise Invalid("Must be a valid boolean.", field=field)
    return value


def read_words(text: str | None) -> list[str]:
    """Split a list at its commas."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def read_instant(text: str | None, field: str, now: datetime) -> datetime | None:
    """
    Read an instant: ISO 8601 (UTC where it says no zone), or a span before now such as `-7d`, `-24h`, `-2w`, `-1m`.

    Raises:
        Invalid: it is neither.
    """
    if not text:
        return None
    span = re.fullmatch(r"-(\d{1,5})([hdwm])", text)
    if span:
        return now - int(span[1]) * _UNITS[span[2]]
    try:
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise Invalid("Write an instant as 2026-01-02T03:04:05Z, or a span before now as -7d.", field=field) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

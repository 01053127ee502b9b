"""
The checks of `smspipe doctor`, one after the other.

They look behind the API: what it is asked about may be why no service answers.
"""

import asyncio
import contextlib
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from smspipe import config
from smspipe.cli.client import running_at
from smspipe.model.errors import Fault, Invalid

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from smspipe.db import Database
    from smspipe.model.destination import Destination

_LEAST_DISK_BYTES: Final = 200 * 2**20
"""Below this the database may soon be unable to take an event."""
_MOST_DRIFT_SECONDS: Final = 60.0
"""Cooldowns, expiry and Twilio's signatures of time bear no more."""
_SECONDS: Final = 10.0
_ENOUGH_BYTES: Final = 500
"""As much of an answer as is looked at."""


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """It works, but somebody should know."""
    BROKEN = "broken"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    name: str
    state: State
    saw: str
    do: str = ""
    """What to do about it; empty when there is nothing to do."""


def _ok(name: str, saw: str) -> Check:
    return Check(name=name, state=State.OK, saw=saw)


def _note(name: str, saw: str, do: str = "") -> Check:
    return Check(name=name, state=State.NOTE, saw=saw, do=do)


def _broken(name: str, saw: str, do: str = "") -> Check:
    return Check(name=name, state=State.BROKEN, saw=saw, do=do)


def check_all(found: dict[str, config.Found]) -> Iterator[Check]:
    """Look at everything that the settings lead to; settings that make no sense end it at once."""
    try:
        settings = config.load(found, make_keys=False)
    except Invalid as error:
        yield _broken("settings", str(error), error.hint or "")
        return
    yield _ok("settings", "They make sense.")
    yield _check_keys(settings.data)
    address = running_at(settings.data)
    yield _check_service(address)
    yield from _check_disk(settings.data)
    twilio = settings.twilio_api_url
    if address is not None and _answers(address + "/sandbox/inbox"):
        twilio = f"{address}/sandbox"
        yield _note("twilio", "The service sends to its sandbox: no text leaves the machine.")
    yield _check_clock(twilio)
    yield from _check_data(settings, twilio)
    yield _check_callbacks(settings.public_url)


def _check_keys(folder: Path) -> Check:
    file = folder / config.KEYS_FILE
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return _ok("keys", "They come from the settings; none are kept in the folder.")
    if mode & 0o077:
        return _broken("keys", f"Others on this machine can read {file}.", f"Run: chmod 600 {file}")
    return _ok("keys", f"{file} is readable by its owner alone.")


def _check_service(address: str | None) -> Check:
    if address is None:
        return _note("service", "No service runs on this folder.", "Start it with `smspipe serve`.")
    answer = _ask(address + "/readyz")
    if answer is None or answer[0].status != HTTPStatus.OK:
        why = "" if answer is None else answer[1].decode("utf-8", "replace")[:200]
        return _broken("service", f"It runs at {address}, but takes no events. {why}".strip(), "Its log says more.")
    return _ok("service", f"It runs at {address} and takes events.")


def _check_disk(folder: Path) -> Iterator[Check]:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield _broken("disk", f"{folder} cannot be looked at: {error.strerror}.")
        return
    saw = f"{free / 2**30:.1f} GiB are free."
    if free < _LEAST_DISK_BYTES:
        yield _broken("disk", saw, "Make room: without it, events are refused.")
    else:
        yield _ok("disk", saw)


def _check_clock(twilio: str) -> Check:
    before = time.time()
    answer = _ask(twilio)
    date = None if answer is None else answer[0].getheader("date")
    if date is None:
        saw = f"It is {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; Twilio was not there to compare."
        return _note("clock", saw)
    try:
        drift = abs(parsedate_to_datetime(date).timestamp() - (before + time.time()) / 2)
    except ValueError:
        return _note("clock", "Twilio's time could not be read.")
    if drift > _MOST_DRIFT_SECONDS:
        return _broken("clock", f"It is {drift:.0f} seconds away from Twilio's.", "Let the machine keep time with NTP.")
    return _ok("clock", "It agrees with Twilio's.")


def _check_data(settings: config.Config, twilio: str) -> Iterator[Check]:
    """Check the database, and with it whom the destinations send as."""
    from smspipe.db import open_database

    file = urlsplit(settings.database_url).path
    if settings.database_url.startswith("sqlite") and not Path(file).exists():
        yield _note("database", "There is none yet.", "`smspipe serve` makes it.")
        return
    try:
        database = open_database(settings.database_url)
    except Fault as error:
        yield _broken("database", str(error))
        return
    try:
        yield _check_database(database)
        yield from _check_destinations(database, settings, twilio)
    except Fault as error:
        yield _broken("database", str(error), "Restore the folder from a copy.")
    finally:
        database.close()


def _check_database(database: "Database") -> Check:
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    from smspipe.db import NEWEST, revision_of
    from smspipe.db.engine import as_fault, begin_write

    try:
        revision = revision_of(database)
        if revision != NEWEST:
            return _broken(
                "database",
                f"Its tables are of revision {revision}, not {NEWEST}.",
                "Run the version of smspipe that made it, or start a new folder.",
            )
        with database.engine.connect() as connection:
            begin_write(connection)  # takes the write lock, and changes nothing
            connection.rollback()
            problems = [str(row[0]) for row in connection.execute(text("pragma quick_check"))]
    except DBAPIError as error:
        return _broken(
            "database", str(as_fault(error)), "Look at the folder's owner, its disk, and who else has it open."
        )
    if problems != ["ok"]:
        return _broken(
            "database", f"It is damaged: {problems[0]}.", "Stop the service and restore the folder from a copy."
        )
    return _ok("database", "It can be written, and is sound.")


def _check_destinations(database: "Database", settings: config.Config, twilio: str) -> Iterator[Check]:
    from smspipe.destinations import Keyring, load_all, registry

    keyring = Keyring(settings.secret_key.reveal())
    with database.read() as connection:
        loaded = load_all(connection, keyring)
        unreadable = registry.count_unreadable(connection, keyring)
    if unreadable:
        yield _broken(
            "secrets",
            f"{unreadable} cannot be opened with SMSPIPE_SECRET_KEY.",
            "Put the older key behind the new one, after a comma.",
        )
    running = [each for each in loaded if each.enabled]
    if not running:
        yield _note(
            "destinations",
            "None is switched on, so no event leads to a text.",
            "`smspipe destinations apply --help` says how to make one.",
        )
    for each in running:
        if each.paused is not None:
            yield _broken(
                f"destination {each.name!r}", f"It is stopped: {each.paused}", "Mend that, and apply it again."
            )
        elif each.account is None:
            yield _broken(f"destination {each.name!r}", "It has no Twilio account.", "Give it its credentials again.")
    yield from asyncio.run(_check_accounts(running, twilio))


async def _check_accounts(running: "list[Destination]", twilio: str) -> list[Check]:
    """Ask Twilio about each account once; it is not asked about the sandbox's."""
    from smspipe.app import sandbox_account
    from smspipe.sending import AccountFault, Client, Later, Verified

    accounts = {(each.account.sid, each.account.username, each.account.password): each.account
                for each in running if each.account is not None}  # fmt: skip
    client = Client(twilio)
    checks = []
    try:
        for account in accounts.values():
            name = f"credentials of {account.sid}"
            if account.sid == sandbox_account()[0] and not twilio.endswith("/sandbox"):
                checks.append(_note(name, "It is the sandbox's account.", "Use it with `smspipe serve --sandbox`."))
                continue
            match await client.check(account):
                case Verified():
                    checks.append(_ok(name, "Twilio takes them."))
                case AccountFault() as fault:
                    checks.append(_broken(name, fault.saw, "Put the ones of the Twilio console into the destination."))
                case Later() as later:
                    checks.append(_broken(name, later.saw, "Look whether this machine reaches Twilio, and ask again."))
    finally:
        await client.close()
    return checks


def _check_callbacks(public_url: str | None) -> Check:
    if public_url is None:
        return _note(
            "callbacks",
            "Twilio is asked what became of a text, since it cannot reach this service to tell.",
            "Set SMSPIPE_PUBLIC_URL to the address where others reach it: reports and answers like STOP come at once.",
        )
    answer = _ask(public_url + "/healthz")
    if answer is None or answer[1].strip() != b"ok":
        return _broken(
            "callbacks",
            f"This service does not answer at {public_url}.",
            "Look at the proxy in front of it, and at SMSPIPE_PUBLIC_URL.",
        )
    if not public_url.startswith("https:"):
        return _note(
            "callbacks", "Numbers and texts come to it unencrypted.", "Use an https address in SMSPIPE_PUBLIC_URL."
        )
    return _ok("callbacks", f"This service answers at {public_url}.")


def _answers(url: str) -> bool:
    answer = _ask(url)
    return answer is not None and answer[0].status == HTTPStatus.OK


def _ask(url: str) -> "tuple[HTTPResponse, bytes] | None":
    """Read an address; None when nobody answers. What the answer's status is, is the caller's affair."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(url)
    kind: Any = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.request("GET", parts.path or "/")
            answer: HTTPResponse = connection.getresponse()
            body = answer.read(_ENOUGH_BYTES)
        except (OSError, HTTPException):
            return None
    return answer, body

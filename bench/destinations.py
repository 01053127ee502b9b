"""
A thousand destinations: what it takes to load them, to load them again after a change, and to find who listens.

Everything is real: a SQLite file with what the API would have stored, secrets encrypted, each destination with a filter
and a text of its own. The processor's time counts, not the clock.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from bench.events import EVENT, destination
from bench.language import people
from smspipe.db import migrate, open_database
from smspipe.db.engine import begin_write
from smspipe.destinations import Keyring, registry
from smspipe.model.destination import Destination
from smspipe.model.errors import Fault
from smspipe.pipeline.prepare import Plan, Site, forget_compiled, prepare_all

MANY: Final = 1_000
LISTENING: Final = 10
MOST_SECONDS: Final = 1.0
"""To load them all."""
MOST_TIMES: Final = 2.0
"""As long an event may take among them all as among those alone that listen to it."""
_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SITE: Final = Site(project={"id": 1, "name": "Bench", "url": "http://localhost/project/1"})


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What one round showed, in seconds of the processor's time."""

    round: int
    load_seconds: float
    """Read, decrypt, compile and index all, nothing remembered from before."""
    reload_seconds: float
    """The same after one of them was changed."""
    match_alone_seconds: float
    """For an event, among `LISTENING` destinations that all listen to it."""
    match_many_seconds: float
    """For the same event, among `MANY`, of which those `LISTENING` listen to it."""


def measure_destinations(round_: int, *, seconds: float) -> Counted:
    """Store them, load them, change one, load them again; then match for `seconds` each with few and with many."""
    keyring = Keyring("bench" * 10)
    with _database() as connection:
        kept = [registry.create(connection, _body(n), keyring=keyring, now=_AT) for n in range(MANY)]
        forget_compiled()
        begin = time.process_time()
        plan = _load(connection, keyring, Plan())
        loaded = time.process_time() - begin
        registry.change(connection, kept[-1].id, {"name": "Changed"}, keyring=keyring, now=_AT)
        begin = time.process_time()
        plan = _load(connection, keyring, plan)
        reloaded = time.process_time() - begin
    few = Plan(plan.listening(EVENT))
    if len(few.destinations) != LISTENING or len(plan.destinations) != MANY:
        raise RuntimeError(f"{len(few.destinations)} of {len(plan.destinations)} destinations listen")
    alone, many = _match(few, plan, seconds)
    return Counted(
        round=round_,
        load_seconds=loaded,
        reload_seconds=reloaded,
        match_alone_seconds=alone,
        match_many_seconds=many,
    )


def _load(connection: Connection, keyring: Keyring, before: Plan) -> Plan:
    return prepare_all(registry.load_all(connection, keyring), _SITE, _refuse, before)


def _match(few: Plan, many: Plan, seconds: float) -> tuple[float, float]:
    """Let both take turns, as what else the machine does should fall on both."""
    everybody = people(1)
    used, events = [0.0, 0.0], 0
    while min(used) < seconds:
        for which, plan in enumerate((few, many)):
            begin = time.process_time()
            for event, person in everybody:
                for prepared in plan.listening(event.event):
                    prepared.matcher.matches(event, person, (), _AT)
            used[which] += time.process_time() - begin
        events += len(everybody)
    return used[0] / events, used[1] / events


def _body(n: int) -> dict[str, Any]:
    """Write a destination with a filter and a text of its own; the first of them listen to the event of the bench."""
    body = destination()
    body["name"] = f"Number {n}"
    body["inputs"]["smsBody"]["value"] = f"Number {n}. {body['inputs']['smsBody']['value']}"
    (entry,) = body["filters"]["events"]
    entry["id"] = entry["name"] = EVENT if n < LISTENING else f"{EVENT} {n // LISTENING}"
    entry["properties"][0]["value"] = n
    return body


@contextmanager
def _database() -> Iterator[Connection]:
    """Lend a connection in a transaction of a database that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="smspipe-bench-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'smspipe.db'}")
        try:
            migrate(database)
            with database.engine.connect() as connection:
                begin_write(connection)
                yield connection
        finally:
            database.close()


def _refuse(broken: Destination, fault: Fault) -> None:
    raise RuntimeError(f"{broken.name} does not compile: {fault}")

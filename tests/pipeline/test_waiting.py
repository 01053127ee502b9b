"""Waiting time: when a text that waits for its sender is likely to leave."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.db import migrate, open_database
from smspipe.db.engine import begin_write, driver_of
from smspipe.deliveries import ledger, paces, queries
from smspipe.guards.pace import take_turn
from smspipe.model.delivery import Delivery, Status
from smspipe.model.ids import DeliveryId, DestinationId, EventUuid
from smspipe.pipeline.waiting import Wait, estimate, spell_wait

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENDER = "+12025550100"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = open_database(f"sqlite:///{tmp_path}/waiting.db")
    migrate(database)
    with database.engine.connect() as lent:
        begin_write(lent)
        yield lent
        lent.rollback()
        if driver_of(lent).in_transaction:
            driver_of(lent).rollback()
    database.close()


def a_text(number: int, **fields: Any) -> Delivery:
    given: dict[str, Any] = {
        "id": DeliveryId(f"d-{number:04}"),
        "destination_id": DestinationId(f"shop-{number % 2}"),
        "version": 1,
        "event_uuid": EventUuid(f"e-{number}"),
        "route": 0,
        "event": "order shipped",
        "distinct_id": "ada",
        "status": Status.PENDING,
        "created_at": NOW,
        "to": "+15005550009",
        "sender": SENDER,
        "body": "Hi",
        "segments": 1,
        "not_before": NOW,
    }
    return Delivery(**given | fields)


def at_pace(pace: float | None) -> Any:
    """Give every sender the same pace."""
    return lambda _destination, _sender: pace


@pytest.mark.parametrize("pace", [0.5, 1.0, 3.0, 100.0])
def test_the_estimate_is_when_the_guard_lets_the_text_go(connection: Connection, pace: float) -> None:
    """Each text is let go as early as the pace allows; the last one leaves when it was said, to a text's length."""
    texts = [a_text(n, segments=1 + n % 3) for n in range(231)]
    ledger.open_deliveries(connection, texts)
    wait = estimate(connection, texts[-1], at_pace(pace), NOW)
    assert wait is not None
    ready_at, now = None, NOW
    for text in texts:
        ready_at, until = take_turn(ready_at, now, text.segments or 1, pace)
        if until is not None:
            now = until
            ready_at, until = take_turn(ready_at, now, text.segments or 1, pace)
            assert until is None
    assert wait.segments_before == sum(text.segments or 1 for text in texts[:-1])
    assert abs(wait.sends_at - now) <= timedelta(seconds=3 / pace)


def test_what_the_sender_was_given_already_counts(connection: Connection) -> None:
    ledger.open_deliveries(connection, [text := a_text(1)])
    paces.write(connection, [(SENDER, NOW + timedelta(seconds=90))])
    assert estimate(connection, text, at_pace(1.0), NOW) == Wait(
        sends_at=NOW + timedelta(seconds=90), segments_before=0, whole=True, pace=1.0
    )


def test_only_older_texts_of_the_same_sender_that_wait_are_before_it(connection: Connection) -> None:
    text = a_text(5)
    ledger.open_deliveries(
        connection,
        [
            a_text(1, segments=7),
            a_text(2, not_before=NOW + timedelta(seconds=1)),
            a_text(3, status=Status.ACCEPTED),
            a_text(4, sender="+12025550101"),
            text,
            a_text(6),
            a_text(7, segments=None, not_before=NOW - timedelta(hours=1)),
        ],
    )
    assert queries.segments_before(connection, text) == (8, True)


def test_a_text_that_may_not_leave_before_an_instant_leaves_no_earlier(connection: Connection) -> None:
    text = a_text(1, not_before=NOW + timedelta(hours=8))
    ledger.open_deliveries(connection, [text])
    wait = estimate(connection, text, at_pace(1.0), NOW)
    assert wait is not None
    assert wait.sends_at == NOW + timedelta(hours=8)


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.PENDING])
def test_what_does_not_wait_has_no_estimate(connection: Connection, status: Status) -> None:
    assert estimate(connection, a_text(1, status=status), at_pace(1.0), NOW) is None


def test_a_sender_without_a_pace_lets_nobody_wait(connection: Connection) -> None:
    assert estimate(connection, a_text(1), at_pace(None), NOW) is None
    assert estimate(connection, a_text(1, sender=None), at_pace(1.0), NOW) is None


def test_of_very_many_only_some_are_looked_at(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smspipe.deliveries.queries.MOST_BEFORE", 3)
    texts = [a_text(n) for n in range(5)]
    ledger.open_deliveries(connection, texts)
    assert queries.segments_before(connection, texts[-1]) == (3, False)
    wait = estimate(connection, texts[-1], at_pace(1.0), NOW)
    assert wait is not None
    assert "at least 3 segments are before it" in spell_wait(wait, NOW)


@pytest.mark.parametrize(
    ("seconds", "before", "pace", "said"),
    [
        (231, 231, 1.0, "It leaves in about 4 minutes: 231 segments are before it, at 1 segment a second."),
        (1, 1, 3.0, "It leaves in a moment: 1 segment is before it, at 3 segments a second."),
        (45, 45, 1.0, "It leaves in about 45 seconds: 45 segments are before it, at 1 segment a second."),
        (7200, 3600, 0.5, "It leaves in about 2 hours: 3600 segments are before it, at 1 segment every 2 seconds."),
    ],
)
def test_it_is_said_for_a_person(seconds: int, before: int, pace: float, said: str) -> None:
    wait = Wait(sends_at=NOW + timedelta(seconds=seconds), segments_before=before, whole=True, pace=pace)
    assert spell_wait(wait, NOW) == said

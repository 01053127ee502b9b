"""Caps, budgets and quiet hours in the real run: what is written, and what no order and no crowd can break."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from smspipe import persons
from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write, end_write
from smspipe.deliveries import budget, evidence, ledger, passes, queries
from smspipe.deliveries.ledger import Settlement
from smspipe.deliveries.queries import Query
from smspipe.deliveries.states import Move
from smspipe.model.delivery import Delivery, Status
from smspipe.model.destination import Destination, Text
from smspipe.model.event import Event
from smspipe.model.ids import MessageSid
from smspipe.model.limits import Budget, Cap, QuietHours, QuietWindow, Spent, Then
from smspipe.model.outcome import Reason
from smspipe.model.person import Person
from smspipe.pipeline.claim import claim
from smspipe.pipeline.fanout import Desk, decide_on
from smspipe.pipeline.prepare import Plan, Site, prepare_all
from tests.pipeline.conftest import ADA, HASHER, HOUR, NOW, SITE, a_cooldown, a_destination, an_event, undo

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
NIGHT = QuietHours(
    windows=(QuietWindow(days=frozenset(range(7)), start=time(21), end=time(8)),), timezone="America/New_York"
)
NUMBER = "+12125550123"


def fail(destination: Destination, fault: Exception) -> None:
    raise AssertionError(destination.id) from fault


def a_plan(*destinations: Destination, site: Site = SITE) -> Plan:
    return prepare_all(destinations, site, fail)


def happen(
    connection: Connection,
    plan: Plan,
    events: Sequence[Event],
    now: datetime,
    *,
    free: int = 0,
    person: Person = ADA,
) -> list[Delivery]:
    """Decide on events as the fan-out does; give the deliveries that it opened."""
    desk = Desk(connection, HASHER, now)
    seen = persons.Seen(person=person, groups=())
    heard = [(event, seen, plan.listening(event.event)) for event in events]
    opened = [
        delivery
        for _, _, decided in decide_on(heard, desk, now, free=free)
        for _, delivery in decided
        if delivery is not None
    ]
    desk.write(opened)
    return opened


def an_event_at(nth: int, at: datetime, **properties: Any) -> Event:
    return an_event(nth, timestamp=at, received_at=at, properties={"phone": NUMBER, "text": "Hi"} | properties)


def take(connection: Connection, plan: Plan, now: datetime) -> list[Delivery]:
    """Claim whatever is due."""
    return claim(connection, now, 100, hasher=HASHER, pace_of=lambda _, __: None, plan=plan, blocked={}).sending


def settle(connection: Connection, delivery: Delivery, move: Move, at: datetime, **fields: Any) -> None:
    assert ledger.settle(connection, [Settlement(delivery=delivery, move=move, at=at, **fields)]) == 1


def spent(connection: Connection, scope: str, period: str) -> Spent:
    return budget.read(connection, [(scope, period)]).get((scope, period), Spent())


# Caps.

steps = st.lists(
    st.tuples(
        st.integers(0, 40), st.sampled_from(["event", "event", "leave", "leave", "claim", "fail", "retry", "night"])
    ),
    min_size=10,
    max_size=50,
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(schedule=steps, texts=st.integers(1, 3), seconds=st.sampled_from([60, 100, 300]))
def test_no_schedule_of_events_breaks_a_cap(
    database: Database, schedule: list[tuple[int, str]], texts: int, seconds: int
) -> None:
    cap, tighter = Cap(texts=texts, per=timedelta(seconds=seconds)), Cap(texts=1, per=timedelta(seconds=20))
    plan = a_plan(
        a_destination(caps=(cap, tighter)), a_destination("all", caps=(msgspec.structs.replace(cap, across=True),))
    )
    left: dict[str, list[datetime]] = {}
    sids = itertools.count()
    with database.engine.connect() as connection:
        begin_write(connection)
        try:
            now, sending = NOW, dict[str, Delivery]()
            for nth, (wait, what) in enumerate(schedule):
                now += timedelta(seconds=wait)
                if what == "event":
                    # A text for which no sender is free waits, and leaves when it is claimed.
                    happen(connection, plan, [an_event_at(nth, now, text=str(nth))], now)
                elif what in ("claim", "leave"):
                    sending.update((each.id, each) for each in take(connection, plan, now))
                    for one in sending.values() if what == "leave" else ():
                        assert one.sent_at is not None
                        settle(connection, one, Move.ACCEPT, now, sid=MessageSid(f"SM{next(sids)}"))
                        left.setdefault(one.destination_id, []).append(one.sent_at)
                    if what == "leave":
                        sending.clear()
                elif what == "night":
                    rows = queries.list_deliveries(connection, Query(status=Status.PENDING), limit=100)
                    ledger.put_off(connection, [(row, now + 200 * SECOND) for row in rows])
                elif sending:
                    _, one = sending.popitem()
                    if what == "fail":
                        settle(connection, one, Move.FAIL, now, reason=Reason.TWILIO_REJECTED)
                    else:
                        settle(connection, one, Move.RETRY, now, not_before=now + 7 * SECOND)
        finally:
            undo(connection)
    check_spans(left.get("shop", []), cap)
    check_spans(left.get("shop", []), tighter)
    # Whatever the destination that counts all of them let through saw those of the other: of its own there are no more.
    check_spans(left.get("all", []), cap)


def check_spans(instants: list[datetime], cap: Cap) -> None:
    """Look at every span that begins with a text: it holds no more than the cap's."""
    for start in instants:
        assert sum(start <= at < start + cap.per for at in instants) <= cap.texts


def test_a_text_counts_from_when_it_leaves_and_as_long_as_it_waits(connection: Connection) -> None:
    plan = a_plan(a_destination(caps=(Cap(texts=1, per=MINUTE),)))
    (first,) = happen(connection, plan, [an_event_at(1, NOW)], NOW)
    (second,) = happen(connection, plan, [an_event_at(2, NOW)], NOW + HOUR)
    (taken,) = take(connection, plan, NOW + HOUR)
    settle(connection, taken, Move.ACCEPT, NOW + HOUR, sid=MessageSid("SM1"))
    (third,) = happen(connection, plan, [an_event_at(3, NOW)], NOW + HOUR + 59 * SECOND)
    (fourth,) = happen(connection, plan, [an_event_at(4, NOW)], NOW + HOUR + MINUTE)
    assert [each.reason for each in (first, second, third, fourth)] == [
        None, Reason.FREQUENCY_CAP, Reason.FREQUENCY_CAP, None,
    ]  # fmt: skip
    assert third.not_before == NOW + HOUR + MINUTE


def test_what_was_certainly_not_sent_does_not_count(connection: Connection) -> None:
    plan = a_plan(a_destination(caps=(Cap(texts=1, per=HOUR),)))
    happen(connection, plan, [an_event_at(1, NOW)], NOW)
    (taken,) = take(connection, plan, NOW)
    settle(connection, taken, Move.FAIL, NOW, reason=Reason.TWILIO_REJECTED)
    (next_,) = happen(connection, plan, [an_event_at(2, NOW)], NOW + SECOND)
    assert next_.status is Status.PENDING


def test_a_cap_across_counts_what_destinations_without_caps_send(connection: Connection) -> None:
    plan = a_plan(a_destination("plain"), a_destination("capped", caps=(Cap(texts=1, per=HOUR, across=True),)))
    plain, capped = happen(connection, plan, [an_event_at(1, NOW)], NOW)
    assert (plain.reason, capped.reason) == (None, Reason.FREQUENCY_CAP)


def test_without_caps_nothing_is_kept_for_them(connection: Connection) -> None:
    happen(connection, a_plan(a_destination()), [an_event_at(1, NOW)], NOW)
    assert passes.read(connection, f"number:{NUMBER}", NOW) == []


def test_old_rows_are_forgotten_and_what_waits_is_kept(connection: Connection) -> None:
    plan = a_plan(a_destination(caps=(Cap(texts=9, per=HOUR),), max_age=timedelta(days=365)))
    happen(connection, plan, [an_event_at(1, NOW)], NOW)
    (gone,) = take(connection, plan, NOW)
    settle(connection, gone, Move.ACCEPT, NOW, sid=MessageSid("SM1"))
    (waits,) = happen(connection, plan, [an_event_at(2, NOW)], NOW)
    passes.forget_old(connection, NOW + timedelta(days=40))
    kept = connection.exec_driver_sql("select distinct delivery_id from passes").all()
    assert kept == [(waits.id,)]


@pytest.mark.parametrize("body", ["{event.properties.text} ({suppressed} more)", None], ids=["hog", "liquid"])
def test_a_text_can_say_how_many_were_held_back(connection: Connection, body: str | None) -> None:
    text = Text(source=body) if body else Text(source="Hi ({{ suppressed }} more)", templating="liquid")  # type: ignore[arg-type]  # as read
    plan = a_plan(a_destination(caps=(Cap(texts=1, per=MINUTE),), body=text, cooldown=a_cooldown("")))
    said = []
    for nth, seconds in enumerate((0, 61, 62, 63, 200)):
        now = NOW + seconds * SECOND
        (one,) = happen(connection, plan, [an_event_at(nth, NOW)], now)
        for taken in take(connection, plan, now):
            settle(connection, taken, Move.ACCEPT, now, sid=MessageSid(f"SM{nth}"))
        said.append(one.body)
    assert said == ["Hi (0 more)", "Hi (0 more)", None, None, "Hi (2 more)"]


def test_the_same_words_to_one_number_from_two_destinations_are_noticed(connection: Connection) -> None:
    plan = a_plan(a_destination("a"), a_destination("b"), a_destination("c", refuse_identical=HOUR))
    a, b, c = happen(connection, plan, [an_event_at(1, NOW)], NOW)
    assert [step.name for step in a.steps if step.name == "identical"] == []
    assert next(step.saw for step in b.steps if step.name == "identical").startswith("Another destination (a)")
    assert c.reason is Reason.FREQUENCY_CAP
    later = happen(connection, a_plan(a_destination("c", refuse_identical=HOUR)), [an_event_at(2, NOW)], NOW + MINUTE)
    assert later[0].reason is Reason.FREQUENCY_CAP
    past = happen(connection, a_plan(a_destination("c", refuse_identical=HOUR)), [an_event_at(3, NOW)], NOW + 2 * HOUR)
    assert past[0].reason is None


# Budgets.

DAY, MONTH = "2026-03-01", "2026-03"
TEN = Budget(segments_per_day=10, money_per_month=Decimal(100))


def test_a_text_sets_its_estimate_aside_for_its_destination_and_for_all(connection: Connection) -> None:
    plan = a_plan(a_destination(budget=TEN), site=msgspec.structs.replace(SITE, budget=TEN))
    happen(connection, plan, [an_event_at(1, NOW)], NOW)
    for scope, period in itertools.product(("shop", ""), (DAY, MONTH)):
        assert spent(connection, scope, period) == Spent(reserved_segments=1, reserved_micros=8_300)


def test_what_twilio_bills_takes_the_estimates_place_and_is_learnt(connection: Connection) -> None:
    plan = a_plan(a_destination(budget=TEN))
    happen(connection, plan, [an_event_at(1, NOW)], NOW)
    (taken,) = take(connection, plan, NOW)
    settle(connection, taken, Move.ACCEPT, NOW, sid=MessageSid("SM1"), billed_segments=2)
    assert spent(connection, "shop", DAY) == Spent(used_segments=2, used_micros=16_600)
    evidence.learn(connection, taken.id, price="0.0300", price_unit="USD")
    budget.follow(connection, [taken.id], NOW)
    assert spent(connection, "shop", DAY) == Spent(used_segments=2, used_micros=30_000)
    happen(connection, plan, [an_event_at(2, NOW)], NOW)
    assert spent(connection, "shop", DAY).reserved_micros == 15_000


@pytest.mark.parametrize("move", [Move.FAIL, Move.SUPPRESS])
def test_what_was_certainly_not_sent_is_given_back(connection: Connection, move: Move) -> None:
    plan = a_plan(a_destination(budget=TEN))
    happen(connection, plan, [an_event_at(1, NOW)], NOW)
    (taken,) = take(connection, plan, NOW)
    settle(connection, taken, move, NOW, reason=Reason.TWILIO_REJECTED)
    assert spent(connection, "shop", DAY) == Spent()


def test_what_is_in_doubt_stays_set_aside(connection: Connection) -> None:
    plan = a_plan(a_destination(budget=TEN))
    happen(connection, plan, [an_event_at(1, NOW)], NOW)
    (taken,) = take(connection, plan, NOW)
    settle(connection, taken, Move.LOSE, NOW, reason=Reason.UNCONFIRMED)
    assert spent(connection, "shop", DAY).reserved_segments == 1


def test_what_is_sent_after_all_asks_for_room_again_and_waits_for_it(connection: Connection) -> None:
    plan = a_plan(a_destination(budget=Budget(segments_per_day=1), max_age=timedelta(days=9)))
    happen(connection, plan, [an_event_at(1, NOW)], NOW)
    (taken,) = take(connection, plan, NOW)
    settle(connection, taken, Move.FAIL, NOW, reason=Reason.TWILIO_REJECTED)
    happen(connection, plan, [an_event_at(2, NOW, text="Other")], NOW)
    assert len(take(connection, plan, NOW)) == 1
    settle(connection, taken, Move.REDRIVE, NOW, not_before=NOW)
    assert take(connection, plan, NOW) == []
    waits = queries.get(connection, taken.id)
    assert waits is not None
    assert waits.not_before == datetime(2026, 3, 2, tzinfo=UTC)
    assert spent(connection, "shop", DAY).segments == 1
    assert [each.id for each in take(connection, plan, waits.not_before)] == [taken.id]
    assert spent(connection, "shop", "2026-03-02").segments == 1


def test_four_fifths_are_told_of_once(connection: Connection) -> None:
    plan = a_plan(a_destination(budget=Budget(segments_per_day=10)))
    told = []
    for nth in range(12):
        desk = Desk(connection, HASHER, NOW)
        heard = [(an_event_at(nth, NOW), persons.Seen(person=ADA, groups=()), plan.listening("order shipped"))]
        opened = [each for _, _, decided in decide_on(heard, desk, NOW, free=0) for _, each in decided if each]
        desk.write(opened)
        told.append([(purse.scope, purse.period) for purse in desk.low])
    assert [nth for nth, each in enumerate(told) if each] == [7]
    assert told[7] == [("shop", DAY)]


def test_without_a_budget_nothing_is_charged(connection: Connection) -> None:
    happen(connection, a_plan(a_destination()), [an_event_at(1, NOW)], NOW)
    assert not budget.in_use(connection)


# 64 writers.


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Database]:
    """Open a database that many threads write to."""
    opened = open_database(f"sqlite:///{tmp_path}/smspipe.db")
    migrate(opened)
    yield opened
    opened.close()


@pytest.mark.slow
def test_64_writers_at_once_pass_neither_a_cap_nor_a_budget(crowd: Database) -> None:
    capped = a_destination("capped", caps=(Cap(texts=5, per=HOUR),))
    bounded = a_destination("bounded", budget=Budget(segments_per_day=20))
    plan = a_plan(capped, bounded, site=msgspec.structs.replace(SITE, budget=Budget(segments_per_month=23)))
    together, turn, faults = threading.Barrier(64), threading.Semaphore(6), list[BaseException]()

    def write(nth: int) -> None:
        try:
            together.wait(20)
            with turn, crowd.engine.connect() as connection:
                begin_write(connection)
                happen(connection, plan, [an_event_at(nth, NOW, text=str(nth))], NOW)
                end_write(connection)
        except BaseException as fault:  # noqa: BLE001 (told by the test)
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(nth,)) for nth in range(64)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert faults == []
    with crowd.read() as connection:
        opened = queries.list_deliveries(connection, Query(status=Status.PENDING), limit=1000)
        of = {name: sum(each.destination_id == name for each in opened) for name in ("capped", "bounded")}
        assert of["capped"] == 5
        assert sum(of.values()) == 23
        assert spent(connection, "", MONTH).segments == 23
        assert spent(connection, "bounded", DAY).segments == of["bounded"] <= 20


# Quiet hours.

MIDNIGHT = datetime(2026, 3, 2, 5, tzinfo=UTC)
MORNING = datetime(2026, 3, 2, 13, tzinfo=UTC)


def test_a_text_at_night_is_born_waiting_for_the_morning_and_leaves_then(connection: Connection) -> None:
    plan = a_plan(a_destination(quiet_hours=NIGHT))
    (one,) = happen(connection, plan, [an_event_at(1, MIDNIGHT)], MIDNIGHT, free=9)
    assert (one.status, one.reason, one.not_before) == (Status.PENDING, Reason.QUIET_HOURS, MORNING)
    assert take(connection, plan, MORNING - SECOND) == []
    assert [each.id for each in take(connection, plan, MORNING)] == [one.id]


def test_a_text_that_comes_to_leave_at_night_waits_for_the_morning(connection: Connection) -> None:
    plan = a_plan(a_destination(quiet_hours=NIGHT))
    evening = MIDNIGHT - 4 * HOUR
    (one,) = happen(connection, plan, [an_event_at(1, evening)], evening)
    assert one.reason is None
    assert take(connection, plan, MIDNIGHT) == []
    assert [each.id for each in take(connection, plan, MORNING)] == [one.id]


def test_a_text_is_judged_by_the_zone_that_was_found_when_it_was_decided(connection: Connection) -> None:
    plan = a_plan(a_destination(quiet_hours=NIGHT))
    tokyo = an_event_at(1, MIDNIGHT, **{"$geoip_time_zone": "Asia/Tokyo"})
    (one,) = happen(connection, plan, [tokyo], MIDNIGHT)
    assert one.reason is None
    assert [each.id for each in take(connection, plan, MIDNIGHT)] == [one.id]


def test_where_night_drops_a_text_it_is_dropped_when_it_would_leave_too(connection: Connection) -> None:
    plan = a_plan(a_destination(quiet_hours=msgspec.structs.replace(NIGHT, then=Then.DROP)))
    evening = MIDNIGHT - 4 * HOUR
    (one,) = happen(connection, plan, [an_event_at(1, evening)], evening)
    assert take(connection, plan, MIDNIGHT) == []
    found = queries.get(connection, one.id)
    assert found is not None
    assert (found.status, found.reason) == (Status.SUPPRESSED, Reason.QUIET_HOURS)

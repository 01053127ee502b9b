"""A forecast of events is what happens when they come: the same code decides, on a ledger of its own."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from smspipe import eventlog, persons
from smspipe.capture import events_of
from smspipe.db import Database, migrate, open_database
from smspipe.db.engine import begin_write
from smspipe.deliveries import queries
from smspipe.guards.prices import ESTIMATE
from smspipe.model.destination import Destination, Route, Text
from smspipe.model.errors import Invalid
from smspipe.model.event import Door, Event, Payload
from smspipe.model.outcome import Reason
from smspipe.model.phone import E164
from smspipe.optouts import New, Source, add
from smspipe.pipeline import fanout
from smspipe.pipeline.decide import Decision
from smspipe.pipeline.forecast import Cancelled, Forecast, Question, forecast
from smspipe.pipeline.prepare import Plan, prepare
from smspipe.pipeline.sources import Arrived, FileSource, LogSource, Wanted
from tests.pipeline.conftest import HASHER, NOW, SITE, a_cooldown, a_destination, only, undo

OF_PERSON = Text(source="{person.properties.phone}", field="inputs__phoneNumber")
DESTINATIONS: tuple[Destination, ...] = (
    a_destination("plain"),
    a_destination("signup", filter=only("signup", plan="pro")),
    a_destination("cooled", cooldown=a_cooldown(ttl=timedelta(minutes=1))),
    a_destination("third", cooldown=a_cooldown("{event.properties.plan}", timedelta(minutes=5), threshold=2)),
    a_destination("person", routes=(Route(to=OF_PERSON),), body=Text(source="Hi {person.properties.name}")),
    a_destination("fails", body=Text(source="{jsonParse(event.properties.text)}")),
)
STOPPED = "+12025550172"


class Told:
    """Events that somebody made up, each at its time."""

    share = 0.0
    passed_by = 0
    unreadable = 0
    why_unreadable: str | None = None
    first: datetime | None = None
    last: datetime | None = None

    def __init__(self, parts: list[list[Event]]) -> None:
        self._parts = parts

    def read(self, wanted: Wanted) -> Iterator[list[Arrived]]:
        """Give them."""
        for part in self._parts:
            yield [Arrived(event.received_at, event, None) for event in part]


requests = st.lists(
    st.tuples(
        st.integers(0, 90),
        st.lists(
            st.fixed_dictionaries(
                {
                    "event": st.sampled_from(["signup", "order", "$set", "$identify"]),
                    "uuid": st.integers(0, 12).map(lambda n: f"01930000-0000-7000-8000-{n:012d}"),
                    "distinct_id": st.sampled_from(["ada", "bob", "guest-1"]),
                    "properties": st.fixed_dictionaries(
                        {},
                        optional={
                            "phone": st.sampled_from(["+12025550143", STOPPED, "call me", ""]),
                            "text": st.sampled_from(["Hi", "[1]", "", "x" * 1601, "ü" * 80]),
                            "plan": st.sampled_from(["pro", "free", ""]),
                            "$anon_distinct_id": st.sampled_from(["ada", "guest-1", "guest-2"]),
                            "$set": st.fixed_dictionaries(
                                {
                                    "phone": st.sampled_from(["+12025550143", "+12025550111"]),
                                    "name": st.text(max_size=3),
                                }
                            ),
                        },
                    ),
                }
            ),
            min_size=1,
            max_size=4,
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(given_requests=requests)
def test_what_is_forecast_of_events_is_what_then_happens(
    database: Database, given_requests: list[tuple[int, list[dict[str, Any]]]]
) -> None:
    with database.engine.connect() as connection:
        begin_write(connection)
        try:
            parts = _let_happen(connection, given_requests)
            for destination in DESTINATIONS:
                _check_forecast(connection, destination, parts)
        finally:
            undo(connection)


def _let_happen(connection: Connection, given_requests: list[tuple[int, list[dict[str, Any]]]]) -> list[list[Event]]:
    add(connection, HASHER, New(number=E164(STOPPED), source=Source.PERSON), now=NOW)
    ordered = sorted(DESTINATIONS, key=lambda each: each.id)  # as the registry gives them
    plan, cache, parts, at = Plan([prepare(each, SITE) for each in ordered]), persons.Cache(), [], NOW
    for nth, (seconds, batch) in enumerate(given_requests):
        at += timedelta(seconds=seconds + 1)
        body = {"api_key": "phc_x", "batch": [{"timestamp": at.isoformat(), **each} for each in batch]}
        payload = Payload(door=Door.BATCH, body=msgspec.json.encode(body), received_at=at, seed=nth.to_bytes(8, "big"))
        position = eventlog.append(connection, [payload])
        fanout.run(connection, [(position, events_of(payload))], plan, cache, at, hasher=HASHER, free=100)
        parts.append(events_of(payload))
    return parts


def _check_forecast(connection: Connection, destination: Destination, parts: list[list[Event]]) -> None:
    told: dict[tuple[str, int], Decision] = {}

    def watch(event: Event, decision: Decision) -> None:
        assert (event.uuid, decision.route) not in told
        told[event.uuid, decision.route] = decision

    question = Question(candidate=prepare(destination, SITE), beside=[prepare(each, SITE) for each in DESTINATIONS])
    found = forecast(Told(parts), question, hasher=HASHER, opted_out=_is_stopped, watch=watch)
    rows = queries.list_deliveries(connection, queries.Query(destination=destination.id), limit=1000)
    assert {(row.event_uuid, row.route): (row.reason, row.to, row.body, row.segments, row.steps) for row in rows} == {
        key: (
            each.reason,
            each.to,
            None if each.message is None else each.message.body,
            None if each.message is None else each.message.segments,
            each.steps,
        )
        for key, each in told.items()
    }
    texts = [row for row in rows if row.body is not None]
    assert found.here.texts == len(texts)
    assert found.here.recipients == len({row.to for row in texts})
    assert found.here.segments == sum(row.segments or 0 for row in texts)
    refused = Counter(row.reason for row in rows if row.body is None)
    assert {each.reason: each.count for each in found.here.refused if each.reason is not Reason.DUPLICATE} == refused
    assert sum(day.texts for day in found.here.days) == len(texts)


def _is_stopped(to: str, sender: str) -> bool:
    return to == STOPPED


# ---- files -----------------------------------------------------------------------------------------------------------

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {
        "uuid": f"01930000-0000-7000-8000-{nth:012d}",
        "event": "order shipped" if nth % 3 else "$pageview",
        "distinct_id": f"user-{nth % 4}",
        "timestamp": (MARCH + timedelta(hours=5 * nth)).isoformat(),
        "properties": {"text": f"Order {nth}, thanks\n", "$lib": "web"},
        "person_id": f"person-{nth % 4}",
        "person_properties": {"phone": f"+1202555014{nth % 4}", "name": "Ada"},
    }
    for nth in range(24)
]
SHIPPED = prepare(a_destination("shipped", filter=only("order shipped"), routes=(Route(to=OF_PERSON),)), SITE)


def as_text(row: dict[str, Any]) -> dict[str, Any]:
    return {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()}


def write(path: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    match kind:
        case "jsonl":
            path.write_text(lines, "utf-8")
        case "jsonl with text":
            path.write_text("".join(json.dumps(as_text(row)) + "\n" for row in rows), "utf-8")
        case "gzip":
            path.write_bytes(gzip.compress(lines.encode()))
        case "list":
            path.write_text(json.dumps(rows, indent=1), "utf-8")
        case "api":
            told = [
                {
                    "id": row["uuid"],
                    **{key: row[key] for key in ("event", "distinct_id", "timestamp", "properties")},
                    "person": {"distinct_ids": [row["distinct_id"]], "properties": row["person_properties"]},
                }
                for row in rows
            ]
            path.write_text("".join(json.dumps(row) + "\n" for row in told), "utf-8")
        case "hook":
            told = [
                {"event": {key: row[key] for key in ("uuid", "event", "distinct_id", "timestamp", "properties")},
                 "person": {"id": row["person_id"], "properties": row["person_properties"]}}
                for row in rows
            ]  # fmt: skip
            path.write_text("".join(json.dumps(row) + "\n" for row in told), "utf-8")
        case "csv" | "flat csv":
            flat = [as_text(row) if kind == "csv" else flatten(row) for row in rows]
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(flat[0]))
                writer.writeheader()
                writer.writerows(flat)
        case "parquet":
            from arro3.core import Array, DataType, Table
            from arro3.io import write_parquet

            columns: dict[str, Any] = {
                key: Array([as_text(row)[key] for row in rows], DataType.utf8()) for key in rows[0]
            }
            write_parquet(Table.from_pydict(columns), str(path))
    return path


def flatten(row: dict[str, Any]) -> dict[str, Any]:
    """Write a row as the table of events in PostHog's page is exported."""
    return {
        **{key: row[key] for key in ("uuid", "event", "distinct_id", "timestamp", "person_id")},
        **{f"properties.{key}": value for key, value in row["properties"].items()},
        **{f"person.properties.{key}": value for key, value in row["person_properties"].items()},
    }


def foresee(path: Path, **given: Any) -> Forecast:
    return forecast(FileSource(path), Question(candidate=SHIPPED, **given), hasher=HASHER)


KINDS = ("jsonl", "jsonl with text", "gzip", "list", "api", "hook", "csv", "flat csv", "parquet")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("newest_first", [False, True], ids=["in order", "newest first"])
def test_every_shape_of_export_gives_the_same_forecast(tmp_path: Path, kind: str, newest_first: bool) -> None:
    found = foresee(write(tmp_path / "events", kind, ROWS[::-1] if newest_first else ROWS))
    expected = foresee(write(tmp_path / "expected", "jsonl", ROWS))
    assert expected.here.texts == 16
    assert expected.here.recipients == 4
    assert [(day.day, day.texts) for day in expected.here.days][:2] == [("2026-03-01", 3), ("2026-03-02", 3)]
    assert found == expected


def test_the_figures_are_those_of_the_events(tmp_path: Path) -> None:
    rows = [{**row, "timestamp": (MARCH + timedelta(seconds=nth)).isoformat()} for nth, row in enumerate(ROWS)]
    rows[1]["person_properties"] = {"phone": "call me"}
    found = foresee(write(tmp_path / "events", "jsonl", rows), examples=3)
    here = found.here
    assert (found.events, here.matched, here.texts, here.segments) == (24, 16, 15, 15)
    assert [(each.reason, each.count) for each in here.refused] == [(Reason.RECIPIENT_INVALID, 1)]
    assert (here.cost, here.currency) == (f"{15 * ESTIMATE.of('US', 'number') / 1e6:.2f}", "USD")
    assert float(here.cost) > 0
    assert here.worst is not None
    assert (here.worst.at, here.worst.segments, here.worst.pace) == (MARCH, 15, 1.0)
    # 15 texts within 21 seconds at one a second: two of three seconds bring one, so nothing waits for long
    assert here.worst.longest_wait_seconds == 0.0
    assert len(here.examples) == 3
    assert all(example.to.startswith("+12") and "•" in example.to for example in here.examples)
    assert "Twilio" in " ".join(found.notes) or SHIPPED.destination.account is not None


def test_a_burst_waits_for_the_senders_pace(tmp_path: Path) -> None:
    rows = [{**row, "event": "order shipped", "timestamp": MARCH.isoformat()} for row in ROWS]
    worst = foresee(write(tmp_path / "events", "jsonl", rows)).here.worst
    assert worst is not None
    assert worst.longest_wait_seconds == 23.0


def test_events_of_persons_who_come_along_are_passed_by_when_nobody_listens(tmp_path: Path) -> None:
    source = FileSource(write(tmp_path / "events", "jsonl", ROWS))
    found = forecast(source, Question(candidate=SHIPPED), hasher=HASHER)
    assert source.passed_by == 8
    assert found.events == 24


def test_two_versions_are_compared_event_by_event(tmp_path: Path) -> None:
    path = write(tmp_path / "events", "jsonl", ROWS)
    other = prepare(
        a_destination("shipped", routes=(Route(to=OF_PERSON),), body=Text(source="{upper(event.properties.text)}")),
        SITE,
    )
    difference = foresee(path, running=other).difference
    assert difference is not None
    assert (difference.only_here, difference.only_running, difference.text_differs, difference.same) == (0, 8, 16, 0)
    same = foresee(path, running=prepare(SHIPPED.destination, SITE)).difference
    assert same is not None
    assert (same.only_here, same.only_running, same.text_differs, same.same) == (0, 0, 0, 16)


def test_what_is_no_event_is_counted_and_the_first_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(ROWS[1]) + "\n{broken\n" + json.dumps({"event": "x", "timestamp": "2026-03-01"}) + "\n")
    found = foresee(path)
    assert (found.events, found.unreadable) == (1, 2)
    assert found.why_unreadable is not None
    assert "line 2 is no JSON object" in found.why_unreadable


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n", "lacks a column"),
        (b"PAR1 and nothing else", "its end is missing"),
        (b"[1, 2]", "no list of JSON objects"),
        (gzip.compress(b"{}\n" * 1000)[:-20], "cut off"),
    ],
    ids=["csv of something else", "broken parquet", "list of numbers", "cut off"],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "events"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=said):
        foresee(path)


def test_a_forecast_ends_when_somebody_wishes_it(tmp_path: Path) -> None:
    path = write(tmp_path / "events", "jsonl", ROWS)
    with pytest.raises(Cancelled):
        forecast(FileSource(path), Question(candidate=SHIPPED), hasher=HASHER, told=lambda _events, _share: False)


# ---- the log ---------------------------------------------------------------------------------------------------------


def log(database: Database, requests: list[tuple[datetime, list[dict[str, Any]]]]) -> None:
    """Fill the log, and the profiles as the real run would."""
    with database.engine.begin() as connection:
        cache = persons.Cache()
        for nth, (at, batch) in enumerate(requests):
            payload = Payload(
                door=Door.BATCH,
                body=msgspec.json.encode({"api_key": "phc_x", "batch": batch}),
                received_at=at,
                seed=nth.to_bytes(8, "big"),
            )
            position = eventlog.append(connection, [payload])
            fanout.run(connection, [(position, events_of(payload))], Plan(), cache, at, hasher=HASHER, free=0)


def test_stored_events_live_through_their_profiles_again(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'real.db'}")
    migrate(database)
    an_order = {"event": "order shipped", "distinct_id": "ada", "properties": {"text": "Hi"}}
    move = {"event": "$set", "distinct_id": "ada", "properties": {"$set": {"phone": "+12025550199"}}}
    newcomer = {"event": "order shipped", "distinct_id": "new", "properties": {"text": "Hi"}}
    late = {"event": "$set", "distinct_id": "new", "properties": {"$set": {"phone": "+12025550123"}}}
    begin = {"event": "$set", "distinct_id": "ada", "properties": {"$set": {"name": "Ada"}}}
    hours = [NOW + timedelta(hours=nth) for nth in range(6)]
    log(
        database,
        [(NOW - timedelta(days=9), [begin]), (hours[0], [an_order]), (hours[1], [move]),
         (hours[2], [an_order, newcomer]), (hours[3], [late]), (hours[4], [newcomer]), (hours[5], [an_order])],
    )  # fmt: skip
    told: list[tuple[int, str | None]] = []
    found = forecast(
        LogSource(database, NOW, hours[5]),
        Question(candidate=SHIPPED),
        hasher=HASHER,
        real=database,
        known_before=NOW,
        watch=lambda event, decision: told.append(((event.received_at - NOW) // timedelta(hours=1), decision.to)),
    )
    database.close()
    assert found.events == 6
    # Ada's phone is today's until an event says otherwise; who is new has none before one says it.
    assert told == [(0, "+12025550199"), (2, "+12025550199"), (2, None), (4, "+12025550123")]


def test_a_forecast_writes_nothing_to_the_real_database(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'real.db'}")
    migrate(database)
    an_order = {"event": "order shipped", "distinct_id": "ada", "properties": {"text": "Hi"}}
    log(database, [(NOW, [an_order])])
    with database.read() as connection:
        before = list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    source = LogSource(database, NOW, NOW + timedelta(days=1))
    forecast(source, Question(candidate=SHIPPED), hasher=HASHER, real=database, known_before=NOW)
    with database.read() as connection:
        assert list(connection.connection.driver_connection.iterdump()) == before  # type: ignore[union-attr]
    database.close()

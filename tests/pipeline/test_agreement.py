"""
The real run, the test panel and `explain` never differ: for any event they give the same decision.

The test panel leaves out what depends on when and how often an event is tried: age, cooldown and repetition.
"""

import asyncio
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from smspipe import eventlog, persons
from smspipe.capture import events_of
from smspipe.db import Database
from smspipe.db.engine import begin_write
from smspipe.deliveries import queries
from smspipe.deliveries.queries import Query
from smspipe.model.delivery import Delivery, Status
from smspipe.model.destination import Destination, Route, Text
from smspipe.model.event import Door, Event, Payload
from smspipe.model.filter import Filter, Property, PropertyGroup
from smspipe.model.outcome import Reason
from smspipe.pipeline import fanout, trial
from smspipe.pipeline.explain import explain
from smspipe.pipeline.prepare import Plan, prepare
from smspipe.pipeline.trial import Sample, Trial
from tests.pipeline.conftest import HASHER, NOW, SITE, a_cooldown, a_destination, hogql, nobody_opted_out, only, undo


def conditions(*properties: Property) -> Filter:
    return Filter(properties=PropertyGroup(values=properties))


DESTINATIONS: tuple[Destination, ...] = (
    a_destination("all"),
    a_destination("signup", filter=only("signup")),
    a_destination("plan", filter=only("signup", "order", plan="pro")),
    a_destination("rich", filter=conditions(Property(key="amount", value=10, operator="gt"))),
    a_destination("ada", filter=conditions(Property(key="name", value="ada", operator="icontains", type="person"))),
    a_destination("hogql", filter=hogql("length(jsonParse(properties.json)) > 1")),
    a_destination("fails", body=Text(source="{jsonParse(event.properties.json)}")),
    a_destination("person", body=Text(source="Hi {person.properties.name}, {event.properties.text}")),
    a_destination("cut", truncate=True),
    a_destination("cooldown", cooldown=a_cooldown("{event.properties.plan}")),
    a_destination("german", default_country="DE"),
    a_destination(
        "pairs",
        routes=(
            Route(to=Text(source="+15005550009"), event="signup"),
            Route(to=Text(source="{event.properties.phone}"), event="order"),
            Route(to=Text(source="+15005550001"), event="signup"),
        ),
        filter=only("signup", "order"),
    ),
)
PLAN = Plan([prepare(each, SITE) for each in DESTINATIONS])

properties = st.fixed_dictionaries(
    {},
    optional={
        "phone": st.sampled_from(["+15005550009", "0151 23456789", "call me", "", None, 15005550009, True, ["+1"]]),
        "text": st.one_of(st.text(max_size=20), st.sampled_from(["x" * 1600, "x" * 1601, "👋" * 801]), st.integers()),
        "plan": st.sampled_from(["pro", "free", "", None, 7]),
        "amount": st.one_of(st.integers(-20, 20), st.sampled_from(["11", "9", "many", None])),
        "json": st.sampled_from(["[1, 2]", "[]", "no json", None, 5]),
        "$set": st.fixed_dictionaries({"name": st.sampled_from(["Ada", "Bob", ""])}),
        "$process_person_profile": st.booleans(),
    },
)
times = st.sampled_from(
    ["2026-03-01T12:00:00Z", "2026-02-28T12:00:00Z", "2026-02-28T12:00:01Z", "2027-01-01T00:00:00Z"]
)
events = st.builds(
    lambda name, given, at: {"event": name, "distinct_id": "ada", "properties": given, "timestamp": at},
    st.sampled_from(["signup", "order", "$pageview", "Größe"]),
    properties,
    times,
)


def run(connection: Connection, event: dict[str, Any], *, historical: bool) -> tuple[Event, fanout.Done]:
    """Let an event through the log and the fan-out."""
    body = {"api_key": "phc_x", "historical_migration": historical, "batch": [event]}
    payload = Payload(door=Door.BATCH, body=msgspec.json.encode(body), received_at=NOW, seed=bytes(8))
    position = eventlog.append(connection, [payload])
    read = events_of(payload)
    done = fanout.run(connection, [(position, read)], PLAN, persons.Cache(), NOW, hasher=HASHER, free=100)
    return read[0], done


def route_of(row: Delivery) -> int:
    return row.route


def said_by_ledger(rows: list[Delivery]) -> list[tuple[int, Reason | None, str | None, object]]:
    # That another destination says the same is known to the real run alone: the test panel looks at one.
    return [
        (row.route, row.reason, row.body, tuple(step for step in row.steps if step.name != "identical")) for row in rows
    ]


def said_by_trial(tried: Trial) -> list[tuple[int, Reason | None, str | None, object]]:
    return [
        (each.route, each.reason, None if each.message is None else each.message.body, each.steps)
        for each in tried.attempts
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(event=events, historical=st.booleans())
def test_the_real_run_the_test_panel_and_explain_give_the_same_decision(
    database: Database, event: dict[str, Any], historical: bool
) -> None:
    with database.engine.connect() as connection:
        begin_write(connection)
        try:
            check_agreement(connection, event, historical=historical)
        finally:
            undo(connection)


def check_agreement(connection: Connection, given: dict[str, Any], *, historical: bool) -> None:
    event, done = run(connection, given, historical=historical)
    person, groups = persons.person_of(connection, event.distinct_id), persons.groups_of(connection, event)
    explanation = explain(connection, event.uuid, DESTINATIONS, SITE)
    assert explanation is not None
    verdicts = {verdict.destination_id: verdict for verdict in explanation.destinations}
    for destination in DESTINATIONS:
        rows = sorted(queries.list_deliveries(connection, Query(destination=destination.id), limit=10), key=route_of)
        sample = Sample(event=event, person=person, groups=tuple(groups))
        tried = asyncio.run(trial.run(prepare(destination, SITE), sample, NOW, opted_out=nobody_opted_out, client=None))
        verdict = verdicts[destination.id]
        if any(row.reason is Reason.TOO_OLD for row in rows):
            # a trial asks what the event would lead to if it came in time: up to its age, all is as it was
            assert [each.steps[: len(row.steps) - 1] for each, row in zip(tried.attempts, rows, strict=True)] == [
                row.steps[:-1] for row in rows
            ]
        else:
            assert said_by_trial(tried) == said_by_ledger(rows), destination.name
        outcomes = {(outcome, reason): n for (of, outcome, reason), n in done.outcomes.items() if of == destination.id}
        if rows:
            assert verdict.deliveries == tuple(rows)
            assert (verdict.outcome, verdict.reason, verdict.steps) == (rows[0].status, rows[0].reason, rows[0].steps)
            assert sum(outcomes.values()) == len(rows)
        else:
            assert (verdict.outcome, verdict.reason) == ("no_match", Reason.NO_MATCH)
            assert verdict.sentence == tried.mismatch
            assert (outcomes, done.events, done.matched[destination.id]) == ({}, 1, 0)
        for row in rows:
            # one of two destinations that say the same to the same phone waits for the other
            assert (row.status in (Status.SENDING, Status.PENDING)) == (row.body is not None)

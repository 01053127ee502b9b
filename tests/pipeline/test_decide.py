"""One event at one destination: a text, or one of the reasons why there is none."""

import copy
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from smspipe.model.cooldown import Window
from smspipe.model.destination import Destination, Route, Text
from smspipe.model.event import Event
from smspipe.model.ids import DeliveryId
from smspipe.model.message import Encoding, Message
from smspipe.model.outcome import Reason
from smspipe.model.person import Person
from smspipe.model.phone import E164
from smspipe.pipeline.decide import Decision, decide
from smspipe.pipeline.prepare import prepare
from tests.pipeline.conftest import (
    ADA,
    HOUR,
    NOW,
    PHONE,
    SITE,
    Ledger,
    a_cooldown,
    a_destination,
    an_event,
    hogql,
    only,
)


def decisions(
    destination: Destination, event: Event, ledger: Ledger | None = None, person: Person | None = ADA
) -> list[Decision]:
    return decide(event, person, (), prepare(destination, SITE), ledger or Ledger(), NOW)


def decision(destination: Destination, event: Event, ledger: Ledger | None = None) -> Decision:
    (made,) = decisions(destination, event, ledger)
    return made


def with_text(text: Any, phone: Any = PHONE) -> Event:
    return an_event(properties={"text": text, "phone": phone})


RUNNING = Window(ends_at=NOW + HOUR / 2, entered=1, owner=DeliveryId("first"))

REFUSED: list[tuple[str, Reason, Destination, Event, Ledger, str]] = [
    ("a filter that fails", Reason.FILTER_ERROR, a_destination(filter=hogql("jsonParse(properties.text) = 1")),
     an_event(), Ledger(), "match"),
    ("a body that fails", Reason.TEMPLATE_ERROR, a_destination(body=Text(source="{jsonParse(event.event)}")),
     an_event(), Ledger(), "render"),
    ("a recipient that fails", Reason.TEMPLATE_ERROR,
     a_destination(routes=(Route(to=Text(source="{jsonParse(event.event)}")),)), an_event(), Ledger(), "render"),
    ("a sender that is none", Reason.TEMPLATE_ERROR, a_destination(sender=Text(source="{event.properties.text}!!")),
     an_event(), Ledger(), "render"),
    ("a cooldown's key that fails", Reason.TEMPLATE_ERROR,
     a_destination(cooldown=a_cooldown("{jsonParse(event.event)}")), an_event(), Ledger(), "cooldown"),
    ("no phone", Reason.RECIPIENT_MISSING, a_destination(), an_event(properties={"text": "Hi"}), Ledger(), "recipient"),
    ("an empty phone", Reason.RECIPIENT_MISSING, a_destination(), with_text("Hi", "  "), Ledger(), "recipient"),
    ("no phone number", Reason.RECIPIENT_INVALID, a_destination(), with_text("Hi", "call me"), Ledger(), "recipient"),
    ("a national number", Reason.RECIPIENT_INVALID, a_destination(), with_text("Hi", "5005550009"), Ledger(),
     "recipient"),
    ("an empty body", Reason.BODY_EMPTY, a_destination(), with_text(""), Ledger(), "body"),
    ("a blank body", Reason.BODY_EMPTY, a_destination(), with_text(" \n\t"), Ledger(), "body"),
    ("no body", Reason.BODY_EMPTY, a_destination(), with_text(None), Ledger(), "body"),
    ("1601 characters", Reason.BODY_TOO_LONG, a_destination(), with_text("x" * 1601), Ledger(), "body"),
    ("801 emoji", Reason.BODY_TOO_LONG, a_destination(), with_text("👋" * 801), Ledger(), "body"),
    ("an event known here", Reason.DUPLICATE, a_destination(), an_event(), Ledger(known=True), "duplicate"),
    ("a backfilled event", Reason.HISTORICAL, a_destination(), an_event(historical=True), Ledger(), "age"),
    ("an event of the day before yesterday", Reason.TOO_OLD, a_destination(),
     an_event(timestamp=NOW - timedelta(hours=24, microseconds=1)), Ledger(), "age"),
    ("a running cooldown", Reason.COOLDOWN, a_destination(cooldown=a_cooldown()), an_event(), Ledger(window=RUNNING),
     "cooldown"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "destination", "event", "ledger", "step"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_a_refusal_has_its_reason_and_the_step_that_gave_it_with_what_it_saw(
    reason: Reason, destination: Destination, event: Event, ledger: Ledger, step: str
) -> None:
    made = decision(destination, event, ledger)
    assert (made.reason, made.message) == (reason, None)
    *passed, last = made.steps
    assert all(each.ok for each in passed)
    assert (last.name, last.ok, last.reason) == (step, False, reason)
    assert last.saw.endswith(".")


@pytest.mark.parametrize(
    ("destination", "event", "ledger"), [case[2:5] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_no_step_shows_a_whole_number_or_the_text(destination: Destination, event: Event, ledger: Ledger) -> None:
    event = msgspec.structs.replace(event, properties={**event.properties, "secret": "Your code is 4711"})
    told = repr(decision(destination, event, ledger).steps)
    assert "5005550009" not in told
    assert "4711" not in told
    assert "call me" not in told


def test_a_text_has_its_recipient_sender_body_and_size() -> None:
    made = decision(a_destination(), with_text("Ciao 👋", "+1 (500) 555-0009"))
    assert made.message == Message(
        to=E164(PHONE), sender="+15005550006", body="Ciao 👋", encoding=Encoding.UCS_2, segments=1
    )
    assert (made.reason, made.to) == (None, PHONE)
    assert [(step.name, step.ok) for step in made.steps] == [
        ("match", True), ("recipient", True), ("body", True), ("trust", True), ("country", True), ("opted_out", True),
        ("duplicate", True), ("age", True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "passing",
    [
        with_text("x" * 1600),
        with_text("👋" * 800),
        an_event(timestamp=NOW - timedelta(hours=24)),
        an_event(timestamp=NOW + timedelta(days=400)),
    ],
    ids=["1600 characters", "800 emoji", "24 hours old to the instant", "a clock that is ahead"],
)
def test_what_is_just_right_is_sent(passing: Event) -> None:
    assert decision(a_destination(), passing).message is not None


def test_a_destination_that_cuts_texts_sends_1600_units() -> None:
    made = decision(a_destination(truncate=True), with_text("x" * 5000))
    assert made.message is not None
    assert len(made.message.body) == 1600


def test_a_national_number_is_read_in_the_destinations_country_before_the_sites() -> None:
    site = msgspec.structs.replace(SITE, default_country="DE")
    national = with_text("Hi", "0151 23456789")
    (made,) = decide(national, ADA, (), prepare(a_destination(), site), Ledger(), NOW)
    assert made.to == "+4915123456789"
    american = a_destination(default_country="US")
    (made,) = decide(with_text("Hi", "(415) 555-2671"), ADA, (), prepare(american, site), Ledger(), NOW)
    assert made.to == "+14155552671"


def test_an_event_that_does_not_match_leads_to_no_decision_at_all() -> None:
    assert decisions(a_destination(filter=only("signup")), an_event()) == []
    assert decisions(a_destination(filter=only("order shipped", plan="pro")), an_event()) == []


def test_each_recipient_of_the_event_is_a_decision_of_its_own() -> None:
    """The routes of other events are left out; one that fails does not touch the others."""
    routes = (
        Route(to=Text(source=PHONE), event="order shipped"),
        Route(to=Text(source="+15005550001"), event="signup"),
        Route(to=Text(source="nobody"), event="order shipped"),
        Route(to=Text(source="+15005550002")),
    )
    made = decisions(a_destination(routes=routes), an_event())
    assert [(each.route, each.to, each.reason) for each in made] == [
        (0, PHONE, None),
        (2, None, Reason.RECIPIENT_INVALID),
        (3, "+15005550002", None),
    ]


def test_an_event_without_a_profile_sees_no_person() -> None:
    body = Text(source="Hi {person.properties.name ?? 'you'}")
    known, unknown = ADA, msgspec.structs.replace(ADA, profile=False)
    for person, text in ((known, "Hi Ada"), (unknown, "Hi you"), (None, "Hi you")):
        (made,) = decisions(a_destination(body=body), an_event(), person=person)
        assert made.message is not None
        assert made.message.body == text


# --- the cooldown ---------------------------------------------------------------------------------------------------


def test_the_cooldowns_key_may_name_the_recipient_as_it_is_sent_to() -> None:
    ledger = Ledger()
    made = decision(a_destination(cooldown=a_cooldown()), with_text("Hi", "+1 500-555-0009"), ledger)
    assert ledger.keys == [PHONE]
    assert made.cooldown_key == PHONE


def test_an_empty_key_holds_nothing_back() -> None:
    ledger = Ledger(window=RUNNING)
    made = decision(a_destination(cooldown=a_cooldown("{event.properties.group}")), an_event(), ledger)
    assert made.message is not None
    assert ledger.keys == []


def test_a_refusal_by_cooldown_says_when_the_next_is_possible() -> None:
    made = decision(a_destination(cooldown=a_cooldown()), an_event(), Ledger(window=RUNNING))
    assert made.until == RUNNING.ends_at
    assert "30 min ago" in made.steps[-1].saw
    assert "2026-03-01 12:30:00 UTC" in made.steps[-1].saw


def test_a_threshold_lets_every_nth_through() -> None:
    destination = a_destination(cooldown=a_cooldown(threshold=3))
    ran = []
    for entered in range(10):
        window = Window(ends_at=NOW + HOUR, entered=entered)
        if decision(destination, an_event(), Ledger(window=window)).message:
            ran.append(entered + 1)
    assert ran == [1, 4, 7, 10]


def test_a_repeated_event_is_a_duplicate_before_it_is_anything_else_that_may_change() -> None:
    """Its cooldown is its own doing, and it grows older: neither is why it leads to no second text."""
    old = an_event(timestamp=NOW - timedelta(days=9))
    made = decision(a_destination(cooldown=a_cooldown()), old, Ledger(known=True, window=RUNNING))
    assert made.reason is Reason.DUPLICATE


# --- purity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "event"),
    [case[2:4] for case in REFUSED] + [(a_destination(cooldown=a_cooldown()), an_event())],
    ids=[case[0] for case in REFUSED] + ["a text"],
)
def test_the_same_inputs_give_the_same_decision_and_are_not_changed(destination: Destination, event: Event) -> None:
    prepared = prepare(destination, SITE)
    before = copy.deepcopy((event, ADA))
    window = msgspec.structs.replace(RUNNING)
    first = decide(event, ADA, (), prepared, Ledger(window=window), NOW)
    assert decide(event, ADA, (), prepare(destination, SITE), Ledger(window=window), NOW) == first
    assert (event, ADA) == before
    assert window == RUNNING

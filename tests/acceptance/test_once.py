"""Each text exactly once: whatever is sent again, and whatever Twilio does."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.service import eventually, twilio_destination
from tests.pipeline.town import Sender, Twin, batch, lent, number, post_batches, sender_in, twin_in

EVENTS = 200
"""For the tests in which chance breaks some of the requests."""


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with twin_in(tmp_path_factory.mktemp("twin")) as twin:
        yield twin


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> Iterator[Sender]:
    with sender_in(tmp_path_factory.mktemp("once"), twin) as service:
        service.start()
        yield service
        assert service.stop() == 0


@pytest.fixture
def service(running: Sender, twin: Twin) -> Iterator[Sender]:
    with lent(running, twin) as service:
        yield service


def destination(name: str = "Texts", **more: Any) -> dict[str, Any]:
    return twilio_destination(name, to="{event.properties.phone}", body="{event.properties.text}", **more)


_made = iter(range(1, 10**6))


def an_event(text: str = "Hi") -> dict[str, Any]:
    """Make an event for a phone that no other has."""
    nth = next(_made)
    return {
        "event": "order shipped",
        "distinct_id": f"user-{nth}",
        "uuid": f"01940000-0000-7000-8000-{nth:012d}",
        "properties": {"phone": number(nth), "text": text},
    }


def phone_of(event: dict[str, Any]) -> str:
    return str(event["properties"]["phone"])


def send(service: Sender, *events: dict[str, Any]) -> None:
    assert service.capture(*events).status == 200


def only_row(service: Sender, event: dict[str, Any]) -> dict[str, Any]:
    (row,) = service.deliveries(event_uuid=event["uuid"])
    return row


def test_an_event_that_arrives_over_ten_connections_at_once_makes_one_text(service: Sender, twin: Twin) -> None:
    service.create(destination())
    event = an_event()
    assert post_batches(service, [batch(event)] * 10, connections=10) == [200] * 10
    service.wait_until_idle()
    assert twin.posts() == {phone_of(event): 1}
    assert only_row(service, event)["status"] == "accepted"


def test_an_event_ten_times_in_one_batch_makes_one_text(service: Sender, twin: Twin) -> None:
    service.create(destination())
    event = an_event()
    send(service, *[event] * 10)
    service.wait_until_idle()
    assert twin.posts() == {phone_of(event): 1}


def test_an_event_that_comes_again_later_or_after_a_restart_makes_no_second_text(service: Sender, twin: Twin) -> None:
    service.create(destination())
    event = an_event()
    send(service, event)
    service.wait_until_idle()
    send(service, event)
    service.wait_until_idle()
    assert service.stop() == 0
    service.start()
    send(service, event)
    service.wait_until_idle()
    assert twin.posts() == {phone_of(event): 1}
    assert service.call("GET", f"/api/projects/1/events/{event['uuid']}/explain/")["arrivals"] == 3


def test_the_same_event_makes_one_text_in_each_destination(service: Sender, twin: Twin) -> None:
    ids = [service.create(destination(name)) for name in ("One", "Two", "Three")]
    event = an_event()
    send(service, event, event)
    service.wait_until_idle()
    assert twin.posts() == {phone_of(event): 3}
    rows = service.deliveries(event_uuid=event["uuid"])
    assert Counter(row["destination_id"] for row in rows) == Counter(ids)


def test_every_arrival_is_counted_with_exactly_one_outcome_at_every_destination(service: Sender, twin: Twin) -> None:
    """3 arrivals of one event and 2 of others: 5 outcomes at each destination, also where none matched."""
    texts = service.create(destination())
    deaf = service.create(destination("Deaf", filters={"events": [{"id": "nothing", "type": "events"}]}))
    event, empty, bad = an_event(), an_event(text=" "), an_event()
    bad["properties"]["phone"] = "no number"
    send(service, event, event, empty, bad)
    send(service, event)
    service.wait_until_idle()
    expected = {
        ("accepted", ""): 1,
        ("suppressed", "duplicate"): 2,
        ("suppressed", "body_empty"): 1,
        ("suppressed", "recipient_invalid"): 1,
    }
    eventually(lambda: service.outcomes(texts) == expected, what=f"{expected} in {service.outcomes(texts)}", within=5)
    assert service.outcomes(deaf) == {("no_match", "no_match"): 5}


def test_429_is_tried_again_no_sooner_than_twilio_asks(service: Sender, twin: Twin) -> None:
    service.create(destination())
    event = an_event()
    twin.break_({"fault": "429", "times": 2, "seconds": 1})
    send(service, event)
    service.wait_until_idle()
    refused, again, created = twin.requests(phone_of(event))
    assert [refused["status"], again["status"], created["status"]] == [429, 429, 201]
    row = only_row(service, event)
    assert (row["status"], row["attempts"], row["error_code"]) == ("accepted", 3, None)


def burst(service: Sender, n: int = EVENTS) -> list[dict[str, Any]]:
    """Send many events over several connections."""
    events = [an_event() for _ in range(n)]
    answers = post_batches(service, [batch(*events[at : at + 10]) for at in range(0, n, 10)], connections=8)
    assert set(answers) == {200}
    return events


def check_fates(service: Sender, twin: Twin, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No phone has two texts; every event is accepted or visibly in doubt. Gives the rows in doubt."""
    texts = Counter(text["to"] for text in twin.ask("GET", "/inbox")["results"])
    assert {to: n for to, n in texts.items() if n > 1} == {}
    in_doubt = []
    for event in events:
        row = only_row(service, event)
        match row["status"]:
            case "accepted" | "delivered" as taken:
                assert texts[phone_of(event)] == 1, f"the ledger says {taken}, and there is no text"
            case "unconfirmed":
                assert row["reason"] == "unconfirmed"
                assert row["error_message"]
                in_doubt.append(row)
            case other:
                pytest.fail(f"{other} {row['reason']}")
    return in_doubt


def test_requests_refused_for_their_number_are_all_sent_in_the_end(service: Sender, twin: Twin) -> None:
    service.create(destination())
    # counted, not drawn by lot: the waits double, and one text unlucky seven times would wait for longer than we do
    twin.break_({"fault": "429", "times": 2 * EVENTS, "seconds": 0})
    events = burst(service)
    service.wait_until_idle()
    assert check_fates(service, twin, events) == []
    assert len(twin.requests()) >= 3 * EVENTS


FAULTS = {
    "reset before accepting": "reset_before",
    "reset after accepting": "reset_after",
    "500 before accepting": "500_before",
    "500 after accepting": "500_after",
    "503": "503",
    "a gateway's page": "html_502",
    "a gateway's page after accepting": "html_502_after",
    "half an answer": "malformed",
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_no_trouble_of_twilios_doubles_a_text(service: Sender, twin: Twin, fault: str) -> None:
    service.create(destination())
    twin.break_({"fault": fault, "probability": 0.05})
    events = burst(service)
    service.wait_until_idle()
    in_doubt = check_fates(service, twin, events)
    (rule,) = twin.ask("GET", "/faults")["rules"]
    assert rule["struck"] > 0, "nothing went wrong in this test"
    assert len(in_doubt) <= rule["struck"]


def test_texts_in_doubt_are_shown_with_their_reason_and_never_repeated(service: Sender, twin: Twin) -> None:
    """Not by a person's redrive, not by a restart, and not when the event comes again."""
    id_ = service.create(destination())
    event = an_event()
    twin.break_({"fault": "reset_after", "times": 1})
    send(service, event)
    service.wait_until_idle()
    twin.mend()
    (shown,) = service.call("GET", f"/api/projects/1/deliveries/?destination={id_}&status=unconfirmed")["results"]
    assert (shown["event_uuid"], shown["attempts"], shown["settled_at"] is None) == (event["uuid"], 1, False)
    (verdict,) = service.explain(event["uuid"])
    assert (verdict["outcome"], verdict["reason"]) == ("unconfirmed", "unconfirmed")
    assert "not repeated" in verdict["sentence"]

    send(service, event)
    assert service.call("POST", "/api/projects/1/deliveries/redrive/", {"ids": [shown["id"]]}) == {"redriven": 0}
    service.wait_until_idle()
    assert service.stop() == 0
    service.start()
    send(service, event)
    service.wait_until_idle()
    assert twin.posts() == {phone_of(event): 1}
    assert only_row(service, event)["status"] == "unconfirmed"


@pytest.mark.slow
def test_a_silent_twilio_leaves_the_text_in_doubt_after_the_answers_timeout(service: Sender, twin: Twin) -> None:
    service.create(destination())
    event = an_event()
    twin.break_({"fault": "no_answer", "seconds": 3, "times": 1})
    send(service, event)
    service.wait_until_idle()
    assert only_row(service, event)["status"] == "unconfirmed"
    assert twin.posts() == {phone_of(event): 1}


def test_a_twilio_that_is_not_there_makes_texts_wait_not_fail(service: Sender, tmp_path: Path) -> None:
    with twin_in(tmp_path) as other:
        url = other.url
    with sender_in(tmp_path, other, twilio_api_url=url) as absent:
        absent.start()
        absent.create(destination())
        event = an_event()
        send(absent, event)

        def tried() -> bool:
            return any(row["attempts"] > 1 for row in absent.deliveries(event_uuid=event["uuid"]))

        eventually(tried, what="a second attempt")
        assert only_row(absent, event)["status"] in ("pending", "sending")
        assert absent.stop() == 0
        assert only_row(absent, event)["status"] == "pending", "what was certainly not sent waits for the next start"


# --- credentials, and destinations that go away -----------------------------------------------------------------------


def with_token(token: str) -> dict[str, Any]:
    made = destination()
    made["inputs"]["authToken"] = {"value": token}
    return made


def held(service: Sender, *events: dict[str, Any]) -> Callable[[], bool]:
    return lambda: all(
        [row["status"] for row in service.deliveries(event_uuid=event["uuid"])] == ["held"] for event in events
    )


def test_bad_credentials_pause_the_destination_until_they_are_mended_and_then_the_texts_leave(
    service: Sender, twin: Twin
) -> None:
    good = destination()["inputs"]["authToken"]["value"]
    id_ = service.create(with_token("0" * 32))
    events = [an_event() for _ in range(5)]
    send(service, *events)
    eventually(held(service, *events), what="five held deliveries")
    for event in events:
        assert only_row(service, event)["reason"] == "credentials"
    paused = service.call("GET", f"/api/projects/1/hog_functions/{id_}/")["smspipe"]["paused"]
    assert paused, "the destination must say why it sends nothing"
    tries = twin.ask("GET", "/requests")["total"]

    later = an_event()
    send(service, later)
    eventually(held(service, later), what="a later delivery held as well")
    assert twin.ask("GET", "/requests")["total"] == tries, "a paused destination still asks Twilio"

    inputs = service.call("GET", f"/api/projects/1/hog_functions/{id_}/")["inputs"]
    service.patch(id_, {"inputs": {**inputs, "authToken": {"value": good}}})
    service.wait_until_idle()
    assert check_fates(service, twin, [*events, later]) == []
    assert service.call("GET", f"/api/projects/1/hog_functions/{id_}/")["smspipe"]["paused"] is None


def test_a_pause_holds_over_a_restart(service: Sender, twin: Twin) -> None:
    id_ = service.create(with_token("0" * 32))
    first, second = an_event(), an_event()
    send(service, first)
    eventually(held(service, first), what="a held delivery")
    assert service.stop() == 0
    service.start()
    send(service, second)
    eventually(held(service, first, second), what="both held")
    assert service.call("GET", f"/api/projects/1/hog_functions/{id_}/")["smspipe"]["paused"]


@pytest.mark.parametrize("change", [{"enabled": False}, {"deleted": True}], ids=["disabled", "deleted"])
def test_what_waits_for_a_destination_that_went_away_is_held_and_not_sent(
    service: Sender, twin: Twin, change: dict[str, Any]
) -> None:
    id_ = service.create(destination())
    event = an_event()
    twin.break_({"fault": "429", "seconds": 1})
    send(service, event)
    eventually(lambda: twin.posts() == {phone_of(event): 1}, what="a first try")
    service.patch(id_, change)
    twin.mend()
    eventually(held(service, event), what="a held delivery")
    assert only_row(service, event)["reason"] in ("paused", "destination_deleted")
    assert twin.texts() == []

    service.patch(id_, {"enabled": True, "deleted": False})
    service.wait_until_idle()
    assert only_row(service, event)["status"] == "accepted"
    assert len(twin.texts(phone_of(event))) == 1


def test_a_destination_whose_stored_account_is_deleted_holds_its_texts_and_stays_quiet(
    service: Sender, twin: Twin
) -> None:
    """Nothing can mend it but a new account: the held text is not taken up and put down again and again."""
    inputs = destination()["inputs"]
    account = service.call(
        "POST",
        "/api/projects/1/integrations/",
        {
            "kind": "twilio",
            "config": {"account_sid": inputs["accountSid"]["value"], "auth_token": inputs["authToken"]["value"]},
        },
    )
    service.create(
        {
            "type": "destination",
            "name": "Stored",
            "enabled": True,
            "template_id": "template-twilio",
            "inputs": {
                "twilio_account": {"value": account["id"]},
                "from_number": {"value": "+15005550006"},
                "to_number": {"value": "{event.properties.phone}"},
                "message": {"value": "Hi"},
            },
        }
    )
    before, after = an_event(), an_event()
    send(service, before)
    service.wait_until_idle()
    assert only_row(service, before)["status"] == "accepted"
    service.call("DELETE", f"/api/projects/1/integrations/{account['id']}/")
    send(service, after)
    eventually(held(service, after), what="a held delivery")
    assert only_row(service, after)["reason"] == "credentials"
    for _ in range(20):
        send(service, {**an_event(), "properties": {}})
    service.wait_until_idle()
    assert only_row(service, after)["attempts"] <= 1
    assert len(twin.texts()) == 1


# --- one cooldown for many ------------------------------------------------------------------------------------------


def test_a_thousand_events_of_one_key_over_64_connections_make_one_text(service: Sender, twin: Twin) -> None:
    id_ = service.create(destination(masking={"hash": "all", "ttl": 3600}))
    events = [an_event() for _ in range(1000)]
    assert set(post_batches(service, [batch(event) for event in events], connections=64)) == {200}
    service.wait_until_idle()
    assert sum(twin.posts().values()) == 1
    rows = service.deliveries(destination_id=id_)
    assert Counter((row["status"], row["reason"]) for row in rows) == {
        ("accepted", None): 1,
        ("suppressed", "cooldown"): 999,
    }

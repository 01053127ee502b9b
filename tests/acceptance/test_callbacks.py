"""Reports come late, twice, in disorder or never; people say STOP; senders are slow: the whole service, live."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.service import SENDER, eventually, twilio_destination
from tests.pipeline.town import Sender, Twin, batch, lent, number, post_batches, sender_in, twin_in

TEXTS = 60

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sender, Twin]]:
    folder = tmp_path_factory.mktemp("callbacks")
    with twin_in(folder) as twin, sender_in(folder, twin, callbacks=True) as service:
        service.start()
        yield service, twin
        assert service.stop() == 0


@pytest.fixture
def twin(running: tuple[Sender, Twin]) -> Twin:
    return running[1]


@pytest.fixture
def service(running: tuple[Sender, Twin]) -> Iterator[Sender]:
    """A service that Twilio reports to; what a test made there is gone after it."""
    inbound = running[1].ask("GET", "/config")["inbound_url"]
    with lent(*running) as service:
        yield service
    running[1].ask("POST", "/config", {"inbound_url": inbound})
    assert service.take_faults() == []


def make(service: Sender, name: str = "Plain", **more: Any) -> str:
    return service.create(
        twilio_destination(name, to="{event.properties.phone}", body="{event.properties.body}", **more)
    )


def write(service: Sender, *phones: str, body: str = "Hi", event: str = "x") -> None:
    """Have a text sent to each of these phones."""
    events = [{"event": event, "distinct_id": to, "properties": {"phone": to, "body": body}} for to in phones]
    assert service.capture(*events).status == 200


def rows_of(service: Sender, destination: str) -> list[dict[str, Any]]:
    return service.deliveries(destination_id=destination)


def all_are(service: Sender, destination: str, status: str, n: int = 1) -> bool:
    rows = rows_of(service, destination)
    return len(rows) == n and {row["status"] for row in rows} == {status}


# ---- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["callbacks_doubled", "callbacks_reordered", "callbacks_delayed", "latency_after"])
def test_whatever_befalls_the_reports_every_text_ends_delivered(service: Sender, twin: Twin, fault: str) -> None:
    shop = make(service)
    twin.break_({"fault": fault, "seconds": 0.5})
    write(service, *map(number, range(TEXTS)))
    eventually(lambda: all_are(service, shop, "delivered", TEXTS), what="a report of each text")
    assert {*twin.posts().values()} == {1}
    twin.ask("POST", "/drain")
    assert all_are(service, shop, "delivered", TEXTS)
    assert service.counted("smspipe_second_texts_total") == 0


def test_a_text_whose_last_report_is_lost_stays_accepted_until_it_is_asked_for(service: Sender, twin: Twin) -> None:
    shop = make(service)
    twin.break_({"fault": "callbacks_lost"})
    write(service, number(1))
    eventually(lambda: all_are(service, shop, "accepted"), what="an answer")
    twin.ask("POST", "/drain")
    (row,) = rows_of(service, shop)
    assert (row["status"], row["looks"]) == ("accepted", 0)
    assert row["ask_at"] > row["settled_at"]


def test_a_carrier_that_refuses_is_heard_with_its_code(service: Sender, twin: Twin) -> None:
    shop = make(service)
    twin.break_({"fault": "undelivered", "code": 30005})
    write(service, number(1))
    eventually(lambda: all_are(service, shop, "undelivered"), what="a report")
    (row,) = rows_of(service, shop)
    assert (row["reason"], row["error_code"]) == ("undelivered", 30005)


# ---- STOP ------------------------------------------------------------------------------------------------------------


def answer(twin: Twin, phone: str, body: str) -> None:
    """Answer from a phone; come back once the service has heeded it."""
    answered = twin.ask("POST", f"/phones/{phone}/reply", {"to": SENDER, "body": body})
    assert answered["webhook"] == {"status": 200, "attempts": 1, "error_code": None}


def test_after_stop_nothing_leaves_and_after_start_it_does_again(service: Sender, twin: Twin) -> None:
    shop = make(service)
    phone = number(507)
    answer(twin, phone, " Stop ")
    write(service, phone, body="one")
    eventually(lambda: all_are(service, shop, "suppressed"), what="a decision")
    assert [row["reason"] for row in rows_of(service, shop)] == ["opted_out"]
    assert twin.posts() == {}
    answer(twin, phone, "START")
    write(service, phone, body="two")
    eventually(lambda: len(rows_of(service, shop)) == 2, what="a decision")
    eventually(lambda: "two" in twin.texts(phone), what="a text")


def test_a_stop_is_heeded_by_texts_that_wait_already(service: Sender, twin: Twin) -> None:
    """Twilio is busy, and the texts are written down; then the person says STOP."""
    shop = make(service)
    phone = number(508)
    twin.break_({"fault": "429"})
    write(service, phone)
    eventually(lambda: len(twin.requests()) >= 1, what="a try")
    answer(twin, phone, "STOP")
    tried = len(twin.requests())
    twin.mend()
    eventually(lambda: all_are(service, shop, "suppressed"), what="a last look")
    assert [row["reason"] for row in rows_of(service, shop)] == ["opted_out"]
    assert [request["outcome"] for request in twin.requests()[tried:]] == []
    answer(twin, phone, "START")


def test_what_is_no_keyword_changes_nothing(service: Sender, twin: Twin) -> None:
    make(service)
    phone = number(509)
    answer(twin, phone, "please stop it, thanks")
    answer(twin, phone, "HELP")
    write(service, phone, body="one")
    eventually(lambda: "one" in twin.texts(phone), what="a text")


def test_an_opt_out_that_only_twilio_knew_is_learnt_from_its_refusal(service: Sender, twin: Twin) -> None:
    shop = make(service)
    phone = number(510)
    twin.ask("POST", "/config", {"inbound_url": None})
    twin.ask("POST", f"/phones/{phone}/reply", {"to": SENDER, "body": "STOP"})
    write(service, phone)
    eventually(lambda: all_are(service, shop, "failed"), what="a refusal")
    (row,) = rows_of(service, shop)
    assert (row["reason"], row["error_code"]) == ("opted_out", 21610)
    write(service, phone, body="again")
    eventually(lambda: len(rows_of(service, shop)) == 2, what="a decision")
    assert rows_of(service, shop)[1]["status"] == "suppressed"
    assert twin.posts() == {phone: 1}
    (known,) = service.call("GET", f"/api/projects/1/opt_outs/?number={phone.replace('+', '%2B')}")["results"]
    assert known["source"] == "twilio_21610"


# ---- pace and fairness -----------------------------------------------------------------------------------------------


def test_a_sender_with_a_pace_gets_no_more_and_what_waits_says_until_when(service: Sender, twin: Twin) -> None:
    shop = make(service, smspipe={"pace": 2})
    write(service, *map(number, range(8)))
    eventually(lambda: len(rows_of(service, shop)) == 8, what="the decisions")
    waiting = service.call("GET", f"/api/projects/1/deliveries/?destination={shop}&status=pending")["results"]
    assert len(waiting) >= 4
    assert all(row["not_before"] for row in waiting)
    eventually(lambda: len(twin.requests()) == 8, what="all texts")
    at = [datetime.fromisoformat(request["at"]).timestamp() for request in twin.requests()]
    for first, early in enumerate(at):
        for last in range(first, len(at)):
            # over any span: the pace, a second's worth ahead, and one text; a request may be late, never early
            assert last - first + 1 <= 2 * (at[last] - early + 1) + 1 + 1e-6
    assert at[-1] - at[0] >= 2.4


def test_a_destination_with_many_texts_does_not_keep_anothers_few_waiting(service: Sender, twin: Twin) -> None:
    filters = [{"events": [{"id": name, "type": "events"}]} for name in ("many", "few")]
    many, few = (make(service, name, filters=each) for name, each in zip(("Many", "Few"), filters, strict=True))
    twin.break_({"fault": "latency", "seconds": 0.1})
    bodies = [
        batch(*({"event": "many", "distinct_id": str(nth), "properties": {"phone": number(3000 + nth), "body": "many"}}
                for nth in range(first, first + 100)))
        for first in range(0, 600, 100)
    ]  # fmt: skip
    assert {*post_batches(service, bodies, connections=1)} == {200}
    write(service, *(number(4000 + nth) for nth in range(10)), body="few", event="few")
    eventually(lambda: len(twin.requests()) == 610, what="all texts")
    order = [request["form"]["Body"] for request in sorted(twin.requests(), key=lambda each: each["number"])]
    last_of_few = max(place for place, body in enumerate(order) if body == "few")
    assert last_of_few < 400, "the few came last"
    eventually(lambda: all_are(service, few, "delivered", 10), what="a report of the few")
    eventually(lambda: all_are(service, many, "delivered", 600), what="a report of the many")


def test_texts_of_one_destination_leave_oldest_first(service: Sender, twin: Twin) -> None:
    make(service, smspipe={"pace": 20})
    for nth in range(6):
        write(service, number(nth), body=str(nth))
    eventually(lambda: len(twin.requests()) == 6, what="all texts")
    ordered = sorted(twin.requests(), key=lambda each: each["number"])
    assert [request["form"]["Body"] for request in ordered] == [str(nth) for nth in range(6)]

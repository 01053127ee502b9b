"""SIGTERM: no more is taken, what is under way ends, and every answer is written down."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.service import eventually, twilio_destination
from tests.pipeline.town import Sender, Twin, batch, number, post_batches, sender_in, twin_in

DRAIN_SECONDS = 10
"""The most that an orderly end may take, with a Twilio that answers within it."""

pytestmark = pytest.mark.slow


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    with twin_in(tmp_path) as twin:
        yield twin


@pytest.fixture
def service(tmp_path: Path, twin: Twin) -> Iterator[Sender]:
    with sender_in(tmp_path, twin) as service:
        service.start()
        service.create(twilio_destination("Texts", to="{event.properties.phone}", body="Hi"))
        yield service


def events(n: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "event": "order shipped",
            "distinct_id": f"user-{nth}",
            "uuid": f"01950000-0000-7000-8000-{nth:012d}",
            "properties": {"phone": number(nth)},
        }
        for nth in range(first, first + n)
    ]


def fates(service: Sender) -> Counter[tuple[str, str | None]]:
    return Counter((row["status"], row["reason"]) for row in service.deliveries())


def test_slow_answers_are_waited_for_and_written_down(service: Sender, twin: Twin) -> None:
    """20 requests wait two seconds for their answers when SIGTERM comes: all of them end accepted."""
    twin.break_({"fault": "latency_after", "seconds": 2})
    assert service.capture(*events(20)).status == 200
    eventually(lambda: len(twin.requests()) == 20, what="20 requests at the sandbox")
    began = time.monotonic()
    assert service.stop() == 0
    assert 1 < time.monotonic() - began < DRAIN_SECONDS
    assert fates(service) == {("accepted", None): 20}
    assert set(twin.posts().values()) == {1}


def test_an_answer_that_does_not_come_in_time_leaves_the_text_in_doubt(service: Sender, twin: Twin) -> None:
    twin.break_({"fault": "no_answer", "seconds": 60})
    assert service.capture(*events(1)).status == 200
    eventually(lambda: len(twin.requests()) == 1, what="a request at the sandbox")
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < DRAIN_SECONDS + 3
    assert fates(service) == {("unconfirmed", "unconfirmed"): 1}

    twin.mend()
    service.start()
    service.wait_until_idle()
    assert fates(service) == {("unconfirmed", "unconfirmed"): 1}
    assert set(twin.posts().values()) == {1}


def test_what_waits_at_sigterm_is_sent_by_the_next_start(service: Sender, twin: Twin) -> None:
    """More texts than may be under way at once: the surplus waits in the ledger or the log, and none is in doubt."""
    twin.break_({"fault": "latency_after", "seconds": 1})
    sent = events(400)
    batches = [batch(*sent[at : at + 10]) for at in range(0, len(sent), 10)]
    assert set(post_batches(service, batches, connections=8)) == {200}
    assert service.stop() == 0
    left = fates(service)
    assert set(left) <= {("accepted", None), ("pending", None)}
    assert left["pending", None] > 0, "nothing waited: the test shows nothing"

    twin.mend()
    service.start()
    service.wait_until_idle()
    assert fates(service) == {("accepted", None): 400}
    assert set(twin.posts().values()) == {1}


def test_sigterm_under_load_loses_nothing_that_was_answered(service: Sender, twin: Twin) -> None:
    """Events keep coming over eight connections when SIGTERM comes; what was answered with 200 is texted once."""
    sent = events(3000)
    batches = [batch(each) for each in sent]
    answers: list[int | None] = []
    posting = threading.Thread(target=lambda: answers.extend(post_batches(service, batches, connections=8)))
    posting.start()
    eventually(lambda: len(twin.requests()) > 50, what="some requests at the sandbox")
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < DRAIN_SECONDS
    posting.join()
    acknowledged = {event["uuid"] for event, status in zip(sent, answers, strict=True) if status == 200}
    assert 0 < len(acknowledged) < len(sent), "the end came before the load, or after it: the test shows nothing"

    service.start()
    service.wait_until_idle()
    rows = service.deliveries()
    assert {row["status"] for row in rows} == {"accepted"}
    assert acknowledged <= {row["event_uuid"] for row in rows}
    assert set(twin.posts().values()) == {1}
    assert len(twin.posts()) == len(rows)

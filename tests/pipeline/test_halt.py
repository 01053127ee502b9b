"""Stop everything, with real processes: what leaves is counted where it arrives."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.acceptance.service import eventually, twilio_destination
from tests.pipeline.town import Sender, Twin, batch, number, post_batches, sender_in, twin_in

pytestmark = pytest.mark.slow


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    """A sandbox that answers after 50 ms, so that much is under way and much waits."""
    with twin_in(tmp_path) as made:
        made.break_({"fault": "latency", "seconds": 0.05})
        yield made


@pytest.fixture
def service(tmp_path: Path, twin: Twin) -> Iterator[Sender]:
    """A service with one destination, which texts every event."""
    with sender_in(tmp_path, twin, twilio_connections="8") as made:
        made.start()
        made.create(twilio_destination("All", to="{event.properties.to}", body="{event.properties.text}"))
        yield made


def an_event(nth: int, **more: Any) -> dict[str, Any]:
    """Make one of many events, each for a number of its own."""
    return {
        "uuid": str(UUID(int=0x0193_0000_0000_7000_8000_0000_0000_0000 + nth)),
        "event": "order shipped",
        "distinct_id": f"u{nth}",
        "properties": {"to": number(nth), "text": f"No. {nth}"},
        **more,
    }


def batches(first: int, last: int, size: int = 10) -> list[bytes]:
    """Write bodies of so many events each."""
    return [batch(*map(an_event, range(at, min(at + size, last)))) for at in range(first, last, size)]


def stop(service: Sender, why: str = "wrong filter") -> Any:
    """Stop everything."""
    return service.call("POST", "/api/projects/1/stop/", {"why": why, "by": "ada"})


def resume(service: Sender, held: str) -> Any:
    """Let texts leave again."""
    return service.call("POST", "/api/projects/1/resume/", {"held": held})


def own(service: Sender) -> Any:
    """Read what the project says of the stop."""
    found = service.call("GET", "/api/projects/1/")["smspipe"]
    return {"stopped": found["stopped"], "held": found["held"]}


def test_under_load_no_request_leaves_after_a_stop_and_nothing_is_lost(service: Sender, twin: Twin) -> None:
    load = threading.Thread(target=lambda: post_batches(service, batches(0, 1500), connections=4))
    load.start()
    eventually(lambda: len(twin.requests()) > 30, what="texts that leave")
    stopped = stop(service)
    arrived = len(twin.requests())
    load.join()
    assert service.ask("GET", "/readyz").status == 200
    eventually(lambda: service.statuses().get("held", 0) + service.statuses().get("accepted", 0) == 1500,
               what="every text sent before the stop, or held")  # fmt: skip
    time.sleep(0.2)  # longer than a request that had left takes to arrive
    assert len(twin.requests()) == arrived
    held = service.statuses()["held"]
    assert held == 1500 - arrived
    assert own(service) == {"stopped": stopped, "held": held}
    assert {row["reason"] for row in service.deliveries(status="held")} == {"paused"}

    assert resume(service, "send") == {"was_stopped": True, "sent": held, "dropped": 0, "kept": 0}
    service.wait_until_settled(1500)
    assert Counter(twin.posts().values()) == {1: 1500}
    assert own(service) == {"stopped": None, "held": 0}
    assert service.take_faults() == []


def test_a_stop_outlives_the_process_even_when_it_is_killed(service: Sender, twin: Twin) -> None:
    stop(service)
    service.kill()
    service.start()
    assert post_batches(service, batches(0, 30), connections=1) == [200] * 3
    eventually(lambda: service.statuses() == {"held": 30}, what="every text held")
    assert twin.requests() == []
    assert own(service)["stopped"]["why"] == "wrong filter"
    resume(service, "send")
    service.wait_until_settled(30)
    assert len(twin.requests()) == 30


def test_what_was_held_is_dropped_on_request_and_what_comes_later_is_sent(service: Sender, twin: Twin) -> None:
    stop(service)
    post_batches(service, batches(0, 700, size=100), connections=2)
    eventually(lambda: service.statuses() == {"held": 700}, what="every text held")
    assert resume(service, "drop") == {"was_stopped": True, "sent": 0, "dropped": 700, "kept": 0}
    assert {(row["status"], row["reason"]) for row in service.deliveries()} == {("suppressed", "paused")}
    post_batches(service, batches(700, 701), connections=1)
    service.wait_until_settled(701)
    assert list(twin.posts().values()) == [1]


def test_what_was_kept_stays_held_until_somebody_decides(service: Sender, twin: Twin) -> None:
    stop(service)
    post_batches(service, batches(0, 5), connections=1)
    eventually(lambda: service.statuses() == {"held": 5}, what="every text held")
    assert resume(service, "keep")["kept"] == 5
    (destination,) = service.call("GET", "/api/projects/1/hog_functions/")["results"]
    service.patch(destination["id"], {"enabled": False})
    service.patch(destination["id"], {"enabled": True})
    service.stop()
    service.start()
    assert own(service) == {"stopped": None, "held": 5}
    assert service.statuses() == {"held": 5}
    assert resume(service, "send") == {"was_stopped": False, "sent": 5, "dropped": 0, "kept": 0}
    service.wait_until_settled(5)
    assert len(twin.requests()) == 5


def test_the_test_panel_sends_nothing_during_a_stop(service: Sender, twin: Twin) -> None:
    stop(service)
    (destination,) = service.call("GET", "/api/projects/1/hog_functions/")["results"]
    globals_ = {"event": {"event": "e", "distinct_id": "u", "properties": {"to": number(1), "text": "Hi"}}}
    tried = service.call("POST", f"/api/projects/1/hog_functions/{destination['id']}/invocations/",
                         {"globals": globals_, "mock_async_functions": False})  # fmt: skip
    assert tried["status"] == "error"
    assert "Everything is stopped" in str(tried)
    assert twin.requests() == []


def test_a_second_stop_tells_of_the_first(service: Sender) -> None:
    first = stop(service)
    assert stop(service, "another") == first
    resume(service, "keep")
    assert stop(service, "another")["why"] == "another"

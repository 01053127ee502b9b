"""A disk without space: what is not on it is not acknowledged, and all goes on when there is space again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.service import TOKEN, Answer, Service, eventually, twilio_destination
from tests.acceptance.small_disk import SmallDisk, small_disk
from tests.acceptance.test_capture_robust import V1

MEBIBYTE = 2**20
RETRY = "transient error, please retry"

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 12 MiB."""
    with small_disk(tmp_path / "disk", 12) as disk:
        yield disk


@pytest.fixture
def service(disk: SmallDisk, tmp_path: Path, phone: str) -> Iterator[Service]:
    """A service on the small disk, with a destination that texts the order of every event."""
    data = disk.folder / "data"
    service = Service(data, tmp_path / "log", within=disk.within)
    service.start()
    service.create(twilio_destination("Orders", to=phone, body="order {event.properties.order}"))
    yield service
    if service.running:
        service.kill()


class Customer:
    """Orders, and remembers what was acknowledged."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._orders = 0
        self.acknowledged: list[str] = []

    def order(self, filling_bytes: int = 0) -> Answer:
        """Order once; an answer is 200, or 503 as PostHog's SDKs know it."""
        self._orders += 1
        order = f"n{self._orders}"
        properties: dict[str, Any] = {"order": order, "filling": "x" * filling_bytes}
        answer = self._service.capture({"event": "ordered", "distinct_id": "u", "properties": properties})
        assert answer.status in (200, 503)
        if answer.status == 200:
            self.acknowledged.append(f"order {order}")
        else:
            assert (answer.text, answer.headers["retry-after"]) == (RETRY, "1")
        return answer

    def order_until(self, status: int) -> None:
        """Order until the answer is as wished."""
        eventually(lambda: self.order(100_000 if status == 503 else 0).status == status, what=f"an answer {status}")


def complaints(service: Service) -> set[str]:
    """What the service complained of, in its own words; every line is one of its own, and none holds an order."""
    lines = service.take_faults()
    assert [line for line in lines if not line.startswith("{")] == []
    assert "order n" not in "".join(lines)
    return {json.loads(line)["event"] for line in lines}


def test_a_full_disk_is_answered_with_503_and_nothing_acknowledged_is_lost(
    service: Service, disk: SmallDisk, phone: str
) -> None:
    customer = Customer(service)
    for _ in range(20):
        assert customer.order().status == 200
    service.forget_peak()
    before = service.memory_bytes()

    disk.fill()
    customer.order_until(503)
    for _ in range(150):
        customer.order(100_000)
    assert service.ask("GET", "/flags/").status == 200
    refused = service.ask("POST", "/i/v1/analytics/events", v1_batch("full"), V1)
    assert refused.status == 503
    assert (refused.json["error"], refused.json["error_description"]) == ("service_unavailable", RETRY)
    assert service.peak_bytes() - before < 60 * MEBIBYTE

    disk.empty()
    customer.order_until(200)
    for _ in range(20):
        assert customer.order().status == 200

    service.wait_until_idle()
    assert service.texts(phone) == sorted(customer.acknowledged)
    assert complaints(service) <= {"fanout_failed", "ledger_unwritable"}
    assert service.stop() == 0


def v1_batch(order: str) -> bytes:
    """Write one order as capture v1 has it."""
    at = "2026-01-02T03:04:05Z"
    uuid = "01900000-0000-7000-8000-00000000000f"
    event = {"event": "ordered", "uuid": uuid, "distinct_id": "u", "timestamp": at, "properties": {"order": order}}
    return json.dumps({"created_at": at, "api_key": TOKEN, "batch": [event]}).encode()


def test_a_service_killed_on_a_full_disk_goes_on_when_there_is_space(
    service: Service, disk: SmallDisk, phone: str
) -> None:
    customer = Customer(service)
    for _ in range(5):
        customer.order()
    disk.fill(leave_bytes=MEBIBYTE)
    customer.order_until(503)
    service.kill()
    before = {row["event_uuid"]: row["status"] for row in service.rows("select event_uuid, status from deliveries")}

    disk.empty()
    service.start()
    customer.order_until(200)

    service.wait_until_idle()
    bodies = {row["body"]: row["status"] for row in service.rows("select body, status from deliveries")}
    assert sorted(bodies) == sorted(customer.acknowledged), before
    assert set(bodies.values()) <= {"accepted", "unconfirmed"}
    complaints(service)


def test_a_text_whose_answer_found_no_space_is_not_sent_twice(service: Service, disk: SmallDisk, phone: str) -> None:
    service.call("POST", "/sandbox/faults", [{"fault": "latency", "seconds": 0.5}])
    customer = Customer(service)
    assert customer.order().status == 200
    eventually(lambda: service.rows("select 1 from deliveries where status = 'sending'"), what="a request under way")
    disk.fill()
    customer.order_until(503)
    eventually(lambda: service.texts(phone), what="the text")
    service.call("DELETE", "/sandbox/faults")

    disk.empty()
    customer.order_until(200)

    service.wait_until_idle()
    assert service.texts(phone) == sorted(customer.acknowledged)
    assert {row["status"] for row in service.rows("select status from deliveries")} == {"accepted"}
    complaints(service)


def test_a_service_that_starts_on_a_full_disk_says_so(
    disk: SmallDisk, own_service: Callable[..., Service], tmp_path: Path
) -> None:
    disk.fill()
    keys = {"SMSPIPE_SECRET_KEY": "x" * 48}
    service = Service(disk.folder / "data", tmp_path / "log", within=disk.within, environment=keys)
    with pytest.raises(AssertionError, match="ended at once"):
        service.start()

    assert service.take_faults() == []
    assert service.output().count("\n") == 1

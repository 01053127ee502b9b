"""How a service ends."""

from collections.abc import Callable

import pytest

from tests.acceptance.service import Service, eventually, twilio_destination

pytestmark = pytest.mark.slow


def test_sigterm_ends_it_with_everything_written_down(own_service: Callable[..., Service], phone: str) -> None:
    service = own_service()
    service.start()
    service.create(twilio_destination("All", to=phone, body="Hi"))
    service.call("POST", "/sandbox/faults", [{"fault": "latency", "seconds": 0.5}])
    assert service.capture({"event": "x", "distinct_id": "u"}).status == 200
    eventually(lambda: service.rows("select 1 from deliveries where status = 'sending'"), what="a request under way")

    assert service.stop() == 0

    assert service.rows("select status from deliveries") == [{"status": "accepted"}]
    counted = {row["name"]: row["total"] for row in service.rows("select name, total from destination_metrics")}
    assert counted["triggered"] == 1
    assert counted["succeeded"] == 1

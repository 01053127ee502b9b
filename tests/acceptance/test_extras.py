"""A text with media and the like, through the whole service: a retry asks Twilio for the same."""

from collections.abc import Iterator

import pytest

from tests.acceptance.service import twilio_destination
from tests.pipeline.town import Sender, Twin, number, sender_in, twin_in

PICTURE = "https://example.com/a.png"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with twin_in(tmp_path_factory.mktemp("twin")) as twin:
        yield twin


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> Iterator[Sender]:
    with sender_in(tmp_path_factory.mktemp("extras"), twin) as service:
        service.start()
        yield service
        assert service.stop() == 0


def test_a_retry_sends_what_was_decided_first(service: Sender, twin: Twin) -> None:
    destination = twilio_destination("Photos", to="{event.properties.phone}", body="It’s “here”")
    options = {"media_urls": ["{event.properties.image}"], "smart_encoded": True, "validity_period": 600}
    service.create({**destination, "smspipe": options})
    twin.break_({"fault": "429", "times": 1, "seconds": 0})
    phone, uuid = number(1), "01940000-0000-7000-8000-000000000001"
    event = {"event": "photo ready", "distinct_id": "ada", "uuid": uuid}
    assert service.capture({**event, "properties": {"phone": phone, "image": PICTURE}}).status == 200
    service.wait_until_idle()
    assert twin.posts() == {phone: 2}
    (text,) = twin.ask("GET", "/inbox")["results"]
    assert (text["body"], text["sid"][:2]) == ('It\'s "here"', "MM")
    (delivery,) = service.deliveries(event_uuid=uuid)
    assert (delivery["attempts"], delivery["segments"], delivery["body"]) == (2, 1, "It’s “here”")
    shown = service.call("GET", f"/api/projects/1/deliveries/{delivery['id']}/")
    assert shown["extras"] == {"media_urls": [PICTURE], "smart_encoded": True, "validity_period": 600}

"""PostHog's Python SDK, as its users call it, with nothing but its host changed."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from posthog import Posthog
from posthog.capture_mode import CaptureMode

from tests.acceptance.service import TOKEN, Service, told

Sdk = Callable[..., Posthog]

pytestmark = pytest.mark.slow


@pytest.fixture(
    params=[
        pytest.param({}, id="plain"),
        pytest.param({"gzip": True}, id="gzip"),
        pytest.param({"sync_mode": True}, id="sync"),
        pytest.param({"capture_mode": "v1"}, id="v1"),
        pytest.param({"capture_mode": "v1", "gzip": True}, id="v1-gzip"),
        pytest.param({"capture_mode": "v1", "sync_mode": True}, id="v1-sync"),
    ]
)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Ways to set the SDK up."""
    return dict(request.param)


@pytest.fixture
def sdk(service: Service, caplog: pytest.LogCaptureFixture) -> Iterator[Sdk]:
    """Make clients; one that meets an error, or has anything to warn of, fails its test."""
    caplog.set_level(logging.DEBUG, "posthog")
    made: list[Posthog] = []
    errors: list[tuple[Exception, object]] = []

    def make(**options: Any) -> Posthog:
        made.append(
            Posthog(
                TOKEN,
                host=service.address,
                on_error=lambda error, batch: errors.append((error, batch)),
                **{"max_retries": 0, "flush_interval": 0.1, **options},
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.shutdown()
    assert errors == []
    complaints = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("posthog") and record.levelno >= logging.WARNING
    ]
    assert complaints == []


def test_an_event_is_texted_to_the_person_that_it_set_itself(
    service: Service, sdk: Sdk, options: dict[str, Any], distinct_id: str, phone: str
) -> None:
    posthog = sdk(**options)
    uuid = posthog.capture(
        "order shipped",
        distinct_id=distinct_id,
        properties={
            "order": "o-1",
            "$set": {"name": "Ada O'Brien & Søn", "phone": phone},
            "$set_once": {"plan": "pro"},
        },
    )
    posthog.shutdown()

    service.assert_texts(phone, told("order shipped", "Ada O'Brien & Søn", "pro", "o-1"))
    (delivery,) = service.rows('select event, distinct_id, event_uuid from deliveries where "to" = ?', phone)
    assert delivery == {"event": "order shipped", "distinct_id": distinct_id, "event_uuid": str(uuid)}


def test_set_overwrites_and_set_once_does_not(
    service: Service, sdk: Sdk, options: dict[str, Any], distinct_id: str, phone: str
) -> None:
    posthog = sdk(**options)
    posthog.set(distinct_id=distinct_id, properties={"name": "Ada", "phone": phone})
    posthog.set_once(distinct_id=distinct_id, properties={"name": "Nobody", "plan": "free"})
    posthog.set(distinct_id=distinct_id, properties={"name": "Grace"})
    posthog.capture("done", distinct_id=distinct_id, properties={"order": 7})
    posthog.shutdown()

    service.assert_texts(
        phone,
        told("$set", "Ada"),
        told("$set_once", "Ada", "free"),
        told("$set", "Grace", "free"),
        told("done", "Grace", "free", "7"),
    )
    person = service.person(distinct_id)
    assert person is not None
    assert person["properties"] == {"name": "Grace", "phone": phone, "plan": "free"}


def test_an_alias_leads_to_the_same_person(
    service: Service, sdk: Sdk, options: dict[str, Any], distinct_id: str, phone: str
) -> None:
    posthog = sdk(**options)
    visitor = f"visitor of {distinct_id}"
    posthog.capture("looked", distinct_id=visitor, properties={"$set": {"plan": "trial"}})
    posthog.capture("signed up", distinct_id=distinct_id, properties={"$set": {"name": "Ada"}})
    posthog.alias(previous_id=visitor, distinct_id=distinct_id)
    posthog.capture("came back", distinct_id=visitor, properties={"$set": {"phone": phone}, "order": "o-2"})
    posthog.shutdown()

    service.assert_texts(phone, told("came back", "Ada", "trial", "o-2"))
    person = service.person(distinct_id)
    assert person is not None
    assert person["distinct_ids"] == sorted([distinct_id, visitor])


def test_a_group_has_the_properties_that_were_given_to_it(
    service: Service, sdk: Sdk, options: dict[str, Any], distinct_id: str, phone: str
) -> None:
    posthog = sdk(**options)
    posthog.group_identify("company", distinct_id, {"tier": "gold", "seats": 5})
    posthog.capture("bought", distinct_id=distinct_id, properties={"$set": {"phone": phone, "name": "Ada"}},
                    groups={"company": distinct_id})  # fmt: skip
    posthog.shutdown()

    service.assert_texts(phone, told("bought", "Ada"))
    assert service.groups("company")[distinct_id] == {"tier": "gold", "seats": 5}


@pytest.mark.parametrize("mode", ["v0", "v1"])
@pytest.mark.parametrize("gzip", [False, True])
def test_a_long_queue_arrives_in_batches_and_in_order(
    service: Service, sdk: Sdk, mode: str, gzip: bool, distinct_id: str, phone: str
) -> None:
    posthog = sdk(capture_mode=mode, gzip=gzip, flush_at=20)
    before = len(service.rows("select position from requests"))
    for number in range(95):
        posthog.capture("counted", distinct_id=distinct_id, properties={"$set": {"name": str(number)}})
    posthog.capture("counted all", distinct_id=distinct_id, properties={"$set": {"phone": phone}})
    posthog.shutdown()

    service.assert_texts(phone, told("counted all", "94"))
    assert 5 <= len(service.rows("select position from requests")) - before <= 10


def test_the_environment_chooses_capture_v1(
    service: Service, sdk: Sdk, distinct_id: str, phone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTHOG_CAPTURE_MODE", "v1")
    posthog = sdk()
    assert posthog.capture_mode is CaptureMode.V1
    posthog.capture("hello", distinct_id=distinct_id, properties={"$set": {"phone": phone, "name": "Ada"}})
    posthog.shutdown()

    service.assert_texts(phone, told("hello", "Ada"))
    doors = service.rows("select door from requests order by position desc limit 1")
    assert doors == [{"door": "v1"}]


def test_a_value_of_any_kind_arrives_as_it_was(service: Service, sdk: Sdk, distinct_id: str, phone: str) -> None:
    posthog = sdk(gzip=True)
    at = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    value = {"text": 'quote " backslash \\ 👋 \u2028', "number": 2**53, "float": 1.5, "none": None, "yes": True,
             "list": [1, [2, {"three": 3}]]}  # fmt: skip
    posthog.set(distinct_id=distinct_id, properties={"phone": phone, "value": value, "at": at})
    posthog.shutdown()

    service.assert_texts(phone, told("$set"))
    person = service.person(distinct_id)
    assert person is not None
    assert person["properties"]["value"] == value
    assert datetime.fromisoformat(person["properties"]["at"]) == at


def test_old_events_keep_their_time_and_are_not_texted_when_imported(
    service: Service, sdk: Sdk, distinct_id: str, phone: str
) -> None:
    posthog = sdk(historical_migration=True)
    at = datetime.now(UTC) - timedelta(days=400)
    posthog.capture("imported", distinct_id=distinct_id, timestamp=at, properties={"$set": {"phone": phone}})
    posthog.shutdown()

    service.assert_texts(phone)
    (row,) = service.rows("select status, reason, event from deliveries where distinct_id = ?", distinct_id)
    assert row == {"status": "suppressed", "reason": "historical", "event": "imported"}


@pytest.mark.filterwarnings("ignore:`get_feature_flag` is deprecated", "ignore:`feature_enabled` is deprecated")
def test_flags_are_answered_and_say_that_there_are_none(service: Service, sdk: Sdk, distinct_id: str) -> None:
    posthog = sdk()
    assert posthog.get_feature_flag("new-checkout", distinct_id) is None
    assert posthog.feature_enabled("new-checkout", distinct_id) in (None, False)
    assert posthog.get_all_flags(distinct_id) == {}
    assert posthog.get_all_flags_and_payloads(distinct_id) == {"featureFlags": {}, "featureFlagPayloads": {}}


def test_an_exception_is_an_event_like_any_other(service: Service, sdk: Sdk, distinct_id: str, phone: str) -> None:
    posthog = sdk()
    posthog.set(distinct_id=distinct_id, properties={"phone": phone, "name": "Ada"})
    posthog.capture_exception(ValueError("no"), distinct_id=distinct_id)
    posthog.shutdown()

    service.assert_texts(phone, told("$set", "Ada"), told("$exception", "Ada"))

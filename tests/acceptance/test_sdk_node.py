"""PostHog's Node SDK, as its users call it, with nothing but its host changed."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.service import TOKEN, Service, told
from tests.support.npm import NODE, npm_package

VERSION: Final = "5.70.0"
SCRIPT: Final = Path(__file__).with_name("posthog_node.cjs")
_COMPLAINT: Final = re.compile(r"^\[(warn|error)|error|fail|retry", re.IGNORECASE)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def posthog_node() -> Path:
    """The SDK's folder."""
    return npm_package("posthog-node", VERSION)


class Sdk:
    """Programs that use the SDK."""

    def __init__(self, package: Path, service: Service) -> None:
        self._package = package
        self._service = service

    def run(self, *calls: tuple[Any, ...], **options: Any) -> list[Any]:
        """Make calls in order, then `shutdown()`; give their results. An error or a warning of the SDK fails."""
        program = {"token": TOKEN, "host": self._service.address, "options": options, "calls": calls}
        done = subprocess.run(
            [NODE, SCRIPT],
            input=json.dumps(program),
            env={**os.environ, "NODE_PATH": str(self._package.parent)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        said = json.loads(done.stdout)
        assert said["errors"] == []
        complaints = [line for line in said["said"] if _COMPLAINT.search(line) and "is deprecated" not in line]
        assert complaints == []
        results: list[Any] = said["results"]
        return results


@pytest.fixture
def sdk(posthog_node: Path, service: Service) -> Sdk:
    """The SDK, with the service as its host."""
    return Sdk(posthog_node, service)


def test_an_event_is_texted_to_the_person_that_was_identified(
    service: Service, sdk: Sdk, distinct_id: str, phone: str
) -> None:
    sdk.run(
        ("identify", {"distinctId": distinct_id, "properties": {"name": "Ada O'Brien & Søn", "phone": phone}}),
        ("capture", {"distinctId": distinct_id, "event": "order shipped", "properties": {"order": "o-1"}}),
    )

    service.assert_texts(
        phone, told("$identify", "Ada O'Brien & Søn"), told("order shipped", "Ada O'Brien & Søn", order="o-1")
    )


def test_set_overwrites_and_set_once_does_not(service: Service, sdk: Sdk, distinct_id: str, phone: str) -> None:
    sdk.run(
        ("identify", {"distinctId": distinct_id, "properties": {"$set": {"name": "Ada", "plan": "free"}}}),
        ("identify", {"distinctId": distinct_id, "properties": {"$set_once": {"plan": "pro", "seen": "today"}}}),
        (
            "capture",
            {"distinctId": distinct_id, "event": "x", "properties": {"$set": {"name": "Grace", "phone": phone}}},
        ),
    )

    service.assert_texts(phone, told("x", "Grace", "free"))
    person = service.person(distinct_id)
    assert person is not None
    assert {"name": "Grace", "plan": "free", "seen": "today", "phone": phone}.items() <= person["properties"].items()


def test_an_alias_leads_to_the_same_person(service: Service, sdk: Sdk, distinct_id: str, phone: str) -> None:
    visitor = f"visitor of {distinct_id}"
    sdk.run(
        ("capture", {"distinctId": visitor, "event": "looked", "properties": {"$set": {"plan": "trial"}}}),
        ("capture", {"distinctId": distinct_id, "event": "signed up", "properties": {"$set": {"name": "Ada"}}}),
        ("alias", {"distinctId": distinct_id, "alias": visitor}),
        ("capture", {"distinctId": visitor, "event": "came back", "properties": {"$set": {"phone": phone}}}),
    )

    service.assert_texts(phone, told("came back", "Ada", "trial"))
    person = service.person(distinct_id)
    assert person is not None
    assert person["distinct_ids"] == sorted([distinct_id, visitor])


def test_a_group_has_the_properties_that_were_given_to_it(
    service: Service, sdk: Sdk, distinct_id: str, phone: str
) -> None:
    sdk.run(
        ("groupIdentify", {"groupType": "company", "groupKey": distinct_id, "properties": {"tier": "gold"}}),
        (
            "capture",
            {
                "distinctId": distinct_id,
                "event": "bought",
                "groups": {"company": distinct_id},
                "properties": {"$set": {"phone": phone, "name": "Ada"}},
            },
        ),
    )

    service.assert_texts(phone, told("bought", "Ada"))
    assert service.groups("company")[distinct_id] == {"tier": "gold"}


@pytest.mark.parametrize("options", [{}, {"disableCompression": True}], ids=["gzip", "plain"])
def test_a_long_queue_arrives_in_batches_and_in_order(
    service: Service, sdk: Sdk, options: dict[str, Any], distinct_id: str, phone: str
) -> None:
    before = len(service.rows("select position from requests"))
    count = [
        ("capture", {"distinctId": distinct_id, "event": "counted", "properties": {"$set": {"name": str(number)}}})
        for number in range(95)
    ]
    last = {"distinctId": distinct_id, "event": "counted all", "properties": {"$set": {"phone": phone}}}
    sdk.run(*count, ("capture", last), flushAt=20, maxBatchSize=20, **options)

    service.assert_texts(phone, told("counted all", "94"))
    assert 5 <= len(service.rows("select position from requests")) - before <= 20


def test_an_event_that_must_not_wait_is_there_when_the_call_returns(
    service: Service, sdk: Sdk, distinct_id: str, phone: str
) -> None:
    properties = {"$set": {"phone": phone}, "order": "o-1"}
    sdk.run(("captureImmediate", {"distinctId": distinct_id, "event": "now", "properties": properties}))

    service.assert_texts(phone, told("now", order="o-1"))


def test_flags_are_answered_and_say_that_there_are_none(sdk: Sdk, distinct_id: str) -> None:
    found = sdk.run(
        ("getFeatureFlag", "new-checkout", distinct_id),
        ("isFeatureEnabled", "new-checkout", distinct_id),
        ("getAllFlags", distinct_id),
        ("getAllFlagsAndPayloads", distinct_id),
    )

    assert found == [None, None, {}, {"featureFlags": {}, "featureFlagPayloads": {}}]

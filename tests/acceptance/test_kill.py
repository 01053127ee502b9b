"""
The process is killed at every labelled step, again and again, and takes up what it left.

A life ends by SIGKILL at a step, the next one begins on the same folder. Whoever got no answer sends the same events
again, as SDKs do. In the end every event that was answered with 200 has its outcome, and no phone got two requests.
`SMSPIPE_TEST_KILLS` says how often each step kills (3), `SMSPIPE_TEST_SEED` makes other chance of it.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smspipe.telemetry import STEPS
from tests.acceptance.service import eventually, twilio_destination
from tests.pipeline.town import Sender, Twin, batch, number, post_batches, sender_in, twin_in

KILLS = int(os.environ.get("SMSPIPE_TEST_KILLS", "3"))
SEED = os.environ.get("SMSPIPE_TEST_SEED", "0")
SLOTS = 128
"""Deliveries that may be SENDING at once, and so the most that one death can leave in doubt."""
CONNECTIONS = 8
COOLDOWN_KEYS = 25
MOST_ROUNDS = 30

ASKING = ("receipt.", "sweep.")
"""How the steps begin that are met only where Twilio reports, or is asked."""
PLAIN_STEPS = [step for step in STEPS if not step.startswith(ASKING)]
FAULTS = (
    {"fault": "reset_after", "probability": 0.15},
    {"fault": "500_before", "probability": 0.15, "times": 40},
    {"fault": "callbacks_lost", "probability": 0.2},
    {"fault": "callbacks_doubled", "probability": 0.3},
)
SETTLED_SECONDS = 200.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twin]:
    with twin_in(tmp_path_factory.mktemp("twin")) as twin:
        yield twin


@pytest.fixture(scope="module")
def destinations(tmp_path_factory: pytest.TempPathFactory, twin: Twin) -> tuple[Path, dict[str, str]]:
    """Prepare a data folder once; give it with the destination's id for each event that leads to a text."""
    folder = tmp_path_factory.mktemp("prepared") / "data"
    service = Sender(folder, twin)
    service.start()
    ids = {
        "text": service.create(
            twilio_destination("Plain", to="{event.properties.phone}", body="{event.event}", filters=filter_of("text"))
        ),
        "cool": service.create(
            twilio_destination(
                "Cool",
                to="{event.properties.phone}",
                body="{event.properties.group}",
                filters=filter_of("cool"),
                masking={"hash": "{event.properties.group}", "ttl": 86400},
            )
        ),
    }
    assert service.stop() == 0
    return folder, ids


@pytest.fixture
def service(tmp_path: Path, twin: Twin, destinations: tuple[Path, dict[str, str]]) -> Iterator[Sender]:
    """A service, not yet started, on a copy of the prepared folder."""
    twin.ask("POST", "/reset")
    shutil.copytree(destinations[0], tmp_path / "data")
    with sender_in(tmp_path, twin) as service:
        yield service


class Crowd:
    """Events on their way to the service, each for a phone of its own, and what was answered."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._made = 0
        self._unanswered: list[list[dict[str, Any]]] = []
        self.acknowledged: dict[str, dict[str, Any]] = {}
        """Answered with 200: uuid → event."""

    def press(self, service: Sender) -> None:
        """Post some batches at once: what was not answered before comes again, with its uuids."""
        batches = self._unanswered + [self._batch() for _ in range(CONNECTIONS * 2)]
        answers = post_batches(service, [batch(*each) for each in batches], connections=CONNECTIONS)
        assert {*answers} <= {200, None}
        self._unanswered = []
        for events, status in zip(batches, answers, strict=True):
            if status == 200:
                self.acknowledged.update((event["uuid"], event) for event in events)
            else:
                self._unanswered.append(events)

    def _batch(self) -> list[dict[str, Any]]:
        return [self._event() for _ in range(self._chance.choice((1, 1, 2, 5)))]

    def _event(self) -> dict[str, Any]:
        self._made += 1
        return {
            "event": self._chance.choice(("text", "cool", "nothing")),
            "distinct_id": f"user-{self._made % 40}",
            "uuid": f"01930000-0000-7000-8000-{self._made:012d}",
            "properties": {"phone": number(self._made), "group": self._made % COOLDOWN_KEYS},
        }


def filter_of(event: str) -> dict[str, Any]:
    return {"events": [{"id": event, "name": event, "type": "events"}]}


def kill_at(service: Sender, crowd: Crowd, step: str, chance: random.Random, most: int = 13) -> None:
    """Live until the step's n-th time, `most` at most, and die there."""
    nth = chance.choice([each for each in (1, 1, 2, 3, 5, 8, 13) if each <= most])
    if service.launch(crash_at=f"{step}:{nth}"):
        for _ in range(MOST_ROUNDS):
            crowd.press(service)
            if not service.running:
                break
    assert service.wait_for_end() == -9, f"it was not killed at {step}"


@pytest.mark.timeout(300 + KILLS * len(STEPS) * 20)
def test_after_kills_at_every_step_amid_lost_answers_and_reports_all_is_settled(
    tmp_path: Path, twin: Twin, destinations: tuple[Path, dict[str, str]]
) -> None:
    """One service dies at each labelled step in turn; in the end nothing is in doubt, and no phone has two texts."""
    chance = random.Random(f"{SEED} settled")
    twin.ask("POST", "/reset")
    shutil.copytree(destinations[0], tmp_path / "data")
    with sender_in(tmp_path, twin, callbacks=True) as service:
        twin.break_(*FAULTS)
        crowd = Crowd(chance)
        for step in chance.sample(STEPS, len(STEPS)) * max(1, KILLS // 3):
            kill_at(service, crowd, step, chance, most=3 if step.startswith(ASKING) else 13)
        service.start()
        crowd.press(service)
        twin.mend()
        eventually(lambda: service.rows("select count(*) as n from deliveries")[0]["n"] > 0, what="decisions")
        service.wait_until_idle()
        rows = len(service.deliveries())
        seconds = service.wait_until_settled(rows, within=SETTLED_SECONDS)
        print(f"{rows} deliveries, settled {seconds:.0f} s after the last start: {service.statuses()}")

        assert {row["status"] for row in service.deliveries()} <= {"accepted", "delivered", "suppressed"}
        received = Counter(each["to"] for each in twin.ask("GET", "/inbox")["results"])
        assert {to: n for to, n in received.items() if n > 1} == {}
        sent = {row["to"] for row in service.deliveries() if row["status"] != "suppressed"}
        assert {*received} == sent
        rows_of = Counter(row["event_uuid"] for row in service.deliveries())
        wanted = {uuid for uuid, event in crowd.acknowledged.items() if event["event"] != "nothing"}
        assert wanted <= {*rows_of}
        assert {*rows_of.values()} == {1}
        check_the_log(service)
        assert service.counted("smspipe_second_texts_total") == 0
        assert service.stop() == 0


@pytest.mark.parametrize("step", PLAIN_STEPS)
def test_a_kill_at_any_step_loses_no_event_and_doubles_no_text(
    step: str, service: Sender, twin: Twin, destinations: tuple[Path, dict[str, str]]
) -> None:
    """Every event that was answered with 200 is accepted, suppressed or visibly in doubt, after any number of kills."""
    _, ids = destinations
    chance = random.Random(f"{SEED} {step}")
    crowd = Crowd(chance)
    for _ in range(KILLS):
        kill_at(service, crowd, step, chance)
    service.start()
    crowd.press(service)
    service.wait_until_idle()

    assert crowd.acknowledged
    check_every_event_has_its_outcome(service, crowd, ids)
    check_no_text_is_doubled(service, twin)
    check_cooldown_places(service, ids["cool"])
    check_the_log(service)
    assert service.stop() == 0


def test_a_kill_between_request_and_answer_leaves_the_text_in_doubt(
    service: Sender, twin: Twin, destinations: tuple[Path, dict[str, str]]
) -> None:
    """Twilio has taken the texts and not answered yet: they are in doubt, or found in its list, and never repeated."""
    _, ids = destinations
    crowd = Crowd(random.Random(0))
    service.start()
    twin.break_({"fault": "latency_after", "seconds": 20})
    crowd.press(service)
    eventually(lambda: len(twin.requests()) > 10, what="requests at the sandbox")
    service.kill()
    left = {record["to"] for record in twin.requests()}
    twin.mend()

    service.start()
    service.wait_until_idle()
    check_every_event_has_its_outcome(service, crowd, ids)
    check_no_text_is_doubled(service, twin)
    check_cooldown_places(service, ids["cool"])
    fates = {row["to"]: (row["status"], row["attempts"]) for row in service.deliveries() if row["to"] in left}
    assert left == fates.keys()
    assert set(fates.values()) <= {("unconfirmed", 1), ("accepted", 1), ("delivered", 1)}
    assert service.stop() == 0


def check_every_event_has_its_outcome(service: Sender, crowd: Crowd, destinations: dict[str, str]) -> None:
    rows = {(row["event_uuid"], row["destination_id"]): row for row in service.deliveries()}
    assert len(rows) == len(service.deliveries()), "an event stands in the ledger twice"
    for uuid, event in crowd.acknowledged.items():
        for name, destination in destinations.items():
            row = rows.get((uuid, destination))
            assert (row is not None) is (event["event"] == name), (uuid, event["event"])
    # What was in doubt is asked about while the test runs, and may have been found and have arrived by now.
    allowed = {("accepted", None), ("delivered", None), ("suppressed", "cooldown"), ("unconfirmed", "unconfirmed")}
    assert {(row["status"], row["reason"]) for row in rows.values()} <= allowed
    in_doubt = [row for row in rows.values() if row["status"] == "unconfirmed"]
    assert len(in_doubt) <= KILLS * SLOTS
    for row in in_doubt:
        assert row["error_message"], "who reads of a delivery in doubt must learn why"


def check_no_text_is_doubled(service: Sender, twin: Twin) -> None:
    posts = twin.posts()
    assert {to: n for to, n in posts.items() if n > 1} == {}
    for row in service.deliveries():
        sent = posts.get(row["to"], 0)
        match row["status"]:
            case "accepted" | "delivered":
                assert sent == 1, "the ledger says that there is a text, and nothing came"
                assert row["sid"]
            case "suppressed":
                assert sent == 0, "a text was sent that was decided against"
        assert row["attempts"] >= sent, "a request left that was not written down"
    known = {row["to"] for row in service.deliveries()}
    assert {*posts} <= known, "a text was sent that the ledger knows nothing of"


def check_cooldown_places(service: Sender, destination: str) -> None:
    """At most one text a key, also where the one let through is in doubt; the window counts every event it met."""
    rows = service.deliveries(destination_id=destination)
    through = [row for row in rows if row["status"] != "suppressed"]
    windows = {row["owner"]: row for row in service.rows("select * from cooldowns")}
    assert {*windows} == {row["id"] for row in through}
    assert all(not window["vacant"] for window in windows.values())
    per_key = Counter(row["body"] for row in through)
    assert {key: n for key, n in per_key.items() if n > 1} == {}
    assert sum(window["entered"] for window in windows.values()) == len(rows)


def check_the_log(service: Sender) -> None:
    """The reader has come to the log's end, and every request in the log was indexed."""
    (last,) = service.rows("select max(position) as position, count(*) as n from requests")
    assert last["position"] == last["n"], "a position was left out"
    assert service.rows("select name, position from cursors") == [{"name": "fanout", "position": last["position"]}]
    (indexed,) = service.rows("select count(distinct position) as n from event_index")
    assert indexed["n"] == last["n"]
    assert service.rows("pragma integrity_check") == [{"integrity_check": "ok"}]

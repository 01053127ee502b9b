"""
A thousand answers are lost, and in the end every phone has its one text: found out by asking, never by guessing.

What takes a minute of settling runs beside each other: each story has a sandbox and a service of its own, all begin
together, and each test waits for the end of one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.service import eventually, twilio_destination
from tests.pipeline.town import Sender, Twin, batch, number, post_batches, sender_in, twin_in

AFTER = ("500_after", "malformed", "html_502_after", "reset_after")
"""Faults that lose the answer to a text that Twilio took."""
BEFORE = ("500_before", "503", "html_502", "reset_before")
"""Faults that look the same, and Twilio took nothing."""
A_THOUSAND = 1000
PATIENCE_SECONDS = 240.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Story(NamedTuple):
    """A sandbox with faults, and a service that was given events for as many phones."""

    twin: Twin
    service: Sender
    events: int

    def settle(self) -> None:
        """Wait until every doubt is settled."""
        seconds = self.service.wait_until_settled(self.events, within=PATIENCE_SECONDS)
        print(f"{self.events} settled, the last {seconds:.0f} s after the test began; {self.service.statuses()}")

    def check(self, *, lost: int) -> None:
        """Hold what the phones have against the ledger: each one text, none of which anybody need look at."""
        requests = self.twin.requests()
        assert sum(request["outcome"] == "fault" for request in requests) == lost
        assert {to: n for to, n in Counter(self.received()).items() if n != 1} == {}
        assert len(self.received()) == self.events
        rows = self.service.deliveries()
        assert {row["status"] for row in rows} <= {"accepted", "delivered"}
        assert {row["reason"] for row in rows} == {None}
        taken = {request["to"]: request["sid"] for request in requests if request["sid"]}
        assert {row["to"]: row["sid"] for row in rows} == taken
        for row in rows:
            assert row["attempts"] == sum(request["to"] == row["to"] for request in requests)
        assert self.service.counted("smspipe_second_texts_total") == 0
        assert self.service.take_faults() == []

    def received(self) -> list[str]:
        """Give the recipient of each text that Twilio took."""
        return [each["to"] for each in self.twin.ask("GET", "/inbox")["results"]]


def tell(
    stack: ExitStack,
    folder: Path,
    faults: list[Mapping[str, Any]],
    *,
    events: int = A_THOUSAND,
    callbacks: bool = False,
) -> Story:
    """Begin a story: faults first, then the events at once."""
    folder.mkdir()
    twin = stack.enter_context(twin_in(folder))
    service = stack.enter_context(sender_in(folder, twin, callbacks=callbacks))
    service.start()
    service.create(twilio_destination("Plain", to="{event.properties.phone}", body="Order {event.properties.nth}."))
    twin.break_(*faults)
    bodies = [batch(*map(event, range(first, min(first + 50, events)))) for first in range(0, events, 50)]
    assert {*post_batches(service, bodies, connections=4)} == {200}
    return Story(twin, service, events)


def event(nth: int) -> dict[str, Any]:
    """Write an event for the nth phone."""
    return {"event": "order", "distinct_id": f"user {nth}", "properties": {"phone": number(nth), "nth": nth % 7}}


def each(faults: tuple[str, ...], times: int, probability: float = 1.0) -> list[Mapping[str, Any]]:
    """Write rules by which each fault strikes so often."""
    return [{"fault": fault, "times": times, "probability": probability} for fault in faults]


Stories = Mapping[str, Story]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stories]:
    folder = tmp_path_factory.mktemp("stories")
    with ExitStack() as stack:
        yield {
            "before": tell(stack, folder / "before", each(BEFORE, A_THOUSAND // len(BEFORE))),
            "mix": tell(stack, folder / "mix", each(AFTER + BEFORE, 25, 0.3), events=400),
            "after": tell(stack, folder / "after", each(AFTER, A_THOUSAND // len(AFTER))),
            "reported": tell(stack, folder / "reported", each(AFTER, A_THOUSAND // len(AFTER)), callbacks=True),
        }


def test_a_thousand_texts_whose_answer_was_lost_after_twilio_took_them_are_found_by_asking(stories: Stories) -> None:
    story = stories["after"]
    story.settle()
    story.check(lost=A_THOUSAND)
    assert {*story.twin.posts().values()} == {1}


def test_a_thousand_texts_whose_answer_was_lost_are_known_by_their_reports(stories: Stories) -> None:
    story = stories["reported"]
    story.settle()
    eventually(lambda: story.service.statuses() == {"delivered": A_THOUSAND}, what="a report of every text")
    story.check(lost=A_THOUSAND)
    assert {*story.twin.posts().values()} == {1}
    assert story.service.counted("smspipe_callbacks_refused_total") == 0


def test_a_thousand_texts_that_twilio_never_took_are_sent_again_once_that_is_proved(stories: Stories) -> None:
    story = stories["before"]
    story.settle()
    story.check(lost=A_THOUSAND)
    assert {*story.twin.posts().values()} == {2}


def test_a_mix_of_both_ends_with_one_text_each(stories: Stories) -> None:
    story = stories["mix"]
    story.settle()
    faults = Counter(request["fault"] for request in story.twin.requests() if request["outcome"] == "fault")
    assert {*faults} == {*AFTER, *BEFORE}
    story.check(lost=sum(faults.values()))
    tries = Counter(story.twin.posts().values())
    assert tries.keys() == {1, 2}
    assert tries[2] == sum(faults[each] for each in BEFORE)

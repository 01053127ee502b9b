"""The checker finds every kind of mistake, and nothing where there is none."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from bench.check import Post, Received, Verdict, check, quantile
from bench.events import SENDER, Events

EVENTS = Events(share=0.5, at=datetime(2026, 1, 2, tzinfo=UTC), token="phc_test")
NUMBERS = range(40)
MATCHING = [number for number in NUMBERS if EVENTS.matches(number)]
OTHER = next(number for number in NUMBERS if not EVENTS.matches(number))


def form(number: int, **changes: str) -> bytes:
    text = EVENTS.text(number)
    return urlencode({"To": text.to, "From": SENDER, "Body": text.body} | changes).encode()


def posts(status: int = 200) -> list[Post]:
    """Every event alone, each due a millisecond after the one before."""
    return [Post(number, number * 1_000_000, status) for number in NUMBERS]


def texts() -> list[Received]:
    """What must come of them, each a hundred milliseconds after it was due."""
    return [Received(n * 1_000_000 + 100_000_000, place, form(n)) for place, n in enumerate(MATCHING, 1)]


def judge(
    received: list[Received], sent: list[Post] | None = None, unconfirmed: frozenset[int] = frozenset()
) -> Verdict:
    return check(posts() if sent is None else sent, received, EVENTS, batch=1, unconfirmed=unconfirmed)


def faults(verdict: Verdict) -> tuple[int, int, int, int]:
    return verdict.in_doubt, verdict.lost, verdict.doubled, verdict.wrong


def test_nothing_is_found_where_all_is_well() -> None:
    verdict = judge(texts())
    assert (verdict.due, verdict.delivered) == (len(MATCHING), len(MATCHING))
    assert faults(verdict) == (0, 0, 0, 0)
    assert list(verdict.latencies_ns) == [100_000_000] * len(MATCHING)


def test_a_text_that_was_never_sent_is_lost() -> None:
    verdict = judge(texts()[1:])
    assert faults(verdict) == (0, 1, 0, 0)
    assert verdict.delivered == len(MATCHING) - 1


def test_a_text_that_was_sent_twice_is_doubled() -> None:
    assert faults(judge([*texts(), Received(10**12, 99, form(MATCHING[3]))])) == (0, 0, 1, 0)


def test_a_text_that_was_sent_three_times_is_doubled_twice() -> None:
    again = [Received(10**12, 99, form(MATCHING[3])), Received(10**12, 100, form(MATCHING[3]))]
    assert faults(judge([*texts(), *again])) == (0, 0, 2, 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda number: form(number, Body=EVENTS.text(number).body.replace("Hi", "Hello")),
        lambda number: form(number, Body=EVENTS.text(number).body + "\n"),
        lambda number: form(number, To="+14155550000"),
        lambda number: form(number, To=""),
        lambda number: form(number, From="+15005550001"),
        lambda number: form(number) + b"&To=%2B14155550000",
        lambda number: form(number).replace(b"%2B", b"+"),
        lambda number: b"",
    ],
    ids=["words", "line", "recipient", "no-recipient", "sender", "second-recipient", "plus-unencoded", "nothing"],
)
def test_a_text_that_differs_in_anything_is_wrong_and_the_right_one_lost(spoil: Callable[[int], bytes]) -> None:
    received = texts()
    received[5] = Received(received[5].at_ns, 6, spoil(MATCHING[5]))
    assert faults(judge(received)) == (0, 1, 0, 1)


@pytest.mark.parametrize(
    "number", [pytest.param(OTHER, id="of-an-event-that-does-not-match"), pytest.param(10_000, id="of-no-event")]
)
def test_a_text_that_must_not_be_is_wrong(number: int) -> None:
    assert faults(judge([*texts(), Received(10**12, 99, form(number))])) == (0, 0, 0, 1)


def test_a_refused_request_creates_nothing_and_the_next_one_counts() -> None:
    received = [*texts(), Received(5, 0, form(MATCHING[3]))]
    verdict = judge(received)
    assert faults(verdict) == (0, 0, 0, 0)
    assert judge([each for each in received if each.message != 4]).lost == 1


def test_latency_runs_to_the_first_request_though_it_was_refused() -> None:
    first = Received(MATCHING[3] * 1_000_000 + 1, 0, form(MATCHING[3]))
    assert judge([first, *texts()]).latencies_ns[0] == 1


def test_what_the_ledger_calls_unconfirmed_is_in_doubt_and_not_lost() -> None:
    assert faults(judge(texts()[1:], unconfirmed=frozenset(MATCHING[:1]))) == (1, 0, 0, 0)


def test_what_was_delivered_is_not_in_doubt_whatever_the_ledger_says() -> None:
    assert faults(judge(texts(), unconfirmed=frozenset(MATCHING[:1]))) == (0, 0, 0, 0)


@pytest.mark.parametrize("status", [503, 400, 0])
def test_an_event_that_was_not_accepted_is_owed_no_text(status: int) -> None:
    verdict = judge([], posts(status))
    assert verdict.due == 0
    assert faults(verdict) == (0, 0, 0, 0)


def test_a_text_of_an_event_without_an_answer_is_no_mistake() -> None:
    assert faults(judge(texts(), posts(0))) == (0, 0, 0, 0)


def test_all_events_of_a_batch_are_held_to_account() -> None:
    sent = [Post(0, 0, 200), Post(20, 0, 200)]
    assert check(sent, texts(), EVENTS, batch=20).due == len(MATCHING)
    assert check(sent[:1], texts(), EVENTS, batch=20).wrong == sum(number >= 20 for number in MATCHING)


def test_a_quantile_is_the_value_that_so_many_do_not_exceed() -> None:
    values = range(1, 101)
    assert [quantile(values, share) for share in (0, 0.5, 0.95, 0.99, 0.991, 1)] == [1, 50, 95, 99, 100, 100]
    assert quantile([7], 0.5) == 7
    assert quantile([], 0.5) == 0

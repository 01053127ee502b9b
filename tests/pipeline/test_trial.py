"""The test panel: the real decision about a sample, and nothing is sent unless it is asked for."""

from datetime import timedelta
from typing import Any

import pytest

from smspipe.model.outcome import Reason
from smspipe.pipeline import trial
from smspipe.pipeline.prepare import prepare
from smspipe.pipeline.trial import sample_of
from tests.pipeline.conftest import NOW, PHONE, SITE, a_cooldown, a_destination, nobody_opted_out, only

GLOBALS: dict[str, Any] = {
    "event": {
        "uuid": "01930000-0000-7000-8000-000000000001",
        "event": "signup",
        "distinct_id": "ada",
        "timestamp": "2020-01-01T00:00:00Z",
        "properties": {"phone": PHONE, "text": "Hi"},
    },
    "person": {"id": "p-1", "properties": {"name": "Ada"}},
    "groups": {"company": {"id": "acme", "index": 2, "properties": {"plan": "pro"}}},
}


def test_a_sample_in_the_shape_of_globals_is_read_whole() -> None:
    sample = sample_of(GLOBALS, NOW)
    assert (sample.event.event, sample.event.distinct_id) == ("signup", "ada")
    assert sample.event.timestamp.isoformat() == "2020-01-01T00:00:00+00:00"
    assert sample.person is not None
    assert (sample.person.id, sample.person.properties) == ("p-1", {"name": "Ada"})
    (group,) = sample.groups
    assert (group.type, group.key, group.index, group.properties) == ("company", "acme", 2, {"plan": "pro"})


def test_a_bare_event_will_do_and_what_is_missing_is_made_up() -> None:
    sample = sample_of({"event": "signup", "properties": {"phone": PHONE}}, NOW)
    assert (sample.event.event, sample.event.properties, sample.person) == ("signup", {"phone": PHONE}, None)
    assert sample.event.timestamp == NOW
    assert sample.event.distinct_id
    assert sample.event.uuid != sample_of({}, NOW).event.uuid


@pytest.mark.parametrize(
    "odd",
    [{}, {"event": {}}, {"event": {"properties": 5, "timestamp": "soon", "distinct_id": None}}, {"event": 5},
     {"event": {"timestamp": 7}, "person": [], "groups": {"a": 5, "b": {"index": "x"}}}],
    ids=str,
)  # fmt: skip
async def test_a_sample_of_any_shape_is_tried(odd: dict[str, Any]) -> None:
    tried = await trial.run(
        prepare(a_destination(), SITE), sample_of(odd, NOW), NOW, opted_out=nobody_opted_out, client=None
    )
    assert [attempt.reason for attempt in tried.attempts] == [Reason.RECIPIENT_MISSING]


async def test_a_sample_may_be_old_and_tried_again_and_again() -> None:
    """Neither age nor cooldown nor repetition keep somebody from trying."""
    prepared = prepare(a_destination(cooldown=a_cooldown(), max_age=timedelta(seconds=1)), SITE)
    for _ in range(3):
        (attempt,) = (
            await trial.run(prepared, sample_of(GLOBALS, NOW), NOW, opted_out=nobody_opted_out, client=None)
        ).attempts
        assert (attempt.reason, attempt.answer) == (None, None)
        assert attempt.message is not None


async def test_the_request_is_shown_as_it_would_leave_and_holds_no_credentials() -> None:
    (attempt,) = (
        await trial.run(
            prepare(a_destination(), SITE), sample_of(GLOBALS, NOW), NOW, opted_out=nobody_opted_out, client=None
        )
    ).attempts
    assert attempt.request == {
        "url": "/2010-04-01/Accounts/AC1/Messages.json",
        "method": "POST",
        "body": [("To", PHONE), ("From", "+15005550006"), ("Body", "Hi")],
    }


async def test_a_destination_without_an_account_renders_and_says_that_it_cannot_send() -> None:
    prepared = prepare(a_destination(account=None), SITE)
    (attempt,) = (
        await trial.run(prepared, sample_of(GLOBALS, NOW), NOW, opted_out=nobody_opted_out, client=None)
    ).attempts
    assert attempt.reason is Reason.CREDENTIALS
    assert attempt.message is not None
    assert attempt.request is None


async def test_an_event_that_does_not_match_says_why() -> None:
    prepared = prepare(a_destination(filter=only("other")), SITE)
    tried = await trial.run(prepared, sample_of(GLOBALS, NOW), NOW, opted_out=nobody_opted_out, client=None)
    assert tried.attempts == ()
    assert "signup" in (tried.mismatch or "")

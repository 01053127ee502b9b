"""What an import makes of a function that PostHog exported."""

from typing import Any

import pytest

from smspipe.cli.imports import SUFFIX_HOG, SUFFIX_LIQUID, take_over

V1_CODE = "… concat(inputs.smsBody, ' - Event: ', event.event) …"
ACCOUNTS = [{"id": 3}, {"id": 4}]


def first_family(**changes: Any) -> dict[str, Any]:
    """An export of PostHog's first template."""
    return {
        "name": "SMS",
        "enabled": True,
        "hog": V1_CODE,
        "inputs": {"smsBody": {"value": "Hi"}, "accountSid": {"value": "AC"}},
        "template": {"id": "template-twilio"},
        **changes,
    }


def second_family() -> dict[str, Any]:
    """An export of PostHog's second template."""
    inputs = {"twilio_account": {"value": 12}, "message": {"value": "Hi"}}
    return {"name": "SMS", "inputs": inputs, "template": {"id": "template-twilio"}}


def test_nothing_is_switched_on() -> None:
    taken = take_over(first_family(), accounts=[], account=None, suffix=True)
    assert taken.body is not None
    assert taken.body["enabled"] is False
    assert any("Switch it off in PostHog first" in line for line in taken.changed)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"value": "Hi"}, "Hi" + SUFFIX_HOG),
        ({"value": "Hi", "templating": "liquid"}, "Hi" + SUFFIX_LIQUID),
    ],
)
def test_what_the_code_added_to_each_text_stands_in_the_template(entry: dict[str, Any], expected: str) -> None:
    given = first_family(inputs={"smsBody": entry})
    taken = take_over(given, accounts=[], account=None, suffix=True)
    assert taken.body is not None
    assert taken.body["inputs"]["smsBody"] == {**entry, "value": expected}
    assert given["inputs"]["smsBody"] == entry


@pytest.mark.parametrize(("code", "suffix"), [(V1_CODE, False), ("let other := 1", True), (None, True)])
def test_where_nothing_was_added_or_wanted_the_text_stays(code: str | None, suffix: bool) -> None:
    taken = take_over(first_family(hog=code), accounts=[], account=None, suffix=suffix)
    assert taken.body is not None
    assert taken.body["inputs"]["smsBody"] == {"value": "Hi"}


@pytest.mark.parametrize(
    ("accounts", "account", "chosen"),
    [(ACCOUNTS[:1], None, 3), (ACCOUNTS, 4, 4), (ACCOUNTS, None, None), (ACCOUNTS, 12, None), ([], None, None)],
)
def test_an_account_that_posthog_keeps_is_replaced_by_one_of_here(
    accounts: list[dict[str, Any]], account: int | None, chosen: int | None
) -> None:
    taken = take_over(second_family(), accounts=accounts, account=account, suffix=True)
    if chosen is None:
        assert taken.body is None
        assert "Twilio account that PostHog keeps" in taken.needs[0]
    else:
        assert taken.body is not None
        assert taken.body["inputs"]["twilio_account"] == {"value": chosen}


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"mappings": [{}]}, "mappings"), ({"filters": {"actions": [{"id": 7}]}}, "actions")],
)
def test_what_is_not_read_yet_needs_a_person(changes: dict[str, Any], word: str) -> None:
    taken = take_over(first_family(**changes), accounts=[], account=None, suffix=True)
    assert any(word in line for line in taken.needs)


def test_a_plugins_settings_become_one_destination_with_a_cooldown() -> None:
    settings = {
        "accountSID": "AC",
        "authToken": "********",
        "triggeringEventsAndNumber": "signup:+15005550009",
        "timeout": 60,
    }
    taken = take_over(settings, accounts=[], account=None, suffix=True)
    assert taken.body == {
        "template_id": "template-twilio-cooldown",
        "name": "Twilio plugin",
        "enabled": False,
        "inputs": {
            "accountSID": {"value": "AC"},
            "authToken": {"secret": True},
            "triggeringEventsAndNumber": {"value": "signup:+15005550009"},
            "timeout": {"value": "60"},
        },
    }

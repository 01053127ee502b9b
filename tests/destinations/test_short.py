"""The short form says what PostHog's shape says, and comes back from it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.destinations.short import expand, place_of, settled, shorten
from smspipe.model.errors import Invalid

ACCOUNT = {"sid": "AC1", "token": {"secret": True}}


def test_a_short_document_is_expanded_key_by_key() -> None:
    short = {
        "name": "Order shipped",
        "account": {"sid": "AC1", "token": "t"},
        "from": "+15005550006",
        "to": "{person.properties.phone}",
        "message": {"value": "Hi {{ person.name }}", "templating": "liquid"},
        "when": ["shipped", {"event": "lost", "where": {"key": "plan"}}, {"action": 3}],
        "where": [{"key": "email"}],
        "skip_test_accounts": True,
        "cooldown": {"key": "{person.id}", "seconds": 60},
    }
    assert expand(short) == {
        "name": "Order shipped",
        "template_id": "template-twilio",
        "inputs": {
            "accountSid": {"value": "AC1"},
            "authToken": {"value": "t"},
            "fromPhoneNumber": {"value": "+15005550006"},
            "phoneNumber": {"value": "{person.properties.phone}"},
            "smsBody": {"value": "Hi {{ person.name }}", "templating": "liquid"},
        },
        "filters": {
            "source": "events",
            "events": [
                {"id": "shipped", "name": "shipped", "type": "events"},
                {"id": "lost", "name": "lost", "type": "events", "properties": [{"key": "plan"}]},
            ],
            "actions": [{"id": 3, "type": "actions"}],
            "properties": [{"key": "email"}],
            "filter_test_accounts": True,
        },
        "masking": {"hash": "{person.id}", "ttl": 60},
    }


def test_the_number_of_a_stored_account_means_the_second_family() -> None:
    inputs = expand({"name": "a", "account": 7, "from": "+15005550006", "message": "Hi"})["inputs"]
    assert inputs == {
        "twilio_account": {"value": 7},
        "from_number": {"value": "+15005550006"},
        "message": {"value": "Hi"},
    }


def test_what_is_in_posthogs_shape_is_passed_by() -> None:
    long: dict[str, Any] = {
        "id": "x",
        "name": "a",
        "inputs": {"smsBody": {"value": "Hi"}},
        "masking": None,
        "filters": {"events": []},
    }
    assert expand(long | {"status": {"state": 1}, "created_at": "…"}) == long


@pytest.mark.parametrize(
    ("document", "field", "said"),
    [
        ({"mesage": "x"}, "mesage", "Did you mean 'message'?"),
        ({"<<": {}}, "<<", "There is no key '<<'"),
        ({"inputs": {"a": {}}, "to": "x"}, "to", "short for a part of 'inputs'"),
        ({"masking": {"hash": "a"}, "cooldown": None}, "cooldown", "short for a part of 'masking'"),
        ({"to": "x"}, "account", "The account is missing."),
        ({"account": "AC1"}, "account", "This is no account."),
        ({"account": True}, "account", "This is no account."),
        ({"account": {"sid": "AC1", "tokn": 1}}, "account", "An account has no 'tokn'."),
        ({"account": ACCOUNT, "from": 15005550006}, "from", "This must be text, and is a number."),
        ({"account": ACCOUNT, "to": None}, "to", "This must be text, and is none."),
        ({"account": ACCOUNT, "message": True}, "message", "This must be text, and is true or false."),
        ({"when": [404]}, "when__0", "This names no event."),
        ({"when": [{"event": 404}]}, "when__0", "The name of an event is text."),
        ({"when": ["a", {"event": "b", "were": 1}]}, "when__1", "An entry has no 'were'."),
        ({"cooldown": 60}, "cooldown", "This is no cooldown."),
        ({"cooldown": {"key": "a", "minutes": 1}}, "cooldown", "This is no cooldown."),
    ],
)
def test_a_mistake_names_its_key_and_repeats_no_value(document: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        expand({"name": "a", **document})
    assert refused.value.field == field
    assert said in str(refused.value)
    assert "15005550006" not in str(refused.value)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
conditions = st.lists(
    st.fixed_dictionaries({"key": words, "value": words, "type": st.just("event")}), min_size=1, max_size=2
)
entries = st.one_of(
    words,
    st.fixed_dictionaries({"event": st.one_of(words, st.none()), "where": conditions}),
    st.fixed_dictionaries({"action": st.integers(1, 99)}),
)
texts = st.one_of(words, st.fixed_dictionaries({"value": words, "templating": st.just("liquid")}))
accounts = st.one_of(
    st.integers(1, 99),
    st.fixed_dictionaries({"sid": words, "token": st.one_of(words, st.just({"secret": True}))}),
)
shorts = st.fixed_dictionaries(
    {"name": words, "account": accounts, "from": texts, "message": texts},
    optional={
        "to": texts,
        "when": st.lists(entries, min_size=1, max_size=3),
        "where": conditions,
        "skip_test_accounts": st.booleans(),
        "cooldown": st.fixed_dictionaries({"key": words, "seconds": st.integers(1, 99)}),
        "enabled": st.booleans(),
    },
)


@given(shorts)
def test_what_is_shortened_expands_to_the_same(short: dict[str, Any]) -> None:
    long = expand(short)
    again = shorten(settled(long))
    assert settled(expand(again)) == settled(long)
    assert "inputs" not in again
    assert "masking" not in again


@pytest.mark.parametrize(
    "long",
    [
        {"inputs": {"accountSid": {"value": "AC1"}, "smsBody": {"value": {"a": 1}}}},
        {"inputs": {"accountSid": {"value": "AC1"}, "own": {"value": "x"}}},
        {"inputs": {"triggeringEventsAndNumber": {"value": "a:+1"}}, "template_id": "template-twilio-cooldown"},
        {"filters": {"events": [{"id": "a", "type": "events", "name": "another name"}]}},
        {"filters": {"properties": {"type": "OR", "values": []}}},
        {"masking": {"hash": "a", "ttl": 1, "own": 2}},
    ],
)
def test_what_the_short_form_cannot_say_stays_as_it_is(long: dict[str, Any]) -> None:
    whole = {"name": "a", "template_id": "template-twilio", **long}
    assert settled(expand(shorten(whole))) == settled(whole)


@pytest.mark.parametrize(
    ("field", "document", "path"),
    [
        ("inputs__smsBody", {"message": "x"}, ("message",)),
        ("inputs__authToken", {"account": {}}, ("account", "token")),
        ("inputs__twilio_account", {"account": 1}, ("account",)),
        ("filters__events__1__properties__0__value", {"when": []}, ("when", 1, "where", 0, "value")),
        ("filters__properties__0__key", {"where": []}, ("where", 0, "key")),
        ("masking__ttl", {"cooldown": {}}, ("cooldown", "seconds")),
        ("inputs__smsBody", {"inputs": {}}, ("inputs", "smsBody")),
        ("masking__ttl", {"masking": {}}, ("masking", "ttl")),
        ("name", {}, ("name",)),
    ],
)
def test_a_field_that_an_error_names_is_found_in_the_document(
    field: str, document: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    assert place_of(field, document) == path

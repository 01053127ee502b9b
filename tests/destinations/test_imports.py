"""What an import makes of what PostHog exports: the same texts, nothing switched on, each difference in a sentence."""

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smspipe.destinations import templates
from smspipe.destinations.document import create_document
from smspipe.destinations.imports import Here, Options, Taken, take_over
from smspipe.destinations.imports_filters import NO_ACTION, join, place_actions, take_masking
from smspipe.matching import read_properties
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action, Shared
from tests.destinations import programs

GOLDEN = sorted((Path(__file__).parent / "imports").glob("*.json"))
NOTHING = Here()
AS_IT_IS = Options()


def here_of(told: dict[str, Any]) -> Here:
    """Build what is here: `accounts` are ids, `actions` ids by name, `test_accounts` conditions."""
    actions = {str(id): Action(id=str(id), name=name) for name, id in told.get("actions", {}).items()}  # noqa: A001 (the field's word)
    shared = Shared(actions=actions, test_accounts=read_properties(told.get("test_accounts")))
    return Here(accounts=tuple(told.get("accounts", ())), shared=shared)


def exported(**changes: Any) -> dict[str, Any]:
    """An export of PostHog's first template."""
    inputs = {
        "accountSid": {"value": "AC1"},
        "authToken": {"secret": True},
        "fromPhoneNumber": {"value": "+15005550006"},
        "phoneNumber": {"value": "{person.properties.phone}"},
        "smsBody": {"value": "Hi"},
    }
    return {
        "name": "SMS",
        "enabled": True,
        "hog": programs.FIRST,
        "inputs": inputs,
        "filters": {"events": [{"id": "signup", "type": "events"}]},
        "template": {"id": "template-twilio"},
        **changes,
    }


def only(given: Any, options: Options = AS_IT_IS, here: Here = NOTHING) -> Taken:
    (taken,) = take_over(given, options, here)
    return taken


def body_of(taken: Taken) -> dict[str, Any]:
    assert taken.body is not None, taken.needs
    return taken.body


@pytest.mark.parametrize("file", GOLDEN, ids=[file.stem for file in GOLDEN])
def test_each_kind_of_export_is_taken_over_as_it_was_agreed(file: Path) -> None:
    golden = json.loads(file.read_text("utf-8"))
    before = copy.deepcopy(golden["given"])
    here = here_of(golden["here"])
    taken = take_over(golden["given"], msgspec.convert(golden["options"], Options), here)
    assert msgspec.to_builtins(taken) == golden["taken"]
    assert golden["given"] == before, "what was given is left as it is"
    for each in taken:
        if each.body is not None:
            assert each.body["enabled"] is False
            secrets = {key: {"value": "t"} for key, entry in each.body["inputs"].items() if entry == {"secret": True}}
            create_document({**each.body, "inputs": {**each.body["inputs"], **secrets}})


def test_there_is_a_golden_file_for_each_kind() -> None:
    assert {file.stem for file in GOLDEN} >= {
        "first_family", "second_family", "mappings", "edited", "workflow", "step", "plugin", "strange", "quirks"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"value": "Hi"}, "Hi - Event: {event.event} at {toDate(event.timestamp)}"),
        (
            {"value": "Hi", "templating": "liquid"},
            "Hi - Event: {{ event.event | raw }} at {{ event.timestamp | date: '%Y-%m-%d' }}",
        ),
        ({}, " - Event: {event.event} at {toDate(event.timestamp)}"),
    ],
)
def test_what_the_program_added_to_each_text_stands_in_the_template(value: dict[str, Any], expected: str) -> None:
    inputs = {**exported()["inputs"], "smsBody": value}
    assert body_of(only(exported(inputs=inputs)))["inputs"]["smsBody"]["value"] == expected


def test_braces_that_a_program_adds_stay_braces() -> None:
    code = programs.FIRST.replace(" - Event: {event.event}", r" \{{event.properties['a b']}")
    assert code != programs.FIRST
    text = body_of(only(exported(hog=code)))["inputs"]["smsBody"]["value"]
    assert text == r"Hi \{{event.properties['a b']} at {toDate(event.timestamp)}"


@pytest.mark.parametrize("code", [None, "", templates.CREDENTIAL_CODE])
def test_where_nothing_was_added_the_text_stays(code: str | None) -> None:
    assert body_of(only(exported(hog=code)))["inputs"]["smsBody"] == {"value": "Hi"}


def test_a_source_that_is_understood_is_replaced_by_the_one_that_says_the_same_here() -> None:
    assert body_of(only(exported()))["hog"] == templates.CREDENTIAL_CODE


def test_nothing_is_taken_over_half() -> None:
    edited = exported(hog=programs.FIRST.replace("'POST'", "'PUT'"))
    taken = only(edited)
    assert (taken.body, taken.taken_over, taken.changed) == (None, [], [])
    assert "line 6, `'method': 'PUT',`: its request is no POST" in taken.needs[0]
    ignored = only(edited, Options(ignore_code=True))
    assert body_of(ignored)["hog"] == edited["hog"]
    assert ignored.body is not None
    assert ignored.body["enabled"] is False


@pytest.mark.parametrize(
    ("accounts", "options", "chosen"),
    [
        ((3,), Options(), 3),
        ((3, 4), Options(account=4), 4),
        ((3, 4), Options(account=4, accounts={"12": 3}), 3),
        ((3, 4), Options(), None),
        ((3, 4), Options(account=12), None),
        ((), Options(account=3), None),
    ],
)
def test_an_account_that_posthog_keeps_is_replaced_by_one_of_here(
    accounts: tuple[int, ...], options: Options, chosen: int | None
) -> None:
    inputs = {
        "twilio_account": {"value": 12},
        "from_number": {"value": "+15005550006"},
        "to_number": {"value": "{person.properties.phone}"},
        "message": {"value": "Hi"},
    }
    taken = only(exported(inputs=inputs, hog=programs.SECOND), options, Here(accounts=accounts))
    if chosen is None:
        assert taken.body is None
        assert "Twilio account that PostHog keeps" in taken.needs[0]
    else:
        assert body_of(taken)["inputs"]["twilio_account"] == {"value": chosen}


@pytest.mark.parametrize(
    ("message", "escaped"),
    [
        ({"value": "Hi {{ person.name }}", "templating": "liquid"}, True),
        ({"value": "Hi {{ person.name }}"}, True),
        ({"value": "Hi {{ person.name | raw }}", "templating": "liquid"}, False),
        ({"value": "Hi {{- person.name | upcase | raw -}}", "templating": "liquid"}, False),
        ({"value": "Hi {{ person.name | raw | upcase }}", "templating": "liquid"}, True),
        ({"value": "Hi {% echo person.name %}", "templating": "liquid"}, True),
        ({"value": "Hi", "templating": "liquid"}, False),
        ({"value": "Hi {person.name}"}, False),
    ],
)
def test_escaping_is_kept_where_it_may_show(message: dict[str, Any], escaped: bool) -> None:
    step = {
        "type": "function_sms",
        "config": {"inputs": {"twilio_account": {"value": 1}, "to_number": {"value": "+15005550009"},
                              "from_number": {"value": "+15005550006"}, "message": message}},
    }  # fmt: skip
    taken = only(step, Options(event="signup"), Here(accounts=(1,)))
    assert body_of(taken)["smspipe"].get("escape_html", False) is escaped
    plain = only(step, Options(event="signup", escape=False), Here(accounts=(1,)))
    assert "escape_html" not in body_of(plain)["smspipe"]


@pytest.mark.parametrize("recipient", [None, {}, {"value": ""}, {"value": None}])
def test_who_texted_nobody_does_not_begin_to_text_people(recipient: Any) -> None:
    taken = only(exported(inputs={**exported()["inputs"], "phoneNumber": recipient}))
    assert taken.body is None
    assert "reached nobody" in taken.needs[0]


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ({"type": "webhook"}, "started by a webhook"),
        ({"type": "schedule", "scheduled_at": None}, "started by a schedule"),
        (None, "started by nothing known"),
        ({"type": "event", "filters": {}}, "names no event"),
        ({"type": "event"}, "names no event"),
    ],
)
def test_a_workflow_that_no_event_starts_is_left(trigger: Any, said: str) -> None:
    inputs = {"twilio_account": {"value": 1}, "to_number": {"value": "x"}, "message": {"value": "x"}}
    flow = {
        "name": "W",
        "trigger": trigger,
        "actions": [{"id": "a", "type": "function_sms", "config": {"inputs": inputs}}],
    }
    taken = only(flow, here=Here(accounts=(1,)))
    assert taken.body is None
    assert said in taken.needs[0]


def test_a_workflow_without_a_text_is_left() -> None:
    assert "no step that sends a text" in only({"actions": [{"type": "delay"}], "edges": []}).needs[0]


@pytest.mark.parametrize(
    "given",
    [
        {"accountSID": "AC1", "triggeringEventsAndNumber": "signup:+15005550009", "timeout": 60},
        {"config": {"accountSID": "AC1", "triggeringEventsAndNumber": "signup:+15005550009", "timeout": "60"}},
        {"template": {"id": "plugin-posthog-twilio-plugin"},
         "inputs": {"accountSID": {"value": "AC1"}, "triggeringEventsAndNumber": {"value": "signup:+15005550009"},
                    "timeout": {"value": "60"}}},
    ],
)  # fmt: skip
def test_the_plugins_settings_are_found_in_each_shape(given: dict[str, Any]) -> None:
    body = body_of(only(given))
    assert body["template_id"] == "template-twilio-cooldown"
    assert body["inputs"] == {
        "accountSID": {"value": "AC1"},
        "authToken": {"secret": True},
        "triggeringEventsAndNumber": {"value": "signup:+15005550009"},
        "senderPhoneNumber": {"value": ""},
        "timeout": {"value": "60"},
        "message": {"value": "Hi {event.event} occured - PostHog"},
    }


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("60", "60"),
        (0, "1"),
        (-5, "1"),
        ("31536001", "31536000"),
        ("1.5", "2"),
        ("soon", "60"),
        (None, "60"),
        ("1e99", "31536000"),
    ],
)
def test_the_plugins_timeout_is_kept_within_its_bounds(given: Any, seconds: str) -> None:
    taken = only({"triggeringEventsAndNumber": "a:+15005550009", "timeout": given})
    assert body_of(taken)["inputs"]["timeout"]["value"] == seconds
    assert any("timeout" in line for line in taken.changed) is (str(given) != seconds)


@pytest.mark.parametrize("pairs", ["", "signup", " , ", None, ":"])
def test_a_plugin_that_sent_nothing_is_left(pairs: Any) -> None:
    assert only({"triggeringEventsAndNumber": pairs}).body is None


@pytest.mark.parametrize("given", [[], {"results": []}, 3, "text", None, [{}] * 1001])
def test_what_holds_no_destination_is_refused(given: Any) -> None:
    with pytest.raises(Invalid):
        take_over(given, Options(), NOTHING)


# ---- filters and cooldowns -----------------------------------------------------------------------------

A, B, ANY = ({"id": name, "type": "events"} for name in ("a", "b", None))
ACTION = {"id": 7, "type": "actions"}
P, Q = ({"key": key, "value": "1", "operator": "exact"} for key in ("p", "q"))
GROUP = {"type": "OR", "values": [P, Q]}


@pytest.mark.parametrize(
    ("first", "second", "entries", "properties"),
    [
        ({}, {}, [], []),
        ({"events": [A]}, {}, [A], []),
        ({"properties": [P]}, {"events": [A], "properties": [Q]}, [A], [P, Q]),
        (
            {"properties": GROUP},
            {"properties": [Q]},
            [],
            {"type": "AND", "values": [GROUP, {"type": "AND", "values": [Q]}]},
        ),
        ({"properties": GROUP}, {"properties": None}, [], GROUP),
        ({"events": [A, B]}, {"events": [B]}, [B], []),
        ({"events": [ANY]}, {"events": [A]}, [A], []),
        ({"events": [A]}, {"events": [ANY]}, [A], []),
        ({"events": [ANY]}, {"actions": [ACTION]}, [ACTION], []),
    ],
)
def test_two_filters_are_joined_into_one(first: Any, second: Any, entries: list[Any], properties: Any) -> None:
    joined = join(first, second)
    assert joined is not None
    found = [*joined["events"], *joined["actions"]]
    assert [(each["id"], each["type"]) for each in found] == [(each["id"], each["type"]) for each in entries]
    assert joined["properties"] == properties


def test_entries_of_the_same_event_ask_for_the_conditions_of_both() -> None:
    joined = join({"events": [{**A, "properties": [P]}]}, {"events": [{**A, "properties": [Q]}]})
    assert joined is not None
    assert joined["events"][0]["properties"] == [P, Q]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"events": [A]}, {"events": [B]}),
        ({"events": [A]}, {"actions": [ACTION]}),
        ({"actions": [ACTION]}, {"actions": [{**ACTION, "id": 8}]}),
        ({"source": "person-updates"}, {}),
    ],
)
def test_filters_that_no_one_filter_can_say_are_not_joined(first: Any, second: Any) -> None:
    assert join(first, second) is None


def test_an_action_is_found_by_its_name_and_never_by_posthogs_number() -> None:
    filters = {
        "actions": [{"id": 7, "name": "Bought"}, {"id": 2, "name": "Left"}],
        "events": [{**ACTION, "name": "Bought"}],
    }
    placed = place_actions(filters, {"Bought": 2})
    assert [entry["id"] for entry in placed.value["actions"]] == ["2", NO_ACTION]
    assert placed.value["events"][0]["id"] == "2"
    assert "the action 'Left', which is not here" in placed.needs[0]


@pytest.mark.parametrize(
    ("masking", "expected"),
    [
        (None, None),
        ({"hash": "{person.id}", "ttl": 1800, "threshold": None}, ("{person.id}", 1800, None)),
        ({"hash": "all", "ttl": 60, "threshold": 1000}, ("all", 60, 1000)),
        ({"hash": "all", "ttl": 0}, ("all", 1, None)),
        ({"hash": "all", "ttl": 90_000}, ("all", 86_400, None)),
        ({"hash": "all", "ttl": "60", "threshold": 0}, ("all", 60, None)),
        ({"hash": "all", "ttl": 60.0}, ("all", 60, None)),
        ({"hash": "", "ttl": 60}, None),
        ({"hash": None, "ttl": None}, None),
        ({}, None),
    ],
)
def test_a_cooldown_is_that_which_posthog_runs(masking: Any, expected: Any) -> None:
    taken = take_masking(masking).value
    assert (None if taken is None else (taken["hash"], taken["ttl"], taken["threshold"])) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "{x}", "template-twilio", "event"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["name", "type", "hog", "inputs", "filters", "masking", "mappings", "template", "template_id", "config",
             "actions", "trigger", "events", "properties", "values", "key", "id", "value", "inputs_schema", "edges",
             "results", "triggeringEventsAndNumber", "smspipe", "phoneNumber", "smsBody", "twilio_account", "to_number",
             "trigger_masking", "hash", "ttl", "operator", "secret", "plugin_info", "templating"]
        ),
        inner, max_size=5,
    ),
    max_leaves=25,
)  # fmt: skip


@given(JSON)
def test_any_json_is_taken_over_or_refused_in_a_sentence(document: Any) -> None:
    try:
        taken = take_over(document, Options(), NOTHING)
    except Invalid:
        return
    for each in taken:
        assert each.body is not None or each.needs
        assert each.body is None or each.body["enabled"] is False


@given(st.dictionaries(st.sampled_from(sorted(exported())), JSON, max_size=3))
def test_any_change_of_an_export_is_taken_over_or_refused_in_a_sentence(changes: Any) -> None:
    for each in take_over({**exported(), **changes}, Options(), NOTHING):
        assert each.body is not None or each.needs

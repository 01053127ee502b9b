"""What a body may say, what is told when it says something else, and what it means."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smspipe.destinations import templates
from smspipe.destinations.document import Draft, change_document, create_document
from smspipe.destinations.meaning import read
from smspipe.model.destination import Account, Cooldown, Destination, Secret, Templating, Text
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action
from smspipe.model.ids import DestinationId


def meaning(draft: Draft, **more: Any) -> Destination:
    return read(draft.document, draft.secrets, id=DestinationId("d"), version=1, **more)


def refusal(body: Any, **more: Any) -> tuple[str | None, str]:
    """Give the field and the message of what is wrong with a body."""
    with pytest.raises(Invalid) as refused:
        meaning(create_document(body), **more)
    return refused.value.field, str(refused.value)


def test_a_new_destination_takes_from_its_template_what_it_does_not_say() -> None:
    document = create_document(
        {
            "template_id": "template-twilio",
            "inputs": {
                "accountSid": {"value": "AC1"},
                "authToken": {"value": "t"},
                "fromPhoneNumber": {"value": "+15005550006"},
            },
        }
    ).document
    template = templates.TEMPLATES["template-twilio"]
    assert document["name"] == "Twilio"
    assert document["description"] == template["description"]
    assert document["hog"] == template["code"]
    assert document["icon_url"] == template["icon_url"]
    assert document["inputs_schema"] == template["inputs_schema"]
    assert (document["type"], document["enabled"], document["deleted"]) == ("destination", False, False)
    assert document["inputs"]["smsBody"] == {"value": "Event Notification: {event.event} occurred.", "order": 4}


@pytest.mark.parametrize("given", [None, {}, {"value": ""}, {"value": None}], ids=str)
@pytest.mark.parametrize("own_schema", [False, True])
def test_a_new_destination_without_a_recipient_texts_the_events_phone_else_the_persons(
    given: Any, own_schema: bool, body: dict[str, Any]
) -> None:
    if own_schema:
        body["inputs_schema"] = [{"key": key, "type": "string", "required": True} for key in body["inputs"]]
    body["inputs"]["phoneNumber"] = given
    if given is None:
        del body["inputs"]["phoneNumber"]
    (route,) = meaning(create_document(body)).routes
    assert route.to == Text(source="{event.properties.phone ?? person.properties.phone}", field="inputs__phoneNumber")


def test_an_exported_function_can_be_posted_as_it_is(body: dict[str, Any]) -> None:
    exported = {
        **body,
        "id": "01912e4c-0000-0000-0000-000000000000",
        "type": "destination",
        "bytecode": ["_H", 1, 32, "x"],
        "created_by": {"id": 1},
        "status": {"state": 1, "tokens": 10000},
        "template": {"id": "template-twilio", "name": "Twilio"},
        "mappings": None,
        "masking": None,
        "filters": {**body["filters"], "bytecode": ["_H", 1]},
        "an_unknown_key": 1,
    }
    del exported["template_id"]
    exported["inputs"]["phoneNumber"]["bytecode"] = ["_H", 1, 32]
    exported["inputs"]["not_in_the_schema"] = {"value": "x"}
    assert create_document(exported).document == create_document(body).document


@pytest.mark.parametrize(
    ("inputs", "template_id"),
    [
        ({"accountSid": 1}, "template-twilio"),
        ({"twilio_account": 1}, "template-twilio"),
        ({"triggeringEventsAndNumber": 1}, "template-twilio-cooldown"),
        ({"url": 1}, None),
        ({}, None),
    ],
)
def test_the_template_is_told_by_the_input_keys_when_nothing_names_it(
    inputs: dict[str, Any], template_id: str | None
) -> None:
    assert templates.guess(inputs) == template_id


def with_input(key: str, value: Any) -> dict[str, Any]:
    """Make a change of the usual body: one input."""
    return {"inputs": {key: value}}


FIELDS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no template", {"template_id": None, "inputs": {}}, "template_id", "This field is required."),
    ("an unknown template", {"template_id": "template-x"}, "template_id", "No template found for id 'template-x'"),
    ("a template that is no text", {"template_id": 1}, "template_id", "Not a valid string."),
    ("another type", {"type": "transformation"}, "type", "Only functions of the type destination are run here."),
    ("an unknown type", {"type": "x"}, "type", '"x" is not a valid choice.'),
    ("a name that is no text", {"name": 1}, "name", "Not a valid string."),
    ("a long name", {"name": "x" * 401}, "name", "Ensure this field has no more than 400 characters."),
    ("enabled as text", {"enabled": "true"}, "enabled", "Must be a valid boolean."),
    ("large code", {"hog": "x" * 102_401}, "hog", "Hog code exceeds maximum size of 100KB."),
    ("no schema", {"inputs_schema": []}, "inputs_schema", "Missing inputs_schema."),
    (
        "a schema item without a key",
        {"inputs_schema": [{"type": "string"}]},
        "inputs_schema",
        "Every item of inputs_schema must be an object with a key.",
    ),
    ("inputs as a list", {"inputs": []}, "inputs", "The inputs must be an object."),
    ("mappings", {"mappings": [{}]}, "mappings", "Mappings are not run here."),
    ("filters as a list", {"filters": []}, "filters", "Must be an object."),
    ("masking without hash", {"masking": {"ttl": 60}}, "masking__hash", "This field is required."),
    ("masking without ttl", {"masking": {"hash": "x"}}, "masking__ttl", "This field is required."),
    (
        "no threshold",
        {"masking": {"hash": "x", "ttl": 60, "threshold": 0}},
        "masking__threshold",
        "threshold must be a whole number between 1 and 1000000000, or null",
    ),
    ("an order that is no number", {"execution_order": "1"}, "execution_order", "A valid integer is required."),
    ("smspipe as text", {"smspipe": "x"}, "smspipe", "smspipe must be an object."),
    (
        "an unknown option",
        {"smspipe": {"trunkate": True}},
        "smspipe__trunkate",
        "There is no option 'trunkate'. Did you mean 'truncate'?",
    ),
    ("truncate", {"smspipe": {"truncate": 1}}, "smspipe__truncate", "truncate must be true or false."),
    (
        "max_age",
        {"smspipe": {"max_age": 0}},
        "smspipe__max_age",
        "max_age must be a whole number between 1 and 31536000 seconds.",
    ),
    (
        "default_country",
        {"smspipe": {"default_country": "usa"}},
        "smspipe__default_country",
        "default_country must be an ISO country of two capital letters, such as US.",
    ),
    (
        "filter_mode",
        {"smspipe": {"filter_mode": "x"}},
        "smspipe__filter_mode",
        'filter_mode must be "posthog" or "sane".',
    ),
    ("a missing input", with_input("accountSid", None), "inputs__accountSid", "This field is required."),
    ("an empty input", with_input("smsBody", {"value": ""}), "inputs__smsBody", "This field is required."),
    ("a number for text", with_input("smsBody", {"value": 1}), "inputs__smsBody", "Value must be a string."),
    (
        "a bare value",
        with_input("smsBody", "Hi"),
        "inputs__smsBody",
        'An input must be an object such as {"value": "…"}.',
    ),
    (
        "an unknown language",
        with_input("smsBody", {"value": "x", "templating": "jinja"}),
        "inputs__smsBody__templating",
        '"jinja" is not a valid choice.',
    ),
    (
        "a SID with a slash",
        with_input("accountSid", {"value": "AC1/../2"}),
        "inputs__accountSid",
        "Value must be a Twilio Account SID: AC and 32 letters and digits.",
    ),
    (
        "inputs in a circle",
        {"inputs": {"smsBody": {"value": "{inputs.phoneNumber}"}, "phoneNumber": {"value": "{inputs['smsBody']}"}}},
        "inputs",
        "Circular dependency detected in input_deps.",
    ),
]


@pytest.mark.parametrize(
    ("change", "field", "message"), [case[1:] for case in FIELDS], ids=[case[0] for case in FIELDS]
)
def test_a_body_that_breaks_a_rule_is_refused_with_its_field(
    change: dict[str, Any], field: str, message: str, body: dict[str, Any]
) -> None:
    given = {**body, **change}
    if isinstance(change.get("inputs"), dict) and change.get("template_id", "") is not None:
        given["inputs"] = {**body["inputs"], **change["inputs"]}
        given["inputs"] = {key: value for key, value in given["inputs"].items() if value is not None}
    assert refusal(given) == (field, message)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("string", ["x"], "Value must be a string."),
        ("number", "1", "Value must be a number."),
        ("number", True, "Value must be a number."),
        ("boolean", "true", "Value must be a boolean."),
        ("boolean", 1, "Value must be a boolean."),
        ("dictionary", "x", "Value must be a dictionary."),
        ("dictionary", [], "Value must be a dictionary."),
        ("integration", "12", "Value must be an Integration ID."),
        ("integration", True, "Value must be an Integration ID."),
        ("integration", 1.5, "Value must be an Integration ID."),
    ],
)
def test_a_value_has_the_type_of_its_input(kind: str, value: Any, message: str, body: dict[str, Any]) -> None:
    body["inputs_schema"] = [*templates.CREDENTIAL_INPUTS, {"key": "more", "type": kind}]
    body["inputs"]["more"] = {"value": value}
    assert refusal(body) == ("inputs__more", message)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", 1.5),
        ("boolean", False),
        ("dictionary", {"a": 1}),
        ("integration", 12),
        ("choice", "not among the choices"),
        ("json", [1, {"a": None}]),
        ("a type of tomorrow", {"anything": 1}),
    ],
)
def test_values_of_every_type_are_kept_and_can_be_referred_to(kind: str, value: Any, body: dict[str, Any]) -> None:
    body["inputs_schema"] = [*templates.CREDENTIAL_INPUTS, {"key": "more", "type": kind, "choices": []}]
    body["inputs"]["more"] = {"value": value}
    assert meaning(create_document(body)).inputs["more"] == value


@pytest.mark.parametrize("value", ["{{ x }}", "{% if x %}", 1], ids=str)
def test_a_boolean_may_be_a_hog_template_where_its_schema_says_so(value: Any, body: dict[str, Any]) -> None:
    body["inputs_schema"] = [*templates.CREDENTIAL_INPUTS, {"key": "more", "type": "boolean", "templating": True}]
    body["inputs"]["more"] = {"value": "{event.properties.yes}"}
    assert create_document(body).document["inputs"]["more"]["value"] == "{event.properties.yes}"
    body["inputs"]["more"] = {"value": value}
    assert refusal(body) == ("inputs__more", "Value must be a boolean or a template string.")


@pytest.mark.parametrize(
    ("by_schema", "by_input", "meant", "noted"),
    [
        (None, None, Templating.HOG, None),
        (True, None, Templating.HOG, None),
        (None, "hog", Templating.HOG, "hog"),
        (None, "liquid", Templating.LIQUID, "liquid"),
        (None, False, Templating.NONE, False),
        ("liquid", None, Templating.LIQUID, "liquid"),
        ("liquid", "hog", Templating.LIQUID, "liquid"),
        (False, None, Templating.NONE, None),
        (False, "hog", Templating.NONE, None),
    ],
)
def test_the_language_of_an_input_is_its_schemas_else_its_own_else_hog(
    by_schema: Any, by_input: Any, meant: Templating, noted: Any, body: dict[str, Any]
) -> None:
    body["inputs_schema"] = [
        {**item, "templating": by_schema} if item["key"] == "smsBody" else item for item in templates.CREDENTIAL_INPUTS
    ]
    body["inputs"]["smsBody"] = {"value": "Hi", "templating": by_input}
    draft = create_document(body)
    assert meaning(draft).body.templating is meant
    assert draft.document["inputs"]["smsBody"].get("templating") == noted


def test_inputs_stand_in_the_order_in_which_they_refer_to_each_other(body: dict[str, Any]) -> None:
    body["inputs"]["accountSid"]["value"] = "AC1"
    body["inputs"]["fromPhoneNumber"] = {"value": "{inputs.phoneNumber}"}
    body["inputs"]["phoneNumber"] = {"value": "{inputs['smsBody'] ?? inputs.accountSid}"}
    destination = meaning(create_document(body))
    assert list(destination.inputs) == ["accountSid", "smsBody", "phoneNumber", "fromPhoneNumber"]
    assert destination.inputs["accountSid"] == "AC1"
    assert destination.inputs["phoneNumber"] == Text(
        source="{inputs['smsBody'] ?? inputs.accountSid}", field="inputs__phoneNumber"
    )


@pytest.mark.parametrize("ttl", [1, 60, 31_536_000])
def test_a_cooldown_lasts_from_a_second_to_a_year(ttl: int, body: dict[str, Any]) -> None:
    body["masking"] = {"hash": "{person.id}", "ttl": ttl}
    assert meaning(create_document(body)).cooldown == Cooldown(
        key=Text(source="{person.id}", field="masking__hash"), ttl=timedelta(seconds=ttl)
    )


@pytest.mark.parametrize("ttl", [0, -1, 31_536_001, 1.5, "60", True])
def test_a_cooldown_out_of_its_range_is_refused_with_the_range(ttl: Any, body: dict[str, Any]) -> None:
    body["masking"] = {"hash": "{person.id}", "ttl": ttl}
    assert refusal(body) == ("masking__ttl", "ttl must be a whole number between 1 and 31536000 seconds")


def test_a_change_leaves_alone_what_it_does_not_name(body: dict[str, Any]) -> None:
    draft = create_document({**body, "name": "Mine", "smspipe": {"truncate": True}})
    changed = change_document(draft.document, draft.secrets, {"enabled": False})
    assert changed.document == {**draft.document, "enabled": False}
    assert changed.secrets == draft.secrets


def test_what_is_read_can_be_written_back_unchanged(body: dict[str, Any]) -> None:
    draft = create_document(body)
    shown = {**draft.document, "smspipe": {**draft.document["smspipe"], "version": 1, "paused": None, "notes": []}}
    again = change_document(draft.document, draft.secrets, shown)
    assert again == draft


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"type": "site_app"}, "type", "Cannot modify the type of an existing function"),
        (
            {"template_id": "template-twilio-cooldown"},
            "template_id",
            "Cannot modify the template of an existing function",
        ),
        ({"inputs": {}}, "inputs__accountSid", "This field is required."),
        ([], None, "The body must be a JSON object."),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused(
    change: Any, field: str | None, message: str, body: dict[str, Any]
) -> None:
    draft = create_document(body)
    with pytest.raises(Invalid) as refused:
        change_document(draft.document, draft.secrets, change)
    assert (refused.value.field, str(refused.value)) == (field, message)


def test_a_change_to_the_other_family_of_keys_takes_its_schema_along(body: dict[str, Any]) -> None:
    draft = create_document(body)
    inputs = {"twilio_account": {"value": 1}, "from_number": {"value": "+15005550006"}, "message": {"value": "Hi"}}
    changed = change_document(draft.document, draft.secrets, {"inputs": inputs})
    assert changed.document["inputs_schema"] == templates.INTEGRATION_INPUTS
    assert changed.document["hog"] == templates.INTEGRATION_CODE
    assert changed.secrets == {}
    account = Account(sid="AC1", username="AC1", password=Secret("x"))
    assert meaning(changed, find_account=lambda _id: account).account == account


# ---- the older plugin's settings ---------------------------------------------------------------------


def pairs(cooldown_body: dict[str, Any], value: Any) -> dict[str, Any]:
    cooldown_body["inputs"]["triggeringEventsAndNumber"] = {"value": value}
    return cooldown_body


BOUGHT = {"7": Action(id="7", name="Bought")}


def test_the_older_plugins_settings_become_routes_and_a_cooldown(cooldown_body: dict[str, Any]) -> None:
    destination = meaning(create_document(cooldown_body))
    assert [(route.event, route.to.source, route.to.templating) for route in destination.routes] == [
        ("signup", "+15005550006", Templating.NONE),
        ("purchase", "+15005550009", Templating.NONE),
    ]
    assert [entry.id for entry in destination.filter.events] == ["signup", "purchase"]
    assert destination.cooldown is not None
    assert destination.cooldown.key.source == "{concat(event.event, '-', recipient)}"
    assert destination.cooldown.ttl == timedelta(seconds=60)
    assert destination.body.source == "Hi {event.event} occured - PostHog"
    assert destination.sender.source == "+15005550001"
    assert destination.account is not None
    assert destination.account.password == Secret("tok-original-secret")


@pytest.mark.parametrize(
    ("source", "routes"),
    [
        ("signup:+15005550006", [("signup", None, "+15005550006")]),
        (" signup : +1 (500) 555-0006 , ", [("signup", None, "+1 (500) 555-0006")]),
        (
            "signup:+15005550006,signup:+15005550009",
            [("signup", None, "+15005550006"), ("signup", None, "+15005550009")],
        ),
        ("signup:+15005550006,signup:+15005550006", [("signup", None, "+15005550006")]),
        ('"paid: late, again":+15005550006', [("paid: late, again", None, "+15005550006")]),
        ("'it''s':+15005550006", [("it's", None, "+15005550006")]),
        ('"say ""hi""":+15005550006', [('say "hi"', None, "+15005550006")]),
        (
            "user's turn:+15005550006,b:+15005550009",
            [("user's turn", None, "+15005550006"), ("b", None, "+15005550009")],
        ),
        ("a:b:+15005550006", [("a:b", None, "+15005550006")]),
        ("Bought:+15005550006", [(None, "7", "+15005550006")]),
        ("action:Bought:+15005550006", [(None, "7", "+15005550006")]),
        ('action:"Bought":+15005550006', [(None, "7", "+15005550006")]),
        ('"Bought":+15005550006', [("Bought", None, "+15005550006")]),
        ("action:+15005550006", [("action", None, "+15005550006")]),
        (
            "signup:{person.properties['a,b:c']},x:+15005550006",
            [("signup", None, "{person.properties['a,b:c']}"), ("x", None, "+15005550006")],
        ),
        ("constructor:+15005550006", [("constructor", None, "+15005550006")]),
    ],
)
def test_a_list_of_pairs_is_read(
    source: str, routes: list[tuple[str | None, str | None, str]], cooldown_body: dict[str, Any]
) -> None:
    destination = meaning(create_document(pairs(cooldown_body, source)), actions=BOUGHT)
    assert [(route.event, route.action, route.to.source) for route in destination.routes] == routes
    assert {entry.id for entry in destination.filter.events} == {event for event, _, _ in routes if event}
    assert {entry.id for entry in destination.filter.actions} == {action for _, action, _ in routes if action}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "This field is required."),
        (" , ", "There is no event:number pair."),
        ("signup", "Entry 1 is not an event:number pair."),
        ("a:+15005550006,b", "Entry 2 is not an event:number pair."),
        (":+15005550006", "Entry 1 is not an event:number pair."),
        ("signup:", "Entry 1 is not an event:number pair."),
        ("signup:five", "Entry 1 ('signup') has no phone number after its colon."),
        ("signup:+1", "Entry 1 ('signup') has no phone number after its colon."),
        ('"signup:+15005550006', "A quote is not closed."),
        ("action:Sold:+15005550006", "There is no action named 'Sold'."),
        (5, "Value must be a string."),
    ],
)
def test_a_list_that_is_none_is_refused_without_repeating_a_number(
    source: Any, message: str, cooldown_body: dict[str, Any]
) -> None:
    field = "inputs__triggeringEventsAndNumber"
    assert refusal(pairs(cooldown_body, source), actions=BOUGHT) == (field, message)


@pytest.mark.parametrize("timeout", [1, "1", 60, "60", " 3600 ", 60.0, 31_536_000, "31536000"], ids=repr)
def test_a_timeout_is_a_number_or_its_text(timeout: Any, cooldown_body: dict[str, Any]) -> None:
    cooldown_body["inputs"]["timeout"] = {"value": timeout}
    cooldown = meaning(create_document(cooldown_body)).cooldown
    assert cooldown is not None
    assert cooldown.ttl == timedelta(seconds=int(timeout))


@pytest.mark.parametrize("timeout", ["0", "-5", "31536001", "1.5", "soon", "nan", "inf", "1e9", 0, True, []], ids=repr)
def test_a_timeout_out_of_its_range_is_refused(timeout: Any, cooldown_body: dict[str, Any]) -> None:
    cooldown_body["inputs"]["timeout"] = {"value": timeout}
    assert refusal(cooldown_body) == ("inputs__timeout", "timeout must be between 1 and 31536000 seconds")


def test_a_second_cooldown_beside_the_timeout_is_refused(cooldown_body: dict[str, Any]) -> None:
    cooldown_body["masking"] = {"hash": "all", "ttl": 60}
    assert refusal(cooldown_body) == ("masking", "The cooldown of this template is its timeout.")


def test_own_filters_narrow_what_is_listed(cooldown_body: dict[str, Any]) -> None:
    pro = {"key": "plan", "value": "pro", "operator": "exact", "type": "event"}
    big = {"key": "total", "value": 100, "operator": "gt", "type": "event"}
    cooldown_body["filters"] = {
        "events": [{"id": "signup", "properties": [pro]}],
        "properties": [big],
        "filter_test_accounts": True,
    }
    chosen = meaning(create_document(cooldown_body)).filter
    assert [(entry.id, len(entry.properties.values)) for entry in chosen.events] == [("signup", 1)]
    assert len(chosen.properties.values) == 1
    assert chosen.filter_test_accounts


def test_own_filters_for_any_event_narrow_every_listed_one(cooldown_body: dict[str, Any]) -> None:
    pro = {"key": "plan", "value": "pro", "operator": "exact", "type": "event"}
    cooldown_body["filters"] = {"events": [{"id": None, "properties": [pro]}]}
    listed = pairs(cooldown_body, "signup:+15005550006,Bought:+15005550009")
    chosen = meaning(create_document(listed), actions=BOUGHT).filter
    assert [(entry.id, len(entry.properties.values)) for entry in chosen.events] == [("signup", 1)]
    assert [(entry.id, len(entry.properties.values)) for entry in chosen.actions] == [("7", 1)]


def test_own_filters_that_name_something_unlisted_are_refused(cooldown_body: dict[str, Any]) -> None:
    cooldown_body["filters"] = {"events": [{"id": "logout"}]}
    assert refusal(cooldown_body) == ("filters", "The filters name 'logout', which triggeringEventsAndNumber does not.")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.sampled_from(["template-twilio", "template-twilio-cooldown", "destination", "hog", "liquid", "********"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["key", "type", "value", "templating", "secret", "id", "events", "actions", "properties",
                         "values", "hash", "ttl", "truncate", "max_age", "version", "authToken", "timeout"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
FIELD_NAMES = (
    "template_id", "template", "type", "name", "description", "enabled", "deleted", "hog", "icon_url", "inputs_schema",
    "inputs", "filters", "masking", "mappings", "execution_order", "smspipe",
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(FIELD_NAMES), anything, max_size=3), st.data())
def test_any_body_is_read_or_refused(changes: dict[str, Any], data: st.DataObject) -> None:
    family = data.draw(st.sampled_from([CREDENTIALS, PLUGIN]))
    inputs = {**family["inputs"], **data.draw(st.dictionaries(st.sampled_from(list(family["inputs"])), anything))}
    try:
        draft = create_document({**family, "inputs": inputs, **changes})
        destination = meaning(draft)
        again = change_document(draft.document, draft.secrets, {"inputs": inputs, **changes})
    except Invalid:
        return
    assert destination.routes
    assert again.secrets == draft.secrets
    assert "authToken" not in destination.inputs


CREDENTIALS: dict[str, Any] = {
    "template_id": "template-twilio",
    "inputs": {
        "accountSid": {"value": "AC1"},
        "authToken": {"value": "t"},
        "fromPhoneNumber": {"value": "+15005550006"},
        "phoneNumber": {"value": "+15005550009"},
        "smsBody": {"value": "Hi"},
    },
}
PLUGIN: dict[str, Any] = {
    "template_id": "template-twilio-cooldown",
    "inputs": {
        "accountSID": {"value": "AC1"},
        "authToken": {"value": "t"},
        "senderPhoneNumber": {"value": "+15005550006"},
        "triggeringEventsAndNumber": {"value": "signup:+15005550009"},
        "timeout": {"value": "60"},
    },
}


def test_liquid_is_escaped_where_the_option_says_so_and_nothing_else_is(body: dict[str, Any]) -> None:
    body["inputs"]["smsBody"] = {"value": "Hi {{ person.name }}", "templating": "liquid"}
    assert meaning(create_document(body)).body.escape is False
    body["smspipe"] = {"escape_html": True}
    read = meaning(create_document(body))
    assert read.body.escape is True
    assert read.routes[0].to.escape is False, "it is written in Hog"

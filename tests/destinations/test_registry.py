"""Every change is kept as a version, secrets stay secret, and what is loaded means what was written."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, delete, select

from smspipe.destinations import Keyring, integrations, registry, revision
from smspipe.destinations.actions import create_action
from smspipe.destinations.registry import Query
from smspipe.destinations.tables import actions, destination_versions, destinations
from smspipe.model.destination import Account, Destination, Secret, Templating
from smspipe.model.errors import Invalid
from smspipe.model.filter import Shared
from smspipe.model.ids import DestinationId, IntegrationId
from tests.destinations.conftest import KEY, NOW

LATER = NOW + timedelta(hours=1)
TOKEN = "tok-original-secret"


def create(connection: Connection, keyring: Keyring, body: dict[str, Any], **more: Any) -> registry.Record:
    return registry.create(connection, body, keyring=keyring, now=more.pop("now", NOW), **more)


def change(connection: Connection, keyring: Keyring, of: str, body: dict[str, Any], **more: Any) -> registry.Record:
    changed = registry.change(connection, DestinationId(of), body, keyring=keyring, now=LATER, **more)
    assert changed is not None
    return changed


def loaded(connection: Connection, keyring: Keyring, of: str, version: int | None = None) -> Destination:
    destination = registry.load(connection, DestinationId(of), keyring, version)
    assert destination is not None
    return destination


def test_a_destination_is_loaded_with_its_secret_in_the_clear_and_everything_that_was_written(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    body["masking"] = {"hash": "{person.id}", "ttl": 5, "threshold": 10, "bytecode": ["_H", 1]}
    body["smspipe"] = {"truncate": True, "max_age": 60, "default_country": "US", "filter_mode": "posthog"}
    record = create(connection, keyring, body)
    (destination,) = registry.load_all(connection, keyring)
    assert destination.id == record.id
    assert destination.version == 1
    assert destination.enabled
    assert destination.account == Account(
        sid="AC0123456789abcdef0123456789abcdef",
        username="AC0123456789abcdef0123456789abcdef",
        password=Secret(TOKEN),
    )
    assert destination.sender.source == "+15005550006"
    assert [route.to.source for route in destination.routes] == ["{person.properties.phone}"]
    assert destination.body.source == "Hi {person.properties.name}"
    assert destination.body.templating is Templating.HOG
    assert destination.filter.events[0].id == "signup"
    assert destination.filter.mode == "posthog"
    assert destination.cooldown is not None
    assert destination.cooldown.key.source == "{person.id}"
    assert destination.cooldown.ttl == timedelta(seconds=5)
    assert destination.cooldown.threshold == 10
    assert destination.truncate
    assert destination.max_age == timedelta(seconds=60)
    assert destination.default_country == "US"
    assert "authToken" not in destination.inputs


def test_no_secret_lies_in_the_clear_anywhere(connection: Connection, keyring: Keyring, body: dict[str, Any]) -> None:
    record = create(connection, keyring, body)
    body["inputs"]["authToken"] = {"value": "tok-replaced-secret"}
    changed = change(connection, keyring, record.id, body)
    kept = [tuple(row) for table in (destinations, destination_versions) for row in connection.execute(select(table))]
    shown = [record, changed, registry.versions(connection, record.id), registry.find(connection, Query()), kept]
    text = msgspec.json.encode(shown).decode()
    assert "tok-original-secret" not in text
    assert "tok-replaced-secret" not in text
    assert loaded(connection, keyring, record.id).account == Account(
        sid="AC0123456789abcdef0123456789abcdef",
        username="AC0123456789abcdef0123456789abcdef",
        password=Secret("tok-replaced-secret"),
    )


def test_a_token_is_secret_even_if_the_documents_own_schema_says_otherwise(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    body["inputs_schema"] = [{"key": key, "type": "string", "secret": False} for key in body["inputs"]]
    record = create(connection, keyring, body)
    assert record.document["inputs"]["authToken"] == {"secret": True}


@pytest.mark.parametrize(
    "mask",
    [{"secret": True}, {"value": "********"}, {}, None, {"secret": True, "value": "********"}],
    ids=["secret", "mask", "empty", "omitted", "secret and mask"],
)
def test_a_masked_secret_keeps_its_stored_value(
    mask: dict[str, Any] | None, connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    inputs = {**body["inputs"], "authToken": mask, "smsBody": {"value": "Bye"}}
    if mask is None:
        del inputs["authToken"]
    change(connection, keyring, record.id, {"inputs": inputs})
    destination = loaded(connection, keyring, record.id)
    assert destination.body.source == "Bye"
    assert destination.account is not None
    assert destination.account.password == Secret(TOKEN)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ({"value": "********"}, "No value is saved for this secret input. Enter the value again."),
        ({"secret": True}, "No value is saved for this secret input. Enter the value again."),
        ({"value": "********abc"}, "This secret input was not updated correctly. Enter the value again."),
        ({}, "This field is required."),
        ({"value": ""}, "This field is required."),
    ],
    ids=["mask", "secret", "mask inside", "empty", "empty value"],
)
def test_a_mask_with_nothing_stored_is_refused(
    token: dict[str, Any], message: str, connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    body["inputs"]["authToken"] = token
    with pytest.raises(Invalid) as refused:
        create(connection, keyring, body)
    assert str(refused.value) == message
    assert refused.value.field == "inputs__authToken"


def test_every_change_makes_a_version_that_tells_what_differs(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    inputs = {**body["inputs"], "smsBody": {"value": "Bye"}, "authToken": {"value": "another"}}
    changed = change(connection, keyring, record.id, {"inputs": inputs, "name": "Mine"}, by="cli")
    assert changed.version == 2
    assert changed.updated_at == LATER
    latest, first = registry.versions(connection, record.id)
    assert (latest.version, latest.at, latest.by) == (2, LATER, "cli")
    assert {change["field"]: (change["action"], change["before"], change["after"]) for change in latest.changes} == {
        "name": ("changed", "Twilio", "Mine"),
        "inputs.smsBody.value": ("changed", "Hi {person.properties.name}", "Bye"),
        "inputs.authToken.value": ("changed", {"secret": True}, {"secret": True}),
    }
    assert first.document["name"] == "Twilio"
    assert first.version == 1
    assert loaded(connection, keyring, record.id, 1).body.source == "Hi {person.properties.name}"
    assert loaded(connection, keyring, record.id, 2).body.source == "Bye"
    assert registry.load(connection, record.id, keyring, 3) is None


def test_a_change_that_changes_nothing_makes_no_version(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    before = revision(connection)
    again = change(connection, keyring, record.id, body)
    assert again == record
    assert revision(connection) == before


def test_every_change_counts_the_revision_up(connection: Connection, keyring: Keyring, body: dict[str, Any]) -> None:
    assert revision(connection) == 0
    record = create(connection, keyring, body)
    seen = [revision(connection)]
    change(connection, keyring, record.id, {"enabled": False})
    seen.append(revision(connection))
    registry.pause(connection, record.id, "Twilio refused the credentials.", NOW)
    seen.append(revision(connection))
    integration = integrations.put_integration(connection, ACCOUNT, keyring=keyring, now=NOW)
    seen.append(revision(connection))
    integrations.delete_integration(connection, integration.id)
    seen.append(revision(connection))
    assert seen == [1, 2, 3, 4, 5]


def test_a_deleted_destination_is_gone_from_every_list_but_its_versions_and_deliveries(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    change(connection, keyring, record.id, {"deleted": True})
    assert registry.get(connection, record.id) is None
    assert registry.find(connection, Query()) == ([], 0)
    assert registry.load_all(connection, keyring) == []
    assert registry.change(connection, record.id, {"name": "X"}, keyring=keyring, now=LATER) is None
    assert [version.version for version in registry.versions(connection, record.id)] == [2, 1]
    assert loaded(connection, keyring, record.id).id == record.id
    change(connection, keyring, record.id, {"deleted": False})
    assert registry.get(connection, record.id) is not None


@pytest.mark.parametrize(("field", "runs"), [("enabled", True), ("inputs", True), ("name", False)])
def test_a_paused_destination_runs_again_once_somebody_changed_its_inputs_or_switched_it_on(
    field: str, runs: bool, connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    assert registry.pause(connection, record.id, "Twilio refused the credentials.", NOW)
    assert not registry.pause(connection, record.id, "Another reason.", NOW)
    paused = registry.get(connection, record.id)
    assert paused is not None
    assert (paused.paused, paused.version, paused.document["enabled"]) == ("Twilio refused the credentials.", 1, True)
    assert loaded(connection, keyring, record.id).paused == "Twilio refused the credentials."
    changed = change(connection, keyring, record.id, {"name": "Twilio", field: body.get(field, "Twilio")})
    assert (changed.paused is None) is runs
    assert changed.version == 1


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (Query(), ["Third", "second", "First"]),
        (Query(limit=1, offset=1), ["second"]),
        (Query(enabled=True), ["First"]),
        (Query(enabled=False), ["Third", "second"]),
        (Query(search="SEC"), ["second"]),
        (Query(search="100%"), ["Third"]),
        (Query(search="%"), ["Third"]),
        (Query(types=["destination"]), ["Third", "second", "First"]),
        (Query(types=["transformation"]), []),
        (Query(created_by="cli"), ["second"]),
        (Query(id="nobody"), []),
    ],
    ids=str,
)
def test_destinations_are_found_by_every_filter_and_the_last_changed_comes_first(
    query: Query, names: list[str], connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    create(connection, keyring, {**body, "name": "First"})
    create(connection, keyring, {**body, "name": "second", "enabled": False}, now=LATER, by="cli")
    third = {**body, "name": "Third", "enabled": False, "description": "100% of users"}
    create(connection, keyring, third, now=LATER + timedelta(seconds=1))
    found, total = registry.find(connection, query)
    assert [record.document["name"] for record in found] == names
    assert total == (3 if query.limit == 1 else len(names))


ACCOUNT = Account(sid="AC" + "1" * 32, username="AC" + "1" * 32, password=Secret("integration-secret"))


def by_integration(number: int) -> dict[str, Any]:
    return {
        "template_id": "template-twilio",
        "enabled": True,
        "inputs": {
            "twilio_account": {"value": number},
            "from_number": {"value": "+15005550006"},
            "to_number": {"value": "{{ person.properties.phone }}", "templating": "liquid"},
            "message": {"value": "Hi {{ person.name }}"},
        },
    }


def test_an_integration_stands_for_the_account_that_it_stores(connection: Connection, keyring: Keyring) -> None:
    integration = integrations.put_integration(connection, ACCOUNT, keyring=keyring, now=NOW)
    create(connection, keyring, by_integration(integration.id))
    (destination,) = registry.load_all(connection, keyring)
    assert destination.account == ACCOUNT
    assert destination.routes[0].to.templating is Templating.LIQUID
    assert destination.body.templating is Templating.LIQUID, "evidently Liquid, though it does not say so"
    assert destination.sender.source == "+15005550006"


def test_storing_an_account_again_replaces_its_secret_and_keeps_its_id(
    connection: Connection, keyring: Keyring
) -> None:
    first = integrations.put_integration(connection, ACCOUNT, keyring=keyring, now=NOW)
    renewed = msgspec.structs.replace(ACCOUNT, password=Secret("renewed"))
    second = integrations.put_integration(connection, renewed, keyring=keyring, now=LATER)
    assert second.id == first.id
    assert integrations.find_account(connection, keyring, first.id) == renewed
    assert integrations.list_integrations(connection) == ([second], 1)


def test_storing_an_account_again_lets_the_destinations_that_name_it_run(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    integration = integrations.put_integration(connection, ACCOUNT, keyring=keyring, now=NOW)
    mine, other = create(connection, keyring, by_integration(integration.id)), create(connection, keyring, body)
    for record in (mine, other):
        registry.pause(connection, record.id, "Twilio refused the credentials.", NOW)
    integrations.put_integration(connection, ACCOUNT, keyring=keyring, now=LATER)
    assert loaded(connection, keyring, mine.id).paused is None
    assert loaded(connection, keyring, other.id).paused == "Twilio refused the credentials."


def test_a_destination_whose_integration_is_gone_has_no_account(connection: Connection, keyring: Keyring) -> None:
    integration = integrations.put_integration(connection, ACCOUNT, keyring=keyring, now=NOW)
    create(connection, keyring, by_integration(integration.id))
    assert integrations.delete_integration(connection, integration.id)
    assert not integrations.delete_integration(connection, integration.id)
    (destination,) = registry.load_all(connection, keyring)
    assert destination.account is None
    another = msgspec.structs.replace(ACCOUNT, sid="AC2", username="AC2")
    assert integrations.put_integration(connection, another, keyring=keyring, now=NOW).id > integration.id


def test_an_enabled_destination_cannot_name_an_integration_that_does_not_exist(
    connection: Connection, keyring: Keyring
) -> None:
    with pytest.raises(Invalid, match=r"There is no Twilio integration 12\.") as refused:
        create(connection, keyring, by_integration(12))
    assert refused.value.field == "inputs__twilio_account"
    assert create(connection, keyring, {**by_integration(12), "enabled": False}).version == 1


def test_an_api_key_signs_in_for_its_account(connection: Connection, keyring: Keyring) -> None:
    config = {"account_sid": "AC3", "api_key_sid": "SK4", "api_key_secret": "hush-hush"}
    account = integrations.read_account({"kind": "twilio", "config": config})
    stored = integrations.put_integration(connection, account, keyring=keyring, now=NOW)
    assert (stored.account_sid, stored.api_key_sid) == ("AC3", "SK4")
    assert integrations.find_account(connection, keyring, stored.id) == Account(
        sid="AC3", username="SK4", password=Secret("hush-hush")
    )
    assert integrations.get_integration(connection, IntegrationId(99)) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "slack"}, "kind"),
        ({"kind": "twilio"}, "config"),
        ({"kind": "twilio", "config": {"account_sid": "AC1"}}, "config"),
        ({"kind": "twilio", "config": {"account_sid": "AC1/../x", "auth_token": "s3"}}, "config__account_sid"),
        ({"kind": "twilio", "config": {"account_sid": 1, "auth_token": "s3"}}, "config__account_sid"),
        ({"kind": "twilio", "config": "AC1"}, "config"),
        (
            {"kind": "twilio", "config": {"account_sid": "AC1", "api_key_sid": "XX", "api_key_secret": "s3"}},
            "config__api_key_sid",
        ),
        ([], None),
    ],
)
def test_an_account_that_cannot_be_one_is_refused(body: Any, field: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        integrations.read_account(body)
    assert refused.value.field == field
    assert "s3" not in str(refused.value)


def test_a_destination_whose_action_is_gone_is_loaded_without_routes_and_says_why(
    connection: Connection, keyring: Keyring, cooldown_body: dict[str, Any], body: dict[str, Any]
) -> None:
    cooldown_body["inputs"]["triggeringEventsAndNumber"] = {"value": "action:Bought:+15005550006"}
    bought_id = create_action(connection, {"name": "Bought"}, now=NOW).id
    create(connection, keyring, cooldown_body)
    create(connection, keyring, body, now=LATER)
    (bought,) = [each for each in registry.load_all(connection, keyring) if each.routes[0].action]
    assert bought.routes[0].action == str(bought_id)
    assert bought.paused is None
    connection.execute(delete(actions))
    broken, other = registry.load_all(connection, keyring)
    assert broken.routes == ()
    assert broken.paused == "Its settings can no longer be read: There is no action named 'Bought'."
    assert len(other.routes) == 1


def test_a_new_key_in_front_reads_what_the_old_one_wrote_and_can_take_it_over(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    integrations.put_integration(connection, ACCOUNT, keyring=keyring, now=NOW)
    new, both = Keyring("n" * 40), Keyring("n" * 40 + "," + KEY)
    assert registry.count_unreadable(connection, new) == 2
    assert loaded(connection, new, record.id).account is None
    account = loaded(connection, both, record.id).account
    assert account is not None
    assert account.password == Secret(TOKEN)
    assert registry.reencrypt(connection, both) == 2
    assert registry.count_unreadable(connection, new) == 0


def test_a_write_puts_the_secrets_under_the_newest_key(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    change(connection, Keyring("n" * 40 + "," + KEY), record.id, {"name": "Renamed"})
    assert registry.count_unreadable(connection, Keyring("n" * 40)) == 0


def test_a_destination_whose_key_is_lost_can_be_switched_off_and_gets_its_secret_back_when_the_key_returns(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    change(connection, Keyring("n" * 40), record.id, {"enabled": False})
    account = loaded(connection, keyring, record.id).account
    assert account is not None
    assert account.password == Secret(TOKEN)


def test_what_does_not_compile_is_refused_in_posthogs_words(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    def check(destination: Destination, _: Shared) -> None:
        raise Invalid("Unexpected end.", field=destination.body.field, position=3, hint="Close the brace.")

    with pytest.raises(Invalid) as refused:
        create(connection, keyring, body, check=check)
    assert str(refused.value) == "Invalid template: Unexpected end."
    assert (refused.value.field, refused.value.position, refused.value.hint) == (
        "inputs__smsBody",
        3,
        "Close the brace.",
    )
    body["inputs"]["smsBody"] = {"value": "Hi {{ person.name }}"}
    with pytest.raises(Invalid, match=r"^Invalid template: this field uses single curly braces"):
        create(connection, keyring, body, check=check)


def test_a_filter_that_does_not_compile_is_kept_only_while_the_destination_is_off(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    def check(destination: Destination, _: Shared) -> None:
        raise Invalid("There is no operator 'near'.", field="filters__events")

    with pytest.raises(Invalid, match=r"^Invalid filter configuration: There is no operator 'near'\.$"):
        create(connection, keyring, body, check=check)
    record = create(connection, keyring, {**body, "enabled": False}, check=check)
    assert record.document["filters"]["bytecode_error"] == (
        "Invalid filter configuration: There is no operator 'near'."
    )
    with pytest.raises(Invalid):
        change(connection, keyring, record.id, {"enabled": True}, check=check)
    mended = change(connection, keyring, record.id, {"enabled": True})
    assert "bytecode_error" not in mended.document["filters"]


def test_a_draft_uses_the_stored_secret_and_is_not_kept(
    connection: Connection, keyring: Keyring, body: dict[str, Any]
) -> None:
    record = create(connection, keyring, body)
    inputs = {**body["inputs"], "authToken": {"secret": True}, "smsBody": {"value": "Draft"}}
    draft = registry.draft_of(connection, {"inputs": inputs}, keyring=keyring, id=record.id)
    assert draft is not None
    assert draft.body.source == "Draft"
    assert draft.account is not None
    assert draft.account.password == Secret(TOKEN)
    assert loaded(connection, keyring, record.id).body.source == "Hi {person.properties.name}"
    assert registry.draft_of(connection, body, keyring=keyring) is not None
    assert registry.draft_of(connection, body, keyring=keyring, id=DestinationId("gone")) is None

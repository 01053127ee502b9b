"""A list of documents is planned and carried out as one, and a second time it does nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.destinations import Keyring, registry
from smspipe.destinations.applying import Step, carry_out, plan
from smspipe.destinations.revision import revision
from smspipe.destinations.tidy import tidy
from smspipe.model.destination import Destination
from smspipe.model.errors import Invalid
from smspipe.model.filter import Shared
from tests.destinations.conftest import NOW

Run = Callable[..., list[Step]]
SHORT: dict[str, Any] = {
    "name": "Order shipped",
    "enabled": True,
    "account": {"sid": "AC0123456789abcdef0123456789abcdef", "token": "tok-secret"},
    "from": "+15005550006",
    "to": "{person.properties.phone}",
    "message": "Order {event.properties.order} left",
    "when": "order shipped",
    "cooldown": {"key": "{person.id}", "seconds": 60},
}


@pytest.fixture
def run(connection: Connection, keyring: Keyring) -> Run:
    """Plan documents and carry that out."""

    def both(*documents: Any, prune: bool = False) -> list[Step]:
        steps = plan(connection, documents, keyring=keyring, prune=prune)
        return carry_out(connection, steps, keyring=keyring, now=NOW)

    return both


@pytest.fixture
def look(connection: Connection, keyring: Keyring) -> Run:
    """Plan documents."""
    return lambda *documents, **more: plan(connection, documents, keyring=keyring, **more)


def actions(steps: list[Step]) -> list[tuple[str, str]]:
    """Give the names and actions of steps."""
    return [(step.name, step.action) for step in steps]


def changed(step: Step) -> dict[str, tuple[Any, Any]]:
    """Give the changes of a step by field."""
    return {each.field: (each.before, each.after) for each in step.changes}


def test_a_document_makes_a_destination_and_then_nothing_more(connection: Connection, run: Run) -> None:
    (made,) = run(SHORT)
    assert (made.action, made.position) == ("create", 0)
    assert made.id is not None
    number = revision(connection)
    (again,) = run(SHORT)
    assert (again.action, again.id, again.changes) == ("none", made.id, ())
    assert revision(connection) == number
    assert len(registry.versions(connection, made.id)) == 1


def test_a_plan_writes_nothing(connection: Connection, look: Run) -> None:
    number = revision(connection)
    assert actions(look(SHORT)) == [("Order shipped", "create")]
    assert revision(connection) == number


def test_a_change_is_told_field_by_field_and_secrets_are_not_told(run: Run, look: Run) -> None:
    run(SHORT)
    other = {
        **SHORT,
        "message": "Gone",
        "when": ["order shipped", "order lost"],
        "account": {**SHORT["account"], "token": "tok-2"},
    }
    (step,) = look(other)
    assert changed(step) == {
        "inputs.smsBody.value": ("Order {event.properties.order} left", "Gone"),
        "inputs.authToken.value": ({"secret": True}, {"secret": True}),
        "filters.events": (
            [{"id": "order shipped", "type": "events"}],
            [{"id": "order shipped", "type": "events"}, {"id": "order lost", "type": "events"}],
        ),
    }
    assert "tok-" not in str(step.changes)


def test_what_a_document_leaves_out_goes_back_to_its_default(connection: Connection, run: Run) -> None:
    run({**SHORT, "description": "For people", "smspipe": {"max_age": 60}})
    bare = {key: value for key, value in SHORT.items() if key not in ("cooldown", "to", "enabled")}
    (step,) = run({**bare, "account": {"sid": SHORT["account"]["sid"]}})
    assert step.id is not None
    record = registry.get(connection, step.id)
    assert record is not None
    assert record.document["masking"] is None
    assert record.document["smspipe"] == {}
    assert record.document["inputs"]["phoneNumber"]["value"] == "{event.properties.phone ?? person.properties.phone}"
    assert set(changed(step)) == {
        "masking", "smspipe.max_age", "inputs.phoneNumber.value", "description",
    }  # fmt: skip


def test_whether_it_is_enabled_and_its_secret_stay_when_they_are_left_out(
    connection: Connection, keyring: Keyring, run: Run
) -> None:
    (made,) = run(SHORT)
    without = {key: value for key, value in SHORT.items() if key != "enabled"}
    (step,) = run({**without, "account": {"sid": SHORT["account"]["sid"], "token": {"secret": True}}})
    assert step.action == "none"
    assert made.id is not None
    kept = registry.load(connection, made.id, keyring)
    assert kept is not None
    assert kept.enabled
    assert kept.account is not None
    assert kept.account.password.reveal() == "tok-secret"


def test_a_document_without_inputs_changes_only_what_it_has(run: Run) -> None:
    run(SHORT)
    (step,) = run({"name": "Order shipped", "enabled": False})
    assert changed(step) == {"enabled": (True, False)}


def test_a_renamed_destination_is_found_by_its_id(run: Run) -> None:
    (made,) = run(SHORT)
    (step,) = run({**SHORT, "id": made.id, "name": "Order sent"})
    assert (step.id, changed(step)) == (made.id, {"name": ("Order shipped", "Order sent")})


def test_an_id_that_is_from_elsewhere_leads_to_the_name(run: Run) -> None:
    (made,) = run(SHORT)
    (step,) = run({**SHORT, "id": "01912e4c-0000-7000-8000-000000000000"})
    assert (step.id, step.action) == (made.id, "none")


def test_others_are_kept_unless_they_are_to_be_pruned(connection: Connection, run: Run, look: Run) -> None:
    run(SHORT, {**SHORT, "name": "Old"})
    assert actions(look(SHORT)) == [("Order shipped", "none"), ("Old", "kept")]
    assert actions(run(SHORT, prune=True)) == [("Order shipped", "none"), ("Old", "delete")]
    assert actions(look(SHORT, prune=True)) == [("Order shipped", "none")]


def test_a_document_may_delete_and_do_so_again(run: Run) -> None:
    run(SHORT)
    assert actions(run({"name": "Order shipped", "deleted": True})) == [("Order shipped", "delete")]
    assert actions(run({"name": "Order shipped", "deleted": True})) == [("Order shipped", "none")]


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({**SHORT, "name": "B", "mesage": "x"}, "mesage", "Did you mean 'message'?"),
        ({**SHORT, "name": "B", "enabled": "yes"}, "enabled", "Must be a valid boolean."),
        ({**SHORT, "name": "B", "account": {"sid": "AC1"}}, "inputs__authToken", "This field is required."),
        ({key: value for key, value in SHORT.items() if key != "name"}, "name", "This field is required."),
        ({"name": "B", "enabled": True}, "template_id", "This field is required."),
        (SHORT, "name", "Document 1 is about the same destination."),
        ("text", None, "A destination must be an object."),
    ],
)
def test_one_refused_document_leaves_everything_as_it_was(
    wrong: Any, field: str | None, said: str, connection: Connection, keyring: Keyring, look: Run
) -> None:
    steps = look(SHORT, wrong)
    assert [step.action for step in steps] == ["create", "refused"]
    refusal = steps[1].refusal
    assert refusal is not None
    assert (refusal.field, steps[1].position) == (field, 1)
    assert said in str(refusal)
    with pytest.raises(Invalid):
        carry_out(connection, steps, keyring=keyring, now=NOW)
    assert registry.find(connection, registry.Query()) == ([], 0)


def test_a_name_that_two_destinations_have_is_refused(connection: Connection, keyring: Keyring, look: Run) -> None:
    from smspipe.destinations.short import expand

    for _ in range(2):
        registry.create(connection, expand(SHORT), keyring=keyring, now=NOW)
    (step, *_) = look(SHORT)
    assert str(step.refusal) == "2 destinations are called 'Order shipped'."


def test_what_does_not_compile_is_refused_as_saving_it_would_be(connection: Connection, keyring: Keyring) -> None:
    def refuse(destination: Destination, shared: Shared) -> None:
        raise Invalid("it breaks", field="inputs__smsBody", position=3)

    (step,) = plan(connection, [SHORT], keyring=keyring, check=refuse)
    assert step.refusal is not None
    assert (str(step.refusal), step.refusal.position) == ("Invalid template: it breaks", 3)


def test_an_unchanged_document_does_not_wake_a_paused_destination(
    connection: Connection, keyring: Keyring, run: Run
) -> None:
    (made,) = run(SHORT)
    assert made.id is not None
    registry.pause(connection, made.id, "Wrong credentials.", NOW)
    run(SHORT)
    record = registry.get(connection, made.id)
    assert record is not None
    assert record.paused == "Wrong credentials."


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"description": "For people", "hog": "return 1", "execution_order": 3, "smspipe": {"max_age": 60}},
        {"message": {"value": "Hi {{ person.name }}", "templating": "liquid"}, "skip_test_accounts": True},
        {"where": [{"key": "a", "type": "event", "value": "x", "operator": "exact"}], "when": [{"event": None}, "b"]},
    ],
    ids=["plain", "own fields", "liquid", "conditions"],
)
def test_what_is_written_for_a_file_is_the_same_destination(
    more: dict[str, Any], connection: Connection, run: Run, look: Run
) -> None:
    (made,) = run({**SHORT, **more})
    assert made.id is not None
    record = registry.get(connection, made.id)
    assert record is not None
    written = tidy({**record.document, "smspipe": {**record.document["smspipe"], "version": 1, "notes": []}})
    assert "inputs" not in written
    assert "template_id" not in written
    (step,) = look(written)
    assert (step.action, step.changes) == ("none", ())


def test_the_older_plugins_settings_are_written_in_posthogs_shape(
    connection: Connection, run: Run, look: Run, cooldown_body: dict[str, Any]
) -> None:
    (made,) = run({**cooldown_body, "name": "Plugin"})
    assert made.id is not None
    record = registry.get(connection, made.id)
    assert record is not None
    written = tidy(record.document)
    assert written["template_id"] == "template-twilio-cooldown"
    assert actions(look(written)) == [("Plugin", "none")]

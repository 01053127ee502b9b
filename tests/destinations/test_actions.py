"""Actions are kept as they were checked, and none is taken away from a destination that asks for it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from smspipe.destinations import Keyring, actions, load_actions, registry, revision
from smspipe.destinations.tables import actions as table
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action, ActionStep, Property, PropertyGroup
from tests.destinations.conftest import NOW

LATER = NOW + timedelta(hours=1)
PAID: dict[str, Any] = {
    "name": "Paid",
    "steps": [{"event": "order paid", "properties": [{"key": "amount", "value": 20, "operator": "gte"}]}],
}


def create(connection: Connection, **body: Any) -> int:
    return actions.create_action(connection, body, now=NOW).id


def change(connection: Connection, id_: int, **body: Any) -> actions.Stored:
    changed = actions.change_action(connection, id_, body, now=LATER)
    assert changed is not None
    return changed


def refusal(connection: Connection, id_: int | None = None, **body: Any) -> tuple[str | None, str]:
    with pytest.raises(Invalid) as refused:
        create(connection, **body) if id_ is None else change(connection, id_, **body)
    return refused.value.field, str(refused.value)


def test_an_action_is_loaded_by_its_id_as_it_was_written(connection: Connection) -> None:
    id_ = create(connection, **PAID)
    condition = Property(key="amount", value=20, operator="gte")
    step = ActionStep(event="order paid", properties=PropertyGroup(values=(condition,)))
    assert load_actions(connection) == {str(id_): Action(id=str(id_), name="Paid", steps=(step,))}


def test_a_new_action_has_everything_that_was_left_out(connection: Connection) -> None:
    stored = actions.create_action(connection, {"name": " Any ", "description": None, "tags": None}, now=NOW)
    assert stored == actions.Stored(
        id=stored.id,
        document={"name": "Any", "description": "", "tags": [], "steps": []},
        deleted=False,
        created_at=NOW,
        updated_at=NOW,
    )
    assert actions.get_action(connection, stored.id) == stored


def test_a_change_keeps_what_it_leaves_out(connection: Connection) -> None:
    id_ = create(connection, **PAID, tags=["money"])
    changed = change(connection, id_, description="Twenty and more.")
    assert changed.document == {**PAID, "tags": ["money"], "description": "Twenty and more."}
    assert (changed.created_at, changed.updated_at) == (NOW, LATER)


def test_every_change_counts_the_revision_up_and_one_that_changes_nothing_does_not(connection: Connection) -> None:
    id_ = create(connection, **PAID)
    assert revision(connection) == 1
    assert change(connection, id_, **PAID).updated_at == NOW
    assert revision(connection) == 1
    change(connection, id_, steps=[])
    assert revision(connection) == 2


def test_parts_of_a_step_that_have_no_say_are_dropped(connection: Connection) -> None:
    step = {"id": 3, "event": "paid", "url": None, "selector_regex": None, "isNew": True, "name": "Old"}
    id_ = create(connection, name="Paid", steps=[step])
    stored = actions.get_action(connection, id_)
    assert stored is not None
    assert stored.document["steps"] == [{"event": "paid", "url": None}]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        pytest.param({}, "name", "This field is required.", id="no name"),
        pytest.param({"name": " "}, "name", "This field may not be blank.", id="blank"),
        pytest.param({"name": None}, "name", "Not a valid string.", id="null"),
        pytest.param({"name": "x" * 401}, "name", "Ensure this field has no more than 400 characters.", id="long"),
        pytest.param({"name": "A", "description": 7}, "description", "Not a valid string.", id="description"),
        pytest.param({"name": "A", "description": False}, "description", "Not a valid string.", id="flag"),
        pytest.param({"name": "A", "tags": "x"}, "tags", "This must be a list.", id="tags"),
        pytest.param({"name": "A", "tags": ["x", 7]}, "tags__1", "Not a valid string.", id="tag"),
        pytest.param({"name": "A", "steps": {}}, "steps", "This must be a list.", id="steps"),
        pytest.param({"name": "A", "steps": [7]}, "steps__0", "A step must be an object.", id="step"),
        pytest.param({"name": "A", "steps": [{"event": 7}]}, "steps__0__event", "This must be text.", id="event"),
        pytest.param(
            {"name": "A", "steps": [{}, {"urll": "x"}]},
            "steps__1",
            "A step has no part 'urll'. Did you mean 'url'?",
            id="misspelled part",
        ),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_with_its_field(
    connection: Connection, body: dict[str, Any], field: str, message: str
) -> None:
    assert refusal(connection, **body) == (field, message)


@pytest.mark.parametrize(
    ("step", "field"),
    [
        pytest.param({"event": "paid", "url": "(", "url_matching": "regex"}, "steps__0__url", id="pattern"),
        pytest.param({"event": "$autocapture", "selector": "a >"}, "steps__0__selector", id="selector"),
        pytest.param(
            {"event": "paid", "properties": [{"key": "a", "value": 1, "operator": "near"}]},
            "steps__0__properties__0__operator",
            id="operator",
        ),
        pytest.param(
            {"event": "paid", "properties": [{"key": "a", "value": "soon", "operator": "is_date_after"}]},
            "steps__0__properties__0__value",
            id="only one of the two modes takes it",
        ),
    ],
)
def test_a_step_that_does_not_compile_is_refused_with_its_place(
    connection: Connection, step: dict[str, Any], field: str
) -> None:
    assert refusal(connection, name="A", steps=[step])[0] == field


def test_a_name_belongs_to_one_action(connection: Connection) -> None:
    first = create(connection, name="Paid")
    second = create(connection, name="Bought")
    taken = ("name", f"Action {first} has this name already.")
    assert refusal(connection, name="Paid") == taken
    assert refusal(connection, second, name="Paid") == taken
    change(connection, first, deleted=True)
    change(connection, second, name="Paid")
    assert refusal(connection, first, deleted=False) == ("name", f"Action {second} has this name already.")


def test_the_database_itself_keeps_names_apart(connection: Connection) -> None:
    create(connection, name="Paid")
    row = {"name": "Paid", "document": {}, "created_at": NOW, "updated_at": NOW}
    connection.execute(insert(table).values({**row, "deleted": True}))
    with pytest.raises(IntegrityError):
        connection.execute(insert(table).values({**row, "deleted": False}))


def test_a_deleted_action_is_gone_until_that_is_taken_back(connection: Connection) -> None:
    id_ = create(connection, **PAID)
    assert change(connection, id_, deleted=True).deleted
    assert actions.get_action(connection, id_) is None
    assert actions.list_actions(connection) == ([], 0)
    assert load_actions(connection) == {}
    assert actions.change_action(connection, id_, {"name": "New"}, now=LATER) is None
    assert not change(connection, id_, deleted=False).deleted
    assert list(load_actions(connection)) == [str(id_)]
    assert actions.change_action(connection, id_ + 1, {"deleted": False}, now=LATER) is None


def test_actions_are_listed_by_name_a_page_at_a_time(connection: Connection) -> None:
    for name in ("c", "a", "b"):
        create(connection, name=name)
    found, total = actions.list_actions(connection, limit=2, offset=1)
    assert ([each.document["name"] for each in found], total) == (["b", "c"], 3)


@pytest.mark.parametrize("enabled", [True, False])
def test_an_action_that_a_filter_names_cannot_be_deleted_but_renamed(
    connection: Connection, keyring: Keyring, body: dict[str, Any], enabled: bool
) -> None:
    id_ = create(connection, **PAID)
    asking = {**body, "name": "Shop", "enabled": enabled, "filters": {"actions": [{"id": str(id_), "name": "Paid"}]}}
    record = registry.create(connection, asking, keyring=keyring, now=NOW)
    said = "The destination 'Shop' asks for this action, so it cannot be deleted."
    assert refusal(connection, id_, deleted=True) == ("deleted", said)
    change(connection, id_, name="Paid up")
    registry.change(connection, record.id, {"deleted": True}, keyring=keyring, now=LATER)
    assert change(connection, id_, deleted=True).deleted


@pytest.mark.parametrize("written", ["action:Paid", '"action:x":+15005550006,Paid', 'action:"Paid"'])
def test_an_action_that_pairs_name_cannot_be_deleted_nor_renamed(
    connection: Connection, keyring: Keyring, cooldown_body: dict[str, Any], written: str
) -> None:
    id_ = create(connection, **PAID)
    cooldown_body["inputs"]["triggeringEventsAndNumber"] = {"value": f"{written}:+15005550006"}
    for name in ("One", "Two"):
        registry.create(connection, {**cooldown_body, "name": name}, keyring=keyring, now=NOW)
    who = "The destinations 'One', 'Two' ask for this action, so it cannot be "
    assert refusal(connection, id_, deleted=True) == ("deleted", who + "deleted.")
    assert refusal(connection, id_, name="Bought") == ("name", who + "renamed.")
    assert change(connection, id_, steps=[]).document["steps"] == []


def test_an_event_in_quotes_asks_for_no_action_of_its_name(
    connection: Connection, keyring: Keyring, cooldown_body: dict[str, Any]
) -> None:
    id_ = create(connection, **PAID)
    cooldown_body["inputs"]["triggeringEventsAndNumber"] = {"value": '"Paid":+15005550006'}
    registry.create(connection, cooldown_body, keyring=keyring, now=NOW)
    assert change(connection, id_, deleted=True).deleted


def test_a_destination_is_read_with_the_actions_there_are(
    connection: Connection, keyring: Keyring, cooldown_body: dict[str, Any]
) -> None:
    cooldown_body["inputs"]["triggeringEventsAndNumber"] = {"value": "Paid:+15005550006"}
    registry.create(connection, cooldown_body, keyring=keyring, now=NOW)
    (before,) = registry.load_all(connection, keyring)
    id_ = create(connection, **PAID)
    (after,) = registry.load_all(connection, keyring)
    assert (before.routes[0].event, before.routes[0].action) == ("Paid", None)
    assert (after.routes[0].event, after.routes[0].action) == (None, str(id_))

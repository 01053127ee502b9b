"""
The actions: PostHog's named alternatives of what an event may be, for filters and pairs to ask for.

Filters name an action by its id, the older plugin's pairs by its name. So a name belongs to one action only, and
neither a deletion nor a new name may take an action away from a destination that asks for it.
"""

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from smspipe.destinations import templates
from smspipe.destinations.pairs import read_pairs, to_routes
from smspipe.destinations.revision import bump
from smspipe.destinations.tables import actions, destinations
from smspipe.matching import compile_filter, read_action, read_filter
from smspipe.model.errors import Invalid
from smspipe.model.filter import Action, ActionFilter, ActionStep, Filter, Mode

LONGEST_NAME: Final = 400
_STEP_KEYS: Final = ActionStep.__struct_fields__
_STEP_KEYS_PASSED_OVER: Final = ("id", "name", "description", "selector_regex", "isNew", "bytecode")
"""Parts of PostHog's steps that have no say in what matches."""


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An action as it is kept. `document` has `name`, `description`, `tags` and `steps`."""

    id: int
    document: dict[str, Any]
    deleted: bool
    created_at: datetime
    updated_at: datetime


def create_action(connection: Connection, body: Mapping[str, Any], *, now: datetime) -> Stored:
    """
    Store an action of a body in PostHog's shape.

    Raises:
        Invalid: the body breaks a rule, a step does not compile, or the name is taken.
    """
    if "name" not in body:
        raise Invalid("This field is required.", field="name")
    document = _read_document({"name": "", "description": "", "tags": [], "steps": []}, body)
    _check_name_is_free(connection, document["name"])
    values = {"name": document["name"], "document": document, "deleted": False, "created_at": now}
    row = connection.execute(insert(actions).values({**values, "updated_at": now}).returning(actions)).one()
    bump(connection)
    return _to_stored(row)


def change_action(connection: Connection, id: int, body: Mapping[str, Any], *, now: datetime) -> Stored | None:  # noqa: A002 (the model's own word)
    """
    Change the fields that a body has; None if there is no such action.

    `deleted: true` deletes; a deleted action is there only for the body that takes that back (`deleted: false`).

    Raises:
        Invalid: as `create_action`; or a destination asks for the action, so that it cannot be deleted, or asks for it
            by its name, so that it cannot get another.
    """
    row = connection.execute(select(actions).where(actions.c.id == id).with_for_update()).first()
    if row is None or (row.deleted and body.get("deleted") is not False):
        return None
    deleted = body.get("deleted", row.deleted)
    if not isinstance(deleted, bool):
        raise Invalid("Must be a valid boolean.", field="deleted")
    document = _read_document(row.document, body)
    if deleted:
        _refuse_while_asked_for(connection, row.id, "deleted", "deleted", by_name_only=False)
    elif document["name"] != row.name and not row.deleted:
        _refuse_while_asked_for(connection, row.id, "name", "renamed", by_name_only=True)
    if not deleted and (row.deleted or document["name"] != row.name):
        _check_name_is_free(connection, document["name"])
    if document == row.document and deleted == row.deleted:
        return _to_stored(row)
    values = {"name": document["name"], "document": document, "deleted": deleted, "updated_at": now}
    changed = update(actions).where(actions.c.id == id).values(values).returning(actions)
    row = connection.execute(changed).one()
    bump(connection)
    return _to_stored(row)


def get_action(connection: Connection, id: int) -> Stored | None:  # noqa: A002 (the model's own word)
    """Give one action, None if there is none of that id or it is deleted."""
    row = connection.execute(select(actions).where(actions.c.id == id, actions.c.deleted.is_(False))).first()
    return None if row is None else _to_stored(row)


def list_actions(connection: Connection, *, limit: int | None = None, offset: int = 0) -> tuple[list[Stored], int]:
    """List the actions that are not deleted by their names, and count them all."""
    living = actions.c.deleted.is_(False)
    total = connection.execute(select(func.count()).select_from(actions).where(living)).scalar_one()
    query = select(actions).where(living).order_by(actions.c.name).limit(limit).offset(offset)
    return [_to_stored(row) for row in connection.execute(query)], total


def load_actions(connection: Connection) -> dict[str, Action]:
    """Load the actions that are not deleted, by their ids as text, which is how filters write them."""
    rows = connection.execute(select(actions).where(actions.c.deleted.is_(False)).order_by(actions.c.id))
    return {str(row.id): read_action({**row.document, "id": row.id}) for row in rows}


# ---- reading a body ----------------------------------------------------------------------------------


def _read_document(before: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Put what a body says in place of what was, and make sure that it can be run."""
    document = {
        "name": _read_name(body["name"]) if "name" in body else before["name"],
        "description": _read_description(body["description"]) if "description" in body else before["description"],
        "tags": _read_tags(body["tags"]) if "tags" in body else before["tags"],
        "steps": _read_steps(body["steps"]) if "steps" in body else before["steps"],
    }
    _compile(document)
    return document


def _read_name(given: Any) -> str:
    name = _read_text(given, "name").strip()
    if not name:
        raise Invalid("This field may not be blank.", field="name")
    if len(name) > LONGEST_NAME:
        raise Invalid(f"Ensure this field has no more than {LONGEST_NAME} characters.", field="name")
    return name


def _read_description(given: Any) -> str:
    return "" if given is None else _read_text(given, "description")


def _read_text(given: Any, field: str) -> str:
    if not isinstance(given, str):
        raise Invalid("Not a valid string.", field=field)
    return given


def _read_tags(given: Any) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise Invalid("This must be a list.", field="tags", hint="Write […].")
    return [_read_text(tag, f"tags__{index}") for index, tag in enumerate(given)]


def _read_steps(given: Any) -> list[Any]:
    """
    Leave out what has no say, and refuse what nobody knows.

    A part that is misspelled and passed over would make the action match more events than was meant.
    """
    if not isinstance(given, list):
        return [] if given is None else given  # its shape is refused where steps are read
    return [_read_step(step, index) if isinstance(step, dict) else step for index, step in enumerate(given)]


def _read_step(step: dict[str, Any], index: int) -> dict[str, Any]:
    for key in step:
        if key not in _STEP_KEYS and key not in _STEP_KEYS_PASSED_OVER:
            near = difflib.get_close_matches(key[:40], _STEP_KEYS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(_STEP_KEYS)}."
            raise Invalid(f"A step has no part {key[:40]!r}. {hint}", field=f"steps__{index}", hint=hint)
    return {key: value for key, value in step.items() if key in _STEP_KEYS}


def _compile(document: Mapping[str, Any]) -> None:
    """Find out whether the steps can be run, by destinations of either mode."""
    try:
        action = read_action({**document, "id": 0})
        for mode in Mode:
            asked = Filter(actions=(ActionFilter(id=action.id, name=action.name),), mode=mode)
            compile_filter(asked, actions={action.id: action}, field="action")
    except Invalid as error:
        field = (error.field or "").removeprefix("action__").removeprefix("actions__0__")
        raise Invalid(str(error), field=field or None, position=error.position, hint=error.hint) from error


# ---- what hangs together -----------------------------------------------------------------------------


def _check_name_is_free(connection: Connection, name: str) -> None:
    taken = select(actions.c.id).where(actions.c.name == name, actions.c.deleted.is_(False))
    if (other := connection.execute(taken).scalar()) is not None:
        raise Invalid(
            f"Action {other} has this name already.",
            field="name",
            hint="Pairs name actions by their names, so no two may have the same.",
        )


def _refuse_while_asked_for(connection: Connection, id: int, field: str, what: str, *, by_name_only: bool) -> None:  # noqa: A002 (the model's own word)
    known = load_actions(connection)
    rows = connection.execute(
        select(destinations.c.name, destinations.c.document)
        .where(destinations.c.deleted.is_(False))
        .order_by(destinations.c.name)
    )
    names = [
        f"{row.name!r}"
        for row in rows
        if _asks_by_name(row.document, str(id), known) or (not by_name_only and _asks_by_id(row.document, str(id)))
    ]
    if names:
        who = f"destination {names[0]}" if len(names) == 1 else f"destinations {', '.join(names)}"
        asks = "asks" if len(names) == 1 else "ask"
        raise Invalid(
            f"The {who} {asks} for this action, so it cannot be {what}.",
            field=field,
            hint="Change them first; those that are switched off count too.",
        )


def _asks_by_id(document: Mapping[str, Any], id: str) -> bool:  # noqa: A002 (the model's own word)
    """Does the filter name the action? One that cannot be read is refused when it is switched on, and asks nothing."""
    try:
        return any(entry.id == id for entry in read_filter(document["filters"], mode=Mode.SANE).actions)
    except Invalid:
        return False


def _asks_by_name(document: Mapping[str, Any], id: str, known: Mapping[str, Action]) -> bool:  # noqa: A002 (the model's own word)
    """Do the older plugin's pairs name the action?"""
    pairs = document["inputs"].get("triggeringEventsAndNumber", {}).get("value")
    if document["template_id"] != templates.COOLDOWN or not isinstance(pairs, str):
        return False
    try:
        return any(route.action == id for route in to_routes(read_pairs(pairs), known))
    except Invalid:
        return False


def _to_stored(row: Row[Any]) -> Stored:
    return Stored(
        id=row.id, document=row.document, deleted=row.deleted, created_at=row.created_at, updated_at=row.updated_at
    )

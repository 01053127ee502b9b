"""Doors to the actions: named alternatives of what an event may be, for filters and pairs to ask for."""

import asyncio
from typing import Any, Final

import msgspec
from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy import Connection

from smspipe.destinations import actions
from smspipe.destinations.actions import Stored
from smspipe.model.clock import to_iso
from smspipe.web.problems import PROBLEMS, AnyRequest, NotAllowed, NotFound
from smspipe.web.queries import MOST, Page, page, read_count
from smspipe.web.services import Services


class ActionInFull(msgspec.Struct, frozen=True, kw_only=True):
    """An action: an event is one when it meets all parts of one of its steps."""

    id: int
    name: str
    description: str
    tags: list[str]
    steps: list[dict[str, Any]]
    created_at: str
    updated_at: str
    deleted: bool


def show(stored: Stored) -> ActionInFull:
    """Write an action as PostHog's API does."""
    return ActionInFull(
        **stored.document,
        id=stored.id,
        created_at=to_iso(stored.created_at),
        updated_at=to_iso(stored.updated_at),
        deleted=stored.deleted,
    )


@get("/actions", sync_to_thread=True, operation_id="list_actions", responses=PROBLEMS)
def list_actions(
    services: NamedDependency[Services],
    request: AnyRequest,
    limit: FromQuery[str | None] = None,
    offset: FromQuery[str | None] = None,
) -> Page[ActionInFull]:
    """List the actions that are not deleted, by their names."""
    most = read_count(limit, "limit", default=100, least=1, most=MOST)
    start = read_count(offset, "offset", default=0)
    with services.database.read() as connection:
        found, total = actions.list_actions(connection, limit=most, offset=start)
    return page(request, [show(each) for each in found], total, limit=most, offset=start)


@post("/actions", operation_id="create_action", responses=PROBLEMS)
async def create_action(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> ActionInFull:
    """Store an action; filters name it by its id, pairs by its name."""
    now = services.clock()

    def job(connection: Connection) -> Stored:
        return actions.create_action(connection, data, now=now)

    stored = await asyncio.wrap_future(services.writer.run_job(job))
    await services.changed()
    return show(stored)


@get("/actions/{action_id:str}", sync_to_thread=True, operation_id="get_action", responses=PROBLEMS)
def get_action(services: NamedDependency[Services], action_id: FromPath[str]) -> ActionInFull:
    """Read one action."""
    with services.database.read() as connection:
        found = actions.get_action(connection, _read_id(action_id))
    if found is None:
        raise NotFound("Not found.")
    return show(found)


@patch("/actions/{action_id:str}", operation_id="change_action", responses=PROBLEMS)
async def change_action(
    services: NamedDependency[Services], action_id: FromPath[str], data: JSONBody[dict[str, Any]]
) -> ActionInFull:
    """Change the fields that the body has; `{"deleted": true}` deletes an action that no destination asks for."""
    now, number = services.clock(), _read_id(action_id)

    def job(connection: Connection) -> Stored | None:
        return actions.change_action(connection, number, data, now=now)

    stored = await asyncio.wrap_future(services.writer.run_job(job))
    if stored is None:
        raise NotFound("Not found.")
    await services.changed()
    return show(stored)


@delete("/actions/{action_id:str}", status_code=405, include_in_schema=False)
async def delete_action(action_id: FromPath[str]) -> None:
    """Refuse: an action is deleted by changing it, as a destination is."""
    raise NotAllowed(
        f'Method "DELETE" not allowed. Send PATCH {{"deleted": true}} to /actions/{action_id[:64]}/ instead.',
        allow="GET, PATCH",
    )


def _read_id(text: str) -> int:
    # PostgreSQL's integers end at 2**31 - 1, and no id comes near that.
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise NotFound("Not found.")
    return int(text)


HANDLERS: Final = (list_actions, create_action, get_action, change_action, delete_action)

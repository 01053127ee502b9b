"""Doors to the stored Twilio accounts: PostHog's `integrations` of kind `twilio`."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy import Connection

from smspipe.destinations import integrations
from smspipe.destinations.integrations import Integration
from smspipe.model.clock import to_iso
from smspipe.model.destination import Account
from smspipe.model.errors import Invalid, Permanent
from smspipe.model.ids import IntegrationId
from smspipe.web.problems import PROBLEMS, AnyRequest, NotFound
from smspipe.web.queries import MOST, Page, page, read_count, read_flag
from smspipe.web.services import PhoneNumber, Services

NUMBERS_KEPT: Final = timedelta(hours=1)
"""How long an account's list of numbers is shown before Twilio is asked again, as in PostHog."""


class IntegrationInList(msgspec.Struct, frozen=True, kw_only=True):
    """A stored account, without its secret."""

    id: int
    kind: str
    integration_id: str
    config: dict[str, str]
    display_name: str
    errors: str
    created_at: str
    created_by: dict[str, Any]


class PhoneNumberList(msgspec.Struct, frozen=True, kw_only=True, rename={"refreshed_at": "lastRefreshedAt"}):
    """An account's numbers, and when Twilio was asked for them."""

    phone_numbers: list[PhoneNumber]
    refreshed_at: str


class AccountCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether Twilio takes an account's credentials; `detail` says why not."""

    ok: bool
    detail: str


class NumbersCache:
    """The lists of numbers that Twilio gave within the last hour."""

    def __init__(self) -> None:
        self._kept: dict[IntegrationId, tuple[datetime, datetime, Sequence[PhoneNumber]]] = {}

    def get(self, integration: Integration, now: datetime) -> tuple[datetime, Sequence[PhoneNumber]] | None:
        """Give a list and when it was fetched, None if it is too old or the account changed since."""
        changed_at, at, numbers = self._kept.get(integration.id, (None, now, ()))
        if changed_at != integration.updated_at or now - at >= NUMBERS_KEPT:
            return None
        return at, numbers

    def put(self, integration: Integration, now: datetime, numbers: Sequence[PhoneNumber]) -> None:
        """Keep a list."""
        self._kept[integration.id] = (integration.updated_at, now, numbers)


def show(integration: Integration) -> IntegrationInList:
    """Write an account as PostHog's API does."""
    config = {"account_sid": integration.account_sid}
    if integration.api_key_sid is not None:
        config["api_key_sid"] = integration.api_key_sid
    return IntegrationInList(
        id=integration.id,
        kind=integration.kind,
        integration_id=integration.account_sid,
        config=config,
        display_name=integration.account_sid,
        errors="",
        created_at=to_iso(integration.created_at),
        created_by={"first_name": integration.created_by},
    )


@get("/integrations", sync_to_thread=True, operation_id="list_integrations", responses=PROBLEMS)
def list_integrations(
    services: NamedDependency[Services],
    request: AnyRequest,
    kind: FromQuery[str | None] = None,
    limit: FromQuery[str | None] = None,
    offset: FromQuery[str | None] = None,
) -> Page[IntegrationInList]:
    """List the stored accounts."""
    most = read_count(limit, "limit", default=100, least=1, most=MOST)
    start = read_count(offset, "offset", default=0)
    if kind not in (None, "", integrations.KIND):
        return page(request, [], 0, limit=most, offset=start)
    with services.database.read() as connection:
        found, total = integrations.list_integrations(connection, limit=most, offset=start)
    return page(request, [show(each) for each in found], total, limit=most, offset=start)


@post("/integrations", operation_id="create_integration", responses=PROBLEMS)
async def create_integration(services: NamedDependency[Services], data: JSONBody[dict[str, Any]]) -> IntegrationInList:
    """Store an account once Twilio has confirmed it; one that is stored already gets the new secret."""
    account = integrations.read_account(data)
    try:
        await services.check_account(account)
    except Permanent as error:
        raise Invalid("Failed to get account info", field="account_info", hint=str(error)) from error
    now = services.clock()

    def job(connection: Connection) -> Integration:
        return integrations.put_integration(connection, account, keyring=services.keyring, now=now)

    stored = await asyncio.wrap_future(services.writer.run_job(job))
    await services.changed()
    return show(stored)


@get("/integrations/{integration_id:str}", sync_to_thread=True, operation_id="get_integration", responses=PROBLEMS)
def get_integration(services: NamedDependency[Services], integration_id: FromPath[str]) -> IntegrationInList:
    """Read a stored account."""
    with services.database.read() as connection:
        found = integrations.get_integration(connection, _read_id(integration_id))
    if found is None:
        raise NotFound("Not found.")
    return show(found)


@delete("/integrations/{integration_id:str}", operation_id="delete_integration", responses=PROBLEMS)
async def delete_integration(services: NamedDependency[Services], integration_id: FromPath[str]) -> None:
    """Forget a stored account and its secret. Destinations that name it send nothing until they name another."""
    number = _read_id(integration_id)
    gone = await asyncio.wrap_future(
        services.writer.run_job(lambda connection: integrations.delete_integration(connection, number))
    )
    if not gone:
        raise NotFound("Not found.")
    await services.changed()


@get("/integrations/{integration_id:str}/twilio_phone_numbers", operation_id="list_phone_numbers", responses=PROBLEMS)
async def list_phone_numbers(
    services: NamedDependency[Services],
    numbers_cache: NamedDependency[NumbersCache],
    integration_id: FromPath[str],
    force_refresh: FromQuery[str | None] = None,
) -> PhoneNumberList:
    """List the numbers that texts can be sent from; Twilio is asked once an hour, or when `force_refresh=true`."""
    integration, account = await asyncio.to_thread(_account, services, integration_id)
    now = services.clock()
    kept = None if read_flag(force_refresh, "force_refresh") else numbers_cache.get(integration, now)
    if kept is None:
        kept = (now, await services.phone_numbers(account))
        numbers_cache.put(integration, *kept)
    at, numbers = kept
    return PhoneNumberList(phone_numbers=list(numbers), refreshed_at=to_iso(at))


@post("/integrations/{integration_id:str}/check", status_code=200, operation_id="check_integration", responses=PROBLEMS)
async def check_integration(services: NamedDependency[Services], integration_id: FromPath[str]) -> AccountCheck:
    """Ask Twilio whether it takes a stored account's credentials."""
    _, account = await asyncio.to_thread(_account, services, integration_id)
    try:
        await services.check_account(account)
    except Permanent as error:
        return AccountCheck(ok=False, detail=str(error))
    return AccountCheck(ok=True, detail="Twilio takes the credentials.")


def _account(services: Services, integration_id: str) -> tuple[Integration, Account]:
    number = _read_id(integration_id)
    with services.database.read() as connection:
        integration = integrations.get_integration(connection, number)
        account = integrations.find_account(connection, services.keyring, number)
    if integration is None:
        raise NotFound("Not found.")
    if account is None:
        raise Invalid("No key opens the secret of this account. Store the account again.", field="account_info")
    return integration, account


def _read_id(text: str) -> IntegrationId:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise NotFound("Not found.")
    return IntegrationId(int(text))


HANDLERS: Final = (
    list_integrations,
    create_integration,
    get_integration,
    delete_integration,
    list_phone_numbers,
    check_integration,
)

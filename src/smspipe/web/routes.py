"""All doors of the API in one application. Capture has a shorter way in, see `protocol`."""

from typing import Any, Final

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException, SerializationException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from smspipe import __version__
from smspipe.model.errors import Fault
from smspipe.web import (
    actions,
    alarms,
    budget,
    configuration,
    cost,
    deliveries,
    destinations,
    erasing,
    events,
    forecasts,
    halting,
    health,
    history,
    imports,
    integrations,
    invocations,
    optouts,
    project,
    receipts,
    redrive,
    templates,
)
from smspipe.web.auth import guard_with
from smspipe.web.problems import answer_broken_json, answer_fault, answer_http, answer_surprise, answer_too_deep
from smspipe.web.services import Services

LARGEST_BODY_BYTES: Final = 10 * 2**20
_NAME: Final = "/api/projects/"
_ALIAS: Final = "/api/environments/"
_PROJECT: Final = (
    *configuration.HANDLERS,
    *destinations.HANDLERS,
    *imports.HANDLERS,
    *invocations.HANDLERS,
    *history.HANDLERS,
    *templates.HANDLERS,
    *integrations.HANDLERS,
    *actions.HANDLERS,
    *project.HANDLERS,
    *halting.HANDLERS,
    *erasing.HANDLERS,
    *alarms.HANDLERS,
    *budget.HANDLERS,
    *deliveries.HANDLERS,
    *redrive.HANDLERS,
    *cost.HANDLERS,
    *events.HANDLERS,
    *forecasts.HANDLERS,
    *optouts.HANDLERS,
)


class _Api(Litestar):
    """Litestar with PostHog's second name for the project's routes, and without plugins for other libraries."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take `/api/environments/…` as `/api/projects/…`: registering every route twice would cost twice the time."""
        if scope["type"] == "http" and scope["path"].startswith(_ALIAS):
            scope = {**scope, "path": _NAME + scope["path"][len(_ALIAS) :]}
        await super().__call__(scope, receive, send)

    @staticmethod
    def _get_default_plugins(plugins: list[Any]) -> list[Any]:
        # Whatever happens to be installed beside us would be loaded, and pydantic alone
        # takes 10 MiB. We use msgspec only.
        from litestar.plugins.core import MsgspecDIPlugin

        return [*plugins, MsgspecDIPlugin()]


def api(services: Services) -> Litestar:
    """Build the application: every route of the contract but capture, the sandbox and Twilio's callbacks."""
    guard = guard_with(services.api_key)
    numbers_cache = integrations.NumbersCache()
    routes = Router(_NAME + "{project_id:str}", route_handlers=_PROJECT, guards=[guard])
    return _Api(
        [routes, *templates.PUBLIC, *health.HANDLERS, *receipts.HANDLERS],
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "numbers_cache": Provide(lambda: numbers_cache, sync_to_thread=False),
        },
        exception_handlers={
            Fault: answer_fault,
            HTTPException: answer_http,
            SerializationException: answer_broken_json,
            RecursionError: answer_too_deep,
            Exception: answer_surprise,
        },
        openapi_config=_OPENAPI,
        request_max_body_size=LARGEST_BODY_BYTES,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )


_OPENAPI: Final = OpenAPIConfig(
    title="smspipe",
    version=__version__,
    path="/api/schema",
    render_plugins=[JsonRenderPlugin(path="/")],
    components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
    security=[{"key": []}],
)

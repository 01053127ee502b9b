"""Who may use the API: whoever has its key. One key, one project."""

import hmac
from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from smspipe.model.destination import Secret
from smspipe.web.problems import NotAuthenticated, NotFound

Connection = ASGIConnection[Any, Any, Any, Any]
PROJECTS = frozenset({"1", "@current"})
"""The names of the one project."""


def guard_with(api_key: Secret) -> Callable[[Connection, BaseRouteHandler], None]:
    """
    Make the guard of the project's routes: `Authorization: Bearer <API key>`, and a project that exists.

    Raises:
        NotAuthenticated: there is no key, or a wrong one.
        NotFound: the project is not ours.
    """
    expected = api_key.reveal().encode()

    def guard(connection: Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001 (Litestar's signature)
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if not given or scheme.lower() != "bearer":
            raise NotAuthenticated("Authentication credentials were not provided.", wrong=False)
        # Compared in constant time, so that the time of the answer tells nothing of the key.
        if not hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected):
            raise NotAuthenticated("The API key is not valid.", wrong=True)
        if connection.path_params.get("project_id", "1") not in PROJECTS:
            raise NotFound("Project not found.")

    return guard

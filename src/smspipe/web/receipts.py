"""
Doors for Twilio: status callbacks and incoming texts.

They have no API key; Twilio's signature is what lets a request in. The answers say nothing to anybody else: 403.
"""

from typing import Any, Final

from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from smspipe.model.errors import Temporary
from smspipe.pipeline.webhooks import INBOUND_PATH, STATUS_PATH, NotSigned, Webhooks
from smspipe.receipts import LARGEST_BODY_BYTES
from smspipe.web.services import Services

AnyRequest = Request[Any, Any, Any]
_NOTHING_TO_SAY: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""TwiML without a reply: Twilio answers STOP, START and HELP by itself, and to other texts nobody answers."""


@post(STATUS_PATH + "{token:str}", status_code=200, include_in_schema=False)
async def take_status(
    services: NamedDependency[Services], request: AnyRequest, token: FromPath[str]
) -> Response[str | None]:
    """Take a status callback: 204 once it is on disk, 403 when it is not Twilio's."""
    try:
        webhooks = _webhooks(services)
        await webhooks.status(token, **await _read(webhooks, request))
    except NotSigned:
        return Response("", status_code=403, media_type=MediaType.TEXT)
    return Response(None, status_code=204)


@post(INBOUND_PATH, status_code=200, include_in_schema=False)
async def take_inbound(services: NamedDependency[Services], request: AnyRequest) -> Response[str]:
    """Take an incoming text; the answer is TwiML that replies nothing, or 403 when it is not Twilio's."""
    try:
        webhooks = _webhooks(services)
        await webhooks.inbound(**await _read(webhooks, request))
    except NotSigned:
        return Response("", status_code=403, media_type=MediaType.TEXT)
    return Response(_NOTHING_TO_SAY, media_type="text/xml")


def _webhooks(services: Services) -> Webhooks:
    if services.webhooks is None:
        raise Temporary("The service does not run.")
    return services.webhooks


async def _read(webhooks: Webhooks, request: AnyRequest) -> dict[str, Any]:
    """
    Read a request as it arrived: the signature is over its very bytes.

    Raises:
        NotSigned: it is larger than any of Twilio's.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > LARGEST_BODY_BYTES:
        raise webhooks.refuse("it is larger than any of Twilio's")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise webhooks.refuse("it is larger than any of Twilio's")
    return {
        "path": request.scope["raw_path"].decode("latin-1"),
        "query": request.scope["query_string"].decode("latin-1"),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": bytes(body),
    }


HANDLERS: Final = (take_status, take_inbound)

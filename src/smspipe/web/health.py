"""Doors for those who watch the service, and the front page."""

import asyncio
import html
from typing import Final

from litestar import MediaType, Response, get
from litestar.di import NamedDependency

from smspipe.telemetry import catch_up, metrics_text
from smspipe.web.services import Services

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>smspipe</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root{{color-scheme:light dark}}
body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}
code{{font-family:ui-monospace,monospace}}</style></head>
<body><h1>smspipe</h1>
<p>This service turns analytics events into text messages, each once, and can say why an event led to none.</p>
<p>{state}</p>
<ul>
<li><a href="/api/schema/">The API</a>, as an OpenAPI document. Destinations are at
<code>/api/projects/1/hog_functions/</code>; every request needs <code>Authorization: Bearer</code> and the API key.
</li>
<li><a href="/api/public_hog_function_templates/">The templates</a> that a destination is made from.</li>
<li><a href="/metrics">Metrics</a>, <a href="/healthz">liveness</a> and <a href="/readyz">readiness</a>.</li>
</ul></body></html>
"""


@get("/healthz", sync_to_thread=False, media_type=MediaType.TEXT, include_in_schema=False)
def get_health() -> str:
    """Say that the process answers."""
    return "ok"


@get("/readyz", sync_to_thread=False, media_type=MediaType.TEXT, include_in_schema=False)
def get_readiness(services: NamedDependency[Services]) -> Response[str]:
    """Say whether the service should get traffic: 200, or 503 and why not."""
    why = services.ready()
    return Response("ok" if why is None else why, status_code=200 if why is None else 503, media_type=MediaType.TEXT)


@get("/metrics", include_in_schema=False)
async def get_prometheus() -> Response[bytes]:
    """Give all metrics in Prometheus' text form."""
    catch_up()
    return Response(await asyncio.to_thread(metrics_text), media_type="text/plain; version=0.0.4; charset=utf-8")


@get("/", sync_to_thread=False, media_type=MediaType.HTML, include_in_schema=False)
def get_front_page(services: NamedDependency[Services]) -> Response[str]:
    """Say what this is, and where to go on."""
    why = services.ready()
    state = "It is running." if why is None else html.escape(why)
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return Response(
        _PAGE.format(state=state),
        media_type=MediaType.HTML,
        headers={"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"},
    )


HANDLERS: Final = (get_health, get_readiness, get_prometheus, get_front_page)

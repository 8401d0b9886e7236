"""An app with a console, for the commands that ask one: a page kept for a minute, an upstream, and a resource."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_resync import CacheRule, Resource, Resync, Upstream, telemetry
from asgi_resync.console import Console

calls = 0


async def plan(request: Request) -> PlainTextResponse:
    global calls
    calls += 1
    return PlainTextResponse(f"{calls}")


async def start() -> None:
    """Be up at once."""


recorder = telemetry.Recorder()
resync = Resync.from_env(
    rules=[CacheRule("/plan/{name}", ttl=60, tags=["plan"], upstreams=["tws"])],
    upstreams=[Upstream("tws")],
    resources=[Resource("database", start=start)],
    on_event=recorder,
)
console = Console(resync, recorder=recorder)
app = console.around(resync(Starlette(routes=[Route("/plan/{name}", plan)])))

"""An app with a console, whose upstream fails on command: what the browser looks at."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from asgi_resync import BreakerLimits, BreakerRule, CacheRule, Resource, Resync, Upstream, telemetry
from asgi_resync.console import Console

TOKEN = "not-a-secret-at-all"


async def ready() -> None:
    """Open the database, which there is none of."""


async def absent() -> None:
    """Fail to open what is not there."""
    raise ConnectionRefusedError


recorder = telemetry.Recorder()
resync = Resync.from_env(
    rules=[
        CacheRule("/plan/{name}", ttl=60, stale_if_error=300, tags=["plan"], upstreams=["tws"]),
        CacheRule("/orders/{name}", ttl=60, tags=["orders", "plan"], upstreams=["erp"]),
        BreakerRule("/jobs/{name}", upstreams=["tws"], policy="best-effort"),
    ],
    upstreams=[Upstream("tws", limits=BreakerLimits(fail_max=2, reset_timeout=600.0)), Upstream("erp")],
    resources=[
        Resource("database", start=ready),
        Resource("graph", start=absent, depends_on=["database"], critical=False),
    ],
    on_event=recorder,
)
is_down = False


@resync.cached("customers:{region}", ttl=60, tags=["customers"])
async def customers(region: str) -> list[str]:
    """Return who is there, by an upstream."""
    async with resync.upstreams["erp"].breaker:
        return ["ACME"]


async def plan(request: Request) -> Response:
    """Answer with what tws says, if it says something."""
    async with resync.upstreams["tws"].breaker:
        if is_down:
            raise ConnectionResetError
        return JSONResponse({"plan": request.path_params["name"]})


async def orders(request: Request) -> Response:
    """Answer with what is kept."""
    return JSONResponse({"orders": await customers("north")})


async def switch(request: Request) -> Response:
    """Let tws fail, or not."""
    global is_down
    is_down = request.path_params["way"] == "down"
    return Response(status_code=204)


app = resync(
    Starlette(
        routes=[
            Route("/plan/{name}", plan),
            Route("/orders/{name}", orders),
            Route("/tws/{way}", switch, methods=["POST"]),
            Mount("/resync", Console(resync, recorder=recorder, token=TOKEN)),
            Mount("/bare", Console(resync, insecure=True)),
        ]
    )
)

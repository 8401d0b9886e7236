"""The app of the demo: pages about a scheduler's plan, asked of it by its typed client, and the one line around it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from .._asgi import ASGIApp
from ..breaker.limits import BreakerLimits
from ..breaker.rules import BreakerRule
from ..cache.rules import CacheRule
from ..client.options import ClientOptions
from ..client.tws import TWS
from ..errors import MissingExtra
from ..upstream import Upstream
from .page import PAGE

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

LIFETIME = 10.0
"""Seconds for which a plan is fresh."""
STALE = 60.0
"""Seconds for which it is served after that, if there is none better."""
CONSOLE = "/resync"
"""The path of its console."""
FALLBACK = {"plan": "unknown", "jobs": []}
ENDED = ("SUCC", "ABEND", "CANCP")


class Freezable(Protocol):
    """The scheduler: its port of 127.0.0.1, and what makes it stand still."""

    @property
    def port(self) -> int: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


def build(scheduler: Freezable, *, lifetime: float = LIFETIME, stale: float = STALE) -> ASGIApp:
    """Return the app of the demo. Raises SettingsError if RESYNC_* variables cannot be used.

    Raises MissingExtra without an HTTP client.
    """
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, JSONResponse
    from starlette.routing import Route

    from ..console import Console
    from ..resync import Resync
    from ..telemetry.recorder import Recorder

    try:
        import httpx2
    except ImportError:
        raise MissingExtra("The demo", "httpx2", "demo") from None

    recorder = Recorder()
    resync = Resync.from_env(
        rules=[
            CacheRule(
                "/plan/{rest:path}",
                ttl=lifetime,
                stale_while_revalidate=min(3 * lifetime, stale),
                stale_if_error=stale,
                tags=["plan"],
                upstreams=["scheduler"],
            ),
            BreakerRule("/plan/{rest:path}", upstreams=["scheduler"], methods=["GET"], fallback=FALLBACK),
            BreakerRule("/jobs/{name}/log", upstreams=["scheduler"]),
        ],
        upstreams=[
            # Not named `tws`: an environment that says where the real one is must not send the demo there.
            Upstream.tws(
                "127.0.0.1",
                name="scheduler",
                scheme="http",
                port=scheduler.port,
                http=ClientOptions(user="twsuser", password="not-a-secret", read_timeout=2.0),
                limits=BreakerLimits(fail_max=2, reset_timeout=5.0),
            )
        ],
        on_event=recorder,
    )
    # It listens on this machine alone, and stands before the cache, whose rules do not reach it.
    console = Console(resync, recorder=recorder, insecure=True)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with resync.upstreams["scheduler"].client(library="httpx2") as client:
            app.state.tws = TWS(client)
            yield

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE)

    calls = 0

    async def current(request: Request) -> Response:
        nonlocal calls
        calls += 1
        call = calls
        tws: TWS = request.app.state.tws
        jobs = [
            {"job": job.name, "on": job.workstation, "status": job.status.internal_status} for job in await tws.jobs()
        ]
        return JSONResponse({"plan": "current", "call": call, "jobs": jobs})

    async def log(request: Request) -> Response:
        tws: TWS = request.app.state.tws
        return JSONResponse({"log": await tws.job_log(request.path_params["name"])})

    async def rerun(request: Request) -> Response:
        tws: TWS = request.app.state.tws
        ended = [job for job in await tws.jobs() if job.status.internal_status in ENDED]
        await asyncio.gather(*(tws.act(job.id, "rerun") for job in ended))
        await resync.purge(tags=["plan"])
        return JSONResponse({"plan": "current", "rerun": [job.name for job in ended]})

    async def switch(request: Request) -> Response:
        is_going = request.path_params["way"] == "start"
        (scheduler.thaw if is_going else scheduler.freeze)()
        return JSONResponse({"scheduler": "going" if is_going else "frozen"})

    async def silent(request: Request, error: Exception) -> Response:
        return JSONResponse({"title": "The scheduler does not answer"}, status_code=504)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, httpx2.HTTPStatusError)
        status = error.response.status_code
        return JSONResponse({"title": "The scheduler refuses"}, status_code=502 if status >= 500 else status)

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/plan/current", current),
            Route("/plan/rerun", rerun, methods=["POST"]),
            Route("/jobs/{name}/log", log),
            Route("/scheduler/{way}", switch, methods=["POST"]),
        ],
        exception_handlers={httpx2.TransportError: silent, httpx2.HTTPStatusError: refused},
        lifespan=lifespan,
    )
    return console.around(resync(app), CONSOLE)

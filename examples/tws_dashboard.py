"""A dashboard of HCL Workload Automation that stays up while the scheduler is down: the plan, its jobs, workstations.

pip install '.[demo]'
python -m asgi_resync.testing --port 31117 & scheduler=$!    # stands for the scheduler
python examples/tws_dashboard.py                             # serves http://127.0.0.1:8000; then, elsewhere,
kill -STOP $scheduler       # the page goes on for an hour as it was, and says since when; reruns get 503
kill -CONT $scheduler       # it is fresh again a few seconds later
curl -X POST http://127.0.0.1:8000/jobs/TRANSFORM/rerun      # an action, that is never sent twice, and a purge
# TWS_HOST, TWS_USER, TWS_PASSWORD and their like name a real one: python -m asgi_resync settings
"""

from __future__ import annotations

import contextlib
import html
import os
import time
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from asgi_resync import TWS, BreakerLimits, CacheRule, ClientOptions, Resync, Upstream

FAKE = {"TWS_HOST": "http://127.0.0.1:31117", "TWS_USER": "twsuser", "TWS_PASSWORD": "not-a-secret"}
tws: TWS  # from the lifespan on
LIMITS = BreakerLimits(fail_max=2, reset_timeout=3.0)
resync = Resync.from_env(
    {**FAKE, **os.environ},
    rules=[CacheRule("/", ttl=5, stale_while_revalidate=30, stale_if_error=3600, tags=["plan"], upstreams=["tws"])],
    upstreams=[Upstream.tws(http=ClientOptions(read_timeout=2.0), limits=LIMITS)],
)


@resync.cached(ttl=300, tags=["model"], stale_if_error=86400)
async def workstations() -> list[str]:
    return [f"{one.name} {one.type} {one.status}" for one in await tws.workstations()]


async def page(request: Request) -> Response:
    jobs = [f"{job.name} on {job.workstation}: {job.status.internal_status}" for job in await tws.jobs()]
    lines = ["Plan", *jobs, "", "Workstations", *await workstations(), "", f"as of {time.strftime('%H:%M:%S')}"]
    return HTMLResponse(f"<meta http-equiv=refresh content=2><pre>{html.escape(chr(10).join(lines))}</pre>")


async def rerun(request: Request) -> Response:
    for job in await tws.jobs(request.path_params["name"]):
        await tws.act(job.id, "rerun")
    return JSONResponse({"purge": (await resync.purge(tags=["plan"])).state}, 202)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    global tws
    async with resync.upstreams["tws"].client() as client:
        tws = TWS(client)
        yield


routes = [Route("/", page), Route("/jobs/{name}/rerun", rerun, methods=["POST"])]
if __name__ == "__main__":
    app = resync(Starlette(routes=routes, lifespan=lifespan))
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))

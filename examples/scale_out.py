"""One app that scales by its environment alone: one process, two workers that share a cache, two over a cluster.

The report takes a second to make. With RESYNC_REDIS_URL it is made once for all workers, and a purge reaches them all.

    pip install '.[demo]'
    python examples/scale_out.py                                                     # serves http://127.0.0.1:8000
    WORKERS=2 RESYNC_REDIS_URL=redis://127.0.0.1:6379 python examples/scale_out.py   # one cache for both
    WORKERS=2 RESYNC_REDIS_URL=redis+cluster://10.0.0.1,10.0.0.2 python examples/scale_out.py   # any node or two of it
    curl -i http://127.0.0.1:8000/reports/daily               # whichever worker answers: made once, then a hit
    curl -i -X POST http://127.0.0.1:8000/orders              # purges it, and says how far: local, delivered, ...
"""

from __future__ import annotations

import asyncio
import os

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_resync import CacheRule, Resync


async def report(request: Request) -> JSONResponse:
    """Make the report, slowly, and tell which process did."""
    await asyncio.sleep(1)
    return JSONResponse({"report": request.path_params["name"], "made_by": os.getpid()})


async def order(request: Request) -> JSONResponse:
    """Take an order: the reports that were made before are of no use any more."""
    delivery = await resync.purge(tags=["orders"])
    return JSONResponse({"answered_by": os.getpid(), "purge": delivery.state}, status_code=201)


resync = Resync.from_env(
    rules=[CacheRule("/reports/{name}", ttl=30, stale_while_revalidate=60, stale_if_error=600, tags=["orders"])]
)
app = resync(Starlette(routes=[Route("/reports/{name}", report), Route("/orders", order, methods=["POST"])]))

if __name__ == "__main__":
    port, workers = int(os.environ.get("PORT", "8000")), int(os.environ.get("WORKERS", "1"))
    # By name, so that each worker makes its own.
    uvicorn.run("scale_out:app", app_dir=os.path.dirname(__file__), host="127.0.0.1", port=port, workers=workers)

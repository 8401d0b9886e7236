"""Caching a Starlette app by a rule, and purging it by a tag.

The report takes a second to make. It is made once in 30 seconds, however many ask; while it is made anew the old one
is served, and a change of the data throws it away.

    pip install '.[demo]'
    python examples/starlette_app.py                          # serves http://127.0.0.1:8000
    curl -i http://127.0.0.1:8000/reports/daily               # a second; Cache-Status: resync; fwd=uri-miss; stored
    curl -i http://127.0.0.1:8000/reports/daily               # at once; Cache-Status: resync; hit; ...
    curl -i -X POST http://127.0.0.1:8000/orders              # purges the tag "orders"
    curl -i http://127.0.0.1:8000/reports/daily               # a second again, with one more order
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

orders: list[str] = ["desk", "lamp"]


async def report(request: Request) -> JSONResponse:
    """Make the report, slowly."""
    await asyncio.sleep(1)
    return JSONResponse({"report": request.path_params["name"], "orders": len(orders)})


async def order(request: Request) -> JSONResponse:
    """Take an order."""
    orders.append("chair")
    await resync.purge(tags=["orders"])
    return JSONResponse({"orders": len(orders)}, status_code=201)


resync = Resync.from_env(
    rules=[CacheRule("/reports/{name}", ttl=30, stale_while_revalidate=60, stale_if_error=600, tags=["orders"])]
)
app = resync(Starlette(routes=[Route("/reports/{name}", report), Route("/orders", order, methods=["POST"])]))

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))

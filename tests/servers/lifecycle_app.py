"""The app of the tests of life under real servers. It prints what happens; what it does is in the environment.

`CRITICAL_FAILS` makes its database refuse to start.
"""

from __future__ import annotations

import asyncio
import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_resync import CacheRule, Resource, Resync

BODY = "x" * 50_000


def said(*words: object) -> None:
    # In one piece, or what the server writes from other threads comes between a word and the end of its line.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def open_database() -> None:
    if os.environ.get("CRITICAL_FAILS"):
        raise ConnectionRefusedError("the database refuses")
    said("start database")


async def close_database() -> None:
    await asyncio.sleep(0.05)
    said("stop database")


async def open_graph() -> None:
    said("start graph")


async def close_graph() -> None:
    said("stop graph")


async def slow(request: Request) -> PlainTextResponse:
    said("begin", request.query_params["n"])
    await asyncio.sleep(0.8)
    assert resync.resources["graph"].is_up
    said("end", request.query_params["n"])
    return PlainTextResponse(BODY)


async def quick(request: Request) -> PlainTextResponse:
    said("begin", request.query_params["n"])
    await asyncio.sleep(0.05)
    said("end", request.query_params["n"])
    return PlainTextResponse(BODY)


async def plan(request: Request) -> PlainTextResponse:
    return PlainTextResponse("plan")


resync = Resync.from_env(
    {"RESYNC_HEALTH_PATH": "/", "RESYNC_STARTUP_TIMEOUT": "1s", **os.environ},
    rules=[CacheRule("/plan", ttl=60)],
    resources=[
        Resource("graph", start=open_graph, stop=close_graph, depends_on=["database"]),
        Resource("database", start=open_database, stop=close_database),
    ],
)
app = resync(Starlette(routes=[Route("/slow", slow), Route("/quick", quick), Route("/plan", plan)]))

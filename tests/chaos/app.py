"""The app of a worker: pages from the shared origin, cached by rule, and a way to purge them.

Run by `python -m tests.chaos.app FOLDER`, it serves on a free port, which it prints, and reads RESYNC_ variables.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from tests.chaos.origin import Origin

from asgi_resync import CacheRule, Resync

DELAY = 0.05
"""Seconds that the origin takes."""


def build(origin: Origin) -> object:
    """Return the wrapped app."""
    told: list[str] = []
    resync = Resync.from_env(
        rules=[
            CacheRule("/page/{name}", ttl=300, stale_if_error=300, tags=["pages"]),
            CacheRule("/slow/{name}", ttl=300, query="ignore"),
        ],
        on_event=lambda event: told.append(type(event).__name__),
    )

    async def page(request: Request) -> Response:
        truth = origin.truth
        origin.called(request.url.path)
        await asyncio.sleep(DELAY)
        return PlainTextResponse(truth)

    async def slow(request: Request) -> Response:
        """Hang, unless the query says that it should not; both are one page, as the rule drops the query."""
        origin.called(request.url.path)
        if not request.url.query:
            await asyncio.sleep(60)
        return PlainTextResponse(origin.truth)

    async def change(request: Request) -> Response:
        """Answer 204, which invalidates the page (RFC 9111 §4.4)."""
        return Response(status_code=204)

    async def purge(request: Request) -> Response:
        """Purge the tag of all pages, or one URL, and tell how far that got."""
        wanted = await request.json()
        delivery = await resync.purge(**wanted)
        return JSONResponse({"state": delivery.state, "unconfirmed": delivery.unconfirmed})

    async def events(request: Request) -> Response:
        return JSONResponse(told)

    app = Starlette(
        routes=[
            Route("/page/{name}", page),
            Route("/slow/{name}", slow),
            Route("/page/{name}", change, methods=["POST"]),
            Route("/purge", purge, methods=["POST"]),
            Route("/events", events),
        ]
    )
    return resync(app)


def main(folder: str) -> None:
    """Serve until ended."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(build(Origin(Path(folder))), access_log=False, log_level="warning")  # type: ignore[arg-type]  # an ASGI app
    print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])

"""The small API in Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.frameworks.forms import ITEMS, Form, form_of, headers, marked, resync_for

from asgi_resync import CacheMiddleware, Resync
from asgi_resync._asgi import ASGIApp


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = {"plan": 0, "item": 0, "slow": 0}
    mark = marked(form)

    @mark
    async def plan(request: Request) -> Response:
        calls["plan"] += 1
        return JSONResponse({"jobs": ["JOB7"], "call": calls["plan"]}, headers=headers(form))

    @mark
    def item(request: Request) -> Response:
        calls["item"] += 1
        number = request.path_params["id"]
        if number not in ITEMS:
            raise HTTPException(404)
        return JSONResponse({"id": number, "name": ITEMS[number]}, headers=headers(form))

    async def change(request: Request) -> Response:
        try:
            await request.json()
        except ValueError as error:
            raise HTTPException(400) from error
        return JSONResponse({"changed": True}, status_code=201)

    async def purge(request: Request) -> Response:
        await resync.purge(tags=["plan"])
        return JSONResponse({"purged": True}, status_code=201)

    @mark
    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d," % number

        return StreamingResponse(pieces(), media_type="application/octet-stream", headers=headers(form))

    @mark
    async def slow(request: Request) -> Response:
        calls["slow"] += 1
        await asyncio.sleep(0.05)
        return JSONResponse({"call": calls["slow"]}, headers=headers(form))

    async def count(request: Request) -> Response:
        return JSONResponse(calls, headers={"cache-control": "no-store"})

    async def shout(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text((await socket.receive_text()).upper())
        await socket.close()

    app = Starlette(
        routes=[
            Route("/plan", plan, methods=["GET"]),
            Route("/plan", change, methods=["POST"]),
            Route("/items/{id:int}", item),
            Route("/purge", purge, methods=["POST"]),
            Route("/stream", stream),
            Route("/slow", slow),
            Route("/count", count),
            WebSocketRoute("/shout", shout),
        ],
        lifespan=resync.lifespan if form == "added" else None,
    )
    if form == "added":
        app.add_middleware(CacheMiddleware, cache=resync.cache, rules=resync.rules)
        return app
    return resync(app)


app = build(form_of(), resync_for(form_of()))

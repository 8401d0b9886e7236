"""The small API in Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, tell

from asgi_resync import CacheMiddleware, Resync
from asgi_resync._asgi import ASGIApp


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = counts()
    mark = marked(form)
    release = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with resync.lifespan(app) if form == "added" else nullcontext():
            calls["started"] += 1
            yield
            tell("starlette: the app stops")()

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

    @mark
    async def broken(request: Request) -> Response:
        calls["broken"] += 1
        raise RuntimeError("broken on purpose")

    async def after() -> None:
        await release.wait()
        calls["done"] += 1

    @mark
    async def later(request: Request) -> Response:
        calls["later"] += 1
        return JSONResponse({"later": True}, headers=headers(form), background=BackgroundTask(after))

    async def go(request: Request) -> Response:
        release.set()
        return Response(status_code=201)

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
            Route("/broken", broken),
            Route("/later", later),
            Route("/go", go, methods=["POST"]),
            Route("/count", count),
            WebSocketRoute("/shout", shout),
        ],
        lifespan=lifespan,
    )
    if form == "added":
        app.add_middleware(CacheMiddleware, cache=resync.cache, rules=resync.rules)
        return app
    return resync(app)


app = build(*served("starlette"))

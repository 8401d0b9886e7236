"""The small API in Litestar."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import NotFoundException
from litestar.response import Stream
from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, tell

from asgi_resync import Resync
from asgi_resync._asgi import ASGIApp


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = counts()
    mark = marked(form)
    release = asyncio.Event()

    async def on_startup() -> None:
        calls["started"] += 1

    on_shutdown = tell("litestar: the app stops")

    @get("/plan")
    @mark
    async def plan() -> Response[dict[str, Any]]:
        calls["plan"] += 1
        return Response({"jobs": ["JOB7"], "call": calls["plan"]}, headers=headers(form))

    @get("/items/{number:int}", sync_to_thread=True)
    @mark
    def item(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        calls["item"] += 1
        number = request.path_params["number"]
        if number not in ITEMS:
            raise NotFoundException
        return Response({"id": number, "name": ITEMS[number]}, headers=headers(form))

    @post("/plan")
    async def change(request: Request[Any, Any, Any]) -> dict[str, Any]:
        await request.json()
        return {"changed": True}

    @post("/purge")
    async def purge() -> dict[str, Any]:
        await resync.purge(tags=["plan"])
        return {"purged": True}

    @get("/stream")
    @mark
    async def stream() -> Stream:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d," % number

        return Stream(pieces(), media_type="application/octet-stream", headers=headers(form))

    @get("/slow")
    @mark
    async def slow() -> Response[dict[str, int]]:
        calls["slow"] += 1
        await asyncio.sleep(0.05)
        return Response({"call": calls["slow"]}, headers=headers(form))

    @get("/broken")
    @mark
    async def broken() -> None:
        calls["broken"] += 1
        raise RuntimeError("broken on purpose")

    async def after() -> None:
        await release.wait()
        calls["done"] += 1

    @get("/later")
    @mark
    async def later() -> Response[dict[str, bool]]:
        calls["later"] += 1
        return Response({"later": True}, headers=headers(form), background=BackgroundTask(after))

    @post("/go")
    async def go() -> None:
        release.set()

    @get("/count")
    async def count() -> Response[dict[str, int]]:
        return Response(calls, headers={"cache-control": "no-store"})

    @websocket("/shout")
    async def shout(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text((await socket.receive_text()).upper())
        await socket.close()

    handlers = [plan, item, change, purge, stream, slow, broken, later, go, count, shout]
    is_added = form == "added"
    app = Litestar(
        handlers,
        lifespan=[resync.lifespan] if is_added else [],
        middleware=[resync.middleware] if is_added else [],
        on_startup=[on_startup],
        on_shutdown=[on_shutdown],
    )
    return cast(ASGIApp, app) if is_added else resync(app)


app = build(*served("litestar"))

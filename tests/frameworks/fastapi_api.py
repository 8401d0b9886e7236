"""The small API in FastAPI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from fastapi import BackgroundTasks, Body, FastAPI, HTTPException, Response, WebSocket
from fastapi.responses import StreamingResponse
from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, tell

from asgi_resync import CacheMiddleware, Resync
from asgi_resync._asgi import ASGIApp


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = counts()
    mark = marked(form)
    release = asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with resync.lifespan(app) if form == "added" else nullcontext():
            calls["started"] += 1
            yield
            tell("fastapi: the app stops")()

    app = FastAPI(lifespan=lifespan)

    @app.get("/plan")
    @mark
    async def plan(response: Response) -> dict[str, Any]:
        calls["plan"] += 1
        response.headers.update(headers(form))
        return {"jobs": ["JOB7"], "call": calls["plan"]}

    @app.get("/items/{number}")
    @mark
    def item(number: int, response: Response) -> dict[str, Any]:
        calls["item"] += 1
        if number not in ITEMS:
            raise HTTPException(404)
        response.headers.update(headers(form))
        return {"id": number, "name": ITEMS[number]}

    @app.post("/plan", status_code=201)
    async def change(order: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008 - FastAPI's idiom
        return {"changed": True}

    @app.post("/purge", status_code=201)
    async def purge() -> dict[str, Any]:
        await resync.purge(tags=["plan"])
        return {"purged": True}

    @app.get("/stream")
    @mark
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d," % number

        return StreamingResponse(pieces(), media_type="application/octet-stream", headers=headers(form))

    @app.get("/slow")
    @mark
    async def slow(response: Response) -> dict[str, int]:
        calls["slow"] += 1
        await asyncio.sleep(0.05)
        response.headers.update(headers(form))
        return {"call": calls["slow"]}

    @app.get("/broken")
    @mark
    async def broken() -> None:
        calls["broken"] += 1
        raise RuntimeError("broken on purpose")

    async def after() -> None:
        await release.wait()
        calls["done"] += 1

    @app.get("/later")
    @mark
    async def later(response: Response, tasks: BackgroundTasks) -> dict[str, bool]:
        calls["later"] += 1
        response.headers.update(headers(form))
        tasks.add_task(after)
        return {"later": True}

    @app.post("/go", status_code=201)
    async def go() -> None:
        release.set()

    @app.get("/count")
    async def count(response: Response) -> dict[str, int]:
        response.headers["cache-control"] = "no-store"
        return calls

    @app.websocket("/shout")
    async def shout(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text((await socket.receive_text()).upper())
        await socket.close()

    if form == "added":
        app.add_middleware(CacheMiddleware, cache=resync.cache, rules=resync.rules)
        return app
    return resync(app)


app = build(*served("fastapi"))

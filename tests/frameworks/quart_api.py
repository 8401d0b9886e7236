"""The small API in Quart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

from quart import Quart, Response, abort, request, websocket
from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, tell, text_of

from asgi_resync import Resync
from asgi_resync._asgi import ASGIApp


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = counts()
    mark = marked(form)
    release = asyncio.Event()
    app = Quart(__name__, static_folder=None)

    def answer(value: object, status: int = 200, more: dict[str, str] | None = None) -> Response:
        return Response(text_of(value), status, more, content_type="application/json")

    @app.before_serving
    async def on_startup() -> None:
        calls["started"] += 1

    @app.after_serving
    async def on_shutdown() -> None:
        tell("quart: the app stops")()

    @app.get("/plan")
    @mark
    async def plan() -> Response:
        calls["plan"] += 1
        return answer({"jobs": ["JOB7"], "call": calls["plan"]}, more=headers(form))

    @app.get("/items/<int:number>")
    @mark
    def item(number: int) -> Response:
        calls["item"] += 1
        if number not in ITEMS:
            abort(404)
        return answer({"id": number, "name": ITEMS[number]}, more=headers(form))

    @app.post("/plan")
    async def change() -> Response:
        await request.get_json()
        return answer({"changed": True}, 201)

    @app.post("/purge")
    async def purge() -> Response:
        await resync.purge(tags=["plan"])
        return answer({"purged": True}, 201)

    @app.get("/stream")
    @mark
    async def stream() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d," % number

        return Response(pieces(), 200, headers(form), content_type="application/octet-stream")

    @app.get("/slow")
    @mark
    async def slow() -> Response:
        calls["slow"] += 1
        await asyncio.sleep(0.05)
        return answer({"call": calls["slow"]}, more=headers(form))

    @app.get("/broken")
    @mark
    async def broken() -> Response:
        calls["broken"] += 1
        raise RuntimeError("broken on purpose")

    async def after() -> None:
        await release.wait()
        calls["done"] += 1

    @app.get("/later")
    @mark
    async def later() -> Response:
        calls["later"] += 1
        app.add_background_task(after)
        return answer({"later": True}, more=headers(form))

    @app.post("/go")
    async def go() -> Response:
        release.set()
        return answer(None, 201)

    @app.get("/count")
    async def count() -> Response:
        return answer(calls, more={"cache-control": "no-store"})

    @app.websocket("/shout")
    async def shout() -> None:
        await websocket.accept()
        await websocket.send(cast(str, await websocket.receive()).upper())
        await websocket.close(1000)

    return resync(app)


app = build(*served("quart"))

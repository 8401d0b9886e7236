"""The small API in BlackSheep, which has no background work of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from blacksheep import Application, Content, Request, Response, Router, StreamedContent, WebSocket
from blacksheep.exceptions import NotFound
from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, tell, text_of

from asgi_resync import Resync
from asgi_resync._asgi import ASGIApp


def lines(more: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return *more* as BlackSheep takes it."""
    return [(name.encode(), value.encode()) for name, value in more.items()]


def answer(value: object, status: int = 200, more: dict[str, str] | None = None) -> Response:
    """Return *value* as a response."""
    return Response(status, lines(more or {}), Content(b"application/json", text_of(value)))


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = counts()
    mark = marked(form)
    router = Router()
    app = Application(router=router)

    @app.on_start
    async def on_startup(_: Application) -> None:
        calls["started"] += 1

    @app.on_stop
    async def on_shutdown(_: Application) -> None:
        tell("blacksheep: the app stops")()

    @router.get("/plan")
    @mark
    async def plan() -> Response:
        calls["plan"] += 1
        return answer({"jobs": ["JOB7"], "call": calls["plan"]}, more=headers(form))

    @router.get("/items/{int:number}")
    @mark
    def item(number: int) -> Response:
        calls["item"] += 1
        if number not in ITEMS:
            raise NotFound
        return answer({"id": number, "name": ITEMS[number]}, more=headers(form))

    @router.post("/plan")
    async def change(request: Request) -> Response:
        await request.json()
        return answer({"changed": True}, 201)

    @router.post("/purge")
    async def purge() -> Response:
        await resync.purge(tags=["plan"])
        return answer({"purged": True}, 201)

    @router.get("/stream")
    @mark
    async def stream() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d," % number

        return Response(200, lines(headers(form)), StreamedContent(b"application/octet-stream", pieces))

    @router.get("/slow")
    @mark
    async def slow() -> Response:
        calls["slow"] += 1
        await asyncio.sleep(0.05)
        return answer({"call": calls["slow"]}, more=headers(form))

    @router.get("/broken")
    @mark
    async def broken() -> Response:
        calls["broken"] += 1
        raise RuntimeError("broken on purpose")

    @router.get("/count")
    async def count() -> Response:
        return answer(calls, more={"cache-control": "no-store"})

    @router.ws("/shout")
    async def shout(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text((await socket.receive_text()).upper())
        await socket.close()

    return resync(app)


app = build(*served("blacksheep"))

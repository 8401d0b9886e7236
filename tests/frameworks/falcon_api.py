"""The small API in Falcon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import falcon
import falcon.asgi
from falcon.asgi import Request, Response, WebSocket
from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, tell, text_of

from asgi_resync import Resync
from asgi_resync._asgi import ASGIApp


def answer(response: Response, value: object, status: int = 200, more: dict[str, str] | None = None) -> None:
    """Let *response* carry *value*."""
    response.data, response.status, response.content_type = text_of(value), status, "application/json"
    response.set_headers(more or {})


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = counts()
    mark = marked(form)
    release = asyncio.Event()

    class Life:
        async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
            calls["started"] += 1

        async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
            tell("falcon: the app stops")()

    class Plan:
        @mark
        async def on_get(self, request: Request, response: Response) -> None:
            calls["plan"] += 1
            answer(response, {"jobs": ["JOB7"], "call": calls["plan"]}, more=headers(form))

        async def on_post(self, request: Request, response: Response) -> None:
            await request.get_media()
            answer(response, {"changed": True}, 201)

    class Item:
        @mark
        async def on_get(self, request: Request, response: Response, number: int) -> None:
            calls["item"] += 1
            if number not in ITEMS:
                raise falcon.HTTPNotFound
            answer(response, {"id": number, "name": ITEMS[number]}, more=headers(form))

    class Purge:
        async def on_post(self, request: Request, response: Response) -> None:
            await resync.purge(tags=["plan"])
            answer(response, {"purged": True}, 201)

    class Stream:
        @mark
        async def on_get(self, request: Request, response: Response) -> None:
            async def pieces() -> AsyncIterator[bytes]:
                for number in range(3):
                    yield b"%d," % number

            response.stream, response.content_type = pieces(), "application/octet-stream"
            response.set_headers(headers(form))

    class Slow:
        @mark
        async def on_get(self, request: Request, response: Response) -> None:
            calls["slow"] += 1
            await asyncio.sleep(0.05)
            answer(response, {"call": calls["slow"]}, more=headers(form))

    class Broken:
        @mark
        async def on_get(self, request: Request, response: Response) -> None:
            calls["broken"] += 1
            raise RuntimeError("broken on purpose")

    async def after() -> None:
        await release.wait()
        calls["done"] += 1

    class Later:
        @mark
        async def on_get(self, request: Request, response: Response) -> None:
            calls["later"] += 1
            response.schedule(after)
            answer(response, {"later": True}, more=headers(form))

    class Go:
        async def on_post(self, request: Request, response: Response) -> None:
            release.set()
            answer(response, None, 201)

    class Count:
        async def on_get(self, request: Request, response: Response) -> None:
            answer(response, calls, more={"cache-control": "no-store"})

    class Shout:
        async def on_websocket(self, request: Request, socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_text((await socket.receive_text()).upper())
            await socket.close()

    app = falcon.asgi.App(middleware=[Life()])
    resources = {
        "/plan": Plan(),
        "/items/{number:int}": Item(),
        "/purge": Purge(),
        "/stream": Stream(),
        "/slow": Slow(),
        "/broken": Broken(),
        "/later": Later(),
        "/go": Go(),
        "/count": Count(),
        "/shout": Shout(),
    }
    for path, resource in resources.items():
        app.add_route(path, resource)
    return resync(app)


app = build(*served("falcon"))

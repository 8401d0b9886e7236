"""The small API without a framework: an ASGI app as the specification draws it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, tell, text_of

from asgi_resync import Resync
from asgi_resync._asgi import ASGIApp, Receive, Scope, Send


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*."""
    calls = counts()
    mark = marked(form)
    release = asyncio.Event()

    async def begin(send: Send, status: int, kind: str, more: dict[str, str]) -> None:
        lines = [(name.encode(), value.encode()) for name, value in {"content-type": kind, **more}.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})

    async def answer(send: Send, value: object, status: int = 200, more: dict[str, str] | None = None) -> None:
        text = text_of(value)
        await begin(send, status, "application/json", {"content-length": str(len(text)), **(more or {})})
        await send({"type": "http.response.body", "body": text})

    async def opted_in(send: Send, value: object) -> None:
        await answer(send, value, more=headers(form))

    @mark
    async def plan(send: Send) -> None:
        calls["plan"] += 1
        await opted_in(send, {"jobs": ["JOB7"], "call": calls["plan"]})

    @mark
    async def item(send: Send, number: int) -> None:
        calls["item"] += 1
        if number not in ITEMS:
            await answer(send, {"error": "there is none"}, 404)
            return
        await opted_in(send, {"id": number, "name": ITEMS[number]})

    @mark
    async def stream(send: Send) -> None:
        await begin(send, 200, "application/octet-stream", headers(form))
        for number in range(3):
            await send({"type": "http.response.body", "body": b"%d," % number, "more_body": True})
        await send({"type": "http.response.body"})

    @mark
    async def slow(send: Send) -> None:
        calls["slow"] += 1
        await asyncio.sleep(0.05)
        await opted_in(send, {"call": calls["slow"]})

    @mark
    async def broken(send: Send) -> None:
        calls["broken"] += 1
        raise RuntimeError("broken on purpose")

    @mark
    async def later(send: Send) -> None:
        calls["later"] += 1
        await opted_in(send, {"later": True})
        await release.wait()
        calls["done"] += 1

    async def count(send: Send) -> None:
        await answer(send, calls, more={"cache-control": "no-store"})

    async def change(receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        try:
            json.loads(body)
        except ValueError:
            await answer(send, {"error": "that is no JSON"}, 400)
            return
        await answer(send, {"changed": True}, 201)

    async def shout(receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        text = (await receive())["text"]
        await send({"type": "websocket.send", "text": text.upper()})
        await send({"type": "websocket.close"})

    async def lifespan(receive: Receive, send: Send) -> None:
        await receive()
        calls["started"] += 1
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tell("bare: the app stops")()
        await send({"type": "lifespan.shutdown.complete"})

    gets: dict[str, Callable[[Send], Awaitable[Any]]] = {
        "/plan": plan,
        "/stream": stream,
        "/slow": slow,
        "/broken": broken,
        "/later": later,
        "/count": count,
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        if scope["type"] == "websocket":
            await shout(receive, send)
            return
        path: str = scope["path"]
        match scope["method"], path:
            case "GET", _ if path in gets:
                await gets[path](send)
            case "GET", _ if path.startswith("/items/"):
                await item(send, int(path.removeprefix("/items/")))
            case "POST", "/plan":
                await change(receive, send)
            case "POST", "/purge":
                await resync.purge(tags=["plan"])
                await answer(send, {"purged": True}, 201)
            case "POST", "/go":
                release.set()
                await answer(send, None, 201)
            case _:
                await answer(send, {"error": "there is none"}, 404)

    return resync(app)


app = build(*served("bare"))

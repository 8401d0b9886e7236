"""The app that real servers serve in these tests, wrapped as the environment says. It has one path per behaviour."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from tests.transparency.wrappings import WRAPPINGS

CHUNK = bytes(64 * 1024)
CHUNKS = 1024
"""The endless-looking answer of `/flood`: 64 MiB, far above what sockets buffer."""

noted: dict[str, Any] = {"flooded": 0, "disconnected": 0, "background": 0, "plans": 0}
gates: dict[str, asyncio.Event] = {}


def gate(request: Request) -> asyncio.Event:
    """Return the event that holds the answer to the request, named by its query."""
    return gates.setdefault(request.url.query, asyncio.Event())


async def plan(request: Request) -> Response:
    """Answer whole, with fields of every kind."""
    noted["plans"] += 1
    answer = JSONResponse({"jobs": ["JOB7"], "asked": request.url.query})
    answer.raw_headers += [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-a", b"3"), (b"link", b"</a>; rel=next")]
    return answer


async def chunks(request: Request) -> Response:
    """Answer in a thousand pieces."""
    return StreamingResponse((f"{number}," for number in range(1000)), media_type="text/plain")


async def held(request: Request) -> Response:
    """Send one piece at once and the other when the gate opens."""

    async def pieces() -> AsyncIterator[str]:
        yield "data: READY\n\n"
        await gate(request).wait()
        yield "data: SUCC\n\n"

    return StreamingResponse(pieces(), media_type=request.path_params["kind"].replace("-", "/", 1))


async def release(request: Request) -> Response:
    """Open a gate."""
    gate(request).set()
    return Response(status_code=204)


async def flood(request: Request) -> Response:
    """Send much, and note how much of it the server took."""
    noted["flooded"] = 0

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(CHUNKS):
            yield CHUNK
            noted["flooded"] += 1

    return StreamingResponse(pieces(), media_type="application/octet-stream")


async def file(request: Request) -> Response:
    """Answer with a file, by `http.response.pathsend` where the server can."""
    return FileResponse(__file__, media_type="text/plain", headers={"x-a": "1"})


async def background(request: Request) -> Response:
    """Answer, then go on until the gate opens."""

    async def after() -> None:
        await gate(request).wait()
        noted["background"] += 1

    return PlainTextResponse("plan", background=BackgroundTask(after))


async def status(request: Request) -> Response:
    """Answer with a bare status."""
    return Response(status_code=request.path_params["code"])


async def method(request: Request) -> Response:
    """Answer with the method of the request."""
    return PlainTextResponse(request.method)


async def notes(request: Request) -> Response:
    """Answer with what was noted."""
    return JSONResponse({**noted, "pool": getattr(request.state, "pool", None)}, headers={"cache-control": "no-store"})


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    """Raise: before the start, in mid-body, or after the end."""
    stage = scope["path"].rpartition("/")[2]
    if stage != "before":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": stage == "within"})
    raise RuntimeError("JOB7")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send each piece of the request back, in upper case, before the next one is read."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b"").upper(), "more_body": more})


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Return without an answer."""


async def patient(scope: Scope, receive: Receive, send: Send) -> None:
    """Wait for the client to go away."""
    noted["waiting"] = noted.get("waiting", 0) + 1
    while (await receive())["type"] != "http.disconnect":
        pass
    noted["disconnected"] += 1


async def shout(socket: WebSocket) -> None:
    """Shout back on a websocket; close at "bye"; refuse whoever asks for it."""
    if socket.url.query == "refuse":
        await socket.close()
        return
    await socket.accept(subprotocol="v1", headers=[(b"x-a", b"1")])
    async for text in socket.iter_text():
        if text == "bye":
            await socket.close(code=4000)
            return
        await socket.send_text(text.upper())


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    """Note the start and the stop of the app, and hand on a state."""
    print("app started", flush=True)
    yield {"pool": "from start-up"}
    print("app stopped", flush=True)


EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"]

starlette = Starlette(
    routes=[
        Route("/plan", plan),
        Route("/chunks", chunks),
        Route("/held/{kind}", held),
        Route("/release", release, methods=["POST"]),
        Route("/flood", flood),
        Route("/file", file),
        Route("/background", background),
        Route("/status/{code:int}", status),
        Route("/method", method, methods=EVERY_METHOD),
        Route("/notes", notes),
        WebSocketRoute("/shout", shout),
        Mount("/fail", app=fail),
        Mount("/echo", app=echo),
        Mount("/silent", app=silent),
        Mount("/patient", app=patient),
    ],
    lifespan=lifespan,
)


async def without_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer requests, and raise on the lifespan scope, as the specification allows."""
    if scope["type"] == "lifespan":
        raise NotImplementedError("no lifespan here")
    await starlette(scope, receive, send)


async def refusing_to_start(scope: Scope, receive: Receive, send: Send) -> None:
    """Say that start-up failed."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no licence for this planet"})
        return
    await starlette(scope, receive, send)


APPS: dict[str, ASGIApp] = {"usual": starlette, "no lifespan": without_lifespan, "refusing": refusing_to_start}

app = WRAPPINGS[os.environ.get("WRAPPING", "bare")](APPS[os.environ.get("SERVED", "usual")])

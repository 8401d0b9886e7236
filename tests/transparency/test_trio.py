"""Under trio the library promises nothing but to stand aside: the app works as it does without the wrapper."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio.lowlevel
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket
from tests.transparency.wrappings import Wrap

pytest.importorskip("trio", reason="trio comes with the test extra; without it there is nothing to stand aside for")


async def plan(request: Request) -> PlainTextResponse:
    """Answer with a text long enough to be compressed."""
    return PlainTextResponse("JOB7 READY\n" * 100)


async def stream(request: Request) -> StreamingResponse:
    """Answer in three pieces."""

    async def pieces() -> AsyncIterator[str]:
        for number in range(3):
            await anyio.lowlevel.checkpoint()
            yield f"{number},"

    return StreamingResponse(pieces(), media_type="text/plain")


async def fail(request: Request) -> PlainTextResponse:
    """Raise."""
    raise RuntimeError("JOB7")


async def echo(socket: WebSocket) -> None:
    """Send back what comes first."""
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


APP = Starlette(
    routes=[
        Route("/plan", plan, methods=["GET", "POST"]),
        Route("/stream", stream),
        Route("/fail", fail),
        WebSocketRoute("/ws", echo),
    ],
    middleware=[Middleware(GZipMiddleware)],
)


def test_requests_are_answered_under_trio(wrap: Wrap) -> None:
    """GET, HEAD, POST, a stream and a repeated GET give the app's answers, within a lifespan."""
    with TestClient(wrap(APP), backend="trio") as client:
        for _ in range(2):
            answer = client.get("/plan")
            assert (200, "JOB7 READY\n" * 100, "gzip") == (
                answer.status_code,
                answer.text,
                answer.headers["content-encoding"],
            )
            assert (200, "0,1,2,") == ((streamed := client.get("/stream")).status_code, streamed.text)
        assert (200, "") == ((head := client.head("/plan")).status_code, head.text)
        assert 200 == client.post("/plan", content=b"body").status_code


def test_errors_are_raised_under_trio(wrap: Wrap) -> None:
    """What the app raises is raised out of the call."""
    with TestClient(wrap(APP), backend="trio") as client, pytest.raises(RuntimeError, match="JOB7"):
        client.get("/fail")


def test_websockets_work_under_trio(wrap: Wrap) -> None:
    """A websocket passes through."""
    with TestClient(wrap(APP), backend="trio") as client, client.websocket_connect("/ws") as session:
        session.send_text("hello")
        assert "hello" == session.receive_text()

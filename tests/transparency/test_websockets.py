"""Websockets are no affair of a cache: scope, messages, errors and the end of the call pass through untouched."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from tests.transparency.driver import Connection
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send


def websocket(**more: Any) -> Scope:
    """Return the scope of a websocket handshake."""
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/plan",
        "raw_path": b"/plan",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver"), (b"sec-websocket-version", b"13")],
        "subprotocols": ["v1", "v2"],
        "state": {},
        "extensions": {"websocket.http.response": {}},
        **more,
    }


async def test_scope_receive_and_send_are_the_servers_own(wrap: Wrap) -> None:
    """The very objects of the server reach the app: the wrapper is not in between."""
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([scope, receive, send])

    scope = websocket()

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    await wrap(app)(scope, receive, send)

    assert scope is seen[0]
    assert receive is seen[1]
    assert send is seen[2]


async def test_a_conversation_keeps_its_order(wrap: Wrap) -> None:
    """Messages of both ways take turns as app and client have it."""
    incoming: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "a"},
        {"type": "websocket.receive", "bytes": b"\x00\xff"},
        {"type": "websocket.disconnect", "code": 1001, "reason": "away"},
    ]
    sent: list[Message] = [
        {"type": "websocket.accept", "subprotocol": "v2", "headers": [(b"x-a", b"1")]},
        {"type": "websocket.send", "text": "A"},
        {"type": "websocket.send", "bytes": b"\xff\x00"},
        {"type": "websocket.close", "code": 1000, "reason": "done"},
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await receive()
            await send(message)

    connection = await Connection(websocket(), incoming).run(wrap(app))

    expected = [
        pair for heard, said in zip(incoming, sent, strict=True) for pair in (("receive", heard), ("send", said))
    ]
    assert expected == connection.log


@pytest.mark.parametrize(
    "sent",
    [
        [{"type": "websocket.close", "code": 4401, "reason": "who?"}],
        [
            {"type": "websocket.http.response.start", "status": 401, "headers": [(b"cache-control", b"max-age=60")]},
            {"type": "websocket.http.response.body", "body": b"who?", "more_body": True},
            {"type": "websocket.http.response.body", "body": b""},
        ],
    ],
    ids=["close", "denial response"],
)
async def test_a_refused_handshake_stays_refused(wrap: Wrap, sent: list[Message]) -> None:
    """A close before accepting, and a denial with a response of its own, arrive as sent, every time."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in sent:
            await send(message)

    wrapped = wrap(app)
    for _ in range(2):
        connection = await Connection(websocket(), [{"type": "websocket.connect"}]).run(wrapped)
        assert sent == connection.sent


async def test_an_error_of_the_app_is_the_servers(wrap: Wrap) -> None:
    """What a websocket handler raises is raised out of the call: the same object, with nothing chained to it."""
    boom = RuntimeError("JOB7")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise boom

    with pytest.raises(RuntimeError) as caught:
        await Connection(websocket(), []).run(wrap(app))

    assert boom is caught.value
    assert (None, None) == (boom.__cause__, boom.__context__)


async def test_a_cancelled_websocket_is_cancelled_in_the_app(wrap: Wrap) -> None:
    """When the server cancels the call, the handler hears it where it waits."""
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        waiting.set()
        try:
            await receive()
        finally:
            ended.set()

    call = asyncio.ensure_future(Connection(websocket(), []).run(wrap(app)))
    await waiting.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert ended.is_set()


def shouting() -> ASGIApp:
    """Return a Starlette app that shouts back on a websocket and closes at "bye"."""

    async def shout(socket: WebSocket) -> None:
        await socket.accept(subprotocol=socket.scope["subprotocols"][0] if socket.scope["subprotocols"] else None)
        async for text in socket.iter_text():
            if text == "bye":
                await socket.close(code=4000, reason="bye")
                return
            await socket.send_text(text.upper())

    return Starlette(routes=[WebSocketRoute("/plan", shout)])


def test_a_framework_talks_over_a_websocket(wrap: Wrap) -> None:
    """Starlette's websocket works through its own test client: subprotocol, texts, close code."""
    with TestClient(wrap(shouting())) as client, client.websocket_connect("/plan", subprotocols=["v1"]) as session:
        session.send_text("ready")
        answer = session.receive_text()
        session.send_text("bye")
        with pytest.raises(WebSocketDisconnect) as closed:
            session.receive_text()

    assert str(session.accepted_subprotocol) == "v1"
    assert answer == "READY"
    assert (4000, "bye") == (closed.value.code, closed.value.reason)

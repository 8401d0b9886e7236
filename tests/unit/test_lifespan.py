"""Ours starts before the app's and stops after it, once each, however the app or the server behaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.unit.caching import turns

from asgi_resync._asgi import Message, Receive, Scope, Send
from asgi_resync.resources.lifespan import LifespanResponder

SCOPE: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}


class Server:
    """The server's side of one lifespan: what it was told, and in which order it all happened."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()

    async def receive(self) -> Message:
        return await self._incoming.get()

    async def send(self, message: Message) -> None:
        self.order.append(message["type"].removeprefix("lifespan."))

    def tell(self, kind: str) -> None:
        self._incoming.put_nowait({"type": f"lifespan.{kind}"})

    def begin(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> asyncio.Task[None]:
        async def start() -> None:
            self.order.append("start")

        async def stop() -> None:
            self.order.append("stop")

        responder = LifespanResponder(app, start=start, stop=stop)
        return asyncio.ensure_future(responder(SCOPE, self.receive, self.send))


async def test_ours_goes_around_the_apps() -> None:
    """Start, the app's start-up, the app's shutdown, stop; the server hears of the end after the stop."""
    server = Server()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for kind in ("startup", "shutdown"):
            assert f"lifespan.{kind}" == (await receive())["type"]
            server.order.append(f"app {kind}")
            await send({"type": f"lifespan.{kind}.complete"})

    task = server.begin(app)
    server.tell("startup")
    await turns()
    assert ["start", "app startup", "startup.complete"] == server.order

    server.tell("shutdown")
    await task
    assert ["app shutdown", "stop", "shutdown.complete"] == server.order[3:]


@pytest.mark.parametrize("hears", [False, True])
@pytest.mark.parametrize("error", [None, RuntimeError("no lifespan")])
async def test_an_app_without_a_lifespan_gets_one(
    hears: bool, error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    """An app that returns or raises before it has answered is answered for; what it raised is told as its own."""
    server = Server()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if hears:
            await receive()
        if error is not None:
            raise error

    task = server.begin(app)
    server.tell("startup")
    await turns()
    assert ["start", "startup.complete"] == server.order
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (hears and error is not None)
    for record in warnings:
        assert record.getMessage().startswith("The app raised in its lifespan")
        assert record.exc_info is not None
        assert record.exc_info[1] is error

    server.tell("shutdown")
    await task
    assert ["stop", "shutdown.complete"] == server.order[2:]


async def test_a_start_up_that_fails_is_passed_on_after_the_stop() -> None:
    """The server hears the app's own word."""
    server = Server()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    task = server.begin(app)
    server.tell("startup")
    await task

    assert ["start", "stop", "startup.failed"] == server.order


async def test_an_app_that_leaves_after_its_start_up_is_stopped_at_shutdown_only() -> None:
    """While the server runs, what we started runs."""
    server = Server()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    task = server.begin(app)
    server.tell("startup")
    await turns()
    assert ["start", "startup.complete"] == server.order

    server.tell("shutdown")
    await task
    assert ["stop", "shutdown.complete"] == server.order[2:]


async def test_what_the_app_raises_later_is_raised_after_the_stop() -> None:
    """Once it has answered, it has a lifespan, and its errors are its own."""
    server = Server()
    error = RuntimeError("boom")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise error

    task = server.begin(app)
    server.tell("startup")
    server.tell("shutdown")

    with pytest.raises(RuntimeError) as caught:
        await task
    assert error is caught.value
    assert ["start", "startup.complete", "stop"] == server.order


@pytest.mark.parametrize("when", ["before the start-up", "in the app", "in our own wait"])
async def test_a_server_that_cancels_finds_everything_stopped(when: str) -> None:
    """However early or late a lifespan is cancelled, what was started is stopped, once."""
    server = Server()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if when == "in our own wait":
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()

    task = server.begin(app)
    if when != "before the start-up":
        server.tell("startup")
    await turns()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert 1 == server.order.count("stop")

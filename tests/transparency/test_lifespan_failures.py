"""A start or stop that fails, dies or hangs is the server's to see and to end."""

from __future__ import annotations

import asyncio

import pytest
from tests.transparency.life import SHUTDOWN, STARTED, STARTUP, Life, recording
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import Message, Receive, Scope, Send


async def test_a_start_up_that_fails_is_told_and_raised(wrap: Wrap) -> None:
    """Starlette reports a failed start-up and raises: the server sees the message first, then the same exception."""
    boom = RuntimeError("no database")
    life = Life(wrap(recording([], at_startup=boom)))
    answer = await life.tell(STARTUP)
    with pytest.raises(RuntimeError) as caught:
        await life.end()

    assert answer is not None
    assert "lifespan.startup.failed" == answer["type"]
    assert "no database" in answer["message"]
    assert boom is caught.value
    assert 1 == len(life.sent)


async def test_a_start_up_may_fail_without_raising(wrap: Wrap) -> None:
    """An app that sends `lifespan.startup.failed` and returns is taken at its word."""
    failed: Message = {"type": "lifespan.startup.failed", "message": "no licence"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(failed)

    life = Life(wrap(app))

    assert await life.tell(STARTUP) == failed
    await life.end()
    assert [failed] == life.sent


async def test_a_server_that_raises_at_a_failed_start_up_is_heard(wrap: Wrap) -> None:
    """Some servers raise out of `send` when start-up failed: that exception ends the call, unchanged."""
    refusal = RuntimeError("Lifespan failure in startup")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no licence"})

    async def receive() -> Message:
        return STARTUP

    async def send(message: Message) -> None:
        raise refusal

    with pytest.raises(RuntimeError) as caught:
        await wrap(app)({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    assert refusal is caught.value


async def test_a_shutdown_that_fails_is_told_and_raised(wrap: Wrap) -> None:
    """The same holds for shutdown."""
    boom = RuntimeError("disk full")
    life = Life(wrap(recording([], at_shutdown=boom)))
    await life.tell(STARTUP)
    answer = await life.tell(SHUTDOWN)
    with pytest.raises(RuntimeError) as caught:
        await life.end()

    assert answer is not None
    assert "lifespan.shutdown.failed" == answer["type"]
    assert boom is caught.value
    assert [STARTED["type"], "lifespan.shutdown.failed"] == [message["type"] for message in life.sent]


async def test_an_app_that_dies_between_start_and_stop_is_heard(wrap: Wrap) -> None:
    """An app whose lifespan raises while it serves ends the call with that exception."""
    boom = RuntimeError("lost the database")
    die = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(STARTED)
        await die.wait()
        raise boom

    life = Life(wrap(app))
    await life.tell(STARTUP)
    die.set()
    with pytest.raises(RuntimeError) as caught:
        await life.end()

    assert boom is caught.value
    assert [STARTED] == life.sent


async def test_a_shutdown_that_hangs_is_the_servers_to_end(wrap: Wrap) -> None:
    """An app that does not come to an end is waited for; when the server cancels, it hears so, and the call ends."""
    stopping, cancelled = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(STARTED)
        await receive()
        stopping.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    life = Life(wrap(app))
    await life.tell(STARTUP)
    shutdown = asyncio.ensure_future(life.tell(SHUTDOWN))
    await stopping.wait()
    assert life.call is not None
    assert not life.call.done()
    life.call.cancel()
    assert await shutdown is None
    with pytest.raises(asyncio.CancelledError):
        await life.end()

    assert cancelled.is_set()
    assert [STARTED] == life.sent


async def test_a_start_up_that_hangs_is_the_servers_to_end(wrap: Wrap) -> None:
    """The same holds for an app that never finishes starting."""
    starting, cancelled = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        starting.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    life = Life(wrap(app))
    startup = asyncio.ensure_future(life.tell(STARTUP))
    await starting.wait()
    assert life.call is not None
    life.call.cancel()
    assert await startup is None
    with pytest.raises(asyncio.CancelledError):
        await life.end()

    assert cancelled.is_set()
    assert [] == life.sent

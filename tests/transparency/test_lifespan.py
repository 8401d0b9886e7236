"""The app starts and stops as it would alone, and is started and stopped where it cannot do so itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from tests.transparency.driver import body, exchange, http, start
from tests.transparency.life import SHUTDOWN, STARTED, STARTUP, STOPPED, Life, recording
from tests.transparency.wrappings import WRAPPINGS, Wrap

from asgi_resync._asgi import Message, Receive, Scope, Send

wrapped_only = pytest.mark.parametrize("wrap", [wrap for name, wrap in WRAPPINGS.items() if name != "bare"])


async def test_an_app_starts_and_stops_once(wrap: Wrap) -> None:
    """One start-up and one shutdown of the server are one each for the app, answered with plain messages."""
    order: list[str] = []
    life = Life(wrap(recording(order)))

    assert await life.tell(STARTUP) == STARTED
    assert ["start"] == order
    assert await life.tell(SHUTDOWN) == STOPPED
    await life.end()
    assert ["start", "stop"] == order
    assert [STARTED, STOPPED] == life.sent


async def test_state_goes_from_start_up_to_requests(wrap: Wrap) -> None:
    """What the app yields at start-up is in the state that the server hands to each request."""
    order: list[str] = []
    app = wrap(recording(order))
    life = Life(app)
    await life.tell(STARTUP)
    connection = await exchange(app, http(state=dict(life.state)))
    await life.tell(SHUTDOWN)
    await life.end()

    assert {"pool": order} == life.state
    assert b"pool=True" == connection.body


async def test_an_app_may_live_many_times(wrap: Wrap) -> None:
    """A server or a test may start and stop the same app again, and it answers in each life."""
    order: list[str] = []
    app = wrap(recording(order))
    for _ in range(3):
        life = Life(app)
        assert await life.tell(STARTUP) == STARTED
        connection = await exchange(app, http(state=dict(life.state)))
        assert b"pool=True" == connection.body
        assert await life.tell(SHUTDOWN) == STOPPED
        await life.end()

    assert ["start", "stop"] * 3 == order


async def test_lives_may_overlap(wrap: Wrap) -> None:
    """Two lifespans of one app at a time, as two servers in a process give it, each start and stop it."""
    order: list[str] = []
    app = wrap(recording(order))
    lives = [Life(app), Life(app)]

    assert [await life.tell(STARTUP) for life in lives] == [STARTED, STARTED]
    assert await lives[0].tell(SHUTDOWN) == STOPPED
    connection = await exchange(app, http(state=dict(lives[1].state)))
    assert b"pool=True" == connection.body
    assert await lives[1].tell(SHUTDOWN) == STOPPED
    for life in lives:
        await life.end()
    assert ["start", "start", "stop", "stop"] == order


async def test_requests_before_start_up_are_answered(wrap: Wrap) -> None:
    """A server without lifespan never starts the app; requests reach it all the same."""
    app = wrap(PlainTextResponse("plan"))
    for _ in range(2):
        assert b"plan" == (await exchange(app)).body


async def test_requests_after_shutdown_are_answered(wrap: Wrap) -> None:
    """A request that comes late, while the server drains its connections, is answered by the app."""
    order: list[str] = []
    app = wrap(recording(order))
    life = Life(app)
    await life.tell(STARTUP)
    await exchange(app, http(state=dict(life.state)))
    await life.tell(SHUTDOWN)
    await life.end()

    assert b"pool=True" == (await exchange(app, http(state=dict(life.state)))).body


async def test_a_lifespan_without_state_is_one_too(wrap: Wrap) -> None:
    """Old servers hand in no state; start-up and shutdown work."""
    heard: asyncio.Queue[Message] = asyncio.Queue()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "state" not in scope
        await receive()
        await send(STARTED)
        await receive()
        await send(STOPPED)

    for message in (STARTUP, SHUTDOWN):
        heard.put_nowait(message)
    await wrap(app)({"type": "lifespan", "asgi": {"version": "3.0"}}, heard.get, send)

    assert [STARTED, STOPPED] == sent


@pytest.mark.parametrize(
    "error",
    [AssertionError("scope"), NotImplementedError(), KeyError("method"), ExceptionGroup("g", [ValueError()])],
    ids=repr,
)
@wrapped_only
async def test_an_app_that_knows_no_lifespan_is_served(wrap: Wrap, error: Exception) -> None:
    """An app that raises on the lifespan scope, as the specification allows, is started and stopped without it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise error
        await send(start())
        await send(body(b"plan"))

    wrapped = wrap(app)
    life = Life(wrapped)

    assert await life.tell(STARTUP) == STARTED
    assert b"plan" == (await exchange(wrapped)).body
    assert await life.tell(SHUTDOWN) == STOPPED
    await life.end()
    assert [STARTED, STOPPED] == life.sent


@wrapped_only
async def test_an_app_that_returns_from_the_lifespan_is_served(wrap: Wrap) -> None:
    """An app that ignores the lifespan scope and returns is started and stopped without it, and never waited for."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send(start())
            await send(body(b"plan"))

    wrapped = wrap(app)
    life = Life(wrapped)

    assert await life.tell(STARTUP) == STARTED
    assert b"plan" == (await exchange(wrapped)).body
    assert await life.tell(SHUTDOWN) == STOPPED
    await life.end()


async def test_an_app_that_returns_after_start_up_is_served(wrap: Wrap) -> None:
    """An app that says it has started and returns needs no shutdown: the server is not left waiting for an answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(STARTED)

    life = Life(wrap(app))

    assert await life.tell(STARTUP) == STARTED
    assert await life.tell(SHUTDOWN) in (None, STOPPED)
    await life.end()


async def test_a_mounted_app_lives_as_its_parent_lets_it(wrap: Wrap) -> None:
    """Starlette starts the outer app only; a wrapped app mounted in it answers without a lifespan of its own."""
    order: list[str] = []
    inner = wrap(PlainTextResponse("inner"))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        order.append("start")
        yield
        order.append("stop")

    app = wrap(Starlette(routes=[Mount("/sub", app=inner)], lifespan=lifespan))
    life = Life(app)
    assert await life.tell(STARTUP) == STARTED
    for _ in range(2):
        assert b"inner" == (await exchange(app, http("/sub/"))).body
    assert await life.tell(SHUTDOWN) == STOPPED
    await life.end()
    assert ["start", "stop"] == order

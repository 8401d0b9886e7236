"""When things happen: nothing is held back, hurried on or moved out of the reach of who waits for it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from tests.transparency.driver import Connection, body, exchange, http, start
from tests.transparency.wrappings import Wrap, bare, without_rules

from asgi_resync._asgi import Message, Receive, Scope, Send

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def test_each_message_arrives_before_the_app_goes_on(wrap: Wrap) -> None:
    """When `send` returns to the app, the server has what was sent; only a start may wait for the first of its body."""
    connection = Connection()
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in (start(), body(b"a", more_body=True), body(b"b", more_body=True), body(b"c")):
            await send(message)
            seen.append(len(connection.sent))

    await connection.run(wrap(app))

    assert seen in ([1, 2, 3, 4], [0, 2, 3, 4])


@pytest.mark.parametrize("line", [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")])
async def test_the_start_of_what_is_not_stored_is_not_held(wrap: Wrap, line: tuple[bytes, bytes]) -> None:
    """Where nothing will be stored, the client has the header before the first byte of the body exists."""
    connection = Connection()
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [line]))
        seen.append(len(connection.sent))
        await send(body(b"data: 1\n\n"))

    await connection.run(wrap(app))

    assert [1] == seen


async def test_a_slow_client_slows_the_app_down(wrap: Wrap) -> None:
    """While the server does not take a message, the app does not get past it: nothing piles up in between."""
    taken = asyncio.Semaphore(0)
    produced: list[int] = []

    async def take(message: Message) -> None:
        await taken.acquire()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        for number in range(5):
            produced.append(number)
            await send(body(b"%d" % number, more_body=True))
        await send(body())

    connection = Connection(on_send=take)
    call = asyncio.ensure_future(connection.run(wrap(app)))
    for count in range(1, 6):
        taken.release()
        await connection.until_sent(count)
        await anyio.wait_all_tasks_blocked()
        assert count == len(produced)
    for _ in range(2):
        taken.release()
    await call

    assert b"01234" == connection.body


async def test_events_arrive_one_by_one(wrap: Wrap) -> None:
    """An event stream delivers each event when it happens, before the next one exists."""
    news: asyncio.Queue[bytes] = asyncio.Queue()

    async def events() -> AsyncIterator[bytes]:
        while event := await news.get():
            yield b"data: %b\n\n" % event

    connection = Connection()
    app = wrap(StreamingResponse(events(), media_type="text/event-stream"))
    async with asyncio.timeout(5):
        call = asyncio.ensure_future(connection.run(app))
        await connection.until_sent(1)
        for number, event in enumerate((b"READY", b"EXEC", b"SUCC"), start=2):
            news.put_nowait(event)
            await connection.until_sent(number)
            assert body(b"data: %b\n\n" % event, more_body=True) == connection.sent[-1]
        news.put_nowait(b"")
        await call

    assert body(b"", more_body=False) == connection.sent[-1]


async def test_two_event_streams_run_side_by_side(wrap: Wrap) -> None:
    """The second listener does not wait for the first stream to end."""
    end = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [(b"content-type", b"text/event-stream")]))
        await send(body(b"data: hello\n\n", more_body=True))
        await end.wait()
        await send(body())

    wrapped = wrap(app)
    streams = [Connection() for _ in range(3)]
    async with asyncio.timeout(5):
        calls = [asyncio.ensure_future(stream.run(wrapped)) for stream in streams]
        for stream in streams:
            await stream.until_sent(2)
        end.set()
        await asyncio.gather(*calls)

    assert [b"data: hello\n\n"] * 3 == [stream.body for stream in streams]


@pytest.mark.parametrize("wrap", [bare, without_rules])
async def test_long_polls_wait_side_by_side(wrap: Wrap) -> None:
    """Where nothing says that an answer may be shared, clients that wait for news are all in the app to hear it."""
    listening: list[asyncio.Event] = []
    together = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        news = asyncio.Event()
        listening.append(news)
        if len(listening) == 3:
            together.set()
        await news.wait()
        await send(start())
        await send(body(b"news"))

    wrapped = wrap(app)
    polls = [asyncio.ensure_future(exchange(wrapped)) for _ in range(3)]
    try:
        async with asyncio.timeout(15):
            await together.wait()
            for news in listening:
                news.set()
            answers = await asyncio.gather(*polls)
    finally:
        for poll in polls:
            poll.cancel()

    assert [b"news"] * 3 == [answer.body for answer in answers]


async def test_context_variables_reach_the_app(wrap: Wrap) -> None:
    """What a middleware around the wrapper sets, such as a request id, the app reads."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(who.get().encode()))

    wrapped = wrap(app)

    async def call(name: str) -> bytes:
        who.set(name)
        return (await exchange(wrapped, http(f"/{name}"))).body

    assert (b"ann", b"bob") == tuple(await asyncio.gather(call("ann"), call("bob")))


async def test_context_variables_of_the_app_are_seen_outside(wrap: Wrap) -> None:
    """What the app sets, such as a user for the access log, a middleware around the wrapper reads after the call."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        who.set("operator")
        await send(start())
        await send(body())

    seen: list[str] = []

    async def outer() -> None:
        await exchange(wrap(app))
        seen.append(who.get())

    await asyncio.ensure_future(outer())

    assert ["operator"] == seen


async def test_context_variables_of_the_app_are_seen_by_send(wrap: Wrap) -> None:
    """A middleware's `send` runs in the app's own context, so it reads what the app set."""
    seen: list[str] = []

    async def look(message: Message) -> None:
        seen.append(who.get())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        who.set("operator")
        await send(start())
        await send(body())

    await asyncio.ensure_future(Connection(on_send=look).run(wrap(app)))

    assert ["operator"] * 2 == seen


async def test_a_base_middleware_around_or_inside_works(wrap: Wrap) -> None:
    """Starlette's BaseHTTPMiddleware runs its app in a task group; the wrapper works on both sides of it."""

    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-seen"] = request.method
        return response

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("plan")(scope, receive, send)

    inside = wrap(BaseHTTPMiddleware(app, dispatch=dispatch))
    around = BaseHTTPMiddleware(wrap(app), dispatch=dispatch)
    for subject in (inside, around):
        for _ in range(2):
            connection = await exchange(subject)
            assert b"plan" == connection.body
            assert (b"x-seen", b"GET") in connection.sent[0]["headers"]

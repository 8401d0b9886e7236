"""The app reads its request as it would without the wrapper: in pieces, late, twice, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, StreamingResponse
from tests.transparency.driver import DISCONNECT, REQUEST, Connection, body, exchange, http, start
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import Message, Receive, Scope, Send


def pieces(*contents: bytes) -> list[Message]:
    """Return the messages of a request body that comes in pieces."""
    last = len(contents) - 1
    return [{"type": "http.request", "body": part, "more_body": at < last} for at, part in enumerate(contents)]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "QUERY", "DELETE"])
async def test_a_body_comes_in_the_pieces_the_server_gave(wrap: Wrap, method: str) -> None:
    """The app gets the very messages of the server, one for each call of `receive`."""
    incoming = pieces(b"a", b"", b"bc", b"d")
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        while seen[-1]["more_body"]:
            seen.append(await receive())
        await send(start())
        await send(body(b"ok"))

    await exchange(wrap(app), http(method=method), incoming)

    assert incoming == seen


async def test_a_request_may_be_answered_while_it_is_read(wrap: Wrap) -> None:
    """Reading and writing take turns: an echo sends each piece before it asks for the next one."""

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        while True:
            message = await receive()
            await send(body(message["body"], more_body=message["more_body"]))
            if not message["more_body"]:
                return

    connection = await exchange(wrap(echo), http(method="POST"), pieces(b"a", b"b", b"c"))

    assert ["send", "receive", "send", "receive", "send", "receive", "send"] == [way for way, _ in connection.log]
    assert b"abc" == connection.body


async def test_nothing_is_read_that_the_app_does_not_ask_for(wrap: Wrap) -> None:
    """`receive` is the app's: a request body that the app leaves alone is not read on its behalf."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"ok"))

    connection = await exchange(wrap(app), http(method="POST"), pieces(b"a", b"b"))

    assert [] == connection.received


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_receive_after_the_answer_says_disconnect(wrap: Wrap, method: str) -> None:
    """Once the answer is complete, `receive` gives `http.disconnect`, however often it is called."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start())
        await send(body(b"ok"))
        seen.extend([(await receive())["type"] for _ in range(3)])

    await exchange(wrap(app), http(method=method))

    assert ["http.disconnect"] * 3 == seen


async def test_an_app_hears_that_the_client_went_away_before_the_answer(wrap: Wrap) -> None:
    """An app that waits for `http.disconnect`, such as one that polls for a change, hears of it and may return."""
    waiting = asyncio.Event()
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting.set()
        seen.append(await receive())

    connection = Connection()
    async with asyncio.timeout(5):
        call = asyncio.ensure_future(connection.run(wrap(app)))
        await waiting.wait()
        connection.disconnect()
        await call

    assert [DISCONNECT] == seen
    assert [] == connection.sent


async def test_an_app_hears_that_the_client_went_away_in_the_middle(wrap: Wrap) -> None:
    """An endless stream ends when its client leaves, as Starlette's listens for `http.disconnect`."""
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: 1\n\n"
                await asyncio.sleep(0)
        finally:
            ended.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(endless(), media_type="text/event-stream")({**scope, "asgi": {}}, receive, send)

    connection = Connection()
    async with asyncio.timeout(5):
        call = asyncio.ensure_future(connection.run(wrap(app)))
        await connection.until_sent(5)
        connection.disconnect()
        await call
        await ended.wait()

    assert "http.response.start" == connection.sent_types[0]
    assert connection.sent[-1] == body(b"data: 1\n\n", more_body=True)


async def test_a_client_that_leaves_while_it_sends_is_noticed(wrap: Wrap) -> None:
    """A request body that breaks off is an error to the app, and the error reaches the server."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    incoming: list[Message] = [{"type": "http.request", "body": b"half", "more_body": True}, dict(DISCONNECT)]
    with pytest.raises(ClientDisconnect):
        await exchange(wrap(app), http(method="POST"), incoming)


async def test_a_server_that_refuses_to_send_is_heard_by_the_app(wrap: Wrap) -> None:
    """`send` raises OSError once the client is gone (ASGI 2.4): the app gets that very error where it sends."""
    gone = BrokenPipeError("gone")
    seen: list[BaseException] = []

    async def refuse(message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"] == b"2":
            raise gone

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"1", more_body=True))
        try:
            await send(body(b"2", more_body=True))
        except OSError as error:
            seen.append(error)
            raise

    connection = Connection(on_send=refuse)
    with pytest.raises(BrokenPipeError) as caught:
        await connection.run(wrap(app))

    assert [gone] == seen
    assert gone is caught.value
    assert [start(), body(b"1", more_body=True)] == connection.sent


async def test_an_app_may_swallow_that_the_server_refuses_to_send(wrap: Wrap) -> None:
    """An app that handles the error of `send` and returns ends the call without one, and the next client is served."""

    async def refuse(message: Message) -> None:
        raise OSError("gone")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(start())
            await send(body(b"plan"))
        except OSError:
            return

    wrapped = wrap(app)
    await Connection(on_send=refuse).run(wrapped)
    second = await exchange(wrapped)

    assert b"plan" == second.body


async def test_a_background_task_runs_after_the_answer_and_within_the_call(wrap: Wrap) -> None:
    """The answer is complete before the background task begins, and the call ends after the task has."""
    order: list[str] = []
    go = asyncio.Event()

    async def write_log() -> None:
        order.append("task begins")
        await go.wait()
        order.append("task ends")

    app = wrap(PlainTextResponse("plan", background=BackgroundTask(write_log)))
    connection = Connection()
    async with asyncio.timeout(5):
        call = asyncio.ensure_future(connection.run(app))
        await connection.until_sent(2)
        order.append("answered")
        assert not call.done()
        go.set()
        await call
    order.append("call ends")

    assert ["answered", "task begins", "task ends", "call ends"] == sorted(order, key=EXPECTED_ORDER.index)
    assert order.index("task ends") < order.index("call ends")
    assert b"plan" == connection.body


EXPECTED_ORDER = ["answered", "task begins", "task ends", "call ends"]


async def test_a_background_task_holds_nobody_else_up(wrap: Wrap) -> None:
    """While the task of one request runs, the next request for the same thing is answered."""
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("plan", background=BackgroundTask(go.wait))(scope, receive, send)

    wrapped = wrap(app)
    first, second = Connection(), Connection()
    async with asyncio.timeout(5):
        calls = [asyncio.ensure_future(first.run(wrapped))]
        await first.until_sent(2)
        calls.append(asyncio.ensure_future(second.run(wrapped)))
        await second.until_sent(2)
        go.set()
        await asyncio.gather(*calls)

    assert b"plan" == second.body


async def test_a_background_task_that_fails_is_heard_by_the_server(wrap: Wrap) -> None:
    """The error of a background task is raised out of the call, after a complete answer."""
    boom = RuntimeError("the log is full")

    async def fail() -> None:
        raise boom

    connection = Connection()
    with pytest.raises(RuntimeError) as caught:
        await connection.run(wrap(PlainTextResponse("plan", background=BackgroundTask(fail))))

    assert boom is caught.value
    assert ["http.response.start", "http.response.body"] == connection.sent_types


async def test_an_app_may_read_its_request_after_it_answered(wrap: Wrap) -> None:
    """An app that answers first and reads then gets the messages of the server, not a disconnect."""
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"ok"))
        seen.append(await receive())

    await exchange(wrap(app))

    assert [REQUEST] == seen

"""Apps that break the protocol are the server's to judge: it sees exactly what they do."""

from __future__ import annotations

import asyncio

import pytest
from tests.transparency.driver import Connection, body, exchange, replying, start
from tests.transparency.wrappings import Wrap, bare, with_rule, without_rules

from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send

BREACHES: dict[str, list[Message]] = {
    "nothing at all": [],
    "a start only": [start()],
    "a body before the start": [body(b"early"), start(), body()],
    "a body without a start": [body(b"alone")],
    "two starts": [start(200), start(500), body(b"which")],
    "a start in mid-body": [start(200), body(b"a", more_body=True), start(500), body(b"b")],
    "a body after the end": [start(), body(b"end"), body(b"more")],
    "a second response": [start(200), body(b"one"), start(200), body(b"two")],
    "a body that does not end": [start(), body(b"half", more_body=True)],
    "trailers nobody announced": [start(), body(b"a"), {"type": "http.response.trailers", "headers": []}],
    "trailers announced and not sent": [start(trailers=True), body(b"a")],
    "a path after a body": [start(), body(b"a"), {"type": "http.response.pathsend", "path": "/x"}],
    "a path in mid-body": [start(), body(b"a", more_body=True), {"type": "http.response.pathsend", "path": "/x"}],
    "a message of another kind": [{"type": "websocket.accept"}, start(), body(b"ok")],
}
"""What the app sends before it returns."""

INCOMPLETE = {
    name: BREACHES[name]
    for name in (
        "nothing at all",
        "a start only",
        "a body without a start",
        "two starts",
        "a start in mid-body",
        "a body that does not end",
        "trailers announced and not sent",
        "a path in mid-body",
    )
}
"""The breaches in which nothing whole was sent."""


@pytest.mark.parametrize("messages", BREACHES.values(), ids=BREACHES)
async def test_the_server_sees_the_breach_as_it_is(wrap: Wrap, messages: list[Message]) -> None:
    """Wrong messages arrive unchanged and in order, and the call returns as the app does."""
    connection = await exchange(wrap(replying(*messages)))

    assert messages == connection.sent


@pytest.mark.parametrize("messages", INCOMPLETE.values(), ids=INCOMPLETE)
async def test_a_breach_is_not_kept(wrap: Wrap, messages: list[Message]) -> None:
    """An answer that was never a whole one is not served to the next client."""
    calls: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(1)
        await replying(*messages)(scope, receive, send)

    wrapped = wrap(app)
    await exchange(wrapped)
    second = await exchange(wrapped)

    assert 2 == len(calls)
    assert messages == second.sent


@pytest.mark.parametrize("refused", ["http.response.start", "http.response.body"])
async def test_the_servers_objection_reaches_the_app_and_the_server(wrap: Wrap, refused: str) -> None:
    """What `send` raises, the app sees where it sends, and the server sees at the end: one and the same object."""
    objection = RuntimeError("Expected something else")
    seen: list[BaseException] = []

    async def object_to(message: Message) -> None:
        if message["type"] == refused:
            raise objection

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(start())
            await send(body(b"ok"))
        except RuntimeError as error:
            seen.append(error)
            raise

    with pytest.raises(RuntimeError) as caught:
        await Connection(on_send=object_to).run(wrap(app))

    assert [objection] == seen
    assert objection is caught.value
    assert objection.__context__ is None


# The line that opts in cannot be put into these.
@pytest.mark.parametrize("wrap", [bare, without_rules, with_rule])
@pytest.mark.parametrize(
    "wrong",
    [
        {"type": None},
        {"type": "http.response.start"},
        {"type": "http.response.start", "status": "200", "headers": []},
        {"type": "http.response.start", "status": None},
        {"type": "http.response.start", "status": 200, "headers": None},
        {"type": "http.response.start", "status": 200, "headers": {"a": "b"}},
        {"type": "http.response.start", "status": 200, "headers": [("content-type", "text/plain")]},
        {"type": "http.response.start", "status": 200, "headers": [(b"one",)]},
        {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b", b"c")]},
        {"type": "http.response.start", "status": 200, "headers": [b"ab"]},
        {"type": "http.response.start", "status": 200, "headers": 7},
    ],
    ids=repr,
)
async def test_a_malformed_message_is_the_servers_to_refuse(wrap: Wrap, wrong: Message) -> None:
    """The wrapper does not stumble over a message that makes no sense: the server gets it and answers for it."""
    objection = TypeError("malformed")
    got: list[Message] = []

    async def object_to(message: Message) -> None:
        got.append(message)
        raise objection

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(wrong)

    with pytest.raises(TypeError) as caught:
        await Connection(on_send=object_to).run(wrap(app))

    assert objection is caught.value
    assert [wrong] == got


@pytest.mark.parametrize("wrong", [None, "plan", 7, {"a": 1}, [b"plan"]], ids=repr)
async def test_a_malformed_body_is_the_servers_to_refuse(wrap: Wrap, wrong: object) -> None:
    """A body that is no bytes reaches the server, and is never kept."""
    objection = TypeError("malformed")

    async def object_to(message: Message) -> None:
        if message.get("body") is wrong:
            raise objection

    wrapped = wrap(replying(start(), {"type": "http.response.body", "body": wrong}))
    for _ in range(2):
        with pytest.raises(TypeError) as caught:
            await Connection(on_send=object_to).run(wrapped)
        assert objection is caught.value


async def test_an_app_that_never_answers_is_left_alone(wrap: Wrap) -> None:
    """It waits for as long as it likes; when the server gives up and cancels, the app is cancelled at once."""
    app, waiting, cancelled = never_answering()
    connection = Connection()
    async with asyncio.timeout(5):
        call = asyncio.ensure_future(connection.run(wrap(app)))
        await waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await cancelled.wait()

    assert [] == connection.sent


async def test_an_app_that_stops_in_the_middle_is_left_alone(wrap: Wrap) -> None:
    """The same holds for an app that sent half of its answer: what it sent has arrived."""
    app, waiting, cancelled = never_answering(start(), body(b"half", more_body=True))
    connection = Connection()
    async with asyncio.timeout(5):
        call = asyncio.ensure_future(connection.run(wrap(app)))
        await waiting.wait()
        assert [start(), body(b"half", more_body=True)] == connection.sent
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await cancelled.wait()


def never_answering(*messages: Message) -> tuple[ASGIApp, asyncio.Event, asyncio.Event]:
    """Return an app that sends *messages* and waits for ever, and events for its waiting and its end."""
    waiting, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    return app, waiting, ended

"""Where a rule puts the request body into the key, the app still gets its request as it was sent."""

from __future__ import annotations

import asyncio

import pytest
from tests.transparency.driver import DISCONNECT, Connection, body, exchange, http, start
from tests.transparency.wrappings import Wrap, bare

from asgi_resync import CacheRule, Resync, Settings
from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send


def by_body(app: ASGIApp) -> ASGIApp:
    """Wrap *app* where a rule has bodies of up to 8 bytes in the key."""
    rule = CacheRule("/{rest:path}", ttl=10, methods=["GET", "POST", "QUERY"], body_in_key=True, max_key_body=8)
    return Resync(Settings(), rules=[rule])(app)


def sent_in(*contents: bytes) -> list[Message]:
    """Return the messages of a body sent in pieces."""
    last = len(contents) - 1
    return [{"type": "http.request", "body": part, "more_body": at < last} for at, part in enumerate(contents)]


both = pytest.mark.parametrize("wrap", [bare, by_body])


@both
@pytest.mark.parametrize("method", ["POST", "QUERY"])
@pytest.mark.parametrize("pieces", [[b""], [b"abc"], [b"ab", b"", b"c"], [b"12345678"], [b"123456789"], [b"a"] * 50])
async def test_the_app_gets_the_body(wrap: Wrap, method: str, pieces: list[bytes]) -> None:
    """Small or large, in one piece or in many, the messages of the request reach the app, and then a disconnect."""
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        while seen[-1].get("more_body"):
            seen.append(await receive())
        await send(start())
        await send(body(b"ok"))
        seen.append(await receive())

    connection = await exchange(wrap(app), http(method=method), sent_in(*pieces))

    assert [*sent_in(*pieces), DISCONNECT] == seen
    assert b"ok" == connection.body


@both
async def test_a_large_body_is_not_waited_for(wrap: Wrap) -> None:
    """Once a body is larger than the key may hold, the app gets what there is before the rest has come."""
    rest = asyncio.Event()
    seen: list[bytes] = []
    first = sent_in(b"0123456789", b"")[0]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["body"])
        rest.set()
        seen.append((await receive())["body"])
        await send(start())
        await send(body(b"ok"))

    async def slow_receive() -> Message:
        if not seen and first["body"]:
            message = dict(first)
            first["body"] = b""
            return message
        await rest.wait()
        return {"type": "http.request", "body": b"end"}

    connection = Connection(http(method="POST"))
    async with asyncio.timeout(5):
        await wrap(app)(connection.scope, slow_receive, connection.send)

    assert [b"0123456789", b"end"] == seen
    assert b"ok" == connection.body


@both
async def test_a_client_that_leaves_while_it_sends_is_heard(wrap: Wrap) -> None:
    """A body that breaks off reaches the app as far as it came, and the disconnect after it."""
    incoming = [*sent_in(b"ab", b"")[:1], dict(DISCONNECT)]
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([await receive(), await receive()])

    await exchange(wrap(app), http(method="POST"), incoming)

    assert incoming == seen


async def test_each_body_has_an_answer_of_its_own() -> None:
    """The same body is answered from the cache, another one by the app, and GET is a third thing."""
    calls: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        calls.append(message["body"])
        await send(start())
        await send(body(b"answer to " + message["body"]))

    wrapped = by_body(app)
    for content in (b"a", b"b", b"a", b"b"):
        for pieces in ([content], [b"", content]):
            if len(pieces) == 1 or content in calls:
                connection = await exchange(wrapped, http(method="QUERY"), sent_in(*pieces))
                assert b"answer to " + content == connection.body
    await exchange(wrapped, http())

    assert [b"a", b"b", b""] == calls

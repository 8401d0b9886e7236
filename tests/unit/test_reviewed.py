"""Defects that reading found, each with the test that would have."""

from __future__ import annotations

import asyncio

from tests.unit.caching import cached

from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.testing import Reply, ScriptedApp


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's body."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=60")]})
    await send({"type": "http.response.body", "body": message.get("body", b"")})


async def test_a_get_with_an_unannounced_body_poisons_nothing() -> None:
    """HTTP/2 needs neither Content-Length nor Transfer-Encoding to send one."""
    site = cached(echo)

    assert b"evil" == (await site.get(body=b"evil")).body
    assert b"" == (await site.get()).body


async def test_a_304_that_adds_vary_selects_from_then_on() -> None:
    """Who differs in what the update names does not get the stored response."""
    app = ScriptedApp(
        Reply(headers={"cache-control": "max-age=1", "etag": '"a"'}, body=b"alice"),
        Reply(status=304, headers={"cache-control": "max-age=60", "etag": '"a"', "vary": "cookie"}),
        Reply(headers={"cache-control": "max-age=60", "vary": "cookie"}, body=b"bob"),
    )
    site = cached(app)
    await site.get(headers={"cookie": "alice"})
    site.clock.advance(2)
    await site.get(headers={"cookie": "alice"})

    assert b"bob" == (await site.get(headers={"cookie": "bob"})).body


async def test_long_urls_cost_no_memory_where_nothing_is_stored() -> None:
    """What is remembered of a key that proved uncacheable is its hash."""
    site = cached(ScriptedApp(Reply(headers={"cache-control": "no-store"})))
    await asyncio.gather(*[site.get("/" + "a" * 1000 + str(number)) for number in range(10)])

    assert all(isinstance(key, int) for key in site.cache.passing)

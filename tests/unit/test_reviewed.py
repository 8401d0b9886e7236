"""Defects that reading found, each with the test that would have."""

from __future__ import annotations

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from tests.unit.caching import cached, turns

from asgi_resync import BreakerRule, Cache, CacheMiddleware, CacheRule, MemoryStore, Resync, Settings, Upstream
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.breaker.rules import Policy
from asgi_resync.cache import middleware
from asgi_resync.events import CacheKey
from asgi_resync.testing import ManualClock, Reply, ScriptedApp, request


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


async def test_a_response_that_grants_stale_if_error_is_no_error() -> None:
    """Said in our own targeted field, it once kept what was stale in place of each new answer."""
    lines = {"resync-cache-control": "max-age=10, stale-if-error=600"}
    site = cached(ScriptedApp(Reply(headers=lines, body=b"old"), Reply(headers=lines, body=b"new")))
    await site.get()
    site.clock.advance(20)

    assert b"new" == (await site.get()).body


async def test_our_own_field_is_consumed_also_where_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GET with a body, and an event loop that is not asyncio's."""
    site = cached(ScriptedApp(Reply(headers={"resync-cache-control": "max-age=60"})))

    assert (await site.get(body=b"unannounced")).header("resync-cache-control") is None

    monkeypatch.setattr(middleware, "_on_asyncio", lambda: False)

    assert (await site.get("/other")).header("resync-cache-control") is None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_put_below_a_mount_invalidates_what_the_rule_has_stored(method: str) -> None:
    """Starlette moves the root path in the scope itself, and rules are for the path as it came (RFC 9111 §4.4)."""
    calls: list[str] = []

    async def items(request: Request) -> PlainTextResponse:
        calls.append(request.method)
        return PlainTextResponse("", headers={"cache-control": "max-age=60"})

    app = Starlette(routes=[Mount("/sub", routes=[Route("/items", items, methods=["GET", "POST", "PUT"])])])
    rule = CacheRule("/sub/items", query_drop=["utm_*"])
    reads = CacheRule("/sub/items", methods=["POST"], body_in_key=True, ttl=60)
    site = cached(app, rule, reads)
    await site.ask(method, "/sub/items?utm_source=a")
    await site.ask(method, "/sub/items?utm_source=a")
    assert [method] == calls

    await site.ask("PUT", "/sub/items?utm_source=a")
    await site.ask(method, "/sub/items?utm_source=a")

    assert [method, "PUT", method] == calls


async def test_a_degraded_answer_is_kept_by_no_cache_that_is_named_either() -> None:
    """Targeted fields go before the Cache-Control: no-store that says so (RFC 9213 §2.2)."""
    lines = {"cdn-cache-control": "max-age=600", "surrogate-control": "max-age=600", "expires": "0"}
    app = ScriptedApp(Reply(headers=lines))
    resync = Resync(
        Settings.from_env({"RESYNC_CACHE_TARGETED": "CDN-Cache-Control"}),
        upstreams=[Upstream("shop")],
        rules=[BreakerRule("/x", upstreams=["shop"], policy="best-effort")],
    )
    resync.upstreams["shop"].breaker.force_open()

    answers = [await request(resync(app), "GET", "/x") for _ in range(2)]

    assert 2 == app.calls
    assert {(b"cache-control", b"no-store"), (b"resync-degraded", b"shop")} == set(answers[0].headers)


async def test_a_store_that_cannot_look_harms_no_request(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the shortest way nor an invalidation."""

    class Broken(MemoryStore):
        def near(self, key: CacheKey) -> None:
            raise OSError("gone")

    cache = Cache(store=Broken())
    app = CacheMiddleware(ScriptedApp(Reply(body=b"ok")), cache=cache)

    assert [b"ok", b"ok"] == [(await request(app, method)).body for method in ("GET", "PUT")]
    assert "store.near" in caplog.text


@pytest.mark.parametrize("policy", ["critical", "best-effort"])
async def test_after_an_outage_there_is_one_call_again(policy: Policy) -> None:
    """What stood in, or was made without the upstream, does not say that the route cannot be cached."""
    gate = asyncio.Event()
    reply = Reply(headers={"cache-control": "max-age=60"}, body=b"plan", hold=gate)
    app = ScriptedApp(reply)
    resync = Resync(
        upstreams=[Upstream("shop", fallback={})],
        rules=[CacheRule("/x", ttl=60), BreakerRule("/x", upstreams=["shop"], policy=policy)],
    )
    wrapped, breaker = resync(app), resync.upstreams["shop"].breaker
    breaker.force_open()
    gate.set()
    assert "shop" == (await request(wrapped, "GET", "/x")).header("resync-degraded")
    gate.clear()
    breaker.force_closed()
    before = app.calls

    tasks = [asyncio.create_task(request(wrapped, "GET", "/x")) for _ in range(20)]
    await turns()
    gate.set()

    assert {b"plan"} == {answer.body for answer in await asyncio.gather(*tasks)}
    assert 1 == app.calls - before


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_degraded_answer_takes_nothing_from_what_is_stored(method: str) -> None:
    """Neither a 304 nor an answer to HEAD: what is stale must be there for the case of an error."""
    lines = {"cache-control": "max-age=10", "etag": '"a"'}
    confirms = Reply(status=304, headers=lines) if method == "GET" else Reply(headers=lines)
    app = ScriptedApp(Reply(headers=lines, body=b"plan"), confirms, Reply(status=500))
    clock = ManualClock()
    resync = Resync(
        upstreams=[Upstream("shop")],
        rules=[CacheRule("/x", stale_if_error=100), BreakerRule("/x", upstreams=["shop"], policy="best-effort")],
        clock=clock,
    )
    wrapped = resync(app)
    await request(wrapped, "GET", "/x")
    clock.advance(20)
    resync.upstreams["shop"].breaker.force_open()

    answers = [await request(wrapped, name, "/x") for name in (method, "GET")]

    assert [(200, "shop"), (200, "shop")] == [(answer.status, answer.header("resync-degraded")) for answer in answers]
    assert b"plan" == answers[1].body
    assert 3 == app.calls


async def test_a_root_path_ends_where_a_segment_does() -> None:
    """Below the root `/api`, `/apiv2` is a path of its own, as in Starlette."""
    app = ScriptedApp()
    site = cached(app, CacheRule("/apiv2/items", ttl=60))

    for _ in range(2):
        await site.get("/apiv2/items", root_path="/api")

    assert 1 == app.calls

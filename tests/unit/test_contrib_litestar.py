"""The plugin of Litestar: one of the two caches keeps an answer, never both, and the document says which routes."""

from __future__ import annotations

import itertools
import json
from typing import Any, cast

import pytest
from asgi_lifespan import LifespanManager
from litestar import Litestar, Request, get, post
from litestar.config.response_cache import CACHE_FOREVER, ResponseCacheConfig

from asgi_resync import BreakerRule, CacheRule, Resource, Resync, Settings, Upstream, cache_for
from asgi_resync._asgi import ASGIApp
from asgi_resync.contrib.litestar import ResyncPlugin
from asgi_resync.testing import ManualClock, request


def app_of(handlers: list[Any], resync: Resync, **more: Any) -> ASGIApp:
    """Return an app of *handlers* with the plugin."""
    return cast(ASGIApp, Litestar(handlers, plugins=[ResyncPlugin(resync)], **more))


def by_kind(request: Request[Any, Any, Any]) -> str:
    """Tell requests apart by a field of them, as only this app can."""
    return request.headers.get("x-kind", "none")


async def test_the_plugin_starts_caches_and_stops() -> None:
    """A rule caches inside the app, and Litestar's `cache=` is one more way to say it."""
    calls = itertools.count()

    order: list[str] = []

    async def start() -> None:
        order.append("start")

    async def stop() -> None:
        order.append("stop")

    resync = Resync(
        Settings(), rules=[CacheRule("/ruled", ttl=10)], resources=[Resource("told", start=start, stop=stop)]
    )

    @get("/ruled")
    async def ruled() -> int:
        return next(calls)

    @get("/own", cache=20)
    async def own() -> int:
        return next(calls)

    app = app_of([ruled, own], resync)
    async with LifespanManager(app):
        answers = [await request(app, "GET", path) for path in ("/ruled", "/ruled", "/own", "/own")]

    assert ["start", "stop"] == order
    assert [b"0", b"0", b"1", b"1"] == [answer.body for answer in answers]
    assert [None, "0", None, "0"] == [answer.header("age") for answer in answers]
    assert [
        "resync; fwd=uri-miss; stored",
        "resync; hit; ttl=10; detail=l1",
        "resync; fwd=uri-miss; stored",
        "resync; hit; ttl=20; detail=l1",
    ] == [answer.header("cache-status") for answer in answers]


@pytest.mark.parametrize(
    ("cache", "config", "ttl"),
    [
        (True, ResponseCacheConfig(), 60),
        (True, ResponseCacheConfig(default_expiration=5), 5),
        (True, ResponseCacheConfig(default_expiration=None), 2**31),
        (7, ResponseCacheConfig(), 7),
        (CACHE_FOREVER, ResponseCacheConfig(), 2**31),
    ],
)
async def test_the_lifetime_is_that_of_litestar(cache: Any, config: ResponseCacheConfig, ttl: int) -> None:
    """Whatever `cache=` may be."""

    @get("/", cache=cache)
    async def plan() -> str:
        return "plan"

    app = app_of([plan], Resync(Settings()), response_cache_config=config)
    _, hit = await request(app), await request(app)

    assert f"resync; hit; ttl={ttl}; detail=l1" == hit.header("cache-status")


async def test_an_answer_that_litestar_keeps_is_kept_by_it_alone() -> None:
    """What only the app can tell apart stays with Litestar: no age is lost, nobody gets the answer of another kind."""
    calls, clock = itertools.count(), ManualClock(1_700_000_000)
    resync = Resync(Settings(), rules=[CacheRule("/plan", ttl=10)], clock=clock)

    @get("/plan", cache=60, cache_key_builder=by_kind)
    async def plan() -> int:
        return next(calls)

    app = app_of([plan], resync)
    kinds = [await request(app, "GET", "/plan", headers={"x-kind": kind}) for kind in ("a", "b", "a", "b")]

    assert [b"0", b"1", b"0", b"1"] == [answer.body for answer in kinds]
    assert not any("hit" in (answer.header("cache-status") or "") for answer in kinds)
    assert {None} == {answer.header("resync-cache-control") for answer in kinds}


async def test_a_purge_reaches_what_cache_asked_for() -> None:
    """It is in one cache, which is the one that is purged."""
    calls = itertools.count()
    resync = Resync(Settings())

    @get("/plan", cache=60)
    async def plan() -> int:
        return next(calls)

    @post("/purge")
    async def purge() -> None:
        await resync.purge(everything=True)

    app = app_of([plan, purge], resync)
    first = await request(app, "GET", "/plan")
    await request(app, "POST", "/purge")
    second = await request(app, "GET", "/plan")

    assert (b"0", b"1") == (first.body, second.body)


async def test_an_app_with_the_plugin_may_be_wrapped_all_the_same() -> None:
    """The wrapper and the plugin of one Resync share what they keep; the handler is called once."""
    calls = itertools.count()
    resync = Resync(Settings(), rules=[CacheRule("/ruled", ttl=10)])

    @get(["/ruled", "/own"], cache=20)
    async def plan() -> int:
        return next(calls)

    app = resync(app_of([plan], resync))
    answers = [await request(app, "GET", path) for path in ("/ruled", "/ruled", "/own", "/own")]

    assert [b"0", b"0", b"1", b"1"] == [answer.body for answer in answers]
    assert ["hit" in (answer.header("cache-status") or "") for answer in answers] == [False, True, False, True]
    assert all(len(answer.values("etag")) == 1 for answer in answers)


async def test_the_mark_wins_over_cache() -> None:
    """As the more particular of the two; and an app without the plugin is as it was."""

    @get("/", cache=60)
    @cache_for(10)
    async def plan() -> str:
        return "plan"

    app = app_of([plan], Resync(Settings()))
    _, hit = await request(app), await request(app)
    bare = Litestar([plan])

    assert "resync; hit; ttl=10; detail=l1" == hit.header("cache-status")
    assert [60] == [handler.cache for handler in bare.routes[0].route_handlers if handler.cache]  # type: ignore[union-attr]


async def test_the_document_shows_what_is_cached_and_what_is_guarded() -> None:
    """Fields and 304 of what is cached, 503 of what needs an upstream, and nothing of the rest."""
    rules: list[CacheRule | BreakerRule] = [
        CacheRule("/ruled/{id:int}", ttl=10),
        BreakerRule("/ruled/{id:int}", upstreams=["tws"]),
    ]
    resync = Resync(Settings(), rules=rules, upstreams=[Upstream("tws")])

    @get("/ruled/{number:int}")
    async def ruled(request: Request[Any, Any, Any]) -> int:
        return cast(int, request.path_params["number"])

    @get("/own", cache=20)
    async def own() -> int:
        return 1

    @get("/marked")
    @cache_for(10)
    async def marked() -> int:
        return 1

    @get("/theirs", cache=20, cache_key_builder=by_kind)
    async def theirs() -> int:
        return 1

    @get("/plain")
    async def plain() -> int:
        return 1

    app = app_of([ruled, own, marked, theirs, plain], resync)
    paths = json.loads((await request(app, "GET", "/schema/openapi.json")).body)["paths"]
    sent = await request(app, "GET", "/plain")

    cached = {path for path, methods in paths.items() if "304" in methods["get"]["responses"]}
    assert {"/ruled/{number}", "/own", "/marked"} == cached
    for path in cached:
        assert {"Cache-Status", "Age", "ETag"} <= set(paths[path]["get"]["responses"]["200"]["headers"])
    assert ["/ruled/{number}"] == [path for path, methods in paths.items() if "503" in methods["get"]["responses"]]
    assert ["application/problem+json"] == list(paths["/ruled/{number}"]["get"]["responses"]["503"]["content"])
    assert sent.header("age") is None

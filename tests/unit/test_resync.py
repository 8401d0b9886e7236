"""The facade: one line that wraps, starts, stops and purges; several that do not meet; arguments that cannot work."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from tests.unit.caching import FRESH, turns

from asgi_resync import AlreadyWrapped, CacheRule, Resync, RuleError, Settings, SettingsError, Upstream, events
from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send
from asgi_resync.testing import ManualClock, Reply, Response, ScriptedApp, request

WINDOW = {"cache-control": "max-age=1, stale-while-revalidate=60"}


@asynccontextmanager
async def alive(app: ASGIApp) -> AsyncIterator[None]:
    """Run the lifespan of *app* around the block."""
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    told: asyncio.Queue[str] = asyncio.Queue()

    async def send(message: Message) -> None:
        told.put_nowait(message["type"])

    task = asyncio.ensure_future(_awaited(app({"type": "lifespan", "state": {}}, incoming.get, send)))
    incoming.put_nowait({"type": "lifespan.startup"})
    assert "lifespan.startup.complete" == await told.get()
    yield
    incoming.put_nowait({"type": "lifespan.shutdown"})
    assert "lifespan.shutdown.complete" == await told.get()
    await task


async def _awaited(work: Any) -> None:
    await work


def background() -> list[str]:
    """The names of what runs beside the test."""
    own = asyncio.current_task()
    return [str(task.get_coro()) for task in asyncio.all_tasks() if task is not own]


async def test_one_line_caches_an_app() -> None:
    """Wrapped, it answers from memory, before and without any start-up."""
    app = ScriptedApp(Reply(body=b"x"))
    wrapped = Resync(rules=[CacheRule("/", ttl=10)], clock=ManualClock())(app)

    await request(wrapped)

    assert b"x" == (await request(wrapped)).body
    assert 1 == app.calls


async def test_its_lifespan_sweeps_and_stops() -> None:
    """Start-up begins the sweep, shutdown ends it, and an app without a lifespan is none the wiser."""
    wrapped = Resync()(ScriptedApp())

    async with alive(wrapped):
        assert any("sweep_forever" in name for name in background())

    await turns()
    assert [] == [name for name in background() if "sweep" in name]


async def test_shutdown_waits_for_refreshes() -> None:
    """One under way may end; one that does not is cancelled at RESYNC_SHUTDOWN_TIMEOUT."""
    clock, gate = ManualClock(), asyncio.Event()
    app = ScriptedApp(
        Reply(headers=WINDOW), Reply(headers=WINDOW, hold=gate), Reply(headers=WINDOW, hold=asyncio.Event())
    )
    wrapped = Resync(Settings(shutdown_timeout=0.01), clock=clock)(app)

    async with alive(wrapped):
        await request(wrapped)
        clock.advance(2)
        await request(wrapped)
        await turns()
        gate.set()
    assert (2, 0) == (app.finished, app.cancelled)

    async with alive(wrapped):
        clock.advance(2)
        await request(wrapped)
        await turns()
    assert 1 == app.cancelled


async def test_starts_are_counted() -> None:
    """Two lifespans around one app, in the framework and in the wrapper, make one sweep, stopped with the last."""
    resync = Resync()

    await resync.start()
    async with resync.lifespan():
        assert 1 == sum("sweep_forever" in name for name in background())
    assert 1 == sum("sweep_forever" in name for name in background())
    await resync.stop()
    assert 0 == sum("sweep_forever" in name for name in background())

    await resync.stop()
    await resync.start()
    assert 1 == sum("sweep_forever" in name for name in background())
    await resync.stop()


def test_it_lives_on_one_loop_after_another() -> None:
    """Two servers in turn, each with a loop of its own; what was stored stays."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"x"))
    wrapped = Resync(clock=ManualClock())(app)

    async def life() -> Response:
        async with alive(wrapped):
            return await request(wrapped)

    assert [b"x", b"x"] == [asyncio.run(life()).body, asyncio.run(life()).body]
    assert 1 == app.calls


def test_a_life_that_ended_without_a_stop_does_not_prevent_the_next() -> None:
    """A loop that was closed in mid-life takes its sweep with it; the next start begins another."""
    resync = Resync()
    asyncio.run(resync.start())

    async def life() -> int:
        await resync.start()
        running = sum("sweep_forever" in name for name in background())
        await resync.stop()
        return running

    assert 1 == asyncio.run(life())


def test_two_lives_at_once_on_two_loops_end_both() -> None:
    """The last to stop ends the sweep wherever it runs, and neither waits for the other for ever."""
    resync = Resync()
    both, first_gone = threading.Barrier(2, timeout=5), threading.Event()
    ended: list[str] = []

    async def first() -> None:
        await resync.start()
        await asyncio.to_thread(both.wait)
        await resync.stop()
        first_gone.set()
        ended.append("first")
        await asyncio.to_thread(both.wait)

    async def second() -> None:
        await resync.start()
        await asyncio.to_thread(both.wait)
        await asyncio.to_thread(first_gone.wait, 5)
        async with asyncio.timeout(5):
            await resync.stop()
        ended.append("second")
        await asyncio.to_thread(both.wait)

    threads = [threading.Thread(target=lambda life=life: asyncio.run(life())) for life in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert ["first", "second"] == ended


def test_wrapping_twice_is_refused() -> None:
    """The same Resync around its own result would cache and start everything twice."""
    resync = Resync()

    with pytest.raises(AlreadyWrapped, match="once"):
        resync(resync(ScriptedApp()))
    with pytest.raises(AlreadyWrapped):
        resync(Resync()(resync(ScriptedApp())))


async def test_another_resync_may_go_around() -> None:
    """Each has its own store, and both say so."""
    app = ScriptedApp(Reply(headers=FRESH))
    inner, outer = Resync(clock=ManualClock()), Resync(clock=ManualClock())
    wrapped = outer(inner(app))

    await request(wrapped)
    await outer.purge(everything=True)
    answer = await request(wrapped)

    assert 1 == app.calls
    assert ["resync; hit; ttl=60; detail=l1", "resync; fwd=uri-miss; stored"] == answer.values("cache-status")


async def test_two_resyncs_do_not_meet() -> None:
    """What one stores, purges or tells is not the other's."""
    app = ScriptedApp(Reply(headers=FRESH | {"cache-tag": "a"}))
    told: list[events.Event] = []
    one, other = Resync(clock=ManualClock(), on_event=told.append)(app), Resync(clock=ManualClock())(app)
    await request(one)
    await request(other)
    assert 2 == app.calls

    await other.resync.purge(tags=["a"])
    await request(one)
    assert 2 == app.calls
    assert ["CacheMiss", "Stored", "CacheHit"] == [type(event).__name__ for event in told]


async def test_purges_go_to_the_cache() -> None:
    """By tag, by upstream, by URL as its rule keys it, and everything."""
    app = ScriptedApp(Reply())
    rule = CacheRule("/", ttl=9, tags=["plan"], upstreams=["tws"], query="sort")
    resync = Resync(rules=[rule], upstreams=[Upstream("tws")], clock=ManualClock())
    wrapped = resync(app)

    purges: list[dict[str, Any]] = [
        {"tags": ["plan"]}, {"upstream": "tws"}, {"urls": ["http://testserver/?b=1&a=2"]}, {"everything": True}
    ]  # fmt: skip
    for calls, purge in enumerate(purges, 1):
        for query in ("?a=2&b=1", "?b=1&a=2"):
            await request(wrapped, "GET", f"/{query}")
        assert calls == app.calls
        await resync.purge(**purge)

    with pytest.raises(RuleError, match="urls"):
        await resync.purge(urls=["http://[::1"])
    with pytest.raises(RuleError, match="list"):
        await resync.purge(urls="http://testserver/")


@pytest.mark.parametrize("tag", ["", "\ud800", "\0all", "two\nlines", None, ("plan",), 7])
@pytest.mark.parametrize("argument", ["tags", "upstreams"])
async def test_what_nothing_can_carry_is_not_purged(argument: str, tag: object) -> None:
    """Redis could not be told of it, and what it was told of before and after with it."""
    resync = Resync()
    purge: dict[str, Any] = {argument: ["plan", tag]}
    with pytest.raises(RuleError, match=argument):
        await resync.cache.purge(**purge)
    assert 0 == resync.cache.ledger.version


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Resync({"cache": 1}), "Settings"),  # type: ignore[arg-type] # the mistake
        (lambda: Resync(rules=["/plan"]), "CacheRule"),  # type: ignore[list-item] # the mistake
        (lambda: Resync(upstreams=["tws"]), "Upstream"),  # type: ignore[list-item] # the mistake
        (lambda: Resync(upstreams=[Upstream("a"), Upstream("a")]), "twice"),
        (lambda: Resync(rules=[CacheRule("/", ttl=1, upstreams=["twz"])], upstreams=[Upstream("tws")]), "did you mean"),
        (lambda: Resync(rules=[CacheRule("/", ttl=1, upstreams=["nowhere"])]), "nowhere"),
    ],
)
def test_arguments_that_cannot_work_are_refused(make: Callable[[], Resync], match: str) -> None:
    """At construction, by name, with what to write instead."""
    with pytest.raises(RuleError, match=match):
        make()


def test_from_env_reads_the_mapping_it_is_given() -> None:
    """And nothing else; every problem comes in one error."""
    resync = Resync.from_env({"RESYNC_CACHE_NAME": "edge", "RESYNC_CACHE_MAX_BODY": "1KiB"})
    assert ("edge", 1024) == (resync.cache.options.name, resync.cache.options.max_body)

    with pytest.raises(SettingsError) as caught:
        Resync.from_env({"RESYNC_CACHE_MAX_BODY": "much", "RESYNC_CACHE_NUM_SHARDS": "0"})
    assert 2 == len(caught.value.problems)


async def test_settings_reach_the_cache() -> None:
    """The options of the middleware are the operator's."""
    settings = Settings.from_env(
        {
            "RESYNC_CACHE_NAME": "edge",
            "RESYNC_CACHE_ETAG": "false",
            "RESYNC_CACHE_CLIENT_DIRECTIVES": "honour",
            "RESYNC_CACHE_TARGETED": "CDN-Cache-Control",
            "RESYNC_CACHE_SET_COOKIE": "strip",
        }
    )
    app = ScriptedApp(Reply(headers={"cdn-cache-control": "max-age=60", "set-cookie": "a=1"}))
    wrapped = Resync(settings, clock=ManualClock())(app)

    await request(wrapped)
    hit = await request(wrapped)
    assert "edge; hit; ttl=60; detail=l1" == hit.header("cache-status")
    assert (None, None) == (hit.header("etag"), hit.header("set-cookie"))

    await request(wrapped, headers={"cache-control": "no-cache"})
    assert 2 == app.calls


def test_attributes_of_the_app_are_reached_through_the_wrapper() -> None:
    """Routes can be added after wrapping; what the app lacks, the wrapper lacks, and it can be copied."""
    app = ScriptedApp()
    app.colour = "green"  # type: ignore[attr-defined] # as frameworks allow
    wrapped = Resync()(app)

    assert "green" == wrapped.colour
    assert app is wrapped.app
    assert app is copy.copy(wrapped).app
    with pytest.raises(AttributeError):
        _ = wrapped.missing


async def test_the_middleware_alone_serves_without_a_start() -> None:
    """For frameworks' own lists of middleware."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"x"))
    resync = Resync(clock=ManualClock())
    middleware = resync.middleware(app)

    await request(middleware)
    await request(middleware)

    assert 1 == app.calls


async def test_an_app_of_asgi_2_is_wrapped_too() -> None:
    """Called with the scope, and what that returns with the rest: as a function, and as a class."""
    calls: list[str] = []

    def function(scope: Scope) -> object:
        async def instance(receive: Receive, send: Send) -> None:
            calls.append(scope["path"])
            await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=9")]})
            await send({"type": "http.response.body", "body": b"old"})

        return instance

    class Class:
        def __init__(self, scope: Scope) -> None:
            self.instance: Any = function(scope)

        async def __call__(self, receive: Receive, send: Send) -> None:
            await self.instance(receive, send)

    for app in (function, Class):
        resync = Resync(clock=ManualClock())
        for wrapped in (resync(cast(Any, app)), resync.middleware(cast(Any, app))):
            assert b"old" == (await request(wrapped, "GET", f"/{app.__name__}")).body

    assert ["/function", "/Class"] == calls

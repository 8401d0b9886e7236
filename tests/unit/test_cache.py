"""Purges by tag, URL and upstream, hard and soft; and what the cache owes to the tasks it owns."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.unit.caching import FRESH, Cached, cached, turns

from asgi_resync import Cache, CacheMiddleware, CacheOptions, CacheRule, MemoryStore, RuleError, cache_for, events
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.cache.cache import MAX_DROPS
from asgi_resync.testing import ManualClock, Reply, ScriptedApp, request


async def is_stored(site: Cached, path: str = "/") -> bool:
    """Whether a GET is answered without the app."""
    return (await site.get(path, headers={"cache-control": "only-if-cached"})).status != 504


async def test_a_tag_purges_what_carries_it_and_no_more() -> None:
    """Tags come from the rule, the marker and the fields of the response."""

    @cache_for(9, tags=["marked"])
    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        await Reply()(scope, receive, send)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/marked":
            await marked(scope, receive, send)
        else:
            fields = {"surrogate-key": "a b", "cache-tag": "c, d"} if scope["path"] == "/fields" else {}
            await Reply(headers=FRESH | fields)(scope, receive, send)

    site = cached(app, CacheRule("/ruled", ttl=9, tags=["ruled"]))
    paths = {"/ruled": "ruled", "/marked": "marked", "/fields": "d", "/none": None}
    for path, tag in paths.items():
        for every in paths:
            await site.get(every)
        if tag is not None:
            await site.cache.purge(tags=[tag])
        assert {every: every != path or tag is None for every in paths} == {
            every: await is_stored(site, every) for every in paths
        }


async def test_an_upstream_is_no_tag_and_a_tag_no_upstream() -> None:
    """The two namespaces do not meet, whatever the names."""
    site = cached(ScriptedApp(Reply()), CacheRule("/", ttl=9, upstreams=["tws"]), CacheRule("/t", ttl=9, tags=["tws"]))
    await site.get("/")
    await site.get("/t")

    await site.cache.purge(tags=["tws"])
    assert (True, False) == (await is_stored(site, "/"), await is_stored(site, "/t"))

    await site.cache.purge(upstreams=["tws"])
    assert not await is_stored(site, "/")


async def test_a_url_is_purged_with_all_its_variants_and_alone() -> None:
    """As it was sent, with its query; other queries, hosts and schemes stay."""
    site = cached(ScriptedApp(Reply(headers=FRESH | {"vary": "accept"})))
    for more in ({"headers": {"accept": "a"}}, {"headers": {"accept": "b"}}, {"scheme": "https"}):
        await site.get("/x?q=1", **more)
    await site.get("/x")
    assert await is_stored(site, "/x")

    await site.cache.purge(urls=["http://testserver/x?q=1"])

    for accept in ("a", "b"):
        probe = {"accept": accept, "cache-control": "only-if-cached"}
        assert 504 == (await site.get("/x?q=1", headers=probe)).status
    assert await is_stored(site, "/x")


@pytest.mark.parametrize("path", ["/a%20b", "/ä".encode().decode("latin-1"), "/a;b=c", "/%2F", "/a%3Fb"])
async def test_a_url_is_purged_however_it_is_spelt(path: str) -> None:
    """What a client sends and what the operator writes make one key."""
    site = cached(ScriptedApp(Reply(headers=FRESH)))
    sent = "".join(c if c.isascii() else "".join(f"%{byte:02X}" for byte in c.encode("latin-1")) for c in path)
    await site.get(sent)
    assert await is_stored(site, sent)

    await site.cache.purge(urls=[f"http://TestServer{sent}"])

    assert not await is_stored(site, sent)


async def test_everything_is_purged() -> None:
    """Nothing that was stored is served any more, and what comes after is."""
    site = cached(ScriptedApp(Reply(headers=FRESH)))
    await site.get("/a")
    await site.get("/b")

    await site.cache.purge(everything=True)

    assert (False, False) == (await is_stored(site, "/a"), await is_stored(site, "/b"))
    await site.get("/a")
    assert await is_stored(site, "/a")


async def test_soft_makes_stale_and_is_asked_for_again() -> None:
    """Without a window the app is asked at once, with the stored validator."""
    tagged = FRESH | {"cache-tag": "plan", "etag": '"a"'}
    app = ScriptedApp(Reply(headers=tagged, body=b"x"), Reply(status=304, headers=tagged))
    site = cached(app)
    await site.get()

    await site.cache.purge(tags=["plan"], soft=True)
    answer = await site.get()

    assert (b"x", '"a"') == (answer.body, app.requests[1].header("if-none-match"))
    await site.get()
    assert 2 == app.calls


async def test_soft_of_everything_marks_all_stale() -> None:
    """It keeps the entries for revalidation."""
    app = ScriptedApp(Reply(headers=FRESH | {"etag": '"a"'}))
    site = cached(app)
    await site.get()

    await site.cache.purge(everything=True, soft=True)
    await site.get()

    assert '"a"' == app.requests[1].header("if-none-match")


async def test_purges_are_told() -> None:
    """One event per name, with what kind of name it is."""
    site = cached(ScriptedApp())

    await site.cache.purge(tags=["a"], urls=["http://testserver/"], upstreams=["b"], soft=True)
    await site.cache.purge(everything=True)

    assert [("tag", "a", True), ("upstream", "b", True), ("url", "http://testserver/", False), ("all", "", False)] == [
        (event.scope, event.name, event.soft) for event in site.events if isinstance(event, events.Purged)
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"tags": "plan"},
        {"urls": "http://testserver/"},
        {"upstreams": "tws"},
        {"urls": ["/plan"]},
        {"urls": ["http://[::1"]},
    ],
)
async def test_purges_that_cannot_work_are_refused(arguments: dict[str, list[str]]) -> None:
    """RuleError names the argument and says what to write instead; nothing was purged then."""
    site = cached(ScriptedApp(Reply(headers=FRESH)))
    await site.get()

    with pytest.raises(RuleError):
        await site.cache.purge(**arguments)  # type: ignore[arg-type] # some are mistakes

    assert await is_stored(site)


async def test_a_flood_of_drops_forgets_none_of_them() -> None:
    """The memory of drops is bounded, and errs on the side of not keeping an answer that began before them."""
    gate = asyncio.Event()
    public = {"cache-control": "public, max-age=60"}
    app = ScriptedApp(Reply(headers=public, body=b"old", hold=gate), Reply(headers=public, body=b"new"))
    site = cached(app)
    task = asyncio.create_task(site.get(headers={"authorization": "Bearer a"}))
    await app.until_called()

    await site.cache.purge(urls=["http://testserver/", *(f"http://testserver/{n}" for n in range(MAX_DROPS + 1))])
    gate.set()
    await task

    assert b"new" == (await site.get()).body


async def test_purges_while_another_thread_begins_flights_do_not_fail() -> None:
    """What the board of flights holds may change under a purge."""
    site = cached(ScriptedApp(Reply(headers=FRESH)))
    failures: list[BaseException] = []
    loop = asyncio.get_running_loop()

    def begin() -> None:
        try:
            for number in range(20_000):
                key = ((number,), (), ())
                site.cache.flights.end(key, site.cache.flights.begin(key, loop))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=begin)
    thread.start()
    while thread.is_alive():
        site.cache.flights.void(("nothing",))
    thread.join()

    assert [] == failures


async def test_a_remote_store_is_asked_and_its_failures_are_misses() -> None:
    """`get` is awaited only where the store says that it may find more; what it raises is told and harms nobody."""

    class Remote(MemoryStore):
        is_remote = True
        fails = False

        def near(self, key: object) -> None:
            return None

        async def get(self, key: tuple[object, ...]) -> object:  # type: ignore[override] # narrower is enough here
            if self.fails:
                raise OSError("gone")
            return super().near(key)

    app = ScriptedApp(Reply(headers=FRESH, body=b"x"))
    told: list[events.Event] = []
    clock = ManualClock()
    store = Remote(clock=clock)
    middleware = CacheMiddleware(app, cache=Cache(store, clock=clock, on_event=told.append))  # type: ignore[arg-type]

    await request(middleware)
    assert "resync; hit; ttl=60; detail=l2" == (await request(middleware)).header("cache-status")

    store.fails = True
    assert b"x" == (await request(middleware)).body
    assert 2 == app.calls
    assert {"store.get"} == {event.where for event in told if isinstance(event, events.InternalFailure)}


async def test_a_delete_that_fails_is_told() -> None:
    """The purge goes on, and so does the request that invalidated."""

    class Broken(MemoryStore):
        async def delete(self, key: object) -> None:
            raise OSError("gone")

    told: list[events.Event] = []
    cache = Cache(Broken(), on_event=told.append)

    await cache.purge(urls=["http://testserver/"])

    assert ["InternalFailure", "Purged"] == [type(event).__name__ for event in told]


async def test_a_store_that_raises_at_everything_harms_nobody() -> None:
    """Failures inside are events: the app's answers go on, also when the store fails at dropping surplus variants."""

    class Broken(MemoryStore):
        async def delete(self, key: object) -> None:
            raise OSError("delete")

        async def clear(self) -> None:
            raise OSError("clear")

    varied = {"cache-control": "max-age=1", "vary": "accept", "etag": '"a"'}
    app = ScriptedApp(Reply(headers=varied, body=b"x"), Reply(headers=varied, body=b"y"), Reply(status=304))
    told: list[events.Event] = []
    clock = ManualClock()
    cache = Cache(Broken(clock=clock), options=CacheOptions(max_variants=1), clock=clock, on_event=told.append)
    middleware = CacheMiddleware(app, cache=cache)
    await request(middleware, headers={"accept": "a"})

    assert b"y" == (await request(middleware, headers={"accept": "b"})).body
    clock.advance(2)
    assert b"y" == (await request(middleware, headers={"accept": "c"})).body
    await cache.purge(everything=True)
    failures = [event.where for event in told if isinstance(event, events.InternalFailure)]
    assert ["store.delete", "store.delete", "store.clear"] == failures


async def test_closing_waits_for_the_background_and_closes_the_store() -> None:
    """`aclose` is `settle` and then the store's own end."""
    gate = asyncio.Event()
    window = {"cache-control": "max-age=1, stale-while-revalidate=60"}
    app = ScriptedApp(Reply(headers=window), Reply(headers=window, hold=gate))
    site = cached(app)
    await site.get()
    site.clock.advance(2)
    await site.get()

    closing = asyncio.create_task(site.cache.aclose())
    await turns()
    assert not closing.done()

    gate.set()
    await closing
    assert 2 == app.finished
    assert not await is_stored(site)


async def test_settling_with_nothing_under_way_returns_at_once() -> None:
    """There is nothing to wait for."""
    await Cache().settle(0)


def test_tasks_of_another_loop_are_not_waited_for() -> None:
    """They are that loop's: waiting for them here would never end, or fail."""
    window = {"cache-control": "max-age=1, stale-while-revalidate=60"}
    app = ScriptedApp(Reply(headers=window), Reply(headers=window, hold=asyncio.Event()))
    clock = ManualClock()
    cache = Cache(clock=clock)
    middleware = CacheMiddleware(app, cache=cache)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def begin_refresh() -> None:
        await request(middleware)
        clock.advance(2)
        await request(middleware)

    first.run_until_complete(begin_refresh())
    second.run_until_complete(asyncio.wait_for(cache.settle(60), 5))
    first.run_until_complete(cache.settle(0))

    assert 1 == app.cancelled
    first.close()
    second.close()


def test_making_a_cache_needs_no_loop() -> None:
    """No I/O, no task, no loop, so it can stand at module level."""
    assert Cache().store.near(("nothing",)) is None

"""A Resync with Redis: two in one process stand for two processes, since they share nothing but the server."""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import anyio.lowlevel
import pytest
from tests.servers.proxy import Proxy
from tests.servers.server import Server

from asgi_resync import CacheRule, Resync, SettingsError
from asgi_resync.cache.l2.tier import SecondTier
from asgi_resync.events import BackplaneCaughtUp, BackplaneLost, BreakerChanged, Event
from asgi_resync.resync import ResyncApp
from asgi_resync.testing import Reply, Response, ScriptedApp, request

RULES = [CacheRule("/{rest:path}", ttl=60, stale_if_error=600, tags=["plan"], upstreams=["tws"])]


@dataclass(slots=True)
class Node:
    """One process."""

    resync: Resync
    app: ResyncApp
    events: list[Event]

    async def get(self, path: str = "/plan") -> Response:
        """Ask it."""
        return await request(self.app, "GET", path)

    async def until(self, kind: type[Event], times: int = 1) -> None:
        """Wait until that many such events have been told."""
        async with asyncio.timeout(20):
            while sum(isinstance(event, kind) for event in self.events) < times:
                await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def nodes(app: ScriptedApp, url: str, count: int = 2, **environ: str) -> AsyncIterator[list[Node]]:
    """Run *count* processes around *app*."""
    found = []
    environ = {"RESYNC_REDIS_TIMEOUT": "5s", **environ}
    for _ in range(count):
        events: list[Event] = []
        resync = Resync.from_env({"RESYNC_REDIS_URL": url, **environ}, rules=RULES, on_event=events.append)
        found.append(Node(resync, resync(app), events))
    for node in found:
        await node.resync.start()
        await node.until(BackplaneCaughtUp)
    try:
        yield found
    finally:
        for node in found:
            await node.resync.stop()


async def test_what_one_stored_the_other_serves(server: Server) -> None:
    """Also its ETag, its age and its tags."""
    app = ScriptedApp(Reply(body=b"plan"))
    async with nodes(app, server.url) as (one, other):
        first = await one.get()
        await one.resync.cache.store.flush(5)  # type: ignore[attr-defined]  # a TieredStore
        second = await other.get()

    assert 1 == app.calls
    assert (first.body, first.header("etag")) == (second.body, second.header("etag"))
    assert "hit" in (second.header("cache-status") or "")
    assert "detail=l2" in (second.header("cache-status") or "")


async def test_a_crowd_at_both_is_one_call(server: Server) -> None:
    """100 requests to each of two processes on a cold URL call the app once."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(body=b"plan", hold=gate))
    async with nodes(app, server.url) as found:
        tasks = [asyncio.create_task(node.get()) for node in found for _ in range(100)]
        await app.until_called()
        lease = await _until_awaited(server)
        gate.set()
        answers = await asyncio.gather(*tasks)

    assert lease.startswith(b"resync:l:")
    assert 1 == app.calls
    assert [b"plan"] * 200 == [answer.body for answer in answers]


@pytest.mark.parametrize(
    "purge",
    [
        {"tags": ["plan"]},
        {"upstream": "tws"},
        {"urls": ["http://testserver/plan"]},
        {"everything": True},
    ],
    ids=["tag", "upstream", "url", "everything"],
)
async def test_a_purge_is_obeyed_everywhere(server: Server, purge: dict[str, object]) -> None:
    """When it is delivered no process serves what it was about, from whichever tier."""
    app = ScriptedApp(Reply(body=b"old"), Reply(body=b"new"))
    async with nodes(app, server.url) as (one, other):
        host = (await _host_of(one, app)).encode()
        await one.resync.cache.store.flush(5)  # type: ignore[attr-defined]  # a TieredStore
        assert b"old" == (await other.get()).body
        if "urls" in purge:
            purge = {"urls": [f"http://{host.decode()}/plan"]}

        delivery = await one.resync.purge(**purge)  # type: ignore[arg-type]  # keywords of purge

        assert ("delivered", 1) == (delivery.state, delivery.confirmed)
        assert b"new" == (await other.get()).body
        assert b"new" == (await one.get()).body


async def test_a_soft_purge_leaves_what_may_stand_in_for_an_error(server: Server) -> None:
    """Everywhere, from the moment of the purge on."""
    app = ScriptedApp(Reply(body=b"old"), Reply(status=503))
    async with nodes(app, server.url) as (one, other):
        await one.get()
        await one.resync.cache.store.flush(5)  # type: ignore[attr-defined]  # a TieredStore
        delivery = await one.resync.purge(tags=["plan"], soft=True)
        answer = await other.get()

    assert "delivered" == delivery.state
    assert (200, b"old") == (answer.status, answer.body)
    assert 2 == app.calls


async def test_an_unsafe_request_is_heard_of_everywhere(server: Server) -> None:
    """RFC 9111 §4.4 holds for the cache, which is one."""
    app = ScriptedApp(Reply(body=b"old"), Reply(status=204), Reply(body=b"new"))
    async with nodes(app, server.url) as (one, other):
        await one.get()
        await one.resync.cache.store.flush(5)  # type: ignore[attr-defined]  # a TieredStore
        assert b"old" == (await other.get()).body
        await request(one.app, "PUT", "/plan")
        async with asyncio.timeout(10):
            while (await other.get()).body != b"new":
                await anyio.lowlevel.checkpoint()

        assert b"new" == (await one.get()).body


async def test_a_purge_without_redis_is_delivered_when_it_is_back(own_server: Server) -> None:
    """It holds at once where it was made, and everywhere once Redis is there."""
    app = ScriptedApp(Reply(body=b"old"), Reply(body=b"new"))
    async with nodes(app, own_server.url, RESYNC_REDIS_TIMEOUT="50ms") as (one, other):
        await one.get()
        await one.resync.cache.store.flush(5)  # type: ignore[attr-defined]  # a TieredStore
        await other.get()
        own_server.kill()
        await one.until(BackplaneLost)
        await other.until(BackplaneLost)
        delivery = await one.resync.purge(tags=["plan"])

        assert "queued" == delivery.state
        assert b"new" == (await one.get()).body
        own_server.start()
        await one.until(BackplaneCaughtUp, 2)
        await other.until(BackplaneCaughtUp, 2)
        async with asyncio.timeout(10):
            while (await other.get()).body != b"new":
                await anyio.lowlevel.checkpoint()


async def test_a_redis_that_is_not_there_from_the_start_is_told_once(own_server: Server) -> None:
    """However often it is tried; and when it comes, its breaker closes for that, and not by an operator's word."""
    own_server.kill()
    events: list[Event] = []
    resync = Resync.from_env({"RESYNC_REDIS_URL": own_server.url}, on_event=events.append)
    node = Node(resync, resync(ScriptedApp()), events)
    await resync.start()
    try:
        await node.until(BackplaneLost)
        while (permit := resync.upstreams["redis"].breaker.ask()) is not None:
            permit.failed(OSError())
        own_server.start()
        await node.until(BackplaneCaughtUp)
    finally:
        await resync.stop()

    assert ["ConnectionError", "stopped"] == [event.cause for event in events if isinstance(event, BackplaneLost)]
    closed = [event.cause for event in events if isinstance(event, BreakerChanged) and event.after == "closed"]
    assert ["connected"] == closed


async def test_a_frozen_redis_costs_a_request_one_deadline(server: Server, proxy: Proxy) -> None:
    """The look into Redis is waited for once; the lease is not asked for, and what is stored is written behind."""
    app = ScriptedApp(Reply(body=b"plan"))
    async with nodes(app, proxy.url, 1, RESYNC_REDIS_TIMEOUT="1s") as (node,):
        proxy.blackhole()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = await node.get()
        took = loop.time() - begun
        proxy.heal()

    assert b"plan" == answer.body
    assert took < 1.8


async def test_without_a_start_the_first_look_connects(server: Server) -> None:
    """A server that runs no lifespan has an L2 all the same."""
    app = ScriptedApp(Reply(body=b"plan"))
    events: list[Event] = []
    environ = {"RESYNC_REDIS_URL": server.url, "RESYNC_REDIS_TIMEOUT": "5s"}
    resync = Resync.from_env(environ, rules=RULES, on_event=events.append)
    node = Node(resync, resync(app), events)
    try:
        await node.get()
        await node.until(BackplaneCaughtUp)
    finally:
        await resync.start()
        await resync.stop()

    assert [] != server.execute("KEYS", "resync:*")


async def test_a_forked_process_has_a_name_of_its_own(server: Server) -> None:
    """Processes forked from one that had made its Resync must not end each other's leases."""
    resync = Resync.from_env({"RESYNC_REDIS_URL": server.url})
    tier = resync._tier
    assert isinstance(tier, SecondTier)
    before = tier.plane.node

    tier.rename()

    assert before != tier.plane.node
    assert tier.plane.node == tier._leases._origin == tier._far._origin


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
async def test_a_process_forked_while_connected_vouches_for_nothing_until_it_has_connected(server: Server) -> None:
    """It hears of no purge over what its parent has open, and starts as if it had just begun."""
    events: list[Event] = []
    resync = Resync.from_env({"RESYNC_REDIS_URL": server.url}, on_event=events.append)
    tier = resync._tier
    assert tier is not None
    await resync.start()
    try:
        await _until(lambda: tier.plane.is_live)
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            # This process has threads; the child does nothing that could wait for one.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.write(writer, bytes([tier.plane.is_live, tier._task is not None]))
            os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        os.close(writer)
        told = os.read(reader, 2)
        os.close(reader)
    finally:
        await resync.stop()

    assert bytes([False, False]) == told


async def test_a_purge_from_another_loop_is_delivered(server: Server) -> None:
    """Also while the loop that is connected has purges of its own under way."""
    resync, other = (Resync.from_env({"RESYNC_REDIS_URL": server.url}) for _ in range(2))
    for one in (resync, other):
        await one.start()
    try:
        planes = [one._tier.plane for one in (resync, other) if one._tier is not None]
        await _until(lambda: [True, True] == [plane.is_live for plane in planes])

        def from_a_thread() -> list[str]:
            async def purge() -> list[str]:
                deliveries = await asyncio.gather(*(resync.purge(tags=[f"there{n}"]) for n in range(20)))
                return [delivery.state for delivery in deliveries]

            return asyncio.run(purge())

        there = asyncio.create_task(asyncio.to_thread(from_a_thread))
        here = [(await resync.purge(tags=[f"here{n}"])).state for n in range(20)]

        assert {"delivered"} == {*here, *await there}
    finally:
        for one in (resync, other):
            await one.stop()


async def test_a_second_loop_takes_over_where_the_first_is_stopped(server: Server) -> None:
    """And stopping on the second leaves the first connected."""
    resync = Resync.from_env({"RESYNC_REDIS_URL": server.url})
    tier = resync._tier
    assert tier is not None
    with _loop_in_a_thread() as elsewhere:
        await resync.start()
        await _until(lambda: tier.plane.is_live)
        await asyncio.to_thread(elsewhere, resync.start)
        await asyncio.to_thread(elsewhere, resync.stop)
        still = tier.plane.is_live
        await asyncio.to_thread(elsewhere, resync.start)
        await resync.stop()
        await _until(lambda: tier.plane.is_live)
        loop = tier._task.get_loop() if tier._task is not None else None
        await asyncio.to_thread(elsewhere, resync.stop)

    assert still
    assert loop not in (None, asyncio.get_running_loop())
    assert not tier.plane.is_live


def test_without_a_lifespan_each_loop_has_its_backplane(server: Server) -> None:
    """One after the other: the first request of each that looks into Redis starts it."""
    resync = Resync.from_env({"RESYNC_REDIS_URL": server.url})
    tier, app = resync._tier, resync(ScriptedApp(Reply(headers={"cache-control": "max-age=60"})))
    assert tier is not None

    async def serve() -> None:
        assert 200 == (await request(app, "GET", "/plan")).status
        await _until(lambda: tier.plane.is_live)
        await resync.cache.purge(everything=True)
        await tier.stop(5)

    for _ in range(2):
        asyncio.run(serve())


async def test_a_stop_that_is_cut_short_leaves_nothing_open(server: Server) -> None:
    """Whenever it is cancelled: no connection, and no task."""
    resync = Resync.from_env({"RESYNC_REDIS_URL": server.url})
    tier = resync._tier
    assert tier is not None
    before, tasks = server.info("clients")["connected_clients"], asyncio.all_tasks()
    for turns in range(4):
        tier.start()
        await _until(lambda: tier.plane.is_live)
        stopping = asyncio.create_task(tier.stop(5))
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait({stopping})
        if turns == 0:
            # It had not begun.
            await tier.stop(5)
        await _until(lambda: server.info("clients")["connected_clients"] == before)
        assert tasks == asyncio.all_tasks()


async def test_values_of_functions_are_shared_too(server: Server) -> None:
    """One call in all processes, found by the other, and purged everywhere."""
    calls = 0
    gate = asyncio.Event()

    async def jobs() -> list[str]:
        nonlocal calls
        calls += 1
        await gate.wait()
        return [f"JOB{calls}"]

    async with nodes(ScriptedApp(), server.url) as found:
        caches = [node.resync.cache for node in found]
        asking = [
            asyncio.create_task(cache.get_or_set("jobs", jobs, ttl=60, type=list[str], tags=["plan"]))
            for cache in caches
            for _ in range(20)
        ]
        await _until_awaited(server)
        gate.set()
        assert [["JOB1"]] * 40 == await asyncio.gather(*asking)
        delivery = await found[0].resync.purge(tags=["plan"])

        assert "delivered" == delivery.state
        assert ["JOB2"] == await caches[1].get_or_set("jobs", jobs, ttl=60, type=list[str], tags=["plan"])


def test_a_url_that_cannot_be_used_is_refused_by_name() -> None:
    """When the Resync is made, and not when the first request comes."""
    with pytest.raises(SettingsError, match="RESYNC_REDIS_URL"):
        Resync.from_env({"RESYNC_REDIS_URL": "redis://localhost:notaport/0"})


async def _host_of(node: Node, app: ScriptedApp) -> str:
    await node.get()
    return app.requests[0].header("host") or ""


async def _until_awaited(server: Server) -> bytes:
    async with asyncio.timeout(10):
        while True:
            for name in server.execute("KEYS", "resync:l:*"):
                if (server.execute("GET", name) or b"").endswith(b"!"):
                    return bytes(name)
            await anyio.lowlevel.checkpoint()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await anyio.lowlevel.checkpoint()


@contextmanager
def _loop_in_a_thread() -> Iterator[Callable[[Callable[[], Coroutine[object, object, None]]], None]]:
    """Run an event loop in a thread; what this yields runs a coroutine function there, to its end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda function: asyncio.run_coroutine_threadsafe(function(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()

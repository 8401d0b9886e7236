"""Leases in a real Redis: who gets one, who waits how long, and what happens to those of the dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio.lowlevel
import pytest
from redis.exceptions import ResponseError
from tests.servers.cluster import Cluster
from tests.servers.proxy import Proxy
from tests.servers.server import Server

from asgi_resync.cache.l2.lease import Leases
from asgi_resync.cache.l2.link import RedisLink
from asgi_resync.cache.l2.messages import LeaseEnded, decode_message, encode_message
from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.cache.l2.ports import Unreachable
from asgi_resync.events import CacheKey

KEY: CacheKey = ("http", b"example.com", b"/plan", "/plan", b"")
NAMES = Names("resync:")


@dataclass(frozen=True, slots=True)
class Process:
    """What one process has for leases."""

    leases: Leases
    link: RedisLink


@asynccontextmanager
async def processes(url: str, count: int = 2, seconds: float = 30.0) -> AsyncIterator[list[Process]]:
    """Run *count* of them, each of which hears when a lease has ended."""
    found: list[Process] = []
    for number in range(count):
        link = RedisLink(url, deadline=5.0)
        found.append(
            Process(
                Leases(link, NAMES, origin=f"p{number}", seconds=seconds, encode=encode_message, written=_written),
                link,
            )
        )

    async def hear(process: Process, heard: asyncio.Event) -> None:
        async with process.link.listen(NAMES.channel) as frames:
            heard.set()
            async for frame in frames:
                if isinstance(decode_message(frame), LeaseEnded):
                    process.leases.woken(KEY)

    heard = [asyncio.Event() for _ in found]
    tasks = [asyncio.create_task(hear(process, event)) for process, event in zip(found, heard, strict=True)]
    for event in heard:
        await event.wait()
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for process in found:
            await process.leases.aclose()
            await process.link.aclose()


async def _written(key: CacheKey) -> None:
    """All is written at once."""


async def test_one_gets_it_and_the_other_is_woken_at_its_end(server: Server) -> None:
    """Who comes second waits, is told when the first is done, and then looks into the store."""
    async with processes(server.url) as (first, second):
        held = await first.leases.claim(KEY, None, is_absent=True)
        waiting = asyncio.create_task(second.leases.claim(KEY, None, is_absent=True))
        await _until_awaited(server)
        assert not waiting.done()
        assert held is not None
        held.end(is_stored=True)

        assert await asyncio.wait_for(waiting, 10) is None
        again = await second.leases.claim(KEY, None, is_absent=True)
        assert again is not None
        assert b"p1:" in server.execute("GET", _lease(server))


async def test_an_end_whose_word_is_under_way_is_no_leave_to_call(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks just then is granted the lease, and hears afterwards that what it waited for can be found."""
    monkeypatch.setattr("asgi_resync.cache.l2.lease.NEWS", 10.0)
    async with processes(server.url, 1) as (first,):
        link = RedisLink(server.url, deadline=5.0)
        second = Leases(link, NAMES, origin="late", seconds=30.0, encode=encode_message, written=_written)
        held = await first.leases.claim(KEY, None, is_absent=False)
        waiting = asyncio.create_task(second.claim(KEY, None, is_absent=False))
        await _until_awaited(server)
        assert held is not None
        held.end(is_stored=True)
        async with asyncio.timeout(10):
            while b"late:" not in (server.execute("GET", _lease(server, claimed=False)) or b""):
                await anyio.lowlevel.checkpoint()
        second.woken(KEY)

        assert await asyncio.wait_for(waiting, 10) is None
        await second.aclose()
        assert [] == server.execute("KEYS", "resync:l:*")
        await link.aclose()


async def test_a_lease_nobody_waits_for_ends_without_a_word(server: Server) -> None:
    """A call that no other process was interested in costs no message."""
    async with processes(server.url, 1) as (process,):
        before = server.info("stats")["total_net_output_bytes"]
        held = await process.leases.claim(KEY, None, is_absent=True)
        assert held is not None
        held.end(is_stored=True)
        await process.leases.aclose()

        assert [] == server.execute("KEYS", "resync:l:*")
        assert int(server.info("stats")["total_net_output_bytes"]) - int(before) < 10_000


async def test_a_patience_of_zero_does_not_wait(server: Server) -> None:
    """Whoever only wants to know whether another is at it learns so at once."""
    async with processes(server.url) as (first, second):
        assert await first.leases.claim(KEY, None, is_absent=False) is not None

        assert await second.leases.claim(KEY, 0, is_absent=False) is None


async def test_patience_ends_in_a_call_without_a_lease(server: Server) -> None:
    """Who has waited long enough goes, and does not give back what it never had."""
    async with processes(server.url) as (first, second):
        assert await first.leases.claim(KEY, None, is_absent=True) is not None
        alone = await second.leases.claim(KEY, 0.05, is_absent=True)
        assert alone is not None
        alone.end(is_stored=True)
        await second.leases.aclose()

        assert server.execute("GET", _lease(server)).startswith(b"p0:")


async def test_the_lease_of_the_dead_expires(server: Server) -> None:
    """A process that was killed holds others up for as long as its lease lasts, and no longer."""
    async with processes(server.url, seconds=0.2) as (first, second):
        assert await first.leases.claim(KEY, None, is_absent=True) is not None

        async with asyncio.timeout(10):
            assert await second.leases.claim(KEY, None, is_absent=True) is not None


async def test_who_outlives_its_lease_does_not_end_that_of_another(server: Server) -> None:
    """A lease is given back by its own token only."""
    async with processes(server.url) as (first, second):
        late = await first.leases.claim(KEY, None, is_absent=True)
        server.execute("DEL", _lease(server))
        assert await second.leases.claim(KEY, None, is_absent=True) is not None
        assert late is not None
        late.end(is_stored=True)
        await first.leases.aclose()

        assert server.execute("GET", _lease(server)).startswith(b"p1:")


async def test_what_was_stored_since_the_look_is_noticed(server: Server) -> None:
    """Between a look that finds nothing and the claim another may have stored it and ended its own."""
    async with processes(server.url, 1) as (process,):
        server.execute("SET", _lease(server, claimed=False).replace(b"l:", b"r:"), b"record")

        assert await process.leases.claim(KEY, None, is_absent=True) is None
        assert await process.leases.claim(KEY, None, is_absent=False) is not None


async def test_a_claim_that_is_cancelled_leaves_nothing(server: Server) -> None:
    """Neither a lease that Redis granted nobody any more, nor somebody who waits."""
    async with processes(server.url) as (first, second):
        held = await first.leases.claim(KEY, None, is_absent=True)
        waiting = asyncio.create_task(second.leases.claim(KEY, None, is_absent=True))
        await _until_awaited(server)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert held is not None
        held.end(is_stored=False)
        await first.leases.aclose()
        for moment in range(20):
            task = asyncio.create_task(second.leases.claim(KEY, None, is_absent=True))
            for _ in range(moment):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled() and (claim := task.result()) is not None:
                claim.end(is_stored=False)
            await second.leases.aclose()

        assert [] == server.execute("KEYS", "resync:l:*")
        assert {} == second.leases._waiting


async def test_without_redis_everybody_calls(own_server: Server) -> None:
    """A Redis that is gone makes no one wait."""
    link = RedisLink(own_server.url, deadline=0.5)
    leases = Leases(link, NAMES, origin="p", seconds=30, encode=encode_message, written=_written)
    own_server.kill()

    assert await leases.claim(KEY, None, is_absent=True) is not None
    await link.aclose()


async def test_a_lease_is_given_back_though_redis_was_away_for_a_moment(server: Server, proxy: Proxy) -> None:
    """Those who wait do not wait for it to expire because its end fell into an outage."""
    link = RedisLink(proxy.url, deadline=0.2)
    leases = Leases(link, NAMES, origin="p", seconds=30, encode=encode_message, written=_written, rng=lambda: 0.0)
    held = await leases.claim(KEY, None, is_absent=True)
    assert held is not None
    proxy.drop()
    proxy.faults.is_refusing = True
    held.end(is_stored=True)
    with pytest.raises(Unreachable):
        await link.get("any")
    assert server.execute("GET", _lease(server)).startswith(b"p:")
    proxy.heal()
    await _until(lambda: server.execute("KEYS", "resync:l:*") == [])

    await leases.aclose()
    await link.aclose()


async def test_a_lease_that_is_granted_late_keeps_nobody_waiting(server: Server, proxy: Proxy) -> None:
    """What was sent to a Redis that froze is carried out when it thaws, for somebody who has gone ahead meanwhile."""
    link = RedisLink(proxy.url, deadline=0.2)
    leases = Leases(link, NAMES, origin="p", seconds=30, encode=encode_message, written=_written, rng=lambda: 0.0)
    await link.get("any")
    proxy.blackhole()
    alone = await leases.claim(KEY, None, is_absent=True)
    assert alone is not None
    proxy.heal()
    await _until(lambda: not leases._ending)

    assert [] == server.execute("KEYS", "resync:l:*")
    await leases.aclose()
    await link.aclose()


async def test_a_call_that_goes_on_makes_its_lease_last(server: Server) -> None:
    """At first a lease is short, lest one that nobody knows of be in the way for long."""
    async with processes(server.url, 1) as (process,):
        held = await process.leases.claim(KEY, None, is_absent=True)
        assert held is not None
        before = server.execute("PTTL", _lease(server))
        await _until(lambda: server.execute("PTTL", _lease(server)) > 20_000)
        held.end(is_stored=True)

        assert before <= 400


async def test_leases_work_in_a_cluster(cluster: Cluster) -> None:
    """Lease and record of a key are in one slot, and the message reaches who listens elsewhere."""
    async with processes(cluster.url) as (first, second):
        held = await first.leases.claim(KEY, None, is_absent=True)
        waiting = asyncio.create_task(second.leases.claim(KEY, None, is_absent=True))
        await _until(lambda: any(_is_awaited(node) for node in cluster.nodes))
        assert held is not None
        held.end(is_stored=True)

        assert await asyncio.wait_for(waiting, 10) is None


def _lease(server: Server, *, claimed: bool = True) -> bytes:
    name = NAMES.lease(digest_of(key_bytes(KEY))).encode()
    assert not claimed or server.execute("KEYS", "resync:l:*") == [name]
    return name


def _is_awaited(server: Server) -> bool:
    try:
        return (server.execute("GET", _lease(server, claimed=False)) or b"").endswith(b"!")
    except ResponseError:
        return False  # Another node has it.


async def _until_awaited(server: Server) -> None:
    await _until(lambda: _is_awaited(server))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await anyio.lowlevel.checkpoint()

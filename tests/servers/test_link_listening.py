"""Listening to a channel: what is heard, and how soon silence is told from death."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import anyio
import pytest
from tests.servers.cluster import Cluster
from tests.servers.linking import PATIENT, linked, unreachable
from tests.servers.proxy import Proxy
from tests.servers.server import Server, free_port, until

KEEPALIVE = 0.4


async def heard(messages: AsyncIterator[bytes]) -> bytes:
    """Return the next message."""
    with anyio.fail_after(PATIENT):
        return await anext(messages)


async def test_who_has_entered_hears_everything(server: Server) -> None:
    """The subscription is confirmed by then; messages come in their order, as bytes."""
    async with linked(server.url) as link, link.listen("channel") as messages:
        for number in range(100):
            assert await link.execute("PUBLISH", "channel", b"\xff%d" % number) == 1
        await link.execute("PUBLISH", "another", b"x")
        assert [b"\xff%d" % number for number in range(100)] == [await heard(messages) for _ in range(100)]


async def test_silence_is_not_death(server: Server) -> None:
    """A channel on which nothing is said for many times the bound stays subscribed."""
    async with linked(server.url, keepalive=0.05) as link, link.listen("channel") as messages:
        waiting = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0.3)  # the real time of several keepalives is the point
        await link.execute("PUBLISH", "channel", "x")
        assert await asyncio.wait_for(waiting, PATIENT) == b"x"


async def test_a_connection_that_died_without_a_word_is_noticed(proxy: Proxy) -> None:
    """Within the bound, though nobody closed it."""
    async with linked(proxy.url, keepalive=KEEPALIVE) as link, link.listen("channel") as messages:
        proxy.blackhole()
        before = time.monotonic()
        with unreachable("TimeoutError"):
            await anext(messages)
        assert time.monotonic() - before < KEEPALIVE + 0.5


async def test_a_server_that_dies_is_noticed_at_once(own_server: Server) -> None:
    """And may be listened to again once it is back."""
    async with linked(own_server.url, keepalive=60) as link:
        async with link.listen("channel") as messages:
            own_server.kill()
            with anyio.fail_after(PATIENT), unreachable("ConnectionError"):
                await anext(messages)
        with unreachable("ConnectionError"):
            async with link.listen("channel"):
                pass
        await asyncio.to_thread(own_server.start)
        async with link.listen("channel") as messages:
            await link.execute("PUBLISH", "channel", "x")
            assert await heard(messages) == b"x"


async def test_a_loop_that_was_held_up_keeps_its_subscription(server: Server) -> None:
    """What came meanwhile is read before the connection is given up."""
    async with linked(server.url, keepalive=0.2) as link, link.listen("channel") as messages:
        waiting = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0.11)
        time.sleep(0.5)  # noqa: ASYNC251  # somebody's handler that blocks, just as PING is asked
        await asyncio.sleep(0)
        await link.execute("PUBLISH", "channel", "x")
        assert await asyncio.wait_for(waiting, PATIENT) == b"x"


async def test_nobody_there_is_said_within_the_bound() -> None:
    """Entering raises."""
    async with linked(f"redis://127.0.0.1:{free_port()}") as link:
        with unreachable("ConnectionError"):
            async with link.listen("channel"):
                pass


async def test_who_leaves_closes_the_connection(server: Server, proxy: Proxy) -> None:
    """Also by cancellation, and also while entering."""
    async with linked(proxy.url) as link:
        for steps in range(12):
            task = asyncio.ensure_future(listen_for_ever(link.listen("channel")))
            for _ in range(steps * 3):
                await asyncio.sleep(0)
            await asyncio.sleep(0.002 * steps)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.to_thread(until, lambda: not proxy.open_connections, "all connections are closed")


async def listen_for_ever(listening: object) -> None:
    """Enter, and wait for a message."""
    async with listening as messages:  # type: ignore[attr-defined]
        await anext(messages)


async def test_closing_the_link_ends_who_listens(server: Server) -> None:
    """The iterator raises."""
    async with linked(server.url) as link, link.listen("channel") as messages:
        waiting = asyncio.ensure_future(anext(messages))
        await asyncio.sleep(0)
        await link.aclose()
        with unreachable("ConnectionError"):
            await waiting


async def test_any_node_of_a_cluster_hears_all(cluster: Cluster) -> None:
    """What is published on one is heard on the others."""
    async with linked(cluster.url) as link:
        for node in cluster.nodes:
            async with linked(node.url) as listener, listener.listen("channel") as messages:
                await link.execute("PUBLISH", "channel", "x")
                assert await heard(messages) == b"x"

"""The link to a cluster and to what sentinels watch: by URL alone, through moves and failovers."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from redis.crc import key_slot
from tests.servers.cluster import Cluster, redis_cluster
from tests.servers.guards import Book
from tests.servers.linking import linked, reached, unreachable
from tests.servers.sentinel import Watched
from tests.servers.server import Server, free_port, until

from asgi_resync.cache.l2.link import RedisLink
from asgi_resync.cache.l2.ports import Script, Unreachable

NAMES = [f"name{number}" for number in range(60)]


async def written(link: RedisLink, name: str, value: str) -> None:
    """Write until it is written."""
    with anyio.fail_after(20):
        while True:
            try:
                await link.execute("SET", name, value)
                return
            except Unreachable:
                await anyio.sleep(0.02)


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_a_cluster_is_used_by_the_url_of_one_node(cluster: Cluster, scheme: str) -> None:
    """Each name goes to its node, and gets of one turn travel together to each."""
    guard = Book()
    async with linked(cluster.url.replace("redis", scheme), guard=guard) as link:
        for name in NAMES:
            assert await link.execute("SET", name, name) == b"OK"
        guard.outcomes.clear()
        assert [name.encode() for name in NAMES] == await asyncio.gather(*[link.get(name) for name in NAMES])
        assert ["succeeded"] * 3 == guard.outcomes
        for name in NAMES[:6]:
            found = await link.script(Script("return redis.call('GET', KEYS[1])"), [name], [])
            assert name.encode() == found


async def test_one_dead_seed_does_no_harm(cluster: Cluster) -> None:
    """The next one is asked, and tells where the others are."""
    url = f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{cluster.nodes[1].port}"
    async with linked(url) as link:
        for name in NAMES:
            await written(link, name, name)
        assert [name.encode() for name in NAMES] == await asyncio.gather(*[link.get(name) for name in NAMES])


async def test_names_of_two_slots_in_one_script_are_the_callers_mistake(cluster: Cluster) -> None:
    """It is refused, and the cluster is well."""
    guard = Book()
    async with linked(cluster.url, guard=guard) as link:
        with unreachable("ClusterCrossSlotError"):
            await link.script(Script("return 1"), ["a", "b"], [])
    assert ["succeeded"] == guard.outcomes


async def test_a_slot_that_moves_is_followed(cluster: Cluster) -> None:
    """While it moves by ASK, afterwards by MOVED: no call fails."""
    slot = key_slot(b"moving")
    here = cluster.owner("moving")
    there = next(node for node in cluster.nodes if node is not here)
    ids = {node: node.execute("CLUSTER", "MYID") for node in cluster.nodes}
    async with linked(cluster.url) as link:
        await link.execute("SET", "moving", "x")
        there.execute("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[here])
        here.execute("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[there])
        assert await link.get("moving") == b"x"
        here.execute("MIGRATE", "127.0.0.1", there.port, "moving", 0, 5000)
        found = await asyncio.gather(*[link.get("moving") for _ in range(10)], *[link.get(name) for name in NAMES])
        assert [b"x"] * 10 == found[:10]
        for node in (there, here, *cluster.nodes):
            node.execute("CLUSTER", "SETSLOT", slot, "NODE", ids[there])
        for _ in range(3):
            assert await link.get("moving") == b"x"
        there.execute("DEL", "moving")
        for node in (here, *cluster.nodes):
            node.execute("CLUSTER", "SETSLOT", slot, "NODE", ids[here])
        assert await link.get("moving") is None


async def test_a_replica_takes_over_for_a_dead_master() -> None:
    """Names of the others are served meanwhile, and those of the dead one as soon as the cluster is."""
    with redis_cluster("--cluster-require-full-coverage", "no", replicas=1) as cluster:
        owners = {name: cluster.owner(name).port for name in NAMES}
        async with linked(cluster.url, deadline=0.5) as link:
            for name in NAMES:
                await written(link, name, name)
            dead = cluster.owner(NAMES[0])
            spared = next(name for name in NAMES if owners[name] != dead.port)
            await asyncio.to_thread(dead.kill)
            assert await reached(link, spared) == spared.encode()
            assert NAMES[0].encode() == await reached(link, NAMES[0])
            await written(link, NAMES[0], "new")


async def test_a_new_primary_is_found(watched: Watched) -> None:
    """By the sentinel, once the old one is gone."""
    async with linked(watched.url, deadline=0.5) as link:
        await written(link, "name", "old")
        await asyncio.to_thread(watched.primary.kill)
        await written(link, "name", "new")
        assert await reached(link) == b"new"

    assert watched.replica.execute("GET", "name") == b"new"


async def test_a_primary_that_was_replaced_is_left(watched: Watched) -> None:
    """It says that it is a replica now, or closes the connection; what is written then goes to the new one."""
    async with linked(watched.url, deadline=0.5) as link:
        await written(link, "name", "old")
        await asyncio.to_thread(watched.failover)
        await written(link, "name", "new")

    assert watched.replica.execute("GET", "name") == b"new"


async def test_dead_sentinels_are_passed_over(watched: Watched) -> None:
    """One that answers is enough."""
    url = watched.url.replace("127.0.0.1", f"127.0.0.1:{free_port()},127.0.0.1")
    async with linked(url) as link:
        assert await link.get("name") is None
        async with link.listen("channel"):
            pass


async def test_a_service_that_the_sentinel_does_not_know(watched: Watched) -> None:
    """Nobody is asked."""
    async with linked(watched.url.replace("/resync/", "/other/")) as link:
        with unreachable("MasterNotFoundError"):
            await link.get("name")


async def test_a_server_that_became_a_replica_is_asked_for_anew(own_server: Server, server: Server) -> None:
    """A write is refused; reads go on."""
    guard = Book()
    async with linked(own_server.url, guard=guard) as link:
        await link.execute("SET", "name", "x")
        own_server.execute("REPLICAOF", "127.0.0.1", server.port)
        with unreachable("ReadOnlyError"):
            await link.execute("SET", "name", "y")
        until(lambda: own_server.info("replication")["role"] == "slave", "it is a replica")
        await link.get("name")
        own_server.execute("REPLICAOF", "NO", "ONE")
        assert await link.execute("SET", "name", "y") == b"OK"
    assert ["succeeded"] * 4 == guard.outcomes

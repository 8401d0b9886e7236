"""Two workers under load while what has their keys becomes another server: in a cluster, and as sentinels say."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

import pytest
from tests.chaos.origin import Origin
from tests.chaos.workers import DEADLINE, LONG, endure, workers
from tests.servers.cluster import redis_cluster
from tests.servers.sentinel import redis_sentinel
from tests.servers.server import Server, until

TIMES = 3 if LONG else 1
"""How often masters that die change; each time back again."""
HOW = ["killed", "asked"] if LONG else ["killed"]
"""By a crash, and at an operator's word, which is the milder case."""
RESET = "30s" if LONG else "1s"
"""For how long the breaker of Redis is open."""


def environ(url: str) -> dict[str, str]:
    """Return what the workers are told."""
    names = ("RESYNC_REDIS_URL", "RESYNC_REDIS_TIMEOUT", "RESYNC_UPSTREAM_REDIS_RESET_TIMEOUT")
    return dict(zip(names, (url, DEADLINE, RESET), strict=True))


@pytest.mark.parametrize("how", HOW)
async def test_a_failover_of_the_cluster(tmp_path: Path, how: str) -> None:
    """Masters give way to their replicas, at an operator's word or because they died."""
    with redis_cluster(replicas=1) as cluster:
        masters, replicas = cluster.nodes[:3], cluster.nodes[3:]

        async def harm() -> None:
            for _ in range(TIMES if how == "killed" else 1):
                for master, replica in zip(masters, replicas, strict=True):
                    if how == "killed":
                        master.kill()
                    await asyncio.to_thread(_until_it_leads, replica, is_asked=how == "asked")
                    if how == "killed":
                        await asyncio.to_thread(master.start)
                        # Before that it could not take over again.
                        await asyncio.to_thread(cluster.wait_ok)
                        await asyncio.to_thread(master.wait_until_it_follows)
                        if not LONG:
                            return
                masters[:], replicas[:] = replicas, list(masters)

        with workers(tmp_path, environ(cluster.url)) as found:
            await endure(found, Origin(tmp_path), harm)


@pytest.mark.parametrize("how", HOW)
async def test_a_change_of_the_primary(tmp_path: Path, how: str) -> None:
    """Sentinels make the replica the primary, at an operator's word or because that one died."""
    with redis_sentinel() as watched:

        async def harm() -> None:
            if how == "asked":
                await asyncio.to_thread(watched.failover)
            else:
                watched.primary.kill()
                await asyncio.to_thread(
                    until, lambda: watched.primary_port() == watched.replica.port, "the sentinel names the replica"
                )

        with workers(tmp_path, environ(watched.url)) as found:
            await endure(found, Origin(tmp_path), harm)


def _until_it_leads(node: Server, *, is_asked: bool) -> None:
    """Return once *node* is a master; ask it to be one every second, as others vote only so often, and it gives up."""
    asked_at = -math.inf

    def leads() -> bool:
        nonlocal asked_at
        if node.info("replication")["role"] == "master":
            return True
        if is_asked and time.monotonic() - asked_at > 1:
            asked_at = time.monotonic()
            node.execute("CLUSTER", "FAILOVER")
        return False

    until(leads, "the replica is a master")

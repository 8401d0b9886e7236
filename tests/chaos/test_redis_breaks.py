"""Two workers under load while Redis is maltreated: nobody fails, nobody waits, and nothing purged is served."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import redis
from tests.chaos.origin import Origin
from tests.chaos.workers import CLIENT, DEADLINE, LONG, Load, Worker, endure, workers
from tests.servers.proxy import Proxy, redis_proxy
from tests.servers.server import Server, redis_server, until

SECONDS = 5.0 if LONG else 1.2


@dataclass(frozen=True, slots=True)
class Site:
    """Two workers, their origin, and the Redis they share by way of a proxy."""

    server: Server
    proxy: Proxy
    origin: Origin
    workers: list[Worker]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run them for all tests: after each, everything is as before, without a restart."""
    folder = tmp_path_factory.mktemp("origin")
    with (
        redis_server() as server,
        redis_proxy(server.port) as proxy,
        workers(folder, {"RESYNC_REDIS_URL": proxy.url, "RESYNC_REDIS_TIMEOUT": DEADLINE}) as found,
    ):
        yield Site(server, proxy, Origin(folder), found)


Harm = Callable[[Site], Awaitable[None]]


async def killed(site: Site) -> None:
    site.server.kill()
    await asyncio.sleep(SECONDS)
    site.server.start()


async def frozen(site: Site) -> None:
    os.kill(site.server.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(SECONDS)
    finally:
        os.kill(site.server.pid, signal.SIGCONT)


async def flushed(site: Site) -> None:
    for _ in range(5):
        site.server.execute("FLUSHALL")
        await asyncio.sleep(SECONDS / 5)


async def full(site: Site) -> None:
    used = site.server.info("memory")["used_memory"]
    site.server.config("maxmemory-policy", "noeviction")
    site.server.config("maxmemory", used)
    await asyncio.sleep(SECONDS)
    site.server.config("maxmemory", "0")


async def locked(site: Site) -> None:
    """The password changes, and connections are lost."""
    site.server.config("requirepass", "another")
    site.proxy.drop()
    await asyncio.sleep(SECONDS)
    with redis.Redis(port=site.server.port, password="another") as client:
        client.config_set("requirepass", "")


async def delayed(site: Site) -> None:
    site.proxy.faults.delay = 0.2
    await asyncio.sleep(SECONDS)


async def cut(site: Site) -> None:
    """Connections are cut in the midst of replies."""
    for turn in range(8):
        site.proxy.faults.cut_after = 500 * (turn + 1)
        await asyncio.sleep(SECONDS / 8)


async def corrupted(site: Site) -> None:
    """A byte of every fifth piece of a reply is another."""
    lots = random.Random(7)

    def spoil(data: bytes) -> bytes:
        if not data or lots.random() > 0.2:
            return data
        place = lots.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]

    site.proxy.faults.corrupt = spoil
    await asyncio.sleep(SECONDS)


async def swallowed(site: Site) -> None:
    """Nothing comes back, and nothing is closed."""
    site.proxy.blackhole()
    await asyncio.sleep(SECONDS)


async def flapping(site: Site) -> None:
    """Connections are lost again and again."""
    for _ in range(20):
        site.proxy.drop()
        await asyncio.sleep(SECONDS / 20)


def _crowd(port: int, count: int) -> None:
    """Connect and drop, *count* times, by a reset, so that no port is in use for longer."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def crowded(site: Site) -> None:
    """Ten thousand connect to Redis and are gone, and the workers' own connections are dropped every now and then."""
    for _ in range(20):
        await asyncio.to_thread(_crowd, site.server.port, 500)
        site.proxy.drop()


HARMS: list[Harm] = [
    killed, frozen, flushed, full, locked, delayed, cut, corrupted, swallowed, flapping, crowded,
]  # fmt: skip


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
async def test_nobody_notices(site: Site, harm: Harm) -> None:
    """No request fails or waits, nothing is served that a delivered purge was about, and all comes back by itself."""

    async def harmed() -> None:
        await harm(site)
        site.proxy.faults.corrupt = None
        site.proxy.heal()

    await endure(site.workers, site.origin, harmed)


async def test_one_call_in_all_processes(tmp_path: Path) -> None:
    """100 requests to each of two processes on a cold URL, with a handler of 50 ms: one call."""
    # A machine that is busy with other tests must not make Redis too slow to be waited for.
    environ = {"RESYNC_REDIS_TIMEOUT": "5s"}
    with redis_server() as server, workers(tmp_path, {"RESYNC_REDIS_URL": server.url, **environ}) as found:
        origin = Origin(tmp_path)
        await Load(found, origin).until_delivered()
        async with httpx2.AsyncClient(**CLIENT, limits=httpx2.Limits(max_connections=200)) as client:
            urls = [worker.url + "/page/cold" for worker in found for _ in range(100)]
            answers = await asyncio.gather(*[client.get(url) for url in urls])

    assert {200} == {answer.status_code for answer in answers}
    assert 1 == origin.calls("/page/cold")


async def test_a_worker_that_dies_while_it_calls_holds_nobody_up_for_long(tmp_path: Path) -> None:
    """Its lease expires, and another process goes on."""
    environ = {"RESYNC_CACHE_LEASE": "1s"}
    with redis_server() as server, workers(tmp_path, {"RESYNC_REDIS_URL": server.url, **environ}) as found:
        origin = Origin(tmp_path)
        await Load(found, origin).until_delivered()
        async with httpx2.AsyncClient(**CLIENT) as client:
            doomed = asyncio.create_task(client.get(found[0].url + "/slow/page"))
            await asyncio.to_thread(until, lambda: origin.calls("/slow/page"), "the first worker calls")
            found[0].process.kill()
            async with asyncio.timeout(10):
                answer = await client.get(found[1].url + "/slow/page?now")
            with pytest.raises(httpx2.HTTPError):
                await doomed

    assert 200 == answer.status_code

"""Worker processes, the steady load on them, and what it met."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from tests.chaos.origin import Origin
from tests.transparency.servers import inherited

LONG = os.environ.get("RESYNC_CHAOS") == "long"
"""The session `chaos` asks for it: the machine has time then."""
DEADLINE = "50ms" if LONG else "250ms"
"""Beside other tests a processor may be away for longer than Redis has by default."""
TABLE = os.environ.get("CHAOS_TABLE")
"""The file to which a line of JSON is added for each harm; RESULTS.md is made from it."""
SLACK = 0.35 if LONG else 1.1
"""Seconds that a request may take beyond the slowest one of the same load before anything broke: two processors serve
two workers, the load, Redis, and in the short form whatever else is tested. It is less than any harm lasts. The
deadline of L2 and the app take 0.05 s each; in the short form, where the deadline is five times that, a claim whose
answer was lost costs others a deadline, the 0.4 s of a lease on probation, and a deadline for the next claim."""

CLIENT: dict[str, Any] = {"timeout": 30, "headers": {"host": "site.test"}}
"""What every client has: one host, since it is a part of the key, and workers listen on ports of their own."""


@dataclass(slots=True)
class Worker:
    """A process that serves the app."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def workers(folder: Path, environ: dict[str, str], count: int = 2) -> Iterator[list[Worker]]:
    """Run *count* workers over the origin in *folder*, with *environ* added to this process's own."""
    found: list[Worker] = []
    try:
        for _ in range(count):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.app", str(folder)],
                stdout=subprocess.PIPE,
                text=True,
                env={**inherited(), **environ},
            )
            assert process.stdout is not None
            found.append(Worker(0, process))
        for worker in found:
            assert worker.process.stdout is not None
            worker.port = json.loads(worker.process.stdout.readline())["port"]
        yield found
    finally:
        for worker in found:
            worker.process.terminate()
        for worker in found:
            worker.process.wait(20)
            if worker.process.stdout is not None:
                worker.process.stdout.close()


@dataclass(slots=True)
class Met:
    """What the load met."""

    requests: int = 0
    failed: list[str] = field(default_factory=list)
    slowest: float = 0.0
    latencies: list[float] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    """Pages served after a purge of what they held was said to be delivered."""


class Load:
    """A steady load on workers: pages that are there, pages that are new, and purges."""

    def __init__(self, workers: list[Worker], origin: Origin) -> None:
        self.workers = workers
        self.origin = origin
        self.met = Met()
        self.floor = 0
        """The oldest truth that may still be served: what was purged with delivery is older."""
        self._number = 0
        self.states: list[str] = []

    @asynccontextmanager
    async def running(self, readers: int = 4, *, purge_every: float | None = None) -> AsyncIterator[Met]:
        """Load the workers until the end of the block."""
        stop = asyncio.Event()
        async with httpx2.AsyncClient(**CLIENT) as client:
            tasks = [asyncio.create_task(self._read(client, stop, number)) for number in range(readers)]
            if purge_every is not None:
                tasks.append(asyncio.create_task(self._purge_often(client, stop, purge_every)))
            try:
                yield self.met
            finally:
                stop.set()
                await asyncio.gather(*tasks)

    async def _read(self, client: httpx2.AsyncClient, stop: asyncio.Event, number: int) -> None:
        turn = number
        while not stop.is_set():
            turn += 1
            worker = self.workers[turn % len(self.workers)]
            # Mostly pages that are there, now and then one that is new.
            path = f"/page/{turn % 8}" if turn % 10 else f"/page/new-{number}-{turn}"
            floor = self.floor
            begun = time.perf_counter()
            try:
                answer = await client.get(worker.url + path)
            except httpx2.HTTPError as error:
                self.met.failed.append(f"{path}: {type(error).__name__}: {error}")
                continue
            took = time.perf_counter() - begun
            self.met.requests += 1
            self.met.latencies.append(took)
            self.met.slowest = max(self.met.slowest, took)
            if took > 0.5:
                self.met.slow.append(f"{path} {took:.2f} s: {answer.headers.get('cache-status')}")
            if answer.status_code != 200:
                self.met.failed.append(f"{path}: {answer.status_code} {answer.text[:100]}")
            elif int(answer.text) < floor:
                self.met.stale.append(f"{path}: {answer.text} < {floor}: {answer.headers.get('cache-status')}")
            await asyncio.sleep(0.002)

    async def _purge_often(self, client: httpx2.AsyncClient, stop: asyncio.Event, every: float) -> None:
        while not stop.is_set():
            await self.purge(client)
            try:
                async with asyncio.timeout(every):
                    await stop.wait()
            except TimeoutError:
                pass

    async def until_delivered(self) -> str:
        """Purge until that reaches everybody, for 20 s at most; return how far the last purge got."""
        self._number = int(self.origin.truth)
        state = "none"
        async with httpx2.AsyncClient(**CLIENT) as client:
            for _ in range(200):
                if (state := await self.purge(client)) == "delivered":
                    break
                await asyncio.sleep(0.1)
        return state

    async def hit_ratio(self) -> float:
        """Return the share of answers from the cache, of pages asked for once before."""
        hits = asked = 0
        async with httpx2.AsyncClient(**CLIENT) as client:
            for turn in range(11):
                for number in range(8):
                    for worker in self.workers:
                        answer = await client.get(f"{worker.url}/page/{number}")
                        asked += turn > 0
                        hits += turn > 0 and "; hit" in answer.headers["cache-status"]
        return hits / asked

    async def purge(self, client: httpx2.AsyncClient) -> str:
        """Make something else true, purge what was, and return how far the purge got."""
        self._number += 1
        self.origin.set(str(self._number))
        worker = self.workers[self._number % len(self.workers)]
        answer = await client.post(worker.url + "/purge", json={"tags": ["pages"]})
        if answer.status_code != 200:
            self.met.failed.append(f"purge: {answer.status_code} {answer.text[:200]}")
            return "failed"
        state: str = answer.json()["state"]
        self.states.append(state)
        if state == "delivered":
            self.floor = self._number
        return state


async def endure(workers: list[Worker], origin: Origin, harm: Callable[[], Awaitable[None]]) -> None:
    """Do *harm* under load. No request fails or waits for it, nothing purged is served, and all comes back by itself.

    A purge that is said to be delivered holds whatever happens next. In the end, what one worker stores the other
    finds, and neither has more open than before.
    """
    load = Load(workers, origin)
    await load.until_delivered()
    await _until_shared(workers)
    before = [_open(worker) for worker in workers]
    load.states.clear()
    async with load.running(6, purge_every=0.2) as met:
        await asyncio.sleep(0.6)
        calm = met.slowest
        begun = time.perf_counter()
        await harm()
        seconds = time.perf_counter() - begun
        await asyncio.sleep(0.6)
    states = load.states.copy()

    assert await load.until_delivered() == "delivered"
    await _until_shared(workers)
    assert all(_open(worker) < there + 24 for worker, there in zip(workers, before, strict=True))
    if TABLE:
        _note(
            {
                "fault": _fault(os.environ["PYTEST_CURRENT_TEST"]),
                "seconds": seconds,
                "deadline": DEADLINE,
                "requests": met.requests,
                "failed": len(met.failed),
                "stale": len(met.stale),
                "slowest": met.slowest,
                "calm": calm,
                "purges": len(states),
                "delivered": states.count("delivered"),
                "hits": await load.hit_ratio(),
            }
        )
    assert [] == met.failed
    assert [] == met.stale
    assert met.slowest <= calm + SLACK, met.slow


def _fault(test: str) -> str:
    """Return what is done in *test*, which pytest names by its file, its function, a parameter and a phase."""
    function, _, parameter = test.partition("::test_")[2].rpartition(" ")[0].rstrip("]").partition("[")
    parts = [function.replace("_", " ").removeprefix("nobody notices"), parameter]
    return ", ".join(part for part in parts if part)


def _note(told: dict[str, object]) -> None:
    assert TABLE is not None
    with Path(TABLE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


async def _until_shared(workers: list[Worker]) -> None:
    """What is stored by one worker is found by the other in Redis, within the time in which recovery is noticed."""
    async with httpx2.AsyncClient(**CLIENT) as client, asyncio.timeout(45):
        for number in range(1000):
            path = f"/page/after-{random.random()}-{number}"
            await client.get(workers[0].url + path)
            await asyncio.sleep(0.1)
            answer = await client.get(workers[1].url + path)
            if "detail=l2" in answer.headers["cache-status"]:
                return


def _open(worker: Worker) -> int:
    """Return how many files and sockets *worker* has open, where the system tells; those of clients are among them."""
    folder = Path(f"/proc/{worker.process.pid}/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0

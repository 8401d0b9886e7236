"""Microseconds per GET by the link and by redis-py itself, side by side, from one server started for this.

    python -m tests.benchmarks.redis_link [--check]

One at a time, and fifty tasks that each ask for a name of their own, again and again; with hiredis and without, under
asyncio and under uvloop. What counts are the ratios. --check exits with 1 if one misses its bar.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import redis.asyncio
import uvloop
from redis._parsers import _AsyncHiredisParser, _AsyncRESP3Parser
from redis.asyncio.connection import AbstractConnection
from tests.servers.server import redis_server

from asgi_resync.cache.l2.link import RedisLink

Get = Callable[[str], Awaitable[object]]
NAMES = [f"resync:r:{{{number:032}}}" for number in range(50)]
ROUNDS = 7
BARS = {"one at a time": 1.15, "fifty tasks": 0.5}


async def one_at_a_time(get: Get, times: int) -> None:
    for _ in range(times):
        for name in NAMES:
            await get(name)


async def fifty_tasks(get: Get, times: int) -> None:
    async def again_and_again(name: str) -> None:
        for _ in range(times):
            await get(name)

    await asyncio.gather(*[again_and_again(name) for name in NAMES])


WAYS = {"one at a time": one_at_a_time, "fifty tasks": fifty_tasks}


async def measured(url: str, size: int, times: int) -> dict[tuple[str, str], list[float]]:
    """Return the samples of each way and each client, in turns."""
    samples: dict[tuple[str, str], list[float]] = {}
    async with redis.asyncio.Redis.from_url(url) as client:
        link = RedisLink(url, deadline=5)
        for name in NAMES:
            await client.set(name, b"x" * size)
        for round_ in range(ROUNDS + 1):
            for way, run in WAYS.items():
                for subject, get in {"redis-py": client.get, "link": link.get}.items():
                    begun = time.perf_counter()
                    await run(get, times)
                    if round_:  # the first connects
                        taken = (time.perf_counter() - begun) / times / len(NAMES) * 1e6
                        samples.setdefault((way, subject), []).append(taken)
        await link.aclose()
    return samples


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    missed = 0
    defaults = AbstractConnection.__init__.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
    print(f"{'parser':9}{'loop':9}{'body':8}{'':15}{'redis-py':>11}{'link':>11}{'ratio':>8}  bar")
    with redis_server() as server:
        for parser in (_AsyncHiredisParser, _AsyncRESP3Parser):
            defaults["parser_class"] = parser
            for loop, run in {"asyncio": asyncio.run, "uvloop": uvloop.run}.items():
                for size, times in {1024: 20, 65536: 10}.items():
                    samples = run(measured(server.url, size, times))
                    for way, bar in BARS.items():
                        theirs, ours = (statistics.median(samples[way, one]) for one in ("redis-py", "link"))
                        ratio = ours / theirs
                        missed += ratio > bar
                        kind = "hiredis" if parser is _AsyncHiredisParser else "python"
                        print(
                            f"{kind:9}{loop:9}{size // 1024:3} KiB {way:15}{theirs:8.1f} µs{ours:8.1f} µs{ratio:8.2f}  "
                            f"≤ {bar}: {'met' if ratio <= bar else 'MISSED'}"
                        )
    return 1 if missed and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

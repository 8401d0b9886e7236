"""Keeping what functions return: typed, with one call however many ask, stale values instead of errors, and purges.

python examples/cached_callable.py            # needs no server; with RESYNC_REDIS_URL, all processes share the values
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from asgi_resync import Resync

resync = Resync.from_env()
calls = 0
is_down = False


@dataclass(frozen=True)
class Job:
    name: str
    status: str


@resync.cached("jobs:{status}", ttl=0.2, stale_if_error=60, tags=["plan", "jobs:{status}"])
async def jobs(status: str, *, trace: str = "") -> list[Job]:
    """Return the jobs in a status, slowly. `trace` is no part of the key, since the template does not name it."""
    global calls
    if is_down:
        raise ConnectionError("the scheduler is down")
    calls += 1
    await asyncio.sleep(0.05)
    return [Job("PAYROLL", status)]


async def main() -> None:
    global is_down
    async with resync.lifespan():
        crowd = await asyncio.gather(*(jobs("EXEC", trace=str(number)) for number in range(100)))
        print(f"{len(crowd)} asked, {calls} call: {crowd[0]}")

        crowd[0].append(Job("MINE", "EXEC"))  # each has a list of its own
        print(f"the next one gets {await jobs('EXEC')}")

        await resync.purge(tags=["jobs:EXEC"])
        await jobs("EXEC")
        print(f"purged, and asked again: {calls} calls")

        is_down = True
        await asyncio.sleep(0.3)  # its lifetime is over, and the scheduler away
        print(f"stale instead of an error: {await jobs('EXEC')}")

        total = await resync.cache.get_or_set("total", lambda: 42, ttl=10, type=int)
        print(f"without a decorator: {total}")


if __name__ == "__main__":
    asyncio.run(main())

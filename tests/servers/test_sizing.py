"""What README says of sizes is what they are, in memory and by Redis' own account."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from redis.asyncio import Redis
from tests.servers.server import Server

from asgi_resync import CacheRule, Resync
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.testing import request

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PAGES, KIB = 50, 1024


@pytest.mark.parametrize("size", [500, 6000])
@pytest.mark.parametrize("vary", [[], [(b"vary", b"accept-encoding")]], ids=["plain", "vary"])
async def test_the_formulas_of_readme_hold(server: Server, size: int, vary: list[tuple[bytes, bytes]]) -> None:
    """Within a sixth in memory, and what an allocator rounds in Redis: for bodies that cannot be packed."""
    noise = random.Random(size)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % size), *vary]
        await send({"type": "http.response.start", "status": 200, "headers": lines})
        await send({"type": "http.response.body", "body": noise.randbytes(size)})

    rule = CacheRule("/plan/{name}", ttl=60, tags=["plan"])
    resync = Resync.from_env({"RESYNC_REDIS_URL": server.url, "RESYNC_REDIS_TIMEOUT": "2s"}, rules=[rule])
    wrapped = resync(app)
    async with resync.lifespan():
        for number in range(PAGES):
            await request(wrapped, path=f"/plan/{number}", headers={"accept-encoding": "gzip"})
        memory = (await resync.health()).cache.l1
    # The lifespan has ended, so all that was to be written is.
    async with Redis.from_url(server.url) as client:
        keys = [key async for key in client.scan_iter(match="resync:r:*")]
        used = sum([await client.memory_usage(key, samples=0) or 0 for key in keys])
    lists = 1 if vary else 0

    assert "bytes   = URLs × (variants × (body + 2.5 KiB) + 1.6 KiB × lists)" in README
    assert PAGES * (1 + lists) == memory.entries
    assert memory.bytes / PAGES == pytest.approx(size + 2.5 * KIB + lists * 1.6 * KIB, rel=1 / 6)
    assert "about 0.4 KiB; the list of a page with `Vary` 0.4 KiB more" in " ".join(README.split())
    assert PAGES * (1 + lists) == len(keys)
    # Its allocator has four sizes between one power of two and the next.
    assert 0.85 < used / PAGES / (size + 0.4 * KIB * (1 + lists)) < 1.25

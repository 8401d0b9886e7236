"""Microseconds that the second tier costs: its codec and seals, a hit in memory in front of it, and a hit in Redis.

    python -m tests.benchmarks.l2

It starts a Redis of its own. Trust the ratios, not the absolutes: the best of several rounds, taken in turns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from redis.asyncio import Redis
from tests.servers.server import Server, redis_server

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2.codec import decode_record, encode_record
from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.cache.l2.signing import Seal
from asgi_resync.cache.l2.store import RedisStore
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.tiered import TieredStore
from asgi_resync.events import CacheKey

ROUNDS = 9
KEY: CacheKey = ("https", b"example.org", b"/plan/current", "/plan/current", b"page=1")
SIZES = (1024, 64 * 1024)


def record(size: int) -> StoredResponse:
    """Return a response as an app makes one, with a body of *size* bytes."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % size),
        (b"cache-control", b"max-age=60"),
        (b"etag", b'"0123456789abcdef01234567"'),
    ]
    now = time.time()
    return StoredResponse(
        key=KEY,
        status=200,
        headers=headers,
        body=b"x" * size,
        stored_at=now,
        date=now,
        born=now,
        lifetime=600.0,
        tags=("plan", "upstream:tws"),
        route="/plan/{rest:path}",
    )


def microseconds(work: Callable[[], object], times: int = 2000) -> float:
    """Return what one call of *work* takes."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(times):
            work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest / times * 1e6


async def in_turns(works: dict[str, Callable[[], Awaitable[object]]], times: int = 300) -> dict[str, float]:
    """Return what one call of each of *works* takes, in microseconds; each has its turn in every round."""
    fastest = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.perf_counter()
            for _ in range(times):
                await work()
            fastest[name] = min(fastest[name], time.perf_counter() - start)
    return {name: seconds / times * 1e6 for name, seconds in fastest.items()}


def codec() -> None:
    raw = key_bytes(KEY)
    print(f"key and digest                     {microseconds(lambda: digest_of(key_bytes(KEY))):8.2f}")
    for size in SIZES:
        kept = record(size)
        data = encode_record(kept, raw)
        view = memoryview(data)
        checked, signed = Seal(), Seal(["k" * 16])
        bare = microseconds(partial(record, size))
        print(f"{size // 1024:3} KiB: make a StoredResponse      {bare:8.2f}")
        works: dict[str, Callable[[], object]] = {
            "encode": partial(encode_record, kept, raw),
            "decode": partial(decode_record, view, KEY, raw, max_body=2**22),
            "open, checksum": partial(checked.open, "name", checked.seal("name", data)),
            "open, signature": partial(signed.open, "name", signed.seal("name", data)),
        }
        for name, work in works.items():
            print(f"         {name:25} {microseconds(work):8.2f}")


def hits_in_memory() -> None:
    memory = MemoryStore()
    tiered = TieredStore(memory, RedisStore("redis://127.0.0.1:1"))
    memory.put(KEY, record(1024))
    one, two = (microseconds(partial(near, KEY), 20_000) for near in (memory.near, tiered.near))
    print(f"near(), memory alone               {one:8.3f}")
    print(f"near(), tiered                     {two:8.3f}   × {two / one:.2f}")


async def hits_in_redis(server: Server) -> None:
    client = Redis.from_url(server.url)
    store = RedisStore(server.url, timeout=10)
    name = Names("resync:").record(digest_of(key_bytes(KEY)))
    for size in SIZES:
        await store.set(KEY, record(size))
        found = await in_turns({"redis-py": partial(client.get, name), "store": partial(store.get, KEY)})
        one, two = found["redis-py"], found["store"]
        print(f"{size // 1024:3} KiB: redis-py GET {one:7.1f}, RedisStore.get {two:7.1f}   × {two / one:.2f}")
    await store.aclose()
    await client.aclose()


def main() -> None:
    """Print the table."""
    codec()
    hits_in_memory()
    with redis_server() as server:
        asyncio.run(hits_in_redis(server))


if __name__ == "__main__":
    main()

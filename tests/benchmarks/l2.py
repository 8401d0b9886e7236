"""What the second tier costs: its codec and seals, a hit in memory in front of it, and hits in Redis.

Hits in Redis are measured beside redis-py's own GET of the same bytes, in turns, from one server started for this: one
at a time, and fifty tasks that each ask for a key of their own. With the extra `fast` (hiredis, uvloop) and without.
`the link` is the reading of bytes alone, `a hit` what a request pays: it opens the seal and makes a response too.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

import redis.asyncio
import uvloop
from redis._parsers import _AsyncHiredisParser, _AsyncRESP3Parser
from redis.asyncio.connection import AbstractConnection
from tests.servers.server import redis_server

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2.codec import decode_record, encode_record
from asgi_resync.cache.l2.link import RedisLink
from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.cache.l2.signing import Seal
from asgi_resync.cache.l2.store import RedisStore
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.tiered import TieredStore
from asgi_resync.events import CacheKey

from .report import Bar, Row
from .run import KIB, Bench, size_text

KEYS: list[CacheKey] = [
    ("https", b"example.org", b"/plan/current", "/plan/current", b"page=%d" % number) for number in range(50)
]
SIZES = (KIB, 64 * KIB)
BODIES = {size: random.Random(size).randbytes(size) for size in SIZES}
THEIRS, LINK, OURS = "redis-py: GET", "asgi-resync: the link", "asgi-resync: a hit"


def record(size: int, key: CacheKey = KEYS[0]) -> StoredResponse:
    """Return a response as an app makes one, with a body of *size* bytes that no packing makes smaller."""
    headers = [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", b"%d" % size),
        (b"cache-control", b"max-age=60"),
        (b"etag", b'"0123456789abcdef01234567"'),
    ]
    now = time.time()
    return StoredResponse(
        key=key,
        status=200,
        headers=headers,
        body=BODIES[size],
        stored_at=now,
        date=now,
        born=now,
        lifetime=600.0,
        tags=("plan", "upstream:tws"),
        route="/plan/{rest:path}",
    )


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int, times: int) -> dict[str, list[float]]:
    """Return the microseconds of a processor that one call of each of *works* takes, one a round."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            for _ in range(times):
                work()
            taken[name].append((time.process_time() - start) / times * 1e6)
    return taken


def codec(bench: Bench) -> Iterator[Row]:
    """Yield a row for each part of writing and reading a record, without Redis."""
    raw = key_bytes(KEYS[0])
    checked, signed = Seal(), Seal(["k" * 16])
    for size in SIZES:
        bench.tell(f"codec, {size_text(size)}")
        kept = record(size)
        data = encode_record(kept, raw)
        works: dict[str, Callable[[], object]] = {
            "a copy of the body": partial(bytes, memoryview(kept.body)),
            "make a StoredResponse": partial(record, size),
            "encode": partial(encode_record, kept, raw),
            "decode": partial(decode_record, memoryview(data), KEYS[0], raw, max_body=2**22),
            "seal, checksum": partial(checked.seal, "name", data),
            "open, checksum": partial(checked.open, "name", checked.seal("name", data)),
            "open, signature": partial(signed.open, "name", signed.seal("name", data)),
        }
        taken = in_turns(works, bench.plan.rounds * 2, round(1000 * bench.plan.work))
        for name, values in taken.items():
            bar = Bar(at_most=1) if name in ("encode", "decode") and size == 64 * KIB else None
            yield Row(subject=name, where=size_text(size), values=values, bar=bar)


def tiered(bench: Bench) -> Iterator[Row]:
    """Yield a row for the look into memory, alone and before a second tier."""
    bench.tell("a hit in memory before a second tier")
    memory = MemoryStore()
    both = TieredStore(memory, RedisStore("redis://127.0.0.1:1"))
    memory.put(KEYS[0], record(KIB))
    works = {"memory alone": partial(memory.near, KEYS[0]), "asgi-resync: tiered": partial(both.near, KEYS[0])}
    taken = in_turns(works, bench.plan.rounds * 2, round(20_000 * bench.plan.work))
    for name, values in taken.items():
        ratios = [one / other for one, other in zip(values, taken["memory alone"], strict=True)]
        yield Row(subject=name, values=values, ratios=ratios)


Get = Callable[[int], Awaitable[object]]


async def one_at_a_time(get: Get, times: int) -> None:
    for _ in range(times):
        for number in range(len(KEYS)):
            await get(number)


async def fifty_tasks(get: Get, times: int) -> None:
    async def again_and_again(number: int) -> None:
        for _ in range(times):
            await get(number)

    await asyncio.gather(*[again_and_again(number) for number in range(len(KEYS))])


async def measured(
    url: str, size: int, run: Callable[[Get, int], Awaitable[None]], rounds: int, times: int
) -> dict[str, list[float]]:
    """Return the samples of each client, in turns."""
    link = RedisLink(url, deadline=5)
    store = RedisStore(link)
    names = [Names("resync:").record(digest_of(key_bytes(key))) for key in KEYS]
    async with redis.asyncio.Redis.from_url(url) as client:
        for key in KEYS:
            await store.set(key, record(size, key))
        assert all([await store.get(key) is not None for key in KEYS])
        subjects: dict[str, Get] = {
            THEIRS: lambda number: client.get(names[number]),
            LINK: lambda number: link.get(names[number]),
            OURS: lambda number: store.get(KEYS[number]),
        }
        taken: dict[str, list[float]] = {name: [] for name in subjects}
        for round_ in range(rounds + 1):
            for name, get in list(subjects.items())[:: -1 if round_ % 2 else 1]:
                begun = time.perf_counter()
                await run(get, times)
                if round_:  # the first connects
                    taken[name].append((time.perf_counter() - begun) / times / len(KEYS) * 1e6)
    await store.aclose()
    return taken


def hits(bench: Bench, run: Callable[[Get, int], Awaitable[None]], bar: Bar) -> Iterator[Row]:
    """Yield a row for each client, with the extra `fast` and without."""
    defaults = AbstractConnection.__init__.__wrapped__.__kwdefaults__  # type: ignore[attr-defined]
    chosen = defaults["parser_class"]
    times = max(2, round(20 * bench.plan.work))
    try:
        with redis_server() as server:
            for extra, parser, begin in (
                ("hiredis, uvloop", _AsyncHiredisParser, uvloop.run),
                ("neither", _AsyncRESP3Parser, asyncio.run),
            ):
                defaults["parser_class"] = parser
                for size in SIZES:
                    where = f"{size_text(size)}, {extra}"
                    bench.tell(f"hits in Redis, {run.__name__.replace('_', ' ')}, {where}")
                    taken = begin(measured(server.url, size, run, bench.plan.rounds, times))
                    for name, values in taken.items():
                        ratios = [one / other for one, other in zip(values, taken[THEIRS], strict=True)]
                        barred = bar if name == OURS else None
                        yield Row(subject=name, where=where, values=values, ratios=ratios, bar=barred)
    finally:
        defaults["parser_class"] = chosen


def one(bench: Bench) -> Iterator[Row]:
    """Yield the rows of reads one at a time."""
    return hits(bench, one_at_a_time, Bar(at_most=1.15))


def many(bench: Bench) -> Iterator[Row]:
    """Yield the rows of fifty at once."""
    return hits(bench, fifty_tasks, Bar(at_most=0.5))

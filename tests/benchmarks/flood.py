"""Memory under a flood of distinct keys: what the process grows by, against the byte budget. POSIX only (`/proc`).

    python -m tests.benchmarks.flood [--keys 1000000] [--body 200] [--budget 67108864] [--json]

Run it in a process of its own. Nothing in a record is shared with another or interned, but the key's scheme: every
text is made anew, as a server makes it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
from dataclasses import dataclass
from pathlib import Path

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.memory import MemoryStats, MemoryStore
from asgi_resync.events import CacheKey

BAR = 1.3
"""Growth of the process, in byte budgets, that the design allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """`peak` and `grown` are bytes of resident memory above the start: the highest seen, and at the end."""

    peak: int
    grown: int
    stats: MemoryStats


def record(number: int, body: int) -> tuple[CacheKey, StoredResponse]:
    """Return a key of about 80 characters and a response with five headers, all of objects of their own."""
    path = f"/plan/current/jobs/{number:012d}/details-of-the-job-and-of-its-dependencies"
    query = f"page={number % 1000}&size=50"
    key: CacheKey = ("https", f"host-{number % 3}.example".encode(), path.encode(), path[:], query.encode())
    headers = [(f"x-field-number-{place}".encode(), f"value {number:012d} {place}".encode()) for place in range(5)]
    now = 1.7e9 + number / 1000
    return key, StoredResponse(
        key=key,
        status=200,
        headers=headers,
        body=number.to_bytes(8) * (body // 8),
        stored_at=now,
        date=now - 0.5,
        born=now - 0.25,
        lifetime=60 + number / 1e9,
    )


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def flood(*, keys: int, body: int, budget: int) -> Flood:
    """Put *keys* distinct records into a store of *budget* bytes that its entries do not bind."""
    store = MemoryStore(max_entries=10**9, max_bytes=budget, clock=lambda: 1.7e9)
    for number in range(100):  # Whatever is made once is made now.
        store.put(*record(number, body))
    gc.collect()
    start = peak = resident()
    for number in range(100, keys):
        store.put(*record(number, body))
        if number % 1000 == 0:
            peak = max(peak, resident())
    grown = resident()
    return Flood(peak=max(peak, grown) - start, grown=grown - start, stats=store.stats())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--body", type=int, default=200, help="bytes of each body")
    parser.add_argument("--budget", type=int, default=64 * 2**20, help="bytes that the store may hold")
    parser.add_argument("--json", action="store_true", help="print one JSON object, of bytes")
    options = parser.parse_args()
    seen = flood(keys=options.keys, body=options.body, budget=options.budget)
    stats = seen.stats
    if options.json:
        figures = {"budget": options.budget, "accounted": stats.bytes, "grown": seen.grown, "peak": seen.peak}
        print(json.dumps(figures | {"entries": stats.entries, "ghosts": stats.ghosts}))
        return
    print(f"{options.keys} keys, {stats.entries} kept, {stats.ghosts} ghosts, {stats.bytes / 2**20:.1f} MiB accounted")
    print(f"resident memory grew by {seen.grown / 2**20:.1f} MiB: {seen.grown / stats.bytes:.2f} of the accounted")
    print(f"at its peak by {seen.peak / 2**20:.1f} MiB: {seen.peak / options.budget:.2f} budgets (bar {BAR})")
    if seen.peak > BAR * options.budget:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""What records are accounted with is what they take: otherwise a byte budget means nothing."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from tests.contract.store_contract import KEY, NOW, response

from asgi_resync.cache.entry import StoredResponse, weigh
from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.store import Variants
from asgi_resync.events import CacheKey


def test_what_clients_choose_is_weighed() -> None:
    """Texts in keys and variants, however deep, count with every byte: nobody gets them kept for nothing."""
    long = b"x" * 10_000
    nested: CacheKey = (*KEY, ((b"x-forwarded-host", long),))
    entry = response(nested)
    entry_of_variant = StoredResponse(
        key=KEY, status=200, headers=[], body=b"", stored_at=NOW, date=NOW, born=NOW, lifetime=1, variant=(long, None)
    )
    index = Variants(
        key=KEY, generation="g", names=((b"accept",),), listed=((*KEY, "g", (b"accept",), (long,)),), keep_until=NOW
    )

    assert min(entry.size, entry_of_variant.size, index.size) > 10_000
    assert weigh("\N{GRINNING FACE}" * 1000) > 4000


def index_of_variants(number: int) -> Variants:
    """Return a record of texts that it shares with nothing, as if parsed from a response and two requests."""
    key: CacheKey = ("https", b"host-%d" % number, b"/plan/%d" % number, f"/plan/{number}", b"page=%d" % number)
    names = tuple(b"accept-encoding, accept-language".split(b", "))
    sent = [tuple(b"gzip;q=0.%d, en-GB-%d" % (number, place) for place in range(2)) for _ in range(2)]
    generation = f"g{number}"
    return Variants(
        key=key,
        generation=generation,
        names=(names,),
        listed=tuple((*key, generation, names, values) for values in sent),
        keep_until=NOW + number / 1000,
    )


def test_the_weight_of_an_index_of_variants_is_about_what_it_takes() -> None:
    """Measured by tracemalloc, which does not see what the allocator rounds up."""
    store = MemoryStore(max_entries=10**6, max_bytes=10**9, clock=lambda: NOW)
    store.put(KEY, index_of_variants(0))
    gc.collect()
    tracemalloc.start(1)
    try:
        for number in range(3000):
            record = index_of_variants(number)
            store.put(record.key, record)
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert 0.7 <= taken / store.stats().bytes <= 1.1


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to measure a process")
def test_a_flood_of_distinct_urls_keeps_the_process_within_its_budget() -> None:
    """100 000 URLs: the process grows by about what is accounted, and by 1.3 budgets at most."""
    root = Path(__file__).parents[2]
    script = root / "tests" / "benchmarks" / "flood.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, script, "--keys=100000", "--json"], capture_output=True, text=True, env=environment, check=True
    )
    seen = json.loads(run.stdout)

    assert seen["peak"] <= 1.3 * seen["budget"]
    assert 0.8 <= seen["grown"] / seen["accounted"] <= 1.1
    assert 0.98 <= seen["accounted"] / seen["budget"] <= 1

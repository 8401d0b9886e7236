"""Every row of the design's table of numbers, and how each is measured; `codec` and `tiered` besides."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import breaker, hit_ratio, importing, l2, nginx, retrying, stampede
from .report import Bar, Row, Table, rounded
from .run import ROOT, Bench, in_process, over_http
from .subjects import BARE, SUBJECTS

HIT = "asgi-resync: hit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A row of the design: what is measured in which unit, and compared by what."""

    name: str
    what: str
    unit: str
    take: Callable[[Bench], Iterator[Row]]
    by: str = ""
    digits: int = 2

    def table(self, bench: Bench) -> Table:
        """Return what was measured."""
        rows = [rounded(row) for row in self.take(bench)]
        return Table(name=self.name, what=self.what, unit=self.unit, by=self.by, digits=self.digits, rows=rows)


def hits(bench: Bench) -> Iterator[Row]:
    """Yield hits beside floors and peers."""
    subjects = bench.present(one for one in SUBJECTS if one.kind in ("floor", "hit"))
    return in_process(subjects, bench, {HIT: Bar(at_most=7)})


def misses(bench: Bench) -> Iterator[Row]:
    """Yield what misses add, beside peers."""
    subjects = bench.present(one for one in SUBJECTS if one.kind == "miss")
    return in_process(subjects, bench, {"asgi-resync: miss and store": Bar(at_most=15)}, less=1)


def passes(bench: Bench) -> Iterator[Row]:
    """Yield what is added to requests that are not cacheable."""
    subjects = [one for one in SUBJECTS if one.kind in ("floor", "pass") and one is not BARE]
    return in_process(subjects, bench, {"asgi-resync: pass-through": Bar(at_most=4)}, less=1)


def hits_over_http(bench: Bench) -> Iterator[Row]:
    """Yield requests per second of hits over uvicorn, beside floors and peers; of misses and passes too."""
    subjects = bench.present(one for one in SUBJECTS if one.over_http)
    # Beside each other, so that what their ratio is of lies close together in time.
    subjects.sort(key=lambda one: (one is not BARE, one.name != HIT))
    return over_http(subjects, bench, {HIT: Bar(at_least=0.9)})


def beside_nginx(bench: Bench) -> Iterator[Row]:
    """Yield requests per second of hits over uvicorn beside nginx with proxy_cache."""
    bar = Bar(at_least=0.65)
    if nginx.found() is None:
        return iter([Row(subject=HIT, bar=bar, note="nginx is not installed")])
    return over_http([BARE, *(one for one in SUBJECTS if one.name == HIT)], bench, {HIT: bar}, beside_nginx=True)


def floods(bench: Bench) -> Iterator[Row]:
    """Yield the growth of a process in budgets, at its peak."""
    values, ratios = [], []
    keys = max(100_000, round(1_000_000 * bench.plan.work))
    for round_ in range(3 if bench.plan.work == 1 else 1):
        bench.tell(f"a flood of {keys:,} URLs, {round_ + 1}")
        command = [sys.executable, "-m", "tests.benchmarks.flood", "--json", "--keys", str(keys)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True)
        found = json.loads(done.stdout)
        values.append(found["peak"] / 2**20)
        ratios.append(found["peak"] / found["budget"])
    yield Row(subject="asgi-resync", where=f"{keys:,} URLs", values=values, ratios=ratios, bar=Bar(at_most=1.3))


MEASURES = [
    Measure(name="hit", what="L1 hit, in process, request headers of a browser", unit="µs", by="× bare", take=hits),
    Measure(name="http", what="L1 hit over uvicorn, one core", unit="/s", by="× bare", take=hits_over_http),
    Measure(name="nginx", what="L1 hit over uvicorn, beside nginx proxy_cache, one core each", unit="/s",
            by="× nginx", take=beside_nginx),
    Measure(name="miss", what="miss and store, added to the app's own cost", unit="µs", by="added × bare", take=misses),
    Measure(name="pass", what="pass-through, added to the app's own cost", unit="µs", by="added × bare", take=passes),
    Measure(name="l2-many", what="L2 hit, 50 tasks at once, distinct keys", unit="µs each", by="× redis-py's GET",
            take=l2.many),
    Measure(name="l2-one", what="L2 hit, one at a time", unit="µs", by="× redis-py's GET", take=l2.one),
    Measure(name="codec", what="L2 records as bytes and back, without Redis", unit="µs", take=l2.codec),
    Measure(name="tiered", what="a look into L1, with an L2 behind it", unit="µs", by="× memory alone", take=l2.tiered),
    Measure(name="stampede", what="calls of the app when 200 ask at once", unit="calls", digits=0, take=stampede.rows),
    Measure(name="breaker", what="an admitted call", unit="µs", by="× purgatory through its factory",
            take=breaker.rows),
    Measure(name="retrying", what="a call whose first try succeeds", unit="µs", by="× the bare transport", digits=3,
            take=retrying.rows),
    Measure(name="hit-ratio", what="hit ratio at 1 % and 10 % of the key space", unit="%", digits=1,
            by="points to the best of W-TinyLFU and S3-FIFO", take=hit_ratio.rows),
    Measure(name="flood", what="memory under a flood of distinct URLs, at its peak", unit="MiB", by="× the byte budget",
            take=floods),
    Measure(name="import", what="import in a fresh interpreter, time of a processor", unit="ms", take=importing.rows,
            digits=0),
]  # fmt: skip

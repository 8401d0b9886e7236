"""What the retrying transport adds to a call whose first try succeeds, beside httpx-retries where it is installed.

    python -m tests.benchmarks.retrying [--rounds N] [--calls N]

Calls go through an AsyncClient: over a socket to a server in another process, which is what the design's bars are
about, and to a handler in memory, where the client's own cost is all there is and an addition shows most. Subjects
take turns, a few calls each; the ratio of each turn is to the bare transport's turn beside it, and their median counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, nullcontext
from types import ModuleType
from typing import Any

from asgi_resync import Breaker, Bulkhead, deadline, retrying_transport
from asgi_resync._asgi import Clock

from .run import here, pins, started
from .subjects import BARE

BARS = {"retrying": 1.04, "whole stack": 1.10}


def subjects(lib: ModuleType) -> dict[str, Callable[[Any], Any]]:
    """Return what wraps a transport, by name."""
    found: dict[str, Callable[[Any], Any]] = {
        "bare": lambda transport: transport,
        "retrying": retrying_transport,
        "whole stack": lambda transport: retrying_transport(
            transport, breaker=Breaker("up"), bulkhead=Bulkhead(100, 100), upstream="up"
        ),
    }
    if lib.__name__ == "httpx" and importlib.util.find_spec("httpx_retries") is not None:
        peer = importlib.import_module("httpx_retries")
        found["httpx-retries"] = lambda transport: peer.RetryTransport(transport=transport)
    found["bare again"] = lambda transport: transport
    return found


async def measure(
    lib: ModuleType, make: Callable[[], Any], url: str, clock: Clock, rounds: int, calls: int
) -> dict[str, list[float]]:
    """Return microseconds per call of each turn, by subject."""
    taken: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(lib.AsyncClient(transport=wrap(make())))
            for name, wrap in subjects(lib).items()
        }
        for client in clients.values():
            for _ in range(calls):
                await client.get(url)
        gc.disable()
        for turn in range(rounds):
            order = list(clients.items())
            # Who comes first pays for what the one before left behind, so each is first in its turn.
            for name, client in order[turn % len(order) :] + order[: turn % len(order)]:
                with deadline(30) if name == "whole stack" else nullcontext():
                    began = clock()
                    for _ in range(calls):
                        await client.get(url)
                    taken.setdefault(name, []).append((clock() - began) / calls * 1e6)
            gc.collect()
        gc.enable()
    return taken


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Serve the bare app in another process, on a core of its own where there are two."""
    with started("serve", BARE, 1024, here(), pins()[0]) as process:
        yield f"http://127.0.0.1:{int(process.line())}/hit"


def report(place: str, lib: ModuleType, taken: dict[str, list[float]]) -> None:
    """Print one line per subject."""
    bare = taken["bare"]
    for name, turns in taken.items():
        ratio = statistics.median(one / other for one, other in zip(turns, bare, strict=True))
        bar = BARS.get(name) if place == "socket" else None
        verdict = "" if bar is None else f"bar ≤ {bar:.2f}: {'met' if ratio <= bar else 'MISSED'}"
        print(f"{place:9} {lib.__name__:7} {name:14} {statistics.median(turns):8.1f} µs   {ratio:5.3f}   {verdict}")


def main() -> None:
    """Measure both libraries in both places."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=50)
    chosen = parser.parse_args()
    with server() as url:
        for name in ("httpx2", "httpx"):
            lib = importlib.import_module(name)

            def in_memory(lib: ModuleType = lib) -> Any:
                return lib.MockTransport(lambda request: lib.Response(200, content=b"x" * 1024))

            for place, make, target, clock in (
                ("socket", lib.AsyncHTTPTransport, url, time.perf_counter),
                # Nothing is waited for there, so other work on the machine can be left out.
                ("in memory", in_memory, "http://up/", time.process_time),
            ):
                report(place, lib, asyncio.run(measure(lib, make, target, clock, chosen.rounds, chosen.calls)))


if __name__ == "__main__":
    main()

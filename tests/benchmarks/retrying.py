"""What the retrying transport adds to a call whose first try succeeds, beside httpx-retries where it is installed.

Calls go through an AsyncClient: over a socket to a server in another process, which is what the design's bars are
about, and to a handler in memory, where the client's own cost is all there is and an addition shows most. Subjects
take turns, a few calls each; the ratio of each turn is to the bare transport's turn beside it, and their median counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, nullcontext
from types import ModuleType
from typing import Any

from asgi_resync import Breaker, Bulkhead, deadline, retrying_transport
from asgi_resync._asgi import Clock

from .report import Bar, Row
from .run import Bench, here, pins, started
from .subjects import BARE

WHOLE = "asgi-resync: retrying, breaker, bulkhead, deadline"
BARS = {"asgi-resync: retrying": Bar(at_most=1.04), WHOLE: Bar(at_most=1.10)}
ROUNDS, CALLS = 120, 50


def subjects(lib: ModuleType) -> dict[str, Callable[[Any], Any]]:
    """Return what wraps a transport, by name."""
    found: dict[str, Callable[[Any], Any]] = {
        "bare": lambda transport: transport,
        "asgi-resync: retrying": retrying_transport,
        WHOLE: lambda transport: retrying_transport(
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
                with deadline(30) if name == WHOLE else nullcontext():
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


def rows(bench: Bench) -> Iterator[Row]:
    """Yield the rows of both libraries in both places."""
    with server() as url:
        for name in ("httpx2", "httpx"):
            lib = importlib.import_module(name)

            def in_memory(lib: ModuleType = lib) -> Any:
                return lib.MockTransport(lambda request: lib.Response(200, content=b"x" * 1024))

            for place, make, target, clock in (
                ("over a socket", lib.AsyncHTTPTransport, url, time.perf_counter),
                # Nothing is waited for there, so other work on the machine can be left out.
                ("in memory", in_memory, "http://up/", time.process_time),
            ):
                bench.tell(f"retrying clients, {name}, {place}")
                taken = asyncio.run(measure(lib, make, target, clock, max(5, round(ROUNDS * bench.plan.work)), CALLS))
                for subject, turns in taken.items():
                    ratios = [one / other for one, other in zip(turns, taken["bare"], strict=True)]
                    bar = BARS.get(subject) if place == "over a socket" else None
                    yield Row(subject=subject, where=f"{name}, {place}", values=turns, ratios=ratios, bar=bar)

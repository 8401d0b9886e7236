"""Microseconds per admitted call, beside purgatory's own, and what the middleware adds to a call of a bare app.

    python -m tests.benchmarks.breaker [--check]

Trust the ratios, not the absolutes: each row has its turn in every round, and the median of the rounds counts. The
yardstick of the design is purgatory's admitted call through its factory, which does less: its state is shared by all
calls, so that it can neither tell whose result is late nor take back a cancelled one.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from purgatory import AsyncCircuitBreakerFactory

from asgi_resync import Breaker, BreakerMiddleware, BreakerRule, Upstream
from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send
from asgi_resync.breaker.circuit import CircuitFactory
from asgi_resync.testing import http_scope

CALLS = 20_000
ROUNDS = 15
YARDSTICK = "purgatory, through its factory"
BARS = {"ours, through purgatory's factory": 1.2, "ours, a kept breaker": 0.8}

Work = Callable[[], Awaitable[None]]


def kept(breaker: object) -> Work:
    """Return calls through one and the same breaker."""

    async def work() -> None:
        for _ in range(CALLS):
            async with breaker:  # type: ignore[attr-defined] # both kinds are context managers
                pass

    return work


def through(factory: AsyncCircuitBreakerFactory) -> Work:
    """Return calls through a factory, as purgatory's documentation writes them."""

    async def work() -> None:
        for _ in range(CALLS):
            async with await factory.get_breaker("tws"):
                pass

    return work


def requests(app: ASGIApp) -> Work:
    """Return requests to an app."""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pass

    async def work() -> None:
        scope = http_scope(path="/plan")
        for _ in range(CALLS):
            await app(scope, receive, send)

    return work


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"plan"})


async def measure() -> dict[str, float]:
    """Return the median of the rounds of each row, in microseconds."""
    tws = Upstream("tws")
    rule = BreakerRule("/plan", upstreams=["tws"])
    rows: dict[str, Work] = {
        YARDSTICK: through(AsyncCircuitBreakerFactory()),
        "purgatory, a kept breaker": kept(await AsyncCircuitBreakerFactory().get_breaker("tws")),
        "ours, through purgatory's factory": through(CircuitFactory()),
        "ours, a kept breaker": kept(Breaker("tws")),
        "a bare app": requests(bare),
        "a bare app, middleware without rules": requests(BreakerMiddleware(bare, upstreams=[tws])),
        "a bare app, middleware with a rule": requests(BreakerMiddleware(bare, upstreams=[tws], rules=[rule])),
    }
    samples: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, work in rows.items():
            begun = time.perf_counter()
            await work()
            samples[name].append((time.perf_counter() - begun) / CALLS * 1e6)
    return {name: statistics.median(values) for name, values in samples.items()}


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.breaker", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar of the design is missed")
    chosen = parser.parse_args(arguments)
    found = asyncio.run(measure())
    missed = False
    for name, value in found.items():
        ratio = value / found[YARDSTICK]
        bar = BARS.get(name)
        missed = missed or (bar is not None and ratio > bar)
        verdict = "" if bar is None else f"  bar ≤ {bar:g}: {'met' if ratio <= bar else 'MISSED'}"
        print(f"{name:40}{value:7.2f} µs{ratio:7.2f} ×{verdict}")
    return 1 if chosen.check and missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

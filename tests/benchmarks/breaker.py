"""Microseconds per admitted call, beside purgatory's own, and what the middleware adds to a call of a bare app.

Each row has its turn in every round. The
yardstick of the design is purgatory's admitted call through its factory, which does less: its state is shared by all
calls, so that it can neither tell whose result is late nor take back a cancelled one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from purgatory import AsyncCircuitBreakerFactory

from asgi_resync import Breaker, BreakerMiddleware, BreakerRule, Upstream
from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send
from asgi_resync.breaker.circuit import CircuitFactory
from asgi_resync.testing import http_scope

from .report import Bar, Row
from .run import Bench

CALLS = 20_000
ROUNDS = 21
YARDSTICK = "purgatory, through its factory"
BARS = {
    "asgi-resync, through purgatory's factory": Bar(at_most=1.2),
    "asgi-resync, a kept breaker": Bar(at_most=0.8),
}

Work = Callable[[], Awaitable[None]]


def kept(breaker: object, calls: int) -> Work:
    """Return calls through one and the same breaker."""

    async def work() -> None:
        for _ in range(calls):
            async with breaker:  # type: ignore[attr-defined] # both kinds are context managers
                pass

    return work


def through(factory: AsyncCircuitBreakerFactory, calls: int) -> Work:
    """Return calls through a factory, as purgatory's documentation writes them."""

    async def work() -> None:
        for _ in range(calls):
            async with await factory.get_breaker("tws"):
                pass

    return work


def requests(app: ASGIApp, calls: int) -> Work:
    """Return requests to an app."""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        pass

    async def work() -> None:
        scope = http_scope(path="/plan")
        for _ in range(calls):
            await app(scope, receive, send)

    return work


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"plan"})


async def measure(rounds: int, calls: int) -> dict[str, list[float]]:
    """Return the samples of each row, in microseconds, one a round."""
    tws = Upstream("tws")
    rule = BreakerRule("/plan", upstreams=["tws"])
    rows: dict[str, Work] = {
        YARDSTICK: through(AsyncCircuitBreakerFactory(), calls),
        "purgatory, a kept breaker": kept(await AsyncCircuitBreakerFactory().get_breaker("tws"), calls),
        "asgi-resync, through purgatory's factory": through(CircuitFactory(), calls),
        "asgi-resync, a kept breaker": kept(Breaker("tws"), calls),
        "a bare app": requests(bare, calls),
        "a bare app, middleware without rules": requests(BreakerMiddleware(bare, upstreams=[tws]), calls),
        "a bare app, middleware with a rule": requests(BreakerMiddleware(bare, upstreams=[tws], rules=[rule]), calls),
    }
    samples: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, work in rows.items():
            begun = time.process_time()
            await work()
            samples[name].append((time.process_time() - begun) / calls * 1e6)
    return samples


def rows(bench: Bench) -> Iterator[Row]:
    """Yield a row for each way to call."""
    bench.tell("admitted calls of breakers")
    found = asyncio.run(measure(max(3, round(ROUNDS * bench.plan.work)), round(CALLS * bench.plan.work)))
    for name, values in found.items():
        ratios = [value / other for value, other in zip(values, found[YARDSTICK], strict=True)]
        yield Row(subject=name, values=values, ratios=ratios, bar=BARS.get(name))

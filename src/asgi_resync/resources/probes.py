"""Answers whoever asks how the app is, and has the resources checked no more often than `interval` for all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from .._asgi import Clock
from ..breaker.report import BreakerReport
from ..cache.memory import MemoryStats
from .graph import Graph
from .health import Health, Readiness, health_of, readiness_of, with_impact
from .life import Life

WAIT = 0.5
"""Seconds that a probe waits for checks under way; then it tells what is known. Orchestrators give probes a second."""

SAME = 0.05
"""Seconds for which one drawing of the graph will do in any case: it is asked for each name that is out."""


class Probes:
    """What can be asked of *life*: `health` and `readiness`. *breakers* and *memory* return how those stand, and
    *graph* what depends on what, so what an outage of a name touches.

    The results of checks hold for *interval* seconds, and those who ask meanwhile share them. *clock* gives seconds
    since the epoch.
    """

    def __init__(
        self,
        life: Life,
        *,
        breakers: Callable[[], Iterable[BreakerReport]],
        memory: Callable[[], MemoryStats],
        has_l2: bool,
        graph: Callable[[], Graph],
        interval: float,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        self._life = life
        self._breakers = breakers
        self._memory = memory
        self._has_l2 = has_l2
        self._graph = graph
        self._drawn: Graph | None = None
        self._drawn_at = 0.0
        self._interval = interval
        self._clock = clock
        self._monotonic = monotonic
        self._checks: dict[str, asyncio.Task[None]] = {}
        """The last check of each resource."""
        self._checked: dict[str, float] = {}
        """When it began."""

    async def health(self) -> Health:
        """Return how everything is, checked by now."""
        await self._check(self._life.resources)
        return with_impact(self._known(), self._impact)

    def _impact(self, name: str) -> Mapping[Any, tuple[str, ...]]:
        # Drawing it takes milliseconds where much was learned, and a storm of probes comes when much is out.
        now = self._monotonic()
        if self._drawn is None or now - self._drawn_at >= max(self._interval, SAME):
            self._drawn, self._drawn_at = self._graph(), now
        return self._drawn.impact(name)

    async def readiness(self) -> Readiness:
        """Return whether the app can serve; only what is critical is checked for that."""
        await self._check(self._life.resources.required)
        return readiness_of(self._known())

    def _known(self) -> Health:
        resources = self._life.resources
        return health_of(
            resources.resources,
            resources,
            resources.required,
            breakers=self._breakers(),
            memory=self._memory(),
            has_l2=self._has_l2,
            now=self._clock(),
        )

    async def _check(self, names: Collection[str]) -> None:
        """Have *names* checked that were not lately, and wait a little for that."""
        resources = self._life.resources
        # A probe may be the first that comes where the server plays no lifespan, and none other if it says no.
        self._life.begin_late()
        if not resources.is_here:
            return
        now = self._monotonic()
        pending = []
        for resource in resources.resources:
            name = resource.name
            if resource.check is None or name not in names:
                continue
            last = self._checks.get(name)
            if last is None or (last.done() and now - self._checked[name] >= self._interval):
                self._checked[name] = now
                last = self._checks[name] = asyncio.get_running_loop().create_task(resources.look(name))
                self._life.own(last)
            if not last.done():
                pending.append(last)
        if pending:
            await asyncio.wait(pending, timeout=WAIT)

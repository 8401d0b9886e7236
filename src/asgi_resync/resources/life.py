"""The life of a Resync: what runs between its start and its stop, counted by loop. It knows no HTTP."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol
from weakref import WeakSet

from .._asgi import Clock
from ..cache.cache import Cache
from ..events import Listener
from .degradable import Degradable
from .loops import running_loop, unhurried
from .resource import Report, Resource
from .supervisor import GRACE, Supervisor

_log = logging.getLogger("asgi_resync")


class Tier(Protocol):
    """A tier that connects, and stays connected, by itself."""

    def start(self) -> None:
        """Connect in the background of this loop. A second call changes nothing."""

    async def stop(self, timeout: float) -> None:
        """Write what waits within *timeout* seconds, and disconnect."""

    def tells(self, report: Report) -> None:
        """Call *report* with None whenever it is back, and with a word whenever it is lost."""


class Life:
    """What runs beside the requests of *cache*: *sweep*, background calls of the app, *tier*, *config* and *resources*.

    *timeout* bounds the start of those that are critical, *wait* how long it takes for the others, *shutdown* the
    whole stop; all in seconds. Starts count, by loop. The resources live in the first loop that starts them; *tier*,
    which is one of them, serves each loop. *close* is called last, on each loop, with the seconds that are left.
    """

    def __init__(
        self,
        cache: Cache,
        sweep: Callable[[], Coroutine[object, object, None]],
        resources: Iterable[Resource | Degradable[Any]],
        *,
        timeout: float,
        wait: float,
        shutdown: float,
        tier: Tier | None = None,
        config: Resource | None = None,
        close: Callable[[float], Awaitable[None]] | None = None,
        on_event: Listener | None = None,
        clock: Clock = time.time,
    ) -> None:
        all_given = list(resources)
        given = [one.resource if isinstance(one, Degradable) else one for one in all_given]
        if config is not None:
            given.insert(0, config)
        self.has_own = bool(given)
        """Whether there are resources that need a late start: all but *tier*, which the first look into it starts."""
        self.may_degrade = any(isinstance(one, Degradable) for one in all_given)
        """Whether answers may be made of defaults."""
        if tier is not None:
            given.insert(0, redis_resource(tier, lambda: self.resources.left))
        self.resources = Supervisor(given, shutdown_timeout=shutdown, on_event=on_event, wall=clock)
        self._known: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        """The loops on which somebody has started it, in order or late."""
        self._cache = cache
        self._tier = tier
        self._close = close
        self._sweep = sweep
        self._timeout = timeout
        self._wait = wait
        self._shutdown = shutdown
        self._lives: dict[asyncio.AbstractEventLoop, tuple[int, asyncio.Task[None]]] = {}
        """By loop, how often it was started there and not stopped, and the sweep."""
        self._stopping: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        """By loop, the stop that is under way there."""
        self._late_by: float | None = None
        self._owned: set[asyncio.Task[None]] = set()

    def bound_shutdown(self, seconds: float) -> None:
        """Take no longer than *seconds* over a stop that begins from now on."""
        self._shutdown = seconds
        self.resources.bound_shutdown(seconds)

    async def start(self) -> None:
        """Start it on this loop. Raises ResourceFailed if something critical does not start; then nothing runs."""
        loop = running_loop()
        if loop is None:
            # Requests pass untouched there, so there is nothing to do.
            if self.has_own:
                _log.warning("Resources are started on asyncio alone, and this server runs another loop: none is.")
            return
        if loop in self._stopping:
            await asyncio.wait({self._stopping[loop]})
        self._known.add(loop)
        for gone in [other for other in list(self._lives) if other.is_closed()]:
            self._lives.pop(gone, None)
        count, sweep = self._lives[loop] if loop in self._lives else (0, loop.create_task(self._sweep()))
        self._lives[loop] = (count + 1, sweep)
        if self._tier is not None:
            self._tier.start()
        try:
            await self.resources.start(self._timeout, self._wait)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop what `start` started on this loop: background calls of the app first, since they use the resources.

        Cancelling it shortens nothing: it has an end anyway, and raises CancelledError then.
        """
        loop = running_loop()
        if loop is None:
            return
        if loop not in self._stopping:
            count, sweep = self._lives.pop(loop, (0, None))
            if count > 1 and sweep is not None:
                self._lives[loop] = (count - 1, sweep)
                return
            self._stopping[loop] = stopping = loop.create_task(self._stop(loop, sweep), name="resync stop")
            stopping.add_done_callback(lambda _: self._stopping.pop(loop, None))
        await unhurried(self._stopping[loop])

    async def _stop(self, loop: asyncio.AbstractEventLoop, sweep: asyncio.Task[None] | None) -> None:
        if sweep is None:
            await self._closed(self._shutdown)
            return
        until = loop.time() + self._shutdown
        ended = {sweep, *(task for task in self._owned if task.get_loop() is loop)}
        for task in ended:
            task.cancel()
        # Checks of resources are among them, and need not heed it.
        await asyncio.wait(ended, timeout=max(GRACE, self._shutdown / 4))
        try:
            # What calls the app in the background leaves some time to what is stopped after it.
            await self._cache.settle(self._shutdown / 2 if self.resources else self._shutdown)
        finally:
            try:
                is_here = self.resources.is_here
                await self.resources.stop(max(0.0, until - loop.time()))
                if self._tier is not None and not is_here:
                    await self._tier.stop(max(0.0, until - loop.time()))
            finally:
                await self._closed(until - loop.time())

    async def _closed(self, seconds: float) -> None:
        if self._close is not None:
            await self._close(max(0.0, seconds))

    def own(self, task: asyncio.Task[None]) -> None:
        """Take *task* as one that ends with this, at the latest."""
        self._owned.add(task)
        task.add_done_callback(self._owned.discard)

    def begin_late(self) -> None:
        """Start *tier* and the resources in the background, if nobody has started them on this loop before."""
        if not self.is_unstarted:
            return
        if self._tier is not None:
            self._tier.start()
        self.resources.begin()

    @property
    def is_unstarted(self) -> bool:
        """Whether there is a loop here on which nobody has started it yet, in order or late."""
        loop = running_loop()
        return loop is not None and loop not in self._known

    async def start_late(self) -> None:
        """Start the resources where the server plays no lifespan, and wait for those that are critical.

        They go on trying if they fail, so it waits no longer than the first call had to. Raises ResourceFailed.
        """
        loop = asyncio.get_running_loop()
        if self._late_by is None or not self.resources.is_running:
            self._late_by = loop.time() + self._timeout
        self.resources.begin()
        await self.resources.ready(max(0.0, self._late_by - loop.time()))
        self._known.add(loop)


def redis_resource(tier: Tier, left: Callable[[], float]) -> Resource:
    """Return *tier* as the resource `redis`: never critical, since everything works without it.

    *left* says how many seconds there are to stop in.
    """
    return Resource(
        "redis",
        start=tier.start,
        stop=lambda: tier.stop(max(0.0, left() - CLOSING)),
        tells=tier.tells,
        critical=False,
        timeout=3600.0,
    )


CLOSING = 0.2
"""Seconds for Redis to be told goodbye, out of those that there are to write what waits."""

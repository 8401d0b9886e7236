"""The second tier as a whole: store, leases and backplane over Redis, put together. It decides nothing itself."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from weakref import WeakSet

from ..._asgi import Clock
from ...events import BackplaneCaughtUp, BackplaneLost, CacheKey, Event, Listener
from ..cache import Cache
from ..memory import MemoryStore
from ..options import CacheOptions
from ..tags import PurgeLedger
from ..tiered import TieredStore
from .backplane import Backplane
from .bulletin import Bulletin, Look
from .lease import Leases
from .link import RedisLink
from .names import Names
from .ports import Guard
from .pulse import Pulse
from .store import RedisStore

_tiers: WeakSet[SecondTier] = WeakSet()
"""All there are in this process, so that a forked one can take names of its own."""

QUICK_ANSWERS = 2
"""So many answers in time, a second apart, show that Redis is no longer too slow."""
CONTROL_DEADLINE = 1.0
"""Seconds for a call of the backplane: no request waits for it, and a Redis that is merely slow is not lost."""


class SecondTier:
    """What a cache has of Redis at *url*, and the tasks it needs: they run between `start` and `stop`.

    `cache` is the cache over *memory* and Redis. *deadline* bounds each call that a request waits for. *guard* is the
    breaker of Redis; *on_live* is called whenever Redis is back. *near_ttl* and *far_ttl* cap lifetimes in the tiers,
    *lease* is how long a process may keep others from calling the app. Times are in seconds. Raises SettingsError if
    *url* cannot be used. Making one does no I/O.
    """

    def __init__(
        self,
        url: str,
        memory: MemoryStore,
        *,
        options: CacheOptions,
        deadline: float,
        prefix: str,
        near_ttl: float,
        far_ttl: float,
        jitter: float,
        signing_keys: Sequence[str],
        lease: float,
        clock: Clock,
        on_event: Listener | None,
        guard: Guard | None = None,
        on_live: Callable[[], None] | None = None,
    ) -> None:
        node = uuid.uuid4().hex
        self._listener = on_event
        self._on_live = on_live
        self._report: Callable[[str | None], object] | None = None
        self._bulletin: Bulletin | None = None
        ledger = PurgeLedger()
        self._pulse = Pulse(guard, lambda: self.plane.is_live)
        self._link = RedisLink(url, guard=self._pulse, deadline=deadline)
        self._control = RedisLink(url, deadline=CONTROL_DEADLINE, connections=1)
        database = self._link.database
        near_only = RedisStore(self._control, prefix=prefix, signing_keys=signing_keys)
        self.plane = Backplane(
            self._control,
            ledger,
            self,
            drop=near_only.drop,
            node=node,
            prefix=prefix,
            database=database,
            signing_keys=signing_keys,
            forget=near_ttl,
            clock=clock,
            on_event=self._told,
        )
        far = RedisStore(
            self._link,
            prefix=prefix,
            database=database,
            ttl=far_ttl,
            jitter=jitter,
            signing_keys=signing_keys,
            max_body=options.max_body,
            ledger=ledger,
            origin=node,
            clock=clock,
            on_event=on_event,
        )
        self._store = TieredStore(memory, far, near_ttl=near_ttl, on_event=on_event)
        self._leases = Leases(
            self._link,
            Names(prefix, database),
            origin=node,
            seconds=lease,
            encode=self.plane.frames.whole,
            written=self._store.written,
            patient=self._control,
            is_well=lambda: self._pulse.is_well,
        )
        self.cache = Cache(self._store, ledger=ledger, options=options, clock=clock, on_event=on_event)
        self.cache.claims = self._leases
        self.cache.plane = self.plane
        self.plane.on_answer = self._answered
        self._deadline = deadline
        self._quick = 0
        self._far = far
        self._task: asyncio.Task[None] | None = None
        self._loops: set[asyncio.AbstractEventLoop] = set()
        """Where it was started and not stopped; `_task` runs on one of them."""
        _tiers.add(self)

    def adjust(
        self, *, deadline: float, near_ttl: float, far_ttl: float, jitter: float, max_body: int, lease: float
    ) -> None:
        """Have these from now on, in this process; other processes are told nothing."""
        self._deadline = deadline
        self._link.adjust(deadline)
        self.plane.forget(near_ttl)
        self._store.adjust(near_ttl)
        self._far.adjust(ttl=far_ttl, jitter=jitter, max_body=max_body)
        self._leases.longest = lease

    # What the backplane tells this process

    def drop_near(self, keys: Iterable[CacheKey]) -> None:
        """See `ports.Near`."""
        self.cache.drop_near(keys)

    def replaced(self, key: CacheKey) -> None:
        """See `ports.Near`."""
        self.cache.replaced(key)

    def woken(self, key: CacheKey) -> None:
        """See `ports.Near`."""
        self._leases.woken(key)

    # Its life

    def rename(self) -> None:
        """Take a name of its own: two processes with one would end each other's leases and miss each other's purges."""
        node = uuid.uuid4().hex
        self.plane.rename(node)
        self._far.rename(node)
        self._leases.rename(node)
        if self._bulletin is not None:
            self._bulletin.forget()
        # The parent's, on the parent's loop.
        self._task = None
        self._loops.clear()

    def tells(self, report: Callable[[str | None], object]) -> None:
        """Call *report* with None whenever Redis is back, and with a word for why whenever it is lost."""
        self._report = report

    def share(self, look: Look, hear: Callable[[str, str, float], None]) -> Callable[[str], None]:
        """Return what has *look* asked for a breaker, by its upstream, and the other processes told what it says.

        *hear* is called with what they say: the upstream, the state of its breaker there, and the seconds it holds.
        """
        self._bulletin = Bulletin(look, tell=self.plane.tell, node=lambda: self.plane.node)
        self.plane.chores = (self._bulletin.run,)
        self.plane.hearing.on_breaker = hear
        return self._bulletin.post

    @property
    def is_live(self) -> bool:
        """Whether Redis is there, and every purge is heard."""
        return self.plane.is_live

    def start(self) -> None:
        """Connect, and stay connected, in the background of this event loop. A second call changes nothing.

        On a second loop neither, until the first is stopped there: then the second takes over.
        """
        loop = asyncio.get_running_loop()
        self._loops.add(loop)
        if self._task is None or self._task.get_loop().is_closed():
            self._task = loop.create_task(self.plane.run())
        elif self.plane.is_live and self._report is not None:
            self._report(None)

    async def stop(self, timeout: float) -> None:
        """Write what waits within *timeout* seconds, take leave of the other processes and close the connections."""
        loop, task = asyncio.get_running_loop(), self._task
        try:
            await self._store.flush(timeout)
            await self._leases.aclose()
        finally:
            # Also where it is cut short: what is left open would stay so.
            self._loops.discard(loop)
            try:
                if task is not None and task.get_loop() is loop:
                    self._task = None
                    task.cancel()
                    await asyncio.wait({task})
                    if not self._hand_over():
                        await self.plane.leave()
            finally:
                try:
                    await self._control.aclose()
                finally:
                    await self._link.aclose()

    def _hand_over(self) -> bool:
        """Have another loop on which this was started stay connected; return whether there is one."""
        for other in list(self._loops):
            try:
                other.call_soon_threadsafe(self._take_over)
            except RuntimeError:
                self._loops.discard(other)
            else:
                return True
        return False

    def _take_over(self) -> None:
        if asyncio.get_running_loop() in self._loops:
            self.start()

    def _answered(self, delay: float) -> None:
        """Let requests ask Redis again if it was too slow for them, and now answers the backplane in time."""
        if self._pulse.is_well:
            return
        self._quick = self._quick + 1 if delay <= self._deadline else 0
        if self._quick >= QUICK_ANSWERS and self._on_live is not None:
            self._quick = 0
            self._on_live()

    def _told(self, event: Event) -> None:
        if isinstance(event, BackplaneCaughtUp) and self._on_live is not None:
            self._on_live()
        if self._report is not None and isinstance(event, (BackplaneCaughtUp, BackplaneLost)):
            self._report(event.cause if isinstance(event, BackplaneLost) else None)
        if self._listener is not None:
            self._listener(event)


def _rename_all() -> None:
    for tier in _tiers:
        tier.rename()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_rename_all)

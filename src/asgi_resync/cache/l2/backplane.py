"""Carries purges between processes, and knows when some may have been missed. It keeps no records.

A process that is *live* hears of every purge. Messages tell it at once; whether it missed one it learns from the
journal in Redis, which it looks at every second, so a lost message costs a second and no more. When the subscription
breaks or Redis is silent for as long as a lease, the ledger distrusts what was there before, until all that happened
meanwhile is applied. What is purged while not live waits in the ledger, and is delivered first of all.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from ..._asgi import Clock
from ...events import (
    BackplaneCaughtUp,
    BackplaneLost,
    CacheKey,
    InternalFailure,
    Listener,
    PurgeQueued,
)
from ..tags import PurgeLedger
from ..undelivered import Delivery
from .confirmations import Confirmations
from .courier import Courier
from .expiry import HORIZON
from .frames import Frames
from .hearing import Hearing
from .journal import Changes, Journal
from .losses import STOPPED, telling_losses_once
from .messages import Heard, Message, keys_in
from .names import Names
from .ports import Link, Near, Unreachable

LEASE = 3.0
INTERVAL = 1.0
PATIENCE = 0.75
RECENT = 60.0
"""Seconds for which purges are entered again where Redis lost what came last: no replica is behind by more."""
MAX_PAUSE = 1.5


class Backplane:
    """One process's part in the backplane: `run` is its task, owned by whoever starts it.

    *link* should have a deadline of its own and no breaker: a second of silence must not blind memory. *drop* removes a
    record from Redis and refuses those asked for before a version (`RedisStore.drop`). *node* is the id of this
    process, unlike any other. *forget* is the lifetime cap of memory, *horizon* the longest time that a record can
    stay in Redis, both in seconds. Nothing is bound to a loop before `run`.
    """

    def __init__(
        self,
        link: Link,
        ledger: PurgeLedger,
        near: Near,
        *,
        drop: Callable[[CacheKey, int], Awaitable[None]],
        node: str,
        prefix: str = "resync:",
        database: int = 0,
        signing_keys: Sequence[str] = (),
        lease: float = LEASE,
        interval: float = INTERVAL,
        patience: float = PATIENCE,
        forget: float = 60.0,
        horizon: float = HORIZON,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
        on_event: Listener | None = None,
    ) -> None:
        self.node = node
        self.on_answer: Callable[[float], None] | None = None
        """What to call with the seconds that each look at the journal took."""
        self.chores: tuple[Callable[[], Coroutine[None, None, None]], ...] = ()
        """What else runs while it is live, and does not end by itself."""
        self.is_live = False
        """Whether every purge is heard."""
        self._link = link
        self._ledger = ledger
        self._near = near
        self._drop = drop
        self._channel = Names(prefix, database).channel
        self.frames = Frames(self._channel, signing_keys)
        self._journal = Journal(
            link,
            prefix=prefix,
            channel=self._channel,
            node=node,
            lease=lease,
            forget=forget,
            horizon=horizon,
            monotonic=monotonic,
            rng=rng,
        )
        self._lease = lease
        self._interval = interval
        self._patience = patience
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._rng = rng
        self._tell = telling_losses_once(on_event)
        self._confirmations = Confirmations()
        self.hearing = Hearing(
            self.frames,
            self._journal,
            ledger,
            near,
            self._confirmations,
            applied=self._has_applied,
            clock=clock,
            tell=self._tell,
        )
        """What the messages of others do here."""
        self._looked_at = -float("inf")
        self._forgot_from: int | None = None
        """The version from which on Redis forgot what this process knows, None if it did not."""
        self._missed = False
        self._courier: Courier | None = None
        self._to_confirm: asyncio.Event | None = None
        # Until the first look nothing is known of what Redis holds.
        ledger.distrust(clock())

    # What the cache calls

    def forget(self, seconds: float) -> None:
        """Have the lifetime cap of memory be *seconds* from now on."""
        self._journal.forget(seconds)

    def rename(self, node: str) -> None:
        """Be known as *node* from now on: after a fork, before `run`. What ran in the parent does not run here."""
        self.node = node
        self._journal.node = node
        self._courier = None
        self._to_confirm = None
        if self.is_live:
            # As when a connection is lost, but nobody is told: this process never had one.
            self.is_live = False
            self._ledger.distrust(self._clock())

    async def purge(
        self, tags: Iterable[str] = (), keys: Iterable[CacheKey] = (), *, soft: bool = False, confirm: bool = True
    ) -> Delivery:
        """Purge here, tell all processes, and with *confirm* wait a moment until they have applied it. Never raises.

        Keys are always dropped hard. A caller who leaves early changes nothing but that nobody waits.
        """
        now = self._clock()
        self._ledger.post(tags, soft=soft, now=now)
        if dropped := tuple(keys):
            self._ledger.post_keys(dropped, now=now)
            self._near.drop_near(dropped)
        courier = self._courier
        if courier is None or not self.is_live:
            return self._queued()
        if courier.loop is not asyncio.get_running_loop():
            return await self._sent_elsewhere(courier, confirm=confirm)
        return await self._sent(courier, confirm=confirm)

    async def _sent_elsewhere(self, courier: Courier, *, confirm: bool) -> Delivery:
        """Have the loop of `run` deliver what waits; one that has stopped delivers it when it, or another, runs."""
        sending = self._sent(courier, confirm=confirm)
        try:
            future = asyncio.run_coroutine_threadsafe(sending, courier.loop)
        except RuntimeError:
            sending.close()
            return self._queued()
        sent = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({sent}, timeout=self._lease)
        # It is cancelled where that loop ends meanwhile.
        return sent.result() if done and not sent.cancelled() else self._queued()

    async def _sent(self, courier: Courier, *, confirm: bool) -> Delivery:
        try:
            written = await courier.deliver()
        except Unreachable:
            written = None
        if written is None:
            return self._queued()
        missing = await self._confirmations.wait(written.members, written.version, self._patience if confirm else 0.0)
        unconfirmed = missing + written.lapsed
        return Delivery(
            state="partial" if unconfirmed else "delivered",
            confirmed=len(written.members) - missing,
            unconfirmed=unconfirmed,
        )

    async def tell(self, message: Message) -> bool:
        """Publish *message*; return whether Redis took it."""
        try:
            await self._journal.publish(self.frames.whole(message))
        except Unreachable:
            return False
        return True

    async def run(self) -> None:
        """Stay connected until cancelled, whatever happens; pauses between attempts grow at random up to 1.5 s."""
        retrying = AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.05, max=MAX_PAUSE),
            retry=retry_if_exception_type(Unreachable),
            sleep=self._sleep,
        )
        self._courier = Courier(
            self._journal,
            self._ledger,
            self.frames,
            drop=self._drop,
            node=self.node,
            clock=self._clock,
            tell=self._tell,
        )
        try:
            while True:
                await retrying(self._session)
                await self._sleep(0.2 * self._rng())
        finally:
            self._courier = None
            self._lose(STOPPED)

    async def leave(self) -> None:
        """Tell the others not to wait for this process. To be called after `run` has ended."""
        try:
            await self._journal.leave()
        except Unreachable:
            pass

    # The task

    async def _session(self) -> None:
        """Subscribe, catch up, and be live until something breaks. Raises Unreachable if it did not come to that."""
        was_live = False
        try:
            async with self._link.listen(self._channel) as frames:
                await self._catch_up()
                self._rise()
                was_live = True
                await self._attend(frames)
        except Unreachable as error:
            self._lose(error.cause)
            if not was_live:
                raise
        except Exception as error:
            self._lose(type(error).__name__)
            self._tell(InternalFailure(where="backplane", error=error))
            if not was_live:
                raise Unreachable(type(error).__name__) from error

    async def _attend(self, frames: AsyncIterator[bytes]) -> None:
        self._to_confirm = asyncio.Event()
        self._to_confirm.set()
        loop = asyncio.get_running_loop()
        parts = (self._read(frames), self._look_often(), self._confirm(), *(chore() for chore in self.chores))
        tasks = [loop.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            errors = [error for task in done if (error := task.exception()) is not None]
            error = errors[0] if errors else Unreachable("ended")
            # At once: what follows may take its time.
            self._lose(error.cause if isinstance(error, Unreachable) else type(error).__name__)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise error

    async def _read(self, frames: AsyncIterator[bytes]) -> None:
        async for frame in frames:
            if self.hearing.take(frame):
                try:
                    await self._catch_up()
                except Unreachable:
                    # The next look is due within a second, and knows how long Redis may be silent.
                    pass

    async def _look_often(self) -> None:
        while True:
            await self._sleep(self._interval)
            if self._is_silent():
                # This process stood still, and the others have stopped waiting for it.
                raise Unreachable("silence")
            try:
                await self._catch_up()
            except Unreachable:
                if self._is_silent():
                    raise

    async def _confirm(self) -> None:
        due = self._to_confirm
        while due is not None:
            await due.wait()
            due.clear()
            await self.tell(Heard(self.node, self._ledger.seen))

    def _is_silent(self) -> bool:
        return self._monotonic() - self._looked_at > self._lease

    def _rise(self) -> None:
        self._ledger.trust(missed=self._missed)
        self.is_live = True
        missed, self._missed = self._missed, False
        self._tell(BackplaneCaughtUp(missed=missed))

    def _lose(self, cause: str) -> None:
        self.is_live = False
        self._ledger.distrust(self._clock())
        self._confirmations.give_up()
        self._tell(BackplaneLost(cause=cause))

    # Catching up

    async def _catch_up(self) -> None:
        """Apply all that changed, and deliver what waits. Raises Unreachable."""
        while not await self._look():
            pass
        courier = self._courier
        if courier is None:
            return
        if self._forgot_from is not None:
            await courier.remind(self._forgot_from)
            self._forgot_from = None
            while not await self._look():
                pass
        await courier.deliver()

    async def _look(self) -> bool:
        """Renew the lease and apply what changed; return whether that was all."""
        sent = self._monotonic()
        changes = await self._journal.look(self._ledger.seen)
        self._looked_at = sent
        if self.on_answer is not None:
            self.on_answer(self._monotonic() - sent)
        if changes.is_other:
            self._forgot_from = 1
        elif changes.was_forgotten and self._forgot_from is None:
            self._forgot_from = max(1, changes.upto - round(RECENT * 1e6))
        if not self.is_live and (changes.is_other or changes.was_forgotten or changes.has_gap):
            self._missed = True
        self._apply(changes)
        return changes.is_complete

    def _apply(self, changes: Changes) -> None:
        now = self._clock()
        self._ledger.apply(changes.hard, [(tag, version, now - age) for tag, version, age in changes.soft])
        if changes.keys:
            self._near.drop_near(keys_in(changes.keys))
        self._ledger.reached(changes.upto)
        if changes.hard or changes.soft or changes.keys:
            self._has_applied()

    def _has_applied(self) -> None:
        if self._to_confirm is not None:
            self._to_confirm.set()

    def _queued(self) -> Delivery:
        self._tell(PurgeQueued(count=len(self._ledger.undelivered)))
        return Delivery(state="queued")

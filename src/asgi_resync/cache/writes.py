"""Writes to the second tier, behind the responses that caused them. They wait in a bounded queue; what finds it full is
dropped, and told. It holds no records longer than until they are written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..events import CacheKey, Event, InternalFailure, WriteDropped
from .store import Record, Store


class _Write:
    """One write under way; `record` is None once it counts no more here, and `is_dropped` says to delete it there."""

    __slots__ = ("is_dropped", "record")

    def __init__(self, record: Record) -> None:
        self.record: Record | None = record
        self.is_dropped = False


class Writes:
    """Writes to *far*, at most *writers* at once, of at most *max_records* that weigh at most *max_bytes*.

    Of several records of one key the newest is written, and never two at once. It works on one event loop at a time.
    """

    __slots__ = (
        "_bytes",
        "_far",
        "_max_bytes",
        "_max_records",
        "_queue",
        "_tasks",
        "_tell",
        "_waiters",
        "_writers",
        "_writing",
    )

    def __init__(
        self, far: Store, *, max_records: int, max_bytes: int, writers: int, tell: Callable[[Event], None] | None
    ) -> None:
        self._far = far
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._writers = writers
        self._tell = tell
        self._queue: dict[CacheKey, Record] = {}
        self._bytes = 0
        self._writing: dict[CacheKey, _Write] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: dict[CacheKey, list[asyncio.Future[None]]] = {}

    def waiting(self, key: CacheKey) -> Record | None:
        """Return the newest of what is to be written under *key*, or is being written."""
        record = self._queue.get(key)
        if record is None and key in self._writing:
            record = self._writing[key].record
        return record

    def add(self, key: CacheKey, record: Record) -> None:
        """Write *record* under *key* soon, or drop it if there is no room."""
        self._unqueue(key)
        if len(self._queue) >= self._max_records or self._bytes + record.size > self._max_bytes:
            if self._tell is not None:
                self._tell(WriteDropped(key=key, reason="queue-full"))
            return
        self._queue[key] = record
        self._bytes += record.size
        loop = asyncio.get_running_loop()
        if any(task.get_loop() is not loop for task in self._tasks):
            # They were of a loop that ended before them, and so did what they wrote.
            self._tasks.clear()
            self._writing.clear()
        if len(self._tasks) < self._writers:
            task = loop.create_task(self._write_all())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def forget(self, key: CacheKey) -> None:
        """Do not write what waits under *key*, nor return it."""
        self._unqueue(key)
        if key in self._writing:
            self._writing[key].record = None

    def _unqueue(self, key: CacheKey) -> None:
        record = self._queue.pop(key, None)
        if record is not None:
            self._bytes -= record.size
            if key not in self._writing:
                self._wake(key)

    def drop(self, key: CacheKey) -> None:
        """Do not write what waits under *key*, and delete what is being written once it is."""
        self.forget(key)
        if key in self._writing:
            self._writing[key].is_dropped = True

    def clear(self) -> None:
        """Write nothing of what waits, and delete what is being written once it is."""
        for key in self._writing:
            self.drop(key)
        self._unqueue_all()

    def _unqueue_all(self) -> None:
        for key in list(self._queue):
            self._unqueue(key)

    async def written(self, key: CacheKey) -> None:
        """Wait until nothing of *key* waits to be written, or is being written, for as long as that takes."""
        while key in self._queue or key in self._writing:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(key, []).append(waiter)
            await waiter

    def _wake(self, key: CacheKey) -> None:
        for waiter in self._waiters.pop(key, ()):
            if not waiter.done():
                waiter.set_result(None)

    async def flush(self, timeout: float) -> None:
        """Wait up to *timeout* seconds until all is written; what is not by then is dropped, and told."""
        loop = asyncio.get_running_loop()
        tasks = {task for task in self._tasks if task.get_loop() is loop}
        late: set[asyncio.Task[None]] = set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
        keys = list(self._queue)
        self._unqueue_all()
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        if self._tell is not None:
            for key in keys:
                self._tell(WriteDropped(key=key, reason="closing"))

    async def _write_all(self) -> None:
        while (key := self._next()) is not None:
            record = self._queue[key]
            self._unqueue(key)
            write = self._writing[key] = _Write(record)
            try:
                await self._far.set(key, record)
                if write.is_dropped:
                    await self._far.delete(key)
            except Exception as error:
                if self._tell is not None:
                    self._tell(InternalFailure(where="a write to the second tier", error=error))
            finally:
                if self._writing.get(key) is write:
                    del self._writing[key]
                    self._wake(key)

    def _next(self) -> CacheKey | None:
        """Return the key that has waited longest of those that are not being written."""
        # At most as many are looked at as there are writers, and one.
        return next((key for key in self._queue if key not in self._writing), None)
